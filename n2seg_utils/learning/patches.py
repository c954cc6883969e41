"""Random patches, cut, flipped and turned inside the training graph."""

import keras
import numpy as np
from keras import ops


class PatchSampler(keras.layers.Layer):
    """Draws batches of patches from images of any size that are held on the device.

    All images lie end to end in one flat buffer; a batch is one gather with computed positions. Cropping, flips and
    quarter turns are index arithmetic, so that they cost next to nothing and Python is never waited for.

    Parameters
    ----------
    images : list of ndarray (Y, X, C) or (Z, Y, X, C)
        Normalised images, float32.
    patch_shape : tuple of int
        (Y, X) or (Z, Y, X).
    batch_size : int
        Patches in a batch.
    seed : int
        The run's seed; what a batch holds depends on it and on the step only.
    flip, turn : bool
        Flip along Y and X, and turn by 90 degrees in their plane, at random. Turning needs square patches.
    stream : int
        Separates the numbers of training from those of validation.
    """

    def __init__(self, images, patch_shape, batch_size, seed, flip=True, turn=True, stream=0):
        super().__init__(name=f"patches_{stream}", trainable=False)
        self.patch_shape, self.batch_size = tuple(patch_shape), batch_size
        self.seed, self.flip, self.turn, self.stream = seed, flip, turn, stream
        shapes = np.array([image.shape[:-1] for image in images], "int32")
        if (shapes < self.patch_shape).any():
            raise ValueError(f"an image is smaller than the patch of {self.patch_shape} pixels")
        if turn and self.patch_shape[-2] != self.patch_shape[-1]:
            raise ValueError(f"patches of {self.patch_shape} pixels cannot be turned: they are not square")
        self.pixels = keras.Variable(_flat(images), trainable=False, name="pixels")
        sizes = np.prod(shapes, axis=1, dtype="int64")
        self._starts = (np.cumsum(sizes) - sizes).astype("int32")
        self._shapes = shapes
        # The chance of an image is its number of patch positions, so that every pixel is about as likely as any other.
        positions = np.prod(shapes - self.patch_shape + 1, axis=1, dtype="float64")
        self._chances = (np.cumsum(positions) / positions.sum()).astype("float32")

    def refill(self, images):
        """Exchange the pixels for those of other images of the same sizes (used when not all fit in memory)."""
        self.pixels.assign(_flat(images))

    def draw(self, seeds):
        """Patches (B, Y, X, C) or (B, Z, Y, X, C), drawn with the given :class:`StepSeed`."""
        chosen, corners = self._choose(seeds)
        places = [self._each(corner) + inside for corner, inside in zip(corners, self._oriented(seeds))]
        return self._at(chosen, places)

    def _choose(self, seeds):
        """For each patch: the number of its image, and where it begins in it along each axis."""
        where = keras.random.uniform((self.batch_size, 1 + len(self.patch_shape)), seed=seeds)
        chosen = ops.searchsorted(ops.convert_to_tensor(self._chances), where[:, 0], side="right")
        chosen = ops.minimum(ops.cast(chosen, "int32"), len(self._starts) - 1)
        rooms = [ops.cast(side - size + 1, "float32") for side, size in zip(self._sides(chosen), self.patch_shape)]
        return chosen, [ops.cast(where[:, 1 + axis] * room, "int32") for axis, room in enumerate(rooms)]

    def _sides(self, chosen):
        """The sizes of chosen images, one tensor an axis."""
        return [ops.take(ops.convert_to_tensor(side), chosen) for side in self._shapes.T.copy()]

    def _at(self, chosen, places):
        """Pixels of chosen images at some places, one tensor an axis."""
        index = places[0]
        for side, place in zip(self._sides(chosen)[1:], places[1:]):
            index = index * self._each(side) + place
        return ops.take(self.pixels, index + self._each(ops.take(ops.convert_to_tensor(self._starts), chosen)), axis=0)

    def _oriented(self, seeds):
        """Positions inside a patch, one tensor an axis; flipped and turned."""
        places = []
        for axis, size in enumerate(self.patch_shape):
            line = ops.arange(size, dtype="int32")
            line = ops.reshape(line, [1] + [size if a == axis else 1 for a in range(len(self.patch_shape))])
            places.append(ops.broadcast_to(line, (self.batch_size, *self.patch_shape)))
        for axis in (-2, -1):
            if self.flip:
                last = self.patch_shape[axis] - 1
                places[axis] = ops.where(self._coin(seeds), last - places[axis], places[axis])
        if self.turn:
            swap, (y, x) = self._coin(seeds), places[-2:]
            places[-2:] = ops.where(swap, x, y), ops.where(swap, y, x)
        return places

    def _coin(self, seeds):
        return self._each(keras.random.uniform((self.batch_size,), seed=seeds) < 0.5)

    def _each(self, per_patch):
        return ops.reshape(per_patch, (-1,) + (1,) * len(self.patch_shape))


def _flat(images):
    return np.concatenate([np.asarray(image, "float32").reshape(-1, image.shape[-1]) for image in images])
