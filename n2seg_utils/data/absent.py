"""What is said of a path where there is nothing to read, and what may have been meant."""

import contextlib
import difflib
import os
import re
from pathlib import Path

from ..words import some

_COLAB = Path("/content")
_DEEPEST = 3  # levels of subfolders that are searched
_SEARCHED = 200  # entries of each folder; enough to tell where images are
_NAMED = 5


def not_there(path):
    """What to do about a path that leads nowhere: the end of a sentence that has named it."""
    path, typed = Path(path), str(path)
    if re.match(r"[a-z]+:/", typed):
        return ": that is an address on the web. Download what it leads to, and give the folder"
    if re.match(r"([A-Za-z]:)?\\", typed) and os.name != "nt":
        return (
            ": that is a path of a Windows computer, and this is another. In Colab, put the folder on Google Drive; "
            "elsewhere, give its path on this computer"
        )
    if path.parts[:3] == ("/", "content", "drive"):
        if not _COLAB.is_dir():
            return ": that is a path of Colab, and this is another computer. Give the path of the folder here"
        if not Path(*path.parts[:4]).exists():
            return ": Google Drive is not connected. Run the cell that connects it"
    with contextlib.suppress(OSError):
        near = difflib.get_close_matches(path.name, [e.name for e in path.parent.iterdir()], 1)
        if near:
            return f"; did you mean {path.parent / near[0]}?"
    if not path.is_absolute():
        return f" in {Path.cwd()}. Check the path; best give all of it, from the first / or drive letter on"
    return ". Check the path" + ("; Drive folders begin with /content/drive/MyDrive" if _COLAB.is_dir() else "")


def no_images(folder, entries, is_image, endings):
    """A sentence about a folder without images: which subfolders have some, or what there is instead.

    Parameters
    ----------
    folder : Path
    entries : list of Path
        What is in it.
    is_image : callable
        ``is_image(path)`` says whether a file is an image.
    endings : tuple of str
        Of the names of images.
    """
    kinds = f"({', '.join(endings)})"
    entries = [entry for entry in entries if not entry.name.startswith(".")]
    level = folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    for _ in range(_DEEPEST):
        found = [str(one.relative_to(folder)) for one in level if any(map(is_image, _entries(one)))]
        if found:
            return f"{folder} holds no images itself, but its subfolders do: {some(found, _NAMED)}. Give one of them"
        level = [below for one in level for below in _entries(one) if below.is_dir() and not below.is_symlink()]
    others = [entry.name for entry in entries if entry.is_file()]
    if others:
        named = ", ".join(others[:3])
        return (
            f"{folder} holds no images {kinds}, only {named}. Save your images as TIFF there; Fiji opens what most "
            "microscopes write"
        )
    empty = "and its subfolders hold no images" if folders else "is empty. Put your images or masks"
    return f"{folder} {empty} {kinds}" + (". Give another folder" if folders else " there, or give another folder")


def _entries(folder):
    """The first entries of a folder, in order; none if it may not be opened."""
    with contextlib.suppress(OSError):
        return [entry for entry in sorted(folder.iterdir())[:_SEARCHED] if not entry.name.startswith(".")]
    return []
