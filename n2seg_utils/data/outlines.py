"""Outlines of areas, from pixels to polygons and back.

Whole numbers are corners of pixels, and a pixel belongs to an area when its centre lies inside, as in ImageJ.
"""

from itertools import pairwise

import numpy as np

# java.awt.geom.PathIterator: move, line, quadratic and cubic Bézier curve, close; and how many points each has.
MOVE, LINE, CLOSE = 0, 1, 4
_POINTS = {MOVE: 1, LINE: 1, 2: 2, 3: 3, CLOSE: 0}
_STEPS = np.linspace(0, 1, 17)[1:, None]  # a curve is drawn as 16 straight lines


def fill(outlines, shape):
    """Pixels whose centre lies inside of an odd number of closed outlines.

    A centre on an edge belongs to what is left of and above the edge, as in ImageJ's PolygonFiller.

    Parameters
    ----------
    outlines : list of ndarray (N, 2)
        Corners (x, y), which may lie outside of the image.
    shape : (int, int)
        (Y, X) of the image in pixels.

    Returns
    -------
    ndarray (Y, X), bool

    Raises
    ------
    ValueError
        If the outlines are absurdly long; see :func:`require_short`.

    Examples
    --------
    >>> import numpy as np
    >>> fill([np.array([(0, 0), (3, 0), (0, 3)])], (3, 4)).astype(int)
    array([[1, 1, 1, 0],
           [1, 1, 0, 0],
           [1, 0, 0, 0]])
    """
    start = np.concatenate(outlines)
    end = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    downwards = (start[:, 1] <= end[:, 1])[:, None]
    start, end = np.where(downwards, start, end), np.where(downwards, end, start)
    first, last = (np.clip(np.ceil(y - 0.5), 0, shape[0]).astype(int) for y in (start[:, 1], end[:, 1]))
    require_short((last - first).sum(), shape)
    # Each edge crosses the centres of some rows; right of a crossing, outside and inside change places.
    edge = np.repeat(np.arange(len(start)), last - first)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(last - first) - last, last - first)
    (x, y), (dx, dy) = start[edge].T, (end - start)[edge].T
    column = np.clip(np.floor(x + (row + 0.5 - y) * dx / dy + 0.5 + 1e-8), 0, shape[1]).astype(int)
    width = shape[1] + 1
    crossings = np.bincount(row * width + column, minlength=shape[0] * width).reshape(shape[0], width)
    return np.cumsum(crossings[:, :-1], axis=1) % 2 == 1


def require_short(length, shape):
    """Raise a ValueError if outlines of so many pixels, all together, go over an image (Y, X) more than once.

    No area has such an outline, and one that runs to and fro would take any memory.
    """
    if not length <= max(1_000_000, shape[0] * (shape[1] + 1)):
        raise ValueError("an outline goes to and fro")


def fill_oval(low, high, shape):
    """Pixels (Y, X), bool, whose centre lies in the ellipse that fills a box; `low` and `high` are its corners (x, y).

    A centre on the ellipse lies in it, as in ImageJ's OvalRoi.
    """
    square = np.maximum((high - low) / 2, 1e-9) ** 2
    x, y = (
        (np.arange(size) + 0.5 - middle) ** 2 / r2 for size, middle, r2 in zip(shape[::-1], (low + high) / 2, square)
    )
    return x + y[:, None] <= 1


def outlines_of(mask):
    """Closed outlines of a mask along the edges of pixels; filled, they are the mask again.

    Those around the mask run clockwise on the screen, those around its holes the other way. Pixels that touch at a
    corner only are joined there.

    Parameters
    ----------
    mask : ndarray (Y, X), bool

    Returns
    -------
    list of ndarray (N, 2), int
        Corners (x, y), each of which turns.
    """
    filled = np.pad(mask, 1)
    nw, ne, sw, se = filled[:-1, :-1], filled[:-1, 1:], filled[1:, :-1], filled[1:, 1:]
    falling, rising = nw & se & ~ne & ~sw, ne & sw & ~nw & ~se
    # Where pixels touch at a corner, two outlines pass: one comes from the left, the other goes to the right, and
    # they meet the edges above and below so that the two pixels stay together.
    turns, touches = np.argwhere(nw ^ ne ^ sw ^ se), np.argwhere(falling | rising)
    corners = np.concatenate([turns, touches, touches])
    right = np.repeat([0, 0, 1], [len(turns), len(touches), len(touches)])
    below = right ^ falling[tuple(corners.T)]
    # Along a row, and along a column, an edge joins the first corner with the second, the third with the fourth ...
    by_row = np.lexsort((right, corners[:, 1], corners[:, 0]))
    by_column = np.lexsort((below, corners[:, 0], corners[:, 1]))
    partners = np.empty((2, len(corners)), int)
    for partner, order in zip(partners, (by_row, by_column)):
        pairs = order.reshape(-1, 2)
        partner[pairs] = pairs[:, ::-1]
    inside, partners = se[tuple(corners.T)].tolist(), partners.tolist()
    outlines, seen = [], set()
    for first in by_row.tolist():
        if first not in seen:
            outline, at, along = [], first, 0 if inside[first] else 1
            while at not in seen:
                seen.add(at)
                outline.append(at)
                at, along = partners[along][at], 1 - along
            outlines.append(corners[outline][:, ::-1])
    return outlines


def outlines_of_path(path):
    """The outlines (x, y) that a path of moves, lines and curves draws."""
    pieces, at = [], 0
    while at < len(path):
        kind = int(path[at])
        stop = at + 1 + 2 * _POINTS[kind]
        points = np.asarray(path[at + 1 : stop], "float64").reshape(-1, 2)
        if kind == MOVE:
            pieces.append([points[0]])
        elif kind == LINE:
            pieces[-1].append(points[0])
        elif kind != CLOSE:
            pieces[-1].extend(_curve([pieces[-1][-1], *points]))
        at = stop
    return [np.array(piece) for piece in pieces]


def _curve(points):
    """Points on a Bézier curve, by de Casteljau's construction."""
    while len(points) > 1:
        points = [a + (b - a) * _STEPS for a, b in pairwise(points)]
    return points[0]
