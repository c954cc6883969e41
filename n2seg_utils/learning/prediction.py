"""A network applied to images of any size, tile by tile, as if it had seen the whole image at once."""

import itertools
import math

import keras
import numpy as np
from csbdeep.internals.predict import Tiling

from .networks import receptive_radius

SMALLEST_TILE = 64
LARGEST_TILE = 2048
# Names of the errors by which TensorFlow, PyTorch and JAX say that the device's memory is full.
_OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError", "JaxRuntimeError")


class TiledPredictor:
    """Predicts planes piece by piece; tiles overlap by the network's reach, so that no seam can be seen.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C').
    depth, kernel_size : int
        Of the network, see :func:`~n2seg_utils.learning.networks.unet`.
    tile : int
        Side of a tile in pixels, overlap included; halved whenever the device's memory is full.
    """

    def __init__(self, network, depth, kernel_size, tile):
        self.network = network
        self.block = 2**depth
        self.overlap = math.ceil(receptive_radius(depth, kernel_size) / self.block)
        self.tile = tile

    def tiles(self, height, width):
        """How a plane is cut.

        Returns
        -------
        list of (read, inner, write)
            Pairs of slices (rows, columns): what the network reads, the part of its answer that counts, and where
            that goes. `read` may reach past the end of the plane, where pixels are mirrored.
        """
        rows, columns = (self._cut(length) for length in (height, width))
        return [tuple(zip(r, c)) for r, c in itertools.product(rows, columns)]

    def predict(self, plane, write, transform, restore, on_tile=None):
        """Predict one plane.

        Parameters
        ----------
        plane : array (Y, X, C)
            May be mapped from disk; only one tile at a time is read.
        write : callable
            ``write(rows, columns, values)`` receives the pieces, (Y, X, C').
        transform, restore : callable
            Scale the input to what the network knows, and its output back.
        on_tile : callable, optional
            ``on_tile(done, total)`` after each tile.
        """
        height, width = plane.shape[:2]
        while True:
            try:
                tiles = self.tiles(height, width)
                for number, (read, inner, target) in enumerate(tiles, 1):
                    image = np.asarray(plane[np.ix_(_mirrored(read[0], height), _mirrored(read[1], width))], "float32")
                    answer = self.network(transform(image)[None], training=False)
                    write(*target, restore(keras.ops.convert_to_numpy(answer)[0][inner]))
                    if on_tile:
                        on_tile(number, len(tiles))
                return
            except Exception as error:
                full = isinstance(error, MemoryError) or type(error).__name__ in _OUT_OF_MEMORY
                if not full or self.tile <= SMALLEST_TILE:
                    raise
                self.tile //= 2

    def _cut(self, length):
        blocks = math.ceil(length / self.block)
        # At least half of a tile's side must count: of smaller ones the overlap would be most of the work.
        size = max(self.tile // self.block, 4 * self.overlap)
        cuts = []
        for read, write, _ in Tiling(blocks, size, self.overlap).slice_generator(self.block):
            write = slice(write.start, min(write.stop, length))
            cuts.append((read, slice(write.start - read.start, write.stop - read.start), write))
        return cuts


def tile_for_memory(free_bytes, network_width):
    """A tile that fits comfortably: a quarter of the free memory, at about 48 bytes a pixel and first-level filter."""
    side = math.isqrt(int(free_bytes / 4 / (48 * network_width)))
    return int(np.clip(side // 64 * 64, SMALLEST_TILE, LARGEST_TILE))


def _mirrored(piece, length):
    """Positions of a slice; those past the end are mirrored back into the plane, however small it is."""
    positions = np.arange(piece.start, piece.stop)
    period = max(1, 2 * (length - 1))
    positions = positions % period
    return np.where(positions < length, positions, period - positions)
