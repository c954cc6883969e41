"""Image files, opened lazily: headers first, pixels plane by plane."""

import contextlib
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile

from ..errors import UserError
from . import axes as axis_rules
from .files import list_images

_KINDS = "uif"  # unsigned, signed, floating
_SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Calibration:
    """What a file says about its pixels beside their values.

    Attributes
    ----------
    size : dict
        Axis letter -> size of a pixel in `unit` (X, Y, Z) or of a time step in seconds (T); unknown ones are absent.
    unit : str
        Unit of length, "µm" for example; empty if unknown.
    channels : tuple of str
        Names of the channels, if known.
    """

    size: dict = field(default_factory=dict)
    unit: str = ""
    channels: tuple = ()


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

    def describe(self):
        """The image in words: '30 time points of 512 x 512, uint16'."""
        return f"{axis_rules.describe(self.axes, self.shape)}, {self.dtype}"

    def plane(self, number):
        """Pixels of one plane, (Y, X, C), in the file's own type; planes count through Z, then T.

        Only what is needed is read: a plain TIFF is mapped into memory, so that cutting a piece out of the result
        reads that piece; a compressed one is read page by page.
        """
        return self._stack()[divmod(number, self.size["Z"])]

    def _stack(self):
        """An object that is indexed by (t, z) and gives (Y, X, C)."""
        with _readable(self.path):
            if self.path.suffix.lower() not in (".tif", ".tiff"):
                return _ordered(_read_picture(self.path), self.axes)
            with tifffile.TiffFile(self.path) as tiff:
                series = tiff.series[0]
                if series.dataoffset is not None:
                    pixels = np.memmap(
                        self.path, f"{tiff.byteorder}{series.dtype.str[1:]}", "r", series.dataoffset, series.shape
                    )
                    return _ordered(pixels, self.axes)
            return _Pages(self)


class _Pages:
    """Planes of a TIFF that cannot be mapped into memory, decoded one page at a time."""

    def __init__(self, image):
        self.image = image

    def __getitem__(self, index):
        image = self.image
        with _readable(image.path), tifffile.TiffFile(image.path) as tiff:
            series = tiff.series[0]
            page_shape = series.keyframe.shape
            front = image.axes[: len(image.shape) - len(page_shape)]
            if tuple(image.shape[len(front) :]) != tuple(page_shape) or len(series.pages) != np.prod(
                image.shape[: len(front)], dtype="int64"
            ):
                return _ordered(series.asarray(), image.axes)[index]  # an unusual layout: all at once
            wanted = dict(zip("TZ", index))
            inner = image.axes[len(front) :]
            channels = range(image.size["C"]) if "C" in front else [0]
            found = []
            for channel in channels:
                place = [(wanted | {"C": channel})[a] for a in front]
                number = int(np.ravel_multi_index(place, image.shape[: len(front)])) if front else 0
                if series.pages[number] is None:
                    raise ValueError("the file names a plane that it does not hold")
                found.append(series.pages[number].asarray())
            pixels, axes = (np.stack(found), "C" + inner) if "C" in front else (found[0], inner)
            kept = {a: wanted[a] for a in "TZ" if a in inner}
            ordered = _ordered(pixels, axes)
            return ordered[kept.get("T", 0), kept.get("Z", 0)]


def open_image(path, axes="auto"):
    """Read an image's header.

    Parameters
    ----------
    path : path
        TIFF (plain, ImageJ, OME, compressed, BigTIFF), PNG or JPEG.
    axes : str
        What the dimensions mean, for files that do not say or say it wrongly; "auto" believes the file, else guesses.

    Returns
    -------
    ImageFile

    Raises
    ------
    UserError
        Naming the file, when it is no image, broken, or not of numbers we can work with.
    """
    path = Path(path)
    with _readable(path):
        if path.suffix.lower() in (".tif", ".tiff"):
            shape, dtype, stated, calibration = _tiff_header(path)
        else:
            pixels = _read_picture(path)
            shape, dtype, calibration = pixels.shape, pixels.dtype, Calibration()
            stated = "YXC" if pixels.ndim == 3 else "YX"
    if dtype.kind not in _KINDS or 0 in shape:
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


