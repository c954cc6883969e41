"""How much a prediction and labels that may be wrong know of the same thing.

Labels that are wrong at random, alike in all pixels of a class, still tell which of several predictions is best: the
determinant of the joint distribution of prediction and label is then that with the right labels times a constant.

References
----------
Kong: Dominantly truthful multi-task peer prediction with a constant number of tasks. SODA 2020.
Xu, Cao, Kong, Wang: L_DMI, a novel information-theoretic loss function for training deep nets robust to label noise.
NeurIPS 2019, arXiv 1909.03388.
"""

import numpy as np

_LEVELS = 400


def dmi(first, second, kinds=2):
    """Determinant-based mutual information of two labelings of the same pixels.

    Parameters
    ----------
    first, second : ndarray of int, or bool
        Of one shape; pixels where one is negative, which says unknown, do not count.
    kinds : int
        Number of classes.

    Returns
    -------
    float
        ``|det U|``, where ``U[i, j]`` is the share of pixels that are i in the first and j in the second. 0 if either
        says nothing of the other; for two classes at most 0.25.

    >>> truth = np.array([0, 0, 1, 1])
    >>> dmi(truth, truth), dmi(truth, 1 - truth), dmi(truth, np.array([0, 1, 0, 1]))
    (0.25, 0.25, 0.0)
    """
    first, second = np.asarray(first, "int64"), np.asarray(second, "int64")
    known = (first >= 0) & (second >= 0)
    if not known.any():
        return 0.0
    counts = np.bincount(kinds * first[known] + second[known], minlength=kinds * kinds)
    return float(abs(np.linalg.det(counts.reshape(kinds, kinds) / known.sum())))


def levels(values, count=_LEVELS):
    """Thresholds to try: quantiles of some numbers, so that the same parts are told apart on whatever scale."""
    return np.unique(np.quantile(values, (np.arange(count) + 0.5) / count))


def threshold_by_dmi(examples):
    """The threshold of probabilities at which labels that may be wrong and the prediction know most of each other.

    That is where their DMI is the largest share of what a prediction with so many foreground pixels can reach with any
    labels. The largest DMI itself would take a pixel for foreground wherever that is likelier than on average: where
    foreground is rare, most of what is found would be wrong. Like the DMI, the share with wrong labels is that with
    right ones times a constant. (For two classes it is the Matthews correlation.)

    Parameters
    ----------
    examples : list of (probabilities, labels)
        Of foreground, float; 0 or 1, negative where unknown.

    Returns
    -------
    threshold : float
        What is above it is foreground.
    curve : list of dict
        threshold, dmi, and score (that share) of each that was tried. Predictions that say the opposite of the labels
        have 0.

    Raises
    ------
    ValueError
        If nothing is known of any pixel.
    """
    known = [(np.asarray(p)[labels >= 0], np.asarray(labels)[labels >= 0] > 0) for p, labels in examples]
    found, drawn = (np.concatenate(some) for some in zip(*known))
    if not found.size:
        raise ValueError("nothing is known of any pixel")
    tried = levels(found)
    above = [_above(values, tried) / found.size for values in (found[drawn], found)]
    # For two classes the determinant is the covariance.
    agreement = np.maximum(above[0] - above[1] * drawn.mean(), 0)
    spread = np.sqrt(above[1] * (1 - above[1]) * drawn.mean() * (1 - drawn.mean()))
    shares = agreement / np.maximum(spread, 1e-12)
    rows = zip(tried.tolist(), agreement.tolist(), shares.tolist())
    curve = [dict(zip(("threshold", "dmi", "score"), row)) for row in rows]
    # Thresholds between which there are few pixels are equally good: the middle of the best is least by chance.
    best = np.flatnonzero(shares >= shares.max() * (1 - 1e-6))
    return float(tried[best[len(best) // 2]]), curve


def _above(values, tried):
    """How many values are above each of some thresholds."""
    return values.size - np.searchsorted(np.sort(values), tried, side="right")
