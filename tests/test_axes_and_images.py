"""Every common way to save an image is read as what it is, lazily; what cannot be read is named with a remedy."""

import os

import imagecodecs
import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image

from n2seg_utils.data import axes as axis_rules
from n2seg_utils.data.images import Calibration, open_image, open_images
from n2seg_utils.errors import UserError

RNG = np.random.default_rng(0)


def pixels(*shape, dtype="uint16"):
    return RNG.integers(0, 250, shape).astype(dtype)


def tiff(path, values, **options):
    tifffile.imwrite(path, values, **options)
    return path


def all_planes(image):
    """(T, Z, Y, X, C) from single planes."""
    size = image.size
    return np.stack([image.plane(i) for i in range(image.planes)]).reshape(size["T"], size["Z"], *image.plane_shape)


def as_tzyxc(values, axes):
    """The same, made independently of the package."""
    for axis in "TZCYX":
        if axis not in axes:
            values, axes = values[None], axis + axes
    return np.einsum(f"{axes.lower()}->tzyxc", values)


def refused(path, axes="auto"):
    """The message of the refusal, which names the file."""
    with pytest.raises(UserError) as caught:
        open_image(path, axes).plane(0)
    assert path.name in str(caught.value)
    return str(caught.value)


# What dimensions mean


@pytest.mark.parametrize(
    ("stated", "shape", "axes", "guessed"),
    [
        ("YX", (64, 64), "YX", False),
        ("ZYX", (5, 64, 64), "ZYX", False),
        ("TZCYX", (2, 3, 2, 64, 64), "TZCYX", False),
        ("YXS", (64, 64, 3), "YXC", False),
        ("SYX", (3, 64, 64), "CYX", False),
        ("QYX", (5, 64, 64), "TYX", True),
        ("IYX", (5, 64, 64), "TYX", True),
        ("QQYX", (2, 5, 64, 64), "TZYX", True),
        ("QQQYX", (2, 5, 3, 64, 64), "TZCYX", True),
        ("QYXS", (5, 64, 64, 3), "TYXC", True),
        ("QQQ", (64, 64, 3), "YXC", True),
        ("QQQ", (64, 64, 5), "TYX", True),
        ("QYX", (7, 5, 4), "TYX", True),
    ],
)
def test_dimensions_are_believed_when_named_and_guessed_when_not(stated, shape, axes, guessed):
    assert axis_rules.normalise(stated, shape, "a.tif") == (axes, guessed)


@pytest.mark.parametrize(
    ("axes", "shape", "example"),
    [
        ("YX", (5, 64, 64), "TYX"),
        ("TYX", (64, 64), "YX"),
        ("TTYX", (2, 5, 64, 64), "TZYX"),
        ("TXC", (5, 64, 64), "TYX"),
        ("QYX", (5, 64, 64), "TYX"),
        ("", (64, 64), "YX"),
    ],
)
def test_axes_that_do_not_fit_are_answered_with_axes_that_do(axes, shape, example):
    with pytest.raises(UserError, match=f"cells.tif.*use for example {example}$"):
        axis_rules.parse(axes, shape, "cells.tif")
    assert axis_rules.parse(example, shape, "cells.tif") == example


def test_axes_may_be_typed_in_small_letters_and_with_blanks():
    assert axis_rules.parse(" zyx ", (5, 64, 64), "a.tif") == "ZYX"


@pytest.mark.parametrize(
    ("axes", "shape", "words"),
    [
        ("YX", (64, 50), "one image of 64 x 50"),
        ("TYX", (30, 64, 50), "30 time points of 64 x 50"),
        ("ZCYX", (1, 2, 64, 50), "1 plane of 2 channels of 64 x 50"),
        ("YXC", (64, 50, 3), "3 channels of 64 x 50"),
    ],
)
def test_axes_are_told_in_words(axes, shape, words):
    assert axis_rules.describe(axes, shape) == words


