"""Folders of results remember what they were made from, so that what was stopped goes on, and nothing is mixed."""

import contextlib
import json

from .files import list_images, write_text
from .ome_zarr import metadata_file

_NOTE = "made_from.json"


def made_from(images, made_with, called=None):
    """What results depend on, as text.

    Parameters
    ----------
    images : path
        Folder of images, or one file.
    made_with : dict
        Whatever else they depend on.
    called : path, optional
        What the folder was called when these are copies or links, which may lie elsewhere the next time.
    """
    files = {p.name: _state(p) for p in list_images(images)}
    return json.dumps({"images": str(called or images), **made_with, "files": files})


def _state(file):
    about = (metadata_file(file) if file.is_dir() else file).stat()
    return [about.st_size, about.st_mtime_ns]


def begun(folder, text):
    """Whether results in a folder are those that such a text describes."""
    try:
        return (folder / _NOTE).read_text(encoding="utf-8") == text
    except OSError:
        return False


def begin(folder, text):
    """Note in a folder what its results are made from."""
    write_text(folder / _NOTE, text)


def stopped(folder):
    """Whether a folder holds results that are not complete yet."""
    return (folder / _NOTE).exists()


@contextlib.contextmanager
def unfinished(folder, text):
    """Lets a call that was stopped go on when it is made again; nothing is left to go on with when the block ends well.

    Yields
    ------
    again : bool
        The same was begun before.
    begin : callable
        To call before the first result is written.
    """
    again = begun(folder, text)

    def first():
        if not begun(folder, text):
            begin(folder, text)

    yield again, first
    with contextlib.suppress(OSError):
        (folder / _NOTE).unlink()
