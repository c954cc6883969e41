"""Whatever is wrong with a folder of images is said before anything is trained, in words, and never as a crash."""

import json
import os

import numpy as np
import pytest
import tifffile

from n2seg_utils.data.check import check_images
from n2seg_utils.data.findings import ERROR, NOTE, WARNING
from n2seg_utils.data.images import open_images
from n2seg_utils.errors import UserError

RNG = np.random.default_rng(0)


def noise(*shape, dtype="uint16"):
    return RNG.integers(10, 200, shape).astype(dtype)


def save(folder, name, values=None, **options):
    folder.mkdir(exist_ok=True, parents=True)
    tifffile.imwrite(folder / name, noise(512, 512) if values is None else values, **options)
    return folder / name


@pytest.fixture
def folder(tmp_path):
    """Two images with nothing wrong about them."""
    save(tmp_path / "images", "good1.tif")
    save(tmp_path / "images", "good2.tif")
    return tmp_path / "images"


def only(check, severity):
    """The one finding, which is of this severity."""
    assert len(check.findings) == 1, check.findings
    assert check.findings[0].severity == severity
    assert check.ok == (severity != ERROR)
    return check.findings[0]


def test_good_images_need_no_word(folder):
    check = check_images(folder)
    assert check.ok
    assert check.findings == []
    assert [i.path.name for i in check.images] == ["good1.tif", "good2.tif"]


@pytest.mark.parametrize(
    "folder_name", ["dsb2018/images", "fmd/noisy", "fmd/clean", "ecoli_fluorescence/images", "yeast3d"]
)
def test_real_images_have_no_errors(real_images, folder_name):
    check = check_images(real_images / folder_name)
    assert check.ok, [str(f) for f in check.findings]
    assert len(check.images) >= 2


def test_real_pairs_have_no_errors(real_images):
    alone = check_images(real_images / "fmd/noisy")
    paired = check_images(real_images / "fmd/noisy", real_images / "fmd/clean")
    assert len(paired.images) > 10
    assert paired.findings == alone.findings, "the truth adds no complaint"


# Folders


def test_a_missing_an_empty_and_a_wrong_folder_are_errors(tmp_path):
    (tmp_path / "empty").mkdir()
    save(tmp_path / "above" / "inside", "a.tif")
    for name, words in (("missing", "There is no folder"), ("empty", "is empty"), ("above", "subfolders do: inside")):
        check = check_images(tmp_path / name)
        assert words in only(check, ERROR).message
        assert check.images == []


def test_files_of_the_operating_system_are_no_finding(folder):
    for name in (".DS_Store", "Thumbs.db", "._good1.tif"):
        (folder / name).write_bytes(b"junk")
    assert check_images(folder).findings == []


# Single files