def test_the_users_axes_win_over_the_files(tmp_path):
    stack = pixels(5, 40, 50)
    path = tiff(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TYX"})
    image = open_image(path, "zyx")
    assert (image.axes, image.guessed, image.planes) == ("ZYX", False, 5)
    assert open_image(path, "CYX").plane_shape == (40, 50, 5)
    np.testing.assert_array_equal(open_image(path, "CYX").plane(0), stack.transpose(1, 2, 0))


# Formats


@pytest.mark.parametrize(
    "axes", ["YX", "TYX", "ZYX", "CYX", "TZYX", "TCYX", "ZCYX", "TZCYX"]
)  # every hyperstack that ImageJ knows
@pytest.mark.parametrize(
    "kind", ["imagej", "ome", "ome-zlib", "plain", "plain-lzw", "plain-big-endian", "plain-bigtiff"]
)
def test_every_stack_is_read_plane_by_plane_as_it_was_written(tmp_path, axes, kind):
    values = pixels(*({"T": 2, "Z": 3, "C": 4, "Y": 24, "X": 30}[a] for a in axes))
    options = {
        "imagej": {"imagej": True},
        "ome": {"ome": True},
        "ome-zlib": {"ome": True, "compression": "zlib"},
        "plain": {},
        "plain-lzw": {"compression": "lzw", "predictor": True},
        "plain-big-endian": {"byteorder": ">"},
        "plain-bigtiff": {"bigtiff": True, "byteorder": ">", "compression": "zlib"},
    }[kind]
    image = open_image(tiff(tmp_path / "a.tif", values, metadata={"axes": axes}, photometric="minisblack", **options))
    assert (image.axes, image.shape, image.dtype, image.guessed) == (axes, values.shape, values.dtype, False)
    assert image.nbytes == values.nbytes
    np.testing.assert_array_equal(all_planes(image), as_tzyxc(values, axes))


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("order", "<>")
def test_every_type_of_number_is_read_from_either_byte_order(tmp_path, dtype, order):
    values = pixels(24, 30).astype(dtype)
    values.flat[:2] = np.finfo(dtype).max if values.dtype.kind == "f" else np.iinfo(dtype).max
    for name, options in (("plain", {}), ("packed", {"compression": "zlib"})):
        image = open_image(tiff(tmp_path / f"{name}.tif", values, byteorder=order, **options))
        assert image.dtype == dtype
        np.testing.assert_array_equal(image.plane(0)[..., 0], values)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colour_tiffs_become_channels_however_they_are_laid_out(tmp_path, compression, planar, dtype):
    colour = pixels(24, 30, 3, dtype=dtype)
    stored = colour if planar == "contig" else np.ascontiguousarray(colour.transpose(2, 0, 1))
    path = tiff(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression=compression)
    image = open_image(path)
    assert image.plane_shape == (24, 30, 3)
    np.testing.assert_array_equal(image.plane(0), colour)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_colour_movie_keeps_its_frames_and_its_colours(tmp_path, compression):
    movie = pixels(5, 24, 30, 3, dtype="uint8")
    image = open_image(tiff(tmp_path / "a.tif", movie, photometric="rgb", compression=compression))
    assert (image.axes, image.planes, image.plane_shape) == ("TYXC", 5, (24, 30, 3))
    np.testing.assert_array_equal(all_planes(image)[:, 0], movie)


def test_tiled_tiffs_are_read(tmp_path):
    values = pixels(5, 100, 90)
    image = open_image(tiff(tmp_path / "a.tif", values, tile=(32, 32), metadata={"axes": "TYX"}))
    np.testing.assert_array_equal(all_planes(image)[:, 0, ..., 0], values)


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3), (24, 30, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_keeps_all_its_bits_also_in_colour(tmp_path, shape, dtype):
    values = RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(values))
    image = open_image(path)
    assert (image.dtype, image.shape, image.guessed) == (dtype, shape, False)
    np.testing.assert_array_equal(image.plane(0), values.reshape(24, 30, -1))


