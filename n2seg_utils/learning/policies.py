"""How patches are changed in brightness, noise and sharpness in the manner of other projects, inside the graph."""

import keras
import numpy as np
from keras import ops

_BINS = 256  # of a histogram, as of images of 8 bits
_TILES = 4  # along each side of a patch, each of which has a histogram of its own
_CLIP = (5.0, 50.0)  # times an even histogram
_IMPULSES, _DROPPED = (0.001, 0.15), (0.01, 0.1)  # share of the pixels
_POISSON = (0.0, 20.0)  # mean, in grey values of 8 bits
_GAUSSIAN = (0.001, 0.1)  # standard deviation, of the range of an image
_BLUR = (1.0, 9.0)  # pixels
_GAMMA, _BRIGHTNESS = (0.01, 2.5), (0.1, 10.0)


def nuclei(image, seeds):
    """Change patches as a published pipeline for nuclei did; flips and quarter turns are left to the sampler.

    In this order: contrast-limited adaptive histogram equalisation (CLAHE), once or twice, with a clip limit of 5 to
    50; one of impulse noise (0.1 to 15 % of the pixels), Poisson noise (mean 0 to 20 grey values of 8 bits), Gaussian
    noise (0.001 to 0.1 of the range), dropout (1 to 10 % of the pixels), Gaussian blur (sigma 1 to 9 pixels) and median
    blur (1, 3 or 5 pixels); gamma contrast (0.01 to 2.5); brightness times 0.1 to 10.

    Parameters
    ----------
    image : tensor (B, Y, X, C) or (B, Z, Y, X, C)
        With values of 0 to 1; what is beyond is cut off, as images of 8 bits have it.
    seeds : StepSeed

    Returns
    -------
    tensor
        Of the same shape, with values of 0 to 1. What is drawn is the same for all planes and channels of a patch, but
        for the noise itself.

    Notes
    -----
    It differs from the original where the graph has no word for a thing, or our images are others. CLAHE has 4 x 4
    tiles a plane. Poisson noise is a rounded normal distribution of the same mean and variance. The median is that
    along Y of medians along X. Brightness is drawn evenly in its logarithm, so that patches become darker as often as
    brighter: images that were scaled to their own range would otherwise nearly always be saturated.

    References
    ----------
    A deep learning pipeline for nucleus segmentation. bioRxiv 2020.04.14.041020. Zuiderveld: Contrast limited adaptive
    histogram equalization. Graphics Gems IV, 1994.
    """
    shape, batch = tuple(image.shape), image.shape[0]
    planes = ops.moveaxis(image, -1, 1)
    turned = tuple(planes.shape)
    planes = ops.clip(ops.reshape(planes, (-1, *shape[-3:-1])), 0.0, 1.0)
    each = planes.shape[0] // batch  # planes and channels of a patch
    draw = keras.random.uniform((batch, 12), seed=seeds)

    def drawn(number, low=0.0, high=1.0):
        value = ops.repeat(low + (high - low) * draw[:, number], each)
        return ops.reshape(value, (-1, 1, 1))

    once = equalised(planes, drawn(0, *_CLIP))
    planes = ops.where(drawn(1) < 0.5, once, equalised(once, drawn(0, *_CLIP)))
    there, value = (keras.random.uniform(planes.shape, seed=seeds) for _ in range(2))
    noise = keras.random.normal(planes.shape, seed=seeds)
    mean, width = drawn(4, *_POISSON), drawn(9)
    blurred = ops.where(width < 1 / 3, planes, ops.where(width < 2 / 3, median(planes, 3), median(planes, 5)))
    changed = (
        # Salt and pepper: most of it is nearly black or white.
        ops.where(there < drawn(3, *_IMPULSES), ops.square(ops.sin(value * (np.pi / 2))), planes),
        planes + ops.maximum(ops.round(mean + ops.sqrt(mean) * noise), 0.0) / 255,
        planes + noise * drawn(5, *_GAUSSIAN),
        ops.where(there < drawn(6, *_DROPPED), 0.0, planes),
        smoothed(planes, drawn(7, *_BLUR)),
        blurred,
    )
    which = ops.cast(drawn(2) * len(changed), "int32")
    for number, one in enumerate(changed):
        planes = ops.where(which == number, one, planes)
    planes = ops.clip(planes, 0.0, 1.0)
    # The derivative of a power has no end at 0; nothing is learned here, but nothing should be infinite either.
    planes = ops.where(planes > 0, ops.power(ops.maximum(planes, 1e-6), drawn(10, *_GAMMA)), 0.0)
    planes = ops.clip(planes * ops.exp(drawn(11, *np.log(_BRIGHTNESS))), 0.0, 1.0)
    return ops.moveaxis(ops.reshape(planes, turned), 1, -1)


