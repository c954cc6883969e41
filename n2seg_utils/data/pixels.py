"""From image files to the arrays that training draws patches from: all of them, or ever new blocks."""

import numpy as np

from .normalisation import require_finite


def load(images, parts, use, normalisation):
    """All planes for one use, scaled, in memory.

    Parameters
    ----------
    images : list of ImageFile
    parts : list of Part
        From :func:`~n2seg_utils.data.split.split`.
    use : str
        "train" or "validate".
    normalisation : Normalisation

    Returns
    -------
    planes : list of ndarray (Y, X, C)
        float32.
    """
    planes = []
    for part in (p for p in parts if p.use == use):
        image = images[part.image]
        scale = normalisation.for_image(image)
        planes += [scale.apply(_cut(image, number, part)) for number in range(image.planes)]
    return planes


def nbytes(images, parts, use):
    """Bytes that :func:`load` would need."""
    total = 0
    for part in (p for p in parts if p.use == use):
        image = images[part.image]
        height, width, channels = image.plane_shape
        if part.region:
            height, width = part.region[2:]
        total += image.planes * height * width * channels * 4
    return total


class BlockStream:
    """Square blocks from images that do not fit into memory, new ones for each epoch.

    The blocks of an epoch are a function of the seed and the epoch's number only.

    Parameters
    ----------
    images, parts, use, normalisation
        As for :func:`load`.
    side : int
        Wanted side of a block; smaller if an image is.
    count : int
        Blocks in an epoch.
    seed : int
    """

    def __init__(self, images, parts, use, normalisation, side, count, seed):
        self.images, self.normalisation, self.count, self.seed = images, normalisation, count, seed
        self.parts = [p for p in parts if p.use == use]
        areas = [self._area(p) for p in self.parts]
        self.side = min(side, *(min(h, w) for _, _, h, w in areas))
        positions = np.array([images[p.image].planes * h * w for p, (_, _, h, w) in zip(self.parts, areas)], "float64")
        self.chances = positions / positions.sum()
        self.scales = {}

    def blocks(self, epoch):
        """The blocks of one epoch: a list of `count` arrays (side, side, C), float32."""
        rng = np.random.default_rng([self.seed, epoch])
        chosen = np.sort(rng.choice(len(self.parts), self.count, p=self.chances))
        blocks = []
        for part in (self.parts[i] for i in chosen):
            image = self.images[part.image]
            y, x, height, width = self._area(part)
            y += int(rng.integers(height - self.side + 1))
            x += int(rng.integers(width - self.side + 1))
            plane = image.plane(int(rng.integers(image.planes)))
            block = np.asarray(plane[y : y + self.side, x : x + self.side])
            require_finite(block, image.path)
            if part.image not in self.scales:
                self.scales[part.image] = self.normalisation.for_image(image)
            blocks.append(self.scales[part.image].apply(block))
        return blocks

    def _area(self, part):
        return part.region or (0, 0, *self.images[part.image].plane_shape[:2])


def _cut(image, number, part):
    plane = image.plane(number)
    if part.region:
        y, x, height, width = part.region
        plane = plane[y : y + height, x : x + width]
    plane = np.asarray(plane)
    require_finite(plane, image.path)
    return plane
