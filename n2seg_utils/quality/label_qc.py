"""Quality control of a folder of label images against a folder of true ones."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from skimage.measure import label as connected_pieces

from ..data.files import is_image_name, list_images, pair_by_name, require_absent, stem, write_text
from ..data.images import ImageFile, open_image
from ..data.labels import Mask, list_masks, open_masks
from ..data.tables import write_table
from ..data.targets import KINDS, EmptyMasksError, Target, recognise
from ..errors import UserError
from . import overlays, plots
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
    pairs, alone = _pairs(prediction, truth, axes, dims)
    pairs = [replace(pair, region=(regions or {}).get(stem(pair.image.path))) for pair in pairs]
    if out is not None:
        pictures = [_picture(pair.image.path) for pair in pairs]
        require_absent([Path(out) / name for name in (*_TABLES, *_OF_ALL, *pictures)])
    below = _images_below(pairs, images, image_axes) if images else [None] * len(pairs)
    if target is None:
        target = _target(pairs, kind)
    elif target.colours:
        pairs = [replace(pair, true=replace(pair.true, colours=True)) for pair in pairs]
    kind = target.kind
    if kind == "instances" and _one_number(pairs):
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


@dataclass(frozen=True)
class _Pair:
    """A predicted label image and what is true of it, both as masks of the predicted one."""

    image: ImageFile
    true: Mask
    wanted_dims: int | None = None
    apart: bool = False  # what is predicted has one number for all objects
    region: tuple | None = None  # (y, x, height, width) that is looked at; None: all of it

    @property
    def dims(self):
        return 3 if self.image.size["Z"] > 1 and self.wanted_dims != 2 else 2

    @property
    def frames(self):
        return self.image.planes if self.dims == 2 else self.image.size["T"]

    @property
    def window(self):
        """Rows and columns that are looked at, as slices."""
        y, x, height, width = self.region or (0, 0, *self.image.plane_shape[:2])
        return slice(y, y + height), slice(x, x + width)

    def labels(self, number, target):
        """True and predicted labels of one frame, and where the truth is known; elsewhere both are background."""
        frame = self.image.frames(self.dims)[number]
        where = (*(slice(None),) * (self.dims - 2), *self.window)
        true = target.encode(self.true.read(frame, where))
        values = Mask(self.image.path, self.image, self.image).read(frame, where)
        if values.min() < 0:
            raise UserError(
                f"{self.image.path} holds negative numbers, such as {values.min()}, which are no labels. "
                "Save it with 0 for background and 1, 2, 3 ... for objects, as 16 bit"
            )
        known = true >= 0
        return true * known, self._meant(values, target) * known, known

    def _meant(self, values, target):
        if target.values and target.values[0] != 0 and not (values == 0).any():
            return np.maximum(target.encode(values), 0)  # the background has its number in the masks
        if target.kind == "binary":
            return (values != 0).astype("int32")
        if target.kind == "instances":
            return connected_pieces(values, background=0, connectivity=1) if self.apart else values
        # Classes are predicted as in the masks or, if these have colours, by their number. Others are background.
        return values * (values < len(target.values)) if target.colours else np.maximum(target.encode(values), 0)


def _pairs(prediction, truth, axes, dims):
    images = [_predicted(file, axes) for file in list_images(prediction)]
    # Where only the truth says what its dimensions mean, it is believed.
    true = list_masks(truth)
    images = [_predicted(i.path, _axes_of(true, i)) if i.guessed and axes == "auto" else i for i in images]
    masks, without = open_masks(truth, images)
    pairs = [_Pair(image, mask, dims) for image, mask in zip(images, masks) if mask is not None]
    alone = [image.path for image, mask in zip(images, masks) if mask is None]
    return pairs, [path.name for path in (*alone, *without)]


def _predicted(file, axes):
    image = _opened(file, axes)
    if image.size["C"] > 1:
        raise UserError(
            f"{image.path} has {image.size['C']} channels, but a label image has one. "
            "Save it with one channel (in Fiji: Image > Type > 8-bit)"
        )
    return image


def _opened(file, axes):
    """A file with the axes that the user gave; these may have a channel more, or be of other files that do not say."""
    image = open_image(file)
    if axes.lower() == "auto":
        return image
    given = axes.upper().strip()
    fitting = [some for some in (given, given.replace("C", "")) if len(some) == len(image.shape)]
    return open_image(file, fitting[0] if fitting else given) if fitting or image.guessed else image


def _axes_of(truth, image):
    """The axes that the truth of an image states, if it is an image of as many dimensions; else those of the image."""
    file = truth.get(stem(image.path))
    if file is not None and is_image_name(file):
        true = open_image(file)
        if not true.guessed and len(true.shape) == len(image.shape):
            return true.axes
    return image.axes


def _target(pairs, kind):
    """What the truth shows; ``apart`` is set where the predicted objects have one number."""
    if kind not in ("auto", *KINDS):
        raise UserError(f"The kind of labels is '{kind}', but can be auto, {', '.join(KINDS)}. Choose one of them")
    try:
        return recognise([pair.true for pair in pairs], kind)
    except EmptyMasksError:
        return Target("instances" if kind == "auto" else kind, (0, 1))


def _one_number(pairs):
    """Whether all that is predicted has one number, so that objects are its pieces."""
    values = set()
    for pair in pairs:
        for number in range(pair.image.planes):
            values.update(np.unique(pair.image.plane(number)).tolist())
            if len(values - {0}) > 1:
                return False
    return True


def _images_below(pairs, folder, axes):
    """The image to draw under each pair."""
    found, alone = pair_by_name([pair.image.path for pair in pairs], list_images(folder))
    if alone:
        raise UserError(f"{alone[0]} has no partner of the same name in {folder}. Give the folder of its images")
    images = []
    for (_, path), pair in zip(found, pairs):
        image = _opened(path, axes)
        if axes == "auto" and len(image.shape) == len(pair.image.shape):
            image = open_image(path, pair.image.axes)
        if any(image.size[axis] != pair.image.size[axis] for axis in "TZYX"):
            raise UserError(
                f"{path} is {image.describe()}, but its labels {pair.image.path} are {pair.image.describe()}. "
                "Give the images that were segmented"
            )
        images.append(image)
    return images


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
