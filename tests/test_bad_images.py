"""Whatever is wrong with folders and files of images: each is refused by name, with a remedy, and nothing is lost."""

import errno
import io
import os
import struct
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from n2seg_utils.cli import main

from .refusals import noise, write

PNG = imagecodecs.png_encode(noise(64, 64))
JPEG = imagecodecs.jpeg_encode(noise(64, 64, dtype="uint8"))
COMMANDS = {"check": [], "predict": ["--out", "out"]}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def file(name, data=b""):
    """A folder with a good image and a file of some bytes."""

    def make(folder):
        good(folder)
        (folder / name).write_bytes(data)

    return make


def image(pixels, name="bad.tif", **options):
    """A folder with a good image and another one."""

    def make(folder):
        good(folder)
        write(folder / name, pixels, **options)

    return make


def good(folder):
    write(folder / "good.tif", noise(64, 64))


def cut(**options):
    """A TIFF that lacks its last third."""

    def make(folder):
        path = folder / "bad.tif"
        image(noise(3, 64, 64), **options)(folder)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    return make


def claiming(tag, value, **options):
    """A TIFF whose header claims another size."""

    def make(folder):
        image(noise(64, 64), **options)(folder)
        with tifffile.TiffFile(folder / "bad.tif", mode="r+") as tiff:
            tiff.pages[0].tags[tag].overwrite(value)

    return make


def huge_png(folder):
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 900_000, 900_000, 16, 0, 0, 0, 0), b"IDAT": b"", b"IEND": b""}
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks.items())
    file("bad.png", b"\x89PNG\r\n\x1a\n" + b"".join(packed))(folder)


def only(*names):
    """A folder of empty files."""

    def make(folder):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"")

    return make


def nearly_named(folder):
    good(folder.with_name("image"))


def subfolders(folder):
    good(folder / "day 1")
    good(folder / "day 2")


def loop(folder):
    folder.symlink_to(folder)


def folders_named_like_images(folder):
    (folder / "bad.tif").mkdir(parents=True)


def not_a_number(value):
    pixels = noise(64, 64, dtype="float32")
    pixels[3, 4] = value
    return pixels


# What is wrong -> how it is made, and what the message says beside the folder's or file's name.
FOLDERS = {
    "a missing folder is told with the nearest one": (nearly_named, "no folder or file images", "did you mean"),
    "an empty folder is called empty": (only(), "images is empty", "Put your images"),
    "a folder of nothing but hidden files is called empty": (only(".DS_Store", "._a.tif", ".a.tif"), "images is empty"),
    "a folder of subfolders names those with images": (subfolders, "day 1, day 2", "Give one of them"),
    "a folder of folders named like images holds no image": (folders_named_like_images, "images"),
    "a folder of other files names some": (only("a.czi", "b.lif"), "only a.czi, b.lif", "as TIFF"),
    "a text file in place of a folder is no image": (lambda f: f.write_text("cells\n"), "images is not an image"),
    "a link that leads to itself cannot be opened": (loop, "Cannot open images", "Check that"),
}
FILES = {
    "an empty file": (file("bad.tif"), "bad.tif is damaged: it is empty", "Copy it again"),
    "a TIFF of which the header alone is there": (file("bad.tif", b"II*\0\x08\0\0\0"), "bad.tif"),
    "a TIFF that was cut short": (cut(), "bad.tif", "Copy it again"),
    "a compressed TIFF that was cut short": (cut(compression="zlib"), "bad.tif"),
    "text that is called .tif": (file("bad.tif", b"x;y\n1;2\n"), "bad.tif is not an image"),
    "text that is called .png": (file("bad.png", b"x;y\n1;2\n"), "bad.png is not an image"),
    "a page to log in, saved as .tif": (
        file("bad.tif", b"<!DOCTYPE html><html><title>Sign in"),
        "bad.tif is a web page",
    ),
    "a PNG that is called .tif": (file("bad.tif", PNG), "bad.tif is a PNG file", "end in .png"),
    "a TIFF that is called .png": (
        lambda f: image(noise(64, 64))(f) or (f / "bad.tif").rename(f / "bad.png"),
        "bad.png is a TIFF file",
        "end in .tif",
    ),
    "a PNG that was cut short": (file("bad.png", PNG[:900]), "bad.png"),
    "a JPEG that was cut short": (file("bad.jpg", JPEG[:900]), "bad.jpg"),
    "a picture of another kind": (file("bad.png", b"GIF89a" + bytes(90)), "bad.png"),
    "a file in Chinese": (file("细胞 坏.tif"), "细胞 坏.tif"),
    "a file with as long a name as there can be": (file("x" * 251 + ".tif"), "x" * 251 + ".tif"),
    "a TIFF that claims to be huge": (claiming("ImageWidth", 2_000_000_000), "bad.tif"),
    "a compressed TIFF that claims to be huge": (claiming("ImageLength", 2_000_000_000, compression="zlib"), "bad.tif"),
    "a compressed TIFF that claims to be larger": (claiming("ImageLength", 128, compression="zlib"), "bad.tif"),
    "a PNG that claims to be huge": (huge_png, "bad.png unpacks to 1,620.0 GB at once"),
    "a TIFF of no width": (claiming("ImageWidth", 0), "bad.tif"),
}
PIXELS = {
    "a value that is not a number": (image(not_a_number(np.nan)), "bad.tif", "NaN or infinite"),
    "an infinite value": (image(not_a_number(-np.inf)), "bad.tif", "NaN or infinite"),
    "complex numbers": (image(noise(64, 64).astype("complex64")), "bad.tif holds complex64"),
    "one bit a pixel": (image(noise(64, 64) > 150), "bad.tif holds bool"),
    "a single row": (image(noise(64)), "bad.tif"),
    "six dimensions": (image(noise(2, 2, 2, 2, 32, 32)), "bad.tif has 6 dimensions", "Save it with fewer"),
    "more channels than the others": (image(noise(64, 64, 3, dtype="uint8"), photometric="rgb"), "bad.tif"),
}


