"""Pieces of images that are written one after another, whatever they are written to."""

import numpy as np


def frame_of(number, where, depth):
    """Where in (T, Z, Y, X, C) two slices of plane `number` are, or three of the volume of time point `number`."""
    return (*divmod(number, depth), *where) if len(where) == 2 else (number, *where)


def to_type(values, dtype):
    """Round and clip to what a type of pixels can hold; floats are cast."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.asarray(values, dtype)
    limits = np.iinfo(dtype)
    # In double precision, since a float32 cannot hold the limits of 32 bit; and no float holds the largest of 64 bit.
    largest = float(limits.max) if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
    return np.clip(np.rint(np.asarray(values, "float64")), limits.min, largest).astype(dtype)
