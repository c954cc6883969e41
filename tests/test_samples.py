"""Synthetic images follow the camera they name; public ones are what their checksum says, or are refused."""

import hashlib
import http.server
import io
import threading
import zipfile
from functools import partial

import numpy as np
import pytest
import tifffile

from n2seg_utils.data import public_sets
from n2seg_utils.data.images import open_image, open_images
from n2seg_utils.data.samples import LEVELS, NAMES, PIXEL, PLANE, Camera, make_image, sample_folder, write_sample
from n2seg_utils.errors import UserError

SMALL = {
    "nuclei": (128, 128),
    "spots": (128, 128),
    "nuclei3d": (12, 64, 64),
    "spots3d": (12, 64, 64),
    "two_channels": (128, 128),
}
CAMERA = Camera()


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def model_variance(clean):
    """Of a grey value: photons and reading in electrons, times the gain squared, and the rounding to whole numbers."""
    photons = (clean.astype("float64") - CAMERA.offset) / CAMERA.gain
    return CAMERA.gain**2 * (photons + CAMERA.read_noise**2) + 1 / 12


# Images


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_same_seed_gives_the_same_image_and_another_seed_another(name, level):
    first, again = (make_image(name, 3, level, SMALL[name]) for _ in range(2))
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(first, make_image(name, 4, level, SMALL[name])):
        assert (one != other).any()


@pytest.mark.parametrize("name", NAMES)
def test_noisy_clean_and_labels_belong_together(name):
    noisy, clean, labels = make_image(name, 1, shape=SMALL[name])
    assert (noisy.dtype, clean.dtype, labels.dtype) == ("uint16", "float32", "uint16")
    assert noisy.shape == clean.shape == ((2,) if name == "two_channels" else ()) + SMALL[name]
    assert labels.shape == SMALL[name]
    assert labels.max() >= 3
    noisy, clean = (pixels[0] if name == "two_channels" else pixels for pixels in (noisy, clean))
    inside, outside = clean[labels > 0].mean(), clean[labels == 0].mean()
    assert inside - CAMERA.offset > 1.5 * (outside - CAMERA.offset)
    assert np.corrcoef(noisy.ravel(), clean.ravel())[0, 1] > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_every_nucleus_has_a_number_and_no_number_is_left_out(seed):
    _, _, labels = make_image("nuclei", seed)
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert 10 < labels.max() < 60


def test_noise_is_that_of_the_camera():
    for name in NAMES:
        noisy, clean, _ = make_image(name, 5, shape=SMALL[name])
        scaled = (noisy - clean.astype("float64")) / np.sqrt(model_variance(clean))
        assert abs(scaled.mean()) < 5 / np.sqrt(scaled.size)
        assert scaled.std() == pytest.approx(1, abs=5 / np.sqrt(2 * scaled.size) + 0.01)
        neighbours = np.corrcoef(scaled[..., 1:].ravel(), scaled[..., :-1].ravel())[0, 1]
        assert abs(neighbours) < 5 / np.sqrt(scaled.size), "noise of one pixel says nothing about its neighbour's"


def test_the_mean_of_many_exposures_is_the_clean_image_and_their_variance_that_of_the_model():
    _, clean, _ = make_image("nuclei", 2, shape=(64, 64))
    photons = (clean.astype("float64") - CAMERA.offset) / CAMERA.gain
    count, rng = 400, np.random.default_rng(0)
    exposures = np.stack([CAMERA.expose(photons, rng) for _ in range(count)]).astype("float64")
    error = (exposures.mean(axis=0) - clean) / np.sqrt(model_variance(clean) / count)
    assert abs(error).max() < 5.5
    assert error.std() == pytest.approx(1, abs=0.06)
    ratio = exposures.var(axis=0, ddof=1) / model_variance(clean)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    bright = clean > np.median(clean)  # holds in the dark and in the light, so the variance does rise with the signal
    assert ratio[bright].mean() == pytest.approx(1, abs=0.02)
    assert ratio[~bright].mean() == pytest.approx(1, abs=0.02)


def test_the_camera_clips_and_does_not_wrap():
    rng = np.random.default_rng(0)
    assert (CAMERA.expose(np.full((9, 9), 1e6), rng) == 65535).all()
    assert (Camera(offset=0, read_noise=0).expose(np.zeros((9, 9)), rng) == 0).all()


def test_harder_samples_are_noisier():
    ratios = []
    for level in LEVELS:
        noisy, clean, _ = make_image("nuclei", 1, level)
        ratios.append(clean.std() / (noisy - clean).std())
    assert ratios[0] > 1.5 * ratios[1] > 1.5**2 * ratios[2]


# Folders


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_on_disk_is_three_folders_of_the_same_names_with_a_scale(tmp_path, name):
    out = write_sample(name, tmp_path / "sample", count=2)
    assert {p.name for p in out.iterdir()} == {"images", "clean", "masks"}
    expected = [f"{name}_01.tif", f"{name}_02.tif"]
    for kind, dtype in (("images", "uint16"), ("clean", "float32"), ("masks", "uint16")):
        images = open_images(out / kind)
        assert [i.path.name for i in images] == expected
        size = {"X": PIXEL, "Y": PIXEL} | ({"Z": PLANE} if name.endswith("3d") else {})
        for image in images:
            front = "Z" if "Z" in size else "C" if name == "two_channels" and kind != "masks" else ""
            assert (image.dtype, image.axes) == (dtype, front + "YX")
            assert image.calibration.channels == (("nuclei", "spots") if front == "C" else ())
            assert image.calibration.size == pytest.approx(size, rel=1e-5)
            assert image.calibration.unit == "µm"
    written = tifffile.imread(out / "images" / expected[1])
    np.testing.assert_array_equal(written, make_image(name, seed=(1, 1))[0])


