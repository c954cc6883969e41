"""Images larger than memory: read, learned from and written piece by piece. The files are sparse: they take no room."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from n2seg_utils.data.images import ImageFile, open_image
from n2seg_utils.data.writing import image_writer
from n2seg_utils.learning.networks import Architecture
from n2seg_utils.learning.prediction import tile_for_memory

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell a process' peak memory")


def sparse(path, shape, content, dtype="uint16", **options):
    """A file of zeros that takes no room, with a small image somewhere in it."""
    pixels = tifffile.memmap(path, shape=shape, dtype=dtype, **options)
    y, x = (size // 3 for size in shape[-2:])
    pixels[..., y : y + content.shape[0], x : x + content.shape[1]] = content
    pixels.flush()
    return path, (slice(y, y + content.shape[0]), slice(x, x + content.shape[1]))


def run(code, *arguments):
    """Run Python code in a process of its own; gives its peak memory in gigabytes, and what it printed as JSON."""
    # Not getrusage, which counts the memory of this process too, from before the other one's code was loaded.
    code += f"\nprint(next(line for line in open('{STATUS}') if line.startswith('VmHWM')).split()[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.split("\n")[:-1]
    return int(peak) / 1e6, json.loads(said[-1]) if said else None


NOISE = np.random.default_rng(0).integers(90, 110, (200, 200)).astype("uint16")


# A model that was not trained, of a network whose architecture is to be filled in.
UNTRAINED = """
import sys
import keras
import numpy as np
from n2seg_utils import DenoiseSettings
from n2seg_utils.data.normalisation import Normalisation
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.run_folder import RunFolder
keras.utils.set_random_seed(0)
network = Architecture(narrow_decoder=True, {architecture})
scale = Normalisation("dataset", (100.0,), (5.0,))
model = Denoiser(unet(network), network, DenoiseSettings(), scale, RunFolder(sys.argv[2]))
image = model.open(sys.argv[1])
"""


def test_16k_by_16k_pixels_are_denoised_within_three_gigabytes(tmp_path):
    """Of which the least of networks leaves 1.2 to that of the defaults; what that one takes is tested below."""
    file, where = sparse(tmp_path / "large.tif", (16384, 16384), NOISE)
    assert file.stat().st_size > 5e8
    code = """
model.predict_file(image, sys.argv[2])
rows, columns = (slice(*map(int, ends.split(":"))) for ends in sys.argv[4:])
np.save(sys.argv[3], model.predict_crop(image, 0, rows, columns)[1])"""
    ends = [f"{piece.start}:{piece.stop}" for piece in where]
    arguments = file, tmp_path / "out.tif", tmp_path / "crop.npy", *ends
    peak, _ = run(UNTRAINED.format(architecture="width=2, depth=1") + code, *arguments)
    assert peak < 1.8
    result = open_image(tmp_path / "out.tif")
    assert (result.shape, result.dtype) == ((16384, 16384), "float32")
    expected = np.load(tmp_path / "crop.npy")
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(result.plane(0)[where], expected, rtol=1e-4)
    for path in (file, tmp_path / "out.tif"):
        path.unlink()


def test_the_network_of_the_defaults_stays_within_three_gigabytes_however_much_memory_is_free(tmp_path):
    tile = tile_for_memory(1e12, Architecture())
    file, _ = sparse(tmp_path / "a.tif", (2 * tile, tile), NOISE)
    code = UNTRAINED.format(architecture="") + "model.predict_file(image, sys.argv[2], tile=int(sys.argv[3]))"
    peak, _ = run(code, file, tmp_path / "out.tif", tile)
    assert peak < 3


@pytest.mark.parametrize(
    ("architecture", "planes"),
    [("width=32", ()), ("width=32, batch_norm=True, depth=3", ()), ("dims=3, width=16", (16,))],
)
def test_a_tile_takes_no_more_than_a_quarter_of_the_memory_that_is_free(tmp_path, architecture, planes):
    free, design = 2e9, eval(f"Architecture({architecture})")
    tile = tile_for_memory(free, design, *planes)
    shape, axes = (*planes, tile, tile), "ZYX"[-2 - len(planes) :]
    file, _ = sparse(tmp_path / "a.tif", shape, NOISE[:99, :99], metadata={"axes": axes})
    code = """
model.predict_pixels(np.zeros((*image.shape[:-2], 64, 64, 1)))
before = int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
model.predict_file(image, sys.argv[2], tile=int(sys.argv[3]))
print(before)"""
    peak, before = run(UNTRAINED.format(architecture=architecture) + code, file, tmp_path / "out.tif", tile)
    assert 0.4 * free / 4 < 1e9 * peak - 1e3 * before < free / 4


def test_a_folder_larger_than_memory_is_trained_on(tmp_path):
    side, total = 30_000, 0
    folder = tmp_path / "in"
    folder.mkdir()
    while total < psutil.virtual_memory().total:
        file, _ = sparse(folder / f"{total}.tif", (side, side), np.tile(NOISE, (6, 6)))
        total += file.stat().st_size
    code = """
import json, sys
from n2seg_utils import DenoiseSettings, train_denoiser
from n2seg_utils.learning import device
device.free_memory = lambda: 2e9
small = dict(network_width=8, network_depth=1, patch_size=32, minutes=0, epochs=2, steps_per_epoch=4)
model = train_denoiser(DenoiseSettings(images=sys.argv[1], run=sys.argv[2], **small))
print(json.dumps(model.run.history()))"""
    peak, history = run(code, folder, tmp_path / "run")
    assert peak < 3
    assert [row["epoch"] for row in history] == [1, 2]
    assert all(np.isfinite(row["val_loss"]) for row in history)
    for file in folder.iterdir():
        file.unlink()


def test_the_check_of_large_images_stays_small(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    sparse(folder / "a.tif", (40_000, 40_000), np.tile(NOISE, (10, 10)))
    code = """
import json, sys
from n2seg_utils.data.check import check_images
print(json.dumps(check_images(sys.argv[1]).to_dict()))"""
    peak, found = run(code, folder)
    assert found["ok"]
    assert peak < 0.5
    (folder / "a.tif").unlink()


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_results_of_more_than_four_gigabytes_are_bigtiff(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: None, raising=False)  # stays sparse
    like, _ = sparse(tmp_path / "in.tif", (3, 30_000, 30_000), NOISE, bigtiff=True, metadata={"axes": "ZYX"})
    image = open_image(like)
    assert image.axes == "ZYX" if not image.guessed else image.axes == "TYX"
    last = slice(29_990, 30_000)
    with image_writer(tmp_path / "out.tif", image, dtype) as write:
        write(2, (last, last), np.full((10, 10, 1), 77))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_bigtiff
        assert file.is_ome
    result = open_image(tmp_path / "out.tif")
    assert (result.axes, result.shape, result.dtype) == (image.axes, image.shape, dtype)
    assert (result.plane(2)[last, last] == 77).all()
    assert not result.plane(0)[:5, :5].any()
    for path in (like, tmp_path / "out.tif"):
        path.unlink()


def test_an_image_file_says_how_large_it_is_without_being_read(tmp_path):
    file, _ = sparse(tmp_path / "a.tif", (20_000, 20_000), NOISE)
    assert isinstance(image := open_image(file), ImageFile)
    assert image.nbytes == 800_000_000
    file.unlink()
