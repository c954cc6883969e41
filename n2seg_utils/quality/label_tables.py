"""Scores of many label images, collected image by image."""

import numpy as np

from .overlap import joined, matching, overlap
from .pixel_scores import PIXEL_SCORES, class_pixels, mean_class_scores

OBJECT_SCORES = ("iou", "dice", "f1", "precision", "recall", "ap50", "ap", "seg", "pq")


class Instances:
    """Scores of objects, image by image."""

    ranked_by = "ap50"

    def __init__(self):
        self.rows, self.objects, self.matchings = [], [], []

    def add(self, name, frames):
        overlaps = [overlap(truth, prediction) for truth, prediction in frames]
        image = joined(overlaps)
        self.rows.append({"image": name, **image.scores()})
        self.matchings.append(image.match())
        for number, one in enumerate(overlaps):
            self.objects += [{"image": name, "time_point": number + 1, **row} for row in one.objects()]

    def summary(self):
        counts = [sum(getattr(one, name) for one in self.matchings) for name in ("tp", "fp", "fn")]
        together = matching(0.5, *counts, sum(one.mean_iou * one.tp for one in self.matchings))
        pooled = {name: getattr(together, name) for name in ("precision", "recall", "f1")}
        pooled |= {"ap50": together.ap, "pq": together.panoptic_quality}
        return _means(self.rows, OBJECT_SCORES) | {"pooled": pooled, "per_image": self.rows}


class Pixels:
    """Scores of classes of pixels, image by image."""

    ranked_by = "iou"

    def __init__(self, target):
        self.binary, self.names, self.pixels = target.kind == "binary", [], []
        self.values = target.said

    def add(self, name, frames):
        total = {}
        for frame in frames:
            _add(total, class_pixels(*frame))
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
        return found | {"per_image": rows}

    def _row(self, name, pixels, classes):
        scores = mean_class_scores(pixels, classes)
        row = {"image": name, **{score: scores[score] for score in PIXEL_SCORES}}
        if not self.binary:
            row |= {f"iou_{self.values(value)}": one and one["iou"] for value, one in scores["per_class"].items()}
        return row


def _means(rows, scores):
    return {score: float(np.mean([row[score] for row in rows])) for score in scores}


def _add(total, pixels):
    for value, counts in pixels.items():
        total[value] = total.get(value, 0) + counts
