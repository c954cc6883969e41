"""Supervisely projects, read as label images and written from them, without Supervisely's own package.

A project is a folder with ``meta.json`` (the classes) and data sets, each with its images in ``img`` and for each of
them a file of the same name plus ``.json`` in ``ann``. Format: developer.supervisely.com, "Supervisely annotation
format" (project structure, objects) and "Coordinate system".
"""

import base64
import contextlib
import json
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
from scipy.ndimage import find_objects
from skimage.draw import polygon_perimeter

from ..errors import UserError
from .files import at_home, natural_order, readable, require_absent, whole_file, whole_folder, write_text
from .outlines import fill, require_short
from .pictures import claimed
from .tables import read_json

_META = "meta.json"
_COLOURS = ("#00C8FF", "#E69F00", "#009E73", "#F0E442", "#D55E00", "#CC79A7")
_DATASET = "dataset"
_SHOWN = (0.1, 99.9)  # percentiles of an image that are black and white when it is shown for annotating


def is_project(folder):
    """Whether a folder is a Supervisely project."""
    folder = at_home(folder)
    return (folder / _META).is_file() and any(folder.glob("**/ann"))


def annotations(folder):
    """The annotations of a project, all of its data sets together.

    Returns
    -------
    dict
        Name of the image, with its ending -> Path of its annotation, in natural order.

    Raises
    ------
    UserError
        If there is none, or images of two data sets have one name.
    """
    folder = at_home(folder)
    found = {}
    for path in sorted(folder.glob("**/ann/*.json"), key=natural_order):
        if not path.name.startswith("."):
            twin = found.setdefault(path.stem, path)
            if twin != path:
                raise UserError(
                    f"{twin} and {path} are both annotations of '{path.stem}'. Rename the image in one of the data sets"
                )
    if not found:
        raise UserError(
            f"{folder} holds no annotations of Supervisely (ann/*.json). Export the project there in Supervisely's "
            "own format, with annotations"
        )
    return found


def class_names(folder):
    """The titles of a project's classes, in their order."""
    path = at_home(folder) / _META
    with _understood(path):
        return [str(entry["title"]) for entry in read_json(path)["classes"]]


def read_annotation(path, shape, classes=None):
    """The objects of one image.

    Parameters
    ----------
    path : path
        The annotation, ``ann/NAME.EXT.json``.
    shape : (int, int)
        (Y, X) of the image in pixels.
    classes : list of str, optional
        Pass over objects of other classes.

    Returns
    -------
    objects : ndarray (Y, X), int32
        0 is background. Objects have the numbers 1, 2, ... in the order of the annotation. Later ones cover earlier
        ones, as in Supervisely; what is covered wholly has no number.
    kinds : list of str
        The class of each object.

    Raises
    ------
    UserError
        For an object that is no area (a line, points), one outside of the image, an image of another size, or a
        damaged file.
    """
    path = Path(path)
    with _understood(path):
        annotation = read_json(path)
        size = annotation["size"]["height"], annotation["size"]["width"]
        if size != tuple(shape):
            raise UserError(
                f"{path} belongs to an image of {size[1]} x {size[0]} pixels, but the image has "
                f"{shape[1]} x {shape[0]}. Give the project of these images"
            )
        drawn = [entry for entry in annotation["objects"] if classes is None or entry["classTitle"] in classes]
        objects = np.zeros(shape, "int32")
        for number, entry in enumerate(drawn, 1):
            rows, columns = _pixels(entry, path, shape)
            inside = _within(rows, columns, shape)
            if len(inside) and not inside.any():
                raise UserError(
                    f"An object of class '{entry['classTitle']}' in {path} lies outside of the image, which has "
                    f"{shape[1]} x {shape[0]} pixels. Remove it in Supervisely, and export the project again"
                )
            objects[rows[inside], columns[inside]] = number
    visible, numbers = np.unique(np.append(objects, 0), return_inverse=True)
    kinds = [str(drawn[number - 1]["classTitle"]) for number in visible if number]
    return numbers[:-1].reshape(shape).astype("int32"), kinds


