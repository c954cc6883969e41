"""Quality control of a folder of label images against a folder of true ones."""

import json
from pathlib import Path

import numpy as np
from skimage.measure import label as connected_pieces

from ..data.files import list_images, pair_by_name, require_absent, stem, write_table, write_text
from ..data.images import open_image
from ..errors import UserError
from . import overlays, plots
from .overlap import joined, matching, overlap
from .pixel_scores import PIXEL_SCORES, class_pixels, mean_class_scores

KINDS = ("instances", "classes", "binary")
OBJECT_SCORES = ("iou", "dice", "f1", "precision", "recall", "ap50", "ap", "seg", "pq")
_LOOKED_AT = 10  # images, to recognise their kind


def judge_labels(prediction, truth, out=None, axes="auto", kind="auto", on_progress=None, figures=3, images=None):
    """Score label images against the truth.

    Images are matched by name, whatever their endings. Volumes are scored as a whole, time series time point by time
    point: equal numbers at different time points are different objects.

    Parameters
    ----------
    prediction, truth : path
        Folders or single files.
    out : path, optional
        Where ``metrics.csv``, ``summary.json``, figures and, of instances, ``objects.csv`` go; nothing is written
        without it.
    axes : str
        Of the truth; "auto" believes the files.
    kind : str
        "instances": every object has a number. "classes": every number is a class of pixels, 0 is background. "binary":
        0 is background, all else foreground; pixels are scored, objects are not. "auto": see :func:`recognise`.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    figures : int
        Number of images to draw: the worst, the best, and some between, by ap50 or, of pixels, iou.
    images : path, optional
        The images that were segmented, to draw under the labels.

    Returns
    -------
    dict
        Means over the images. Of instances: iou, dice, f1, precision, recall, ap50, ap, seg, pq (see
        :func:`~n2seg_utils.quality.label_scores.label_scores`). Of pixels: iou, dice, precision, recall; of classes
        these are means over the classes other than 0 that occur in an image. ``pooled``: precision, recall, f1, ap50
        and pq of the objects, or iou, dice, precision and recall of the pixels, of all images counted together;
        ``per_class``: the latter for each class, 0 included; ``per_image``; ``kind``; ``unmatched``: names without a
        partner.

    Raises
    ------
    UserError
        When nothing matches, or a file differs in size from its partner or is no label image.
    """
    pairs, alone = _pairs(prediction, truth)
    if out is not None:
        pictures = [f"{stem(predicted)}.png" for predicted, _ in pairs]
        require_absent([Path(out) / name for name in ("metrics.csv", "objects.csv", "summary.json", *pictures)])
    opened = [_opened(predicted, true, axes) for predicted, true in pairs]
    below = _images_below(pairs, opened, images) if images else [None] * len(pairs)
    kind = _known_kind(kind, [true for _, true in opened])
    judged = _Instances() if kind == "instances" else _Pixels(kind)
    for number, (predicted, true) in enumerate(opened):
        judged.add(predicted.path.name, _frames(predicted, true))
        if on_progress:
            on_progress((number + 1) / len(opened), predicted.path.name)
    summary = judged.summary() | {"kind": kind, "unmatched": [path.name for path in alone]}
    if out is not None:
        write_table(Path(out) / "metrics.csv", summary["per_image"])
        if kind == "instances":
            write_table(Path(out) / "objects.csv", judged.objects)
        write_text(Path(out) / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False))
        for number in _worth_seeing([row[judged.ranked_by] for row in summary["per_image"]], figures):
            predicted, true = opened[number]
            figure = _figure(predicted, true, below[number], kind, summary["per_image"][number])
            plots.save(figure, Path(out) / f"{stem(predicted.path)}.png")
    return summary


