"""What the dimensions of an image mean, as a string such as ``TYX``.

T time, Z depth, C channel, Y height, X width; slowest first. Nothing else in the package guesses at shapes.
"""

from ..errors import UserError

ORDER = "TZCYX"
_WORDS = {"T": ("time point", "time points"), "Z": ("plane", "planes"), "C": ("channel", "channels")}
# What tifffile says for dimensions without a name (Q, I, S and others): taken for unknown, except samples of a pixel.
_SAMPLES = "S"


def normalise(axes, shape, name):
    """Turn the axes that a file states into ours.

    Parameters
    ----------
    axes : str
        As tifffile gives them, one letter a dimension.
    shape : tuple of int
    name : str
        The file, for messages.

    Returns
    -------
    axes : str
        Letters of ``TZCYX``.
    guessed : bool
        Whether a dimension had no name in the file, so that we guessed.
    """
    _require_area(shape, name)
    known = axes.upper()
    if _SAMPLES in known and "C" not in known:
        known = known.replace(_SAMPLES, "C")
    if set(known) <= set(ORDER) and len(set(known)) == len(known) and "Y" in known and "X" in known:
        return known, False
    return _guess(shape, known, name), True


def parse(axes, shape, name):
    """Check axes that the user gave.

    Raises
    ------
    UserError
        Naming axes that would work.
    """
    _require_area(shape, name)
    axes = axes.upper().strip()
    example = _guess(shape, "?" * len(shape), name)
    wrong = None
    if len(axes) != len(shape):
        wrong = f"has {len(shape)} dimensions, {' x '.join(map(str, shape))}"
    elif not set(axes) <= set(ORDER) or len(set(axes)) != len(axes):
        wrong = "can have each of T, Z, C, Y, X once"
    elif "Y" not in axes or "X" not in axes:
        wrong = "needs Y and X"
    if wrong:
        raise UserError(f"The axes '{axes}' do not fit {name}, which {wrong}: use for example {example}")
    return axes


def describe(axes, shape):
    """The axes in words.

    >>> describe("TYX", (30, 512, 512))
    '30 time points of 512 x 512'
    """
    size = dict(zip(axes, shape))
    counts = [f"{size[a]} {_WORDS[a][size[a] != 1]}" for a in "TZC" if a in axes]
    area = f"{size['Y']} x {size['X']}"
    return " of ".join([*counts, area]) if counts else f"one image of {area}"


def _require_area(shape, name):
    if len(shape) < 2:
        raise UserError(f"{name} has the shape {shape}, which is not an image. Remove it from the folder")


def planes_first(pixels, axes):
    """View an array with the order T, Z, Y, X, C of dimensions, adding those that are missing; nothing is copied."""
    missing = [a for a in ORDER if a not in axes]
    pixels = pixels[(...,) + (None,) * len(missing)]
    return pixels.transpose([[*axes, *missing].index(a) for a in "TZYXC"])


def _guess(shape, stated, name):
    """Y and X come last, or before three or four colour samples; what comes before them is time."""
    if len(shape) == 2:
        return "YX"
    rest = list(shape)
    colour = stated.endswith("C") or (rest[-1] in (3, 4) and min(rest[-3:-1]) > 8 and not stated.endswith("YX"))
    tail = "YXC" if colour else "YX"
    front = len(shape) - len(tail)
    heads = ("", "T", "TZ", "TZC")
    if front > (2 if colour else 3):
        raise UserError(f"{name} has {len(shape)} dimensions {shape}, more than T, Z, C, Y, X. Save it with fewer")
    return heads[front] + tail
