"""OME-Zarr results: folders of compressed chunks, whole or absent, in strips that several processes may share."""

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import ome_zarr
from .files import cannot_write, make_folder, require_space, write_text
from .pieces import frame_of, to_type

_ORDER = "TCZYX"  # that OME-NGFF asks for
# Chunks of a few megabytes, so that files are neither many nor slow to change. Networks of planes write planes.
FLAT, DEEP = {"Y": 1024, "X": 1024}, {"Z": 64, "Y": 256, "X": 256}
_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {"Å": "angstrom", "nm": "nanometer", "µm": "micrometer", "um": "micrometer", "micron": "micrometer",
          "mm": "millimeter", "cm": "centimeter", "m": "meter"}  # fmt: skip
_DONE = ".done"  # folder of empty files that are called like the strips that are written


@contextlib.contextmanager
def zarr_writer(path, like, dtype, display=None, channels=None, deep=False, labels=False):
    """Write an OME-Zarr image (NGFF 0.4) of the same planes as another, piece by piece, whole or not at all.

    Parameters
    ----------
    path, like, dtype, display, channels
        See :func:`~n2seg_utils.data.writing.image_writer`; `path` ends in ``.zarr``.
    deep : bool
        Pieces are of volumes.
    labels : bool
        The pixels are labels.

    Yields
    ------
    callable
        As :func:`~n2seg_utils.data.writing.image_writer`.
    """
    temporary = path.with_name(f".{path.name[:40]}.{uuid.uuid4().hex[:8]}")
    try:
        yield _create(temporary, path, like, dtype, display, channels, deep, labels).write
        _rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Strips:
    """An OME-Zarr image in the making, whose strips are written by one process or by several, and gone on with.

    A strip is so many rows of a frame, as many as some chunks have: no two processes change one chunk. What is written
    lies in a hidden folder beside the result until the last strip is done.

    Parameters
    ----------
    path : Path
    like : ImageFile
    dtype : dtype
    dims : int
        Of the frames: 2, planes; 3, volumes.
    reach : int
        Rows that must be read around a strip, so that strips are several times as high.
    made_from : object
        What the pixels depend on, for JSON: what was written from other things is not gone on with.
    """

    def __init__(self, path, like, dtype, dims, reach, made_from):
        self.path, self.like, self.dtype, self.dims = Path(path), like, dtype, dims
        self.rows = strip_rows(like, dims, reach)
        text = json.dumps([made_from, str(np.dtype(dtype)), dims, self.rows], sort_keys=True, default=str)
        known = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()
        self.folder = self.path.with_name(f".{self.path.name[:100]}.{known}")

    def all(self):
        """(frame number, rows) of all strips."""
        frames = self.like.frames(self.dims)
        height = self.like.size["Y"]
        rows = [slice(top, min(top + self.rows, height)) for top in range(0, height, self.rows)]
        return [(frame, piece) for frame in frames for piece in rows]

    def begin(self, display=None):
        """Make the image with nothing in it, unless another process did; gives what writes, as image_writer does."""
        if not self.folder.is_dir():
            temporary = self.folder.with_name(f"{self.folder.name}.{uuid.uuid4().hex[:8]}")
            try:
                _create(temporary, self.path, self.like, self.dtype, display, None, self.dims == 3, False)
                make_folder(temporary / _DONE)
                with contextlib.suppress(OSError):  # another process was first
                    os.rename(temporary, self.folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return _Target(self.folder, self.like).write

    def is_done(self, number):
        """Whether a strip is written; its number counts through :meth:`all`."""
        return (self.folder / _DONE / str(number)).exists()

    def done(self, number):
        """Note that a strip is written."""
        try:
            (self.folder / _DONE / str(number)).touch()
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def finish(self):
        """Give the image its name if all strips are written; says whether it has it."""
        count = len(self.all())
        with contextlib.suppress(OSError):  # another process was first
            if not self.path.exists() and len(os.listdir(self.folder / _DONE)) >= count:
                os.rename(self.folder, self.path)
        shutil.rmtree(self.path / _DONE, ignore_errors=True)
        return self.path.is_dir()


def strip_rows(like, dims, reach):
    """Rows of a strip: of whole chunks, and so many that what is read around them is little beside them."""
    chunk = (FLAT if dims == 2 else DEEP)["Y"]
    return chunk * math.ceil(max(2 * chunk, 8 * reach) / chunk)


class _Target:
    """The pixels of a Zarr folder in the making."""

    def __init__(self, folder, like):
        self.folder, self.depth = folder, like.size["Z"]
        spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": f"{(folder / '0').resolve()}{os.sep}"}}
        axes = json.loads((folder / ".zattrs").read_text(encoding="utf-8"))["multiscales"][0]["axes"]
        with _writing(folder):
            store = ome_zarr.tensorstore().open(spec, open=True, context=ome_zarr.context()).result()
        self.dtype = np.dtype(store.dtype.numpy_dtype)
        self.view = ome_zarr.planes_first(store, "".join(axis["name"].upper() for axis in axes))

    def write(self, number, where, values):
        """Put a piece into a plane or volume; as the function that image_writer gives."""
        place = frame_of(number, where, self.depth)
        with _writing(self.folder):
            self.view[place].write(to_type(values, self.dtype)).result()


def _create(folder, path, like, dtype, display, channels, deep, labels):
    """A Zarr image of zeros at `folder`, which will be `path`; what writes to it."""
    size = like.size | ({"C": channels} if channels else {})
    axes = "".join(a for a in _ORDER if a in "YX" or size[a] > 1 or a in like.axes)
    shape, dtype = [size[a] for a in axes], np.dtype(dtype)
    make_folder(path.parent)
    require_space(path.parent, math.prod(shape) * dtype.itemsize / 2)  # chunks are compressed, noise hardly
    chunk = DEEP if deep else FLAT
    metadata = {
        "shape": shape,
        "chunks": [min(chunk.get(a, 1), size[a]) for a in axes],
        "dtype": dtype.newbyteorder("<").str if dtype.itemsize > 1 else dtype.str,
        "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
        "dimension_separator": "/",
        "fill_value": 0,
    }
    make_folder(folder / "0")
    write_text(folder / ".zgroup", json.dumps({"zarr_format": 2}))
    about = _about(path, axes, like.calibration, labels)
    if not labels:
        names = like.channel_names if channels is None else [f"output {c + 1}" for c in range(size["C"])]
        about["omero"] = {"channels": [_shown(name, dtype, display) for name in names]}
    write_text(folder / ".zattrs", json.dumps(about, indent=1, ensure_ascii=False))
    kvstore = {"driver": "file", "path": f"{(folder / '0').resolve()}{os.sep}"}
    spec = {"driver": "zarr", "kvstore": kvstore, "metadata": metadata}
    with _writing(folder):
        ome_zarr.tensorstore().open(spec, create=True, context=ome_zarr.context()).result()
    return _Target(folder, like)


def _about(path, axes, calibration, labels):
    """What OME-NGFF 0.4 says of an image."""
    named = [{"name": a.lower(), "type": _KINDS[a]} | _unit(a, calibration) for a in axes]
    scale = [float(calibration.size.get(a, 1)) for a in axes]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    name = path.name.removesuffix(path.suffix).removesuffix(".ome")
    found = {"multiscales": [{"version": "0.4", "name": name, "axes": named, "datasets": [level]}]}
    return found | ({"image-label": {"version": "0.4"}} if labels else {})


def _shown(name, dtype, display):
    """How viewers should show a channel."""
    low, high = (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)) if dtype.kind in "ui" else (0.0, 1.0)
    start, end = map(float, display or (low, high))
    window = {"min": min(low, start), "max": max(high, end), "start": start, "end": end}
    return {"label": name, "color": "FFFFFF", "active": True, "window": window}


def _unit(axis, calibration):
    if axis not in calibration.size:
        return {}
    if axis == "T":
        return {"unit": "second"}
    return {"unit": _UNITS[calibration.unit]} if calibration.unit in _UNITS else {}


def _rename(temporary, path):
    """Give a folder its name, unless there is one already: then that stays."""
    if os.path.lexists(path):
        raise UserError(f"{path} exists already and is not overwritten. Choose another folder, or move it away")
    try:
        os.rename(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def _writing(folder):
    """Turn what goes wrong when chunks are written into one sentence."""
    try:
        yield
    except OSError as error:
        raise cannot_write(folder, error) from error
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"Cannot write {folder}: {str(error)[:200]}. Check that its disk has room and is still connected"
        ) from error
