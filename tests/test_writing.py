"""Results keep what the input says about itself, and are whole or absent."""

import errno
import os
import shutil
from collections import namedtuple

import numpy as np
import pytest
import tifffile

from n2seg_utils.data.images import Calibration, ImageFile, open_image
from n2seg_utils.data.pieces import to_type
from n2seg_utils.data.writing import image_writer
from n2seg_utils.errors import UserError

SIZES = {"T": 2, "Z": 3, "C": 2, "Y": 24, "X": 30}
EVERYTHING = slice(None)


def source(path, axes="YX", dtype="uint16", **options):
    """An ImageJ file with all the metadata there can be, opened."""
    about = {"axes": axes, "unit": "um", "spacing": 0.6, "finterval": 2.5}
    if "C" in axes:
        about["Labels"] = ["DAPI", "GFP"]
    values = np.random.default_rng(0).integers(0, 200, [SIZES[a] for a in axes]).astype(dtype)
    tifffile.imwrite(path, values, imagej=True, resolution=(10, 5), metadata=about, **options)
    return open_image(path), values


def copy(image, out, **options):
    """Write every plane of an image in four pieces."""
    with image_writer(out, image, **options) as write:
        for number in range(image.planes):
            plane = image.plane(number)
            for rows in (slice(0, 10), slice(10, 24)):
                for columns in (slice(0, 17), slice(17, 30)):
                    write(number, (rows, columns), plane[rows, columns])
    return out


def left_in(folder):
    return sorted(p.name for p in folder.rglob("*"))


@pytest.mark.parametrize("axes", ["YX", "TYX", "ZYX", "CYX", "TZYX", "TCYX", "ZCYX", "TZCYX"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "int16", "uint32"])
def test_a_result_has_the_pixels_the_axes_and_the_scale_of_its_input(tmp_path, axes, dtype):
    image, values = source(tmp_path / "in.tif", axes)
    result = open_image(copy(image, tmp_path / "out.tif", dtype=dtype))
    assert (result.axes, result.shape, result.dtype, result.guessed) == (axes, image.shape, dtype, False)
    np.testing.assert_array_equal(tifffile.imread(result.path), values)
    expected = {"X": 0.1, "Y": 0.2} | ({"Z": 0.6} if "Z" in axes else {}) | ({"T": 2.5} if "T" in axes else {})
    assert {a: result.calibration.size[a] for a in expected} == pytest.approx(expected, rel=1e-5)
    assert result.calibration.unit == "µm"
    assert result.calibration.channels == (("DAPI", "GFP") if "C" in axes else ())


def test_imagej_finds_the_scale_the_names_and_the_display_range(tmp_path):
    image, _ = source(tmp_path / "in.tif", "TZCYX")
    with tifffile.TiffFile(copy(image, tmp_path / "out.tif", display=(12.5, 250))) as file:
        about = file.imagej_metadata
        assert file.is_imagej
        assert file.series[0].axes == "TZCYX"
    expected = {
        "frames": 2, "slices": 3, "channels": 2, "hyperstack": True, "mode": "composite", "unit": "um",
        "spacing": 0.6, "finterval": 2.5, "min": 12.5, "max": 250.0,
    }  # fmt: skip
    assert {key: about.get(key) for key in expected} == expected
    assert about["Labels"] == ["DAPI", "GFP"]


@pytest.mark.parametrize("unit", ["µm", "nm", "inch", "Å"])
def test_every_unit_survives(tmp_path, unit):
    scale = Calibration({"X": 0.5, "Y": 0.5}, unit)
    like = ImageFile(tmp_path / "in.tif", (24, 30), np.dtype("uint16"), "YX", False, scale)
    for dtype in ("float32", "float64"):
        with image_writer(tmp_path / f"{dtype}.tif", like, dtype) as write:
            write(0, (EVERYTHING, EVERYTHING), np.ones((24, 30, 1)))
        assert open_image(tmp_path / f"{dtype}.tif").calibration == scale