SETS = {
    "a constant image": (image(np.full((64, 64), 7, "uint16")), "bad.tif", "same value (7)", "Remove it"),
    "a tiny image": (image(noise(9, 7)), "bad.tif", "is only 7 x 9 pixels"),
    "stacks among images": (image(noise(5, 64, 64)), "bad.tif", "good.tif", "Move one kind"),
    "colours among greys": (
        image(noise(64, 64, 3, dtype="uint8"), photometric="rgb"),
        "bad.tif",
        "good.tif",
        "Move one",
    ),
}
AXES = {
    "too few for the files": ("YX", "'YX'", "stack.tif", "use for example TYX"),
    "too many": ("TZCYX", "'TZCYX'", "stack.tif", "use for example TYX"),
    "a letter that is none": ("QYX", "'QYX'", "stack.tif", "T, Z, C, Y, X"),
    "a letter twice": ("XYX", "'XYX'", "stack.tif", "once"),
    "no width": ("TZY", "'TZY'", "stack.tif", "needs Y and X"),
    "a number": ("3", "'3'", "stack.tif", "use for example TYX"),
    "none": ("", "''", "stack.tif", "use for example TYX"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", FOLDERS)
def test_what_is_no_folder_of_images(what, command, refused, trained, tmp_path):
    made_and_refused(FOLDERS[what], command, refused, trained, tmp_path / "images")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_no_image_is_named(what, command, refused, trained, tmp_path):
    made_and_refused(FILES[what], command, refused, trained, tmp_path / "images")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", PIXELS)
def test_pixels_that_cannot_be_used_are_refused(what, command, refused, trained, tmp_path):
    made_and_refused(PIXELS[what], command, refused, trained, tmp_path / "images")


@pytest.mark.parametrize("what", SETS)
def test_images_that_teach_nothing_together_are_refused_before_training(what, refused, tmp_path):
    make, *words = SETS[what]
    make(tmp_path / "images")
    for command in (["check"], ["train", "denoise", "--run", "run"]):
        said = refused(*command, "--images", "images")
        assert all(word in said for word in words), said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", AXES)
def test_axes_that_do_not_fit_are_refused_with_some_that_do(what, command, refused, trained, tmp_path):
    axes, *words = AXES[what]
    write(tmp_path / "images" / "stack.tif", noise(3, 64, 64))
    require(words, command, refused, trained, "--axes", axes)


def test_what_is_hidden_or_no_image_is_passed_over_in_silence(trained, tmp_path, capfd):
    only(".DS_Store", "._good.tif", "Thumbs.db", "desktop.ini", "notes.txt")(tmp_path / "images")
    (tmp_path / "images" / "folder.tif").mkdir()
    good(tmp_path / "images")
    (tmp_path / "images" / "gone.tif").symlink_to(tmp_path / "nowhere.tif")
    for arguments in (["check"], ["predict", "--out", "out", "--run", str(trained.run.path)]):
        assert main([*arguments, "--images", "images"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert not any(name in out for name in ("DS_Store", "Thumbs", "desktop", "notes", "folder", "gone"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.tif"]


def test_a_folder_that_may_not_be_read_is_named(refused, trained, tmp_path, monkeypatch):
    good(tmp_path / "images")
    monkeypatch.setattr(Path, "iterdir", denied)
    for command in COMMANDS:
        require(["Cannot open images: Permission denied", "Check that"], command, refused, trained)


def test_a_file_that_may_not_be_read_is_named(refused, trained, tmp_path, monkeypatch):
    good(tmp_path / "images")
    monkeypatch.setattr(tifffile, "TiffFile", denied)
    for command in COMMANDS:
        require(["Cannot read images/good.tif: Permission denied", "Check that"], command, refused, trained)


def test_two_files_that_would_have_one_result_are_named(refused, trained, tmp_path):
    good(tmp_path / "images")
    (tmp_path / "images" / "good.png").write_bytes(PNG)
    require(["good.png and good.tif would both become good.tif", "Rename"], "predict", refused, trained)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_names_that_a_terminal_cannot_show_stop_nothing(trained, tmp_path, monkeypatch):
    write(tmp_path / "images" / "细胞.tif", noise(64, 64))
    write(tmp_path / "images" / os.fsdecode(b"cell\xff.tif"), noise(64, 64))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    for arguments in (["check"], ["predict", "--out", "out", "--run", str(trained.run.path)]):
        assert main([*arguments, "--images", "images"]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_names_of_any_bytes_are_judged_and_reported(tmp_path):
    for number, folder in enumerate(("restored", "truth")):
        write(tmp_path / folder / os.fsdecode(b"cell\xff.tif"), noise(64, 64, seed=number))
    assert main(["qc", "--prediction=restored", "--truth=truth", "--out=out"]) == 0


def denied(path, *_, **__):
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def made_and_refused(case, command, refused, trained, folder):
    make, *words = case
    make(folder)
    require(words, command, refused, trained)


def require(words, command, refused, trained, *more):
    run = ["--run", trained.run.path] if command == "predict" else []
    said = refused(command, "--images", "images", *COMMANDS[command], *run, *more)
    for word in words:
        assert word in said, said
