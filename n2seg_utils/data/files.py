"""Folders and files: listing, pairing by name, and writing so that a file is whole or absent."""

import contextlib
import errno
import os
import re
import shutil
import struct
import uuid
from pathlib import Path

import psutil
import tifffile

from ..errors import UserError
from .absent import no_images, not_there
from .lists import is_list, read_list

# What readers of images raise for files that are none, or broken.
_UNREADABLE = (tifffile.TiffFileError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError, struct.error)

# How files of each kind begin, and how their names should end.
_KINDS = {
    "TIFF": ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (".tif", ".tiff")),
    "PNG": ((b"\x89PNG\r\n\x1a\n",), (".png",)),
    "JPEG": ((b"\xff\xd8\xff",), (".jpg", ".jpeg")),
}

# What helps when a file cannot be written, if not another folder.
_ROOM, _CONNECTED = "Make room, or choose a folder on another disk", "Check that its disk or Drive is still connected"
_REMEDIES = {
    "ENOSPC": _ROOM,
    "EDQUOT": _ROOM,
    "EIO": _CONNECTED,
    "ENOENT": _CONNECTED,
    "ENOTCONN": _CONNECTED,
    "ESTALE": _CONNECTED,
    "ENAMETOOLONG": "Give the image or the folder a shorter name",
}

IMAGE_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
FOLDER_ENDING = ".zarr"  # of images that are folders of chunks


def at_home(path):
    """A path, with the folder of the user in place of ``~``.

    Raises
    ------
    UserError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path} begins with the name of a user who is not known here. Give the whole path") from error


def list_images(path):
    """The image files of a folder in natural order (2 before 10), those of a list, or the one file given.

    Hidden files and what is not an image are passed over. Subfolders are not searched.

    Raises
    ------
    UserError
        When there is nothing to read; says what was found instead.
    """
    path = at_home(path)
    try:
        if is_list(path):
            return [image for image, _ in read_list(path)]
        if path.is_file() or is_image(path):
            return [path]
        entries = sorted(path.iterdir(), key=natural_order)
    except FileNotFoundError:
        raise UserError(f"There is no folder or file {path}{not_there(path)}") from None
    except OSError as error:
        raise UserError(f"Cannot open {path}: {error.strerror}. Check that you may read it") from error
    images = [e for e in entries if is_image(e)]
    if not images:
        raise UserError(no_images(path, entries, is_image, IMAGE_ENDINGS))
    return images


def is_image_name(path):
    """Whether a name is that of an image we read; hidden files are not."""
    return path.suffix.lower() in (*IMAGE_ENDINGS, FOLDER_ENDING) and not path.name.startswith(".")


def is_image(path):
    """Whether there is an image: a file of such a name or, of OME-Zarr images, a folder."""
    return is_image_name(path) and (path.is_dir() if path.suffix.lower() == FOLDER_ENDING else path.is_file())


def natural_order(path):
    """Sort key that puts image 2 before image 10."""
    name = Path(path).name
    parts = [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]
    return parts, name


def stem(path):
    """A file's name without its image ending (``cell.ome.tif`` -> ``cell``)."""
    name = Path(path).name
    return re.sub(r"(\.ome)?\.(tiff?|png|jpe?g|zarr)$", "", name, flags=re.IGNORECASE)


def pair_by_name(first, second):
    """Match files by name, ending ignored.

    Parameters
    ----------
    first, second : list of Path

    Returns
    -------
    pairs : list of (Path, Path)
    alone : list of Path
        Files of `first` without a partner.

    Raises
    ------
    UserError
        When two files of `second` have one name, so that the partner is a guess.
    """
    partners = {}
    for path in second:
        twin = partners.setdefault(stem(path), path)
        if twin != path:
            raise UserError(f"{twin} and {path.name} are both called '{stem(path)}'. Remove or rename one of them")
    pairs = [(p, partners[stem(p)]) for p in first if stem(p) in partners]
    return pairs, [p for p in first if stem(p) not in partners]


def require_absent(paths):
    """Refuse to overwrite: raise a UserError that names the first of `paths` that exists."""
    there = [p for p in paths if os.path.lexists(p)]
    if there:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise UserError(
            f"{there[0]} exists already{more} and is not overwritten. Choose another folder, or move it away"
        )


@contextlib.contextmanager
def whole_file(path):
    """Write a file under a temporary name and rename it when the block ends well; it is whole or absent.

    Yields
    ------
    Path
        The temporary name, with the same ending, in the same folder.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:40]}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path):
    """Fill a folder under a temporary name and move what is in it to `path` when the block ends well."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    make_folder(temporary)
    try:
        yield temporary
        make_folder(path)
        for entry in temporary.iterdir():
            try:
                os.replace(entry, path / entry.name)
            except OSError as error:
                raise cannot_write(path / entry.name, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def readable(path):
    """Turn the many ways in which reading a file fails into one sentence."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} is too large for this computer's memory. Save it in several smaller files") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"Cannot read {path}: {reason}. Check that it is there and that you may read it") from error
    except _UNREADABLE as error:
        raise UserError(f"{path} {_instead(path)}") from error


def write_text(path, text):
    """Write a text file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may hold any bytes


def make_folder(path):
    """Create a folder and those above it."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def require_space(folder, size):
    """Raise a UserError if `folder` has no room for `size` bytes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < size:
        raise UserError(
            f"The disk of {folder} is full: {size / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free. "
            "Make room, or choose a folder on another disk"
        )


def require_memory(path, size):
    """Raise a UserError if `size` bytes, which a file decodes to at once, would fill most of the memory.

    Half of what is free is left for the work: a small file may claim any size, and reading it would end the process.
    """
    free = psutil.virtual_memory().available
    if size > free / 2:
        raise UserError(
            f"{path} unpacks to {size / 1e9:,.1f} GB at once, and {free / 1e9:,.1f} GB of memory are free. "
            "Cut it into pieces, save it without compression, or remove it"
        )


def cannot_write(path, error):
    """The UserError for a file that could not be written."""
    remedy = _REMEDIES.get(errno.errorcode.get(error.errno), "Choose a folder you may write to")
    return UserError(f"Cannot write {path}: {error.strerror or error}. {remedy}")


def _instead(path):
    """What a file is in place of a whole image, judged by how it begins, and what to do."""
    start = b"?"
    with contextlib.suppress(OSError), open(path, "rb") as file:
        start = file.read(64)
    if not start:
        return "is damaged: it is empty. Copy it again from where it came, or remove it"
    if start.lstrip().startswith(b"<"):
        return "is a web page, for example one to log in, and no image. Download it again, or remove it"
    for kind, (signatures, endings) in _KINDS.items():
        if start.startswith(signatures) and Path(path).suffix.lower() not in endings:
            return f"is a {kind} file under another name. Let its name end in {endings[0]}, or remove it"
    return "is not an image we can read, or is damaged. Save it again as TIFF, or remove it"