def write_project(folder, pictures, class_name="object"):
    """Write images and labels as a project to be corrected in Supervisely, whole or not at all.

    Images are written as PNG of 8 bit, which Supervisely shows as they are: those of 8 bit unchanged, others between
    their 0.1 and 99.9 percentiles, a channel at a time. Each object is a bitmap; :func:`read_annotation` gives exactly
    the same pixels back, with the numbers 1, 2, ... in the old order.

    Parameters
    ----------
    folder : path
    pictures : iterable of (str, ndarray, ndarray)
        Name without ending (see :func:`plane_name`), image (Y, X) or (Y, X, C) of which three channels at most are
        shown, labels (Y, X) of int with 0 as background.
    class_name : str or dict
        The class of all objects, or label -> class.

    Raises
    ------
    UserError
        If there is something in the folder that would be overwritten, or two pictures have one name.
    """
    folder = at_home(folder)
    require_absent([folder / _META, folder / _DATASET])
    with whole_folder(folder) as temporary:
        images, notes = temporary / _DATASET / "img", temporary / _DATASET / "ann"
        for name, image, labels in pictures:
            path = images / f"{name}.png"
            if path.exists():
                raise UserError(
                    f"Two images are called '{name}', which {folder} can hold only once. Rename one of them"
                )
            with whole_file(path) as file:
                file.write_bytes(imagecodecs.png_encode(_shown(image)))
            write_text(notes / f"{path.name}.json", json.dumps(_annotation(labels, class_name)))
        titles = class_name.values() if isinstance(class_name, dict) else [class_name]
        classes = [
            {"title": title, "shape": "bitmap", "color": _COLOURS[number % len(_COLOURS)], "geometry_config": {}}
            for number, title in enumerate(titles)
        ]
        write_text(temporary / _META, json.dumps({"classes": classes, "tags": [], "projectType": "images"}))


def plane_name(name, plane, planes, depth=1):
    """What a plane of an image is called in a project; planes count through Z, then T.

    >>> plane_name("cell", 2, planes=10), plane_name("cell", 2, 10, depth=10), plane_name("cell", 7, 10, depth=5)
    ('cell_t003', 'cell_z003', 'cell_t002_z003')
    >>> plane_name("cell", 0, planes=1)
    'cell'
    """
    t, z = divmod(plane, depth)
    return name + f"_t{t + 1:03d}" * (planes > depth) + f"_z{z + 1:03d}" * (depth > 1)


@contextlib.contextmanager
def _understood(path):
    with readable(path):
        try:
            yield
        except (ValueError, LookupError, TypeError, RuntimeError, zlib.error) as error:
            raise UserError(
                f"{path} is not a file of a Supervisely project, or is damaged. Export the project again"
            ) from error


def _pixels(entry, path, shape):
    """Rows and columns of the pixels of one object; some may lie outside of the image."""
    kind = entry["geometryType"]
    if kind == "bitmap":
        left, top = entry["bitmap"]["origin"]
        rows, columns = np.nonzero(_decode(entry["bitmap"]["data"], shape))
        return rows + top, columns + left
    if kind == "rectangle":
        corners = np.sort(_points(entry["points"]["exterior"]).reshape(2, 2), axis=0)
        if (corners % 1).any():
            # Exact corners, of a file that did not pass through their package, which rounds them in this way.
            low = np.floor(corners[0] + 0.3)
            corners = np.stack([low, np.maximum(np.ceil(corners[1] - 0.3) - 1, low)])
        # One row or column around the image says as much as all beyond it.
        (left, top), (right, bottom) = np.clip(corners, -1, shape[::-1]).astype(int)
        rows, columns = np.mgrid[top : bottom + 1, left : right + 1]
        return rows.ravel(), columns.ravel()
    if kind == "polygon":
        return _inside([_points(ring) for ring in (entry["points"]["exterior"], *entry["points"]["interior"])], shape)
    raise UserError(
        f"An object of class '{entry['classTitle']}' in {path} is a {kind}, which is no area. Draw it as mask, polygon "
        "or rectangle in Supervisely, or leave this class out"
    )


