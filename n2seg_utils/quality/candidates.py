"""Foreground that nobody drew: thresholds of an image, or of what a network says of it, and the labels made from them.

References
----------
Batson, Royer: Noise2Self: Blind denoising by self-supervision. ICML 2019.
Luo, Liu, Shi, Zheng, Wang, Yang: Deep Neural Networks Learn Meta-Structures from Noisy Labels in Semantic Segmentation.
AAAI 2022.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from ..data.label_noise import sampled, shifted, skeleton
from .baselines import calibrate
from .dmi import dmi

_TRIED = 30  # thresholds, as in the paper
_NOTHING = 0.05  # correlation below which an image and itself agree on nothing
_THIN = 8  # pixels of width on average, up to which a pixel to each side of the middle line is most of a structure
_LEAST_SIGMA = 0.5  # pixels; below, there is hardly anything to predict a pixel from but itself


def smoothing(plane):
    """The sigma of the Gaussian blur, in pixels, that brings a noisy plane (Y, X) nearest to the clean one.

    It is found on the noisy pixels, see :func:`~n2seg_utils.quality.baselines.calibrate`.
    """
    return calibrate([plane], methods=("gaussian",))["gaussian"].value


def blurred(plane, sigma):
    """A plane (Y, X) after a Gaussian blur."""
    plane = np.asarray(plane, "float64")
    return gaussian_filter(plane, sigma, mode="mirror") if sigma else plane


def brighter_part(plane, sigma):
    """The bright (or, if that is most of the plane, the dark) part of a noisy plane.

    Parameters
    ----------
    plane : ndarray (Y, X)
    sigma : float
        Of the blur after which thresholds are tried.

    Returns
    -------
    ndarray (Y, X), bool
        Nothing, if the plane shows nothing.

    Notes
    -----
    Whether a pixel itself is above a threshold is a label, though a noisy one; whether the blur of its surroundings
    without it is above is a prediction, whose noise is another. The threshold is that at which both know most of each
    other, by their DMI as a share of what so many pixels of foreground allow: label and prediction change with it.
    """
    plane, smooth = np.asarray(plane, "float64"), blurred(plane, sigma)
    around = _without_itself(plane, max(sigma, _LEAST_SIGMA))
    tried = _thresholds(smooth)
    known = [_correlation(plane > threshold, around > threshold) for threshold in tried]
    if max(known) < _NOTHING:
        return np.zeros(plane.shape, bool)
    found = smooth > tried[int(np.argmax(known))]
    return ~found if found.mean() > 0.5 else found


def agreed_part(plane, sigma, probabilities):
    """The part of a noisy plane above, or below, a threshold that a network agrees with most.

    Labels so remain what an image shows, whatever a network that has not learned enough believes.

    Parameters
    ----------
    plane : ndarray (Y, X)
    sigma : float
        Of the blur after which thresholds are tried.
    probabilities : ndarray (Y, X)
        Of foreground, as the network says.

    Returns
    -------
    ndarray (Y, X), bool
        Nothing, if they agree on nothing.

    Notes
    -----
    As in :func:`brighter_part`, by the DMI as a share of what is possible. As probabilities need no threshold, U sums
    probabilities, not pixels; its determinant is then the covariance of candidate and probability.
    """
    smooth = blurred(plane, sigma)
    rows = smooth.ravel(), np.asarray(probabilities, "float64").ravel()
    best, most = None, _NOTHING
    for threshold in _thresholds(smooth):
        above = rows[0] > threshold
        spread = above.std() * rows[1].std()
        agreement = (np.mean(above * rows[1]) - above.mean() * rows[1].mean()) / spread if spread else 0.0
        if abs(agreement) > most:
            best, most = (smooth > threshold) == (agreement > 0), abs(agreement)
    return np.zeros(smooth.shape, bool) if best is None else best


def own_labels(candidate, rng):
    """Labels to learn from that keep what is right of a candidate, and little of what is wrong.

    Of thin structures the middle lines; every pixel moved by up to one, and a tenth of them drawn at random. Mistakes
    at the edges of thin structures go, and what is left is wrong at random, which a network forgives. The middle lines
    of wide objects would be another shape, and a network learns that.

    Parameters
    ----------
    candidate : ndarray (..., Y, X), bool
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (..., Y, X), bool
    """
    lines = skeleton(candidate, rng)
    thin = candidate.sum() <= _THIN * lines.sum()
    return sampled(shifted(lines if thin else candidate, rng, 1), rng, 0.1)


def _thresholds(smooth):
    return np.linspace(smooth.min(), smooth.max(), _TRIED + 2)[1:-1]


def _without_itself(plane, sigma):
    """The Gaussian blur of what is around each pixel."""
    side = 2 * int(4 * sigma + 1) + 1
    one = np.zeros((side, side))
    one[side // 2, side // 2] = 1
    own = gaussian_filter(one, sigma)[side // 2, side // 2]
    return (gaussian_filter(plane, sigma, mode="mirror") - own * plane) / (1 - own)


def _correlation(first, second):
    shares = first.mean(), second.mean()
    allowed = np.prod([share * (1 - share) for share in shares])
    return dmi(first, second) / np.sqrt(allowed) if allowed else 0.0
