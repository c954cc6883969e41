"""Random patches, cut, flipped and turned inside the training graph."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops


@dataclass(frozen=True)
class Region:
    """A rectangle of one image that patches may be cut from, in pixels of a flat buffer.

    Attributes
    ----------
    start : int
        Position of the rectangle's first pixel in the buffer.
    stride : int
        Pixels from one row of the image to the next.
    height, width : int
        Size of the rectangle.
    """

    start: int
    stride: int
    height: int
    width: int


class PatchSampler(keras.layers.Layer):
    """Draws batches of square patches from images of any size that are held on the device.

    All images lie end to end in one flat buffer; a batch is one gather with computed positions. Cropping, flips and
    quarter turns are index arithmetic, so that they cost next to nothing and Python is never waited for.

    Parameters
    ----------
    images : list of ndarray (Y, X, C)
        Normalised images, float32.
    regions : list of tuple or None
        For each image the rectangle ``(y, x, height, width)`` to draw from; None: the whole image.
    patch_size, batch_size : int
        Pixels along a side; patches in a batch.
    seed : int
        The run's seed; what a batch holds depends on it and on the step only.
    augment : bool
        Flip and turn by 90 degrees at random.
    stream : int
        Separates the numbers of training from those of validation.
    """

    def __init__(self, images, patch_size, batch_size, seed, regions=None, augment=True, stream=0):
        super().__init__(name=f"patches_{stream}", trainable=False)
        self.patch_size, self.batch_size = patch_size, batch_size
        self.seed, self.augment, self.stream = seed, augment, stream
        table = _layout(images, regions)
        self.pixels = keras.Variable(_flat(images), trainable=False, name="pixels")
        self._table = np.array([(r.start, r.stride, r.height, r.width) for r in table], "int32")
        # The chance of an image is its number of patch positions, so that every pixel is about as likely as any other.
        positions = np.array([(r.height - patch_size + 1) * (r.width - patch_size + 1) for r in table], "float64")
        if (self._table[:, 2:] < patch_size).any():
            raise ValueError(f"a region is smaller than the patch of {patch_size} pixels")
        self._chances = (np.cumsum(positions) / positions.sum()).astype("float32")

    def refill(self, images):
        """Exchange the pixels for those of other images of the same sizes (used when not all fit in memory)."""
        self.pixels.assign(_flat(images))

    def draw(self, seeds):
        """Patches (batch, Y, X, C), drawn with the given :class:`StepSeed`."""
        start, stride, height, width, where = self._choose(seeds)
        size, batch = self.patch_size, self.batch_size
        y0 = ops.cast(where[:, 1] * ops.cast(height - size + 1, "float32"), "int32")
        x0 = ops.cast(where[:, 2] * ops.cast(width - size + 1, "float32"), "int32")
        rows = ops.broadcast_to(ops.arange(size, dtype="int32")[None, :, None], (batch, size, size))
        columns = ops.broadcast_to(ops.arange(size, dtype="int32")[None, None, :], (batch, size, size))
        if self.augment:
            rows, columns = self._turn(rows, columns, seeds)
        index = _each(start + y0 * stride + x0) + rows * _each(stride) + columns
        return ops.take(self.pixels, index, axis=0)

    def _choose(self, seeds):
        where = keras.random.uniform((self.batch_size, 3), seed=seeds)
        chosen = ops.searchsorted(ops.convert_to_tensor(self._chances), where[:, 0], side="right")
        chosen = ops.minimum(ops.cast(chosen, "int32"), len(self._table) - 1)
        start, stride, height, width = (ops.take(ops.convert_to_tensor(c), chosen) for c in self._table.T.copy())
        return start, stride, height, width, where

    def _turn(self, rows, columns, seeds):
        last = self.patch_size - 1
        flip_y, flip_x, swap = (keras.random.uniform((self.batch_size, 1, 1), seed=seeds) < 0.5 for _ in range(3))
        rows = ops.where(flip_y, last - rows, rows)
        columns = ops.where(flip_x, last - columns, columns)
        return ops.where(swap, columns, rows), ops.where(swap, rows, columns)


def _each(per_patch):
    return per_patch[:, None, None]


def _flat(images):
    return np.concatenate([np.asarray(image, "float32").reshape(-1, image.shape[-1]) for image in images])


def _layout(images, regions):
    table, begin = [], 0
    for number, image in enumerate(images):
        image_height, image_width = image.shape[:2]
        y, x, height, width = regions[number] if regions else (0, 0, image_height, image_width)
        table.append(Region(begin + y * image_width + x, image_width, height, width))
        begin += image_height * image_width
    return table
