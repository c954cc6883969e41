"""Labels that a model found in images without a mask, kept by the user, and learned from like masks."""

from pathlib import Path

import numpy as np

from ..data import drive
from ..data.files import stem
from ..data.images import open_image, open_images
from ..data.labels import bring_masks, open_masks
from ..data.split import Part
from ..data.writing import image_writer
from ..errors import UserError
from .past import Past
from .segment_training import SegmentWork


def without_mask(segmenter):
    """The images of a training that have no mask: a list of ImageFile."""
    return [image for image, mask in _all(segmenter.settings) if mask is None]


def keep(segmenter, results, names, out):
    """Write a folder of masks: those that were drawn and, of some images, what the model found.

    All are label images (int32, negative where nothing is known), so that masks of any kind become one.

    Parameters
    ----------
    segmenter : Segmenter
    results : path
        Folder of its label images.
    names : collection of str
        Stems of the images whose labels are kept.
    out : path
        A folder that is not there yet.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UserError
        If it is there, or an image has a mask already or no result.
    """
    out, wanted = Path(out), set(names)
    if out.exists():
        raise UserError(f"{out} is there already. Choose another folder for the masks")
    pairs, found = _all(segmenter.settings), {}
    for image, mask in pairs:
        if stem(image.path) in wanted and mask is None:
            found[image.path] = segmenter.target_file(results, image.path)
    if len(found) < len(wanted) or not all(file.exists() for file in found.values()):
        raise UserError("Labels can be kept of images that have no mask and were segmented. Segment all images first")
    values = np.array(segmenter.values)
    for image, mask in pairs:
        if mask is None and image.path not in found:
            continue
        labels = open_image(found[image.path]) if mask is None else None
        everything = (slice(None), slice(None))
        with image_writer(out / f"{stem(image.path)}.tif", image, "int32", channels=1, labels=True) as write:
            for frame in image.frames(2):
                if labels is not None:
                    drawn = np.asarray(labels.plane(frame.number))[..., 0]
                else:
                    drawn = segmenter.target.encode(mask.read(frame, everything))
                    if segmenter.target.kind != "instances":
                        drawn = np.where(drawn < 0, drawn, values[np.maximum(drawn, 0)])
                write(frame.number, everything, drawn[..., None])
    return out


class KeptWork(SegmentWork):
    """A training that goes on from an earlier one with more masks, which the earlier model found.

    What validated then validates now, and nothing else does: nobody is judged by labels of their own.
    """

    def split(self, settings):
        """See :meth:`SegmentWork.split`."""
        earlier = Past(settings.pretrained)
        known = {image["name"] for image in earlier.facts["images"]}
        before = [image for image in self.images if image.path.name in known]
        numbers = [number for number, image in enumerate(self.images) if image.path.name in known]
        parts = [Part(numbers[part.image], part.use, part.region) for part in earlier.parts(before)]
        parts += [Part(n, "train") for n, image in enumerate(self.images) if image.path.name not in known]
        return sorted(parts, key=lambda part: part.image)


def go_on_settings(segmenter, masks, run):
    """The settings with which a training goes on from a model with other masks.

    Parameters
    ----------
    segmenter : Segmenter
    masks, run : path

    Returns
    -------
    SegmentSettings
    """
    more = {"masks": str(masks), "pretrained": str(segmenter.run.path), "run": str(run), "freeze": "nothing"}
    return segmenter.settings.replace(**more, target=segmenter.target.kind)


def _all(settings):
    images = open_images(drive.bring(settings.images), settings.axes)
    return list(zip(images, open_masks(bring_masks(settings.masks), images)[0]))
