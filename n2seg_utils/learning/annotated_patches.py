"""Random patches of annotated images: rare classes are visited, and patches warped, inside the training graph."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from .patches import PatchSampler
from .policies import POLICIES

_PLACES = 32768  # remembered, of all classes together
_KNOTS = 5  # of the elastic grid, along each side of a patch
_LOOSE = 1 / 6  # of the distance between knots: what they may move, so that hardly anything folds


@dataclass(frozen=True)
class Variation:
    """How differently a patch may look from what is in the image. All are largest changes; 0 leaves a thing as it is.

    Attributes
    ----------
    rotation : float
        Degrees, in the YX plane, beside flips and quarter turns.
    zoom : float
        1.25 lets things look up to a quarter larger or smaller.
    elastic : float
        Pixels that the knots of a coarse grid are moved by (standard deviation); in small patches less, for else they
        would fold.
    brightness : float
        Added, in units of the image's range.
    contrast : float
        1.5 lets contrast rise or fall by half.
    noise : float
        Standard deviation of what is added to each pixel.
    blur : float
        Share of a blurred image (binomial, 5 x 5 pixels) in the mixture.
    policy : str
        Name of what changes brightness, noise and sharpness in place of all this, if not empty; see
        :mod:`~n2seg_utils.learning.policies`.
    """

    rotation: float = 0.0
    zoom: float = 1.0
    elastic: float = 0.0
    brightness: float = 0.0
    contrast: float = 1.0
    noise: float = 0.0
    blur: float = 0.0
    policy: str = ""

    @property
    def warps(self):
        """Whether pixels move."""
        return bool(self.rotation or self.zoom != 1 or self.elastic)


class AnnotatedSampler(PatchSampler):
    """Draws patches of images and of what is known of their pixels.

    Parameters
    ----------
    frames : list of (image, annotations, classes)
        Each image (Y, X, C) or (Z, Y, X, C) is normalised, float32. Annotations (..., A) are what is known of each
        pixel, object or class numbers first. The class of each pixel (...) serves to find rare ones: 0 is background,
        negative unknown.
    favoured : float
        Share of the patches that are drawn around a pixel of a class other than background, all classes that there are
        alike.
    variation : Variation
        Annotations are warped with their image, by taking the nearest pixel, and otherwise left alone.
    patch_shape, batch_size, seed, flip, turn, stream
        See :class:`~n2seg_utils.learning.patches.PatchSampler`.
    """

    def __init__(self, frames, patch_shape, batch_size, seed, *, favoured=0.5, variation=None, flip=True, turn=True,
                 stream=0):  # fmt: skip
        self.channels, self.changed, self.labelled = frames[0][0].shape[-1], False, None
        self.variation, self.favoured = variation or Variation(), favoured
        super().__init__(_joined(frames), patch_shape, batch_size, seed, flip, turn, stream)
        self.places = keras.Variable(self._find(frames), trainable=False, name="places", dtype="int32")

    def refill(self, frames):
        """Exchange the pixels for those of other images of the same sizes."""
        self.changed, self.labelled = False, None
        super().refill(_joined(frames))
        self.places.assign(self._find(frames))

    def change(self, function):
        """Put what a function makes of each image, (Y, X, C) or (Z, Y, X, C), in its place; but only once."""
        if not self.changed:
            self._put(slice(None, self.channels), lambda number, image, known: function(image))
            self.changed = True

    def relabel(self, function, version):
        """Put ``function(number, image, annotations)`` in place of the annotations of each image, unless that is done
        for this version (anything that can be compared). Where rare classes are, is not looked up again."""
        if self.labelled != version:
            self._put(slice(self.channels, None), function)
            self.labelled = version

    def _put(self, values, function):
        pixels = np.array(keras.ops.convert_to_numpy(self.pixels))
        for number, (start, shape) in enumerate(zip(self._starts, self._shapes)):
            frame = pixels[start : start + np.prod(shape)]
            image, known = np.split(frame.reshape(*shape, -1), [self.channels], axis=-1)
            frame[:, values] = function(number, image, known).reshape(len(frame), -1)
        self.pixels.assign(pixels)

    def draw(self, seeds):
        """Patches of images (B, Y, X, C) and annotations (B, Y, X, A); with Z before Y in 3D."""
        chosen, corners = self._choose(seeds)
        places = [self._each(corner) + inside for corner, inside in zip(corners, self._oriented(seeds))]
        if not self.variation.warps:
            drawn = self._at(chosen, places)
            return self._recoloured(drawn[..., : self.channels], seeds), drawn[..., self.channels :]
        sides = [self._each(side) for side in self._sides(chosen)[-2:]]
        moved = self._warped(places[-2:], seeds)
        nearest = [_mirrored(ops.cast(ops.round(place), "int32"), side) for place, side in zip(moved, sides)]
        annotations = self._at(chosen, [*places[:-2], *nearest])[..., self.channels :]
        return self._recoloured(self._between(chosen, places[:-2], moved, sides), seeds), annotations

    def _choose(self, seeds):
        chosen, corners = super()._choose(seeds)
        if not self.favoured:
            return chosen, corners
        draw = keras.random.uniform((self.batch_size, 2 + len(self.patch_shape)), seed=seeds)
        place = ops.take(self.places, ops.cast(draw[:, 1] * _PLACES, "int32"), axis=0)
        here = draw[:, 0] < self.favoured
        chosen = ops.where(here, place[:, 0], chosen)
        around = []
        for axis, (side, size) in enumerate(zip(self._sides(chosen), self.patch_shape)):
            corner = place[:, 1 + axis] - ops.cast(draw[:, 2 + axis] * size, "int32")
            around.append(ops.where(here, ops.clip(corner, 0, side - size), corners[axis]))
        return chosen, around

    def _find(self, frames):
        """Places (many, image and position along each axis) of pixels of classes, as many of each class."""
        rng = np.random.default_rng(self.seed)
        kinds = sorted({kind for _, _, classes in frames for kind in np.unique(classes).tolist() if kind > 0})
        if not kinds:  # blocks of large images may hold nothing: then go anywhere
            numbers = rng.integers(len(frames), size=_PLACES)
            return np.concatenate([numbers[:, None], rng.integers(self._shapes[numbers])], axis=1).astype("int32")
        wishes = np.diff(np.linspace(0, _PLACES, len(kinds) + 1).astype(int))
        found = [self._places_of(kind, wish, frames, rng) for kind, wish in zip(kinds, wishes)]
        return np.concatenate(found).astype("int32")

    def _places_of(self, kind, wish, frames, rng):
        counts = np.array([np.count_nonzero(classes == kind) for _, _, classes in frames])
        found = []
        for number, part in enumerate(rng.multinomial(wish, counts / counts.sum())):
            if part:
                classes = frames[number][2]
                position = np.unravel_index(rng.choice(np.flatnonzero(classes == kind), part), classes.shape)
                found.append(np.stack([np.full(part, number), *position], axis=1))
        return np.concatenate(found)

    def _warped(self, places, seeds):
        """Where in the image the pixels of a patch are taken from, as fractions, (B, ..., Y, X) along Y and X."""
        v, draw = self.variation, keras.random.uniform((self.batch_size, 2), -1, 1, seed=seeds)
        angle = self._each(draw[:, 0] * (v.rotation * np.pi / 180))
        zoom = self._each(ops.exp(draw[:, 1] * np.log(v.zoom)))
        # All pixels of a patch lie around its middle, however it was flipped and turned.
        y, x = (ops.cast(place, "float32") for place in places)
        axes = tuple(range(1, len(self.patch_shape) + 1))
        middle_y, middle_x = ops.mean(y, axis=axes, keepdims=True), ops.mean(x, axis=axes, keepdims=True)
        y, x = y - middle_y, x - middle_x
        moved_y = middle_y + zoom * (ops.cos(angle) * y - ops.sin(angle) * x)
        moved_x = middle_x + zoom * (ops.sin(angle) * y + ops.cos(angle) * x)
        if v.elastic:
            far = min(v.elastic, _LOOSE * min(self.patch_shape[-2:]) / _KNOTS)
            knots = keras.random.normal((self.batch_size, _KNOTS, _KNOTS, 2), stddev=far, seed=seeds)
            shift = ops.image.resize(knots, self.patch_shape[-2:], interpolation="bicubic", data_format="channels_last")
            shift = ops.reshape(shift, (self.batch_size,) + (1,) * (len(axes) - 2) + (*self.patch_shape[-2:], 2))
            moved_y, moved_x = moved_y + shift[..., 0], moved_x + shift[..., 1]
        return moved_y, moved_x

    def _between(self, chosen, before, moved, sides):
        """Image pixels at broken places, from the four around each."""
        first = [ops.floor(place) for place in moved]
        part = [(place - low)[..., None] for place, low in zip(moved, first)]
        first = [ops.cast(low, "int32") for low in first]
        total = 0
        for dy in (0, 1):
            for dx in (0, 1):
                y, x = (_mirrored(low + d, side) for low, d, side in zip(first, (dy, dx), sides))
                weight = (part[0] if dy else 1 - part[0]) * (part[1] if dx else 1 - part[1])
                total = total + weight * self._at(chosen, [*before, y, x])[..., : self.channels]
        return total

    def _recoloured(self, image, seeds):
        """Other brightness, contrast, sharpness and noise; the same for all channels but noise."""
        v = self.variation
        if v.policy:
            return POLICIES[v.policy](image, seeds)
        draw = keras.random.uniform((self.batch_size, 4), seed=seeds)
        one = [self._each(draw[:, n])[..., None] for n in range(4)]
        if v.blur:
            image = image + one[0] * v.blur * (self._blurred(image) - image)
        if v.contrast != 1 or v.brightness:
            middle = ops.mean(image, axis=tuple(range(1, len(self.patch_shape) + 1)), keepdims=True)
            image = middle + (image - middle) * ops.exp((2 * one[1] - 1) * np.log(v.contrast))
            image = image + (2 * one[2] - 1) * v.brightness
        if v.noise:
            image = image + keras.random.normal(ops.shape(image), seed=seeds) * (one[3] * v.noise)
        return image

    def _blurred(self, image):
        """The image through a binomial filter of 5 x 5 pixels in its planes."""
        weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
        flat = ops.reshape(ops.moveaxis(image, -1, 1), (-1, *self.patch_shape[-2:], 1))
        blurred = ops.conv(flat, weights[..., None, None].astype("float32"), padding="same")
        # At the margin the filter reaches out of the patch: there the original stays.
        inside = ops.conv(ops.ones_like(flat), weights[..., None, None].astype("float32"), padding="same")
        blurred = blurred + flat * (1 - inside)
        return ops.moveaxis(ops.reshape(blurred, (-1, self.channels, *self.patch_shape)), 1, -1)


def _joined(frames):
    return [np.concatenate([image, known], axis=-1) for image, known, _ in frames]


def _mirrored(place, side):
    """Positions past either end of an image, mirrored back into it."""
    place = ops.where(place < 0, -place, place)
    last = side - 1
    place = ops.where(place > last, 2 * last - place, place)
    return ops.clip(place, 0, last)
