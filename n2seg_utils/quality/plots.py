"""Figures. All are made without a window and returned, to be shown, saved or put into a report."""

import io

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure

from ..data.files import whole_file

DPI = 120  # of figures that are written to files
_INK, _BLUE, _ORANGE = "#222222", "#0072b2", "#d55e00"  # Okabe and Ito: told apart by the colour-blind


def side_by_side(
    planes, scores=None, reference=None, percentiles=(0.1, 99.9), size=3.6, own_scale=False, columns=None, limits=None
):
    """Planes next to each other, all in the same grey scale, or each in its own.

    Parameters
    ----------
    planes : dict
        title -> ndarray (Y, X), or (Y, X, 3) with colours between 0 and 1.
    scores : dict, optional
        title -> a line below the picture.
    reference : str, optional
        The plane whose brightness range is used for all; else the first.
    percentiles : (float, float)
        Of that plane: shown black, and white.
    own_scale : bool
        Show each plane between its own percentiles, for planes that need not be compared.
    columns : int, optional
        Planes in a row; default: all.
    limits : (float, float), optional
        Grey values that are shown black, and white, whatever the percentiles.

    Returns
    -------
    matplotlib.figure.Figure
    """
    low, high = limits or np.percentile(planes[reference or next(iter(planes))], percentiles)
    shape = next(iter(planes.values())).shape[:2]
    columns = columns or len(planes)
    rows = -(-len(planes) // columns)
    height = size * min(1.5, shape[0] / shape[1]) + (0.7 if scores else 0.4)
    figure = Figure(figsize=(size * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(planes) :]:
        axis.set_axis_off()
    for axis, (title, plane) in zip(axes, planes.items()):
        if own_scale:
            low, high = np.percentile(plane, percentiles)
        axis.imshow(thumbnail(plane), cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        axis.set_title(title, color=_INK)
        axis.set_xlabel((scores or {}).get(title, ""), fontsize=9)
        axis.set(xticks=[], yticks=[])
    return figure


def loss_curve(history, size=(5.2, 3.0)):
    """Training and validation loss against the epoch.

    Parameters
    ----------
    history : list of dict
        Rows with epoch, loss and val_loss.
    """
    figure = Figure(figsize=size, layout="constrained")
    _draw_loss(figure.subplots(), history)
    return figure


def learning_curves(history, size=(8.4, 3.0)):
    """Loss and, beside it, Dice of training and validation against the epoch.

    Parameters
    ----------
    history : list of dict
        Rows with epoch, loss, val_loss, and score and val_score, which are Dice.
    """
    figure = Figure(figsize=size, layout="constrained")
    for axis, kind, label in zip(figure.subplots(1, 2), ("loss", "score"), ("loss", "Dice")):
        _draw_curve(axis, history, kind)
        axis.set_ylabel(label)
    return figure


def threshold_curve(rows, chosen, size=(5.2, 3.0)):
    """The score against the threshold.

    Parameters
    ----------
    rows : list of dict
        With threshold and score.
    chosen : float
        The threshold in use.
    """
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.plot([row["threshold"] for row in rows], [row["score"] for row in rows], color=_BLUE, marker="o", markersize=4)
    axis.axvline(chosen, color=_ORANGE, linewidth=1)
    right = max(row["threshold"] for row in rows)
    axis.set(xlabel="threshold", ylabel="score", ylim=(0, 1), xlim=(0, 1 if right > 0.5 else 1.1 * right))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def progress_picture(history, preview, size=3.0):
    """The loss curve and the crop that is watched, as one figure."""
    figure = Figure(figsize=(size * (len(preview) + 1.4), size), layout="constrained")
    axes = figure.subplots(1, len(preview) + 1, width_ratios=[1.4] + [1] * len(preview))
    low, high = np.percentile(next(iter(preview.values())), (1, 99.5))
    _draw_loss(axes[0], history)
    if "val_score" in history[0] and not any(row["score"] or row["val_score"] for row in history):
        words = "first it learns to denoise:\nno score yet" if "denoised" in preview else "nothing is found yet"
        axes[0].text(0.5, 0.5, words, transform=axes[0].transAxes, ha="center", fontsize=9, color=_INK)
    for axis, (title, plane) in zip(axes[1:], preview.items()):
        axis.imshow(plane, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        axis.set(title=title, xticks=[], yticks=[])
    return figure


def _draw_loss(axis, history):
    """The loss, or where there are scores, these: they decide which epoch is best."""
    _draw_curve(axis, history, "score" if "val_score" in history[0] else "loss")


def _draw_curve(axis, history, kind):
    epochs = [row["epoch"] for row in history]
    axis.plot(epochs, [row[kind] for row in history], color=_BLUE, label="training")
    axis.plot(epochs, [row[f"val_{kind}"] for row in history], color=_ORANGE, label="validation")
    axis.set(xlabel="epoch", ylabel=kind)
    if kind == "score":
        axis.set_ylim(0, 1)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)


def scale_bar(axis, calibration, width):
    """Draw a bar of a round length, about a quarter of the picture, into its lower left corner; nothing if the size of
    pixels is not known.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Whose units are pixels.
    calibration : Calibration or None
    width : int
        Of the picture, in pixels.
    """
    pixel = calibration.microns("X") if calibration else None
    if not pixel:
        return
    most = width * pixel[0] / 4
    length = max(step for step in 10.0 ** np.floor(np.log10(most)) * np.array([1, 2, 5]) if step <= most)
    words = f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm"
    look = [patheffects.withStroke(linewidth=3, foreground="black", alpha=0.6)]
    start, down = 0.04 * width, axis.get_ylim()[0] - 0.05 * abs(np.diff(axis.get_ylim())[0])
    line = {"color": "white", "linewidth": 2.5, "solid_capstyle": "butt", "path_effects": look}
    axis.plot([start, start + length / pixel[0]], [down, down], scalex=False, scaley=False, **line)
    axis.annotate(
        words, (start, down), xytext=(0, 4), textcoords="offset points", color="white", fontsize=8, path_effects=look
    )


def thumbnail(plane, side=1024):
    """A plane thinned out to at most about `side` pixels along its sides."""
    step = max(1, int(np.ceil(max(plane.shape[:2]) / side)))
    return plane[::step, ::step]


def to_png(figure, dpi=90, compression=6):
    """The figure as PNG bytes; `compression` from 1, which is quick, to 9, which is small."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi, pil_kwargs={"compress_level": compression})
    return data.getvalue()


def save(figure, path, dpi=DPI):
    """Write a figure to a PNG file, whole or not at all."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path
