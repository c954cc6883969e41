"""Names that nearly agree: cell_01.tif and cell_1_mask.tif."""

import difflib
import re

from .files import stem

# What says only what kind of image it is.
_KINDS = (
    *("clean", "denoised", "gt", "ground", "high", "low", "noisy", "raw", "snr", "target", "truth"),
    *("im", "image", "images", "img", "label", "labels", "mask", "masks", "seg", "segmentation"),
)
_ALIKE = 0.8
_TRIED = 20  # names; the first ones show what is wrong


def near_names(names, others):
    """What files may have been meant as partners.

    Numbers must be the same, leading zeros apart: image 2 is not image 3 with a typing error. Words that name the kind
    of image do not count, nor does how parts are joined.

    Parameters
    ----------
    names, others : list of Path
        Files without a partner, and those to choose from.

    Returns
    -------
    dict
        File of `names` -> one of `others`, where exactly one comes near.
    """
    by_numbers = {}
    for other in others:
        words, numbers = _parts(other)
        by_numbers.setdefault(numbers, []).append((words, other))
    found = {}
    for name in names[:_TRIED]:
        words, numbers = _parts(name)
        likely = by_numbers.get(numbers, [])
        near = [other for text, other in likely if text == words] or [
            other for text, other in likely if difflib.SequenceMatcher(None, words, text).ratio() >= _ALIKE
        ]
        if len(near) == 1:
            found[name] = near[0]
    taken = list(found.values())
    return {name: other for name, other in found.items() if taken.count(other) == 1}


def did_you_mean(names, others):
    """A sentence that proposes a partner for the first of `names` that has a near one; "" if none has."""
    near = near_names(names, others)
    if not near:
        return ""
    name, other = next(iter(near.items()))
    return f"Did you mean {other.name} for {name.name}? Then give both the same name."


def _parts(path):
    """The words of a name that tell one image from another, and its numbers.

    >>> from pathlib import Path
    >>> _parts(Path("Cell-007_mask.tif"))
    ('cell', (7,))
    """
    pieces = re.findall(r"[^\W\d_]+|\d+", stem(path).lower())
    words = [piece for piece in pieces if not piece.isdecimal() and piece not in _KINDS]
    return " ".join(words), tuple(int(piece) for piece in pieces if piece.isdecimal())