def test_channel_names_in_any_script_survive(tmp_path):
    names = ("Kern µ", "細胞膜")
    like = ImageFile(tmp_path / "in", (2, 24, 30), np.dtype("uint16"), "CYX", False, Calibration(channels=names))
    for dtype in ("float32", "float64"):
        with image_writer(tmp_path / f"{dtype}.tif", like, dtype) as write:
            write(0, (EVERYTHING, EVERYTHING), np.ones((24, 30, 2)))
        assert open_image(tmp_path / f"{dtype}.tif").calibration.channels == names


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "TZYX"])
def test_a_dimension_of_one_is_written_like_any_other(tmp_path, axes):
    shape = (*[1] * (len(axes) - 2), 24, 30)
    like = ImageFile(tmp_path / "in.tif", shape, np.dtype("uint16"), axes, False, Calibration())
    values = np.arange(720, dtype="float32").reshape(24, 30, 1)
    with image_writer(tmp_path / "out.tif", like) as write:
        write(0, (EVERYTHING, EVERYTHING), values)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif").squeeze(), values[..., 0])


def test_colours_come_back_as_channels(tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (24, 30, 3)).astype("uint8")
    tifffile.imwrite(tmp_path / "in.tif", colour, photometric="rgb")
    result = open_image(copy(open_image(tmp_path / "in.tif"), tmp_path / "out.tif", dtype="uint8"))
    assert result.axes == "CYX"
    np.testing.assert_array_equal(result.plane(0), colour)


@pytest.mark.parametrize(("channels", "axes"), [(1, "ZYX"), (3, "ZCYX")])
def test_a_result_may_have_another_number_of_channels(tmp_path, channels, axes):
    image, _ = source(tmp_path / "in.tif", "ZCYX")
    with image_writer(tmp_path / "out.tif", image, channels=channels) as write:
        for number in range(image.planes):
            write(number, (EVERYTHING, EVERYTHING), np.full((24, 30, channels), number) + np.arange(channels) / 10)
    result = open_image(tmp_path / "out.tif")
    assert (result.axes, result.size["C"]) == (axes, channels)
    np.testing.assert_allclose(result.plane(2)[3, 4], 2 + np.arange(channels) / 10)


def test_results_of_compressed_and_big_endian_images_are_right(tmp_path):
    for name, options in (("big.tif", {"byteorder": ">"}), ("packed.tif", {"compression": "zlib"})):
        values = np.random.default_rng(1).integers(0, 60000, (3, 24, 30)).astype("uint16")
        tifffile.imwrite(tmp_path / name, values, metadata={"axes": "ZYX"}, photometric="minisblack", **options)
        image = open_image(tmp_path / name)
        copy(image, tmp_path / f"out_{name}", dtype=image.dtype)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"out_{name}"), values)


