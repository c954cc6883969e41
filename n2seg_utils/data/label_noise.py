"""Wrong labels, made on purpose: what is done to binary masks to learn which errors a network forgives.

Each kind is a function of (mask, rng, strength). In a mask (Y, X), or a stack of planes (..., Y, X), what is not 0 is
foreground; the answer is bool, of the same shape. Planes of a stack are treated alike, each for itself; shares are of
all of them together.

References
----------
Luo, Liu, Shi, Zheng, Wang, Yang: Deep Neural Networks Learn Meta-Structures from Noisy Labels in Semantic Segmentation.
AAAI 2022, arXiv 2103.11594.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from ..errors import UserError
from .files import list_images, require_absent, stem, whole_file
from .images import open_image


def sampled(mask, rng, share=0.1):
    """Keep a share of the foreground pixels, drawn at random; the others become background."""
    mask, kept = _binary(mask), np.zeros(np.shape(mask), bool)
    kept.ravel()[_drawn(mask, rng, share)] = True
    return kept


def flipped(mask, rng, share=0.3):
    """Let a share of the foreground become background, and a share of the background foreground.

    Parameters
    ----------
    mask, rng
    share : float or (float, float)
        Of the foreground, and of the background; one number is for both.
    """
    foreground, background = (share, share) if np.isscalar(share) else share
    mask = _binary(mask)
    wrong = np.concatenate([_drawn(mask, rng, foreground), _drawn(~mask, rng, background)])
    found = mask.copy()
    found.ravel()[wrong] ^= True
    return found


def dilated(mask, rng, pixels=3):
    """Add all background pixels that are at most so far from the foreground. Nothing is random."""
    return _planes(lambda plane: _nearer(plane, pixels), mask)


def eroded(mask, rng, pixels=3):
    """Take away all foreground pixels that are at most so far from the background. Nothing is random.

    What lies outside of the image is not background.
    """
    return _planes(lambda plane: ~_nearer(~plane, pixels), mask)


def skeleton(mask, rng, pixels=0):
    """The middle lines of the foreground, one pixel wide, made wider by so many pixels on each side. Nothing is random.

    References
    ----------
    Zhang, Suen: A fast parallel algorithm for thinning digital patterns. Communications of the ACM 27, 1984.
    """
    from skimage.morphology import skeletonize

    return _planes(lambda plane: _nearer(skeletonize(plane), pixels), mask)


def shifted(mask, rng, radius=3):
    """Move each foreground pixel by an offset of its own, in Y and X between -radius and radius, all alike likely.

    What would leave the image stays at its edge. Pixels may meet, so that there are fewer.
    """
    mask, found = _binary(mask), np.zeros(np.shape(mask), bool)
    *before, y, x = np.nonzero(mask)
    moves = rng.integers(-int(radius), int(radius) + 1, (2, len(y)))
    y, x = (np.clip(place + move, 0, side - 1) for place, move, side in zip((y, x), moves, mask.shape[-2:]))
    found[(*before, y, x)] = True
    return found


def random_labels(mask, rng, share=0.5):
    """Foreground at a share of all pixels, drawn at random, whatever the mask shows."""
    found = np.zeros(np.shape(mask), bool)
    found.ravel()[_drawn(~found, rng, share)] = True
    return found


@dataclass(frozen=True)
class Kind:
    """A way to get labels wrong.

    Attributes
    ----------
    function : callable
        ``function(mask, rng, strength)``.
    strength : float
        The usual one.
    words : str
        What it does, with a place for the strength.
    """

    function: Callable
    strength: float
    words: str


KINDS = {
    "sampled": Kind(sampled, 0.1, "{:.0%} of the foreground kept"),
    "flipped": Kind(flipped, 0.3, "{:.0%} of all pixels flipped"),
    "dilated": Kind(dilated, 3, "dilated by {:g} pixels"),
    "eroded": Kind(eroded, 3, "eroded by {:g} pixels"),
    "skeleton": Kind(skeleton, 0, "skeleton, {:g} pixels wider"),
    "shifted": Kind(shifted, 3, "pixels moved by up to {:g}"),
    "random": Kind(random_labels, 0.5, "random labels, {:.0%} foreground"),
}


def degraded(mask, kind, rng, strength=None):
    """A mask with wrong labels of one of :data:`KINDS`, of the usual strength unless another is given; bool.

    Raises
    ------
    UserError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"There is no label noise '{kind}': use one of {', '.join(KINDS)}")
    about = KINDS[kind]
    return about.function(mask, rng, about.strength if strength is None else strength)


def degrade_folder(masks, out, kind, strength=None, seed=0):
    """Write wrong labels of the masks of a folder, as TIFF files of 8 bits with 0 and 255.

    Parameters
    ----------
    masks : path
        Folder of images with one channel; what is not 0 is foreground. Each is treated by its name and the seed alone.
    out : path
        Folder that is created; files in it are not overwritten.
    kind, strength
        See :func:`degraded`.
    seed : int

    Returns
    -------
    list of Path
    """
    files = list_images(masks)
    targets = [Path(out) / f"{stem(file)}.tif" for file in files]
    require_absent(targets)
    for file, target in zip(files, targets):
        image = open_image(file, binary=True)
        planes = np.stack([np.asarray(image.plane(number)[..., 0]) for number in range(image.planes)])
        rng = np.random.default_rng([seed, zlib.crc32(stem(file).encode())])
        wrong = np.uint8(255) * degraded(planes, kind, rng, strength)
        with whole_file(target) as temporary:
            tifffile.imwrite(temporary, wrong if len(wrong) > 1 else wrong[0], photometric="minisblack")
    return targets


def _binary(mask):
    return np.asarray(mask) != 0


def _drawn(mask, rng, share):
    """Positions, in the flat mask, of a share of its foreground."""
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; it must be between 0 and 1")
    there = np.flatnonzero(mask)
    return rng.choice(there, round(share * there.size), replace=False)


def _planes(change, mask):
    mask = _binary(mask)
    planes = mask.reshape(-1, *mask.shape[-2:])
    return np.stack([change(plane) for plane in planes]).reshape(mask.shape) if len(planes) else mask


def _nearer(plane, pixels):
    """What is at most so many pixels from the foreground of a plane."""
    if pixels <= 0 or not plane.any():
        return plane
    return ndimage.distance_transform_edt(~plane) <= pixels
