"""Look at images: one at a time, through planes and channels, versions side by side."""

from html import escape

import ipywidgets as widgets
import numpy as np

from ..data.files import list_images, stem
from ..data.images import open_image
from ..errors import UserError
from ..quality import plots

_WIDE = {"width": "420px"}
SLOW = {"layout": _WIDE, "continuous_update": False}  # for sliders: draw once they stand still


def browse(versions, open_first=open_image):
    """A viewer of the same images in several versions.

    Parameters
    ----------
    versions : dict
        title -> folder (or file); images belong together by name. The first decides which are shown, and its
        brightness range is used for all.
    open_first : callable
        Opens a file of the first version; gives an ImageFile.

    Returns
    -------
    ipywidgets.VBox
    """
    return Versions(versions, open_first).box


class Viewer:
    """A picture with fields for the image, its plane, its channel, and the contrast; what is drawn, subclasses say.

    Parameters
    ----------
    names : list of str
        Images to choose from.
    more : sequence of widgets
        Fields that, when changed, draw the picture anew.
    """

    def __init__(self, names, more=()):
        self.image = None
        self.name = widgets.Dropdown(options=names, description="Image", layout=_WIDE)
        self.plane = widgets.IntSlider(description="Plane", min=0, max=0, **SLOW)
        self.channel = widgets.Dropdown(description="Channel", options=[("", 0)], layout=_WIDE)
        self.contrast = widgets.FloatRangeSlider(
            value=(0.1, 99.9), min=0, max=100, step=0.1, description="Contrast %", **SLOW
        )
        self.picture = widgets.Image(format="png")
        self.note = widgets.HTML()
        fields = [self.plane, self.channel, *more, self.contrast]
        self.box = widgets.VBox([self.name, *fields, self.picture, self.note])
        self.name.observe(lambda _: self._choose(), "value")
        for field in fields:
            field.observe(lambda _: self._draw(), "value")
        self._choose()

    def open(self, name):
        """The ImageFile of a name."""
        raise NotImplementedError

    def planes(self):
        """What to draw: title -> ndarray (Y, X)."""
        raise NotImplementedError

    def figure(self):
        """The picture."""
        return plots.side_by_side(self.planes(), percentiles=self.contrast.value)

    def _choose(self):
        self.image = None  # while fields change, nothing is drawn
        try:
            image = self.open(self.name.value)
        except UserError as error:
            self._apologise(error)
            return
        _set_range(self.plane, image.planes, image.planes // 2)
        self.channel.options = [(name, c) for c, name in enumerate(image.channel_names)]
        self.channel.layout.display = None if image.size["C"] > 1 else "none"
        self.image = image
        self._draw()

    def _draw(self):
        if self.image is None:
            return
        try:
            figure = self.figure()
        except UserError as error:
            self._apologise(error)
            return
        self.picture.value = plots.to_png(figure)
        self.note.value = escape(f"{self.image.path.name}: {self.image.describe()}")

    def _apologise(self, error):
        """Show an error where the picture was."""
        self.picture.value, self.note.value = b"", escape(str(error))


class Versions(Viewer):
    """A viewer of several versions of the same images; see :func:`browse`."""

    def __init__(self, versions, open_first, more=()):
        self.open_first, self.first = open_first, next(iter(versions))
        self.files = {title: {stem(f): f for f in list_images(folder)} for title, folder in versions.items()}
        super().__init__(list(self.files[self.first]), more)

    def open(self, name):
        self.images = {
            title: (self.open_first if title == self.first else open_image)(files[name])
            for title, files in self.files.items()
            if name in files
        }
        return self.images[self.first]

    def planes(self):
        return {title: self._plane(image) for title, image in self.images.items()}

    def _plane(self, image):
        number, channel = min(self.plane.value, image.planes - 1), min(self.channel.value, image.size["C"] - 1)
        return np.asarray(plots.thumbnail(image.plane(number)[..., channel]), "float32")


def _set_range(slider, count, value):
    """Give a slider the positions 0 to count - 1; hide it if there is one only."""
    slider.max = max(count - 1, slider.max)
    slider.value = value
    slider.max = count - 1
    slider.layout.display = None if count > 1 else "none"
