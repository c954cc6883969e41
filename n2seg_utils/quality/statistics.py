"""How sure a mean over images is, and whether one way is really better than another."""

import numpy as np
from scipy.stats import wilcoxon

_RESAMPLED = 10_000
_FEWEST = 6  # with five pairs, even if all say the same, the two-sided p is 0.0625


def interval(values):
    """A 95 % interval of the mean, by the percentile bootstrap.

    Parameters
    ----------
    values : sequence of float
        One of each image.

    Returns
    -------
    [low, high] or None
        None of fewer than three finite values.

    References
    ----------
    Efron: Bootstrap methods: another look at the jackknife. Annals of Statistics 7(1), 1979.
    """
    values = np.asarray(values, "float64")
    if len(values) < 3 or not np.isfinite(values).all():
        return None
    rng, means, left = np.random.default_rng(0), [], _RESAMPLED
    while left:  # in pieces, for there may be many images
        some = min(left, max(1, 2_000_000 // len(values)))
        means.append(values[rng.integers(len(values), size=(some, len(values)))].mean(axis=1))
        left -= some
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return [float(low), float(high)]


def paired_test(values, others):
    """The chance of differences as one-sided as these if neither way were better: Wilcoxon's signed-rank test.

    Parameters
    ----------
    values, others : sequence of float
        Two scores of each image.

    Returns
    -------
    float or None
        The two-sided p; None of fewer than six images, which cannot tell.

    References
    ----------
    Wilcoxon: Individual comparisons by ranking methods. Biometrics Bulletin 1(6), 1945.
    """
    differences = np.asarray(values, "float64") - np.asarray(others, "float64")
    if len(differences) < _FEWEST or not np.isfinite(differences).all():
        return None
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def in_words(p):
    """A p value as one writes it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
