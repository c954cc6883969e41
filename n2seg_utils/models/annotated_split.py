"""Which annotated images train and which validate, so that every class is learned."""

import numpy as np

from ..data.split import Part, split
from ..errors import UserError


def split_annotated(images, annotate, settings):
    """Set images aside for validation, but none that alone shows a class.

    Parameters
    ----------
    images : list of ImageFile
    annotate : Annotator
    settings : SegmentSettings

    Returns
    -------
    list of Part

    Raises
    ------
    UserError
        When a class cannot be learned, or nothing is drawn on what trains.
    """
    parts = split(images, settings.validation_fraction, settings.seed, settings.patch_size)
    if len(images) == 1:
        _require_taught(images, parts, annotate)
        return parts
    shown = [_classes_of(annotate, image) for image in images]
    validating = [part.image for part in parts if part.use == "validate"]
    training = [part.image for part in parts if part.use == "train"]
    everything = set().union(*shown)
    for number in list(validating):
        if everything <= set().union(*(shown[n] for n in training)):
            break
        # This one shows a class that is missing: exchange it for one that is not needed.
        spare = next((n for n in training if _needless(n, [*training, number], shown)), None)
        if shown[number] - set().union(*(shown[n] for n in training)) and spare is not None:
            validating[validating.index(number)] = spare
            training[training.index(spare)] = number
    parts = [Part(n, "validate" if n in validating else "train") for n in range(len(images))]
    _require_taught(images, parts, annotate, everything, shown)
    return parts


def require_classes(target, settings):
    """Refuse masks that have not as many classes as the user expects."""
    wanted = settings.classes
    if wanted and target.kind != "instances" and wanted != len(target.values):
        there = f"{len(target.values)} ({', '.join(target.names)})"
        more = f"class {len(target.values)} never occurs" if wanted > len(target.values) else "there are more"
        raise UserError(
            f"You expect {wanted} classes, but the masks in {settings.masks} have {there}: {more}. Add masks that show "
            f"them, or use classes={len(target.values)}"
        )


def _classes_of(annotate, image):
    """The classes other than background that are drawn on an image; of objects, whether there is one."""
    found = set()
    for frame in image.frames(2):
        values = np.unique(annotate.labels(frame, (slice(None), slice(None))))
        found.update(_classes(values, annotate.target))
    return found


def _classes(values, target):
    """The classes other than background among numbers that occur; any object is class 1."""
    there = values[values > 0].tolist()
    return {1} if there and target.kind == "instances" else set(there)


def _needless(number, training, shown):
    others = set().union(*(shown[n] for n in training if n != number))
    return shown[number] <= others


def _require_taught(images, parts, annotate, everything=None, shown=None):
    if shown is None:
        part = next(p for p in parts if p.use == "train")
        image = images[0]
        y, x, height, width = part.region or (0, 0, *image.plane_shape[:2])
        where = slice(y, y + height), slice(x, x + width)
        everything, taught = _classes_of(annotate, image), set()
        for frame in image.frames(2):
            taught.update(_classes(np.unique(annotate.labels(frame, where)), annotate.target))
    else:
        taught = set().union(*(shown[p.image] for p in parts if p.use == "train"))
    missing = sorted(everything - taught)
    if missing:
        names = annotate.target.names
        what = f"The class '{names[missing[0]]}'" if names else "An object"
        mask = annotate.masks[images[parts[-1].image].path].path
        raise UserError(
            f"{what} never occurs in what trains: it is drawn only on what is kept for validation, in {mask.name}. "
            "Annotate it on more images"
        )
