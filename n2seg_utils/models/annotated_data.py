"""Images with their masks, and patches of both as training sees them."""

from dataclasses import replace

import numpy as np

from ..data import drive
from ..data.images import central, open_images
from ..data.labels import bring_masks, open_masks
from ..errors import UserError
from ..learning.annotated_patches import AnnotatedSampler, Variation
from ..learning.annotations import UNKNOWN, border_classes_of, normalised_distance
from ..learning.seeds import StepSeed
from ..quality.painting import painted
from ..settings.class_weights import parse_weights
from .guesses import mask_folder, unlabelled
from .suggestions import patch_shape

# How much patches vary at strength 1.
_SHOWN_OF = 512  # pixels along each side of an image that patches are shown of
_USUAL = Variation(45, 1.25, 2.0, 0.1, 1.3, 0.05, 0.5)


def all_images(settings):
    """All images, and their masks; None for an image that has none.

    Raises
    ------
    UserError
        If no image has a mask.
    """
    require_both(settings)
    images = open_images(drive.bring(settings.images), settings.axes)
    return images, open_masks(mask_folder(settings), images)[0]


def annotated_images(settings):
    """The images that have a mask, and their masks, the correct one where there is; see :func:`all_images`."""
    images, masks = all_images(settings)
    known = [(image, better or mask) for image, mask, better in zip(images, masks, clean_masks(settings, images))]
    known = [(image, mask) for image, mask in known if mask is not None]
    return [image for image, _ in known], [mask for _, mask in known]


def clean_masks(settings, images):
    """The correct masks that were named beside noisy ones, or a first guess; None for an image that has none. Those
    beside a teacher's are for judging only."""
    folder = settings.clean_masks if getattr(settings, "labels", "") in ("noisy", "none") else ""
    return open_masks(bring_masks(folder), images)[0] if folder else [None] * len(images)


def require_both(settings):
    """Raise a UserError if images or masks are not named."""
    pairs = [("images", "masks")] if unlabelled(settings) else [("images", "masks"), ("masks", "images")]
    for name, other in pairs:
        if not getattr(settings, name):
            drawn = name == "images" or not hasattr(settings, "labels")
            more = "" if drawn else "; if nothing was drawn, choose the labels 'none'"
            raise UserError(f"You named {other} ({getattr(settings, other)}), but no {name}. Name both folders{more}")


class Annotator:
    """What is known of pieces of frames, as training needs it.

    Parameters
    ----------
    images : list of ImageFile
    masks : list of Mask or None
        Of these images; of those without one, nothing is known.
    target : Target
    distance : bool
        Give distances too, if there are objects.
    """

    def __init__(self, images, masks, target, distance):
        self.masks = {image.path: mask for image, mask in zip(images, masks)}
        self.target, self.distance = target, distance and target.kind == "instances"

    @property
    def kinds(self):
        """How many classes a network learns, background included."""
        return 3 if self.target.kind == "instances" else len(self.target.values)

    @property
    def values(self):
        """How many values a pixel there are: an object or class number, and a distance."""
        return 1 + self.distance

    def labels(self, frame, where):
        """Object or class numbers of a piece of a Frame; int32, negative where unknown."""
        mask = self.masks[frame.image.path]
        if mask is None:
            return np.full([len(range(*piece.indices(size))) for piece, size in zip(where, frame.shape)], UNKNOWN)
        return self.target.encode(mask.read(frame, where))

    def classes(self, labels):
        """The classes that a network learns from such numbers."""
        return border_classes_of(labels) if self.target.kind == "instances" else labels.astype("int16")

    def __call__(self, frame, where):
        labels = self.labels(frame, where)
        values = [labels.astype("float32")]
        if self.distance:
            values.append(normalised_distance(labels))
        return np.stack(values, axis=-1), self.classes(labels)


def variation(settings):
    """How patches are varied, as the settings say."""
    if getattr(settings, "augmentation", "usual") != "usual":  # joint training has no choice
        return Variation(policy=settings.augmentation)
    warp, recolour = settings.warp, settings.recolour
    return Variation(
        rotation=_USUAL.rotation * min(1, warp) if settings.augment else 0,
        zoom=_USUAL.zoom**warp,
        elastic=_USUAL.elastic * warp,
        brightness=_USUAL.brightness * recolour,
        contrast=_USUAL.contrast**recolour,
        noise=_USUAL.noise * recolour,
        blur=min(1, _USUAL.blur * recolour),
    )


def weights_of(settings, frames, kinds):
    """What a pixel of each of so many classes counts: what the settings say, or by share.

    Raises
    ------
    UserError
        If they say it of another number of classes.
    """
    chosen = parse_weights(settings.class_weights)
    if chosen and len(chosen) != kinds:
        raise UserError(f"class_weights has {len(chosen)} numbers, but there are {kinds} classes: use {kinds}")
    return list(chosen) if chosen else weights_by_share(frames, kinds)


def weights_by_share(frames, kinds):
    """What a pixel of each of so many classes counts: less for frequent ones (root of the share)."""
    counts = sum(np.bincount(classes[classes >= 0].ravel(), minlength=kinds) for _, _, classes in frames)
    share = np.maximum(counts / max(1, counts.sum()), 1e-4)
    return (1 / np.sqrt(share) / np.sqrt(share).sum()).round(4).tolist()


def in_units_of(span, varied):
    """How patches are varied, where the range of an image is `span` in place of 1."""
    found = varied.get("variation")
    if not found:
        return varied
    return varied | {"variation": replace(found, brightness=span * found.brightness, noise=span * found.noise)}


def varied_patches(settings, target, normalisation, varied, count=4):
    """Some patches of the first images as training sees them, with what is drawn on them.

    Parameters
    ----------
    settings : SegmentSettings
        With all values chosen.
    target : Target
    normalisation : Percentiles
    varied : dict
        How the training varies them; see :meth:`~n2seg_utils.models.segment_training.SegmentWork.varied`.
    count : int

    Returns
    -------
    dict
        title -> ndarray (Y, X, 3); in 3D the middle plane of each patch.
    """
    images, masks = (some[:count] for some in annotated_images(settings))
    annotate = Annotator(images, masks, target, False)
    frames, shape = [], patch_shape(settings)
    for image in images:
        frame = image.frames(int(settings.dimensions[0]))[0]
        middle = tuple(central(size, max(_SHOWN_OF, side)) for size, side in zip(frame.shape, shape))
        frames.append((normalisation.for_image(image).apply(frame.read(*middle)), *annotate(frame, middle)))
    sampler = AnnotatedSampler(frames, shape, count, settings.seed, **varied)
    patches, known = (np.array(values) for values in sampler.draw(StepSeed(settings.seed, 0)))
    planes = {}
    for number, (patch, labels) in enumerate(zip(patches, known)):
        while patch.ndim > 3:
            patch, labels = patch[len(patch) // 2], labels[len(labels) // 2]
        objects = labels[..., 0].astype("int32")
        planes[f"patch {number + 1}"] = painted(patch[..., 0], objects, target.kind != "instances")
    return planes
