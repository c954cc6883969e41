"""The score against the number of annotated images: a panel for each noise, a line for each method."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from ..quality.few_annotations import (
    COLOURS,
    MARKERS,
    MORE_COLOURS,
    MORE_MARKERS,
    NAMES,
    draw_points,
    legend,
    panels,
)
from .table import SCORE_NAMES, main_score

_KNOWN = {"segment": "alone", "sequential": "sequential", "joint": "joint"}  # as the published figure calls them
_APART = 1.02  # from one method to the next, so that points do not hide each other
_MORE_NAMES = {"published": "joint, by the paper's recipe", "denoise": "Noise2Void"}


def draw(some):
    """Means over seeds with their standard deviations.

    Parameters
    ----------
    some : list of Group

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no labels were judged.
    """
    score = main_score(some)
    shown = [group for group in some if group.annotated and group.mean(score) is not None]
    if not shown:
        return None
    noises, counts = (sorted({getattr(group, name) for group in shown}) for name in ("noise", "annotated"))
    figure = Figure(figsize=(max(6.6, 3.1 * len(noises)), 3.6), layout="constrained")
    styles = looks(shown)
    for axis, noise in zip(panels(figure, noises), noises):
        axis.set_xlim(0.8 * counts[0], 1.25 * counts[-1])
        axis.set_title(
            f"noise {noise:g} added" if noise else "images as they are" if len(noises) > 1 else "", fontsize=11
        )
        axis.xaxis.set_major_locator(FixedLocator(counts))
        for number, (label, style) in enumerate(styles.items()):
            beside = _APART ** (number - (len(styles) - 1) / 2)
            here = [group for group in shown if group.label == label and group.noise == noise]
            points = [(beside * g.annotated, g.mean(score), g.spread(score) or 0) for g in here]
            if points:
                draw_points(axis, sorted(points), **style, linewidth=1.8)
    if score != "psnr":
        figure.axes[0].set_ylim(bottom=max(0, figure.axes[0].get_ylim()[0]))
    figure.axes[0].set_ylabel(SCORE_NAMES[score], fontsize=9)
    handles = [Line2D([], [], label=_name(shown, label), **style) for label, style in styles.items()]
    legend(figure, handles)
    return figure


def looks(some):
    """Label of a group -> colour and marker: those of the published figure for the methods it shows."""
    found, more = {}, 0
    for group in some:
        if group.label in found:
            continue
        known = _KNOWN.get(group.method)
        if known and COLOURS[known] not in {style["color"] for style in found.values()}:
            found[group.label] = {"color": COLOURS[known], "marker": MARKERS[known]}
        else:
            found[group.label] = {"color": MORE_COLOURS[more % 4], "marker": MORE_MARKERS[more // 4 % 4]}
            more += 1
    return found


def _name(some, label):
    group = next(group for group in some if group.label == label)
    name = NAMES.get(_KNOWN.get(group.method)) or _MORE_NAMES.get(group.method, group.method)
    chosen = ", ".join(f"{name} {value}" for name, value in group.values)
    return f"{name} ({chosen})" if chosen else name
