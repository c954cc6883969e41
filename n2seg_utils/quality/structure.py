"""How the structure of a denoised plane relates to what was taken away from the raw one."""

import numpy as np
from scipy.ndimage import convolve, gaussian_filter, label

BLOCK = 16  # pixels: of the noise measurement

_HAZE = 6.0  # pixels; structure is what a Gaussian blur of this sigma takes away
_WINDOW = 3.0  # pixels; sigma of the window in which structure is compared
_SPOT = 1.5  # pixels; sigma of what is looked for in the residual
# Of the perfect predictions of quality/residual.py:
_LOST = 6.0  # standard deviations; perfect: passed in 6 of 81 images, by one or two pixels
_SMALL = 8  # pixels; perfect: pieces of up to 2


def grey_scale(raw, prediction):
    """The line raw = slope * prediction + offset through what is left of both after a blur of 4 pixels.

    The blur makes over-smoothing look nearly alike; points off the line (invented or lost structure) are left out.

    Returns
    -------
    slope, offset, error : float
        `error` is the standard error of the slope; 1, the difference of the means and infinity without contrast.
    """
    given, found = (gaussian_filter(plane, 4.0)[::4, ::4].ravel() for plane in (prediction, raw))
    if np.ptp(given) <= 1e-9 * np.abs(given).max():
        return 1.0, float(found.mean() - given.mean()), np.inf
    keep = np.ones(given.size, bool)
    for _ in range(5):
        (slope, offset), covariance = np.polyfit(given[keep], found[keep], 1, cov="unscaled")
        apart = np.abs(found - slope * given - offset)
        typical = 1.4826 * np.median(apart[keep])
        keep = apart <= 3 * typical + 1e-12 * np.abs(found).max()
        if np.ptp(given[keep]) == 0:
            break
    # Noise blurred by sigma and sampled every sigma pixels is worth 4 pi times fewer samples.
    return float(slope), float(offset), float(typical * np.sqrt(4 * np.pi * covariance[0, 0]))


def over_smoothing(left, prediction):
    """How much of the fine structure of a prediction is in the residual once more.

    The residual of a blurred image is its structure, sharpened: regressed on the structure of the prediction (what a
    blur of 2 pixels takes away) it has a slope of 0.4 to 0.8 after a blur of sigma 1, of 2 to 7 after sigma 3. Each
    pixel is compared with its four neighbours in the prediction, since the noise that it kept itself is no structure,
    and what the flattest blocks hold is subtracted as noise that neighbours share.

    Returns
    -------
    slope : float
        0 if the prediction has no structure.
    sure : float
        The slope in standard errors.
    """
    structure = prediction - gaussian_filter(prediction, 2.0)
    beside = convolve(structure, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4)
    left = left - gaussian_filter(left, 8.0)
    power, shared = _above_flattest(beside * structure), _above_flattest(left * beside, beside * structure)
    if power <= 0:
        return 0.0, 0.0
    return float(shared / power), float(shared / np.sqrt(np.square(left * beside).mean() / left.size))


def structure_support(left, prediction, variance, factor):
    """Whether the raw image shows the structure of the prediction, in a Gaussian window around each pixel.

    Returns
    -------
    support : ndarray (Y, X)
        Slope of raw on predicted structure: 1 if it is there, 0 if it is invented.
    certainty : ndarray (Y, X)
        One over the standard error of that slope, with noise of the given variance.
    """
    structure = prediction - gaussian_filter(prediction, _HAZE)
    left = left - gaussian_filter(left, _HAZE)
    # A hot pixel must not speak for its surroundings, but all that was invented may be missing.
    bound = 4 * np.sqrt(variance) + 1.5 * np.abs(structure)
    power = gaussian_filter(structure**2, _WINDOW) + np.finfo(float).tiny
    slope = gaussian_filter(structure * np.clip(left, -bound, bound), _WINDOW) / power
    # The square of a Gaussian window is a narrower one, of this height; both are cut at the same distance.
    narrow = gaussian_filter(structure**2 * variance, _WINDOW / np.sqrt(2), truncate=4 * np.sqrt(2))
    doubt = narrow / (4 * np.pi * _WINDOW**2)
    return 1 + slope, power / np.sqrt(factor * doubt + np.finfo(float).tiny)


def lost_structure(left, prediction, variance, factor):
    """Where the residual holds spots that are no noise, and that were not invented by the prediction; bool (Y, X)."""
    sigma = np.sqrt(variance)
    spots = gaussian_filter(np.clip(left - gaussian_filter(left, _HAZE), -4 * sigma, 4 * sigma), _SPOT)
    predicted = gaussian_filter(prediction - gaussian_filter(prediction, _HAZE), _SPOT)
    invented = (spots * predicted < 0) & (np.abs(predicted) > 0.5 * np.abs(spots))
    return (np.abs(spots) > _LOST * sigma * np.sqrt(factor) / (2 * np.sqrt(np.pi) * _SPOT)) & ~invented


def pieces(mask):
    """A mask without its small pieces: they are chance."""
    pieces, _ = label(mask)
    large = np.bincount(pieces.ravel()) >= _SMALL
    large[0] = False
    return large[pieces]


def _above_flattest(product, order=None):
    """Mean of a product over all blocks of 16 x 16 pixels, less that of the quarter with the least (of `order`)."""
    values, by = (_block_means(p) for p in (product, product if order is None else order))
    return values.mean() - values[np.argsort(by)[: max(1, len(by) // 4)]].mean()


def _block_means(plane):
    rows, columns = (size // BLOCK for size in plane.shape)
    blocks = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return blocks.mean(axis=(1, 3)).ravel()