def _points(numbers):
    """Points (x, y), ndarray (N, 2), of what a file says."""
    points = np.array(numbers, "float64").reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("a point that is nowhere")
    return points


def _inside(rings, shape):
    """Rows and columns of the pixels that a polygon encloses or touches, without those of its holes; of those outside
    of the image, the border only.

    Points are pixels, and the border belongs to the inside, also that of a hole: this is how their package draws it.
    """
    rings = [np.floor(ring) for ring in rings]
    steps = [np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1) for ring in rings]
    require_short(sum(np.maximum(step, 1).sum() for step in steps), shape)
    mask, beyond = np.zeros(shape, bool), ([], [])
    for number, ring in enumerate(rings):
        mask[fill([ring + 0.5], shape)] = number == 0
        corner = ring.min(0)
        x, y = (ring - corner).astype(int).T
        rows, columns = polygon_perimeter(y, x, (y.max() + 1, x.max() + 1))
        rows, columns = rows + int(corner[1]), columns + int(corner[0])
        within = _within(rows, columns, shape)
        mask[rows[within], columns[within]] = number == 0
        if number == 0:
            beyond = rows[~within], columns[~within]
    return tuple(np.append(there, outside).astype(int) for there, outside in zip(np.nonzero(mask), beyond))


def _within(rows, columns, shape):
    return (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])


def _decode(text, shape):
    """A mask (Y, X) from its text; where a PNG has colours, the last of its channels is the mask.

    Packed text can unpack to any size: no more is unpacked than a mask of the whole image can take.
    """
    most = 8 * (shape[0] + 1) * (shape[1] + 1) + 100_000
    unpacker = zlib.decompressobj()
    png = unpacker.decompress(base64.b64decode(text), most)
    if not unpacker.eof or claimed(png) > most:
        raise ValueError("a mask that is larger than its image, or cut short")
    pixels = imagecodecs.png_decode(png)
    return (pixels if pixels.ndim == 2 else pixels[..., -1]) > 0


def _encode(mask):
    # Their package and its predecessors all read the mask from the opacity.
    pixels = np.repeat(mask[..., None].astype("uint8") * 255, 4, axis=2)
    return base64.b64encode(zlib.compress(imagecodecs.png_encode(pixels))).decode("ascii")


def _annotation(labels, class_name):
    labels = np.asarray(labels)
    numbers = np.unique(labels)
    numbers = numbers[numbers > 0]
    # Numbers may be large and far apart, and find_objects lists all up to the largest.
    order = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0).astype("int32")
    objects = []
    for index, (rows, columns) in enumerate(find_objects(order), 1):
        bitmap = {"data": _encode(order[rows, columns] == index), "origin": [columns.start, rows.start]}
        title = class_name[int(numbers[index - 1])] if isinstance(class_name, dict) else class_name
        objects.append({"classTitle": title, "geometryType": "bitmap", "description": "", "tags": [], "bitmap": bitmap})
    size = {"height": labels.shape[0], "width": labels.shape[1]}
    return {"description": "", "tags": [], "size": size, "objects": objects}


def _shown(image):
    """An image as PNG can hold it and Supervisely shows it: grey (Y, X) or colour (Y, X, 3), uint8."""
    image = np.asarray(image)
    channels = np.moveaxis(image[..., None] if image.ndim == 2 else image[..., :3], -1, 0)
    if image.dtype != np.uint8:
        channels = [_stretch(channel) for channel in channels]
    if len(channels) == 1:
        return np.ascontiguousarray(channels[0])
    return np.stack([*channels, *[np.zeros_like(channels[0])] * (3 - len(channels))], axis=-1)


def _stretch(channel):
    low, high = np.percentile(channel, _SHOWN)
    scaled = (channel.astype("float64") - low) / max(high - low, 1e-12)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype("uint8")
