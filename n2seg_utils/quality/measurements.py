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


def measure(labels, images=None, classes=False, on_progress=None):
    """Measure the objects of a folder of label images.

    Parameters
    ----------
    labels, images : path
        Folders; images, if given, are what brightness is measured in, paired by name.
    classes : bool
        Whether numbers are classes of pixels: then the connected pieces of each class are objects.
    on_progress : callable, optional
        ``on_progress(share, name)``.

    Returns
    -------
    objects : list of dict
        A row an object: image, time_point, object (or class and object), place, size and shape (scikit-image's
        ``regionprops_table``), in pixels and, where the pixel size is known, in µm. Brightness of the first channel.
    counts : list of dict
        A row an image and time point: how many objects, how large on average, and the share of pixels they cover.
    """
    files = list_images(labels)
    partners = dict(pair_by_name(files, list_images(images))[0]) if images else {}
    objects, counts = [], []
    for number, file in enumerate(files):
        image = open_image(file)
        grey = open_image(partners[file]) if file in partners else None
        if grey is not None and (grey.planes, grey.plane_shape[:2]) != (image.planes, image.plane_shape[:2]):
            grey = None
        dims = 3 if image.size["Z"] > 1 else 2
        pairs = zip(image.frames(dims), grey.frames(dims) if grey else [None] * image.planes)
        for frame, bright in pairs:
            values = frame.read()[..., 0].astype("int64")
            here = {"image": file.name} | ({"time_point": frame.number + 1} if image.size["T"] > 1 else {})
            found = list(_rows(values, bright and bright.read()[..., 0], image.calibration, classes))
            objects += [here | row for row in found]
            counts.append(here | _count(found, values))
        if on_progress:
            on_progress((number + 1) / len(files), file.name)
    return objects, counts


def _rows(values, bright, calibration, classes):
    if not classes:
        yield from _table(values, bright, calibration)
        return
    for kind in np.unique(values[values > 0]).tolist():
        for row in _table(label(values == kind, connectivity=1), bright, calibration):
            yield {"class": kind, **row}


def _table(values, bright, calibration):
    deep, pixel = values.ndim == 3, calibration.microns("ZYX"[-values.ndim :])
    wanted = _ALWAYS + (() if deep else _FLAT) + (() if bright is None else _BRIGHT)
    table = regionprops_table(values, bright, properties=wanted)
    lengths = [name for name in wanted if name in _LENGTHS]
    microns = regionprops_table(values, properties=("area", *lengths), spacing=pixel) if pixel else {}
    axes = "zyx"[-values.ndim :]
    for n in range(len(table["label"])):
        row = {"object": int(table["label"][n]), "pixels": int(table["area"][n])}
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
        "covered": _short(np.count_nonzero(values) / values.size),
    }


def _short(value):
    return float(f"{value:.6g}")
