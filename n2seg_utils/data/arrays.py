"""Arrays in memory, read and filled like image files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import axes as axis_rules
from .calibration import Calibration
from .images import KINDS, ImageFile
from .pieces import frame_of, to_type

_NAME = Path("the array")  # what messages call it


@dataclass(frozen=True, eq=False)
class ArrayImage(ImageFile):
    """An array that can be read like an image file.

    Attributes
    ----------
    pixels : ndarray
    """

    pixels: np.ndarray

    def _planes(self):
        return axis_rules.planes_first(self.pixels, self.axes)


def open_array(pixels, axes="auto"):
    """See an array as an image.

    Parameters
    ----------
    pixels : array_like
    axes : str
        One letter of ``TZCYX`` a dimension, in any order; "auto" guesses, as for a file that does not say.

    Returns
    -------
    ArrayImage

    Raises
    ------
    UserError
        If the array is no image, or the axes do not fit it.
    """
    try:
        pixels = np.asarray(pixels)
    except ValueError as error:
        raise UserError("The array has rows of different lengths. Give an array of numbers") from error
    if pixels.dtype.kind not in KINDS or 0 in pixels.shape:
        raise UserError(
            f"The array holds {pixels.dtype} values of shape {pixels.shape}, which are no image. Give an array of "
            "numbers"
        )
    guessed = axes.lower() == "auto"
    if guessed:
        axes, _ = axis_rules.normalise("?" * pixels.ndim, pixels.shape, _NAME)
    else:
        axes = axis_rules.parse(axes, pixels.shape, _NAME)
    return ArrayImage(_NAME, pixels.shape, pixels.dtype, axes, guessed, Calibration(), pixels)


class FilledArray:
    """An array in the making, filled like the file of :func:`~n2seg_utils.data.writing.image_writer`.

    Parameters
    ----------
    like : ImageFile
        Gives the size and the axes.
    dtype : dtype
    channels : int, optional
        Number of channels if it differs from that of `like`; 0 for none at all, not even one.
    """

    def __init__(self, like, dtype, channels=None):
        size = like.size | ({} if channels is None else {"C": channels or 1})
        self.axes = like.axes.replace("C", "") if channels == 0 else like.axes
        if size["C"] > 1 and "C" not in self.axes:
            self.axes += "C"
        self.planes = np.zeros([size[axis] for axis in "TZYXC"], dtype)

    def write(self, number, where, values):
        """Put a piece into a plane or volume; as the function that image_writer gives."""
        self.planes[frame_of(number, where, self.planes.shape[1])] = to_type(values, self.planes.dtype)

    @property
    def pixels(self):
        """The array, with the axes of the image; channels that it did not have come last."""
        missing = tuple(place for place, axis in enumerate("TZYXC") if axis not in self.axes)
        there = [axis for axis in "TZYXC" if axis in self.axes]
        found = self.planes.squeeze(missing).transpose([there.index(axis) for axis in self.axes])
        return np.ascontiguousarray(found)
