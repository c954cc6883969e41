"""TIFF files: the header at once, the pixels plane by plane."""

import logging
import struct

import numpy as np
import tifffile

from ..errors import UserError
from .axes import planes_first
from .calibration import read_calibration
from .files import readable

ENDINGS = (".tif", ".tiff")

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # we say ourselves what is wrong with a file


def read_header(path):
    """Shape, type, axes as stated, and calibration of the first image in a file.

    Raises
    ------
    UserError
        If the file is cut short: what is left of a stack may look like a whole one.
    """
    with readable(path), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        if _cut_short(tiff, series):
            raise UserError(f"{path} is damaged: its end is missing. Copy it again from where it came, or remove it")
        return series.shape, np.dtype(series.dtype), series.axes, read_calibration(tiff)


def open_planes(path, axes):
    """An object that is indexed by (t, z) and gives (Y, X, C), for a file with these axes.

    A plain file is mapped into memory: pixels are read when they are looked at. Any other is decoded page by page, and
    stays open until the object is forgotten.
    """
    with readable(path):
        tiff = tifffile.TiffFile(path)
        series = tiff.series[0]
        if series.dataoffset is None:
            return _Pages(tiff, axes)
        with tiff:
            dtype = series.dtype.newbyteorder(tiff.byteorder)
            try:
                pixels = np.memmap(path, dtype, "r", series.dataoffset, series.shape)
            except OSError:  # some network drives cannot map files
                pixels = series.asarray()
            return planes_first(pixels, axes)


class _Pages:
    """Planes that are decoded one page at a time."""

    def __init__(self, tiff, axes):
        self.tiff, self.axes, self.series = tiff, axes, tiff.series[0]
        inner = self.series.keyframe.shape
        split = len(axes) - len(inner)
        self.front, self.inner = axes[:split], axes[split:]
        self.counts = self.series.shape[:split]
        regular = self.series.shape[split:] == inner and len(self.series.pages) == np.prod(self.counts, dtype="int64")
        self.whole = None if regular else planes_first(self.series.asarray(), axes)

    def __getitem__(self, index):
        if self.whole is not None:
            return self.whole[index]
        t, z = index
        with readable(self.tiff.filehandle.path):
            if "C" in self.front:
                channels = range(self.counts[self.front.index("C")])
                pixels, axes = np.stack([self._page(t, z, c) for c in channels]), "C" + self.inner
            else:
                pixels, axes = self._page(t, z, 0), self.inner
        return planes_first(pixels, axes)[t if "T" in axes else 0, z if "Z" in axes else 0]

    def _page(self, t, z, c):
        place = [{"T": t, "Z": z, "C": c}[axis] for axis in self.front]
        page = self.series.pages[int(np.ravel_multi_index(place, self.counts)) if place else 0]
        if page is None:
            raise ValueError("the file names a plane that it does not hold")
        return page.asarray()


def _cut_short(tiff, series):
    """Whether pixels or pages lie beyond the end of the file; what is left of a stack may look like a whole one."""
    file, kind = tiff.filehandle, tiff.tiff
    file.seek(tiff.pages.next_page_offset)
    (following,) = struct.unpack(kind.offsetformat, file.read(kind.offsetsize))
    ends = [following + kind.tagnosize]
    if series.dataoffset is not None:
        ends.append(series.dataoffset + series.nbytes)
    last = series.pages[-1]
    if last is not None and last.dataoffsets:
        ends.append(last.dataoffsets[-1] + last.databytecounts[-1])
    return max(ends) > file.size
