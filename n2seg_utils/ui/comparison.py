"""Compare versions of an image closely: one uncovered over another, and grey values along a line."""

import ipywidgets as widgets
import numpy as np

from ..quality import restoration_plots
from .region import SLOW, WIDE
from .viewer import Versions


def curtain(versions, open_first, labels=None, names=None):
    """A viewer in which a slider uncovers one version of an image over another.

    Parameters
    ----------
    versions, open_first, labels, names
        See :func:`~n2seg_utils.ui.viewer.browse`.

    Returns
    -------
    ipywidgets.VBox
    """
    return _Curtain(versions, open_first, labels, names).box


def profile(versions, open_first):
    """A viewer of grey values along a line; as :func:`curtain`."""
    return _Profile(versions, open_first).box


class _Curtain(Versions):
    def __init__(self, versions, open_first, labels, names):
        titles = list(dict.fromkeys([*versions, *(labels or {})]))
        self.left = widgets.Dropdown(options=titles, value=titles[0], description="Left", layout=WIDE)
        self.right = widgets.Dropdown(options=titles, value=titles[1], description="Right", layout=WIDE)
        self.share = widgets.FloatSlider(
            value=50, min=0, max=100, description="Curtain %", readout_format=".0f", **SLOW
        )
        super().__init__(versions, open_first, labels, None, [self.left, self.right, self.share], names)

    def planes(self):
        found = super().planes()
        titles = [title for title in (self.left.value, self.right.value) if title in found]
        if len(titles) < 2:
            return found
        left, right = (found[title] for title in titles)
        if left.ndim != right.ndim:
            left, right = (plane if plane.ndim == 3 else self._in_colour(plane) for plane in (left, right))
        at = round(self.share.value / 100 * right.shape[1])
        mixed = right.copy()
        mixed[:, :at] = left[:, :at]
        return {f"{titles[0]} | {titles[1]}": mixed}

    def _in_colour(self, plane):
        low, high = self.limits()
        return np.repeat(np.clip((plane - low) / (high - low), 0, 1)[..., None], 3, axis=-1)


class _Profile(Versions):
    def __init__(self, versions, open_first):
        names = ("From x", "From y", "To x", "To y")
        self.ends = [widgets.IntSlider(description=name, min=0, max=1, **SLOW) for name in names]
        super().__init__(versions, open_first, more=self.ends)

    def open(self, name):
        image = super().open(name)
        height, width = image.plane_shape[:2]
        for slider, most, value in zip(self.ends, (width, height) * 2, (0, height // 2, width - 1, height // 2)):
            slider.max, slider.value = most - 1, value
        return image

    def figure(self):
        x0, y0, x1, y1 = (slider.value for slider in self.ends)
        number, channel = self.number, self.channel.value
        whole = {
            title: image.plane(min(number, image.planes - 1))[..., min(channel, image.size["C"] - 1)]
            for title, image in self.images.items()
        }
        return restoration_plots.line_on(
            self.planes(), ((y0, x0), (y1, x1)), self.image.calibration, whole, self.where, self.limits()
        )
