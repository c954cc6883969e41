"""Quality control of a folder of label images against a folder of true ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data.files import require_absent, stem, write_text
from ..data.tables import write_table
from . import overlays, plots
from .label_pairs import images_below, label_pairs, one_number, target_of
from .label_tables import Instances, Pixels
from .pairs import described

_TABLES, _OF_ALL = ("metrics.csv", "objects.csv", "summary.json"), ("scores.png", "confusion.png")


def judge_labels(
    prediction,
    truth,
    out=None,
    axes="auto",
    kind="auto",
    on_progress=None,
    figures=3,
    images=None,
    dims=None,
    target=None,
    image_axes="auto",
    warnings=(),
    regions=None,
):
    """Score label images against the truth.

    Images are matched by name, whatever their endings. Volumes are scored as a whole, time series time point by time
    point: equal numbers at different time points are different objects.

    Parameters
    ----------
    prediction : path
        Folder of label images, or one.
    truth : path
        Their masks, of any kind that :func:`~n2seg_utils.data.labels.open_masks` reads.
    out : path, optional
        Where ``metrics.csv``, ``summary.json`` and figures go: of some images, named like these, and of instances
        ``scores.png``, of classes ``confusion.png``. Of instances also ``objects.csv``. Nothing is written without it.
    axes : str
        Of the predicted labels and their truth. "auto" believes the files, and of two partners the one that says what
        its dimensions mean. Channels are passed over, so that the axes of the images do too.
    kind : str
        "instances": every object has a number. "classes": every number is a class of pixels, 0 is background. "binary":
        0 is background, all else foreground; pixels are scored, objects are not. "auto": see
        :func:`~n2seg_utils.data.targets.recognise`.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    figures : int
        Number of images to draw: the worst ones; from 3 on these less two, one from the middle and the best. Ranked
        by ap50, then ap; of pixels by iou, then dice.
    images : path, optional
        The images that were segmented, to draw under the labels.
    dims : int, optional
        2 to score stacks plane by plane; default 3 where images have depth.
    target : Target, optional
        What masks show, where that is known; it says more than `kind`.
    image_axes : str
        What the dimensions of `images` mean, as `axes` says of labels.
    warnings : sequence of str
        What is known already that speaks against the scores; kept with them.
    regions : dict, optional
        Name of a predicted image without its ending -> (y, x, height, width): of that, nothing else is looked at.

    Returns
    -------
    dict
        Means over the images. Of instances: iou, dice, f1, f1_70, f1_90, precision, recall, ap50, ap, seg, pq (see
        :func:`~n2seg_utils.quality.label_scores.label_scores`). Of pixels: iou, dice, precision, recall; of classes
        these are means over the classes other than 0 that occur in an image. ``pooled``: precision, recall, f1, f1_70,
        f1_90, ap50 and pq of the objects, or iou, dice, precision and recall of the pixels, of all images together;
        ``per_class``: the latter for each class, 0 included; ``per_image``; ``kind``; ``unmatched``: names without a
        partner; ``worst``: names of the worst images that are drawn, the worst first; ``figures``: file names of all
        that are drawn, in this order.

        Of instances also ``splits`` and ``merges``: their numbers (:meth:`~n2seg_utils.quality.overlap.Overlap.splits`,
        :meth:`~n2seg_utils.quality.overlap.Overlap.merges`), in all and per image; ``curve``: iou, precision, recall,
        f1 and ap of all objects together at the IoU thresholds from 0.50 to 0.95; ``sizes``: of found objects, how
        many, the medians of their true and predicted pixels, and of predicted / true. Of classes also ``confusion``:
        names of the classes, and pixels of each true class (rows) predicted as each class (columns).

    Raises
    ------
    UserError
        When nothing matches, or a file differs in size from its partner or is no label image.
    """
    pairs, alone = label_pairs(prediction, truth, axes, dims)
    pairs = [replace(pair, region=(regions or {}).get(stem(pair.image.path))) for pair in pairs]
    if out is not None:
        pictures = [_picture(pair.image.path) for pair in pairs]
        require_absent([Path(out) / name for name in (*_TABLES, *_OF_ALL, *pictures)])
    below = images_below(pairs, images, image_axes) if images else [None] * len(pairs)
    if target is None:
        target = target_of(pairs, kind)
    elif target.colours:
        pairs = [replace(pair, true=replace(pair.true, colours=True)) for pair in pairs]
    kind = target.kind
    if kind == "instances" and one_number(pairs):
        pairs = [replace(pair, apart=True) for pair in pairs]
    judged = Instances() if kind == "instances" else Pixels(target)
    for number, pair in enumerate(pairs):
        judged.add(pair.image.path.name, (pair.labels(number, target) for number in range(pair.frames)))
        if on_progress:
            on_progress((number + 1) / len(pairs), pair.image.path.name)
    summary = judged.summary() | {"kind": kind, "unmatched": alone, "warnings": list(warnings)}
    summary["data"] = [described(pair.image) for pair in pairs]
    rows = summary["per_image"]
    worst, others = _worth_seeing([tuple(row[score] for score in judged.ranked_by) for row in rows], figures)
    summary["worst"] = [rows[number]["image"] for number in worst]
    if out is not None:
        summary["figures"] = [pictures[number] for number in (*worst, *others)]
        write_table(Path(out) / "metrics.csv", rows)
        if kind == "instances":
            write_table(Path(out) / "objects.csv", judged.objects)
        write_text(Path(out) / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False))
        for name, figure in judged.figures().items():
            plots.save(figure, Path(out) / name)
        for number in (*worst, *others):
            plots.save(_figure(pairs[number], below[number], target, rows[number]), Path(out) / pictures[number])
    return summary


def _figure(pair, below, target, row):
    size = pair.image.size
    middle = size["T"] // 2 if pair.dims == 3 else pair.image.planes // 2
    truth, prediction, _ = pair.labels(middle, target)
    number = middle * size["Z"] + size["Z"] // 2 if pair.dims == 3 else middle
    plane = below and np.asarray(below.plane(number)[..., 0][pair.window], "float32")
    names = {"instances": {"AP": "ap50", "F1": "f1", "IoU": "iou"}}.get(target.kind, {"IoU": "iou", "Dice": "dice"})
    score = "   ".join(f"{name} {row[key]:.2f}" for name, key in names.items())
    return overlays.truth_and_prediction(plane, truth, prediction, score, classes=target.kind != "instances")


def _worth_seeing(scores, count):
    """Numbers of the worst images, the lowest score first, and of one from the middle and the best."""
    order = sorted(range(len(scores)), key=lambda number: scores[number])
    if count < 3:
        return order[:count], []
    worst, rest = np.split(order, [max(1, min(count, len(order)) - 2)])
    middle = max(0, (len(order) - 1) // 2 - len(worst))
    return worst.tolist(), rest[np.unique([middle, -1 % len(rest)])].tolist() if len(rest) else []


def _picture(path):
    """The file name of an image's figure, which is not that of a figure of all images."""
    name = stem(path)
    return f"{name}_labels.png" if f"{name.lower()}.png" in _OF_ALL else f"{name}.png"
