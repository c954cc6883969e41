"""Image files, opened lazily: headers first, pixels plane by plane."""

import contextlib
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import axes as axis_rules
from . import ome_zarr, tiff
from .calibration import Calibration
from .files import FOLDER_ENDING, list_images, readable, require_space
from .pictures import read_picture

KINDS = "uif"  # unsigned, signed, floating


@dataclass(frozen=True)
class ImageFile:
    """One image file. Opening it reads the header only.

    Attributes
    ----------
    path : Path
    shape : tuple of int
    dtype : numpy.dtype
    axes : str
        One letter of ``TZCYX`` a dimension.
    guessed : bool
        Whether the file does not say what its dimensions mean.
    calibration : Calibration
    """

    path: Path
    shape: tuple
    dtype: np.dtype
    axes: str
    guessed: bool
    calibration: Calibration

    @property
    def size(self):
        """Axis letter -> number of pixels; 1 for axes the file does not have."""
        return dict.fromkeys(axis_rules.ORDER, 1) | dict(zip(self.axes, self.shape))

    @property
    def plane_shape(self):
        """(Y, X, C) of one plane."""
        return self.size["Y"], self.size["X"], self.size["C"]

    @property
    def planes(self):
        """Number of 2D planes: time points times depth."""
        return self.size["T"] * self.size["Z"]

    @property
    def nbytes(self):
        """Size of all pixels in memory, in their own type."""
        return int(np.prod(self.shape, dtype="int64")) * self.dtype.itemsize

    @property
    def channel_names(self):
        """One name a channel: what the file calls it, else its number."""
        stated = self.calibration.channels
        return [stated[c] if c < len(stated) and stated[c] else f"channel {c + 1}" for c in range(self.size["C"])]

    @property
    def chunked(self):
        """Whether this is an OME-Zarr image: a folder of chunks, of any size."""
        return self.path.suffix.lower() == FOLDER_ENDING

    @property
    def in_pages(self):
        """Whether the file must be decoded page by page, so that small pieces are no quicker to read than large."""
        return isinstance(self._planes(), tiff.Pages)

    @property
    def piece_bytes(self):
        """Bytes that must be decoded at once to see a pixel: a page, a chunk, all of a picture; 0 if it is mapped."""
        planes = self._planes()
        if isinstance(planes, (tiff.Pages, ome_zarr.Planes)):
            return planes.piece_bytes
        return self.nbytes if isinstance(planes, np.ndarray) else 0

    def describe(self):
        """The image in words: '30 time points of 512 x 512, uint16'."""
        return f"{axis_rules.describe(self.axes, self.shape)}, {self.dtype}"

    def plane(self, number):
        """Pixels of one plane, (Y, X, C), in the file's own type; planes count through Z, then T.

        Only what is needed is read: a plain TIFF is mapped into memory, so that cutting a piece out of the result
        reads that piece; a compressed one is read page by page.
        """
        return self._planes()[divmod(number, self.size["Z"])]

    def _planes(self):
        with readable(self.path):
            about = (ome_zarr.metadata_file(self.path) if self.chunked else self.path).stat()
        return _planes(self.path, self.axes, about.st_size, about.st_mtime_ns)

    def frames(self, dims):
        """What a network sees at once, one after another: planes (`dims` 2), or the volumes of all time points (3).

        Returns
        -------
        list of Frame
        """
        return [Frame(self, number, dims) for number in range(self.planes if dims == 2 else self.size["T"])]


@dataclass(frozen=True)
class Frame:
    """One plane (Y, X, C) or volume (Z, Y, X, C) of an image, read piece by piece.

    Attributes
    ----------
    image : ImageFile
    number : int
        Planes count through Z, then T; volumes through T.
    dims : int
        2 or 3.
    """

    image: ImageFile
    number: int
    dims: int

    @property
    def shape(self):
        """(Y, X) or (Z, Y, X)."""
        return tuple(self.image.size[axis] for axis in "ZYX"[-self.dims :])

    def read(self, *where):
        """A copy of the pixels at some positions (index arrays or slices) along the first axes, and all of the others.

        Raises
        ------
        UserError
            If a pixel is not a number.
        """
        where = (*where, *(slice(None),) * (self.dims - len(where)))
        if self.dims == 2:
            return self._plane(self.number, where)
        depth = self.image.size["Z"]
        chosen = np.arange(depth)[where[0]]
        # Mirrored planes are asked for twice; each is read once.
        planes, order = np.unique(chosen, return_inverse=True)
        return np.stack([self._plane(self.number * depth + z, where[1:]) for z in planes])[order]

    def _plane(self, number, where):
        rows, columns = (np.arange(size)[place] for size, place in zip(self.image.plane_shape, where))
        pixels = self.image.plane(number)[np.ix_(rows, columns)]
        require_finite(pixels, self.image.path)
        return pixels


