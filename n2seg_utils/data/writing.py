"""Result files: written plane by plane, opening in Fiji with the axes and the scale of the input."""

import contextlib
import os
from pathlib import Path

import numpy as np
import tifffile

from .axes import ORDER, planes_first
from .drive import local_file
from .files import FOLDER_ENDING, require_space, whole_file
from .pieces import frame_of, to_type

# Types that ImageJ's own TIFF can hold; others are written as OME-TIFF.
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
# Those that not even OME-TIFF can hold are written as plain TIFF.
_NOT_OME_TYPES = ("int64", "uint64", "float16")
_LARGEST_IMAGEJ = 3_900_000_000


@contextlib.contextmanager
def image_writer(path, like, dtype=np.float32, display=None, channels=None, dims=2, labels=False):
    """Write an image of the same planes as another, piece by piece, whole or not at all.

    Parameters
    ----------
    path : path
        Ends in .tif, or in .zarr for an OME-Zarr image.
    like : ImageFile
        Gives the size, the axes, the pixel size and the channel names.
    dtype : dtype
        Type of the pixels; values written are rounded and clipped to it.
    display : (float, float), optional
        Darkest and brightest value shown when Fiji opens the file.
    channels : int, optional
        Number of channels if it differs from that of `like`.
    dims : int
        3 if it will be written in pieces of volumes, which chunks of OME-Zarr are made for.
    labels : bool
        Whether pixels are labels, which OME-Zarr says.

    Yields
    ------
    callable
        ``write(number, where, values)``: put `values` (Y, X, C) into two slices of plane `number` (which counts
        through Z, then T), or `values` (Z, Y, X, C) into three slices of the volume of time point `number`.
    """
    dtype = np.dtype(dtype)
    if Path(path).suffix.lower() == FOLDER_ENDING:
        from .zarr_writing import zarr_writer

        with zarr_writer(Path(path), like, dtype, display, channels, dims == 3, labels) as write:
            yield write
        return
    size = like.size | ({"C": channels} if channels else {})
    axes = "".join(a for a in ORDER if a in "YX" or size[a] > 1 or (a in like.axes and a != "C"))
    shape = tuple(size[a] for a in axes)
    nbytes = int(np.prod(shape, dtype="int64")) * dtype.itemsize
    with whole_file(path) as temporary:
        require_space(temporary.parent, nbytes)
        with local_file(temporary) as local:
            options = _options(like.calibration, axes, dtype, nbytes, display, size["X"])
            offset = tifffile.memmap(local, shape=shape, dtype=dtype, **options).offset
            _reserve(local)
            yield _Target(local, offset, shape, axes, dtype, size["Z"]).write


class _Target:
    """The pixels of a file in the making, mapped into memory anew for each piece, so that none of them stays there."""

    def __init__(self, path, offset, shape, axes, dtype, depth):
        self.path, self.offset, self.shape = path, offset, shape
        self.axes, self.dtype, self.depth = axes, dtype, depth

    def write(self, number, where, values):
        pixels = np.memmap(self.path, self.dtype, "r+", self.offset, self.shape)
        planes_first(pixels, self.axes)[frame_of(number, where, self.depth)] = to_type(values, self.dtype)


def _options(calibration, axes, dtype, nbytes, display, width):
    # Of ImageJ's TIFF, tifffile takes columns of a single pixel for samples of a colour.
    if dtype.name in _IMAGEJ_TYPES and nbytes < _LARGEST_IMAGEJ and width > 1:
        return {"imagej": True} | _imagej(calibration, axes, display)
    return {
        "ome": dtype.name not in _NOT_OME_TYPES,
        "photometric": "minisblack",  # or tifffile would take three columns of pixels for colours
        "bigtiff": nbytes >= _LARGEST_IMAGEJ,
        "metadata": _ome(calibration, axes),
    }


def _imagej(calibration, axes, display):
    size = calibration.size
    metadata = {"axes": axes, "loop": False}
    if "C" in axes:
        metadata["mode"] = "composite"
        metadata["Labels"] = list(calibration.channels) or None
    if calibration.unit:
        unit = "um" if calibration.unit == "µm" else calibration.unit
        metadata["unit"] = "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in unit)  # as ImageJ does
    if "Z" in axes and "Z" in size:
        metadata["spacing"] = size["Z"]
    if "T" in axes and "T" in size:
        metadata["finterval"] = size["T"]
    if display:
        metadata["min"], metadata["max"] = map(float, display)
    options = {"metadata": {k: v for k, v in metadata.items() if v is not None}}
    if size.get("X") and size.get("Y"):
        options["resolution"] = (1 / size["X"], 1 / size["Y"])
    return options


def _ome(calibration, axes):
    metadata = {"axes": axes}
    for axis in "XYZ":
        if axis in calibration.size:
            metadata[f"PhysicalSize{axis}"] = calibration.size[axis]
            metadata[f"PhysicalSize{axis}Unit"] = calibration.unit or "µm"
    if "T" in calibration.size:
        metadata["TimeIncrement"] = calibration.size["T"]
    if calibration.channels and "C" in axes:
        metadata["Channel"] = {"Name": list(calibration.channels)}
    return metadata


def _reserve(path):
    """Claim the disk space now: writing to a mapped file on a full disk would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
