"""What Noise2Void hides of the patches, as the settings say."""

import numpy as np

from ..errors import UserError
from ..learning.blindspot import BlindSpots
from ..settings.hiding import parse_mask
from .suggestions import patch_shape


def blind_spots(settings, images):
    """What hides pixels, as the settings say."""
    shape, radius = patch_shape(settings), settings.neighbourhood_radius
    # Neighbours are as far away in depth as they are in the plane: fewer planes where these lie far apart.
    flatness = max(1, images[0].calibration.flatness)
    radii = (max(1, round(radius / flatness)), radius, radius)[-len(shape) :]
    mask = struct_mask(settings) if settings.algorithm == "structn2v" else None
    if mask is not None:
        _require_room(mask, shape)
    return BlindSpots(shape, settings.masked_percent, radii, settings.manipulator, mask)


def longest_struct(patch):
    """The largest struct_length that leaves neighbours to guess from, in patches of so many pixels."""
    return (patch - 1) // 2 - 1 | 1


def _require_room(mask, shape):
    if mask.ndim > len(shape):
        raise UserError("struct_mask has planes, but the training is 2D. Give one plane, or use dimensions 3d")
    lines = min(mask.shape) == 1  # beside a line there is always room
    most = shape[-1] if lines else longest_struct(shape[-1])
    if max(mask.shape[-2:]) > most:
        raise UserError(
            f"Noise shared over {max(mask.shape[-2:])} pixels leaves nothing to guess from in patches of {shape[-1]} "
            f"pixels: use struct_length {most - 1 | 1} or less, or a larger patch_size"
        )


def struct_mask(settings):
    """The pixels that share noise with the one in their middle, as the settings say: ndarray of bool, 2 or 3 axes."""
    if settings.struct_mask:
        return np.array(parse_mask(settings.struct_mask), bool)
    return line_mask(settings.struct_axis, settings.struct_length)


def line_mask(axis, length):
    """The struct mask of noise that is shared along lines or in squares.

    Parameters
    ----------
    axis : str
        "horizontal", "vertical", "both" (a cross) or "square".
    length : int
        Odd number of pixels.

    Returns
    -------
    ndarray of bool (rows, columns)
    """
    mask = np.zeros((length, length), bool)
    if axis in ("horizontal", "both"):
        mask[length // 2] = True
    if axis in ("vertical", "both"):
        mask[:, length // 2] = True
    if axis == "square":
        mask[:] = True
    return mask[mask.any(axis=1)][:, mask.any(axis=0)]
