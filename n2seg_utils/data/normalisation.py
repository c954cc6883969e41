"""Brightness scaling: decided once, stored with the model, undone after prediction."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from .images import require_finite
from .smoothing import smoothed

_SAMPLE = 1_000_000  # pixels looked at in each image
_SPREAD = 3.0  # from this ratio of contrasts on, images do not share one scale


@dataclass(frozen=True)
class Normalisation:
    """Subtracts a mean and divides by a standard deviation, per channel; invertible.

    Attributes
    ----------
    kind : str
        "dataset": `mean` and `std` hold for all images. "image": each image has its own, and these are typical ones.
    mean, std : tuple of float
        One a channel.
    """

    kind: str
    mean: tuple
    std: tuple

    def __post_init__(self):
        _require_numbers(self.std, self.mean)

    def for_image(self, image):
        """The scaling to use for one ImageFile."""
        if self.kind == "dataset":
            return self
        mean, std = statistics(image)
        return Normalisation("dataset", mean, _divisible(std))

    def apply(self, pixels):
        """Grey values (..., C) -> what the network sees, float32."""
        scaled = np.asarray(pixels, "float32") - np.float32(self.mean)
        scaled /= np.float32(self.std)
        return scaled

    def undo(self, pixels):
        """What the network says (..., C) -> grey values, float32."""
        return pixels * np.float32(self.std) + np.float32(self.mean)


def statistics(image):
    """Mean and standard deviation of each channel of an ImageFile, from evenly spread pixels.

    Raises
    ------
    UserError
        If a pixel is not a number.
    """
    values = _spread(image)
    return tuple(values.mean(axis=0).tolist()), tuple(values.std(axis=0).tolist())


def _spread(image, blur=0.0):
    """Evenly spread pixels of an ImageFile, (N, C), float64; of planes that were blurred, if that is above 0."""
    step = max(1, image.planes // 16)
    chosen = range(0, image.planes, step)
    height, width, channels = image.plane_shape
    stride = max(1, round(np.sqrt(height * width * len(chosen) / _SAMPLE)))
    # Fewer rows and more pixels of each: a disk reads rows, so that skipping pixels within one saves nothing.
    rows = min(stride**2, 16 * stride)
    columns = max(1, round(stride**2 / rows))
    planes = (smoothed(image.plane(i), blur) if blur else image.plane(i) for i in chosen)
    values = np.concatenate([np.asarray(plane[::rows, ::columns]).reshape(-1, channels) for plane in planes])
    values = values.astype("float64")
    require_finite(values, image.path)
    return values


def fit(images, kind, blank=False):
    """The scaling of a set of ImageFiles.

    Parameters
    ----------
    images : list of ImageFile
    kind : str
        "dataset", "image", or "auto": one scale unless the images' contrasts differ more than threefold.
    blank : bool
        Accept an image whose pixels are all equal.

    Returns
    -------
    Normalisation

    Raises
    ------
    UserError
        If all pixels of an image are equal: nothing can be learned from it.
    """
    found = [statistics(image) for image in images]
    for image, (mean, std) in zip(images, found):
        if not any(std) and not blank:
            raise UserError(f"All pixels of {image.path} are equal ({mean[0]:g}). Remove it from the folder")
    means, stds = np.array([m for m, _ in found]), np.array([s for _, s in found])
    pixels = np.array([float(np.prod(image.shape, dtype="int64")) for image in images])
    if kind == "auto":
        least = np.where(stds > 0, stds, np.inf).min(axis=0)  # a channel that is dead in one image says nothing
        kind = "image" if (stds.max(axis=0) > _SPREAD * least).any() else "dataset"
    mean = np.average(means, axis=0, weights=pixels)
    variance = np.average(stds**2 + (means - mean) ** 2, axis=0, weights=pixels)
    return Normalisation(kind, tuple(mean.tolist()), _divisible(np.sqrt(variance).tolist()))


@dataclass(frozen=True)
class Percentiles:
    """Scales the grey values between two percentiles of a whole image to 0 and 1, per channel.

    An image with less contrast than any that was trained on may be empty: stretching its noise would show objects where
    there are none. It is scaled like the one that had the least.

    Attributes
    ----------
    kind : str
        "image": each image has its own scale. "dataset": `low` and `high` hold for all images.
    low, high : tuple of float
        Typical grey values at the two percentiles, one a channel.
    least : tuple of float
        The smallest difference between both that an image had.
    blur : float
        Sigma, in pixels, of a blur before percentiles are looked for, so that noise does not widen them; see
        :func:`~n2seg_utils.data.smoothing.smoothed`.
    zero, one : float
        What becomes 0 and what becomes 1, if not the two percentiles, in units of the range between them.
    """

    kind: str
    low: tuple
    high: tuple
    least: tuple
    zero: float = 0.0
    one: float = 1.0
    blur: float = 0.0

    def __post_init__(self):
        _require_numbers((1.0,), (self.blur,))
        _require_numbers(self.least, self.low, self.high)
        _require_numbers((self.one - self.zero,), (self.zero,))

    def for_image(self, image):
        """The scaling to use for one ImageFile."""
        if self.kind == "dataset":
            return self
        low, high = percentiles(image, blur=self.blur)
        high = np.maximum(high, low + np.array(self.least))
        return replace(self, kind="dataset", low=tuple(low.tolist()), high=tuple(high.tolist()))

    @property
    def limits(self):
        """The grey values that become 0 and 1, two arrays float32 (C,)."""
        low, span = np.array(self.low), np.subtract(self.high, self.low)
        return np.float32(low + self.zero * span), np.float32(low + self.one * span)

    @property
    def range(self):
        """What the range between the percentiles becomes."""
        return 1 / (self.one - self.zero)

    def apply(self, pixels):
        """Grey values (..., C) -> what the network sees, float32."""
        zero, one = self.limits
        scaled = np.asarray(pixels, "float32") - zero
        scaled /= one - zero
        return scaled

    def undo(self, pixels):
        """What the network says (..., C) -> grey values, float32."""
        zero, one = self.limits
        return pixels * (one - zero) + zero


PERCENTILES = (1.0, 99.8)  # as csbdeep and StarDist do


def percentiles(image, which=PERCENTILES, blur=0.0):
    """The grey values at two percentiles, two arrays (C,), of evenly spread pixels of an ImageFile, blurred or not."""
    return np.percentile(_spread(image, blur), which, axis=0)


def standard(scaling, images):
    """A percentile scaling with which ImageFiles have a mean of 0 and a variance of 1, on average: Noise2Void learns
    faster then."""
    plain = replace(scaling, zero=0.0, one=1.0)
    found = [plain.for_image(image).apply(_spread(image)) for image in images]
    middle = float(np.mean([pixels.mean() for pixels in found]))
    width = float(np.sqrt(np.mean([np.square(pixels - middle).mean() for pixels in found]))) or 1.0
    return replace(scaling, zero=middle, one=middle + width)


def fit_percentiles(images, kind, blur=0.0):
    """The percentile scaling of a set of ImageFiles; `kind` is "image" or "dataset", `blur` that of Percentiles.

    Raises
    ------
    UserError
        If all images are empty.
    """
    lows, highs = np.array([percentiles(image, blur=blur) for image in images]).swapaxes(0, 1)
    spans = highs - lows
    if not spans.any():
        raise UserError(f"All images have the same value everywhere, for example {images[0].path}. Check the folder")
    # A channel without contrast is left unscaled.
    least = np.where(spans > 0, spans, np.inf).min(axis=0)
    least = np.where(np.isfinite(least), least, 1.0)
    low = np.median(lows, axis=0)
    high = np.maximum(np.median(highs, axis=0), low + least)
    return Percentiles(kind, tuple(low.tolist()), tuple(high.tolist()), tuple(least.tolist()), blur=blur)


def alike(one, other):
    """Whether two Normalisations belong to images of about the same brightness and contrast."""
    ratio = np.array(one.std) / np.array(other.std)
    apart = np.abs(np.array(one.mean) - np.array(other.mean)) / np.maximum(one.std, other.std)
    return bool((ratio < _SPREAD).all() and (ratio > 1 / _SPREAD).all() and (apart < _SPREAD).all())


def _require_numbers(sizes, *values):
    """Raise a ValueError unless all are finite numbers, one a channel, and sizes are above zero."""
    found = np.array([sizes, *values], "float64")
    if found.ndim != 2 or not found.size or not np.isfinite(found).all() or found[0].min() <= 0:
        raise ValueError(f"no scaling: {found}")


def _divisible(std):
    """A channel without contrast is left unscaled."""
    return tuple(s if s > 0 else 1.0 for s in std)
