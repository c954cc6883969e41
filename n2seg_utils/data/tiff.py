"""TIFF files: the header at once, the pixels plane by plane."""

import logging
import math
import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from xml.etree import ElementTree

import numpy as np
import tifffile

from ..errors import UserError
from .axes import planes_first
from .calibration import read_calibration
from .files import readable, require_memory

ENDINGS = (".tif", ".tiff")
_DECODED = 256_000_000  # bytes of decoded pages to keep
_MOST_PLANES = 10_000_000  # that a header may name; each takes memory before it is looked for

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # we say ourselves what is wrong with a file


def read_header(path):
    """Shape, type, axes as stated, and calibration of the first image in a file.

    Raises
    ------
    UserError
        If the file is cut short: what is left of a stack may look like a whole one.
    """
    with readable(path), _open(path) as tiff:
        if _cut_short(tiff, tiff.series[0]):
            raise UserError(f"{path} is damaged: its end is missing. Copy it again from where it came, or remove it")
        content = _content(tiff)
        return content.shape, content.dtype, content.axes, read_calibration(tiff)


def open_planes(path, axes):
    """An object that is indexed by (t, z) and gives (Y, X, C), for a file with these axes.

    A plain file is mapped into memory, anew for each plane, so that only what is looked at is read and none of it stays
    in memory. Any other is decoded page by page, and stays open until the object is forgotten.
    """
    with readable(path):
        tiff = _open(path)
        content = _content(tiff)
        if content.offset is None:
            return Pages(tiff, content, axes)
        with tiff:
            dtype = content.dtype.newbyteorder(tiff.byteorder)
            try:
                mapped = _Mapped(path, dtype, content.offset, content.shape, axes)
                mapped[0, 0]
                return mapped
            except OSError:  # some network drives cannot map files
                return planes_first(tiff.series[0].asarray(), axes)


@dataclass(frozen=True)
class _Content:
    """What of a file is the image: its shape, and the pages that hold it; `offset` if it lies there in one piece."""

    shape: tuple
    dtype: np.dtype
    axes: str
    pages: list
    offset: int | None = None


def _open(path):
    # A file of a set of OME files is read for itself: tifffile would show each of them as the whole set.
    tiff = tifffile.TiffFile(path, _multifile=False)
    try:
        if tiff.is_ome:
            _require_plausible(tiff.ome_metadata)
    except BaseException:
        tiff.close()
        raise
    return tiff


def _require_plausible(ome):
    """Raise a ValueError if OME metadata name more planes than any file has: tifffile makes room for all of them."""
    try:
        elements = list(ElementTree.fromstring(ome).iter())
    except ElementTree.ParseError:
        return  # tifffile passes over it, too
    for about in (element.attrib for element in elements):
        steps = [float(about[name]) for name in ("Start", "End", "Step") if name in about]
        counts = [
            math.prod(int(about[name]) for name in ("SizeT", "SizeZ", "SizeC") if name in about),
            *(int(about[name]) for name in ("PlaneCount", "NumPlanes") if name in about),
            (steps[1] - steps[0]) / steps[2] if len(steps) == 3 and steps[2] else 0,
        ]
        if not max(counts) < _MOST_PLANES:
            raise ValueError("the file names more planes than it can hold")


def _content(tiff):
    """The first image of a file; pages that scripts wrote one by one are taken together, as a stack of unknown axis."""
    first = tiff.series[0]
    dtype = np.dtype(first.dtype)
    part_of_a_set = tiff.is_ome and "FileName=" in tiff.ome_metadata and any(page is None for page in first.pages)
    if part_of_a_set or (len(tiff.series) > 1 and not tiff.is_ome):
        pages = list(tiff.pages)
        if len({(page.shape, page.dtype) for page in pages}) == 1:
            front = (len(pages),) * (len(pages) > 1)
            return _Content(front + pages[0].shape, dtype, "Q" * len(front) + pages[0].axes, pages)
    return _Content(first.shape, dtype, first.axes, first.pages, first.dataoffset)


@dataclass(frozen=True)
class _Mapped:
    """Planes of a file whose pixels lie there in one piece."""

    path: object
    dtype: np.dtype
    offset: int
    shape: tuple
    axes: str

    def __getitem__(self, index):
        with readable(self.path):
            return planes_first(np.memmap(self.path, self.dtype, "r", self.offset, self.shape), self.axes)[index]


class Pages:
    """Planes that are decoded one page at a time; the last ones are kept, for pieces are cut from them in turn."""

    def __init__(self, tiff, content, axes):
        self.tiff, self.pages = tiff, content.pages
        inner = next(page for page in self.pages if page is not None).shape
        split = len(axes) - len(inner)
        self.front, self.inner = axes[:split], axes[split:]
        self.counts = content.shape[:split]
        one_plane_a_page = {"Y", "X"} <= set(self.inner) and content.shape[split:] == inner
        regular = one_plane_a_page and len(self.pages) == math.prod(self.counts)
        self.axes, self.regular = axes, regular
        self.piece_bytes = math.prod(inner if regular else content.shape) * content.dtype.itemsize
        require_memory(tiff.filehandle.path, self.piece_bytes)
        room = _DECODED // max(1, self.piece_bytes)
        self.page = lru_cache(maxsize=max(1, min(room, 256)))(self._page)

    def __getitem__(self, index):
        if not self.regular:
            return self.whole[index]
        t, z = index
        with readable(self.tiff.filehandle.path):
            if "C" in self.front:
                channels = range(self.counts[self.front.index("C")])
                pixels, axes = np.stack([self.page(t, z, c) for c in channels]), "C" + self.inner
            else:
                pixels, axes = self.page(t, z, 0), self.inner
        return planes_first(pixels, axes)[t if "T" in axes else 0, z if "Z" in axes else 0]

    @cached_property
    def whole(self):
        """All planes at once, of a file whose pages are not its planes."""
        with readable(self.tiff.filehandle.path):
            return planes_first(self.tiff.series[0].asarray(), self.axes)

    def _page(self, t, z, c):
        place = [{"T": t, "Z": z, "C": c}[axis] for axis in self.front]
        page = self.pages[int(np.ravel_multi_index(place, self.counts)) if place else 0]
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
    if last is not None and series.dataoffset is None and len(last.dataoffsets) < np.prod(last.chunked, dtype="int64"):
        return True  # strips or tiles are missing, which would be read as zeros
    if last is not None and last.dataoffsets:
        ends.append(last.dataoffsets[-1] + last.databytecounts[-1])
    return max(ends) > file.size
