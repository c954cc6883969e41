"""The images and masks that an experiment names: which are learned from, and which are judged."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import drive
from ..data.files import list_images, pair_by_name
from ..data.images import open_images
from ..data.labels import bring_masks, open_masks
from ..data.targets import recognise
from ..errors import UserError

_SPLIT_SEED = 0  # the images to judge by are the same for all seeds of the grid


@dataclass(frozen=True)
class Known:
    """What is known of the images of an experiment.

    Attributes
    ----------
    train, test : list of str
        File names of the images that are learned from, and of those that are judged.
    annotated : list of str
        Names of those of `train` that have a mask.
    target : str
        What masks show: "binary", "classes" or "instances"; "" without masks.
    truth : bool
        Whether there are clean images of what is judged.
    pixels : int
        Of all images that are learned from.
    test_pixels : int
        Of all images that are judged.
    dims : int
        3 of volumes, else 2.
    """

    train: list
    test: list
    annotated: list
    target: str
    truth: bool
    pixels: int
    test_pixels: int
    dims: int


class Opened:
    """The images and masks that a file names, and which of them are judged.

    Attributes
    ----------
    train, test : list of ImageFile
    masks, test_masks : list of Mask or None
        One for each of these.
    masks_from, test_from : Path or None
        The folders that masks are from.
    truth : list of Path
        Clean files of what is judged, if there are any.

    Raises
    ------
    UserError
        When images cannot be read, or there are too few.
    """

    def __init__(self, experiment):
        self.about, self.experiment = experiment.about, experiment
        images = self._images(self.about.images)
        self.masks_from = self._from(self.about.masks)
        masks = open_masks(self.masks_from, images)[0] if self.masks_from else [None] * len(images)
        self.all_masks = [mask for mask in masks if mask]
        if self.about.test_images:
            self.train, self.masks, self.test = images, masks, self._images(self.about.test_images)
            self.test_from = self._from(self.about.test_masks)
            self.test_masks = open_masks(self.test_from, self.test)[0] if self.masks_from else []
        else:
            self._hold_out(images, masks)
        self.truth = self._truth()

    def known(self):
        """See :class:`Known`."""
        annotated = [image.path.name for image, mask in zip(self.train, self.masks) if mask]
        volumes = self.train[0].size["Z"] > 1
        return Known(
            [image.path.name for image in self.train],
            [image.path.name for image in self.test],
            annotated,
            self._target() if annotated else "",
            bool(self.truth),
            *(sum(one.planes * int(np.prod(one.plane_shape)) for one in some) for some in (self.train, self.test)),
            3 if volumes else 2,
        )

    def _images(self, folder):
        return open_images(drive.bring(folder), axes_of(self.experiment))

    def _from(self, folder):
        return Path(bring_masks(folder)).expanduser() if folder else None

    def _hold_out(self, images, masks):
        """Part the images: of those that can be judged, a share is, by chance."""
        if self.masks_from:
            fit = [number for number, mask in enumerate(masks) if mask]
            what, folder = "annotated images", self.about.images
        else:
            pairs, _ = pair_by_name([image.path for image in images], list_images(drive.bring(self.about.truth)))
            paired = {path for path, _ in pairs}
            fit = [number for number, image in enumerate(images) if image.path in paired]
            what, folder = "images with a clean one of the same name", self.about.images
        if len(fit) < 2 or len(images) < 2:
            raise UserError(
                f"{folder} has {len(fit)} {what}, and an experiment needs two at least: some to learn from, some to "
                "judge by. Annotate more, or give test_images"
            )
        count = held_out(len(fit), self.about.held_out)
        chosen = {fit[n] for n in np.random.default_rng(_SPLIT_SEED).permutation(len(fit))[:count]}
        self.train = [image for number, image in enumerate(images) if number not in chosen]
        self.masks = [mask for number, mask in enumerate(masks) if number not in chosen]
        self.test = [images[number] for number in sorted(chosen)]
        self.test_masks, self.test_from = [masks[number] for number in sorted(chosen)], self.masks_from

    def _truth(self):
        """Clean files of what is judged."""
        folder = self.about.test_truth if self.about.test_images else self.about.truth
        if not folder:
            return []
        pairs, _ = pair_by_name([image.path for image in self.test], list_images(drive.bring(folder)))
        if not pairs:
            raise UserError(f"No file in {folder} has the name of an image to judge by. Give clean images their names")
        return [clean for _, clean in pairs]

    def _target(self):
        wanted = self.experiment.base.get("target") or "auto"
        return recognise(self.all_masks, str(wanted).strip()).kind


def held_out(annotated, share):
    """How many of so many annotated images are kept to judge by: a share of them, but neither none nor all."""
    return min(annotated - 1, max(1, round(share * annotated)))


def axes_of(experiment):
    """Axes of the images, or "auto"."""
    return str(experiment.base.get("axes") or "auto")


def made_from(experiment):
    """What prepared images depend on, for JSON."""
    about, names = experiment.about, ("images", "masks", "truth", "test_images", "test_masks", "test_truth")
    asked = {name: getattr(about, name) for name in names} | {"held_out": about.held_out}
    asked |= {"axes": axes_of(experiment), "target": str(experiment.base.get("target") or "auto")}
    folders = (about.images, about.test_images)
    files = {p.name: p.stat().st_size for folder in folders if folder for p in list_images(folder)}
    return asked | {"files": files}
