"""Look at results: one image at a time, through planes, versions side by side."""

from html import escape

import ipywidgets as widgets
import numpy as np

from ..data.files import list_images, stem
from ..data.images import open_image
from ..errors import UserError
from ..quality import plots


def browse(versions, axes="auto"):
    """A viewer of the same images in several versions.

    Parameters
    ----------
    versions : dict
        title -> folder (or file); images belong together by name. The first decides which are shown, and its
        brightness range is used for all.
    axes : str
        Of the first version.

    Returns
    -------
    ipywidgets.VBox
    """
    return _Viewer(versions, axes).box


class _Viewer:
    def __init__(self, versions, axes):
        self.axes, self.first = axes, next(iter(versions))
        self.files = {title: {stem(f): f for f in list_images(folder)} for title, folder in versions.items()}
        wide = {"width": "420px"}
        slow = {"layout": wide, "continuous_update": False}  # draw once the slider stands still
        self.name = widgets.Dropdown(options=list(self.files[self.first]), description="Image", layout=wide)
        self.plane = widgets.IntSlider(description="Plane", min=0, max=0, **slow)
        self.contrast = widgets.FloatRangeSlider(
            value=(0.1, 99.9), min=0, max=100, step=0.1, description="Contrast %", **slow
        )
        self.picture = widgets.Image(format="png")
        self.note = widgets.HTML()
        self.box = widgets.VBox([self.name, self.plane, self.contrast, self.picture, self.note])
        self.name.observe(lambda _: self._choose(), "value")
        self.plane.observe(lambda _: self._draw(), "value")
        self.contrast.observe(lambda _: self._draw(), "value")
        self._choose()

    def _choose(self):
        try:
            self.images = {
                title: open_image(files[self.name.value], self.axes if title == self.first else "auto")
                for title, files in self.files.items()
                if self.name.value in files
            }
        except UserError as error:
            self._apologise(error)
            return
        last = self.images[self.first].planes - 1
        self.plane.layout.display = None if last else "none"
        self.plane.max = last
        if self.plane.value:
            self.plane.value = 0  # draws
        else:
            self._draw()

    def _draw(self):
        if not self.images:
            return
        try:
            planes = {title: self._plane(image) for title, image in self.images.items()}
        except UserError as error:
            self._apologise(error)
            return
        self.picture.value = plots.to_png(plots.side_by_side(planes, percentiles=self.contrast.value))
        self.note.value = escape(f"{self.images[self.first].path.name}: {self.images[self.first].describe()}")

    def _plane(self, image):
        number = min(self.plane.value, image.planes - 1)
        return plots.thumbnail(np.asarray(image.plane(number)[..., 0], "float32"))

    def _apologise(self, error):
        """Show an error where the picture was."""
        self.images, self.picture.value, self.note.value = {}, b"", escape(str(error))
