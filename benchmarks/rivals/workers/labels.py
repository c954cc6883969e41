"""Seconds that it takes to compare label images, by this package, by stardist, or by denoiseg."""

import time

import say

asked = say.request()

import numpy as np  # noqa: E402

THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))


def ours():
    """Of this package."""
    from n2seg_utils.quality.label_scores import label_scores, match, match_many

    say.tell_versions("numpy", "scipy")
    return {
        "one threshold": lambda truth, found: match(truth, found)[1:4],
        "ten thresholds": lambda truth, found: [one[1:4] for one in match_many(truth, found, THRESHOLDS)],
        "all scores": lambda truth, found: label_scores(truth, found)["ap50"],
    }


def stardist():
    """Of stardist, whose matching of ten thresholds is one call too."""
    from stardist.matching import matching

    say.tell_versions("stardist", "numpy", "scipy", "numba")

    def counts(one):
        return one.tp, one.fp, one.fn

    return {
        "one threshold": lambda truth, found: counts(matching(truth, found)),
        "ten thresholds": lambda truth, found: [counts(one) for one in matching(truth, found, thresh=THRESHOLDS)],
    }


def denoiseg():
    """Of denoiseg, which knows one threshold."""
    from denoiseg.utils.compute_precision_threshold import measure_precision

    say.tell_versions("denoiseg", "numpy", "numba")
    precision = measure_precision()
    return {"one threshold": lambda truth, found: float(precision(truth, found))}


kinds = {"ours": ours, "stardist": stardist, "denoiseg": denoiseg}[asked["subject"]]()
with np.load(asked["pairs"]) as stored:
    pairs = list(zip(stored["truth"], stored["found"]))
for name, compare in kinds.items():
    compare(*pairs[0])  # compiles, imports
    begun = time.perf_counter()
    answers = [compare(truth, found) for truth, found in pairs]
    say.tell(values={name: time.perf_counter() - begun}, answers={name: np.asarray(answers, "float64").tolist()})
