"""ROI sets of Fiji's ROI Manager (.roi, .zip), read as label images and written from them.

A pixel belongs to a ROI when its centre lies inside: outlines have whole numbers at the corners of pixels. This is what
ImageJ does (PolygonFiller.java, OvalRoi.java), so that an object has here the pixels that Fiji measures.
"""

import contextlib
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi
from scipy.ndimage import find_objects
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import UserError
from .files import readable, whole_file
from .outlines import CLOSE, LINE, MOVE, fill, fill_oval, outlines_of, outlines_of_path

ENDINGS = (".roi", ".zip")

_LARGEST_ROI, _LARGEST_SET = 2**24, 2**28  # bytes, unpacked: far more than people draw

_OUTLINED = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_NO_AREA = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW)
# What roifile and zipfile raise for files that are none, or broken.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, LookupError, TypeError, struct.error)

# The first number of names such as 0003-0120-0340 is the slice, where the ROI itself does not say (ImageCanvas.java).
_SLICE_IN_NAME = re.compile(r"(\d{4})-\d{4}-\d{4}|(\d{5})-\d{5}-\d{5}|(\d{6})-\d{6}-\d{6}")
_OBJECT_IN_NAME = re.compile(r"(.+-(?:t\d+)?)z\d+")  # our own names of the slices of one object


def read_rois(path, planes, shape, depth=1):
    """The areas of a ROI set, as labels.

    Parameters
    ----------
    path : path
        A ``.roi`` (one ROI) or ``.zip`` (a set); an empty set is an image without objects.
    planes : int
        Number of planes of the image, counted through Z, then T.
    shape : (int, int)
        (Y, X) of the image in pixels.
    depth : int
        How many of the planes are one volume.

    Returns
    -------
    ndarray (planes, Y, X), int32
        0 is background; objects have the numbers 1, 2, ... in the order of the set, without gaps. Where ROIs overlap,
        a pixel belongs to the first; what has no pixel then, or is smaller than a pixel, has no number.

    Raises
    ------
    UserError
        Naming the ROI, if it is no area, lies outside of the image or the stack, or does not say in which slice of
        several it was drawn; or for a broken file.

    Notes
    -----
    Nothing in a ROI set says which outlines of neighbouring slices are one object. Where `depth` is above 1, those are
    joined that overlap by more than half of the smaller, except that names as :func:`write_rois` gives them
    (``0001-z003``) decide between two ROIs that have such names. Corners are joined by straight lines, also where Fiji
    was told to fit a spline or to round a rectangle.
    """
    path = Path(path)
    rois = _load(path)
    labels = np.zeros((planes, *shape), "int32")
    for number, roi in enumerate(rois, 1):
        plane = labels[_plane_of(roi, path, planes, depth)]
        where, mask = _pixels(roi, path, shape)
        area = plane[where]
        area[mask & (area == 0)] = number
    return _one_number_an_object(labels, [roi.name for roi in rois], depth)


def write_rois(path, labels, names=None, depth=1):
    """Write labels as a ROI set that Fiji's ROI Manager opens, whole or not at all.

    Reading it back gives the same objects, pixel by pixel, with the numbers 1, 2, ... in their old order; objects of
    one number in several time points, or in planes where `depth` is 1, become objects of their own.

    Parameters
    ----------
    path : path
        Ends in .zip.
    labels : ndarray (planes, Y, X) or (Y, X) of int
        0 is background. Planes count through Z, then T.
    names : list of str, optional
        What each object is called, in the order of their numbers.
    depth : int
        How many of the planes are one volume.

    Notes
    -----
    There is one ROI an object and plane, named by the object's number (``0001``), its name (``0001-nucleus``) and the
    plane if there are several (``0001-z003``, ``0001-t003``, ``0001-t002z003``). Holes and pieces make it a composite.
    """
    labels = np.asarray(labels)
    labels = labels[np.newaxis] if labels.ndim == 2 else labels
    planes = len(labels)
    numbers = np.unique(labels[labels > 0])
    if names is not None and len(names) != len(numbers):
        raise ValueError(f"{len(names)} names for {len(numbers)} objects")
    # Numbers may be large and far apart, and find_objects lists all up to the largest.
    order = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0).astype("int32")
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, (z, rows, columns) in enumerate(find_objects(order)):
            name = f"{numbers[index]:04d}" + (f"-{names[index]}" if names is not None else "")
            for plane in range(z.start, z.stop):
                mask = order[plane, rows, columns] == index + 1
                if mask.any():
                    roi = _area(outlines_of(mask), columns.start, rows.start)
                    roi.name = name + _place(roi, plane, planes, depth)
                    archive.writestr(re.sub(r"[/\\:]", "_", roi.name) + ".roi", roi.tobytes())


