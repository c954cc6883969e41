"""The rule from probabilities to objects, tuned on validation images whose probabilities are computed once."""

from dataclasses import dataclass, replace

import numpy as np

from ..quality.overlap import overlap
from ..quality.pixel_scores import class_scores
from .objects import EVERY_HOLE, Rule

THRESHOLDS = tuple(round(0.1 * k, 1) for k in range(1, 10))
SEEDS = {"border": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), "distance": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
# Objects this much smaller than nearly all that were drawn are not of their kind.
_SMALL_SHARES = (0.0, 0.25, 0.5)
_FIRST_SEED = {"border": 0.7, "distance": 0.4}


@dataclass(frozen=True)
class Tuned:
    """The best rule, and how good others were.

    Attributes
    ----------
    rule : Rule
    score : float
        Of the best rule; see :func:`score`.
    curve : list of dict
        For each threshold, all else as in the best rule: threshold and score.
    """

    rule: Rule
    score: float
    curve: list


def tune(examples, find, score, start, choices, margin=0.0, on_progress=None):
    """Find the rule with the highest mean score, one of its numbers after another, twice.

    Parameters
    ----------
    examples : list of (probabilities, truth)
    find : callable
        ``find(probabilities, rule)`` gives labels.
    score : callable
        ``score(truth, labels)``.
    start : Rule
    choices : dict
        Name of a number -> values to try.
    margin : float
        What another value must gain to be preferred: few examples prove little.
    on_progress : callable, optional
        ``on_progress(share, words)``.

    Returns
    -------
    Tuned
    """
    known = {}
    total = 2 * sum(map(len, choices.values()))
    done = 0

    def mean(rule):
        if rule not in known:
            known[rule] = float(np.mean([score(truth, find(found, rule)) for found, truth in examples]))
        return known[rule]

    best = start
    for _ in range(2):
        for name, values in choices.items():
            for value in values:
                rule = replace(best, **{name: value})
                if mean(rule) > mean(best) + margin:
                    best = rule
                done += 1
                if on_progress:
                    on_progress(done / total, name.replace("_", " "))
    curve = [{"threshold": t, "score": mean(replace(best, threshold=t))} for t in THRESHOLDS]
    return Tuned(best, mean(best), curve)


def plan(kind, method, sizes):
    """Where to begin, what to try, and what a change must gain, for a kind of target.

    Parameters
    ----------
    kind : str
        "binary", "classes" or "instances".
    method : str
        "border" or "distance", for instances.
    sizes : sequence of int
        Pixels of the objects that were drawn, or of the pieces of classes.

    Returns
    -------
    start : Rule
    choices : dict
    margin : float
    """
    sizes = [size for size in sizes if size]  # numbers of objects have gaps
    small = np.percentile(sizes, 1) if sizes else 0
    found = {"threshold": THRESHOLDS}
    if kind == "instances":
        found = {"seed": SEEDS[method]} | found
    found["min_size"] = tuple(dict.fromkeys(int(share * small) for share in _SMALL_SHARES))
    found["largest_hole"] = (0, max(1, int(small)), EVERY_HOLE)
    start = Rule(seed=_FIRST_SEED[method], min_size=int(_SMALL_SHARES[1] * small))
    # Half an object more, or a thousandth of the pixels.
    return start, found, 0.5 / max(1, len(sizes)) if kind == "instances" else 0.001


def object_score(truth, labels):
    """Mean of the average precision at IoU 0.5 and over 0.50 to 0.95: what is found, and how exactly."""
    known = truth >= 0
    scores = overlap(truth * known, labels * known).scores()
    return (scores["ap50"] + scores["ap"]) / 2


def pixel_score(truth, labels):
    """Mean IoU of the classes other than background that occur in either."""
    known = truth >= 0
    return class_scores(truth[known], labels[known], range(1, 1 + int(max(truth.max(), labels.max()))))["iou"]
