"""The blind spots of Noise2Void: which pixels are hidden, and what is put in their place."""

import itertools
import math

import keras
import numpy as np
from keras import ops

from ..settings.hiding import MANIPULATORS

# Where all neighbours are looked at (mean, median, normal_fitted), they are at most these many: sorting more costs time
# and brings nothing (N2V2 at radius 2, 3, 5: DSB2018 35.17, 35.12, 35.07 dB, confocal 32.31, 32.45, 32.40).
_LARGEST_WINDOW = 27


class BlindSpots:
    """Hides random pixels behind values that say nothing of them.

    A patch is divided into cells of equal size; each cell hides at most one pixel, at a random place, so that blind
    spots are spread evenly and `masked_percent` is met exactly on average, in 2D and 3D. Channels are masked
    independently.

    Parameters
    ----------
    patch_shape : tuple of int
        (Y, X) or (Z, Y, X).
    masked_percent : float
        Share of the pixels to hide, in percent.
    radius : tuple of int
        How far the neighbours of a pixel reach along each axis.
    manipulator : str
        What replaces a hidden pixel, by n2v's names: the value of a neighbour, drawn evenly with or without the pixel
        itself (``uniform_withCP``, ``uniform_withoutCP``) or most often from nearby (``normal_withoutCP``); the
        neighbours' ``mean`` or ``median`` (N2V2 uses the median); a random value like the neighbours'
        (``normal_fitted``); the pixel's own value and much noise (``normal_additive``).
    struct_mask : ndarray of bool (odd sizes), optional
        structN2V: the pixels around a hidden one, itself in the middle, that share its noise. They are replaced too,
        by random neighbours, and never serve as a neighbour. A mask (rows, columns) lies in one plane of a volume.

    References
    ----------
    Krull, Buchholz, Jug: Noise2Void - Learning Denoising from Single Noisy Images. CVPR 2019. Broaddus et al.:
    Removing Structured Noise with Self-Supervised Blind-Spot Networks. ISBI 2020. Höck et al.: N2V2. ECCVW 2022.
    """

    def __init__(self, patch_shape, masked_percent, radius, manipulator="uniform_withoutCP", struct_mask=None):
        if manipulator not in MANIPULATORS:
            raise ValueError(f"manipulator is '{manipulator}'; it must be one of {', '.join(MANIPULATORS)}")
        self.shape = tuple(patch_shape)
        # A neighbour that would lie outside the patch is taken from the opposite side: that is inside up to here.
        self.radius = tuple(min(r, (size - 1) // 2) for r, size in zip(radius, self.shape))
        self.manipulator = manipulator
        self.side = max(1, math.floor((100 / masked_percent) ** (1 / len(self.shape)) + 1e-9))
        self.keep = masked_percent / 100 * self.side ** len(self.shape)
        self.shared = _centred(struct_mask, len(self.shape)) if struct_mask is not None else None
        self.neighbours = self._neighbours()
        # What may be done to patches without turning their shared noise out of the mask.
        self.may_flip = self._keeps(np.flip)
        self.may_turn = self._keeps(lambda mask, _: np.swapaxes(mask, -1, -2))

    def __call__(self, patches, seeds):
        """Hide pixels of some patches.

        Parameters
        ----------
        patches : tensor (B, Y, X, C) or (B, Z, Y, X, C)
        seeds : StepSeed

        Returns
        -------
        masked : tensor
            The patches with replaced pixels.
        hidden : tensor
            1 where a pixel was hidden and is to be predicted, else 0; shape and type of `patches`.
        """
        spots, hidden = self._spots(ops.shape(patches), seeds)
        values = self._values(patches, spots, seeds)
        masked = ops.where(hidden, self._to_pixels(values), patches)
        if self.shared is not None:
            covered = self._covered(hidden)
            every = [ops.arange(size, dtype="int32") for size in self.shape]
            every = ops.stack(ops.meshgrid(*every, indexing="ij"), axis=-1)[None, ..., None, :]
            every = ops.broadcast_to(every, (*ops.shape(patches), len(self.shape)))
            masked = ops.where(covered, self._drawn(patches, every, seeds), masked)
        return masked, ops.cast(hidden, patches.dtype)

    def _spots(self, shape, seeds):
        """The hidden pixel of each cell, (B, cells..., C, axes), and all of them as a map of booleans."""
        cells = (shape[0], *(math.ceil(size / self.side) for size in self.shape), shape[-1])
        # A draw below `keep` falls on one of the pixels of the cell, all equally likely; above it on none.
        draw = keras.random.uniform(cells, seed=seeds) / self.keep
        number = ops.cast(ops.floor(draw * self.side ** len(self.shape)), "int32")
        place, spots = number, []
        for axis in reversed(range(len(self.shape))):
            first = ops.arange(cells[1 + axis], dtype="int32") * self.side
            spot = ops.reshape(first, self._along(axis)) + place % self.side
            # Cells at the end may reach out of the patch: what they hide there is cut off by _to_pixels.
            spots.insert(0, ops.minimum(spot, self.shape[axis] - 1))
            place = place // self.side
        place = 0
        for axis, size in enumerate(self.shape):
            inside = ops.reshape(ops.arange(size, dtype="int32") % self.side, self._along(axis))
            place = place * self.side + inside
        return ops.stack(spots, axis=-1), ops.equal(self._to_pixels(number), place)

    def _values(self, patches, spots, seeds):
        """What replaces each cell's hidden pixel, (B, cells..., C)."""
        if self.manipulator.startswith("uniform"):
            return self._drawn(patches, spots, seeds)
        if self.manipulator == "normal_additive":
            return self._at(patches, spots) + keras.random.normal(ops.shape(spots)[:-1], seed=seeds)
        if self.manipulator == "normal_withoutCP":
            return self._drawn(patches, spots, seeds, ops.convert_to_tensor(self._nearness()))
        around = self._at(patches, self._around(spots[..., None, :], ops.convert_to_tensor(self.neighbours)))
        if self.manipulator == "mean":
            return ops.mean(around, axis=-1)
        if self.manipulator == "median":
            return _median(around)
        noise = keras.random.normal(ops.shape(spots)[:-1], seed=seeds)
        return ops.mean(around, axis=-1) + noise * ops.std(around, axis=-1)

    def _drawn(self, patches, places, seeds, chances=None):
        """The value of a random neighbour of each place."""
        draw = keras.random.uniform(ops.shape(places)[:-1], seed=seeds)
        if chances is None:
            chosen = ops.cast(draw * len(self.neighbours), "int32")
        else:
            chosen = ops.reshape(ops.searchsorted(chances, ops.reshape(draw, (-1,))), ops.shape(draw))
        chosen = ops.minimum(ops.cast(chosen, "int32"), len(self.neighbours) - 1)
        offsets = ops.take(ops.convert_to_tensor(self.neighbours), chosen, axis=0)
        return self._at(patches, self._around(places, offsets))

    def _around(self, places, offsets):
        """Places moved by offsets; a step that would leave the patch is taken the other way, so never onto itself."""
        moved = places + offsets
        last = ops.convert_to_tensor(np.array(self.shape, "int32") - 1)
        return ops.where(ops.logical_or(moved < 0, moved > last), places - offsets, moved)

    def _at(self, patches, places):
        """Pixel values at places (B, ..., C, [neighbours,] axes)."""
        shape, rank = ops.shape(patches), len(ops.shape(places)) - 1
        channel_axis = 1 + len(self.shape)
        index = ops.reshape(ops.arange(shape[0], dtype="int32"), (-1,) + (1,) * (rank - 1))
        for axis, size in enumerate(self.shape):
            index = index * size + places[..., axis]
        channel = [1] * rank
        channel[channel_axis] = shape[-1]
        index = index * shape[-1] + ops.reshape(ops.arange(shape[-1], dtype="int32"), channel)
        return ops.take(ops.reshape(patches, (-1,)), index)

    def _covered(self, hidden):
        """Where a pixel shares the noise of a hidden one."""
        axes, shape = len(self.shape), ops.shape(hidden)
        one_by_one = ops.reshape(ops.moveaxis(ops.cast(hidden, "float32"), -1, 1), (-1, *self.shape, 1))
        # Convolutions of networks are correlations: the mirrored mask spreads each hidden pixel over the mask itself.
        kernel = np.flip(self.shared, range(axes)).astype("float32")[..., None, None]
        count = ops.reshape(ops.conv(one_by_one, kernel, padding="same"), (shape[0], shape[-1], *self.shape))
        return ops.logical_and(ops.moveaxis(count, 1, -1) > 0.5, ops.logical_not(hidden))

    def _to_pixels(self, cells):
        """Give all pixels of a cell the value of the cell."""
        for axis in range(len(self.shape)):
            cells = ops.repeat(cells, self.side, axis=1 + axis)
        return cells[(slice(None), *(slice(size) for size in self.shape), slice(None))]

    def _keeps(self, change):
        """Whether the struct mask, if any, stays the same when both axes of its plane are changed."""
        if self.shared is None:
            return True
        return all(np.array_equal(change(self.shared, axis), self.shared) for axis in (-2, -1))

    def _along(self, axis):
        return [1] + [-1 if a == axis else 1 for a in range(len(self.shape))] + [1]

    def _neighbours(self):
        """Offsets of the pixels that may stand in for a hidden one, (count, axes)."""
        radius, axes = list(self.radius), len(self.shape)
        if self.manipulator in ("mean", "median", "normal_fitted"):
            while np.prod([2 * r + 1 for r in radius]) > _LARGEST_WINDOW:
                radius[int(np.argmax(radius))] -= 1
        left_out = set() if self.manipulator == "uniform_withCP" else {(0,) * axes}
        if self.shared is not None:
            # Steps from a replaced pixel to one that shares its noise, or that of its hidden one; and mirror images.
            shared = np.argwhere(self.shared)
            steps = {tuple(step) for step in (shared[:, None] - shared[None]).reshape(-1, axes).tolist()}
            left_out |= {tuple(np.multiply(step, s).tolist()) for step in steps for s in _signs(axes)}
        while True:
            window = itertools.product(*(range(-r, r + 1) for r in radius))
            kept = [offset for offset in window if offset not in left_out]
            if kept:
                return np.array(kept, "int32")
            wider = [min(r + 1, (size - 1) // 2) for r, size in zip(radius, self.shape)]
            if wider == radius:
                raise ValueError("nothing is left around the struct mask: use a smaller mask, or larger patches")
            radius = wider

    def _nearness(self):
        """Cumulated chances of the neighbours: a Gaussian around the pixel."""
        spread = 0.8 * max(self.radius)  # n2v's 4 pixels at the usual radius of 5
        weight = np.exp(-np.square(self.neighbours).sum(axis=1) / (2 * spread**2))
        return (np.cumsum(weight) / weight.sum()).astype("float32")


def _centred(mask, axes):
    """A struct mask with the axes of a patch, whose middle, the hidden pixel, is one of those that share noise."""
    mask = np.array(mask, bool)
    mask = mask.reshape((1,) * (axes - mask.ndim) + mask.shape)
    if any(size % 2 == 0 for size in mask.shape):
        raise ValueError(f"a struct mask must have odd sizes, not {mask.shape}")
    mask[tuple(size // 2 for size in mask.shape)] = True
    return mask


def _signs(dims):
    return itertools.product((1, -1), repeat=dims)


def _median(values):
    """Median along the last axis; of an even number the mean of the middle two."""
    count = ops.shape(values)[-1]
    ordered = ops.sort(values, axis=-1)
    return (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
