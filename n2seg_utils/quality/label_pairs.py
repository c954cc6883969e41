"""Label images and what is true of them: matched, opened so that they fit, and read."""

from dataclasses import dataclass

import numpy as np
from skimage.measure import label as connected_pieces

from ..data.files import is_image_name, list_images, pair_by_name, stem
from ..data.images import ImageFile, open_image
from ..data.labels import Mask, list_masks, open_masks
from ..data.targets import KINDS, EmptyMasksError, Target, recognise
from ..errors import UserError


def match_labels(prediction, truth, axes="auto", kind="auto", dims=None, images=None, image_axes="auto"):
    """What :func:`~n2seg_utils.quality.label_qc.judge_labels` would compare; what tells whether it can is read.

    Parameters
    ----------
    prediction, truth, axes, kind, dims, images, image_axes
        See :func:`~n2seg_utils.quality.label_qc.judge_labels`.

    Returns
    -------
    names : list of str
        Of the label images that have a partner.
    alone : list of str
        Of files that have none.
    target : Target
        What the truth shows.
    """
    pairs, alone = label_pairs(prediction, truth, axes, dims)
    if images:
        images_below(pairs, images, image_axes)
    target = target_of(pairs, kind)
    pairs[0].labels(0, target)
    return [pair.image.path.name for pair in pairs], alone, target


@dataclass(frozen=True)
class LabelPair:
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


def label_pairs(prediction, truth, axes, dims):
    images = [_predicted(file, axes) for file in list_images(prediction)]
    # Where only the truth says what its dimensions mean, it is believed.
    true = list_masks(truth)
    images = [_predicted(i.path, _axes_of(true, i)) if i.guessed and axes == "auto" else i for i in images]
    masks, without = open_masks(truth, images)
    pairs = [LabelPair(image, mask, dims) for image, mask in zip(images, masks) if mask is not None]
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


def target_of(pairs, kind):
    """What the truth shows; ``apart`` is set where the predicted objects have one number."""
    if kind not in ("auto", *KINDS):
        raise UserError(f"The kind of labels is '{kind}', but can be auto, {', '.join(KINDS)}. Choose one of them")
    try:
        return recognise([pair.true for pair in pairs], kind)
    except EmptyMasksError:
        return Target("instances" if kind == "auto" else kind, (0, 1))


def one_number(pairs):
    """Whether all that is predicted has one number, so that objects are its pieces."""
    values = set()
    for pair in pairs:
        for number in range(pair.image.planes):
            values.update(np.unique(pair.image.plane(number)).tolist())
            if len(values - {0}) > 1:
                return False
    return True


def images_below(pairs, folder, axes):
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
