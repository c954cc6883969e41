"""Figures of label images: objects drawn over the image they were found in, and where two label images differ."""

from collections import defaultdict
from itertools import zip_longest

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from skimage.segmentation import expand_labels

from .overlap import overlap
from .plots import thumbnail

# Okabe and Ito, told apart by the colour-blind; without black and dark blue, which vanish on a dark image.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")
_INK, _FOUND, _MISSED, _FALSE, _OTHER = "#222222", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"
_SPLIT, _MERGED = "#cc79a7", "#f0e442"
_BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
_NEAR = 4  # pixels that both of two neighbours can be grown by until they touch


def overlay(plane, labels, title="", score="", classes=False, size=3.6):
    """An image with its objects outlined and lightly filled.

    Parameters
    ----------
    plane : ndarray (Y, X) or None
        The image in grey; None for a white ground.
    labels : ndarray (Y, X)
        Label image.
    title, score : str
        Above and below.
    classes : bool
        Whether equal numbers shall have equal colours, as classes of pixels need. Else they are objects, which differ
        in colour from their neighbours.
    size : float
        Width of the picture in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return side_by_side_overlays({title: (plane, labels)}, {title: score}, classes, size)


def side_by_side_overlays(panels, scores=None, classes=False, size=3.6):
    """Several of :func:`overlay` next to each other.

    Parameters
    ----------
    panels : dict
        title -> (plane, labels).
    scores : dict, optional
        title -> a line below the picture.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _panels([labels.shape for _, labels in panels.values()], size)
    for axis, (title, (plane, labels)) in zip(axes, panels.items()):
        _draw_labels(axis, plane, labels, classes, title, (scores or {}).get(title, ""))
    if classes:
        _class_legend(figure, [labels for _, labels in panels.values()], loc="outside lower center")
    return figure


def mistakes(plane, truth, prediction, classes=False, z=None, size=4.2):
    """Which objects were found, missed, and predicted without being there (at IoU 0.5), and which split or merged.

    Found and false objects are drawn as predicted, missed ones as in the truth. A thick line goes around true objects
    that are split, and around predicted ones that are merged, which are found or not besides.

    Parameters
    ----------
    plane : ndarray (Y, X) or None
    truth, prediction : ndarray (Y, X) or (Z, Y, X)
        Label images. Objects of a volume are compared as a whole.
    classes : bool
        Compare pixels, not objects.
    z : int, optional
        The plane of a volume to draw; else the middle one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (axis,) = _panels([truth.shape], size)
    _draw_mistakes(axis, plane, truth, prediction, classes, z)
    return figure


def truth_and_prediction(
    plane, truth, prediction, score="", classes=False, z=None, size=3.6, titles=("truth", "prediction")
):
    """Three panels: the truth, the prediction with a line of text below it, and the :func:`mistakes`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _panels([truth.shape] * 3, size)
    for axis, labels, title, line in zip(axes, (truth, prediction), titles, ("", score)):
        _draw_labels(axis, plane, _slice(labels, z), classes, title, line)
    if classes:
        _class_legend(axes[0], [truth, prediction], **_BELOW)
    _draw_mistakes(axes[2], plane, truth, prediction, classes, z)
    return figure


def object_colours(labels):
    """A colour for each object of a plane, so that neighbours differ; the same labels give the same colours.

    Parameters
    ----------
    labels : ndarray (Y, X)

    Returns
    -------
    dict
        label -> index into ``COLOURS``.

    Notes
    -----
    The object with fewest neighbours is set aside, again and again, and colours are given in reverse order. Where every
    object is in one piece, that one never has more than five neighbours left, so that six colours suffice.

    References
    ----------
    Matula, Beck: Smallest-last ordering and clustering and graph coloring algorithms. J ACM 30(3), 1983.
    """
    neighbours = _neighbours(labels)
    waiting = defaultdict(set)
    for label, near in neighbours.items():
        waiting[len(near)].add(label)
    degree = {label: len(near) for label, near in neighbours.items()}
    order = []
    while degree:
        least = min(count for count, some in waiting.items() if some)
        label = min(waiting[least])
        waiting[least].remove(label)
        order.append(label)
        del degree[label]
        for other in neighbours[label] & degree.keys():
            waiting[degree[other]].remove(other)
            degree[other] -= 1
            waiting[degree[other]].add(other)
    colours = {}
    for label in reversed(order):
        taken = [colours[other] for other in neighbours[label] if other in colours]
        # Each object begins the search at another colour, so that all are used alike.
        choices = np.roll(np.arange(len(COLOURS)), -(label % len(COLOURS)))
        colours[label] = int(min(choices, key=taken.count))
    return colours


def _neighbours(labels):
    """label -> set of labels nearby."""
    # With a zero in front, background is number 0 even where there is none.
    known, numbered = np.unique(np.append(0, labels), return_inverse=True)
    grown = expand_labels(numbered[1:].reshape(labels.shape), _NEAR)
    near = {int(label): set() for label in known[1:]}
    pairs = [np.stack([grown[1:], grown[:-1]], -1), np.stack([grown[:, 1:], grown[:, :-1]], -1)]
    pairs = np.concatenate([pair.reshape(-1, 2) for pair in pairs])
    differ = (pairs[:, 0] != pairs[:, 1]) & (pairs != 0).all(1)
    for one, other in np.unique(pairs[differ], axis=0):
        near[int(known[one])].add(int(known[other]))
        near[int(known[other])].add(int(known[one]))
    return near


def _panels(shapes, size):
    height = size * min(1.5, shapes[0][-2] / shapes[0][-1]) + 0.7
    figure = Figure(figsize=(size * len(shapes), height), layout="constrained")
    axes = figure.subplots(1, len(shapes), squeeze=False)[0]
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    return figure, axes


