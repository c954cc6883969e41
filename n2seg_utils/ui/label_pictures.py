"""Small pictures of an image with the labels that were found in it."""

import io

import numpy as np
from matplotlib.image import imsave

from ..data.images import open_image
from ..quality import plots
from ..quality.painting import painted

_SIDE = 440  # pixels, at most: twice what a grid shows, for screens of fine pixels


def label_picture(image, labels, model):
    """The middle plane of an image with what was found painted on it.

    Parameters
    ----------
    image : ImageFile
    labels : path
        The label image.
    model : Segmenter

    Returns
    -------
    png : bytes
    words : str
        How much was found.
    """
    middle, classes = image.planes // 2, model.target.kind != "instances"
    found = np.asarray(open_image(labels).plane(middle))[..., 0].astype("int32")
    grey = np.asarray(plots.thumbnail(image.plane(middle)[..., 0], _SIDE), "float32")
    data = io.BytesIO()
    imsave(data, np.clip(painted(grey, plots.thumbnail(found, _SIDE), classes), 0, 1), format="png")
    number = len(np.unique(found[found > 0]))
    words = f"{100 * np.mean(found > 0):.0f} % of it" if classes else f"{number} object" + "s" * (number != 1)
    return data.getvalue(), words
