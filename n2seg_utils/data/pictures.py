"""PNG and JPEG, 16-bit colour included, which Pillow would silently cut to 8 bit."""

import struct

import numpy as np

from .files import readable, require_memory

_PNG = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # of a pixel, for each colour type of PNG
# JPEG markers that say how large the picture is: all "start of frame", not the tables that share their numbers.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def read_picture(path):
    """The pixels of a PNG or JPEG file, (Y, X) or (Y, X, C)."""
    import imagecodecs

    with readable(path):
        data = path.read_bytes()
        require_memory(path, claimed(data))
        if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data:
            raise ValueError("the JPEG's end is missing, which the decoder would fill with grey")
        decode = imagecodecs.png_decode if data[:8] == _PNG else imagecodecs.jpeg_decode
        return _seen(decode(data))


def _seen(pixels):
    """The pixels without the opacity that drawing programs add, if all of them are opaque: it is no channel."""
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 4) and (pixels[..., -1] == np.iinfo(pixels.dtype).max).all():
        return pixels[..., 0] if pixels.shape[-1] == 2 else np.ascontiguousarray(pixels[..., :-1])
    return pixels


def claimed(data):
    """How many bytes the header of a PNG or JPEG says that its pixels take; 0 if it says nothing.

    Decoders believe it, and it costs a few bytes to claim any number.
    """
    if data[:8] == _PNG:
        width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
        return width * height * _SAMPLES.get(kind, 4) * max(1, bits // 8)
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length, _, height, width, samples = struct.unpack(">BHBHHB", data[at + 1 : at + 10])
        if marker in _FRAMES:
            return height * width * samples
        at += 1 if marker == 0xFF else 2 + length
    return 0