def test_a_sample_is_repeatable_and_its_images_differ(tmp_path):
    one, other = (write_sample("spots", tmp_path / n, seed=7, count=3) for n in ("one", "other"))
    assert everything(one) == everything(other)
    assert len(set(everything(one).values())) == 9
    assert everything(one) != everything(write_sample("spots", tmp_path / "third", seed=8, count=3))


def test_a_sample_overwrites_nothing(tmp_path):
    write_sample("nuclei", tmp_path / "s", count=1)
    before = everything(tmp_path / "s")
    with pytest.raises(UserError, match=r"nuclei_01\.tif exists already .*and 2 more"):
        write_sample("nuclei", tmp_path / "s", count=2)
    assert everything(tmp_path / "s") == before


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"name": "cats"}, "no sample 'cats': choose one of nuclei, spots, nuclei3d, spots3d"),
        ({"name": "nuclei", "level": "silly"}, "no level 'silly': choose one of easy, medium, hard"),
    ],
)
def test_an_unknown_sample_or_level_is_answered_with_those_there_are_and_leaves_nothing(tmp_path, choice, message):
    with pytest.raises(UserError, match=message):
        write_sample(out=tmp_path / "s", **choice)
    assert not (tmp_path / "s").exists()


def test_the_built_in_sample_is_made_once(tmp_path):
    out = sample_folder(tmp_path / "made" / "sample")
    before = everything(out)
    assert len(before) == 36
    (out / "images" / "nuclei_01.tif").write_bytes(b"changed by the user")
    sample_folder(out)
    assert (out / "images" / "nuclei_01.tif").read_bytes() == b"changed by the user"
    assert [p.name for p in out.parent.iterdir()] == ["sample"]


def test_a_sample_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose a folder you may write to"):
        write_sample("nuclei", tmp_path / "file" / "s", count=1)


# Public sets


def archive():
    """A zip laid out as the real one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for place, value in (("train/images", 1), ("train/masks", 2), ("test/images", 3), ("test/masks", 4)):
            image = io.BytesIO()
            tifffile.imwrite(image, np.full((20, 20), value, "uint8"))
            file.writestr(f"dsb2018/{place}/{place[:4]}_cell.tif", image.getvalue())
        file.writestr("dsb2018/README.txt", "not an image")
    return content.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The set dsb2018 comes from a server on this machine, and the cache is a fresh one."""
    site = tmp_path / "site"
    site.mkdir()
    content = archive()
    (site / "dsb2018.zip").write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Quiet.asked += 1
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = f"http://127.0.0.1:{server.server_address[1]}/dsb2018.zip"
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(public_sets, "_DSB2018", {"url": url, "known_hash": f"sha256:{digest}"})
    yield Quiet
    server.shutdown()
    server.server_close()


def test_a_public_set_is_downloaded_once_and_laid_out_as_a_sample_is(served, tmp_path):
    for number in range(2):
        out = public_sets.write_public_set("dsb2018", tmp_path / f"out{number}")
        values = {str(p.relative_to(out)): int(tifffile.imread(p).mean()) for p in sorted(out.rglob("*.tif"))}
        assert values == {
            "images/test_cell.tif": 3,
            "images/trai_cell.tif": 1,
            "masks/test_cell.tif": 4,
            "masks/trai_cell.tif": 2,
        }
    assert served.asked == 1


def test_a_download_with_a_wrong_checksum_is_refused_and_nothing_is_written(served, tmp_path, monkeypatch):
    monkeypatch.setitem(public_sets._DSB2018, "known_hash", "sha256:" + 64 * "0")
    with pytest.raises(UserError, match=r"(?s)Could not download 'dsb2018'.*hash.*try again"):
        public_sets.write_public_set("dsb2018", tmp_path / "out")
    assert served.asked == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["missing.zip", "no connection"])
def test_without_a_connection_one_is_told(served, tmp_path, monkeypatch, where):
    url = public_sets._DSB2018["url"]
    url = "http://127.0.0.1:1/dsb2018.zip" if where == "no connection" else url.replace("dsb2018.zip", where)
    monkeypatch.setitem(public_sets._DSB2018, "url", url)
    with pytest.raises(UserError, match=r"(?s)Could not download 'dsb2018'.*Check the connection and try again"):
        public_sets.write_public_set("dsb2018", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_public_set_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(UserError, match="no data set 'cats': choose one of dsb2018, human_mitosis, cells3d"):
        public_sets.write_public_set("cats", tmp_path / "out")


def test_a_public_set_overwrites_nothing(served, tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match="masks exists already"):
        public_sets.write_public_set("dsb2018", tmp_path)
    assert served.asked == 0


@pytest.mark.parametrize(
    ("name", "shape", "axes"), [("human_mitosis", (40, 50), "YX"), ("cells3d", (6, 2, 40, 50), "ZCYX")]
)
def test_images_of_scikit_image_get_their_axes(tmp_path, monkeypatch, name, shape, axes):
    values = np.random.default_rng(0).integers(0, 9999, shape).astype("uint16")
    monkeypatch.setattr(f"skimage.data.{name}", lambda: values)  # instead of its download
    image = open_image(public_sets.write_public_set(name, tmp_path / "out") / "images" / f"{name}.tif")
    assert image.axes == axes
    np.testing.assert_array_equal(tifffile.imread(image.path), values)
