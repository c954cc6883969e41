"""What a network learns of annotated pixels: classes, borders between objects, and distances from them."""

import numpy as np
from keras import ops

BACKGROUND, INSIDE, BORDER, UNKNOWN = 0, 1, 2, -1


def border_classes(objects):
    """Background, inside and border of objects, as DenoiSeg has them.

    The border is outside of an object, one pixel around it; where objects touch, the outermost pixels of both.

    Parameters
    ----------
    objects : tensor (B, Y, X, 1) or (B, Z, Y, X, 1)
        0 background, each object a number; negative where nothing is known.

    Returns
    -------
    tensor, same shape, int32
        0 background, 1 inside, 2 border, -1 unknown.

    References
    ----------
    Buchholz, Prakash, Schmidt, Krull, Jug: DenoiSeg. ECCV Workshops 2020; the border is scikit-image's
    ``find_boundaries(mode="outer")``.
    """
    none = ops.cast(2**24, objects.dtype)  # larger than any number, to be overlooked by minima
    known = ops.maximum(objects, 0)
    empty = known == 0
    changes = _cross_extreme(known) != -_cross_extreme(-known)
    nearby = _extreme(known) != -_extreme(-ops.where(empty, none, known))
    border = ops.logical_and(changes, ops.logical_or(empty, nearby))
    classes = ops.where(border, BORDER, ops.where(empty, BACKGROUND, INSIDE))
    return ops.cast(ops.where(objects < 0, UNKNOWN, classes), "int32")


def border_classes_of(objects):
    """:func:`border_classes` of one label image (Y, X) or (Z, Y, X) that is an array; int8."""
    from skimage.segmentation import find_boundaries

    known = np.maximum(objects, 0).astype("int32")  # with larger types scikit-image miscounts
    classes = (known > 0).astype("int8")
    classes[find_boundaries(known, mode="outer")] = BORDER
    classes[objects < 0] = UNKNOWN
    return classes


def normalised_distance(objects):
    """How deep in its object each pixel lies: 1 in the middle, towards 0 at the edge, 0 outside.

    Parameters
    ----------
    objects : ndarray (Y, X) or (Z, Y, X)
        Label image.

    Returns
    -------
    ndarray, same shape, float32

    References
    ----------
    Zaki et al.: A Deep Learning Pipeline for Nucleus Segmentation. Cytometry A 2020.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    depth = np.zeros(objects.shape, "float32")
    for number, where in enumerate(find_objects(np.maximum(objects, 0)), 1):
        if where is not None:
            inside = objects[where] == number
            # A frame of background, so that an object at its box's edge ends there.
            distance = distance_transform_edt(np.pad(inside, 1))[(slice(1, -1),) * inside.ndim]
            depth[where][inside] = (distance / distance.max())[inside]
    return depth


def _extreme(values):
    """The largest value among a pixel's neighbours and itself, corners included."""
    pad = [[0, 0]] + [[1, 1]] * (len(values.shape) - 2) + [[0, 0]]
    return ops.max_pool(ops.pad(values, pad, mode="symmetric"), 3, strides=1, padding="valid")


def _cross_extreme(values):
    """The largest value among a pixel and those that share a side with it."""
    found = values
    for axis in range(1, len(values.shape) - 1):
        pad = [[0, 0] if a != axis else [1, 1] for a in range(len(values.shape))]
        padded = ops.pad(values, pad, mode="symmetric")
        size = values.shape[axis]
        for first in (0, 2):
            place = [slice(None)] * len(values.shape)
            place[axis] = slice(first, first + size)
            found = ops.maximum(found, padded[tuple(place)])
    return found
