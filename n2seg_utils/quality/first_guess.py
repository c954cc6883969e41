"""A first guess of what is foreground, from grey values alone: a blur, and a threshold for each image."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_li, threshold_otsu

from .estimated_error import self_supervised_loss

_SIGMAS = (0.0, *np.geomspace(0.5, 6, 16).tolist())
_PLANES, _WINDOW = 8, 256  # that the blur is chosen on, and pixels along each side of them


def choose_blur(planes):
    """The sigma of the Gaussian that predicts hidden pixels of noisy planes best.

    Parameters
    ----------
    planes : sequence of ndarray (Y, X)
        Of one kind; the first eight, their middle parts, are looked at.

    Returns
    -------
    float
        Pixels; the median of what is best for each plane. 0: leave them as they are.

    References
    ----------
    Batson, Royer: Noise2Self. ICML 2019 (J-invariance).
    """
    best = []
    for plane in planes[:_PLANES]:
        middle = _middle(np.asarray(plane, "float64"))
        losses = [self_supervised_loss(middle, lambda pixels, s=sigma: blurred(pixels, s)) for sigma in _SIGMAS]
        best.append(_SIGMAS[int(np.argmin(losses))])
    return float(np.median(best))


def blurred(plane, sigma):
    """A plane (Y, X) through a Gaussian of `sigma` pixels, float32; mirrored at its margin."""
    plane = np.asarray(plane, "float32")
    return gaussian_filter(plane, sigma, mode="mirror") if sigma else plane


@dataclass(frozen=True)
class Cut:
    """How an image is told into foreground and background.

    Attributes
    ----------
    threshold : float
    below : bool
        Whether what is darker is foreground.
    """

    threshold: float
    below: bool = False

    def __call__(self, pixels):
        """Foreground of grey values, bool."""
        return np.asarray(pixels) <= self.threshold if self.below else np.asarray(pixels) > self.threshold


def cut(pixels, threshold=threshold_otsu):
    """The cut at which the grey values and what is told apart know most of each other: the smaller part is foreground.

    What both know is their DMI as a share of what can be known, see :func:`~n2seg_utils.quality.dmi.threshold_by_dmi`;
    with grey values in place of labels its largest value is at Otsu's threshold.

    Parameters
    ----------
    pixels : ndarray
    threshold : callable
        Another way to find it, such as :func:`li`.

    Returns
    -------
    Cut

    References
    ----------
    Otsu: A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, and Cybernetics 9,
    1979.
    """
    pixels = np.asarray(pixels)
    level = float(threshold(pixels)) if pixels.min() < pixels.max() else float(pixels.max())
    return Cut(level, below=bool(np.count_nonzero(pixels > level) * 2 > pixels.size))


def li(pixels):
    """Li's threshold, to a thousandth of the range.

    scikit-image would go on until it is as exact as the grey values, which of floating point numbers takes minutes.

    References
    ----------
    Li, Tam: An iterative algorithm for minimum cross entropy thresholding. Pattern Recognition Letters 19, 1998.
    """
    return threshold_li(pixels, tolerance=np.ptp(pixels) / 1000)


def _middle(plane):
    return plane[tuple(slice(max(0, (side - _WINDOW) // 2), (side + _WINDOW) // 2 + side % 2) for side in plane.shape)]
