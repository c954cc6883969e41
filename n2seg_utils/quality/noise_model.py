"""The noise that a denoised image took away: how strong it is, what kind it is, and how far pixels share it."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import convolve, gaussian_filter, gaussian_gradient_magnitude

from ..data.noise import NoiseCorrelation, correlations
from ..words import rounded

_BINS = 24
_FEWEST = 100  # pixels in a bin: their variance is known to 14 %
# Of the mean variance, rise from dark to bright and its standard error. Constant noise over real EM images: up to 0.03;
# real widefield images: 0.32 to 0.54; real confocal and two-photon images and synthetic nuclei and spots: from 1.1 on.
_RISE, _UNSURE = 0.25, 0.15
_AT_ZERO = 0.1  # share of the bright pixels' variance that is there at grey value 0; confocal: below 0, widefield: 0.5
_BANDS = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 6.0)  # pixels; half an octave apart
_SHARED = 0.1  # correlation; white noise measures up to 0.06 in residuals
_SATURATED = 0.01  # share of a bin's pixels that the camera cut off


@dataclass(frozen=True)
class NoiseModel:
    """Variance of the noise as a line: offset + gain * intensity.

    Attributes
    ----------
    sigma : float
        Standard deviation over all pixels, in grey values.
    gain : float
        Rise of the variance with intensity; for photon noise, grey values per photon (or per electron).
    offset : float
        Variance at grey value 0.
    kind : str or None
        "gaussian", "poisson" or "both"; None if too few brightnesses were seen to tell. Where the camera adds an
        offset to its grey values, its reading noise cannot be told from it, and "poisson" covers both.
    least : float
        The smallest variance that was measured; darker pixels are not believed to have less.
    """

    sigma: float
    gain: float
    offset: float
    kind: str | None
    least: float = 0.0

    def variance(self, intensity):
        """Variance of the noise at some intensities."""
        if self.kind in (None, "gaussian"):
            return np.full(np.shape(intensity), self.sigma**2)
        return np.maximum(self.offset + self.gain * np.asarray(intensity), self.least)

    def describe(self):
        """The noise in words."""
        if self.kind == "gaussian":
            return f"Gaussian (sigma {rounded(self.sigma)} grey values at all brightnesses)"
        if self.kind is None:
            return f"sigma {rounded(self.sigma)} grey values; Gaussian or Poisson-like cannot be told"
        photons = f"variance grows with brightness, gain {rounded(self.gain, 2)} grey values per photon"
        if self.kind == "poisson":
            return f"Poisson-like ({photons})"
        dark = rounded(np.sqrt(self.offset))
        return f"both Gaussian (sigma {dark} grey values in the dark) and Poisson-like ({photons})"


def fit_noise(raw, prediction):
    """Fit a line to the variance of raw - prediction in bins of the predicted intensity.

    Only the half of each bin's pixels where the prediction is flattest is looked at, outliers beyond four standard
    deviations are left out, and so are bins in which the camera was saturated.

    Parameters
    ----------
    raw, prediction : ndarray (Y, X), float

    Returns
    -------
    NoiseModel

    References
    ----------
    Foi, Trimeche, Katkovnik, Egiazarian: Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data. IEEE Trans Image Process 17(10), 2008.
    """
    residual = raw - prediction
    slope = gaussian_gradient_magnitude(prediction, 1.0)
    cut = cut_off(raw, "low") | cut_off(raw, "high")
    low, high = np.percentile(prediction, (0.1, 99.9))
    # Equally wide ones see bright pixels, equally full ones tell an image apart that has one very bright object.
    edges = [
        *np.linspace(low, high, _BINS // 2 + 1)[1:-1],
        *np.quantile(prediction, np.linspace(0, 1, _BINS // 2 + 1)[1:-1]),
    ]
    bins = np.digitize(prediction, np.unique(edges))
    found = []
    for number in np.unique(bins):
        inside = bins == number
        if inside.sum() < _FEWEST or cut[inside].mean() > _SATURATED:
            continue
        flat = inside & (slope <= np.median(slope[inside]))
        found.append((prediction[flat].mean(), *_clipped_variance(residual[flat])))
    if not found:
        variance = _clipped_variance(residual.ravel())[0]
        return NoiseModel(float(np.sqrt(variance)), 0.0, float(variance), None, float(variance))
    intensity, variance, count = np.array(found).T
    mean = float(np.average(variance, weights=count))
    sigma, least = float(np.sqrt(mean)), float(variance.min())
    unknown = NoiseModel(sigma, 0.0, mean, None, least)
    if len(found) < 4 or mean == 0:
        return unknown
    gain, offset, error = _line(intensity, variance, count)
    span = np.ptp(intensity)
    if error * span > max(_UNSURE * mean, gain * span / 4):
        return unknown
    bright = offset + gain * intensity.max()
    if gain * span < _RISE * mean:
        # Within less than the noise itself, photon noise would not change either.
        return NoiseModel(sigma, 0.0, mean, "gaussian" if span > sigma else None, least)
    return NoiseModel(sigma, gain, offset, "both" if offset > _AT_ZERO * bright else "poisson", least)


def correlation_of(plane):
    """:class:`~n2seg_utils.data.noise.NoiseCorrelation` of one plane (Y, X), or None if it is too small."""
    found = correlations(plane)
    if found is None:
        return None
    horizontal, vertical, diagonal = found
    return NoiseCorrelation(tuple(horizontal.tolist()), tuple(vertical.tolist()), float(diagonal))


def shared_noise(left, prediction):
    """Correlation of a residual; of shared noise, not of structure.

    Where neighbouring pixels of the residual are alike, that may be structure of the image. What a filter could make of
    the prediction is therefore taken out first: bands of it, half an octave wide, fitted to the residual.

    Returns
    -------
    NoiseCorrelation or None
        None if the image is too small.
    """
    found = correlation_of(left)
    if found is None or found.axis is None:
        return found
    blurred = [prediction, *(gaussian_filter(prediction, sigma) for sigma in _BANDS)]
    bands = np.stack([(fine - coarse).ravel() for fine, coarse in pairwise(blurred)], axis=1)
    weights = np.linalg.lstsq(bands.T @ bands, bands.T @ left.ravel(), rcond=None)[0]
    return correlation_of(left - (bands @ weights).reshape(left.shape))


def describe_correlation(correlation):
    """How pixels share noise, in words, with the settings that fit."""
    if correlation.axis is None:
        return "The noise is independent from pixel to pixel, as Noise2Void assumes."
    along = {"horizontal": "along x", "vertical": "along y", "both": "along x and y", "square": "in all directions"}
    return (
        f"The noise is correlated {along[correlation.axis]} over about {correlation.length // 2} pixels: train with "
        f"algorithm structn2v, struct_axis {correlation.axis}, struct_length {correlation.length}."
    )


def inflation(correlation):
    """By how much shared noise raises the variance of a sum over many pixels; 1 for independent noise."""
    if correlation is None:
        return 1.0
    lines = (np.array(line) for line in (correlation.horizontal, correlation.vertical))
    across, down = (1 + 2 * float(line[line > _SHARED].sum()) for line in lines)
    return across * down


def cut_off(raw, end):
    """Where an image has its lowest ("low") or highest ("high") value, if several pixels do: there the camera ended."""
    at_end = raw == (raw.min() if end == "low" else raw.max())
    return at_end if at_end.sum() > 1 else np.zeros(raw.shape, bool)


def fine_noise(plane):
    """Standard deviation of independent noise in one plane (Y, X), without a prediction.

    From the median size of a second difference that leaves planes and edges along X or Y out.

    References
    ----------
    Immerkaer: Fast noise variance estimation. Computer Vision and Image Understanding 64(2), 1996.
    """
    kernel = np.outer([1, -2, 1], [1, -2, 1]) / 6
    return float(1.4826 * np.median(np.abs(convolve(plane, kernel))))


def _clipped_variance(values):
    """Variance of values within four standard deviations, and their number."""
    for _ in range(3):
        far = np.abs(values - values.mean()) > 4 * values.std()
        if not far.any():
            break
        values = values[~far]
    return float(values.var()), values.size


def _line(intensity, variance, count):
    """Weighted line through the variances; bins far from it count little. Slope, value at 0, error of the slope."""
    middle = np.average(intensity, weights=count)
    basis = np.stack([np.ones_like(intensity), intensity - middle], axis=1)
    fitted, robust = np.full(len(variance), np.median(variance)), np.ones(len(variance))
    for _ in range(20):
        # The variance of a variance is 2 v^2 / n; the model's v, since a bin that is low by chance must not count more.
        weights = robust * count / (2 * np.maximum(fitted, 0.05 * variance.max()) ** 2)
        covariance = np.linalg.inv(basis.T @ (weights[:, None] * basis))
        solution = covariance @ (basis.T @ (weights * variance))
        fitted = basis @ solution
        relative = np.abs(variance / np.maximum(fitted, 0.05 * variance.max()) - 1)
        robust = np.minimum(1, 1.5 * 1.4826 * np.median(relative) / np.maximum(relative, 1e-12))
        robust = np.maximum(robust, 1e-6)
    spread = max(1.0, float((weights * (variance - fitted) ** 2).sum() / max(1, len(variance) - 2)))
    return float(solution[1]), float(solution[0] - solution[1] * middle), float(np.sqrt(spread * covariance[1, 1]))