def _load(path):
    with readable(path), _understood(path):
        if path.suffix.lower() == ".roi":
            return [_decode(path.read_bytes(), path.stem)]
        with zipfile.ZipFile(path) as archive:
            # As ImageJ does, all else is passed over, and so is what macOS adds to archives.
            files = [f for f in archive.infolist() if not f.is_dir() and "__MACOSX" not in f.filename]
            rois = [f for f in files if f.filename.lower().endswith(".roi")]
            if files and not rois:
                raise UserError(
                    f"{path} holds no ROIs, only {', '.join(f.filename for f in files[:3])}. Save the set in Fiji's "
                    "ROI Manager (More > Save...)"
                )
            if sum(file.file_size for file in rois) > _LARGEST_SET:  # no more than this is unpacked, whatever there is
                raise ValueError("unpacked, the set is too large")
            return [_decode(archive.read(file), Path(file.filename).stem) for file in rois]


@contextlib.contextmanager
def _understood(path):
    try:
        yield
    except _BROKEN as error:
        raise UserError(
            f"{path} is not a ROI set of Fiji, or is damaged. Save it again in the ROI Manager (More > Save...), "
            "or remove it"
        ) from error


def _decode(data, name):
    if len(data) > _LARGEST_ROI:
        raise ValueError("the ROI is too large")
    roi = ImagejRoi.frombytes(data)
    roi.name = (roi.name or name)[:255]  # in which patterns are looked for
    return roi


def _plane_of(roi, path, planes, depth):
    """The plane a ROI was drawn in: its slice in a plain stack, or its Z and T in a hyperstack."""
    frames = planes // depth
    if roi.z_position > 0 or roi.t_position > 0:
        places = (roi.z_position, depth), (roi.t_position, frames)
        z, t = (place if place > 0 else int(size == 1) for place, size in places)
        bound, beyond, said = z and t, z > depth or t > frames, f"plane {z} of time point {t}"
        plane = (t - 1) * depth + z - 1
    else:
        in_name = _SLICE_IN_NAME.match(roi.name)
        slice_number = roi.position if roi.position > 0 else int(in_name[in_name.lastindex]) if in_name else 0
        slice_number = slice_number or int(planes == 1)
        bound, beyond, said = slice_number, slice_number > planes, f"slice {slice_number}"
        plane = slice_number - 1
    if not bound:
        raise UserError(
            f"The ROI '{roi.name}' of {path} does not say in which of the {planes} planes it was drawn. Set its "
            "position in Fiji's ROI Manager (Properties...), and save the set again"
        )
    if beyond:
        has = f"{frames} x {depth} planes" if frames > 1 and depth > 1 else f"{planes} plane{'s' * (planes > 1)}"
        raise UserError(
            f"The ROI '{roi.name}' of {path} lies in {said}, but the image has {has}. "
            "Give the ROI set of this image, or remove the ROI"
        )
    return plane


def _pixels(roi, path, shape):
    """Where a ROI lies, as two slices, and which pixels there belong to it."""
    if roi.subtype in _NO_AREA or roi.roitype not in (*_OUTLINED, ROI_TYPE.RECT, ROI_TYPE.OVAL):
        kind = roi.subtype if roi.subtype in _NO_AREA else roi.roitype
        raise UserError(
            f"The ROI '{roi.name}' of {path} is of the kind '{kind.name.lower()}', which is no area. Remove it from "
            "the set, or draw the object as an area"
        )
    with _understood(path):
        outlines = _drawn(roi)
    corners = np.concatenate(outlines)
    low, high, limits = corners.min(0), corners.max(0), np.array(shape[::-1])
    first, last = np.clip(np.floor(low), 0, limits).astype(int), np.clip(np.ceil(high), 0, limits).astype(int)
    where, size = (slice(first[1], last[1]), slice(first[0], last[0])), tuple((last - first)[::-1])
    if roi.roitype == ROI_TYPE.OVAL:
        mask = fill_oval(low - first, high - first, size)
    else:
        with _understood(path):
            mask = fill([outline - first for outline in outlines], size)
    if not mask.any() and ((low < 0).any() or (high > limits).any()):
        raise UserError(
            f"The ROI '{roi.name}' of {path} lies outside of the image, which has {shape[1]} x {shape[0]} pixels. "
            "Give the ROI set of this image, or remove the ROI"
        )
    return where, mask


