"""Lists of images and their masks: text files with one pair a line, wherever a folder is asked for."""

from pathlib import Path

from ..errors import UserError

ENDING = ".txt"
_LARGEST = 20_000_000  # letters


def is_list(path):
    """Whether a path is that of a list: a text file."""
    path = Path(path)
    return path.suffix.lower() == ENDING and path.is_file()


def read_list(path):
    """The images of a list, and their masks.

    A line holds the path of an image or, after a blank, that of its mask too. Paths are relative to the list. Empty
    lines are passed over.

    Returns
    -------
    list of (Path, Path or None)

    Raises
    ------
    UserError
        Naming the line, if a file is not there, if two images have one name, or if nothing is listed.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read(_LARGEST).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"Cannot read the list {path}. On each line write an image, or an image and its mask"
        ) from error
    pairs, names = [], {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        image, mask = _pair(path, number, line.strip())
        twin = names.setdefault(image.stem, number)
        if twin != number:
            raise UserError(
                f"Lines {twin} and {number} of {path} both name an image called '{image.stem}'. Rename one: results "
                "are named like their images"
            )
        pairs.append((image, mask))
    if not pairs:
        raise UserError(f"The list {path} is empty. On each line write an image, or an image and its mask")
    return pairs


def _pair(path, number, line):
    """The files of a line; names may hold blanks, so that the right one to part at is found by trying."""
    if _is_there(path.parent / line):
        return path.parent / line, None
    words = line.split(" ")
    for parted in range(1, len(words)):
        found = [path.parent / " ".join(some).strip() for some in (words[:parted], words[parted:])]
        if all(map(_is_there, found)):
            return tuple(found)
    missing = next((word for word in words if word and not _is_there(path.parent / word)), line)
    raise UserError(
        f"Line {number} of {path} names {missing}, but there is no such file. Paths begin at the folder of the list: "
        "write image and mask with a space between them"
    )


def _is_there(path):
    """Whether there is such a file, or an image that is a folder."""
    return path.is_file() or (path.suffix.lower() == ".zarr" and path.is_dir())
