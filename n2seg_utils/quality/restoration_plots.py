"""Figures of restored images: what changed, where the errors are, and how they compare with simple filters."""

from textwrap import fill

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import uniform_filter

from .image_scores import SCORES, SSIM_WINDOW, data_range, ssim_map
from .plots import scale_bar, thumbnail

_INK, _GREY, _BLUE, _ORANGE = "#222222", "#8a8a8a", "#0072b2", "#d55e00"  # Okabe and Ito, and a grey
COLOURS = {"raw": _GREY, "prediction": _BLUE, "truth": _ORANGE}
_CROP = 96  # pixels along the side of what is magnified
_BINS = 120


def judged(planes, scores=None, calibration=None, size=3.2):
    """One plane on a page: the images, a magnified piece, where the errors are, and where the structure differs.

    Parameters
    ----------
    planes : dict
        "raw" (optional), "prediction" and "truth" -> ndarray (Y, X).
    scores : dict, optional
        title -> a line below the picture.
    calibration : Calibration, optional
        Draws a scale bar.
    size : float
        Width of a picture in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    truth, titles = planes["truth"], list(planes)
    shape, restored = truth.shape, [title for title in titles if title != "truth"]
    piece = interesting(truth)
    line = _across(piece)
    tall = size * min(1.5, shape[0] / shape[1])
    heights = [tall, size * (piece[0].stop - piece[0].start) / (piece[1].stop - piece[1].start), tall, tall]
    figure = Figure(figsize=(size * len(titles) + 0.8, sum(heights) + 1.6), layout="constrained")
    axes = figure.subplots(4, len(titles), height_ratios=heights, squeeze=False)
    low, high = np.percentile(truth, (0.1, 99.9))
    grey = {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-6), "interpolation": "nearest"}
    for axis, title in zip(axes[0], titles):
        picture(axis, planes[title], title, **grey)
        axis.set_xlabel((scores or {}).get(title, ""), fontsize=8, color=_INK)
        axis.add_patch(_frame(piece, shape))
    scale_bar(axes[0][0], calibration, shape[1])
    for axis, title in zip(axes[1], titles):
        picture(axis, planes[title][piece], f"{title}, magnified", **grey)
        (y0, x0), (y1, x1) = ((y - piece[0].start, x - piece[1].start) for y, x in line)
        axis.plot([x0, x1], [y0, y1], color=_ORANGE, linewidth=1, scalex=False, scaley=False)
    errors = {title: np.abs(planes[title].astype("float64") - truth) / data_range(truth) for title in restored}
    largest = max(float(np.percentile(error, 99.5)) for error in errors.values()) or 1.0
    _maps(figure, axes[2], errors, "error of {}", "absolute error / range", Normalize(0, largest), "magma")
    if min(shape) >= SSIM_WINDOW:
        similar = {title: ssim_map(*_as_float(truth, planes[title]), data_range(truth)) for title in restored}
        _maps(figure, axes[3], similar, "SSIM of {}", "SSIM", Normalize(0, 1), "viridis")
    _draw_histograms(axes[2][-1], planes)
    _draw_profiles(axes[3][-1], planes, line, calibration)
    return figure


def line_on(shown, line, calibration=None, planes=None, where=None, limits=None, size=3.6):
    """Planes with a line on them, and the grey values along it.

    Parameters
    ----------
    shown : dict
        title -> ndarray (Y, X).
    line : ((float, float), (float, float))
        (Y, X) of both ends, in pixels of `planes`.
    calibration : Calibration, optional
        Gives the unit.
    planes : dict, optional
        title -> array (Y, X), of which `shown` are pieces, perhaps thinned out; no more of it is read than along the
        line. Default: `shown`.
    where : (slice, slice), optional
        Which rows and columns of `planes` are shown.
    limits : (float, float), optional
        Grey values that are black and white; default: 0.1 and 99.9 % of the last plane.

    Returns
    -------
    matplotlib.figure.Figure
    """
    planes = planes or shown
    shape = next(iter(shown.values())).shape
    tall = size * min(1.5, shape[0] / shape[1])
    figure = Figure(figsize=(size * len(shown), tall + 3.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(tall + 0.4, 2.8))
    low, high = limits or np.percentile(list(shown.values())[-1], (0.1, 99.9))
    (y0, x0), (y1, x1) = (_seen_at(end, where) for end in line)
    for axis, (title, plane) in zip(above.subplots(1, len(shown), squeeze=False)[0], shown.items()):
        picture(axis, plane, title, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        axis.plot([x0, x1], [y0, y1], color=_ORANGE, linewidth=1.2, scalex=False, scaley=False)
    _draw_profiles(below.subplots(), planes, line, calibration)
    return figure


def _seen_at(place, where):
    """Where a pixel of a plane is in a piece of it."""
    if where is None:
        return place
    return tuple((at - side.start) / (side.step or 1) for at, side in zip(place, where))


def compared(found, size=(7.2, 3.2)):
    """A score of raw images, prediction and simple filters: a point an image, a bar for the mean.

    Parameters
    ----------
    found : dict
        What :func:`~n2seg_utils.quality.filters_qc.compare_with_filters` returns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=size, layout="constrained")
    axis, rows, labels = figure.subplots(), found["values"], found["labels"]
    for place, (name, values) in enumerate(rows.items()):
        colour = COLOURS.get(name, "#b8b8b8")
        shift = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [0.0]
        axis.scatter(place + np.array(shift), values, s=10, color=colour, alpha=0.7, linewidths=0)
        axis.plot([place - 0.3, place + 0.3], [np.mean(values)] * 2, color=colour, linewidth=2.5)
    names = [fill(labels[name], 14) for name in rows]
    axis.set_xticks(range(len(rows)), names, fontsize=8, color=_INK)
    axis.set_ylabel(SCORES[found["score"]].head, color=_INK)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#ececec", linewidth=0.8)
    axis.set_axisbelow(True)
    return figure