def _drawn(roi):
    """The outlines (x, y) of an area, one at least; of an oval, its box."""
    if roi.composite:
        outlines = outlines_of_path(roi.multi_coordinates)
    elif roi.roitype in _OUTLINED:
        outlines = [np.asarray(roi.coordinates(), "float64")]
    else:
        (left, top), (right, bottom) = (roi.left, roi.top), (roi.right, roi.bottom)
        outlines = [np.array([(left, top), (right, top), (right, bottom), (left, bottom)], "float64")]
    if not outlines or not all(len(outline) and np.isfinite(outline).all() for outline in outlines):
        raise ValueError("an outline without points")
    return outlines


def _area(outlines, x, y):
    """The ROI of one outline, moved by (x, y), as Fiji's wand makes it; or the composite of several."""
    outlines = [outline + np.array([x, y]) for outline in outlines]
    corners = np.concatenate(outlines)
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    box = {"left": left, "top": top, "right": right, "bottom": bottom, "version": 227}
    if len(outlines) == 1 and len(corners) < 2**16:
        relative = (corners - (left, top)).astype("int32")
        return ImagejRoi(roitype=ROI_TYPE.TRACED, n_coordinates=len(corners), integer_coordinates=relative, **box)
    path = []
    for outline in outlines:
        path += [np.column_stack([[MOVE] + [LINE] * (len(outline) - 1), outline]).ravel(), [CLOSE]]
    path = np.concatenate(path).astype("float32")
    return ImagejRoi(roitype=ROI_TYPE.RECT, shape_roi_size=len(path), multi_coordinates=path, **box)


def _place(roi, plane, planes, depth):
    """Bind a ROI to its plane; returns how the name says so."""
    t, z = divmod(plane, depth)
    if planes == 1:
        return ""
    if depth in (1, planes):
        roi.position = plane + 1
        return f"-t{t + 1:03d}" if depth == 1 else f"-z{z + 1:03d}"
    roi.z_position, roi.t_position = z + 1, t + 1
    return f"-t{t + 1:03d}z{z + 1:03d}"


def _one_number_an_object(labels, names, depth):
    """Join the ROIs of one object in neighbouring planes, and number the objects without gaps."""
    area = np.bincount(labels.ravel(), minlength=len(names) + 1)
    links = [np.zeros((2, 0), int)]
    if depth > 1:
        said = [_OBJECT_IN_NAME.fullmatch(name) for name in names]
        named = np.array([False] + [match is not None for match in said])
        links.append(_same_object([match and match[1] for match in said]))
        for plane in range(1, len(labels)):
            if plane % depth:
                pair = labels[plane - 1 : plane + 1]
                pairs, overlap = np.unique(pair[:, (pair > 0).all(0)], axis=1, return_counts=True)
                joined = (2 * overlap > area[pairs].min(0)) & ~named[pairs].all(0)
                links.append(pairs[:, joined])
    first, second = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(first), bool), (first, second)), (len(area), len(area)))
    group = connected_components(graph, directed=False)[1]
    visible = np.flatnonzero(area[1:]) + 1
    _, earliest, of_group = np.unique(group[visible], return_index=True, return_inverse=True)
    numbers = np.zeros(len(area), "int32")
    numbers[visible] = np.argsort(np.argsort(earliest))[of_group] + 1
    return numbers[labels]


def _same_object(objects):
    """Pairs of the numbers of ROIs whose names say that they are one object; None says nothing."""
    first, pairs = {}, []
    for number, name in enumerate(objects, 1):
        if name is not None:
            pairs.append((first.setdefault(name, number), number))
    return np.array(pairs, int).reshape(-1, 2).T
