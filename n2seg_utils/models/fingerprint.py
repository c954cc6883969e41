"""What tells whether a file is still the same: an image without reading all of it, a mask to the last byte."""

import os
import zlib

_PIECES, _BYTES = 16, 4096


def fingerprint(image):
    """Name, axes, shape and type of an ImageFile, the size of its file, and a checksum of pieces of it: a dict."""
    return {
        "name": image.path.name,
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        **content(image.path),
    }


def content(path):
    """Size of a file, and a checksum of pieces of it: a dict. Of a folder of chunks, some of its files are read."""
    if path.is_dir():
        return _content_of_folder(path)
    size = path.stat().st_size
    return {"bytes": size, "crc32": _checksum(path, size)}


def fingerprint_of_mask(mask):
    """Name, size and checksum of the file of a Mask: a dict. A few pixels that are drawn anew are told."""
    if mask.path.is_dir():
        return {"name": mask.path.name, **_content_of_folder(mask.path, every=True)}
    content = mask.path.read_bytes()
    return {"name": mask.path.name, "bytes": len(content), "crc32": zlib.crc32(content)}


def _checksum(path, size):
    """CRC-32 of pieces spread over a file, its first and last bytes among them."""
    found = 0
    with open(path, "rb") as file:
        for piece in range(_PIECES):
            file.seek(max(0, size - _BYTES) * piece // (_PIECES - 1))
            found = zlib.crc32(file.read(_BYTES), found)
    return found


def _content_of_folder(folder, every=False):
    """Bytes and checksum of the files in a folder: `every` one, or of each folder in it the first, middle and last."""
    size = found = 0
    for path in _files(folder, every):
        data = path.read_bytes()
        size, found = size + len(data), zlib.crc32(data, zlib.crc32(path.name.encode("utf-8", "replace"), found))
    return {"bytes": size, "crc32": found}


def _files(folder, every):
    entries = sorted(os.listdir(folder))
    told = {name for name in entries if name.startswith(".z") or name == "zarr.json"}  # what describes the rest
    chunks = [name for name in entries if name not in told]
    if not every and len(chunks) > 3:
        chunks = [chunks[0], chunks[len(chunks) // 2], chunks[-1]]
    for name in [*sorted(told), *chunks]:
        path = folder / name
        if path.is_dir():
            yield from _files(path, every)
        elif path.is_file():
            yield path
