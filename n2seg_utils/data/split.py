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
    return strip(0, images[0], fraction, patch_size) or [Part(0, "train"), Part(0, "validate")]  # the caller warns


def split_within(images, fraction, patch_size):
    """Set a strip of each image aside for validation; images too small to be divided train.

    For few images that differ, of which none can be spared.

    Parameters
    ----------
    images, fraction, patch_size
        See :func:`split`.

    Returns
    -------
    list of Part
        Empty if no image can be divided.
    """
    strips = [strip(number, image, fraction, patch_size) for number, image in enumerate(images)]
    if not any(strips):
        return []
    return [part for number, parts in enumerate(strips) for part in parts or [Part(number, "train")]]


def split_by_group(groups, fraction, seed, first=()):
    """Set all images of some groups aside for validation.

    Parameters
    ----------
    groups : list of str
        That of each image; at least two different ones.
    fraction : float
        Share of the groups that validates.
    seed : int
    first : collection of str
        Groups that validate before others.

    Returns
    -------
    list of Part
    """
    names = sorted(set(groups))
    count = min(len(names) - 1, max(1, round(fraction * len(names))))
    drawn = [names[number] for number in np.random.default_rng(seed).permutation(len(names))]
    chosen = sorted(drawn, key=lambda name: name not in first)[:count]
    return [Part(number, "validate" if name in chosen else "train") for number, name in enumerate(groups)]


def strip(number, image, fraction, patch_size):
    """What trains of an image, and the strip of it that validates; nothing if it is too small to be divided."""
    height, width, _ = image.plane_shape
    # The strip is cut from the longer side, at its end.
    side = max(height, width)
    if side < 2 * patch_size:
        return []
    thick = min(max(patch_size, round(fraction * side)), side - patch_size)
    if height >= width:
        parts = (0, 0, height - thick, width), (height - thick, 0, thick, width)
    else:
        parts = (0, 0, height, width - thick), (0, width - thick, height, thick)
    return [Part(number, use, region) for use, region in zip(("train", "validate"), parts)]
