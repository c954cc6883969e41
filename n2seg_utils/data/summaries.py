"""What a check keeps of an image's pixels: some numbers, and a fingerprint by which copies are found."""

import hashlib
from dataclasses import dataclass

import numpy as np

_LOOKED_AT = 4_000_000  # pixels
_GRID = 256  # rows and columns, at most, from which percentiles and the fingerprint are taken
_BELOW = 0.02  # of the largest value: how far below it pixels are compared with those that have it


@dataclass(frozen=True)
class Summary:
    """The first, the middle and the last plane of an image in a few numbers.

    Attributes
    ----------
    image : ImageFile
    first, top : float
        The value of the first pixel in the middle plane, and the largest of all.
    finite : bool
        Whether all pixels are numbers.
    flat : bool
        Whether all have the same value.
    full, below : float
        Share of the pixels that have the largest value, and of those at most 2 % below it.
    empty : tuple of int
        Numbers of the planes, of these, that have one value only, where others have not.
    low, mean, high : float
        The 1st percentile, the mean and the 99.8th percentile of the middle plane.
    alike : bool
        Whether there are several channels that all hold the same.
    fingerprint : bytes
        Of the middle plane: alike in images of the same values, whatever type these are kept in.
    """

    image: object
    first: float
    top: float
    finite: bool
    flat: bool
    full: float
    below: float
    empty: tuple
    low: float
    mean: float
    high: float
    alike: bool
    fingerprint: bytes

    @property
    def name(self):
        """The name of the file."""
        return self.image.path.name

    @property
    def usable(self):
        """Whether there is anything to compare with other images."""
        return self.finite and not self.flat


def summarise(image):
    """Read the first, the middle and the last plane of an image; of planes larger than four megapixels, every so many
    rows.

    Returns
    -------
    Summary
    """
    middle = image.planes // 2
    planes = {number: image.plane(number) for number in sorted({0, middle, image.planes - 1})}
    looked_at = {n: np.asarray(plane[:: max(1, plane.size // _LOOKED_AT)]) for n, plane in planes.items()}
    empty = tuple(number for number, pixels in looked_at.items() if (pixels == pixels.flat[0]).all())
    plane, pixels = planes[middle], np.stack(list(looked_at.values()))
    top = pixels.max()
    finite = pixels.dtype.kind != "f" or bool(np.isfinite(pixels).all())
    rows, columns = (max(1, side // _GRID) for side in plane.shape[:2])
    few = np.ascontiguousarray(plane[::rows, ::columns], "<f8")
    low, high = np.percentile(few, (1, 99.8)) if finite else (np.nan, np.nan)
    return Summary(
        image,
        first=float(plane[0, 0, 0]),
        top=float(top),
        finite=finite,
        flat=bool(finite and pixels.min() == top),
        full=float((pixels == top).mean()),
        empty=() if len(empty) == len(looked_at) else empty,
        below=float(((pixels >= float(top) * (1 - _BELOW)) & (pixels < top)).mean()),
        low=float(low),
        mean=float(few.mean()) if finite else np.nan,
        high=float(high),
        alike=few.shape[-1] > 1 and bool((few == few[..., :1]).all()),
        fingerprint=hashlib.blake2b(repr(image.shape).encode() + few.tobytes()).digest(),
    )


def same_pixels(one, other):
    """Whether two images of one shape have the same values in all planes; read in bands, for planes may be larger
    than memory."""
    height, width, channels = one.plane_shape
    band = max(1, _LOOKED_AT // (width * channels))
    for number in _from_middle(one.planes):
        for y in range(0, height, band):
            here, there = (image.plane(number)[y : y + band] for image in (one, other))
            if not np.array_equal(here, there):
                return False
    return True


def is_constant(image):
    """Whether all planes of an image have one value only; read in bands."""
    height, width, channels = image.plane_shape
    band = max(1, _LOOKED_AT // (width * channels))
    for number in _from_middle(image.planes):
        first = image.plane(number)[0, 0, 0]
        if not all((np.asarray(image.plane(number)[y : y + band]) == first).all() for y in range(0, height, band)):
            return False
    return True


def _from_middle(count):
    """Numbers of all planes, the middle one first: it nearly always settles the question."""
    return sorted(range(count), key=lambda i: abs(i - count // 2))
