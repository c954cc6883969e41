"""Folders of positions, as microscopes with a moving stage write them: the images of all, in one folder.

NAME_raw_data/Pos101/img_000.tif      NAME_masks/Pos101/img_000.tif
"""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from .files import at_home, is_image_name, make_folder, natural_order, readable, require_space, whole_file

_POSITION = re.compile(r"(?i)(pos|position|xy)[ _-]?\d+")
_BEFORE = re.compile(r"(?i)(?P<position>(.*_)?(pos|position|xy)[ _-]?\d+)_(?P<name>.+)")
_FLAT = {}  # (path, kind) -> folder for temporary files, as long as this process lives
# How folders of such folders are called, around a name that both have.
_SETS = {"images": re.compile(r"(?i)(.*)_raw_data(.*)"), "masks": re.compile(r"(?i)(.*)_masks(.*)")}


def positions(path, kind="images"):
    """The folders of positions in a folder, or in those of its folders that are called as those of images, or masks.

    Parameters
    ----------
    path : path
    kind : str
        "images" (``NAME_raw_data``) or "masks" (``NAME_masks``).

    Returns
    -------
    dict
        What files of a position are called after: ``Pos101``, or ``NAME_Pos101`` -> Path. Empty if there is none, or
        if images lie beside them.
    """
    path = Path(path)
    with contextlib.suppress(OSError):
        if any(is_image_name(entry) for entry in path.iterdir()):
            return {}
    found = _positions(path, "")
    for folder in [] if found else _folders(path):
        named = _SETS[kind].fullmatch(folder.name)
        if named:
            found |= _positions(folder, "".join(named.groups()) + "_")
    return found


def gather(path, wanted, kind="images", flat=None):
    """A folder with the files of all positions, called ``Pos101_FILE``; a path that has none as it is.

    Parameters
    ----------
    path : path
    wanted : callable
        Whether a file is to be there.
    kind : str
        See :func:`positions`.
    flat : path, optional
        Where files are copied to; by default they are links, in a folder that is gone when the process ends.

    Returns
    -------
    Path
    """
    there = {
        f"{name}_{file.name}": file for name, folder in positions(path, kind).items() for file in _files(folder, wanted)
    }
    if not there:
        return path
    put, flat = (_copy, Path(flat)) if flat else (_link, _own(path, kind))
    make_folder(flat)
    with readable(path):
        for stale in flat.iterdir():
            if stale.name not in there and not stale.is_dir():
                stale.unlink(missing_ok=True)
        for name, file in there.items():
            if not _same(flat / name, file):
                put(file, flat / name)
    return flat


def images_of(path):
    """:func:`gather` for images."""
    return gather(at_home(path), is_image_name)


def parted(name):
    """The position that a name begins with, and the rest.

    >>> parted("Pos101_img_000")
    ('Pos101', 'img_000')
    >>> parted("cell_7")
    ('', 'cell_7')
    """
    found = _BEFORE.fullmatch(name)
    return (found["position"], found["name"]) if found else ("", name)


def _positions(path, before):
    found = [folder for folder in _folders(path) if _POSITION.fullmatch(folder.name)]
    return {before + folder.name: folder for folder in found}


def _folders(path):
    with contextlib.suppress(OSError):
        folders = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        return sorted(folders, key=natural_order)
    return []


def _files(folder, wanted):
    """Those that are wanted of a position, or of the one folder in it that has some."""
    found = [[file for file in one.iterdir() if file.is_file() and wanted(file)] for one in (folder, *_folders(folder))]
    found = [files for files in found if files]
    return sorted(found[0], key=natural_order) if found else []


def _own(path, kind):
    known = os.path.abspath(path), kind
    if known not in _FLAT:
        _FLAT[known] = tempfile.TemporaryDirectory(prefix="n2seg_positions_")
    return Path(_FLAT[known].name)


def _link(file, target):
    """Link a file, or copy it where that cannot be."""
    with whole_file(target) as temporary:
        try:
            os.symlink(file.resolve(), temporary)
        except OSError:
            _copy(file, temporary)


def _copy(file, target):
    require_space(target.parent, file.stat().st_size)
    with whole_file(target) as temporary:
        shutil.copy2(file, temporary)


def _same(target, file):
    if target.is_symlink():
        return target.resolve() == file.resolve()
    if not target.exists():
        return False
    one, other = target.stat(), file.stat()
    return one.st_size == other.st_size and abs(one.st_mtime - other.st_mtime) < 2