def recognise(images):
    """What the numbers in label images mean, from the middle time point of up to ten of them.

    Parameters
    ----------
    images : list of ImageFile

    Returns
    -------
    str
        "binary" if one number occurs besides 0; "classes" if a number has more than two unconnected pieces an image on
        average; else "instances".
    """
    values, numbers, pieces = set(), 0, 0
    for image in (images[i] for i in _spread(len(images), _LOOKED_AT)):
        frames = image.frames(_dims(image))
        labels = read_labels(frames[len(frames) // 2])
        present = np.unique(labels[labels != 0])
        values.update(present.tolist())
        numbers += len(present)
        pieces += connected_pieces(labels, background=0).max()
    if len(values) == 1:
        return "binary"
    return "classes" if pieces > 2 * numbers else "instances"


def read_labels(frame):
    """The whole numbers of a frame of a label image.

    Returns
    -------
    ndarray (Y, X) or (Z, Y, X)

    Raises
    ------
    UserError
        If the values are fractions or negative.
    """
    labels, path = frame.read()[..., 0], frame.image.path
    if labels.dtype.kind == "f":
        whole = np.rint(labels)
        if (whole != labels).any():
            example = labels[whole != labels].flat[0]
            raise UserError(
                f"{path} is no label image: it holds fractions, such as {example:.4g}. "
                "Give the folder of label images, whose pixels are whole numbers, or apply a threshold first"
            )
        labels = whole.astype("int64")
    if labels.min() < 0:
        raise UserError(
            f"{path} holds negative numbers, such as {labels.min()}, which are no labels. "
            "Save it with 0 for background and 1, 2, 3 ... for objects, as 16 bit"
        )
    return labels


class _Instances:
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


class _Pixels:
    """Scores of classes of pixels, image by image."""

    ranked_by = "iou"

    def __init__(self, kind):
        self.binary, self.names, self.pixels = kind == "binary", [], []

    def add(self, name, frames):
        total = {}
        for frame in frames:
            _add(total, class_pixels(*((labels != 0 for labels in frame) if self.binary else frame)))
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
            found["per_class"] = {str(value): scores for value, scores in per_class.items()}
        return found | {"per_image": rows}

    def _row(self, name, pixels, classes):
        scores = mean_class_scores(pixels, classes)
        row = {"image": name, **{score: scores[score] for score in PIXEL_SCORES}}
        if not self.binary:
            row |= {f"iou_{value}": one and one["iou"] for value, one in scores["per_class"].items()}
        return row


def _pairs(prediction, truth):
    predictions = list_images(prediction)
    pairs, alone = pair_by_name(predictions, list_images(truth))
    if not pairs:
        raise UserError(
            f"No label image of {prediction} has a partner of the same name in {truth} "
            f"(for example {predictions[0].name}). Give the files the same names"
        )
    return pairs, alone


def _known_kind(kind, truths):
    if kind == "auto":
        return recognise(truths)
    if kind not in KINDS:
        raise UserError(f"The kind of labels is '{kind}', but can be auto, {', '.join(KINDS)}. Choose one of them")
    return kind


def _opened(predicted, true, axes):
    """Both label images of a pair. Dimensions mean what the truth says, or, if only that does, the prediction."""
    truth, image = open_image(true, axes), open_image(predicted)
    if len(truth.shape) == len(image.shape) and truth.axes != image.axes:
        if truth.guessed and not image.guessed:
            truth = open_image(true, image.axes)
        else:
            image = open_image(predicted, truth.axes)
    if truth.size != image.size:
        raise UserError(
            f"{image.path} is {image.describe()} but {truth.path} is {truth.describe()}. "
            "Label images can only be compared at the same size: check that they belong together"
        )
    return _single_channel(image), _single_channel(truth)


def _images_below(pairs, opened, folder):
    """The image to draw under each pair."""
    found, alone = pair_by_name([predicted for predicted, _ in pairs], list_images(folder))
    if alone:
        raise UserError(f"{alone[0]} has no partner of the same name in {folder}. Give the folder of its images")
    images = []
    for (_, path), (_, true) in zip(found, opened):
        image = open_image(path)
        if len(image.shape) == len(true.shape):
            image = open_image(path, true.axes)
        if any(image.size[axis] != true.size[axis] for axis in "TZYX"):
            raise UserError(
                f"{path} is {image.describe()}, but its labels {true.path} are {true.describe()}. "
                "Give the images that were segmented"
            )
        images.append(image)
    return images


def _single_channel(image):
    if image.size["C"] > 1:
        raise UserError(
            f"{image.path} has {image.size['C']} channels, but a label image has one. "
            "Save it with one channel (in Fiji: Image > Type > 8-bit)"
        )
    return image


def _dims(image):
    return 3 if image.size["Z"] > 1 else 2


def _frames(predicted, true):
    """Labels of truth and prediction, frame by frame."""
    for frames in zip(*(image.frames(_dims(true)) for image in (true, predicted))):
        yield tuple(read_labels(frame) for frame in frames)


def _figure(predicted, true, below, kind, row):
    middle, depth = true.size["T"] // 2, true.size["Z"]
    truth, prediction = (read_labels(image.frames(_dims(true))[middle]) for image in (true, predicted))
    plane = below and np.asarray(below.plane(middle * depth + depth // 2)[..., 0], "float32")
    names = {"instances": {"AP": "ap50", "F1": "f1", "IoU": "iou"}}.get(kind, {"IoU": "iou", "Dice": "dice"})
    score = "   ".join(f"{name} {row[key]:.2f}" for name, key in names.items())
    if kind == "binary":
        truth, prediction = truth != 0, prediction != 0
    return overlays.truth_and_prediction(plane, truth, prediction, score, classes=kind != "instances")


def _means(rows, scores):
    return {score: float(np.mean([row[score] for row in rows])) for score in scores}


def _add(total, pixels):
    for value, counts in pixels.items():
        total[value] = total.get(value, 0) + counts


def _worth_seeing(scores, count):
    """Numbers of the images with the lowest, the highest, and evenly spaced scores between."""
    return np.argsort(scores, kind="stable")[_spread(len(scores), count)]


def _spread(total, count):
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))
