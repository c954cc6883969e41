"""Labels painted over an image, as pixels: for pictures that change while one looks at them."""

import numpy as np
from matplotlib.colors import to_rgb
from skimage.segmentation import find_boundaries

from .overlays import COLOURS, object_colours

_TINT = 0.35


def painted(plane, labels, classes=False, percentiles=(0.1, 99.8), limits=None):
    """An image in grey with its objects outlined, or its classes tinted, in colour.

    Parameters
    ----------
    plane : ndarray (Y, X)
    labels : ndarray (Y, X)
        Label image.
    classes : bool
        Whether numbers are classes of pixels, not objects.
    percentiles : (float, float)
        Of the plane: shown black, and white.
    limits : (float, float), optional
        Grey values that are shown so, whatever the percentiles.

    Returns
    -------
    ndarray (Y, X, 3), float between 0 and 1
    """
    low, high = limits or np.percentile(plane, percentiles)
    grey = np.clip((np.asarray(plane, "float32") - low) / max(high - low, 1e-6), 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=-1)
    labels = np.maximum(labels, 0)
    if classes:
        numbers = {value: (value - 1) % len(COLOURS) for value in np.unique(labels).tolist()}
    else:
        numbers = object_colours(labels)
    table = np.zeros((int(labels.max()) + 1, 3))
    for value, number in numbers.items():
        table[value] = to_rgb(COLOURS[number])
    edge = find_boundaries(labels, mode="inner")
    inside = (labels > 0) & ~edge
    picture[inside] = (1 - _TINT) * picture[inside] + _TINT * table[labels[inside]]
    picture[edge] = table[labels[edge]]
    return picture