@contextlib.contextmanager
def quick_to_read(frame):
    """A function that reads pieces of a Frame, each as fast as its size allows.

    A volume in a compressed file is decoded once, into a temporary file that is gone afterwards: pieces of it would
    decode its planes again and again.

    Yields
    ------
    callable
        Like :meth:`Frame.read`.
    """
    image = frame.image
    if frame.dims == 2 or not image.in_pages:
        yield frame.read
        return
    shape = (*frame.shape, image.size["C"])
    with tempfile.TemporaryFile() as file:
        require_space(Path(tempfile.gettempdir()), int(np.prod(shape, dtype="int64")) * image.dtype.itemsize)
        volume = np.memmap(file, image.dtype, "w+", shape=shape)
        for z in range(shape[0]):
            volume[z] = frame.read(slice(z, z + 1))[0]

        yield lambda *where: np.asarray(volume[np.ix_(*(np.arange(size)[place] for size, place in zip(shape, where)))])


def central(size, most):
    """The middle of a side of so many pixels, at most `most` of them, as a slice."""
    start = max(0, (size - most) // 2)
    return slice(start, min(size, start + most))


def require_finite(pixels, path):
    """Raise a UserError if a pixel is not a number."""
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        count = int((~np.isfinite(pixels)).sum())
        raise UserError(
            f"{path} has {count} pixels that are not numbers (NaN or infinite). "
            "Replace them in Fiji (Process > Math > NaN Background...), or remove the file"
        )


def open_image(path, axes="auto", binary=False):
    """Read an image's header.

    Parameters
    ----------
    path : path
        TIFF (plain, ImageJ, OME, compressed, BigTIFF), PNG or JPEG, or the folder of an OME-Zarr image.
    axes : str
        What the dimensions mean, for files that do not say or say it wrongly; "auto" believes the file, else guesses.
    binary : bool
        Accept pixels of one bit, which masks may have.

    Returns
    -------
    ImageFile

    Raises
    ------
    UserError
        Naming the file, when it is no image, broken, or not of numbers we can work with.
    """
    path = Path(path)
    if path.suffix.lower() in tiff.ENDINGS:
        shape, dtype, stated, calibration = tiff.read_header(path)
    elif ome_zarr.is_zarr(path):
        shape, dtype, stated, calibration = ome_zarr.read_header(path)
    else:
        pixels = read_picture(path)
        shape, dtype, calibration = pixels.shape, pixels.dtype, Calibration()
        stated = "YXC" if pixels.ndim == 3 else "YX"
    if (dtype.kind not in KINDS and not (binary and dtype.kind == "b")) or 0 in shape:
        raise UserError(f"{path} holds {dtype} values of shape {shape}, which are no image. Save it as 8, 16 or 32 bit")
    if axes.lower() == "auto":
        axes, guessed = axis_rules.normalise(stated, shape, path)
    else:
        axes, guessed = axis_rules.parse(axes, shape, path), False
    return ImageFile(path, tuple(shape), np.dtype(dtype), axes, guessed, calibration)


def open_images(path, axes="auto"):
    """All images of a folder (or the one given), headers only; they agree in axes and channels, not in size.

    Raises
    ------
    UserError
        Naming the file that differs from the others.
    """
    images = [open_image(file, axes) for file in list_images(path)]
    first = images[0]
    for image in images:
        if image.axes != first.axes:
            raise UserError(
                f"{image.path} is {image.describe()} but {first.path.name} is {first.describe()}. "
                "Images of one folder must have the same axes: move one kind to another folder, or give the axes"
            )
        if image.size["C"] != first.size["C"]:
            raise UserError(
                f"{image.path} has {image.size['C']} channels but {first.path.name} has {first.size['C']}. "
                "Move one kind to another folder"
            )
    return images


# The last files stay open, because planes of one are asked for one after another. Size and time tell a changed file.
@lru_cache(maxsize=4)
def _planes(path, axes, size, time):
    if path.suffix.lower() in tiff.ENDINGS:
        return tiff.open_planes(path, axes)
    if ome_zarr.is_zarr(path):
        return ome_zarr.Planes(path, axes)
    return axis_rules.planes_first(read_picture(path), axes)
