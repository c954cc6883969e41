"""The blind spots of Noise2Void: which pixels are hidden, and what is put in their place."""

import math

import keras
from keras import ops


def blind_spots(patches, seeds, masked_percent, radius):
    """Hide random pixels behind the value of a neighbour.

    The patch is divided into cells of equal size; each cell hides at most one pixel, at a random place, so that blind
    spots are spread evenly and `masked_percent` is met exactly on average. Channels are masked independently.

    Parameters
    ----------
    patches : tensor (B, Y, X, C)
    seeds : StepSeed
    masked_percent : float
        Share of the pixels to hide, in percent.
    radius : int
        The replacement is drawn uniformly from a square of ``2 * radius + 1`` pixels around the hidden one, the pixel
        itself excluded (n2v calls this ``uniform_withoutCP``).

    Returns
    -------
    masked : tensor (B, Y, X, C)
        The patches with replaced pixels.
    hidden : tensor (B, Y, X, C)
        1 where a pixel was replaced, else 0, in the type of `patches`.

    References
    ----------
    Krull, Buchholz, Jug: Noise2Void - Learning Denoising from Single Noisy Images. CVPR 2019.
    """
    hidden = _stratified(ops.shape(patches), seeds, masked_percent)
    replaced = ops.where(hidden, _neighbours(patches, seeds, radius), patches)
    return replaced, ops.cast(hidden, patches.dtype)


def _stratified(shape, seeds, masked_percent):
    batch, height, width, channels = shape
    side = max(1, math.isqrt(int(100 / masked_percent)))
    keep = masked_percent / 100 * side**2
    cells = (batch, math.ceil(height / side), math.ceil(width / side), channels)
    # A draw below `keep` falls on one of the side**2 pixels of the cell, all equally likely; above it on none.
    draw = keras.random.uniform(cells, seed=seeds) / keep
    spot = ops.cast(ops.floor(draw * side**2), "int32")
    spot = ops.repeat(ops.repeat(spot, side, axis=1), side, axis=2)[:, :height, :width]
    place = (ops.arange(height) % side)[:, None] * side + (ops.arange(width) % side)[None, :]
    return ops.equal(spot, ops.cast(place, "int32")[None, :, :, None])


def _neighbours(patches, seeds, radius):
    batch, height, width, channels = ops.shape(patches)
    # The window is moved, not cut, at the borders. Draws at or past the pixel itself move on by one, so it never shows.
    tall, wide = min(2 * radius + 1, height), min(2 * radius + 1, width)
    top = ops.clip(ops.arange(height, dtype="int32") - radius, 0, height - tall)[:, None, None]
    left = ops.clip(ops.arange(width, dtype="int32") - radius, 0, width - wide)[None, :, None]
    own = (ops.arange(height, dtype="int32")[:, None, None] - top) * wide + (
        ops.arange(width, dtype="int32")[None, :, None] - left
    )
    uniform = keras.random.uniform((batch, height, width, channels), seed=seeds)
    draw = ops.cast(uniform * (tall * wide - 1), "int32")
    draw = ops.where(draw >= own, draw + 1, draw)
    image = ops.arange(batch, dtype="int32")[:, None, None, None]
    pixel = (image * height + top + draw // wide) * width + left + draw % wide
    index = pixel * channels + ops.arange(channels, dtype="int32")
    return ops.take(ops.reshape(patches, (-1,)), index)
