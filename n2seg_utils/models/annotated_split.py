"""Which annotated images train and which validate, so that every class is learned."""

import numpy as np

from ..data.split import Part, split
from ..errors import UserError

CLEAN = "clean"  # use of images that only serve to find the threshold, for their masks are better than those of others


def split_annotated(images, annotate, settings):
    """Set images aside for validation, but none that alone shows a class, and one at least with something drawn on it.

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
        When a class cannot be learned, or nothing is drawn on what validates.
    """
    parts = split(images, settings.validation_fraction, settings.seed, settings.patch_size)
    if len(images) == 1:
        shown = [_classes_of(annotate, images[0], part.region) for part in parts]
        _require_taught(images, parts, annotate, shown)
        return parts
    shown = [_classes_of(annotate, image) for image in images]
    validating = [part.image for part in parts if part.use == "validate"]
    training = [part.image for part in parts if part.use == "train"]
    for number in list(validating):
        if not shown[number] <= _together(training, shown):
            # It shows a class that is missing: exchange it for one that is not needed, or just let it train.
            spare = _spare(training, [number], shown)
            if spare is not None:
                _move(spare, training, validating)
            if len(validating) > 1:
                _move(number, validating, training)
    if not _together(validating, shown):  # where there is nothing, nothing can be judged
        spare = _spare(training, [], shown, drawn=True)
        if spare is not None:
            _move(validating[0], validating, training)
            _move(spare, training, validating)
    parts = [Part(n, "validate" if n in validating else "train") for n in range(len(images))]
    _require_taught(images, parts, annotate, shown)
    return parts


def require_learnable(images, parts, annotate):
    """Refuse parts that do not teach every class that is drawn on what validates, or leave nothing to judge by."""
    _require_taught(images, parts, annotate, [_classes_of(annotate, images[part.image], part.region) for part in parts])


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


def _classes_of(annotate, image, region=None):
    """The classes other than background that are drawn on (a region of) an image; of objects, whether there is one."""
    y, x, height, width = region or (0, 0, *image.plane_shape[:2])
    found = set()
    for frame in image.frames(2):
        values = np.unique(annotate.labels(frame, (slice(y, y + height), slice(x, x + width))))
        found.update(_classes(values, annotate.target))
    return found


def _classes(values, target):
    """The classes other than background among numbers that occur; any object is class 1."""
    there = values[values > 0].tolist()
    return {1} if there and target.kind == "instances" else set(there)


def _together(numbers, shown):
    return set().union(*(shown[n] for n in numbers))


def _spare(training, more, shown, drawn=False):
    """An image of those that train that shows no class alone, if there is one; with something drawn, if asked for."""
    for number in training:
        others = [n for n in (*training, *more) if n != number]
        if shown[number] <= _together(others, shown) and (shown[number] or not drawn):
            return number
    return None


def _move(number, these, those):
    these.remove(number)
    those.append(number)


def _require_taught(images, parts, annotate, shown):
    """Refuse parts that do not teach every class, or leave nothing to judge by; `shown` are the classes of each."""
    use = {name: [n for n, part in enumerate(parts) if part.use == name] for name in ("train", "validate")}
    missing = sorted(_together(use["validate"], shown) - _together(use["train"], shown))
    if missing:
        names = annotate.target.names
        what = f"The class '{names[missing[0]]}'" if names else "An object"
        part = parts[next(n for n in use["validate"] if missing[0] in shown[n])]
        raise UserError(
            f"{what} never occurs in what trains: it is drawn only on what is kept for validation, in "
            f"{_place(images, part, annotate)}. Annotate it on more images"
        )
    if not _together(use["validate"], shown):
        place = _place(images, parts[use["validate"][0]], annotate)
        raise UserError(f"Nothing is drawn on what is kept for validation, in {place}. Annotate more images")


def _place(images, part, annotate):
    """A part in words: its mask, and where in it."""
    name = annotate.masks[images[part.image].path].path.name
    if part.region is None:
        return name
    y, x, height, width = part.region
    return f"{name} (rows {y + 1} to {y + height}, columns {x + 1} to {x + width})"
