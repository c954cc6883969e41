"""How many objects there are, and their size and shape, from label images."""

import numpy as np
from skimage.measure import label, regionprops_table

from ..data.files import list_images, pair_by_name
from ..data.images import open_image

_ALWAYS = ("label", "area", "centroid", "bbox", "equivalent_diameter_area", "extent")
# What scikit-image measures in planes only, or reliably there only.
_FLAT = ("perimeter", "eccentricity", "orientation", "solidity", "axis_major_length", "axis_minor_length")
_BRIGHT = ("intensity_mean", "intensity_max", "intensity_min")
_LENGTHS = ("equivalent_diameter_area", "perimeter", "axis_major_length", "axis_minor_length")


def measure(labels, images=None, classes=False, on_progress=None, dims=None, open_grey=open_image):
    """Measure the objects of a folder of label images.

    Parameters
    ----------
    labels, images : path
        Folders; images, if given, are what brightness is measured in: those of the same name and size.
    classes : bool
        Whether numbers are classes of pixels: then the connected pieces of each class are objects.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    dims : int, optional
        2 where the objects of each plane have numbers of their own, as in the results of a 2D model; default 3 where
        images have depth.
    open_grey : callable
        Opens one of `images`; gives an ImageFile.

    Returns
    -------
    objects : list of dict
        A row an object: image, time_point, plane, object (or class and object), place, size and shape (scikit-image's
        ``regionprops_table``), in pixels and, where the pixel size is known, in µm. Brightness of the first channel.
    counts : list of dict
        A row an image, time point and plane: how many objects, how large on average, the share of pixels they cover.
    """
    objects, counts = [], []
    files = list_images(labels)
    for found, count in measured(files, images, classes, on_progress, dims, open_grey):
        objects += found
        counts.append(count)
    return _table_of(objects), _table_of(counts)


def measured(files, images=None, classes=False, on_progress=None, dims=None, open_grey=open_image):
    """The same for a list of label images, one plane or volume after another.

    Yields
    ------
    objects : list of dict
    count : dict
    """
    partners = dict(pair_by_name(files, list_images(images))[0]) if images else {}
    for number, file in enumerate(files):
        image = open_image(file)
        grey = open_grey(partners[file]) if file in partners else None
        if grey is not None and (grey.planes, grey.plane_shape[:2]) != (image.planes, image.plane_shape[:2]):
            grey = None
        for frame in image.frames(3 if image.size["Z"] > 1 and dims != 2 else 2):
            values = frame.read()[..., 0].astype("int64")
            here = {"image": file.name} | _place(frame)
            found = list(_rows(values, grey and _brightness(grey, frame), image.calibration, classes))
            yield [here | row for row in found], here | _count(found, values)
        if on_progress:
            on_progress((number + 1) / len(files), file.name)


def _place(frame):
    """The time point and plane of a Frame, where there are several."""
    size = frame.image.size
    time, plane = divmod(frame.number, size["Z"]) if frame.dims == 2 else (frame.number, None)
    place = {"time_point": time + 1} if size["T"] > 1 else {}
    return place | ({"plane": plane + 1} if frame.dims == 2 and size["Z"] > 1 else {})


def _brightness(grey, frame):
    """The first channel of the planes of an ImageFile that a Frame of labels has, whichever axis either calls depth."""
    depth = frame.shape[0] if frame.dims == 3 else 1
    planes = [grey.plane(n)[..., 0] for n in range(frame.number * depth, (frame.number + 1) * depth)]
    return np.stack(planes) if frame.dims == 3 else np.asarray(planes[0])


def _table_of(rows):
    """The rows with the same columns each: where one does not have a value, there is none."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in columns} for row in rows]


def _rows(values, bright, calibration, classes):
    if not classes:
        yield from _table(values, bright, calibration)
        return
    for kind in np.unique(values[values > 0]).tolist():
        for row in _table(label(values == kind, connectivity=1), bright, calibration):
            yield {"class": kind, **row}


def _table(values, bright, calibration):
    deep, pixel = values.ndim == 3, calibration.microns("ZYX"[-values.ndim :])
    # Numbers may be large and far apart, and scikit-image lists all up to the largest.
    numbers = np.unique(values[values > 0])
    values = np.where(values > 0, np.searchsorted(numbers, values) + 1, 0)
    wanted = _ALWAYS + (() if deep else _FLAT) + (() if bright is None else _BRIGHT)
    table = regionprops_table(values, bright, properties=wanted)
    square = pixel and np.isclose(*pixel[-2:])
    if square:  # alike to the last digit, as scikit-image wants it
        pixel = (*pixel[:-2], pixel[-1], pixel[-1])
    lengths = [name for name in wanted if name in _LENGTHS and (square or name != "perimeter")]
    microns = regionprops_table(values, properties=("area", *lengths), spacing=pixel) if pixel else {}
    axes = "zyx"[-values.ndim :]
    for n, number in enumerate(numbers.tolist()):
        row = {"object": number, "pixels": int(table["area"][n])}
        row |= {axis: _short(table[f"centroid-{i}"][n]) for i, axis in enumerate(axes)}
        row |= {f"{axis}_from": int(table[f"bbox-{i}"][n]) for i, axis in enumerate(axes)}
        row |= {f"{axis}_to": int(table[f"bbox-{i + values.ndim}"][n]) - 1 for i, axis in enumerate(axes)}
        shape = [name for name in wanted if name not in ("label", "area", "centroid", "bbox")]
        row |= {name.removesuffix("_area"): _short(table[name][n]) for name in shape}
        if microns:
            row["volume_um3" if deep else "area_um2"] = _short(microns["area"][n])
            row |= {f"{name.removesuffix('_area')}_um": _short(microns[name][n]) for name in lengths}
        yield row


def _count(rows, values):
    sizes = [row["pixels"] for row in rows]
    return {
        "objects": len(rows),
        "mean_pixels": _short(np.mean(sizes)) if rows else "",
        "median_pixels": _short(np.median(sizes)) if rows else "",
        "covered": _short(np.count_nonzero(values > 0) / values.size),
    }


def _short(value):
    return float(f"{value:.6g}")
