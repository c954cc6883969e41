"""Which way is better, by how much, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from ..quality.statistics import interval


@dataclass(frozen=True)
class Difference:
    """How much better one group of runs is than another.

    Attributes
    ----------
    gain : float
        Difference of the means, over the seeds that both have.
    low, high : float or None
        95 % interval of the gain; None of fewer than two seeds. It holds what would come of other draws of annotated
        images (Student's t over the seeds, paired), and of other images to judge by (bootstrap over these).
    seeds : int
        In common.
    """

    gain: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def clear(self):
        """Whether the interval leaves no doubt which way is better."""
        return self.low is not None and (self.low > 0 or self.high < 0)


def difference(one, other, score, comparisons=1):
    """How much better one group is than another by a score; None without a seed in common.

    Parameters
    ----------
    one, other : Group
    score : str
    comparisons : int
        How many such differences are looked at, of which the best is told: the interval over seeds is wider for it
        (Bonferroni).

    Returns
    -------
    Difference or None

    References
    ----------
    Student: The probable error of a mean. Biometrika 6(1), 1908.
    """
    mine, theirs = one.scores.get(score, {}), other.scores.get(score, {})
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    gains = [mine[seed] - theirs[seed] for seed in seeds]
    gain = float(np.mean(gains))
    if len(seeds) < 2:
        return Difference(gain, None, None, 1)
    half = float(t.ppf(1 - 0.025 / comparisons, len(seeds) - 1) * np.std(gains, ddof=1) / np.sqrt(len(seeds)))
    low, high = gain - half, gain + half
    over_images = _over_images(one, other, score, seeds)
    if over_images:
        low, high = min(low, over_images[0]), max(high, over_images[1])
    if score != "psnr":  # all others are from 0 to 1
        low, high = max(low, -1.0), min(high, 1.0)
    return Difference(gain, low, high, len(seeds))


def best(some, score):
    """The group with the highest mean; None without any."""
    return max((g for g in some if g.mean(score) is not None), key=lambda g: g.mean(score), default=None)


def _over_images(one, other, score, seeds):
    """The interval of the gain over images, each of which counts with its mean over seeds."""
    mine, theirs = ({seed: g.per_image.get(score, {}).get(seed, {}) for seed in seeds} for g in (one, other))
    names = set.intersection(*(set(some[seed]) for some in (mine, theirs) for seed in seeds))
    gains = [np.mean([mine[seed][name] - theirs[seed][name] for seed in seeds]) for name in sorted(names)]
    return interval(gains)
