"""OME-Zarr in and out: chunk by chunk, whole or absent, in strips that several processes share."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from n2seg_utils.data import zarr_writing
from n2seg_utils.data.arrays import open_array
from n2seg_utils.data.calibration import Calibration
from n2seg_utils.data.files import list_images, stem
from n2seg_utils.data.images import open_image
from n2seg_utils.data.parts import Part, parse_part
from n2seg_utils.data.writing import image_writer
from n2seg_utils.errors import UserError
from n2seg_utils.models.denoiser import Denoiser

from .test_large_images import STATUS, run

ts = pytest.importorskip("tensorstore")
ABOUT = Calibration({"T": 3.0, "Z": 2.0, "Y": 0.5, "X": 0.25}, "µm", ("nuclei", "actin"))
SMALL = {"Y": 32, "X": 48}


@pytest.fixture
def small_chunks(monkeypatch):
    """Images of a test have several chunks, and several strips."""
    monkeypatch.setattr(zarr_writing, "FLAT", SMALL)


def as_zarr(path, pixels, axes="YX", calibration=ABOUT):
    """Write an array as OME-Zarr."""
    like = replace(open_array(pixels, axes), calibration=calibration)
    with image_writer(path, like, pixels.dtype) as write:
        for number in range(like.planes):
            write(number, (slice(None), slice(None)), like.plane(number))
    return path


def noise(*shape, dtype="uint16"):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def pixels_of(path):
    image = open_image(path)
    return np.stack([np.asarray(image.plane(number)) for number in range(image.planes)])


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TCYX", "TCZYX"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_what_is_written_is_read_again_with_axes_pixel_size_and_names(axes, dtype, small_chunks, tmp_path):
    pixels = noise(*(2,) * (len(axes) - 2), 70, 100, dtype=dtype)
    image = open_image(as_zarr(tmp_path / "a.ome.zarr", pixels, axes))
    assert (image.axes, image.shape, image.dtype, image.guessed) == (axes, pixels.shape, dtype, False)
    assert image.calibration.size == {axis: size for axis, size in ABOUT.size.items() if axis in axes}
    assert image.channel_names == (["nuclei", "actin"] if "C" in axes else ["nuclei"])
    for number in range(image.planes):
        assert np.array_equal(image.plane(number), open_array(pixels, axes).plane(number))


def test_pieces_are_cut_out_as_from_an_array(small_chunks, tmp_path):
    pixels = noise(70, 100)[..., None]
    plane = open_image(as_zarr(tmp_path / "a.ome.zarr", pixels[..., 0])).plane(0)
    for where in (
        np.s_[3], np.s_[-1], np.s_[::7, 5:90:3], np.s_[..., 0], np.s_[10:5:-1, 3], np.s_[0, 0, 0], np.s_[500:],
        np.ix_([3, 5, 4, -1], [1, 0, 99]), np.s_[:, -5:, 0], np.s_[::-2],
    ):  # fmt: skip
        assert np.array_equal(plane[where], pixels[where])


def test_another_reader_finds_the_same(small_chunks, tmp_path):
    """The chunks are decoded by another library, from where the format says that they are."""
    pixels = noise(2, 3, 70, 100)
    path = as_zarr(tmp_path / "a.ome.zarr", pixels, "CZYX")
    about = json.loads((path / "0" / ".zarray").read_text())
    assert (about["shape"], about["dimension_separator"], about["zarr_format"]) == ([2, 3, 70, 100], "/", 2)
    imagecodecs = pytest.importorskip("imagecodecs")
    chunk = imagecodecs.blosc_decode((path / "0" / "1" / "2" / "1" / "1").read_bytes())
    values = np.frombuffer(chunk, about["dtype"]).reshape(about["chunks"])[0, 0]
    assert np.array_equal(values[:32, :48], pixels[1, 2, 32:64, 48:96])
    stated = json.loads((path / ".zattrs").read_text())
    (scale,) = stated["multiscales"]
    assert [axis["name"] for axis in scale["axes"]] == ["c", "z", "y", "x"]
    assert scale["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [1, 2, 0.5, 0.25]}]
    assert {"label", "color", "window"} <= set(stated["omero"]["channels"][0])


@pytest.mark.parametrize("codec", [{"name": "gzip", "configuration": {"level": 1}}, None])
def test_images_of_zarr_3_are_read(codec, tmp_path):
    pixels, path = noise(3, 40, 50), tmp_path / "a.zarr"
    codecs = [{"name": "bytes", "configuration": {"endian": "big"}}, *([codec] if codec else [])]
    spec = {
        "driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / "s0")},
        "metadata": {"shape": [3, 40, 50], "data_type": "uint16", "codecs": codecs},
    }  # fmt: skip
    ts.open(spec, create=True).result().write(pixels).result()
    level = {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [500, 100, 100]}]}
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}))
    image = open_image(path)
    assert (image.axes, image.calibration.unit) == ("ZYX", "µm")
    assert image.calibration.size == pytest.approx({"Z": 0.5, "Y": 0.1, "X": 0.1})
    assert np.array_equal(pixels_of(path)[..., 0], pixels)


def test_a_folder_of_images_may_hold_both_kinds(sample, tmp_path):
    shutil.copytree(sample / "images", tmp_path / "in")
    as_zarr(tmp_path / "in" / "more.ome.zarr", noise(40, 50))
    as_zarr(tmp_path / "in" / ".hidden.zarr", noise(40, 50))
    files = list_images(tmp_path / "in")
    assert [stem(file) for file in files if file.is_dir()] == ["more"]
    assert len(files) == 5
    assert list_images(files[-1]) == [files[-1]]
    (tmp_path / "list.txt").write_text("in/more.ome.zarr\nin/nuclei_01.tif\n")
    assert [file.name for file in list_images(tmp_path / "list.txt")] == ["more.ome.zarr", "nuclei_01.tif"]


# ---- what is wrong with them


def edited(path, file, change):
    about = json.loads((path / file).read_text())
    change(about)
    (path / file).write_text(json.dumps(about))


def level(about):
    return about["multiscales"][0]["datasets"][0]


BAD = {
    "no levels": (".zattrs", lambda a: a.pop("multiscales"), "resolution levels"),
    "no datasets": (".zattrs", lambda a: a["multiscales"][0].update(datasets=[]), "resolution levels"),
    "levels that are text": (".zattrs", lambda a: a.update(multiscales="yes"), "resolution levels"),
    "a plate": (".zattrs", lambda a: (a.pop("multiscales"), a.update(plate={})), "is a plate"),
    "a path upwards": (".zattrs", lambda a: level(a).update(path="../other.zarr/0"), "outside of its folder"),
    "an absolute path": (".zattrs", lambda a: level(a).update(path="/etc"), "outside of its folder"),
    "an address": (".zattrs", lambda a: level(a).update(path="http://example.org/0"), "outside of its folder"),
    "a level that is not there": (".zattrs", lambda a: level(a).update(path="7"), "there is no array 7"),
    "too few axes": (".zattrs", lambda a: a["multiscales"][0]["axes"].pop(0), "axes"),
    "axes twice": (".zattrs", lambda a: a["multiscales"][0].update(axes=["x", "x", "y"]), "axes x, x, y"),
    "axes that are numbers": (".zattrs", lambda a: a["multiscales"][0].update(axes=[1, 2, 3]), "axes"),
    "an unknown codec": ("0/.zarray", lambda a: a.update(compressor={"id": "evil"}), "not known here"),
    "a filter": ("0/.zarray", lambda a: a.update(filters=[{"id": "delta"}]), "not known here"),
    "a shape of no numbers": ("0/.zarray", lambda a: a.update(shape=["a", 2, 3]), "not known here"),
    "a negative shape": ("0/.zarray", lambda a: a.update(shape=[-1, 2, 3]), "not known here"),
    "an empty shape": ("0/.zarray", lambda a: a.update(shape=[0, 70, 100]), "no image"),
    "text for pixels": ("0/.zarray", lambda a: a.update(dtype="<U5"), "not known here"),
    "more pixels than any disk": ("0/.zarray", lambda a: a.update(shape=[2**40, 2**20, 100]), "than any disk"),
    "chunks beyond memory": ("0/.zarray", lambda a: a.update(chunks=[2**16, 2**16, 2**16]), "chunks of"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_metadata_is_said_in_a_sentence(name, tmp_path):
    file, change, words = BAD[name]
    path = as_zarr(tmp_path / "a.ome.zarr", noise(2, 70, 100), "ZYX")
    edited(path, file, change)
    with pytest.raises(UserError, match=words) as refused:
        np.asarray(open_image(path).plane(0))
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_link_is_followed_out_of_an_image(tmp_path):
    other = as_zarr(tmp_path / "other.ome.zarr", noise(70, 100))
    path = as_zarr(tmp_path / "a.ome.zarr", noise(70, 100))
    shutil.rmtree(path / "0")
    (path / "0").symlink_to(other / "0")
    with pytest.raises(UserError, match="link that leads out"):
        open_image(path)
    (tmp_path / "link.ome.zarr").symlink_to(other)  # a user's own way to put images together
    assert open_image(tmp_path / "link.ome.zarr").shape == (70, 100)


def test_other_folders_and_damaged_chunks_are_told(tmp_path):
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(UserError, match="neither"):
        open_image(tmp_path / "empty.zarr")
    path = as_zarr(tmp_path / "a.ome.zarr", noise(70, 100))
    (path / "0" / "0" / "0").write_bytes(b"no chunk")
    with pytest.raises(UserError, match="damaged"):
        np.asarray(open_image(path).plane(0))
    (path / ".zattrs").write_text("{")
    with pytest.raises(UserError, match="does not describe"):
        open_image(path)


def test_without_the_package_the_command_to_install_it_is_named(monkeypatch, tmp_path):
    path = as_zarr(tmp_path / "a.ome.zarr", noise(70, 100))
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    with pytest.raises(UserError, match="pip install tensorstore"):
        open_image(path)


# ---- predicted


@pytest.fixture
def model(trained):
    return Denoiser.load(trained.run.path)


def test_an_image_is_denoised_in_strips_as_if_in_one_piece(model, small_chunks, tmp_path):
    pixels = noise(2, 300, 130)
    source = as_zarr(tmp_path / "in" / "a.ome.zarr", pixels, "TYX")
    (result,) = model.predict_folder(source.parent, tmp_path / "out")
    assert result.name == "a.ome.zarr"
    found = open_image(result)
    assert (found.axes, found.dtype, found.calibration) == ("TYX", "float32", open_image(source).calibration)
    np.testing.assert_allclose(pixels_of(result)[..., 0], model.predict(pixels, "TYX"), rtol=1e-4)
    assert [p.name for p in result.parent.iterdir()] == ["a.ome.zarr"]
    assert sorted(p.name for p in result.iterdir()) == [".zattrs", ".zgroup", "0"]


def test_a_prediction_that_was_stopped_goes_on_in_the_strip_it_was_in(model, small_chunks, tmp_path, monkeypatch):
    source = as_zarr(tmp_path / "in" / "a.ome.zarr", noise(300, 130))
    done, usual = [], zarr_writing.Strips.done

    def stop_after_two(self, number):
        usual(self, number)
        done.append(number)
        if len(done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(zarr_writing.Strips, "done", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        model.predict_folder(source, tmp_path / "out")
    assert not (tmp_path / "out" / "a.ome.zarr").exists()
    model.predict_folder(source, tmp_path / "out", keep_existing=True)
    assert done == sorted(set(done)), "none is done twice"
    expected = model.predict(noise(300, 130))
    np.testing.assert_allclose(pixels_of(tmp_path / "out" / "a.ome.zarr")[0, ..., 0], expected, rtol=1e-4)


def test_processes_share_one_image_and_the_last_names_it(model, small_chunks, tmp_path):
    source = as_zarr(tmp_path / "in" / "a.ome.zarr", noise(300, 130))
    for number in (3, 1, 2):
        assert not (tmp_path / "out" / "a.ome.zarr").exists()
        model.predict_folder(source, tmp_path / "out", part=Part(number, 3))
    expected = model.predict(noise(300, 130))
    np.testing.assert_allclose(pixels_of(tmp_path / "out" / "a.ome.zarr")[0, ..., 0], expected, rtol=1e-4)
    with pytest.raises(UserError, match="exists already"):
        model.predict_folder(source, tmp_path / "out")


def test_every_piece_of_work_is_of_exactly_one_part():
    cuts = {"a": None, "b": 7, "c": None, "d": 1, "e": 12}
    for count in (1, 2, 3, 10, 40):
        taken = [(item, n) for k in range(count) for item, mine in Part(k + 1, count).share(cuts, cuts.get)
                 for n in (mine or [None])]  # fmt: skip
        whole = [(item, n) for item, cut in cuts.items() for n in (range(cut) if cut else [None])]
        assert sorted(taken, key=str) == sorted(whole, key=str)
    for wrong in ("", "3", "0/3", "4/3", "1/901", "-1/3", "a/b", "1/3/3"):
        with pytest.raises(UserError, match="--part"):
            parse_part(wrong)


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell a process' peak memory")
def test_an_image_larger_than_the_memory_it_may_take_goes_in_and_out(trained, tmp_path):
    """A plane of 65,536 x 16,384 pixels, 2 GB in and 4 GB out; chunks without anything in them take no room."""
    path = as_zarr(tmp_path / "a.ome.zarr", noise(64, 64), calibration=Calibration())
    side = (65_536, 16_384)
    about = json.loads((path / "0" / ".zarray").read_text()) | {"shape": side, "chunks": [1024, 1024]}
    (path / "0" / ".zarray").write_text(json.dumps(about))
    shutil.rmtree(path / "0" / "0")
    code = """
import json, sys
from n2seg_utils.data.images import open_image
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models import strips
from n2seg_utils.data import zarr_writing
model = Denoiser.load(sys.argv[1])
image = model.open(sys.argv[2])
count = strips.strip_count(model, image)
model.predict_file(image, __import__("pathlib").Path(sys.argv[3]), strips=[3])
print(json.dumps(count))"""
    peak, count = run(code, trained.run.path, path, tmp_path / "out.ome.zarr")
    assert count == 32
    assert peak < 2
    assert not (tmp_path / "out.ome.zarr").exists(), "only one strip of it is done"


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 999, 1))
    with pytest.raises(UserError, match="is full"):
        as_zarr(tmp_path / "a.ome.zarr", noise(70, 100))
    assert not list(tmp_path.iterdir())
