"""Pixel sizes, time steps and channel names, as TIFF files state them."""

import contextlib
import math
from dataclasses import dataclass, field, replace

import tifffile

_SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}
_METRES = {"Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "um": 1e-6, "micron": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1}
_NAMES = {"angstrom": "Å", "nanometer": "nm", "micrometer": "µm", "millimeter": "mm", "centimeter": "cm", "meter": "m"}


def microns_of(unit):
    """How many µm a unit of length is, by its sign or its whole name; None if it is not known."""
    metres = _METRES.get(_NAMES.get(unit.replace("metre", "meter"), unit))
    return metres and metres / 1e-6


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

    @property
    def flatness(self):
        """How many times as far apart planes are as pixels; 1 if unknown."""
        return self.size["Z"] / self.size["X"] if {"X", "Z"} <= self.size.keys() else 1.0

    def microns(self, axes):
        """Size of a pixel along some axes, ``"YX"`` for example, in µm; None where that is not known."""
        if self.unit not in _METRES or not set(axes) <= self.size.keys():
            return None
        return tuple(self.size[axis] * _METRES[self.unit] / 1e-6 for axis in axes)


def read_calibration(tiff):
    """What an open ``tifffile.TiffFile`` says, as OME or ImageJ metadata or in the tags; empty if it says nothing."""
    with contextlib.suppress(Exception):  # odd metadata never keeps anyone from their pixels
        found = _from_ome(tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]) if tiff.is_ome else _from_imagej(tiff)
        # Some software writes 0 for unknown, and a spacing that is negative because the stage moved down.
        size = {axis: abs(value) for axis, value in found.size.items() if value and math.isfinite(value)}
        return replace(found, size=size)
    return Calibration()


def _from_ome(image):
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    units = {a: pixels.get(f"PhysicalSize{a}Unit", "µm") for a in "XYZ"}
    scale = {a: _METRES.get(unit, 1) / _METRES.get(units["X"], 1) for a, unit in units.items()}
    size = {a: float(pixels[f"PhysicalSize{a}"]) * scale[a] for a in "XYZ" if f"PhysicalSize{a}" in pixels}
    if "TimeIncrement" in pixels:
        size["T"] = float(pixels["TimeIncrement"]) * _SECONDS[pixels.get("TimeIncrementUnit", "s")]
    channels = pixels.get("Channel", [])
    names = [str(c.get("Name", "")) for c in (channels if isinstance(channels, list) else [channels])]
    return Calibration(size, units["X"] if size else "", tuple(names) if any(names) else ())


def _from_imagej(tiff):
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
