"""OME-Zarr images: folders of chunks, for what no TIFF should hold. Metadata at once, pixels chunk by chunk."""

import contextlib
import math
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import psutil

from ..errors import UserError
from .axes import ORDER
from .calibration import Calibration, microns_of
from .files import FOLDER_ENDING
from .tables import read_json

_CACHE = 256_000_000  # bytes of decoded chunks to keep
_LARGEST = 10**17  # bytes; more than any disk has was not meant
_PLACES = "coordinateTransformations"
_TYPES = {"time": "T", "channel": "C"}
_OLD_AXES = "TCZYX"  # of OME-NGFF 0.1 and 0.2, which do not name them
_METADATA = {2: (".zattrs", ".zarray", "zarr"), 3: ("zarr.json", "zarr.json", "zarr3")}
_SECONDS = {"second": 1, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60, "hour": 3600}


def is_zarr(path):
    """Whether a path is that of a Zarr image: a folder whose name ends in ``.zarr``."""
    path = Path(path)
    return path.suffix.lower() == FOLDER_ENDING and path.is_dir()


def tensorstore():
    """The library that reads and writes chunks.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        import tensorstore
    except ImportError as error:
        raise UserError("OME-Zarr images need one package more: pip install tensorstore, then try again") from error
    return tensorstore


@lru_cache(maxsize=1)
def context():
    """What all open images share: decoded chunks, up to a limit. As with other files, nobody waits for the disk."""
    return tensorstore().Context({"cache_pool": {"total_bytes_limit": _CACHE}, "file_io_sync": False})


def metadata_file(path):
    """The file in a Zarr folder that says what the folder is, and tells when it was made."""
    found = [path / name for name in ("zarr.json", ".zattrs", ".zgroup") if (path / name).is_file()]
    return found[0] if found else Path(path)


def read_header(path):
    """Shape, type, axes as stated, and calibration of an image at its full resolution.

    Raises
    ------
    UserError
        Saying what is missing or wrong in its metadata.
    """
    array, about, places = _find(Path(path))
    axes = _axes(path, about)
    store = _open(path, array)
    if len(axes) != len(store.shape):
        raise UserError(
            f"{path} names {len(axes)} axes, but its pixels have {len(store.shape)}. Write it again with other software"
        )
    return store.shape, np.dtype(store.dtype.numpy_dtype), axes, _calibration(about, places, axes)


class Planes:
    """Planes of an image, indexed by (t, z); each gives (Y, X, C), of which only what is asked for is read.

    Attributes
    ----------
    piece_bytes : int
        Size of a decoded chunk.
    """

    def __init__(self, path, axes):
        self.path, array = path, _find(Path(path))[0]
        self.store = store = _open(path, array)
        chunk = store.chunk_layout.read_chunk.shape or store.shape
        self.piece_bytes = math.prod(map(min, chunk, store.shape)) * store.dtype.numpy_dtype.itemsize
        free = psutil.virtual_memory().available
        whole = math.prod(chunk) * store.dtype.numpy_dtype.itemsize  # at edges, too, chunks are decoded whole
        if whole > free / 2:
            raise UserError(
                f"{path} is stored in chunks of {whole / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory are free. "
                "Save it again in smaller chunks"
            )
        self.view = planes_first(store, axes)

    def __getitem__(self, index):
        return _Plane(self.path, self.view[index])


class _Plane:
    """(Y, X, C) of a plane: to cut a piece out of it reads that piece, as with a file that is mapped into memory."""

    ndim = 3

    def __init__(self, path, view):
        self.path, self.view = path, view
        self.shape, self.dtype = view.shape, np.dtype(view.dtype.numpy_dtype)

    @property
    def size(self):
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        return self[...] if dtype is None else self[...].astype(dtype)

    def astype(self, dtype):
        """All pixels, in another type."""
        return self[...].astype(dtype)

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [item for item in index if not isinstance(item, np.ndarray)]:
            place = next(n for n, item in enumerate(index) if item is Ellipsis)
            index = (*index[:place], *(slice(None),) * (4 - len(index)), *index[place + 1 :])
        index = (*index, *(slice(None),) * (3 - len(index)))
        boxes, inner = zip(*(_box(item, size) for item, size in zip(index, self.shape)))
        with sound(self.path):
            return np.asarray(self.view[boxes].read().result())[inner]


def _box(item, size):
    """What to read along an axis, as a slice with a positive step, and how to index that in turn."""
    if isinstance(item, slice):
        there = range(*item.indices(size))
        forward = there if there.step > 0 else there[::-1]
        box = slice(forward.start, max(forward.start, forward.stop), forward.step)
        return box, slice(None, None, 1 if there.step > 0 else -1)
    if np.ndim(item) == 0:
        place = range(size)[int(item)]
        return slice(place, place + 1, 1), 0
    item = np.where(np.asarray(item) < 0, np.asarray(item) + size, item)
    low, high = (int(item.min()), int(item.max()) + 1) if item.size else (0, 0)
    if low < 0 or high > size:
        raise IndexError(f"{low}:{high} is out of bounds for an axis of {size}")
    return slice(low, high, 1), item - low


def planes_first(store, axes):
    """View a tensorstore with the dimensions T, Z, Y, X, C; those that are missing have one place."""
    ts = tensorstore()
    missing = [a for a in ORDER if a not in axes]
    store = store[(..., *(ts.newaxis,) * len(missing))]
    return store.transpose([[*axes, *missing].index(a) for a in "TZYXC"])


@contextlib.contextmanager
def sound(path):
    """Turn what goes wrong with chunks into one sentence."""
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{path} is too large for this computer's memory. Save it in smaller chunks") from error
    except PermissionError as error:
        raise UserError(f"Cannot read {path}: permission denied. Check that you may read it") from error
    except (ValueError, RuntimeError, NotImplementedError, OSError, TypeError, OverflowError) as error:
        raise UserError(
            f"{path} is damaged, or stored in a way that is not known here. Copy it again from where it came, or write "
            "it again as OME-Zarr with blosc, zlib or zstd"
        ) from error


def _find(path):
    """The folder of the array at full resolution, what the image says of itself, and of that array."""
    about = _about(path, path)
    if "multiscales" not in about and "bioformats2raw.layout" in about:
        if (path / "1").exists():
            raise UserError(f"{path} holds several images. Copy {path / '0'} and the others to folders NAME.ome.zarr")
        about = _about(path, path / "0")
        array, places = _array(path, path / "0", about)
    else:
        array, places = _array(path, path, about)
    return array, about, places


def _about(path, group):
    for name in ("zarr.json", ".zattrs"):
        file = group / name
        if file.is_file():
            _require_inside(path, file)
            try:
                about = read_json(file)
                about = about.get("attributes", {}) if name == "zarr.json" else about
                return about.get("ome", about)
            except (OSError, ValueError, AttributeError) as error:
                raise UserError(f"{path} is damaged: {file.name} does not describe an image. Copy it again") from error
    raise UserError(f"{path} is no OME-Zarr image: it has neither .zattrs nor zarr.json. Give the folder that has one")


def _array(path, group, about):
    if not about.get("multiscales") and "plate" in about:
        raise UserError(f"{path} is a plate. Copy the images of its wells to folders NAME.ome.zarr")
    try:
        scale = about["multiscales"][0]
        level = scale["datasets"][0]
        places = [*(scale.get(_PLACES) or ()), *(level.get(_PLACES) or ())]
        name = level["path"]
        if not isinstance(name, str) or not name:
            raise TypeError("no name")
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no OME-Zarr image: its metadata name no resolution levels (multiscales). Write it again, for "
            "example with bioformats2raw or ome-zarr"
        ) from error
    if os.path.isabs(name) or ".." in name.replace("\\", "/").split("/") or ":" in name:
        raise UserError(f"{path} names pixels outside of its folder ({name}), which are not read. Remove it")
    _require_inside(path, group / name)
    return group / name, places


def _require_inside(path, part):
    root, real = Path(path).resolve(), Path(part).resolve()
    if root != real and root not in real.parents:
        raise UserError(f"{path} has a link that leads out of it ({Path(part).name}), which is not followed. Remove it")


def _open(path, array):
    version = next((v for v, (_, name, _) in _METADATA.items() if (array / name).is_file()), None)
    if version is None:
        raise UserError(f"{path} is incomplete: there is no array {array.name} in it. Copy it again from where it came")
    _, name, driver = _METADATA[version]
    _require_inside(path, array / name)
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{array.resolve()}{os.sep}"}}
    ts = tensorstore()
    with sound(path):
        store = ts.open(spec, open=True, read=True, context=context()).result()
        size = math.prod(store.shape) * store.dtype.numpy_dtype.itemsize
    if size > _LARGEST:
        raise UserError(f"{path} claims {size:.0e} bytes of pixels, more than any disk holds. It is damaged: remove it")
    return store


def _axes(path, about):
    """Letters of the axes; they may be names alone, or have types."""
    stated = about["multiscales"][0].get("axes")
    if stated is None:
        return _OLD_AXES
    try:
        named = [(a, "") if isinstance(a, str) else (a["name"], a.get("type", "")) for a in stated]
        letters = "".join(_TYPES.get(kind, name.upper()) for name, kind in named)
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} does not name its axes as OME-Zarr does. Write it with other software") from error
    if not set(letters) <= set(ORDER) or len(set(letters)) != len(named) or not {"Y", "X"} <= set(letters):
        names = ", ".join(str(name) for name, _ in named)[:60]
        raise UserError(f"{path} has the axes {names}; only t, c, z, y and x, once each, are known. Save it with those")
    return letters


def _calibration(about, places, axes):
    with contextlib.suppress(Exception):  # odd metadata never keeps anyone from their pixels
        return _stated(about, places, axes)
    return Calibration()


def _stated(about, places, axes):
    size = dict.fromkeys(axes, 1.0)
    scales = [place["scale"] for place in places if place.get("type") == "scale"]
    for scale in scales:
        size = {axis: size[axis] * float(value) for axis, value in zip(axes, scale)}
    stated = about["multiscales"][0].get("axes") or ()
    units = {axis: (a.get("unit") or "") if isinstance(a, dict) else "" for axis, a in zip(axes, stated)}
    lengths = {a: microns_of(units.get(a, "")) for a in "XYZ" if a in axes}
    found, unit = {}, ""
    if scales and all(lengths.values()):
        found, unit = {a: abs(size[a]) * microns for a, microns in lengths.items()}, "µm"
    elif scales and any(size[a] != 1 for a in lengths):  # in a unit that nobody named
        found = {a: abs(size[a]) for a in lengths}
    if scales and "T" in axes and units.get("T") in _SECONDS:
        found["T"] = size["T"] * _SECONDS[units["T"]]
    channels = [str(c.get("label", "")) for c in about.get("omero", {}).get("channels", ())]
    found = {axis: value for axis, value in found.items() if value and math.isfinite(value)}
    return Calibration(found, unit, tuple(channels) if any(channels) else ())
