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

    def where(self, corner=None, shape=None):
        """The area in a frame, or a block of some shape at a corner of the area, as slices."""
        corner, shape = corner or (0,) * len(self.shape), shape or self.shape
        first = (*(0,) * (len(self.shape) - 2), self.rows.start, self.columns.start)
        return tuple(slice(f + c, f + c + size) for f, c, size in zip(first, corner, shape))


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


def load(found, normalisation, annotate=None):
    """All frames of some sources, scaled, in memory.

    Parameters
    ----------
    found : list of Source
    normalisation : object
        ``for_image(image).apply(pixels)`` scales the pixels of an image.
    annotate : callable, optional
        ``annotate(frame, where)`` gives what else is known of a piece of a frame, as a tuple of arrays.

    Returns
    -------
    list of ndarray (Y, X, C) or (Z, Y, X, C)
        float32; with `annotate`, list of tuples (image, *what it gives).
    """
    reader = _Reader(normalisation, annotate)
    return [reader.read(frame, source.where()) for source in found for frame in source.frames]


def nbytes(found, more=0):
    """Bytes that :func:`load` would need, with so many values a pixel more than the image's channels."""
    return sum(4 * source.pixels * (source.frames[0].image.size["C"] + more) for source in found)


class _Reader:
    """Reads pieces of frames, scaled, and what else is known of them."""

    def __init__(self, normalisation, annotate):
        self.normalisation, self.annotate, self.scales = normalisation, annotate, {}

    def read(self, frame, where):
        image = frame.image
        if image.path not in self.scales:
            self.scales[image.path] = self.normalisation.for_image(image)
        scaled = self.scales[image.path].apply(frame.read(*where))
        return scaled if self.annotate is None else (scaled, *self.annotate(frame, where))


class BlockStream:
    """Blocks from images that do not fit into memory, new ones for each epoch.

    The blocks of an epoch are a function of the seed and the epoch's number only.

    Parameters
    ----------
    found : list of Source
    normalisation, annotate
        See :func:`load`.
    shape : tuple of int
        Wanted (Y, X) or (Z, Y, X) of a block; less where an image is smaller.
    count : int
        Blocks in an epoch.
    seed : int
    """

    def __init__(self, found, normalisation, shape, count, seed, annotate=None):
        self.sources, self.count, self.seed = found, count, seed
        self.reader = _Reader(normalisation, annotate)
        self.shape = tuple(int(side) for side in np.min([shape, *(source.shape for source in found)], axis=0))
        pixels = np.array([source.pixels for source in found], "float64")
        self.chances = pixels / pixels.sum()

    def blocks(self, epoch):
        """The blocks of one epoch: `count` of what :func:`load` gives, of :attr:`shape`."""
        rng = np.random.default_rng([self.seed, epoch])
        blocks = []
        for chosen in np.sort(rng.choice(len(self.sources), self.count, p=self.chances)):
            source = self.sources[chosen]
            corner = tuple(int(rng.integers(has - size + 1)) for has, size in zip(source.shape, self.shape))
            frame = source.frames[rng.integers(len(source.frames))]
            blocks.append(self.reader.read(frame, source.where(corner, self.shape)))
        return blocks
