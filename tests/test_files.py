"""Folders are listed as people count, nothing is overwritten, and every refusal says what to do."""

import errno
import os
import re
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from n2seg_utils.data.files import (
    list_images,
    make_folder,
    natural_order,
    pair_by_name,
    require_absent,
    require_space,
    stem,
    whole_file,
    write_text,
)
from n2seg_utils.errors import UserError


@pytest.fixture
def place(tmp_path):
    """An empty folder."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def names(paths):
    return [p.name for p in paths]


# Listing


def test_images_come_in_the_order_in_which_people_count(place):
    touch(place, "t10.tif", "t2.tif", "t1.tif", "T3.TIF", "a9b10.png", "a9b2.jpg", "a.jpeg", "b.tiff")
    expected = ["a9b2.jpg", "a9b10.png", "a.jpeg", "b.tiff", "t1.tif", "t2.tif", "T3.TIF", "t10.tif"]
    assert names(list_images(place)) == expected


def test_the_order_does_not_hang_on_the_file_system():
    twins = [Path(name) for name in ("a1.tif", "A1.tif", "a01.tif", "a001.tif", "A01.tif")]
    backwards = twins[::-1]
    assert sorted(twins, key=natural_order) == sorted(backwards, key=natural_order)


def test_names_in_any_script_are_listed(place):
    wild = ["zellkörper 1²3.tif", "細胞 10.tif", "細胞 9.tif", "клетка.png", "😀.tif", "a b'c\"d.tif", "٣.tif"]
    touch(place, *wild)
    found = names(list_images(place))
    assert sorted(found) == sorted(wild)
    assert found.index("細胞 9.tif") < found.index("細胞 10.tif")


def test_what_is_no_image_is_passed_over(place):
    touch(place, "a.tif", ".DS_Store", "Thumbs.db", "._a.tif", ".hidden.tif", "notes.txt", "a.tif.bak", "sub/b.tif")
    (place / "folder.tif").mkdir()
    assert names(list_images(place)) == ["a.tif"]


def test_one_file_is_a_list_of_one(place):
    file = touch(place, "a.tif") / "a.tif"
    assert list_images(str(file)) == [file]


def test_the_home_folder_can_be_abbreviated(monkeypatch, place):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(place))
    touch(place, "cells/a.tif")
    assert names(list_images("~/cells")) == ["a.tif"]


def test_links_are_followed_and_loops_of_links_survived(place):
    elsewhere = touch(place / "elsewhere", "real.tif")
    folder = place / "folder"
    folder.mkdir()
    (folder / "linked.tif").symlink_to(elsewhere / "real.tif")
    (folder / "broken.tif").symlink_to(elsewhere / "gone.tif")
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    (folder / "again").symlink_to(folder)
    assert names(list_images(folder)) == ["linked.tif"]
    with pytest.raises(UserError, match=r"Cannot open .*loop\.tif"):
        list_images(folder / "loop.tif")


def refusal(path):
    with pytest.raises(UserError) as caught:
        list_images(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_an_empty_folder_is_called_empty(place):
    assert "is empty. Put your images" in refusal(place)
    touch(place, ".DS_Store", "._a.tif")
    assert "is empty. Put your images" in refusal(place)


def test_a_folder_of_other_things_is_told_with_examples(place):
    touch(place, "Thumbs.db", "cells.czi")
    message = refusal(place)
    assert "only cells.czi, Thumbs.db" in message
    assert "Save your images as TIFF there" in message


def test_a_folder_of_folders_of_images_names_them(place):
    touch(place, "day 2/a.tif", "day 10/a.tif", "notes/a.txt", ".git/a.tif")
    message = refusal(place)
    assert "its subfolders do: day 2, day 10. Give one of them" in message


def test_images_further_down_are_found_too(place):
    touch(place, "2024/day 1/a.tif", "2024/notes.txt", "2025/x/y/z/a.tif")
    message = refusal(place)
    assert f"its subfolders do: {Path('2024') / 'day 1'}. Give one of them" in message, "the nearest ones"


def test_folders_without_any_image_are_not_called_empty(place):
    (place / "day 1" / "cells").mkdir(parents=True)
    message = refusal(place)
    assert "and its subfolders hold no images" in message
    assert "empty" not in message


def test_other_things_are_told_with_what_opens_them(place):
    touch(place, "cells.czi")
    assert "Fiji opens what most microscopes write" in refusal(place)


@pytest.mark.parametrize(
    ("typed", "words"),
    {
        "a path of Windows": ("C:\\Users\\me\\cells", "a path of a Windows computer"),
        "backslashes": ("\\data\\cells", "a path of a Windows computer"),
        "a web address": ("https://drive.google.com/drive/folders/1", "an address on the web"),
        "a path of Colab": ("/content/drive/MyDrive/cells", "a path of Colab, and this is another computer"),
    }.values(),
)
@pytest.mark.skipif(os.name == "nt" or Path("/content").is_dir(), reason="there these may be paths")
def test_paths_of_other_computers_are_told_to_be_such(typed, words):
    with pytest.raises(UserError, match=words):
        list_images(typed)


def test_a_path_that_is_not_whole_is_told_with_where_it_was_looked_for(place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(UserError, match=re.escape(f"no folder or file qqqqqqqq in {Path.cwd()}. Check the path")):
        list_images("qqqqqqqq")


def test_a_mistyped_folder_is_answered_with_a_similar_one(place):
    (place / "images").mkdir()
    assert f"did you mean {place / 'images'}?" in refusal(place / "imagse")
    assert "Check the path" in refusal(place / "qqqqqqqq")
    assert "Check the path" in refusal(place / "qqq" / "qqq")


def test_a_path_through_a_file_and_an_endless_one_are_refused(place):
    touch(place, "a.tif")
    assert "Not a directory" in refusal(place / "a.tif" / "b")
    assert "too long" in refusal(place / ("x" * 300))


def test_a_folder_one_may_not_open_is_named(place):
    closed = touch(place / "closed", "a.tif")
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("this user may read everything")
        assert "Permission denied. Check that you may read it" in refusal(closed)
    finally:
        closed.chmod(0o700)


# Pairing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cell.tif", "cell"),
        ("cell.ome.tif", "cell"),
        ("cell.OME.TIFF", "cell"),
        ("cell.1.5um.png", "cell.1.5um"),
        ("cell.tif.jpg", "cell.tif"),
        ("cell.txt", "cell.txt"),
    ],
)
def test_the_stem_is_the_name_without_the_image_ending(name, expected):
    assert stem(Path("folder.tif") / name) == expected


def test_pairs_have_one_name_whatever_the_ending(place):
    noisy = [Path("n/a.tif"), Path("n/b.png"), Path("n/c.tif")]
    clean = [Path("c/b.ome.tif"), Path("c/a.tif"), Path("c/d.tif")]
    pairs, alone = pair_by_name(noisy, clean)
    assert pairs == [(Path("n/a.tif"), Path("c/a.tif")), (Path("n/b.png"), Path("c/b.ome.tif"))]
    assert alone == [Path("n/c.tif")]


def test_two_possible_partners_are_refused_instead_of_one_picked():
    with pytest.raises(UserError, match=r"a\.png and a\.tif are both called 'a'\. Remove or rename one"):
        pair_by_name([Path("n/a.tif")], [Path("c/a.png"), Path("c/a.tif")])


# Writing


def test_nothing_that_exists_is_overwritten(place):
    touch(place, "b", "c")
    with pytest.raises(UserError, match=r"/b exists already \(and 1 more\) and is not overwritten"):
        require_absent([place / "a", place / "b", place / "c"])
    require_absent([place / "a"])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_file_is_whole_or_absent(place, error):
    def fail():
        with whole_file(place / "deep" / "a.txt") as temporary:
            temporary.write_text("half")
            assert temporary.parent == place / "deep"
            raise error

    with pytest.raises(error):
        fail()
    assert list((place / "deep").iterdir()) == []
    write_text(place / "deep" / "a.txt", "größer")
    assert (place / "deep" / "a.txt").read_text(encoding="utf-8") == "größer"
    assert names((place / "deep").iterdir()) == ["a.txt"]


def test_a_failed_write_keeps_what_was_there(place):
    write_text(place / "a.txt", "old")

    def fail():
        with whole_file(place / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"Cannot write .*a\.txt: No space left on device\. Make room"):
        fail()
    assert (place / "a.txt").read_text() == "old"
    assert names(place.iterdir()) == ["a.txt"]


def test_long_names_can_be_written(place):
    for name in ("x" * 250 + ".txt", "細" * 80 + ".txt"):
        write_text(place / name, "there")
        assert (place / name).read_text() == "there"


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(place):
    touch(place, "file")
    (place / "folder").mkdir()
    for call in (
        lambda: make_folder(place / "file"),
        lambda: make_folder(place / "file" / "below"),
        lambda: write_text(place / "file" / "a.txt", ""),
        lambda: write_text(place / "folder", ""),
    ):
        with pytest.raises(UserError, match=r"Cannot write .*\. Choose a folder you may write to$"):
            call()
    assert sorted(names(place.iterdir())) == ["file", "folder"]


def test_a_disk_without_room_is_told_with_numbers(place, monkeypatch):
    require_space(place, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: namedtuple("usage", "free")(5_000_000))
    require_space(place, 5_000_000)
    with pytest.raises(UserError, match=r"20 MB are needed, 5 MB are free\. Make room"):
        require_space(place, 20_000_000)


def test_the_folder_of_an_unknown_user_is_refused():
    with pytest.raises(UserError, match=r"~nobody-here/images begins with the name of a user who is not known here"):
        list_images("~nobody-here/images")


def test_space_that_cannot_be_measured_stops_nobody(place):
    require_space(place / "not there", 1e30)
