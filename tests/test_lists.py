"""Lists of images and masks, one pair a line, wherever a folder is asked for."""

import shutil

import pytest

from n2seg_utils import UserError
from n2seg_utils.cli import main
from n2seg_utils.data.files import list_images
from n2seg_utils.data.images import open_images
from n2seg_utils.data.labels import open_masks


@pytest.fixture
def listed(sample, tmp_path):
    """Images and masks of other names, in folders of other names, and their list; one image has no mask."""
    (tmp_path / "my images").mkdir()
    (tmp_path / "drawn").mkdir()
    lines = []
    for number, file in enumerate(sorted((sample / "images").iterdir())):
        shutil.copyfile(file, tmp_path / "my images" / file.name)
        shutil.copyfile(sample / "masks" / file.name, tmp_path / "drawn" / f"label{number}.tif")
        lines.append(f"my images/{file.name}" + (f" drawn/label{number}.tif" if number != 1 else ""))
    (tmp_path / "train.txt").write_text("\n".join(["", *reversed(lines), ""]))
    return tmp_path / "train.txt"


def test_a_list_pairs_by_line_whatever_the_names(listed):
    files = list_images(listed)
    assert [file.name for file in files] == [f"nuclei_0{n}.tif" for n in (4, 3, 2, 1)]  # in the order of the list
    masks, alone = open_masks(listed, open_images(listed))
    assert [mask and mask.path.name for mask in masks] == ["label3.tif", "label2.tif", None, "label0.tif"]
    assert not alone


def test_the_command_takes_a_list_for_images_and_for_masks(listed, capsys):
    assert main(["check", "--images", str(listed), "--masks", str(listed)]) == 0
    assert "4 images read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("my images/nuclei_01.tif drawn/none.tif\n", r"Line 1 of .*train.txt names .*, but there is no such file"),
        ("my images/nuclei_01.tif\n\nnothing.tif\n", r"Line 3 of .*train.txt names nothing.tif"),
        ("my images/nuclei_01.tif\nmy images/nuclei_01.tif\n", "Lines 1 and 2 of .* both name an image called"),
    ],
)
def test_a_bad_list_gets_one_sentence(listed, text, says):
    listed.write_text(text)
    with pytest.raises(UserError, match=says):
        list_images(listed)


def test_a_list_that_is_no_text_or_names_no_masks_is_refused(listed):
    images = open_images(listed)
    listed.write_text("my images/nuclei_01.tif\n")
    with pytest.raises(UserError, match="names images, but no masks"):
        open_masks(listed, images)
    listed.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="Cannot read the list"):
        list_images(listed)
