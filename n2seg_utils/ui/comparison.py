"""Compare versions of an image closely: one uncovered over another, and grey values along a line."""

import ipywidgets as widgets
import numpy as np

from ..quality import plots, restoration_plots
from .viewer import SLOW, Versions


def curtain(versions, open_first):
    """A viewer in which a slider uncovers one version of an image over another.

    Parameters
    ----------
    versions, open_first
        See :func:`~n2seg_utils.ui.viewer.browse`.

    Returns
    -------
    ipywidgets.VBox
    """
    return _Curtain(versions, open_first).box


def profile(versions, open_first):
    """A viewer of grey values along a line; as :func:`curtain`."""
    return _Profile(versions, open_first).box


class _Curtain(Versions):
    def __init__(self, versions, open_first):
        titles = list(versions)
        self.left = widgets.Dropdown(options=titles, value=titles[0], description="Left")
        self.right = widgets.Dropdown(options=titles, value=titles[1], description="Right")
        self.share = widgets.FloatSlider(value=50, min=0, max=100, description="Curtain %", **SLOW)
        super().__init__(versions, open_first, [self.left, self.right, self.share])

    def planes(self):
        found = super().planes()
        titles = [title for title in (self.left.value, self.right.value) if title in found]
        if len(titles) < 2:
            return found
        left, right = (found[title] for title in titles)
        at = round(self.share.value / 100 * right.shape[1])
        mixed = right.copy()
        mixed[:, :at] = left[:, :at]
        return {f"{titles[0]} | {titles[1]}": mixed}

    def figure(self):
        return plots.side_by_side(self.planes(), percentiles=self.contrast.value, size=5.5)


class _Profile(Versions):
    def __init__(self, versions, open_first):
        names = ("From x", "From y", "To x", "To y")
        self.ends = [widgets.IntSlider(description=name, min=0, max=1, **SLOW) for name in names]
        super().__init__(versions, open_first, self.ends)

    def open(self, name):
        image = super().open(name)
        height, width = image.plane_shape[:2]
        for slider, most, value in zip(self.ends, (width, height) * 2, (0, height // 2, width - 1, height // 2)):
            slider.max, slider.value = most - 1, value
        return image

    def planes(self):
        number, channel = self.plane.value, self.channel.value
        return {
            title: np.asarray(image.plane(min(number, image.planes - 1))[..., channel], "float32")
            for title, image in self.images.items()
        }

    def figure(self):
        x0, y0, x1, y1 = (slider.value for slider in self.ends)
        return restoration_plots.line_on(
            self.planes(), ((y0, x0), (y1, x1)), self.image.calibration, self.contrast.value
        )