def equalised(planes, clip):
    """Local contrast made alike everywhere, but where that would magnify noise too much (CLAHE).

    Each tile of a plane has its histogram cut off at `clip` times an even one, what is cut off being spread over all
    grey values; its sum up to a grey value is what that becomes, between the middles of tiles a mixture of four.

    Parameters
    ----------
    planes : tensor (N, Y, X)
        Values of 0 to 1.
    clip : tensor (N, 1, 1)

    Returns
    -------
    tensor (N, Y, X)
        Values of 0 to 1.
    """
    count, *sides = planes.shape
    tiles = [min(_TILES, side) for side in sides]
    bins = ops.cast(ops.round(planes * (_BINS - 1)), "int32")
    y, x = (np.arange(side) * tile // side for side, tile in zip(sides, tiles))
    first = np.arange(count)[:, None, None] * np.prod(tiles)
    tile = first + y[:, None] * tiles[1] + x
    every = count * int(np.prod(tiles))
    index = ops.reshape(tile.astype("int32") * _BINS + bins, (-1,))
    held = ops.segment_sum(ops.ones_like(index, dtype="float32"), index, num_segments=every * _BINS)
    held = ops.reshape(held, (count, -1, _BINS))
    pixels = ops.sum(held, axis=-1, keepdims=True)
    most = ops.maximum(clip * pixels / _BINS, 1.0)
    cut = ops.minimum(held, most)
    cut = cut + ops.sum(held - cut, axis=-1, keepdims=True) / _BINS
    becomes = ops.reshape(ops.cumsum(cut, axis=-1) / pixels, (-1,))
    total = 0.0
    (low_y, part_y), (low_x, part_x) = (_between(side, some) for side, some in zip(sides, tiles))
    for dy in (0, 1):
        for dx in (0, 1):
            near_y = np.clip(low_y + dy, 0, tiles[0] - 1)
            near_x = np.clip(low_x + dx, 0, tiles[1] - 1)
            tile = (first + near_y[:, None] * tiles[1] + near_x).astype("int32")
            weight = (part_y if dy else 1 - part_y)[:, None] * (part_x if dx else 1 - part_x)
            total = total + weight.astype("float32") * ops.take(becomes, tile * _BINS + bins)
    return ops.clip(total, 0.0, 1.0)


def smoothed(planes, sigma):
    """Planes (N, Y, X) through Gaussian filters of widths (N, 1, 1), in pixels; at margins of what there is."""
    for axis in (1, 2):
        place = np.arange(planes.shape[axis], dtype="float32")
        weights = ops.exp(-0.5 * ops.square((place[:, None] - place) / sigma))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        planes = ops.matmul(weights, planes) if axis == 1 else ops.matmul(planes, ops.swapaxes(weights, 1, 2))
    return planes


def median(planes, size):
    """The median of `size` (3 or 5) pixels along X, then of so many of these along Y; planes (N, Y, X)."""
    far = size // 2
    for axis in (2, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (far, far)
        padded, side = ops.pad(planes, padding, mode="symmetric"), planes.shape[axis]
        some = [ops.take(padded, np.arange(n, n + side), axis=axis) for n in range(size)]
        planes = _median_of_three(*some) if size == 3 else _median_of_five(*some)
    return planes


def _median_of_three(a, b, c):
    return ops.maximum(ops.minimum(a, b), ops.minimum(ops.maximum(a, b), c))


def _median_of_five(a, b, c, d, e):
    # The smallest and the largest of four cannot be the median of five.
    low = ops.maximum(ops.minimum(a, b), ops.minimum(c, d))
    high = ops.minimum(ops.maximum(a, b), ops.maximum(c, d))
    return _median_of_three(e, low, high)


def _between(side, tiles):
    """For each position along a side: the tile whose middle is before it, and how far it is to the next one's."""
    place = (np.arange(side) + 0.5) * tiles / side - 0.5
    low = np.floor(place)
    return low.astype(int), place - low


# Names, as in the settings -> the function that changes patches.
POLICIES = {"nih": nuclei}
