"""Scores of many label images, collected image by image."""

import numpy as np

from . import label_plots
from .overlap import STRICT, joined, matching, overlap
from .pixel_scores import PIXEL_SCORES, class_pixels, mean_class_scores

OBJECT_SCORES = ("iou", "dice", "f1", *STRICT, "precision", "recall", "ap50", "ap", "seg", "pq")


class Instances:
    """Scores of objects, image by image."""

    ranked_by = "ap50", "ap"

    def __init__(self):
        self.rows, self.objects, self.matchings = [], [], []

    def add(self, name, frames):
        overlaps = [overlap(truth, prediction) for truth, prediction, _ in frames]
        image = joined(overlaps)
        self.matchings.append(image.matchings())
        mixed = {"splits": len(image.splits()), "merges": len(image.merges())}
        self.rows.append({"image": name, **image.scores(self.matchings[-1]), **mixed})
        for number, one in enumerate(overlaps):
            self.objects += [{"image": name, "time_point": number + 1, **row} for row in one.objects()]

    def summary(self):
        curve = [_together(matchings) for matchings in zip(*self.matchings)]
        pooled = {name: getattr(curve[0], name) for name in ("precision", "recall", "f1")}
        pooled |= {name: curve[place].f1 for name, place in STRICT.items()}
        pooled |= {"ap50": curve[0].ap, "pq": curve[0].panoptic_quality}
        names = ("precision", "recall", "f1", "ap")
        return _means(self.rows, OBJECT_SCORES) | {
            **{name: sum(row[name] for row in self.rows) for name in ("splits", "merges")},
            "pooled": pooled,
            "curve": [{"iou": one.threshold, **{name: getattr(one, name) for name in names}} for one in curve],
            "sizes": self._sizes(),
            "per_image": self.rows,
        }

    def figures(self):
        """File name -> figure of all images together."""
        each = [[one.ap for one in matchings] for matchings in self.matchings]
        return {"scores.png": label_plots.agreement(self.summary(), each, self._found_sizes())}

    def _found_sizes(self):
        """Pixels of each object that was found, in the truth and as predicted."""
        sizes = [(row["size"], row["predicted_size"]) for row in self.objects if row["found"]]
        return np.array(sizes, "int64").reshape(-1, 2)

    def _sizes(self):
        found = self._found_sizes()
        if not len(found):
            return {"found": 0, "true": None, "predicted": None, "ratio": None}
        (true, predicted), ratio = np.median(found, axis=0), np.median(found[:, 1] / found[:, 0])
        return {"found": len(found), "true": float(true), "predicted": float(predicted), "ratio": float(ratio)}


class Pixels:
    """Scores of classes of pixels, image by image."""

    objects = None
    ranked_by = "iou", "dice"

    def __init__(self, target):
        self.binary, self.names, self.pixels = target.kind == "binary", [], []
        self.values, self.classes = target.said, target.names
        self.confusion = np.zeros((len(target.names),) * 2, "int64")

    def add(self, name, frames):
        total = {}
        for truth, prediction, known in frames:
            truth, prediction = truth[known], prediction[known]
            _add(total, class_pixels(truth, prediction))
            count = len(self.classes)
            pairs = truth.astype("int64") * count + prediction
            self.confusion += np.bincount(pairs, minlength=count**2).reshape(count, count)
        self.names.append(name)
        self.pixels.append(total)

    def summary(self):
        together = {}
        for pixels in self.pixels:
            _add(together, pixels)
        classes = [value for value in sorted(together) if value != 0]
        rows = [self._row(name, pixels, classes) for name, pixels in zip(self.names, self.pixels)]
        pooled = mean_class_scores(together, classes)
        found = _means(rows, PIXEL_SCORES) | {"pooled": {name: pooled[name] for name in PIXEL_SCORES}}
        if not self.binary:
            per_class = mean_class_scores(together, sorted(together))["per_class"]
            found["per_class"] = {self.values(value): scores for value, scores in per_class.items()}
            found["confusion"] = {"classes": list(self.classes), "pixels": self.confusion.tolist()}
        return found | {"per_image": rows}

    def figures(self):
        """File name -> figure of all images together."""
        return {} if self.binary else {"confusion.png": label_plots.confusion(self.classes, self.confusion)}

    def _row(self, name, pixels, classes):
        scores = mean_class_scores(pixels, classes)
        row = {"image": name, **{score: scores[score] for score in PIXEL_SCORES}}
        if not self.binary:
            row |= {f"iou_{self.values(value)}": one and one["iou"] for value, one in scores["per_class"].items()}
        return row


def _together(matchings):
    """The Matching of all objects of several images."""
    counts = [sum(getattr(one, name) for one in matchings) for name in ("tp", "fp", "fn")]
    return matching(matchings[0].threshold, *counts, sum(one.mean_iou * one.tp for one in matchings))


def _means(rows, scores):
    return {score: float(np.mean([row[score] for row in rows])) for score in scores}


def _add(total, pixels):
    for value, counts in pixels.items():
        total[value] = total.get(value, 0) + counts
