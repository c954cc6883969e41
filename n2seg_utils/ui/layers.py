"""Labels that a viewer paints on images: those that a program found, and those that people drew."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..data.files import list_images, stem
from ..data.images import open_image
from ..data.labels import open_masks
from ..errors import UserError


@dataclass(frozen=True)
class Labels:
    """Labels of the images of a folder.

    Attributes
    ----------
    of : callable
        ``of(image)``, of an ImageFile, gives ``labels(number, where)``, which reads rows and columns of a plane as
        ndarray (Y, X); None if the image has none.
    classes : bool
        Whether numbers are classes of pixels, not objects.
    """

    of: Callable
    classes: bool = False


def found_in(folder, target):
    """Labels from a folder of label images, called like the images.

    Parameters
    ----------
    folder : path
    target : Target
        What they show.

    Raises
    ------
    UserError
        When an image is asked for whose labels have another size.
    """
    files = {stem(file): file for file in list_images(folder)}

    def of(image):
        if stem(image.path) not in files:
            return None
        found = open_image(files[stem(image.path)])
        if (found.planes, found.plane_shape[:2]) != (image.planes, image.plane_shape[:2]):
            raise UserError(
                f"{found.path} is {found.describe()}, but {image.path} is {image.describe()}. "
                "Give the images that were segmented"
            )

        def labels(number, where):
            values = np.asarray(found.plane(number)[where][..., 0])
            return (values != 0 if target.kind == "binary" else values).astype("int32")

        return labels

    return Labels(of, target.kind != "instances")


def drawn_in(masks, target):
    """Labels from masks of any kind; see :func:`~n2seg_utils.data.labels.open_masks`.

    Parameters
    ----------
    masks : path
    target : Target
        What they show.
    """

    def of(image):
        try:
            [mask] = open_masks(masks, [image])[0]
        except UserError:  # none of them belongs to it, or fits it
            return None
        mask = replace(mask, colours=mask.colours or target.colours)
        return lambda number, where: target.encode(mask.plane(number)[where])

    return Labels(of, target.kind != "instances")