# Types


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_whole_numbers_are_rounded_and_clipped_and_never_wrap(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.array([-1e30, low - 0.6, 1.4, 1.6, 2.5, 99.7, high + 0.6, 1e30])
    np.testing.assert_array_equal(to_type(values, dtype), [low, low, 1, 2, 2, 100, high, high])
    np.testing.assert_array_equal(to_type(values.astype("float32"), dtype), [low, low, 1, 2, 2, 100, high, high])
    assert to_type(values, dtype).dtype == dtype


@pytest.mark.parametrize("dtype", ["uint64", "int64"])
def test_numbers_of_64_bit_do_not_wrap_either(dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    smallest, largest = to_type(np.float32([-1e30, 1e30]), dtype).tolist()
    assert smallest == low
    assert high * (1 - 1e-12) < largest <= high


def test_floats_are_only_cast():
    np.testing.assert_array_equal(to_type(np.array([-1.5, 1e6 + 0.25]), "float32"), np.float32([-1.5, 1e6 + 0.25]))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint64", "float16", "float32", "float64"])
def test_every_type_an_image_may_have_can_be_written_back(tmp_path, dtype):
    values = np.arange(720).reshape(24, 30).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", values)
    image = open_image(tmp_path / "in.tif")
    copy(image, tmp_path / "out.tif", dtype=image.dtype)
    written = tifffile.imread(tmp_path / "out.tif")
    assert written.dtype == dtype
    np.testing.assert_array_equal(written, values)


# Whole or absent


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_an_exception_while_writing_leaves_no_file_at_all(tmp_path, error):
    image, _ = source(tmp_path / "in.tif", "ZYX")
    out = tmp_path / "results"

    def fail():
        with image_writer(out / "out.tif", image) as write:
            write(0, (EVERYTHING, EVERYTHING), image.plane(0))
            assert left_in(out), "the file in the making is there"
            raise error

    with pytest.raises(error):
        fail()
    assert left_in(out) == []


def test_while_it_is_written_a_result_is_not_seen_under_its_name(tmp_path):
    image, _ = source(tmp_path / "in.tif")
    with image_writer(tmp_path / "results" / "out.tif", image) as write:
        assert all(name.startswith(".") for name in left_in(tmp_path / "results"))
        write(0, (EVERYTHING, EVERYTHING), image.plane(0))
    assert left_in(tmp_path / "results") == ["out.tif"]


def test_a_failed_rewrite_keeps_the_earlier_result(tmp_path):
    image, _ = source(tmp_path / "in.tif")
    before = copy(image, tmp_path / "out.tif").read_bytes()

    def fail():
        with image_writer(tmp_path / "out.tif", image):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "out.tif").read_bytes() == before


def test_a_full_disk_is_known_before_the_work_begins(tmp_path, monkeypatch):
    image, _ = source(tmp_path / "in.tif", "TZCYX")
    usage = namedtuple("usage", "total used free")(10, 10, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=r"disk of .*results is full.*Make room, or choose a folder on another disk"):
        copy(image, tmp_path / "results" / "out.tif")
    assert left_in(tmp_path / "results") == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space is not reserved on this system")
def test_space_is_reserved_so_that_the_disk_cannot_fill_up_midway(tmp_path, monkeypatch):
    image, _ = source(tmp_path / "in.tif", "TZCYX")
    with image_writer(tmp_path / "out.tif", image, dtype="float64"):
        making = next(tmp_path.glob(".out*"))
        assert making.stat().st_blocks * 512 >= np.prod(image.shape) * 8

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(UserError, match=r"Cannot write .*full\.tif: No space left on device\. Make room"):
        copy(image, tmp_path / "results" / "full.tif")
    assert left_in(tmp_path / "results") == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    image, _ = source(tmp_path / "in.tif")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"Cannot write .*file.*Choose a folder you may write to"):
        copy(image, tmp_path / "file" / "out.tif")


def test_a_folder_one_may_not_write_to_is_named(tmp_path):
    image, _ = source(tmp_path / "in.tif")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(UserError, match=r"Cannot write .*closed.*Choose a folder you may write to"):
        copy(image, closed / "out.tif")


@pytest.mark.parametrize("folder", ["dsb2018/images", "ecoli_fluorescence/images", "yeast3d"])
def test_real_images_survive_a_round_trip(real_images, tmp_path, folder):
    image = open_image(sorted((real_images / folder).glob("*.tif"))[0])
    for dtype in (image.dtype, np.dtype("float32")):
        out = tmp_path / f"{dtype}.tif"
        with image_writer(out, image, dtype) as write:
            for number in range(image.planes):
                write(number, (EVERYTHING, EVERYTHING), image.plane(number))
        assert (open_image(out).axes, open_image(out).dtype) == (image.axes, dtype)
        np.testing.assert_array_equal(tifffile.imread(out), tifffile.imread(image.path))