def damaged(folder):
    """Every kind of broken file, by name."""
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.tif").write_text("not an image")
    (folder / "text.png").write_text("not an image")
    for name, options in (("plain_cut.tif", {}), ("packed_cut.tif", {"compression": "zlib"})):
        path = save(folder, name, **options)
        os.truncate(path, path.stat().st_size // 2)
    save(folder, "row.tif", np.arange(50))
    save(folder, "bool.tif", noise(64, 64) > 50)
    save(folder, "complex.tif", noise(64, 64).astype("complex64"))
    return {
        "empty.tif",
        "text.tif",
        "text.png",
        "plain_cut.tif",
        "packed_cut.tif",
        "row.tif",
        "bool.tif",
        "complex.tif",
    }


def test_every_broken_file_is_named_and_the_others_are_read_all_the_same(folder):
    bad = damaged(folder)
    check = check_images(folder)
    assert not check.ok
    assert {f.file for f in check.findings} == bad
    assert all(f.severity == ERROR for f in check.findings)
    assert [i.path.name for i in check.images] == ["good1.tif", "good2.tif"]


@pytest.mark.parametrize("value", [0, 77])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_constant_image_is_an_error(folder, value, dtype):
    save(folder, "flat.tif", np.full((64, 64), value, dtype))
    found = [f for f in check_images(folder).findings if f.severity == ERROR]
    assert [(f.file, f.message) for f in found] == [("flat.tif", f"has the same value ({value}) everywhere.")]


def test_a_stack_is_constant_only_if_all_its_planes_are(tmp_path):
    stack = noise(9, 256, 256)
    stack[4] = 100  # the shutter was closed for a moment, in the middle
    save(tmp_path / "blink", "a.tif", stack, metadata={"axes": "TYX"})
    assert check_images(tmp_path / "blink").ok
    save(tmp_path / "dark", "a.tif", np.full((9, 256, 256), 100, "uint16"), metadata={"axes": "TYX"})
    assert "same value" in only(check_images(tmp_path / "dark"), ERROR).message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_numbers_are_an_error(folder, value):
    values = noise(64, 64, dtype="float32")
    values[3, 4] = value
    save(folder, "holes.tif", values)
    errors = [f for f in check_images(folder).findings if f.severity == ERROR]
    assert [f.file for f in errors] == ["holes.tif"]
    assert "not numbers" in errors[0].message
    assert errors[0].remedy


@pytest.mark.parametrize("shape", [(15, 200), (200, 15), (1, 1)])
def test_an_image_smaller_than_any_patch_is_an_error(folder, shape):
    save(folder, "tiny.tif", noise(*shape))
    found = only(check_images(folder), ERROR)
    assert (found.file, found.message) == ("tiny.tif", f"is only {shape[1]} x {shape[0]} pixels.")


def test_overexposure_is_a_warning_from_one_pixel_in_a_thousand_on(folder):
    values = noise(100, 1000)
    values.flat[:100] = 65535
    save(folder, "bright.tif", values)
    assert check_images(folder).findings == []
    values.flat[:150] = 65535
    save(folder, "bright.tif", values)
    found = only(check_images(folder), WARNING)
    assert (found.file, found.message) == ("bright.tif", "is overexposed: 0.1 % of its pixels have the largest value.")


# All files together


def test_mixed_axes_are_an_error(folder):
    save(folder, "stack.tif", noise(5, 64, 64), metadata={"axes": "ZYX"})
    found = only(check_images(folder), ERROR)
    assert found.file == "stack.tif"
    assert "5 planes of 64 x 64, uint16, but good1.tif is one image of 512 x 512" in found.message


def test_mixed_channels_are_an_error(tmp_path):
    for name, channels in (("a.tif", 2), ("b.tif", 3)):
        save(tmp_path / "i", name, noise(channels, 400, 400), metadata={"axes": "CYX"}, photometric="minisblack")
    assert only(check_images(tmp_path / "i"), ERROR).file == "b.tif"


def test_mixed_types_are_a_warning_but_mixed_byte_orders_are_not(folder):
    save(folder, "big.tif", byteorder=">")
    assert check_images(folder).findings == []
    save(folder, "eight.tif", noise(64, 64, dtype="uint8"))
    assert "(uint16, uint8)" in only(check_images(folder), WARNING).message


def test_few_pixels_are_a_warning(tmp_path):
    for name in ("a.tif", "b.tif"):
        save(tmp_path / "i", name, noise(100, 100))
    assert "only 20,000 pixels" in only(check_images(tmp_path / "i"), WARNING).message


def test_one_image_is_a_note_and_a_movie_is_none(tmp_path):
    save(tmp_path / "one", "a.tif")
    assert "a strip of it will be kept out of training" in only(check_images(tmp_path / "one"), NOTE).message
    save(tmp_path / "movie", "a.tif", noise(5, 256, 256), metadata={"axes": "TYX"})
    assert check_images(tmp_path / "movie").findings == []


def test_guessed_axes_are_a_note_and_given_ones_are_none(tmp_path):
    save(tmp_path / "i", "a.tif", noise(9, 256, 256))
    found = only(check_images(tmp_path / "i"), NOTE)
    assert "9 time points of 256 x 256" in found.message
    assert "(now TYX)" in found.remedy
    check = check_images(tmp_path / "i", axes="ZYX")
    assert (check.findings, check.images[0].axes) == ([], "ZYX")


def test_axes_that_fit_no_file_are_an_error_with_a_remedy(folder):
    check = check_images(folder, axes="TZYX")
    assert len(check.findings) == 2
    assert not check.ok
    assert all("use for example YX" in f.message for f in check.findings)


# Truth


def test_truth_of_the_same_names_needs_no_word(folder, tmp_path):
    for name in ("good1.tif", "good2.ome.tif"):
        save(tmp_path / "clean", name)
    assert check_images(folder, tmp_path / "clean").findings == []


def test_truth_for_some_is_a_warning_and_for_none_an_error(folder, tmp_path):
    save(tmp_path / "clean", "good1.tif")
    assert (
        "1 image without a clean partner: good2.tif" in only(check_images(folder, tmp_path / "clean"), WARNING).message
    )
    save(tmp_path / "other", "unrelated.tif")
    assert "No clean image has the name" in only(check_images(folder, tmp_path / "other"), ERROR).message
    assert "There is no folder" in only(check_images(folder, tmp_path / "missing"), ERROR).message


def test_two_clean_images_of_one_name_are_an_error(folder, tmp_path):
    for name in ("good1.tif", "good1.tiff", "good2.tif"):
        save(tmp_path / "clean", name)
    assert "both called 'good1'" in only(check_images(folder, tmp_path / "clean"), ERROR).message


# Form


def test_a_check_can_be_stored(folder):
    damaged(folder)
    check = check_images(folder)
    stored = json.loads(json.dumps(check.to_dict()))
    assert stored["ok"] is False
    assert len(stored["findings"]) == 8
    assert stored["images"][0] == {"name": "good1.tif", "axes": "YX", "shape": [512, 512], "dtype": "uint16"}


def test_every_finding_is_a_sentence_that_names_its_file(folder):
    for name in damaged(folder):
        texts = [str(f) for f in check_images(folder).findings if f.file == name]
        assert len(texts) == 1
        assert name in texts[0]
        assert texts[0].endswith(".")


def test_what_the_check_calls_an_error_in_one_file_keeps_the_folder_from_being_opened(folder):
    for name in damaged(folder):
        one = folder.parent / f"only_{name}"
        one.mkdir()
        (folder / name).rename(one / name)
        assert not check_images(one).ok
        with pytest.raises(UserError):
            open_images(one)
    assert len(open_images(folder)) == 2
