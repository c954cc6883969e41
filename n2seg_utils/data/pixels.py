"""From image files to the arrays that training draws patches from: all of them, or ever new blocks."""

from dataclasses import dataclass

import numpy as np

from .images import Frame


@dataclass(frozen=True)
class Source:
    """Where patches of one use come from: an area of the frames of one image."""

    frames: list[Frame]
    rows: slice
    columns: slice

    @property
    def shape(self):
        """(Y, X) or (Z, Y, X) of the area in one frame."""
        rows, columns = (s.stop - s.start for s in (self.rows, self.columns))
        return (*self.frames[0].shape[:-2], rows, columns)

    @property
    def pixels(self):
        """Pixels of all frames."""
        return len(self.frames) * int(np.prod(self.shape, dtype="int64"))

    def read(self, number, corner=None, shape=None):
        """The area of one frame, or a block of some shape at a corner of the area."""
        corner, shape = corner or (0,) * len(self.shape), shape or self.shape
        first = (*(0,) * (len(self.shape) - 2), self.rows.start, self.columns.start)
        where = [slice(f + c, f + c + size) for f, c, size in zip(first, corner, shape)]
        return self.frames[number].read(*where)


def sources(images, parts, use, dims):
    """What there is for one use.

    Parameters
    ----------
    images : list of ImageFile
    parts : list of Part
        From :func:`~n2seg_utils.data.split.split`.
    use : str
        "train" or "validate".
    dims : int
        2: planes; 3: volumes.

    Returns
    -------
    list of Source
    """
    found = []
    for part in (p for p in parts if p.use == use):
        image = images[part.image]
        y, x, height, width = part.region or (0, 0, *image.plane_shape[:2])
        found.append(Source(image.frames(dims), slice(y, y + height), slice(x, x + width)))
    return found


def load(found, normalisation):
    """All frames of some sources, scaled, in memory.

    Returns
    -------
    list of ndarray (Y, X, C) or (Z, Y, X, C)
        float32.
    """
    frames = []
    for source in found:
        scale = normalisation.for_image(source.frames[0].image)
        frames += [scale.apply(source.read(number)) for number in range(len(source.frames))]
    return frames


def nbytes(found):
    """Bytes that :func:`load` would need."""
    return sum(4 * source.pixels * source.frames[0].image.size["C"] for source in found)


class BlockStream:
    """Blocks from images that do not fit into memory, new ones for each epoch.

    The blocks of an epoch are a function of the seed and the epoch's number only.

    Parameters
    ----------
    found : list of Source
    normalisation : Normalisation
    shape : tuple of int
        Wanted (Y, X) or (Z, Y, X) of a block; less where an image is smaller.
    count : int
        Blocks in an epoch.
    seed : int
    """

    def __init__(self, found, normalisation, shape, count, seed):
        self.sources, self.normalisation, self.count, self.seed = found, normalisation, count, seed
        self.shape = tuple(int(side) for side in np.min([shape, *(source.shape for source in found)], axis=0))
        pixels = np.array([source.pixels for source in found], "float64")
        self.chances = pixels / pixels.sum()
        self.scales = {}

    def blocks(self, epoch):
        """The blocks of one epoch: a list of `count` arrays of :attr:`shape` and channels, float32."""
        rng = np.random.default_rng([self.seed, epoch])
        blocks = []
        for chosen in np.sort(rng.choice(len(self.sources), self.count, p=self.chances)):
            source = self.sources[chosen]
            corner = tuple(int(rng.integers(has - size + 1)) for has, size in zip(source.shape, self.shape))
            block = source.read(int(rng.integers(len(source.frames))), corner, self.shape)
            if chosen not in self.scales:
                self.scales[chosen] = self.normalisation.for_image(source.frames[0].image)
            blocks.append(self.scales[chosen].apply(block))
        return blocks
