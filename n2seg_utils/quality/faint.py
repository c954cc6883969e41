"""Are faint structures lost? Small bright structures of the truth, looked for in other images of the same place."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.signal import oaconvolve

from .estimated_error import Noise, noise_kernel

FEWEST = 5  # dim structures, below which nothing is said
# Radii in pixels, from a spot of the optics to a small nucleus; each 1.6 times the one before, as differences of
# Gaussians of that ratio are near to the Laplacian (Marr, Hildreth, Proc R Soc B 207, 1980).
_RATIO = 1.6
_RADII = tuple(1.5 * _RATIO**k for k in range(5))
_ELONGATED = 4.0  # ratio of curvatures; above it a maximum is part of a line or an edge
_REAL = 5.0  # standard errors of the contrast: among a million pixels none passes by chance
_FAINTEST = 0.02  # of the contrast of the brightest: less is seen on no screen
_HALF, _STANDS_OUT = 0.5, 2.0
_SURROUNDINGS = 5  # radii
_GOOD, _PALE = 0.9, 0.7  # recall from which, and contrast below which, the verdict changes
_SAME = 0.1  # difference of recalls that is taken for none


@dataclass(frozen=True)
class Structures:
    """Small bright structures of a plane: places and radii in pixels, contrasts in grey values; each ndarray (N,)."""

    y: np.ndarray
    x: np.ndarray
    radius: np.ndarray
    contrast: np.ndarray

    def __len__(self):
        return len(self.y)


@dataclass(frozen=True)
class FaintScores:
    """What an image shows of the truth's structures.

    Attributes
    ----------
    count : int
        Of dim structures: the third of the lowest contrast in the truth. Bright is the third of the highest.
    recall_dim, recall_bright : float
        Share that is kept, 0 to 1.
    contrast_dim, contrast_bright : float
        Median of contrast in the image over contrast in the truth: 1 is as in the truth, less is paler.
    """

    count: int
    recall_dim: float
    contrast_dim: float
    recall_bright: float
    contrast_bright: float


def find_structures(truth):
    """Small bright structures of a plane with little noise.

    Maxima of differences of Gaussians over place and size, unless they are elongated or lie within a stronger one, of
    which the contrast is at least 5 times its standard error in the truth's own noise.

    Parameters
    ----------
    truth : ndarray (Y, X)

    Returns
    -------
    Structures

    References
    ----------
    Lowe: Distinctive image features from scale-invariant keypoints. IJCV 60(2), 2004.
    """
    truth = np.asarray(truth, "float64")
    noise = Noise.of(truth)
    found = []
    for radius in _RADII:
        # At the radius of a disk or Gaussian spot, this difference of Gaussians responds most.
        sigma = radius / np.sqrt(2 * _RATIO)
        response = gaussian_filter(truth, sigma, mode="mirror") - gaussian_filter(truth, sigma * _RATIO, mode="mirror")
        peaks = (response == maximum_filter(response, 2 * int(radius) + 1)) & (response > 0) & _compact(response)
        margin = len(_contrast_kernel(radius)) // 2
        peaks[:margin] = peaks[-margin:] = peaks[:, :margin] = peaks[:, -margin:] = False
        y, x = np.nonzero(peaks)
        contrast = contrast_map(truth, radius)[y, x]
        real = contrast > _REAL * noise.std[y, x] * _response(noise.blur, radius)
        y, x = y[real], x[real]
        found.append(np.stack([response[y, x], y, x, np.full(len(y), radius), contrast[real]], axis=1))
    found = np.concatenate(found)
    found = _strongest(found[np.argsort(-found[:, 0], kind="stable")])
    found = found[found[:, 4] > _FAINTEST * found[:, 4].max(initial=0)]
    return Structures(found[:, 1].astype(int), found[:, 2].astype(int), found[:, 3], found[:, 4])


def contrast_map(plane, radius):
    """How much brighter the disk of a radius around each pixel is than a ring around the disk, in grey values.

    Parameters
    ----------
    plane : ndarray (Y, X)
    radius : float
        Of the disk, in pixels. The ring begins at 1.5 radii and a pixel, and is 2 pixels wide.

    Returns
    -------
    ndarray (Y, X)
        Mean of the disk minus mean of the ring.
    """
    kernel = _contrast_kernel(radius)
    half = len(kernel) // 2
    plane = np.asarray(plane, "float64")
    padded = np.pad(plane - plane.mean(), half, mode="symmetric")
    return oaconvolve(padded, kernel, mode="valid")


def faint_scores(truth, images):
    """Look for the truth's structures in other images.

    Parameters
    ----------
    truth : sequence of ndarray (Y, X)
        Planes of one or more images.
    images : dict
        Name, such as "raw" or "prediction" -> sequence of ndarray (Y, X), the same planes in the truth's grey values.

    Returns
    -------
    dict or None
        Name -> :class:`FaintScores`; None if there are fewer than :data:`FEWEST` dim structures.

    Notes
    -----
    A structure is kept where its contrast (:func:`contrast_map`) is at least half of that in the truth and at least
    twice its standard error. That error is measured, for each structure and image, as the spread of the differences
    between image and truth in contrast all around (median absolute deviation): noise of any kind, shared by
    neighbouring pixels or not, and smears of a denoiser count alike. As contrast is a difference of means, not of
    single pixels, noise does not shift it: a raw image is judged by what its pixels together say, more than an eye
    would see in it. A structure that is not in the image is counted as kept in at most 2 % of cases by chance; one
    whose contrast is unchanged, but just twice the error, in half of them.
    """
    structures = [find_structures(plane) for plane in truth]
    contrast = np.concatenate([s.contrast for s in structures])
    order, third = np.argsort(contrast, kind="stable"), len(contrast) // 3
    if third < FEWEST:
        return None
    dim, bright = order[:third], order[-third:]
    scores = {}
    for name, planes in images.items():
        looked = [_look(s, t, p) for s, t, p in zip(structures, truth, planes)]
        kept, share = (np.concatenate([one[i] for one in looked]) for i in range(2))
        scores[name] = FaintScores(
            third,
            float(kept[dim].mean()),
            float(np.median(share[dim])),
            float(kept[bright].mean()),
            float(np.median(share[bright])),
        )
    return scores


def verdict(raw, prediction):
    """One sentence for the user.

    Parameters
    ----------
    raw, prediction : FaintScores or None
        Of the same truth. What the raw images do not show either, the denoiser is not blamed for.
    """
    if prediction is None:
        return "There are too few small bright structures to tell whether faint ones are lost"
    told = f"recall {prediction.recall_dim:.2f}; {prediction.recall_bright:.2f} of bright ones"
    lost = round((1 - prediction.recall_dim) * prediction.count)
    if prediction.recall_dim < _GOOD:
        start = f"Of {prediction.count} dim spots {lost} {'is' if lost == 1 else 'are'} lost ({told})"
        if raw is not None and raw.recall_dim < prediction.recall_dim + _SAME:
            return f"{start}: noise hides as many in the raw images (recall {raw.recall_dim:.2f})"
        return f"{start}: compare with the raw images before you count"
    if prediction.contrast_dim < _PALE:
        return (
            f"Faint structures are kept but pale (contrast {prediction.contrast_dim:.2f}; {told}): do not measure them"
        )
    return f"Faint structures are kept ({told}; contrast {prediction.contrast_dim:.2f})"


def _look(structures, truth, plane):
    """Whether each structure is kept in a plane, and which share of its contrast; ndarrays (N,)."""
    kept, share = np.zeros(len(structures), bool), np.zeros(len(structures))
    for radius in np.unique(structures.radius):
        there = contrast_map(plane, radius)
        difference = there - contrast_map(truth, radius)
        reach, step = int(_SURROUNDINGS * radius), max(1, int(radius / 2))
        for i in np.flatnonzero(structures.radius == radius):
            y, x, contrast = structures.y[i], structures.x[i], structures.contrast[i]
            around = difference[max(0, y - reach) : y + reach + 1 : step, max(0, x - reach) : x + reach + 1 : step]
            error = 1.4826 * np.median(np.abs(around - np.median(around)))
            share[i] = there[y, x] / contrast
            kept[i] = there[y, x] >= max(_HALF * contrast, _STANDS_OUT * error)
    return kept, share


def _strongest(found):
    """Of candidates in order of strength those that no stronger one overlaps; rows of response, y, x, radius, ..."""
    kept = np.zeros(len(found), bool)
    for i, (_, y, x, radius, _) in enumerate(found):
        others = found[:i][kept[:i]]
        far = np.square(others[:, 1] - y) + np.square(others[:, 2] - x)
        kept[i] = (far > np.square(np.maximum(others[:, 3], radius))).all()
    return found[kept]


def _compact(response):
    """Where the curvatures along the two main axes are alike, ndarray (Y, X) of bool."""
    (yy, yx), (_, xx) = (np.gradient(g) for g in np.gradient(response))
    determinant = yy * xx - yx**2
    return (determinant > 0) & ((yy + xx) ** 2 * _ELONGATED < (_ELONGATED + 1) ** 2 * determinant)


def _contrast_kernel(radius):
    """Disk minus ring, each of sum 1."""
    inner = 1.5 * radius + 1
    half = int(np.ceil(inner + 2))
    far = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1])
    disk, ring = far <= radius, (far > inner) & (far <= inner + 2)
    return disk / disk.sum() - ring / ring.sum()


def _response(blur, radius):
    """Standard deviation of a contrast in noise of a standard deviation of 1."""
    return float(np.sqrt(np.sum(np.square(oaconvolve(_contrast_kernel(radius), noise_kernel(blur))))))
