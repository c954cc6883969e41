"""A folder on Google Drive is copied once, mirrored faithfully, and an interrupted copy goes on where it stopped."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile

from n2seg_utils.data import drive
from n2seg_utils.data.images import open_images
from n2seg_utils.errors import UserError


@pytest.fixture
def mount(tmp_path, monkeypatch):
    """A folder that stands for Google Drive, with three images in MyDrive/cells."""
    monkeypatch.setattr(drive, "MOUNT", tmp_path / "drive")
    monkeypatch.setattr(drive, "HOME", tmp_path / "drive" / "MyDrive")
    cells = drive.HOME / "cells"
    cells.mkdir(parents=True)
    for number in (1, 2, 10):
        tifffile.imwrite(cells / f"zelle {number}.tif", np.full((20, 20), number, "uint8"))
    (cells / "notes.txt").write_text("not an image")
    return cells


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def copied(monkeypatch):
    """The names of all files that are copied, in order."""
    names, real = [], shutil.copy2

    def copy2(source, target):
        names.append(source.name)
        return real(source, target)

    monkeypatch.setattr(shutil, "copy2", copy2)
    return names


def values(folder):
    return [int(i.plane(0)[0, 0, 0]) for i in open_images(folder)]


def test_a_path_is_on_drive_or_not(mount, tmp_path):
    assert drive.on_drive(mount)
    assert drive.on_drive(str(mount / "zelle 1.tif"))
    for path in (tmp_path, tmp_path / "drive2" / "MyDrive", "cells", "~/cells"):
        assert not drive.on_drive(path)


def test_local_paths_stay_as_they_are(mount, tmp_path, cache):
    local = tmp_path / "local"
    assert drive.bring(local, cache=cache) == local
    assert drive.bring("~/x", cache=cache) == Path.home() / "x"
    assert not cache.exists()


def test_a_folder_is_copied_with_its_images_and_nothing_else(mount, cache):
    told = []
    local = drive.bring(str(mount), lambda share, name: told.append((round(share, 2), name)), cache)
    assert cache in local.parents
    assert not drive.on_drive(local)
    assert sorted(p.name for p in local.iterdir()) == ["zelle 1.tif", "zelle 10.tif", "zelle 2.tif"]
    assert values(local) == [1, 2, 10]
    assert told == [(0.33, "zelle 1.tif"), (0.67, "zelle 2.tif"), (1.0, "zelle 10.tif")]


def test_what_is_there_already_is_not_copied_again(mount, cache, copied):
    drive.bring(mount, cache=cache)
    assert copied == ["zelle 1.tif", "zelle 2.tif", "zelle 10.tif"]
    del copied[:]
    drive.bring(mount, cache=cache)
    assert copied == []


def test_what_changed_on_drive_is_copied_again(mount, cache, copied):
    drive.bring(mount, cache=cache)
    del copied[:]
    tifffile.imwrite(mount / "zelle 2.tif", np.full((20, 20), 77, "uint8"))  # of the same size
    os.utime(mount / "zelle 2.tif", (2e9, 2e9))
    tifffile.imwrite(mount / "zelle 10.tif", np.full((30, 30), 88, "uint8"))
    assert values(drive.bring(mount, cache=cache)) == [1, 77, 88]
    assert copied == ["zelle 2.tif", "zelle 10.tif"]


def test_what_was_removed_from_drive_is_not_trained_on(mount, cache):
    drive.bring(mount, cache=cache)
    (mount / "zelle 2.tif").unlink()
    assert values(drive.bring(mount, cache=cache)) == [1, 10]


def test_one_file_is_copied_alone_and_keeps_its_neighbours(mount, cache):
    local = drive.bring(mount / "zelle 2.tif", cache=cache)
    assert [p.name for p in local.parent.iterdir()] == ["zelle 2.tif"]
    assert values(local) == [2]
    drive.bring(mount, cache=cache)
    drive.bring(mount / "zelle 2.tif", cache=cache)
    assert len(list(local.parent.iterdir())) == 3


def test_folders_of_one_name_do_not_mix(mount, cache):
    other = drive.HOME / "other" / "cells"
    other.mkdir(parents=True)
    shutil.copy(mount / "zelle 10.tif", other / "zelle 1.tif")
    assert values(drive.bring(mount, cache=cache)) == [1, 2, 10]
    assert values(drive.bring(other, cache=cache)) == [10]


def test_a_folder_within_a_copied_folder_is_kept(mount, cache):
    inner = mount / "inner"
    inner.mkdir()
    shutil.copy(mount / "zelle 10.tif", inner)
    local = drive.bring(inner, cache=cache)
    drive.bring(mount, cache=cache)
    assert values(local) == [10]


def break_at(monkeypatch, name, error, half=True):
    """Let the copying of one file fail, with half of it written."""
    real = shutil.copy2

    def copy2(source, target):
        if source.name != name:
            return real(source, target)
        if half:
            target.write_bytes(source.read_bytes()[:50])
        if error:
            raise error
        return target

    monkeypatch.setattr(shutil, "copy2", copy2)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_an_interrupted_copy_leaves_whole_files_only_and_goes_on_where_it_stopped(mount, cache, monkeypatch, error):
    with monkeypatch.context() as patch:
        break_at(patch, "zelle 2.tif", error)
        expected = UserError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            drive.bring(mount, cache=cache)
    if expected is UserError:
        assert "zelle 2.tif from Drive failed. Run the cell again: what was copied is kept" in str(caught.value)
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["zelle 1.tif"]
    assert values(drive.bring(mount, cache=cache)) == [1, 2, 10]


def test_a_file_that_arrives_incomplete_is_noticed_and_copied_again(mount, cache, monkeypatch):
    with monkeypatch.context() as patch:
        break_at(patch, "zelle 2.tif", None)
        with pytest.raises(UserError, match=r"zelle 2\.tif arrived incomplete from Drive\. Run the cell again"):
            drive.bring(mount, cache=cache)
    assert values(drive.bring(mount, cache=cache)) == [1, 2, 10]


def test_a_full_local_disk_is_known_before_anything_is_copied(mount, cache, copied, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: namedtuple("usage", "free")(100))
    with pytest.raises(UserError, match=r"is full.*Make room"):
        drive.bring(mount, cache=cache)
    assert copied == []


def test_missing_and_empty_folders_on_drive_are_told(mount, cache):
    with pytest.raises(UserError, match=r"There is no folder or file .*MyDrive/cell; did you mean .*MyDrive/cells"):
        drive.bring(drive.HOME / "cell", cache=cache)
    (drive.HOME / "empty").mkdir()
    with pytest.raises(UserError, match="is empty"):
        drive.bring(drive.HOME / "empty", cache=cache)
    with pytest.raises(UserError, match="subfolders do: cells"):
        drive.bring(drive.HOME, cache=cache)


def test_a_cache_that_cannot_be_written_is_told(mount, cache):
    cache.write_text("a file, not a folder")
    with pytest.raises(UserError, match="Choose a folder you may write to"):
        drive.bring(mount, cache=cache)


def test_real_images_arrive_unchanged(real_images, mount, cache):
    there = drive.HOME / "dsb"
    there.mkdir()
    originals = sorted((real_images / "dsb2018/images").glob("*.tif"))[:5]
    for original in originals:
        shutil.copy(original, there)
    local = drive.bring(there, cache=cache)
    assert {p.name: p.read_bytes() for p in local.iterdir()} == {p.name: p.read_bytes() for p in originals}