def test_jpeg_is_read_as_the_usual_decoder_reads_it(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype("uint8")
    for name, values in (("grey.jpg", smooth), ("colour.JPEG", np.stack([smooth, smooth // 2, 255 - smooth], -1))):
        Image.fromarray(values).save(tmp_path / name, quality=95)
        plane = open_image(tmp_path / name).plane(0)
        assert plane.shape == (64, 80, values.size // smooth.size)
        with Image.open(tmp_path / name) as usual:
            difference = plane.squeeze().astype(int) - np.asarray(usual).astype(int)
        assert abs(difference).max() <= 4  # decoders round differently


def test_upper_case_endings_and_names_in_any_script_are_read(tmp_path):
    for name in ("ZELLE.TIF", "zellkörper µm².tiff", "細胞 1.tif", "клетка.ome.tif"):
        values = pixels(24, 30)
        np.testing.assert_array_equal(open_image(tiff(tmp_path / name, values)).plane(0)[..., 0], values)


# What a file says about its pixels


def test_an_imagej_stack_tells_its_scale(tmp_path):
    about = {"axes": "TZCYX", "unit": "um", "spacing": 0.6, "finterval": 2.5, "Labels": ["DAPI", "GFP"]}
    values = pixels(2, 3, 2, 24, 30)
    path = tiff(tmp_path / "a.tif", values, imagej=True, resolution=(1 / 0.1, 1 / 0.2), metadata=about)
    found = open_image(path).calibration
    assert found.size == pytest.approx({"X": 0.1, "Y": 0.2, "Z": 0.6, "T": 2.5}, rel=1e-5)
    assert (found.unit, found.channels) == ("µm", ("DAPI", "GFP"))


@pytest.mark.parametrize("unit", [b"micron", b"um", b"\\u00B5m", "µm".encode(), "µm".encode("latin1")])
def test_all_spellings_of_the_micrometre_mean_it(tmp_path, unit):
    description = b"ImageJ=1.54f\nunit=" + unit + b"\n"
    path = tiff(tmp_path / "a.tif", pixels(24, 30), description=description, resolution=(4, 4), metadata=None)
    assert open_image(path).calibration == Calibration({"X": 0.25, "Y": 0.25}, "µm")


def test_a_single_label_is_a_name_and_not_its_letters(tmp_path):
    values = pixels(3, 24, 30)
    path = tiff(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "CYX", "Labels": ["DAPI"]})
    assert open_image(path).calibration.channels == ("DAPI",)


def test_an_ome_tiff_tells_its_scale_and_time_in_seconds(tmp_path):
    about = {
        "axes": "TCYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2, "PhysicalSizeXUnit": "nm",
        "PhysicalSizeYUnit": "nm", "TimeIncrement": 250, "TimeIncrementUnit": "ms",
        "Channel": {"Name": ["Zellen", "b"]},
    }  # fmt: skip
    found = open_image(tiff(tmp_path / "a.ome.tif", pixels(4, 2, 24, 30), ome=True, metadata=about)).calibration
    assert found == Calibration({"X": 0.1, "Y": 0.2, "T": 0.25}, "nm", ("Zellen", "b"))


def test_a_plain_tiff_tells_its_scale_if_it_has_a_unit(tmp_path):
    values = pixels(24, 30)
    with_unit = tiff(tmp_path / "a.tif", values, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    assert open_image(with_unit).calibration == Calibration({"X": 0.5, "Y": 0.5}, "µm")
    assert open_image(tiff(tmp_path / "b.tif", values)).calibration == Calibration()


def test_odd_metadata_keeps_nobody_from_the_pixels(tmp_path):
    values = pixels(24, 30)
    path = tiff(tmp_path / "a.tif", values, description="ImageJ=1.54f\nunit=\\u\nspacing=wide\n", metadata=None)
    np.testing.assert_array_equal(open_image(path).plane(0)[..., 0], values)


# Laziness


def test_a_crop_of_two_gigabytes_needs_little_memory(tmp_path):
    path = tmp_path / "big.tif"
    stack = tifffile.memmap(path, shape=(1000, 1024, 1024), dtype="uint16", metadata={"axes": "TYX"})
    stack[700, 500:510, 600:610] = 7  # all else is a hole in the file
    del stack
    before = psutil.Process().memory_info().rss
    image = open_image(path)
    crop = np.asarray(image.plane(700)[495:515, 595:615, 0])
    grown = psutil.Process().memory_info().rss - before
    assert image.nbytes > 2e9
    assert crop.sum() == 7 * 100
    assert grown < 60e6


def test_opening_looks_at_no_pixels_and_a_plane_only_at_its_own(tmp_path):
    values = pixels(5, 64, 64)
    path = tiff(tmp_path / "a.tif", values, compression="zlib", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        start, size = file.pages[3].dataoffsets[0], file.pages[3].databytecounts[0]
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * size)
    image = open_image(path)
    for i in (0, 1, 2, 4):
        np.testing.assert_array_equal(image.plane(i)[..., 0], values[i])
    with pytest.raises(UserError, match=r"a\.tif .*damaged"):
        image.plane(3)


def test_a_plain_tiff_is_mapped_and_cannot_be_changed_by_accident(tmp_path):
    image = open_image(tiff(tmp_path / "a.tif", pixels(24, 30)))
    plane = image.plane(0)
    assert isinstance(plane, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        plane[0, 0] = 1


# What cannot be read


WAYS = {
    "plain": {},
    "plain, no metadata": {"metadata": None},
    "imagej": {"imagej": True},
    "zlib": {"compression": "zlib"},
    "zlib with axes": {"compression": "zlib", "metadata": {"axes": "ZYX"}},
    "lzw": {"compression": "lzw"},
    "bigtiff": {"bigtiff": True, "compression": "zlib"},
    "strips": {"rowsperstrip": 8},
    "ome": {"ome": True},
}


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.2, 0.05, 0.003])
@pytest.mark.parametrize("way", WAYS)
def test_a_truncated_tiff_is_named_with_a_remedy_and_never_taken_for_a_shorter_stack(tmp_path, way, kept):
    path = tiff(tmp_path / "cut.tif", pixels(6, 64, 80), **WAYS[way])
    assert open_image(path).shape == (6, 64, 80)
    os.truncate(path, int(kept * path.stat().st_size))
    said = refused(path)
    assert "damaged" in said
    assert said.endswith("or remove it")


def test_a_stack_is_refused_wherever_it_was_cut(tmp_path):
    path = tiff(tmp_path / "cut.tif", pixels(7, 16, 16), compression="zlib", metadata={"axes": "ZYX"})
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        last = file.pages[-1]
        needed = max(last.offset, last.dataoffsets[-1] + last.databytecounts[-1])
    for size in range(0, needed, 7):
        path.write_bytes(whole[:size])
        assert "is damaged" in refused(path)


@pytest.mark.parametrize("channels", [2, 4])
def test_the_opacity_of_drawing_programs_is_no_channel_unless_it_says_something(tmp_path, channels):
    values = np.random.default_rng(1).integers(0, 250, (20, 30, channels), dtype="uint8")
    (tmp_path / "see_through.png").write_bytes(imagecodecs.png_encode(values))
    assert open_image(tmp_path / "see_through.png").size["C"] == channels
    values[..., -1] = 255
    (tmp_path / "opaque.png").write_bytes(imagecodecs.png_encode(values))
    image = open_image(tmp_path / "opaque.png")
    assert image.size["C"] == channels - 1
    np.testing.assert_array_equal(image.plane(0), values[..., :-1])


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
@pytest.mark.parametrize(
    "content",
    [b"", b"II*\0", b"not an image at all" * 9, b"II*\0\x08\0\0\0" + b"\0" * 8, b"\x89PNG\r\n\x1a\n", b"\xff\xd8"],
)
def test_what_only_has_the_name_of_an_image_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "remove it" in refused(tmp_path / name).lower()


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_truncated_pictures_are_refused_and_not_filled_with_grey(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels(64, 64, dtype="uint8")).save(path)
    assert open_image(path).shape == (64, 64)
    os.truncate(path, path.stat().st_size // 2)
    refused(path)


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_values_that_are_no_brightness_are_refused(tmp_path, dtype):
    assert dtype in refused(tiff(tmp_path / "a.tif", pixels(24, 30).astype(dtype)))


@pytest.mark.parametrize("length", [100, 3])
@pytest.mark.parametrize("axes", ["auto", "YX"])
def test_a_row_of_numbers_is_no_image(tmp_path, length, axes):
    path = tiff(tmp_path / "a.tif", np.arange(length, dtype="uint16"))
    assert f"({length},), which is not an image" in refused(path, axes)


@pytest.mark.parametrize("axes", ["auto", "TZCYX"])
def test_six_dimensions_are_too_many(tmp_path, axes):
    path = tiff(tmp_path / "a.tif", pixels(2, 2, 2, 2, 16, 16), photometric="minisblack")
    assert "6 dimensions" in refused(path, axes)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_an_acquisition_that_lacks_planes_is_refused_when_they_are_asked_for(tmp_path, compression):
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="24" SizeC="1" SizeZ="1" '
        'SizeT="3">'
        '<Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData IFD="0" FirstT="0" PlaneCount="1"/>'
        '<TiffData IFD="1" FirstT="2" PlaneCount="1"/></Pixels></Image></OME>'
    )
    values = pixels(2, 24, 30)
    path = tiff(tmp_path / "a.ome.tif", values, description=xml, metadata=None, compression=compression)
    image = open_image(path)
    assert (image.axes, image.planes) == ("TYX", 3)
    np.testing.assert_array_equal(image.plane(2)[..., 0], values[1])
    with pytest.raises(UserError, match=r"a\.ome\.tif"):
        image.plane(1)


def test_a_file_that_vanished_is_named(tmp_path):
    image = open_image(tiff(tmp_path / "a.tif", pixels(24, 30)))
    (tmp_path / "a.tif").unlink()
    with pytest.raises(UserError, match=r"Cannot read .*a\.tif: No such file"):
        image.plane(0)


def test_a_file_one_may_not_read_is_named(tmp_path):
    path = tiff(tmp_path / "a.tif", pixels(24, 30))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied. Check that it is there and that you may read it" in refused(path)


# Folders


def test_images_of_one_folder_may_differ_in_size(tmp_path):
    tiff(tmp_path / "2.tif", pixels(24, 30))
    tiff(tmp_path / "10.tif", pixels(40, 50))
    assert [i.shape for i in open_images(tmp_path)] == [(24, 30), (40, 50)]


def test_mixed_axes_are_refused_with_both_files_named(tmp_path):
    tiff(tmp_path / "flat.tif", pixels(24, 30))
    tiff(tmp_path / "stack.tif", pixels(5, 24, 30), metadata={"axes": "ZYX"})
    with pytest.raises(UserError, match=r"stack\.tif is 5 planes.*flat\.tif is one image.*another folder"):
        open_images(tmp_path)


def test_mixed_channels_are_refused_with_both_files_named(tmp_path):
    for name, count in (("a.tif", 2), ("b.tif", 3)):
        tiff(tmp_path / name, pixels(count, 24, 30), metadata={"axes": "CYX"}, photometric="minisblack")
    with pytest.raises(UserError, match=r"b\.tif has 3 channels but a\.tif has 2"):
        open_images(tmp_path)


# Real images


@pytest.mark.parametrize(
    ("folder", "dtype", "axes"),
    [
        ("dsb2018/images", "uint8", "YX"),
        ("fmd/noisy", "uint8", "YX"),
        ("fmd/clean", "uint8", "YX"),
        ("ecoli_fluorescence/images", "uint16", "YX"),
        ("yeast3d", "uint16", "ZYX"),
    ],
)
def test_real_images_are_read_as_tifffile_reads_them(real_images, folder, dtype, axes):
    images = open_images(real_images / folder)
    assert {(str(i.dtype), i.axes) for i in images} == {(dtype, axes)}
    for image in images[:3]:
        np.testing.assert_array_equal(all_planes(image), as_tzyxc(tifffile.imread(image.path), axes))


def test_a_real_image_that_was_cut_is_refused(real_images, tmp_path):
    for original in (next(real_images.glob("dsb2018/images/*.tif")), next(real_images.glob("yeast3d/*.tif"))):
        copy = tmp_path / original.name
        copy.write_bytes(original.read_bytes()[: original.stat().st_size // 2])
        refused(copy)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_that_a_script_wrote_one_by_one_are_one_stack(tmp_path, compression):
    frames = pixels(5, 40, 50)
    with tifffile.TiffWriter(tmp_path / "loop.tif") as file:
        for frame in frames:
            file.write(frame, compression=compression)
    found = open_image(tmp_path / "loop.tif")
    assert (found.shape, found.axes, found.guessed) == ((5, 40, 50), "TYX", True)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(found.plane(number)[..., 0], frame)


def test_a_file_of_a_set_of_ome_files_is_read_for_itself(tmp_path):
    frames = pixels(2, 40, 50)
    names = ["p0.ome.tif", "p1.ome.tif"]
    blocks = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(names)
    )
    about = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        'SizeX="50" SizeY="40" SizeC="1" SizeZ="1" SizeT="2">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
    )
    for t, name in enumerate(names):
        described = about.replace("<OME ", f'<OME UUID="urn:uuid:{t}" ', 1)
        tifffile.imwrite(tmp_path / name, frames[t], description=described, metadata=None)
    assert tifffile.imread(tmp_path / names[0]).shape == (2, 40, 50), "tifffile shows each of them as the whole set"
    for t, name in enumerate(names):
        found = open_image(tmp_path / name)
        assert found.shape == (40, 50)
        np.testing.assert_array_equal(found.plane(0)[..., 0], frames[t])


def test_axes_that_cut_pages_across_are_read_all_the_same(tmp_path):
    stack = pixels(12, 20, 5)
    tifffile.imwrite(tmp_path / "odd.tif", stack, compression="zlib")
    found = open_image(tmp_path / "odd.tif", "YXT")
    np.testing.assert_array_equal(found.plane(3)[..., 0], stack[:, :, 3])
