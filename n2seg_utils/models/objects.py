"""From probabilities to objects one can count."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from ..learning.annotations import BACKGROUND, BORDER, INSIDE

EVERY_HOLE = 2**31


@dataclass(frozen=True)
class Rule:
    """How probabilities are turned into labels; its numbers are tuned on validation images.

    Attributes
    ----------
    threshold : float
        Probability from which on a pixel is part of an object, or of a class other than background.
    seed : float
        Instances: probability of being inside, or distance from the edge, from which on a pixel begins an object.
    min_size : int
        Objects of fewer pixels are left out.
    largest_hole : int
        Holes of at most so many pixels are filled.
    between : tuple of float
        Empty, or two thresholds: each image has one of its own between them, and `threshold` is a typical one.

    Raises
    ------
    ValueError
        If `between` is neither.
    """

    threshold: float = 0.5
    seed: float = 0.7
    min_size: int = 0
    largest_hole: int = 0
    between: tuple = ()

    def __post_init__(self):
        limits = tuple(map(float, self.between))
        if limits and not (len(limits) == 2 and limits[0] <= limits[1]):
            raise ValueError(f"between is {self.between}; it must be two thresholds, the smaller one first")
        object.__setattr__(self, "between", limits)

    def describe(self):
        """The rule in words."""
        threshold = f"threshold {self.threshold:g}"
        if self.between:
            threshold = "a threshold of its own for each image, between {:.2g} and {:.2g}".format(*self.between)
        holes = {0: "holes are kept", EVERY_HOLE: "all holes are filled"}
        return f"{threshold}, seeds from {self.seed:g}, at least {self.min_size} pixels, " + holes.get(
            self.largest_hole, f"holes of up to {self.largest_hole} pixels are filled"
        )


def find_objects(probabilities, rule, distance=False):
    """Objects, from the probabilities of background, inside and border.

    Every piece that is surely inside begins an object. Objects then grow, over pixels that are not background, towards
    where it is least likely that they are inside, or nearest to the edge; where two meet, they touch.

    Parameters
    ----------
    probabilities : ndarray (Y, X, K) or (Z, Y, X, K)
        Of background, inside and border; then the normalised distance if `distance`.
    rule : Rule
    distance : bool
        Whether to part objects by their distances.

    Returns
    -------
    ndarray (Y, X) or (Z, Y, X), int32
        0 background, objects numbered from 1.
    """
    inside, border = probabilities[..., INSIDE], probabilities[..., BORDER]
    depth = ndimage.gaussian_filter(probabilities[..., -1], 1) if distance else inside
    seeds = _without_small(label(depth > rule.seed, connectivity=1), rule.min_size // 4)
    somewhere = _filled(inside + border > rule.threshold, rule.largest_hole)
    found = watershed(-depth, seeds, mask=somewhere).astype("int32")
    # Borders lie outside of objects, save where two touch: the outermost ring of border pixels is background.
    edge = ndimage.binary_dilation(found == 0, np.ones((3,) * found.ndim))
    found[edge & (border > inside)] = 0
    return _renumbered(_without_small(found, rule.min_size))


def find_classes(probabilities, rule):
    """The class of each pixel: the likeliest one other than background, where background is unlikely enough.

    Parameters
    ----------
    probabilities : ndarray (Y, X, K) or (Z, Y, X, K)
        Of background and the other classes.
    rule : Rule
        Small pieces of a class become background, holes in it become part of it.

    Returns
    -------
    ndarray (Y, X) or (Z, Y, X), int32
    """
    likeliest = 1 + np.argmax(probabilities[..., 1:], axis=-1)
    found = np.where(1 - probabilities[..., BACKGROUND] > rule.threshold, likeliest, 0).astype("int32")
    if not (rule.min_size or rule.largest_hole):
        return found
    found[_without_small(label(found, connectivity=1), rule.min_size) == 0] = 0
    for number in range(1, probabilities.shape[-1]):
        found[_filled(found == number, rule.largest_hole) & (found == 0)] = number
    return found


def _filled(mask, largest):
    """A mask without holes of up to so many pixels; holes are surrounded, in 3D on all sides."""
    if not largest:
        return mask
    holes = label(~mask, connectivity=1)
    sizes = np.bincount(holes.ravel())
    fill = sizes <= largest
    for axis in range(mask.ndim):  # what reaches the edge of the image is not surrounded
        for side in (0, -1):
            fill[np.take(holes, side, axis=axis)] = False
    fill[0] = False
    return mask | fill[holes]


def _without_small(labels, size):
    if size <= 1:
        return labels
    counts = np.bincount(labels.ravel())
    return np.where(counts[labels] >= size, labels, 0)


def _renumbered(labels):
    present = np.zeros(labels.max() + 1, bool)
    present[labels] = True
    present[0] = False
    return (np.cumsum(present) * present).astype("int32")[labels]
