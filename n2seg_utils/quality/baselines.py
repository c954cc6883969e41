"""What simple filters make of a noisy plane: a network should be better than a Gaussian blur.

The filters' settings are found on noisy pixels alone: those of the least estimated error, see
:func:`~n2seg_utils.quality.estimated_error.estimated_error`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from .estimated_error import Noise, estimated_error, shared_blur

_WINDOW, _WINDOWS = 128, 4  # pixels a side, and how many of them the settings are found on


def _gaussian(plane, sigma):
    return gaussian_filter(plane, sigma, mode="mirror")


def _median(plane, size):
    return median_filter(plane, int(size), mode="mirror")


def _non_local_means(plane, h):
    # scikit-image advises h = 0.8 sigma in fast mode.
    return denoise_nl_means(plane, patch_size=5, patch_distance=6, h=h, sigma=h / 0.8, fast_mode=True)


def _total_variation(plane, weight):
    return denoise_tv_chambolle(plane, weight=weight, max_num_iter=100)


@dataclass(frozen=True)
class Method:
    """A way to filter a plane.

    Attributes
    ----------
    label : str
    function : callable
        ``function(plane, value)``.
    wording : str
        Of the setting, with a place for the value.
    values : tuple of float
        To choose from; 0 leaves a plane as it is.
    of_noise : bool
        Whether values are multiples of the noise's standard deviation.
    """

    label: str
    function: Callable
    wording: str
    values: tuple
    of_noise: bool = False


_STRENGTH = "strength {:,.10g} grey values"
_SIGMAS = (0, *np.geomspace(0.3, 8, 24).tolist())
METHODS = {
    "gaussian": Method("Gaussian blur", _gaussian, "sigma {:.2g} pixels", _SIGMAS),
    "median": Method("Median", _median, "{0:.0f} x {0:.0f} pixels", (0, 3, 5, 7)),
    "nlm": Method("Non-local means", _non_local_means, _STRENGTH, (0, 0.4, 0.6, 0.8, 1.1, 1.5), True),
    "tv": Method("Total variation", _total_variation, _STRENGTH, (0, 0.2, 0.4, 0.6, 0.9, 1.3, 1.9, 2.8), True),
}
ORACLE = "gaussian_with_truth"


@dataclass(frozen=True)
class Filter:
    """A method with its setting. Called with a plane (Y, X) of any type, it returns the filtered one, float32.

    Attributes
    ----------
    name, label : str
    function : callable
    value : float
        Second argument of the function, in pixels or grey values; 0 leaves a plane as it is.
    wording : str
    """

    name: str
    label: str
    function: Callable
    value: float
    wording: str

    def __call__(self, plane):
        plane = np.asarray(plane, "float64")
        return (self.function(plane, self.value) if self.value else plane).astype("float32")

    @property
    def setting(self):
        """In words, such as "sigma 1.3 pixels"."""
        return self.wording.format(self._brief) if self.value else "left as it is"

    def up_to(self, other):
        """A range of settings in words, such as "sigma 1.3 pixels" or "sigma 1.3 to 2.1 pixels"."""
        if self.setting == other.setting:
            return self.setting
        if not self.value:
            return f"none to {other.setting}"
        before, place, after = re.match(r"([^{]*)(.*})(.*)", self.wording).groups()
        return f"{before}{place.format(self._brief)} to {place.format(other._brief)}{after}"

    @property
    def _brief(self):
        """The setting to three digits; formatting to so many would make a power of ten of a large one."""
        return float(f"{self.value:.3g}")


@dataclass(frozen=True)
class Filtered:
    """A filtered plane (Y, X), float32, and the setting in words."""

    image: np.ndarray
    setting: str


def baselines(noisy, truth=None, methods=tuple(METHODS)):
    """Filter a plane with settings found on itself.

    Parameters
    ----------
    noisy, truth : ndarray (Y, X)
        With a truth there is one more: the Gaussian blur nearest to it, better than any a user could find.
    methods : sequence of str
        Of :data:`METHODS`.

    Returns
    -------
    dict
        Name -> :class:`Filtered`.
    """
    found = calibrate([noisy], None if truth is None else [truth], methods)
    return {name: Filtered(filter_(noisy), filter_.setting) for name, filter_ in found.items()}


def calibrate(noisy, truth=None, methods=tuple(METHODS)):
    """Find each method's setting on some planes, for all planes and images taken like them.

    Parameters
    ----------
    noisy, truth : sequence of ndarray (Y, X)
        Of one scale of grey values; the first four are looked at. With a truth, the Gaussian blur of the least squared
        error is added under the name :data:`ORACLE`.
    methods : sequence of str
        Of :data:`METHODS`.

    Returns
    -------
    dict
        Name -> :class:`Filter`.
    """
    planes = [np.asarray(plane, "float64") for plane in noisy[:_WINDOWS]]
    # Whole planes tell best how noise is shared: more of them is flat.
    blur = tuple(np.median([shared_blur(plane) for plane in planes], axis=0))
    windows = [(window, Noise.of(window, blur)) for window in _windows(planes)]
    noise = float(np.sqrt(np.mean([n.variance for _, n in windows])))
    found = {}
    for name in methods:
        method = METHODS[name]
        choices = [_filter(name, method, value * (noise if method.of_noise else 1)) for value in method.values]
        errors = [np.mean([estimated_error(*window_noise, choice) for window_noise in windows]) for choice in choices]
        found[name] = choices[int(np.argmin(errors))]
    if truth is not None:
        method, pairs = METHODS["gaussian"], list(zip(planes, truth))
        choices = [_filter(ORACLE, method, value) for value in method.values]
        errors = [np.mean([np.mean(np.square(choice(p) - np.asarray(t, "float64"))) for p, t in pairs])
                  for choice in choices]  # fmt: skip
        found[ORACLE] = choices[int(np.argmin(errors))]
    return found


def _filter(name, method, value):
    label = f"{method.label}, set with the truth" if name == ORACLE else method.label
    return Filter(name, label, method.function, float(value), method.wording)


def _windows(planes):
    """Parts of the planes, in the middle of each quarter of one of them."""
    places = []
    for k, quarter in enumerate([(1, 1), (3, 3), (1, 3), (3, 1)]):
        plane = planes[k % len(planes)]
        top, left = (max(0, min(size * q // 4 - _WINDOW // 2, size - _WINDOW)) for size, q in zip(plane.shape, quarter))
        places.append((k % len(planes), top, left))
    return [planes[p][top : top + _WINDOW, left : left + _WINDOW] for p, top, left in dict.fromkeys(places)]
