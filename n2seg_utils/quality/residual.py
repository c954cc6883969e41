"""Judging a denoised image without the truth.

What the prediction took away should be noise and nothing else; what it shows should be in the raw image. Neither proves
a prediction right: structure that is fainter than the noise can be invented or lost without a trace.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import center_of_mass, gaussian_filter, label

from ..data.noise import NoiseCorrelation
from ..words import counted
from .noise_model import (
    NoiseModel,
    cut_off,
    describe_correlation,
    fine_noise,
    fit_noise,
    inflation,
    shared_noise,
)
from .structure import BLOCK, grey_scale, lost_structure, over_smoothing, pieces, structure_support

SEVERITIES = FINE, LOOK, PROBLEM = "fine", "look", "problem"
SMALLEST = BLOCK

# Evidence for the thresholds: 36 real pairs of a single frame and the mean of 50 as its perfect prediction (FMD:
# confocal, two-photon, widefield), 36 synthetic ones (data/samples.py, three noise levels), EM images with noise added;
# of each kind some were blurred, and had spots added or taken away. No perfect prediction passes any.
_SLOPES = (0.7, 1.4)  # perfect: 0.80 to 1.19, from bleaching and drifting lasers
_SHIFT = 0.5  # in standard deviations of the noise; perfect: up to 0.25
_UNTOUCHED, _LITTLE = 0.1, 0.4  # perfect: from 0.88 on
_BLURRED = 0.35  # perfect: up to 0.12; blurred by sigma 0.7: 0.13 to 0.38, by 1: 0.26 to 0.77
_VERY_BLURRED = 1.0  # blurred by sigma 2: 0.98 to 2.5, by 3: 2.2 to 6.7
_BLURRED_SHARED = 1.4  # of shared noise the prediction may have kept some: real widefield images with 30 % kept, 1.2
_OPPOSITE = -0.15  # perfect: from -0.04 on; raw images blurred by sigma 0.7: -0.2 to -0.28
_SURE, _SURE_BLURRED = 5.0, 3.0  # standard errors; a blur may be judged from few spots, and has `_BLURRED` too
_SEEN = 6.0  # standard errors that invented structure would have, so that it can be told; 2600 windows in 512 x 512
_MUCH = 0.01  # of the structure, or of the image: no longer single spots

_NAMED = 3  # places in a sentence


@dataclass(frozen=True)
class Remark:
    """One sentence of a verdict.

    Attributes
    ----------
    severity : str
        "fine", "look" or "problem".
    about : str
        "image", "removed", "scale", "smoothing", "lost", "invented", "correlation" or "noise".
    sentence : str
    """

    severity: str
    about: str
    sentence: str

    def __str__(self):
        return self.sentence


@dataclass(frozen=True)
class BlindVerdict:
    """What can be said of a denoised plane without the truth.

    Attributes
    ----------
    residual : ndarray (Y, X)
        Raw minus prediction, after the prediction was brought to the grey scale of the raw image if it had another.
    slope, offset : float
        raw = slope * prediction + offset.
    shift : float
        Mean of raw - prediction in standard deviations of the noise.
    removed : float
        Standard deviation of the residual over that of the raw image's finest noise; 0 if nothing was removed.
    smoothing : float
        How much of the predicted fine structure is in the residual once more; 0 is right, above it is over-smoothing.
    noise : NoiseModel
    correlation : NoiseCorrelation or None
        Of the residual, see :func:`~n2seg_utils.quality.noise_model.shared_noise`; None if the image is too small.
    support : ndarray (Y, X)
        1 where the raw image shows the predicted structure, 0 where it does not, NaN where too little is predicted to
        tell.
    invented, lost : ndarray (Y, X), bool
        Structure of the prediction that is not in the raw image, and the reverse.
    invented_share, lost_share : float
        Of the pixels in which it could be told, and of all pixels.
    findings : list of Remark
    """

    residual: np.ndarray
    slope: float
    offset: float
    shift: float
    removed: float
    smoothing: float
    noise: NoiseModel
    correlation: NoiseCorrelation | None
    support: np.ndarray
    invented: np.ndarray
    lost: np.ndarray
    invented_share: float
    lost_share: float
    findings: list

    @property
    def severity(self):
        """That of the worst finding."""
        return max((f.severity for f in self.findings), key=SEVERITIES.index)

    def about(self, subject):
        """The finding about a subject, or None."""
        return next((f for f in self.findings if f.about == subject), None)


def residual(raw, prediction):
    """Raw minus prediction of planes (Y, X) of any type, float64.

    Raises
    ------
    ValueError
        If they are no planes of the same shape, smaller than 16 x 16, or hold what is no number.
    """
    raw, prediction = _planes(raw, prediction)
    return raw - prediction


def judge_blind(raw, prediction):
    """Judge a denoised plane by the raw one.

    Parameters
    ----------
    raw, prediction : ndarray (Y, X)
        On the same grey scale.

    Returns
    -------
    BlindVerdict

    Raises
    ------
    ValueError
        See :func:`residual`.
    """
    rounding = 1 / 12 if np.asarray(raw).dtype.kind in "iu" else 0.0
    raw, prediction = _planes(raw, prediction)
    slope, offset, error = grey_scale(raw, prediction)
    shift = float((raw - prediction).mean())
    if abs(slope - 1) <= _SURE * error:
        slope, offset = 1.0, shift
    matched = slope * prediction + offset
    left = raw - matched
    spread, finest = float(left.std()), fine_noise(raw)
    removed = spread / finest if finest > 0 else float(spread > 0)
    noise, correlation = fit_noise(raw, matched), shared_noise(left, matched)
    smoothing, sure = over_smoothing(left, matched)
    variance = _local_variance(noise, matched, left) + max(rounding, 1e-12 * max(1.0, float(np.abs(raw).max())) ** 2)
    factor = inflation(correlation)
    bounded = _uncensored(raw, matched, left)
    lost = pieces(lost_structure(bounded, matched, variance, factor))
    support, certainty = structure_support(bounded, matched, variance, factor)
    told = certainty > _SEEN
    invented = pieces(told & (support < 0.5) & ((1 - support) * certainty > _SURE) & ~lost)
    told_of = {
        "slope": slope, "offset": offset, "shift": shift / spread if spread else 0.0, "removed": removed,
        "smoothing": smoothing if sure > _SURE_BLURRED else min(smoothing, 0.0), "noise": noise,
        "correlation": correlation, "support": np.where(told, support, np.nan), "invented": invented, "lost": lost,
        "invented_share": float(invented.sum() / max(1, told.sum())), "lost_share": float(lost.mean()),
    }  # fmt: skip
    scaled = not _SLOPES[0] < slope < _SLOPES[1]
    verdict = BlindVerdict(residual=left, findings=[], **told_of)
    verdict.findings.extend(_findings(verdict, raw, prediction, scaled))
    return verdict


def _findings(verdict, raw, prediction, scaled):
    """The remarks on a verdict."""
    if np.ptp(raw) == 0:
        return [Remark(LOOK, "image", "All pixels of the raw image have the same value: there is nothing to judge.")]
    if np.ptp(prediction) == 0:
        return [Remark(LOOK, "image", "All pixels of the prediction have the same value: it shows nothing.")]
    found = []
    if verdict.removed < _UNTOUCHED:
        words = "Nothing was removed: the prediction is the raw image"
        return [Remark(PROBLEM, "removed", f"{words}{' on another grey scale' if scaled else ''}, noise included.")]
    if verdict.removed < _LITTLE:
        words = f"Little was removed: what was taken away is {100 * verdict.removed:.0f} % as strong as the finest"
        found.append(Remark(LOOK, "removed", f"{words} noise of the raw image."))
    if scaled or abs(verdict.shift) > _SHIFT:
        line = f"raw = {verdict.slope:.3g} x prediction {verdict.offset:+.3g}"
        words = f"The prediction has another grey scale than the raw image ({line})"
        found.append(Remark(PROBLEM, "scale", f"{words}: bring both to the same before you compare or measure."))
    found += _of_structure(verdict)
    found.append(_of_correlation(verdict))
    found.append(Remark(FINE, "noise", f"The noise that was removed: {verdict.noise.describe()}."))
    return found


def _of_structure(verdict):
    found = []
    if verdict.smoothing > (_BLURRED_SHARED if _shared(verdict) else _BLURRED):
        severity = PROBLEM if verdict.smoothing > _VERY_BLURRED else LOOK
        words = "Over-smoothing: the residual shows structure of the image, so more than noise was taken away."
        found.append(Remark(severity, "smoothing", f"{words} Train longer, or smooth less."))
    if verdict.lost.any():
        severity = PROBLEM if verdict.lost_share > _MUCH else LOOK
        words = f"Structure of the raw image was removed {_places(verdict.lost)}."
        found.append(Remark(severity, "lost", f"{words} Look there; train longer, or smooth less."))
    if verdict.invented.any():
        severity = PROBLEM if verdict.invented_share > _MUCH else LOOK
        share = "less than 0.1 %" if verdict.invented_share < 0.001 else f"{100 * verdict.invented_share:.1f} %"
        words = f"The prediction shows structure that the raw image does not support {_places(verdict.invented)}"
        found.append(Remark(severity, "invented", f"{words} ({share} of its structure). Do not trust it there."))
    return found


def _of_correlation(verdict):
    """What the residual says of shared noise; a prediction that learned it leaves neighbours that are opposite."""
    correlation = verdict.correlation
    if correlation is None:
        return Remark(FINE, "correlation", "The image is too small to tell whether pixels share noise.")
    if _shared(verdict) in ("both", "square") and verdict.smoothing > _BLURRED_SHARED:
        words = "The prediction is over-smoothed, so nobody can tell whether pixels share noise."
        return Remark(FINE, "correlation", words)
    if _shared(verdict):  # no problem where the prediction comes from structN2V
        return Remark(LOOK, "correlation", describe_correlation(correlation))
    (low, along), (other, _) = sorted([(correlation.horizontal[0], "x"), (correlation.vertical[0], "y")])
    if low > _OPPOSITE:
        return Remark(FINE, "correlation", describe_correlation(correlation))
    words = f"Neighbouring pixels of the residual are opposite (correlation {low:.2f}): the prediction kept noise"
    sure = _SURE / np.sqrt(verdict.residual.size / 4)  # of the blocks, the flattest quarter is looked at
    # Blur does so along both, a network that learned from shared noise where it is shared.
    if other > low / 2 and other - low > sure:
        axis = "horizontal" if along == "x" else "vertical"
        words += f" that pixels share along {along}: train with algorithm structn2v, struct_axis {axis}."
        return Remark(PROBLEM, "correlation", words)
    return Remark(LOOK, "correlation", f"{words}. Train longer, or on more images.")


def _shared(verdict):
    """The axis along which pixels share noise, or None."""
    return verdict.correlation.axis if verdict.correlation else None


def _places(mask):
    """Where the largest pieces of a mask are, in words."""
    labels, _ = label(mask)
    sizes = np.bincount(labels.ravel())[1:]
    largest = np.argsort(sizes, kind="stable")[::-1][:_NAMED] + 1
    places = " and ".join(f"x={x:.0f}, y={y:.0f}" for y, x in center_of_mass(mask, labels, largest))
    more = f" and in {counted(len(sizes) - len(largest), 'other place')}" if len(sizes) > len(largest) else ""
    return f"around {places}{more}"


def _local_variance(noise, prediction, left):
    """Variance of the noise at each pixel: the model's, or what is measured around it if that is more."""
    model = noise.variance(prediction)
    return np.maximum(model, gaussian_filter(np.minimum(left**2, 16 * model), 16.0))


def _uncensored(raw, prediction, left):
    """The residual without the pixels in which the camera could not show what is predicted beyond its range."""
    beyond = (cut_off(raw, "high") & (left < 0)) | (cut_off(raw, "low") & (left > 0))
    return np.where(beyond, 0, left)


def _planes(raw, prediction):
    raw, prediction = (np.asarray(plane, "float64") for plane in (raw, prediction))
    if raw.ndim != 2 or raw.shape != prediction.shape or min(raw.shape) < SMALLEST:
        raise ValueError(
            f"raw {raw.shape} and prediction {prediction.shape} must be planes (Y, X) of the same shape, "
            f"at least {SMALLEST} x {SMALLEST}"
        )
    if not (np.isfinite(raw).all() and np.isfinite(prediction).all()):
        raise ValueError("raw and prediction must hold numbers only, neither NaN nor infinite ones")
    return raw, prediction