def _draw_labels(axis, plane, labels, classes, title, score):
    labels = thumbnail(labels)
    _draw_plane(axis, plane, labels.shape)
    if classes:
        _fill(axis, [(_class_colour(value), labels == value, 0.45) for value in np.unique(labels) if value], plane)
    else:
        groups = [(COLOURS[number], mask) for number, mask in _apart(labels).items()]
        _fill(axis, [(colour, mask, 0.3) for colour, mask in groups], plane)
        for colour, mask in groups:
            _outline(axis, mask, colour)
    axis.set_title(title, color=_INK)
    axis.set_xlabel(score, fontsize=9)


def _draw_mistakes(axis, plane, truth, prediction, classes, z):
    found, rings = (_pixel_mistakes if classes else _object_mistakes)(truth, prediction)
    shown = {colour: thumbnail(_slice(labels, z)) for colour, (labels, _) in found.items()}
    _draw_plane(axis, plane, shown[_FOUND].shape)
    # A missed object under a false one is filled, the false one outlined, so that both are seen.
    strength = {_FOUND: 0.3} | dict.fromkeys((_MISSED, _FALSE, _OTHER), 0.75 if classes else 0.3)
    fills = sorted(shown, key=lambda colour: colour == _MISSED)
    _fill(axis, [(colour, shown[colour] != 0, strength[colour]) for colour in fills], plane)
    for colour in () if classes else shown:
        for mask in _apart(shown[colour]).values():
            _outline(axis, mask, colour)
    for colour, (labels, _) in rings.items():
        for mask in _apart(thumbnail(_slice(labels, z))).values():
            _outline(axis, mask, colour, width=2.2)
    axis.set_title("right and wrong", color=_INK)
    names, around = ({name: colour for colour, (_, name) in some.items()} for some in (found, rings))
    _legend(axis, names, around, **_BELOW)


def _object_mistakes(truth, prediction):
    """Colour -> label image of the objects to draw in it, and what it means; and the same of lines around objects."""
    shared = overlap(truth, prediction)
    matched = shared.matched()
    partners = shared.predicted_labels[shared.predicted[matched]]
    false = np.delete(shared.predicted_labels, shared.predicted[matched])
    missed = np.delete(shared.true_labels, shared.true[matched])
    found = {
        _FOUND: (_only(prediction, partners), f"{len(partners)} found"),
        _MISSED: (_only(truth, missed), f"{len(missed)} missed"),
        _FALSE: (_only(prediction, false), f"{len(false)} false"),
    }
    split, merged = shared.true_labels[shared.splits()], shared.predicted_labels[shared.merges()]
    rings = {_SPLIT: (_only(truth, split), f"{len(split)} split")} if len(split) else {}
    if len(merged):
        rings[_MERGED] = (_only(prediction, merged), f"{len(merged)} merged")
    return found, rings


def _pixel_mistakes(truth, prediction):
    there, said = truth != 0, prediction != 0
    found = {
        _FOUND: (there & (truth == prediction), "right"),
        _MISSED: (there & ~said, "missed"),
        _FALSE: (said & ~there, "false"),
    }
    other = there & said & (truth != prediction)
    return found | ({_OTHER: (other, "other class")} if other.any() else {}), {}


def _draw_plane(axis, plane, shape):
    if plane is None:
        axis.imshow(np.ones((*shape, 3)))
    else:
        low, high = np.percentile(plane, (0.1, 99.8))
        axis.imshow(thumbnail(plane), cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")


def _fill(axis, tints, plane):
    """Tint pixels; of several colours the last is seen, since a mixture would look like none of them."""
    if tints:
        image = np.zeros((*tints[0][1].shape, 4))
        for colour, mask, strength in tints:
            image[mask] = (*to_rgb(colour), max(strength, 0.65) if plane is None else strength)
        axis.imshow(image, interpolation="nearest")


def _outline(axis, mask, colour, width=1.1):
    if mask.any():
        # A frame of nothing around the mask closes the outlines of objects at the border.
        y, x = (np.arange(-1, length + 1) for length in mask.shape)
        axis.contour(x, y, np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=width)
        axis.set(xlim=(-0.5, mask.shape[1] - 0.5), ylim=(mask.shape[0] - 0.5, -0.5))


def _apart(labels):
    """Colour -> the objects that have it, which do not touch each other."""
    colours = object_colours(labels)
    groups = {number: [label for label in colours if colours[label] == number] for number in range(len(COLOURS))}
    return {number: np.isin(labels, some) for number, some in groups.items() if some}


def _only(labels, wanted):
    return np.where(np.isin(labels, wanted), labels, 0)


def _legend(place, colours, around=None, **where):
    handles = [Patch(facecolor=colour, label=name) for name, colour in colours.items()]
    rings = [Patch(fc="#555555", ec=colour, lw=2, label=name) for name, colour in (around or {}).items()]
    # Legends are filled column by column; the lines around objects are the second row.
    rows = [handle for column in zip_longest(handles, rings) for handle in column if handle]
    place.legend(handles=rows, ncols=len(handles), frameon=False, fontsize=9, handlelength=1, columnspacing=1, **where)


def _class_legend(place, images, **where):
    present = np.unique(np.concatenate([np.unique(labels) for labels in images]))
    names = {f"class {value}": _class_colour(value) for value in present[present != 0][:8]}
    if len(names) > 1:
        _legend(place, names, **where)


def _class_colour(value):
    return COLOURS[(int(value) - 1) % len(COLOURS)]


def _slice(labels, z):
    if labels.ndim == 2:
        return labels
    return labels[labels.shape[0] // 2 if z is None else z]
