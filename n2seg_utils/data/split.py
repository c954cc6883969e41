"""Which pixels train and which validate, decided once and without overlap."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """A rectangle of every plane of one image, or of one plane, set aside for training or validation.

    Attributes
    ----------
    image : int
        Number of the image in its list.
    use : str
        "train" or "validate".
    region : tuple of int or None
        (y, x, height, width); None: all of it.
    """

    image: int
    use: str
    region: tuple | None = None


def split(images, fraction, seed, patch_size):
    """Set images aside for validation; with one image, a strip of it.

    Splitting by image keeps validation honest: patches of one image never serve both. At least one image (or a strip
    at least as wide as a patch) validates, and at least one trains.

    Parameters
    ----------
    images : list of ImageFile
    fraction : float
        Share that validates.
    seed : int
    patch_size : int

    Returns
    -------
    list of Part
    """
    if len(images) > 1:
        count = min(len(images) - 1, max(1, round(fraction * len(images))))
        chosen = set(np.random.default_rng(seed).permutation(len(images))[:count].tolist())
        return [Part(i, "validate" if i in chosen else "train") for i in range(len(images))]
    height, width, _ = images[0].plane_shape
    # The strip is cut from the longer side, at its end.
    side = max(height, width)
    if side < 2 * patch_size:
        return [Part(0, "train"), Part(0, "validate")]  # too small to divide: the caller warns
    strip = min(max(patch_size, round(fraction * side)), side - patch_size)
    if height >= width:
        return [
            Part(0, "train", (0, 0, height - strip, width)),
            Part(0, "validate", (height - strip, 0, strip, width)),
        ]
    return [Part(0, "train", (0, 0, height, width - strip)), Part(0, "validate", (0, width - strip, height, strip))]
