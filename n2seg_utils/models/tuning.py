"""The rule from probabilities to objects, tuned on validation images whose probabilities are computed once."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from ..data import pixels
from ..learning.annotations import UNKNOWN
from ..quality.overlap import overlap
from ..quality.pixel_scores import class_scores
from .objects import EVERY_HOLE, Rule

THRESHOLDS = tuple(round(0.1 * k, 1) for k in range(1, 10))
SEEDS = {"border": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), "distance": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
# Objects this much smaller than nearly all that were drawn are not of their kind.
_SMALL_SHARES = (0.0, 0.25, 0.5)
_TUNED_ON = 6_000_000  # pixels, at most
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
        For each threshold to choose from, all else as in the best rule: threshold and score.
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
        Name of a number -> values to try; of the threshold at least.
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
    curve = [{"threshold": t, "score": mean(replace(best, threshold=t))} for t in choices["threshold"]]
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


def tune_segmenter(segmenter, images, parts, annotate, on_progress=None):
    """Tune how probabilities become labels on the validation images, and keep that in the run folder."""
    target, examples = segmenter.target, list(examples_of(segmenter, images, parts, annotate))
    if not examples:  # nothing is known of what validates: the usual numbers stay
        return None
    instances = target.kind == "instances"
    sizes = sizes_of(examples, instances)
    score = object_score if instances else pixel_score
    begin = plan(target.kind, segmenter.settings.method, sizes)
    tuned = tune(examples, segmenter.find, score, *begin, on_progress)
    segmenter.stored = tuned.rule
    segmenter.run.write_table("tuning.csv", tuned.curve)
    segmenter.run.note(rule=asdict(tuned.rule), tuning_score=tuned.score, tuned_on=len(examples))
    return tuned


def about_tuning(segmenter):
    """What the curve of thresholds shows, in words."""
    if segmenter.run.facts().get("thresholds") and not segmenter.settings.clean_masks:
        return (
            "How much the prediction tells of the labels (mutual information, as a share of what is possible) at other "
            "thresholds; the line is the one in use."
        )
    if segmenter.target.kind != "instances":
        return "The IoU on the validation images for other thresholds; the line is the one in use."
    return (
        "The average precision (mean of IoU 0.5 and 0.50 to 0.95) on the validation images for other thresholds; the "
        "line is the one in use. Tuning does not move it for less than half an object, which would prove nothing."
    )


def examples_of(segmenter, images, parts, annotate, use="validate"):
    """Probabilities and truth of frames of one use, as far as something is known of them, until they are enough."""
    pixels_left = _TUNED_ON
    for source in pixels.sources(images, parts, use, segmenter.architecture.dims):
        scale = segmenter.normalisation.for_image(source.frames[0].image)
        where = _within(source)
        for frame in source.frames:
            truth = annotate.labels(frame, where)
            if pixels_left > 0 and (truth != UNKNOWN).any():
                yield segmenter.predict_probabilities(frame.read(*where), scale), truth
                pixels_left -= truth.size


def sizes_of(examples, instances):
    """Pixels of what was drawn: of objects, or of pieces of classes."""
    return [size for _, truth in examples for size in _sizes(truth, instances)]


def object_score(truth, labels):
    """Mean of the average precision at IoU 0.5 and over 0.50 to 0.95: what is found, and how exactly."""
    known = truth >= 0
    scores = overlap(truth * known, labels * known).scores()
    return (scores["ap50"] + scores["ap"]) / 2


def pixel_score(truth, labels):
    """Mean IoU of the classes other than background that occur in either."""
    known = truth >= 0
    return class_scores(truth[known], labels[known], range(1, 1 + int(max(truth.max(), labels.max()))))["iou"]


def _within(source):
    """The area of a source or, where that is very large, its middle."""
    shape = list(source.shape)
    while np.prod(shape) > _TUNED_ON:
        longest = int(np.argmax(shape))
        shape[longest] = max(1, shape[longest] // 2)
    return source.where([(has - size) // 2 for has, size in zip(source.shape, shape)], shape)


def _sizes(truth, instances):
    if instances:
        return np.bincount(np.maximum(truth, 0).ravel())[1:].tolist()
    from skimage.measure import label

    return np.bincount(label(np.maximum(truth, 0), connectivity=1).ravel())[1:].tolist()