def interesting(plane, side=_CROP):
    """Two slices: the piece of a plane (Y, X) with most structure."""
    sides = [min(side, size) for size in plane.shape]
    values = np.asarray(plane, "float64")
    local = uniform_filter(values**2, sides) - uniform_filter(values, sides) ** 2
    inside = tuple(slice(s // 2, size - s + s // 2 + 1) for s, size in zip(sides, plane.shape))
    place = np.unravel_index(np.argmax(local[inside]), local[inside].shape)
    return tuple(slice(int(p), int(p) + s) for p, s in zip(place, sides))


def _across(piece):
    """The line whose profile is drawn: the middle row of a piece, as ((Y, X), (Y, X))."""
    middle = (piece[0].start + piece[0].stop - 1) / 2
    return (middle, piece[1].start), (middle, piece[1].stop - 1)


def _maps(figure, axes, maps, title, label, norm, colours):
    for axis, (name, values) in zip(axes, maps.items()):
        picture(axis, values, title.format(name), cmap=colours, norm=norm, interpolation="nearest")
    bar = figure.colorbar(
        ScalarMappable(norm, colours), ax=list(axes[: len(maps)]), location="bottom", shrink=0.7, aspect=40, pad=0.02
    )
    bar.set_label(label, color=_INK, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def picture(axis, plane, title, **look):
    """Draw a plane without ticks, in its own pixels however much it is thinned out; `look` is for imshow."""
    axis.imshow(thumbnail(plane), extent=(-0.5, plane.shape[1] - 0.5, plane.shape[0] - 0.5, -0.5), **look)
    axis.set_title(title, color=_INK, fontsize=10)
    axis.set(xticks=[], yticks=[])


def _as_float(*planes):
    return [np.asarray(plane, "float64") for plane in planes]


def _frame(piece, shape):
    rows, columns = piece
    place, size = (columns.start - 0.5, rows.start - 0.5), (columns.stop - columns.start, rows.stop - rows.start)
    return Rectangle(place, *size, fill=False, edgecolor=_ORANGE, linewidth=1)


def _draw_histograms(axis, planes):
    low = min(float(np.percentile(plane, 0.05)) for plane in planes.values())
    high = max(float(np.percentile(plane, 99.95)) for plane in planes.values())
    step = max(high - low, 1e-9) / _BINS
    step = np.ceil(step) if step > 0.5 else step  # whole grey values, else some bins of whole numbers hold one more
    edges = np.floor(low / step) * step - step / 2 + step * np.arange(np.ceil((high - low) / step) + 2)
    for title, plane in planes.items():
        counts, _ = np.histogram(plane, edges)
        axis.stairs(counts / plane.size * 100, edges, color=COLOURS[title], label=title, linewidth=1.2)
    axis.set_yscale("log")
    axis.set_ylim(bottom=max(1e-3, 50 / next(iter(planes.values())).size))
    plain(axis, "grey value", "share of pixels (%)")
    axis.legend(frameon=False, fontsize=7.5)


def _draw_profiles(axis, planes, line, calibration=None):
    (y0, x0), (y1, x1) = line
    length = float(np.hypot(y1 - y0, x1 - x0))
    steps = np.linspace(0, 1, max(2, int(np.ceil(length)) + 1))
    places = [y0 + (y1 - y0) * steps, x0 + (x1 - x0) * steps]
    pixel = calibration.microns("X") if calibration else None
    scale, unit = (pixel[0], "µm") if pixel else (1.0, "pixels")
    for title, plane in planes.items():
        values = _along(plane, places)
        axis.plot(steps * length * scale, values, color=COLOURS.get(title, _INK), label=title, linewidth=1.1)
    plain(axis, f"place on the line ({unit})", "grey value")
    axis.legend(frameon=False, fontsize=7.5)


def _along(plane, places):
    """Grey values between the pixels of a plane; of a mapped file, no others than those around them are read."""
    (rows, down), (columns, right) = ((np.floor(at).astype(int), at % 1) for at in places)
    values = np.zeros(len(rows))
    for row, upper in ((rows, 1 - down), (rows + 1, down)):
        for column, share in ((columns, upper * (1 - right)), (columns + 1, upper * right)):
            values += share * plane[row.clip(0, plane.shape[0] - 1), column.clip(0, plane.shape[1] - 1)]
    return values


def plain(axis, x, y):
    """Label the axes of a plot, and draw no more of its frame than they need."""
    axis.set_xlabel(x, fontsize=8, color=_INK)
    axis.set_ylabel(y, fontsize=8, color=_INK)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
