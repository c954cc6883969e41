"""The pixels that a training draws patches from: all of them, or as many as memory has room for, in turn."""

import numpy as np

from ..data import pixels
from ..learning import device

_MEMORY_SHARE = 0.1  # of the free memory, for training pixels; on their way to the device there are four copies
SHARES = {"train": 0.8, "validate": 0.2}  # of that
_LARGEST_POOL = 8_000_000_000  # bytes: positions in the pool of pixels are 32 bit
_BLOCK = 512
_BLOCK_DEPTH = 32
_FEWEST_BLOCKS = 16


def memory(past=None):
    """Bytes that were free when a training began: what of large images is read at a time follows from that."""
    return (past and past.facts.get("memory")) or device.free_memory()


def pool(images, parts, use, patch_shape, normalisation, seed, memory, annotate=None, more=0, sampler="patches",
         share=1.0):  # fmt: skip
    """The pixels that patches of one use are drawn from.

    Parameters
    ----------
    images : list of ImageFile
    parts : list of Part
    use : str
        "train" or "validate".
    patch_shape : tuple of int
    normalisation, annotate
        See :func:`~n2seg_utils.data.pixels.load`.
    seed : int
    memory : int
        See :func:`memory`.
    more : int
        Values a pixel that `annotate` adds.
    sampler : str
        What the training calls the sampler that draws from this pool.
    share : float
        Of the memory for such pixels.

    Returns
    -------
    frames : list
        As :func:`~n2seg_utils.data.pixels.load` gives them: all of them, or blocks if they do not fit in memory.
    callbacks : list
        What brings in other blocks each epoch, if need be.
    """
    budget = min(share * SHARES[use] * _MEMORY_SHARE * memory, _LARGEST_POOL)
    found = pixels.sources(images, parts, use, len(patch_shape))
    if pixels.nbytes(found, more) <= budget:
        return pixels.load(found, normalisation, annotate), []
    values = images[0].size["C"] + more
    block = _block(patch_shape, budget / 2 / _FEWEST_BLOCKS / (4 * values))
    count = max(_FEWEST_BLOCKS, int(budget / 2 / (np.prod(block) * values * 4)))
    stream = pixels.BlockStream(found, normalisation, block, count, seed, annotate)
    return stream.blocks(0), [Refill(stream, sampler)] if use == "train" else []


class Refill:
    """Gives each epoch other blocks of images that do not fit in memory.

    Parameters
    ----------
    stream : object
        ``blocks(epoch)`` returns the images of an epoch, always of the same sizes.
    sampler : str
        What the training calls the sampler that draws from them.
    """

    def __init__(self, stream, sampler="patches"):
        self.stream, self.sampler = stream, sampler

    def __call__(self, training, epoch):
        """Exchange the blocks of a training for those of an epoch."""
        getattr(training, self.sampler).refill(self.stream.blocks(epoch))


def _block(patch, pixels):
    """The shape of blocks of at most so many pixels, but never smaller than a patch."""
    sides = [max(_BLOCK_DEPTH, size) for size in patch[:-2]] + [max(_BLOCK, size) for size in patch[-2:]]
    while np.prod(sides) > pixels and any(side > size for side, size in zip(sides, patch)):
        widest = int(np.argmax(np.array(sides) / patch))
        sides[widest] = max(patch[widest], sides[widest] // 2)
    return tuple(sides)
