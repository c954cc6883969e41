"""Grey values: what is too dark, too bright, or out of line with the other images."""

import numpy as np

from ..words import counted, rounded, some
from .findings import ERROR, NOTE, WARNING, Finding
from .summaries import is_constant

_SATURATED = 0.001  # share of the pixels
_FEWEST_BITS = 8  # of a camera or detector
_PILE = 5  # times as many pixels as at each of the values below
# Times another contrast than most images have: with the first, scaling by image copes, which is the default then; no
# exposure varies as much as the second, so these are other units.
_APART, _FAR_APART = 10, 100
_CONTRASTS = (
    (WARNING, _FAR_APART, np.inf, "Were they saved in other units? If they belong together, use normalisation=image."),
    (NOTE, _APART, _FAR_APART, "With normalisation=auto each image is then scaled by itself."),
)


def exposure(summary):
    """Findings about the grey values of one image.

    Parameters
    ----------
    summary : Summary
    """
    if not summary.finite:
        yield Finding(
            ERROR, summary.name, "has pixels that are not numbers (NaN or infinite).",
            "Replace them in Fiji, or remove the file.",
        )  # fmt: skip
    elif summary.flat and is_constant(summary.image):
        words = f"has the same value ({summary.first:g}) everywhere."
        yield Finding(ERROR, summary.name, words, "Remove it from the folder.")
    if summary.alike and summary.usable:
        words = f"has {summary.image.size['C']} channels that are all the same, as grey images saved in colour have."
        yield Finding(NOTE, summary.name, words, "Save it in grey (in Fiji: Image > Type > 8-bit): training is faster.")
    if summary.empty and summary.finite:
        planes = ", ".join(str(number + 1) for number in summary.empty)
        words = f"has the same value everywhere in plane {planes} of {summary.image.planes}."
        yield Finding(NOTE, summary.name, words, "Nothing is learned from it; cut it off if it is at an end.")
    if summary.usable and summary.full > _SATURATED and (largest := largest_possible(summary)):
        words = f"is overexposed: {100 * summary.full:.1f} % of its pixels have {largest}."
        yield Finding(WARNING, summary.name, words, "What was cut off there cannot be restored.")


def largest_possible(summary):
    """What the largest value in an image is the limit of, in words; "" if it is none.

    Many cameras keep 10, 12 or 14 bits in files of 16. Where the largest value is that of such a number of bits, it is
    a limit if far more pixels have it than have each of the values just below.
    """
    dtype, top = summary.image.dtype, summary.top
    if dtype.kind in "ui" and top == np.iinfo(dtype).max:
        return "the largest value"
    if dtype.kind == "f" and top == 1:
        return "the largest value, 1" if summary.full > summary.below else ""
    bits = int(top + 1).bit_length() - 1
    if bits < _FEWEST_BITS or bits > 16 or top != 2**bits - 1:
        return ""
    values_below = 0.02 * top
    piled = summary.full * values_below > _PILE * summary.below
    return f"the value {top:.0f}, the largest of {bits} bits" if piled else ""


def ranges(summaries):
    """Findings about images whose grey values are wildly different from most of the same type.

    Parameters
    ----------
    summaries : list of Summary
    """
    contrasts = {}
    for s in summaries:
        if s.usable and s.high > s.low:
            contrasts.setdefault(s.image.dtype.newbyteorder("="), []).append((s.high - s.low, s.name))
    for alike in contrasts.values():
        usual = float(np.median([contrast for contrast, _ in alike]))
        for severity, least, most, remedy in _CONTRASTS:
            off = [(c, name) for c, name in alike if least < max(c / usual, usual / c) <= most]
            if off:
                named = some([f"{name} ({rounded(contrast)} grey values)" for contrast, name in off])
                words = f"{counted(len(off), 'image')} with more than {least} times more, or less, contrast than most: "
                yield Finding(severity, "", f"{words}{named}, usually {rounded(usual)}.", remedy)
