"""Figures of restored images without truth: what was taken away, and what of it is no noise."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .plots import scale_bar
from .restoration_plots import interesting, picture, plain

_INK, _GREY, _BLUE, _ORANGE = "#222222", "#8a8a8a", "#0072b2", "#d55e00"  # Okabe and Ito, and a grey


def judged(planes, verdict, calibration=None, size=3.2):
    """Raw image, prediction and residual, whole and magnified; marked where structure is invented or lost; its noise.

    Parameters
    ----------
    planes : dict
        "raw" and "prediction" -> ndarray (Y, X).
    verdict : BlindVerdict
    calibration : Calibration, optional
        Draws a scale bar.
    size : float
        Width of a picture in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shape = verdict.residual.shape
    piece = interesting(planes["prediction"])
    tall = size * min(1.5, shape[0] / shape[1])
    heights = [tall, size * (piece[0].stop - piece[0].start) / (piece[1].stop - piece[1].start), 2.4]
    figure = Figure(figsize=(3 * size + 0.4, sum(heights) + 1.3), layout="constrained")
    axes = figure.subplots(3, 3, height_ratios=heights)
    shown = {"raw": planes["raw"], "prediction": verdict.slope * planes["prediction"] + verdict.offset}
    low, high = np.percentile(shown["raw"], (0.1, 99.9))
    grey = {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-6), "interpolation": "nearest"}
    reach = 4 * max(float(np.std(verdict.residual)), 1e-9)
    signed = {"cmap": "RdBu_r", "norm": Normalize(-reach, reach), "interpolation": "nearest"}
    shown["raw - prediction"] = verdict.residual
    for column, (title, plane) in enumerate(shown.items()):
        look = signed if column == 2 else grey
        picture(axes[0][column], plane, title, **look)
        picture(axes[1][column], plane[piece], f"{title}, magnified", **look)
    scale_bar(axes[0][0], calibration, shape[1])
    bar = figure.colorbar(ScalarMappable(signed["norm"], "RdBu_r"), ax=axes[1][2], location="bottom", shrink=0.8)
    bar.set_label("grey values", fontsize=8, color=_INK)
    bar.ax.tick_params(labelsize=8)
    _mark(axes[0][1], verdict)
    _draw_noise(axes[2][0], shown["prediction"], verdict)
    _draw_correlation(axes[2][1], verdict.correlation)
    _draw_values(axes[2][2], verdict.residual)
    return figure


def _mark(axis, verdict):
    """Outline what is invented and what is lost."""
    handles = []
    for mask, colour, words in ((verdict.invented, _ORANGE, "invented"), (verdict.lost, _BLUE, "lost")):
        if mask.any():
            axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.2)
            handles.append(Patch(facecolor=colour, label=words))
    if handles:
        axis.legend(handles=handles, fontsize=8, loc="lower right")


def _draw_noise(axis, prediction, verdict):
    """Variance of the residual against the brightness, measured and as the model says."""
    order = np.argsort(prediction, axis=None)
    bins = np.array_split(order, min(24, max(1, order.size // 200)))
    bright = [float(prediction.ravel()[one].mean()) for one in bins]
    variance = [float(np.var(verdict.residual.ravel()[one])) for one in bins]
    axis.plot(bright, variance, "o", color=_GREY, markersize=4, label="measured")
    axis.plot(bright, verdict.noise.variance(np.array(bright)), color=_ORANGE, linewidth=1.4, label="model")
    plain(axis, "brightness (grey value)", "variance of the residual")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=7.5)


def _draw_correlation(axis, correlation):
    """How alike the residual of pixels at some distance is."""
    if correlation is None:
        axis.set_axis_off()
        return
    lags = np.arange(1, 1 + len(correlation.horizontal))
    axis.bar(lags - 0.18, correlation.horizontal, 0.36, color=_BLUE, label="along x")
    axis.bar(lags + 0.18, correlation.vertical, 0.36, color=_ORANGE, label="along y")
    axis.axhline(0, color=_INK, linewidth=0.8)
    axis.set_ylim(min(-0.3, *correlation.horizontal, *correlation.vertical), 1)
    plain(axis, "distance (pixels)", "correlation of the residual")
    axis.legend(frameon=False, fontsize=7.5)


def _draw_values(axis, residual):
    """The histogram of the residual, beside a Gaussian of the same width."""
    spread = float(residual.std()) or 1.0
    edges = np.linspace(-5 * spread, 5 * spread, 81)
    counts, _ = np.histogram(residual, edges, density=True)
    middles = (edges[1:] + edges[:-1]) / 2
    axis.stairs(counts, edges, color=_GREY, label="residual")
    gauss = np.exp(-0.5 * ((middles - residual.mean()) / spread) ** 2) / spread / np.sqrt(2 * np.pi)
    axis.plot(middles, gauss, color=_ORANGE, linewidth=1.2, label="Gaussian")
    plain(axis, "residual (grey values)", "density")
    axis.set_yticks([])
    axis.legend(frameon=False, fontsize=7.5)
