"""Figures of the scores of many label images: threshold curves, counts and sizes, and which classes are confused."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

# Okabe and Ito: told apart by the colour-blind.
_INK, _GREY, _BLUE, _ORANGE, _GREEN, _PINK = "#222222", "#999999", "#0072b2", "#d55e00", "#009e73", "#cc79a7"
_CURVES = {
    "ap": ("AP", _BLUE, "-"),
    "f1": ("F1", _ORANGE, "-"),
    "precision": ("precision", _GREEN, "--"),
    "recall": ("recall", _PINK, ":"),
}
_NUMBERED = 12  # classes up to which numbers fit into the cells of a confusion matrix


def agreement(summary, each, sizes, size=3.6):
    """Three panels: scores against the IoU threshold, and true against predicted counts and sizes of objects.

    Parameters
    ----------
    summary : dict
        What :func:`~n2seg_utils.quality.label_qc.judge_labels` returns of instances.
    each : list of list of float
        AP of each image at the thresholds of the curve.
    sizes : ndarray (objects, 2)
        Pixels of the objects that were found, in the truth and as predicted.
    size : float
        Width of a panel in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(3 * size + 0.6, size + 1.2), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)
    axes = figure.subplots(1, 3)
    _draw_curves(axes[0], summary["curve"], each)
    _draw_counts(axes[1], summary["per_image"])
    _draw_sizes(axes[2], sizes, summary["sizes"]["ratio"])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.title.set_fontsize(10)
    return figure


def confusion(classes, pixels):
    """The confusion matrix of classes of pixels; a row shows what became of the pixels of a true class, in percent.

    Parameters
    ----------
    classes : sequence of str
        Their names. Those that occur neither in the truth nor in the prediction are left out.
    pixels : array-like (classes, classes)
        Pixels of each true class (rows) that were predicted as each class (columns).

    Returns
    -------
    matplotlib.figure.Figure
    """
    pixels = np.asarray(pixels)
    there = pixels.any(0) | pixels.any(1)
    names, pixels = np.array(classes)[there], pixels[there][:, there]
    totals = pixels.sum(1, keepdims=True)
    shares = np.divide(100 * pixels, totals, out=np.full(pixels.shape, np.nan), where=totals > 0)
    side = min(9, 0.75 * len(names)) + 1.8
    figure = Figure(figsize=(side + 0.2, side), layout="constrained")
    axis = figure.subplots()
    shown = axis.imshow(np.nan_to_num(shares), cmap="Blues", vmin=0, vmax=100)
    if len(names) <= _NUMBERED:
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 60 else _INK
            axis.text(column, row, _percent(share), ha="center", va="center", color=colour, fontsize=9)
    else:
        figure.colorbar(shown, label="% of the pixels of the true class", shrink=0.8)
    # Of very many classes every second, third ... is named.
    ticks = np.arange(0, len(names), 1 + len(names) // 40)
    axis.set_xticks(ticks, names[ticks], rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    axis.set_yticks(ticks, names[ticks], fontsize=9)
    axis.set(xlabel="predicted", ylabel="truth")
    axis.set_title("% of the pixels of each true class", color=_INK, fontsize=10)
    axis.spines[:].set_visible(False)
    return figure


def _draw_curves(axis, curve, each):
    thresholds = [row["iou"] for row in curve]
    for name, (label, colour, style) in _CURVES.items():
        axis.plot(thresholds, [row[name] for row in curve], style, color=colour, label=label, linewidth=1.8)
    for number, scores in enumerate(each if len(each) > 1 else ()):
        faint = {"alpha": min(0.4, max(0.04, 4 / len(each))), "linewidth": 0.8, "zorder": 1}
        axis.plot(thresholds, scores, color=_BLUE, label=None if number else "AP of each image", **faint)
    axis.set(xlabel="IoU threshold", ylabel="score", xlim=(0.5, 0.95), ylim=(0, 1.02), box_aspect=1)
    mean = np.mean([row["ap"] for row in curve])
    axis.set_title(f"All objects together\nAP {curve[0]['ap']:.2f} at IoU 0.5, {mean:.2f} on average", color=_INK)
    # Below the panel, for curves may be anywhere in it.
    legend = axis.legend(
        frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.16), columnspacing=1
    )
    for line in legend.get_lines():
        line.set_alpha(max(line.get_alpha() or 1, 0.4))


def _draw_counts(axis, rows):
    true, predicted = ([row[f"{name}_objects"] for row in rows] for name in ("true", "predicted"))
    top = 1.05 * max(1, *true, *predicted)
    _diagonal(axis, -0.02 * top, top)
    axis.plot(true, predicted, "o", color=_BLUE, markersize=5, alpha=_strength(len(rows)), markeredgewidth=0)
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_locator(MaxNLocator(5, integer=True))
    axis.set(xlabel="objects in the truth, per image", ylabel="objects in the prediction, per image")
    axis.set_title(f"Number of objects\n{sum(true):,} true, {sum(predicted):,} predicted", color=_INK)


def _draw_sizes(axis, sizes, ratio):
    axis.set(xlabel="size in the truth (pixels)", ylabel="size in the prediction (pixels)")
    if not len(sizes):
        axis.set_title("Size of found objects\nnone was found", color=_INK)
        axis.set(xticks=[], yticks=[], box_aspect=1)
        return
    low, high = sizes.min() / 1.4, sizes.max() * 1.4
    axis.set(xscale="log", yscale="log")
    _diagonal(axis, low, high)
    axis.plot(*sizes.T, "o", color=_BLUE, markersize=3.5, alpha=_strength(len(sizes)), markeredgewidth=0)
    wide = high / low > 300
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
        ticks.set_major_formatter(LogFormatterSciNotation() if wide else FuncFormatter(lambda value, _: f"{value:g}"))
        ticks.set_minor_locator(NullLocator())
    axis.set_title(f"Size of found objects\npredicted / true: {ratio:.2f} (median)", color=_INK)


def _diagonal(axis, low, high):
    axis.plot([low, high], [low, high], color=_GREY, linewidth=1, zorder=0)
    axis.set(xlim=(low, high), ylim=(low, high), box_aspect=1)


def _strength(points):
    """Opacity of points, so that many on top of each other are still told from a few."""
    return float(np.clip(60 / max(1, points), 0.08, 0.7))


def _percent(share):
    """Percent for a cell: exactly none and all are told from nearly so; nothing where there is no true pixel.

    >>> _percent(0.004), _percent(100.0), _percent(99.99), _percent(float("nan"))
    ('<0.1', '100', '>99.9', '–')
    """
    if np.isnan(share):
        return "–"
    if share in (0, 100):
        return f"{share:.0f}"
    return "<0.1" if share < 0.1 else ">99.9" if share > 99.9 else f"{share:.1f}"