def _ordered(pixels, axes):
    """Put the dimensions into the order T, Z, Y, X, C, adding those that are missing; no pixel is copied."""
    pixels = pixels[(...,) + (None,) * (5 - pixels.ndim)]
    missing = [a for a in axis_rules.ORDER if a not in axes]
    have = list(axes) + missing
    return pixels.transpose([have.index(a) for a in "TZYXC"])


def _tiff_header(path):
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        if _cut_short(tiff, series):
            raise ValueError("pixels are missing at the end")
        return series.shape, np.dtype(series.dtype), series.axes, _tiff_calibration(tiff)


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


def _tiff_calibration(tiff):
    with contextlib.suppress(Exception):  # odd metadata never keeps anyone from their pixels
        if tiff.is_ome:
            return _ome_calibration(tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"])
        return _imagej_calibration(tiff)
    return Calibration()


def _ome_calibration(image):
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    size = {a: float(pixels[f"PhysicalSize{a}"]) for a in "XYZ" if f"PhysicalSize{a}" in pixels}
    if "TimeIncrement" in pixels:
        size["T"] = float(pixels["TimeIncrement"]) * _SECONDS[pixels.get("TimeIncrementUnit", "s")]
    channels = pixels.get("Channel", [])
    names = [str(c.get("Name", "")) for c in (channels if isinstance(channels, list) else [channels])]
    return Calibration(size, pixels.get("PhysicalSizeXUnit", "µm" if size else ""), tuple(n for n in names if n))


def _imagej_calibration(tiff):
    page, about = tiff.pages[0], tiff.imagej_metadata or {}
    size = {}
    # ImageJ writes µ as \\u00B5; others write it as it is.
    unit = str(about.get("unit", "")).encode("ascii", "backslashreplace").decode("unicode_escape")
    resolution = {"X": page.tags.get("XResolution"), "Y": page.tags.get("YResolution")}
    unit_tag = page.tags.get("ResolutionUnit")
    centimetre = not unit and unit_tag is not None and int(unit_tag.value) == 3
    for axis, tag in resolution.items():
        if tag is not None and (unit or centimetre) and all(tag.value):
            # 1 / resolution is the pixel's size; plain TIFF gives it per centimetre, which is 10,000 µm.
            size[axis] = tag.value[1] / tag.value[0] * (1e4 if centimetre else 1)
    if "spacing" in about:
        size["Z"] = float(about["spacing"])
    if "finterval" in about:
        size["T"] = float(about["finterval"])
    unit = {"micron": "µm", "um": "µm"}.get(unit, unit) or ("µm" if centimetre and size else "")
    labels = about.get("Labels", ())
    labels = [labels] if isinstance(labels, str) else labels
    return Calibration(size, unit, tuple(labels[: int(about.get("channels", 1))]))


def _read_picture(path):
    """PNG and JPEG, 16-bit colour included, which Pillow would silently cut to 8 bit."""
    import imagecodecs

    data = path.read_bytes()
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data:
        raise ValueError("the JPEG's end is missing, which the decoder would fill with grey")
    decode = imagecodecs.png_decode if data[:8] == b"\x89PNG\r\n\x1a\n" else imagecodecs.jpeg_decode
    return decode(data)


@contextlib.contextmanager
def _readable(path):
    """Turn the many ways in which reading a file fails into one sentence."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"Cannot read {path}: {reason}. Check that it is there and that you may read it") from error
    except (ValueError, RuntimeError, IndexError, KeyError, TypeError, struct.error, ZeroDivisionError) as error:
        raise UserError(
            f"{path} is not an image we can read, or is damaged. Save it again as TIFF, or remove it"
        ) from error
