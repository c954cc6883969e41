"""A network applied to images of any size, tile by tile, as if it had seen the whole image at once."""

import itertools
import math

import keras
import numpy as np
from csbdeep.internals.predict import Tiling

from . import device
from .graphs import applied

SMALLEST_TILE = 64
LARGEST_TILE = 1024
_LARGEST_BYTES = {2: 1_200_000_000, 3: 3_000_000_000}  # larger planes bring nothing; of volumes overlap is the most
# Of activations at once, a pixel and first-level filter: a graph takes half; networks that cannot be one take as many,
# and with batch normalisation twice as many, for which there is room: of what is free, a quarter is planned for.
_BYTES = {2: 48, 3: 40}


class TiledPredictor:
    """Predicts planes or volumes piece by piece; tiles overlap by the network's reach, so that no seam can be seen.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C'), or with Z before Y.
    architecture : Architecture
        Of the network.
    tile : int
        Side of a tile in pixels, overlap included; halved whenever the device's memory is full. Along Z tiles are as
        deep as they are wide or, if that is less, as the volume.
    orientations : bool
        Predict each tile flipped and turned in its YX plane in all eight ways, and take the mean.
    on_smaller : callable, optional
        ``on_smaller(tile)`` when the tiles have become smaller.
    """

    def __init__(self, network, architecture, tile, orientations=False, on_smaller=None):
        self.network, self.architecture, self.tile = network, architecture, tile
        self.on_smaller = on_smaller or (lambda tile: None)
        self.orientations = ORIENTATIONS if orientations else ORIENTATIONS[:1]

    def tiles(self, shape):
        """How an image is cut.

        Parameters
        ----------
        shape : tuple of int
            (Y, X) or (Z, Y, X).

        Returns
        -------
        list of (read, inner, write)
            Tuples of slices: what the network reads, the part of its answer that counts, and where that goes. `read`
            may reach past the end of the image, where pixels are mirrored.
        """
        cuts = [self._cut(*about) for about in zip(shape, self.architecture.block, self.architecture.reach)]
        return [tuple(zip(*axes)) for axes in itertools.product(*cuts)]

    def predict(self, shape, read, write, transform, restore, on_tile=None):
        """Predict one image.

        Parameters
        ----------
        shape : tuple of int
            (Y, X) or (Z, Y, X).
        read : callable
            ``read(*positions)`` gives the pixels at some rows and columns (and planes before them), (Y, X, C).
        write : callable
            ``write(slices, values)`` receives the pieces, (Y, X, C').
        transform, restore : callable
            Scale the input to what the network knows, and its output back.
        on_tile : callable, optional
            ``on_tile(done, total)`` after each tile.
        """
        while True:
            try:
                tiles = self.tiles(shape)
                for number, (source, inner, target) in enumerate(tiles, 1):
                    image = transform(read(*map(_mirrored, source, shape)))
                    write(target, restore(self._answer(image)[inner]))
                    if on_tile:
                        on_tile(number, len(tiles))
                return
            except Exception as error:
                if not device.is_out_of_memory(error) or self.tile <= SMALLEST_TILE:
                    raise
                self.tile //= 2
                self.on_smaller(self.tile)

    def _answer(self, image):
        total, network = 0, applied(self.network)
        for turn, back in self.orientations:
            answer = network(np.ascontiguousarray(turn(image), "float32")[None])
            total = total + back(keras.ops.convert_to_numpy(answer)[0])
        return total if len(self.orientations) == 1 else total / np.float32(len(self.orientations))

    def _cut(self, length, block, reach):
        overlap = math.ceil(reach / block)
        blocks = math.ceil(length / block)
        # At least half of a tile's side should count: of smaller ones the overlap would be most of the work. Volumes
        # may have to do with less.
        size = max(self.tile // block, 4 * overlap if self.architecture.dims == 2 else 2 * overlap + 1)
        if blocks > size:  # no larger than so many tiles must be: the last would see again what the one before has seen
            count = math.ceil((blocks - 2 * overlap) / (size - 2 * overlap))
            size = math.ceil((blocks - 2 * overlap) / count) + 2 * overlap
        cuts = []
        for read, write, _ in Tiling(blocks, size, overlap).slice_generator(block):
            write = slice(write.start, min(write.stop, length))
            cuts.append((read, slice(write.start - read.start, write.stop - read.start), write))
        return cuts


def _orientation(flip, turns):
    """A flip along X and quarter turns in the YX plane of (..., Y, X, C), and what undoes them."""

    def there(image):
        return np.rot90(image[..., ::-1, :] if flip else image, turns, (-3, -2))

    def back(image):
        image = np.rot90(image, -turns, (-3, -2))
        return image[..., ::-1, :] if flip else image

    return there, back


ORIENTATIONS = [_orientation(flip, turns) for flip in (False, True) for turns in range(4)]


def tile_for_memory(free_bytes, architecture, depth=None):
    """The side of a tile that fits comfortably: a quarter of the free memory, and no more than about a gigabyte, or
    three for volumes; of these up to half of the free memory, where less would leave hardly more than overlap.

    Parameters
    ----------
    free_bytes : int
    architecture : Architecture
    depth : int, optional
        Planes of the volume, in 3D: a shallow one allows wider tiles.
    """
    branches = 1 if architecture.together else architecture.channels
    bytes_a_pixel = _BYTES[architecture.dims] * architecture.width * branches
    most = min(free_bytes / 4, _LARGEST_BYTES[architecture.dims])
    side = _side(most / bytes_a_pixel, architecture.dims, depth)
    useful = 4 * max(architecture.reach)
    if architecture.dims == 3 and side < useful:
        side = min(useful, max(side, _side(free_bytes / 2 / bytes_a_pixel, 3, depth)))
    return int(np.clip(side // 16 * 16, SMALLEST_TILE, LARGEST_TILE))


def _side(pixels, dims, depth):
    side = pixels ** (1 / dims)
    return math.sqrt(pixels / depth) if depth and depth < side else side


def _mirrored(piece, length):
    """Positions of a slice; those past the end are mirrored back into the image, however small it is."""
    positions = np.arange(piece.start, piece.stop)
    period = max(1, 2 * (length - 1))
    positions = positions % period
    return np.where(positions < length, positions, period - positions)
