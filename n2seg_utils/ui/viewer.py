"""Look at images: one at a time, through time, planes and channels, versions side by side, as large as one likes.

What a browser gets is as large as on the screen, however large an image is; and no more of it is read than that.
"""

from html import escape

import ipywidgets as widgets
import numpy as np

from ..data.files import list_images, stem
from ..data.images import open_image
from ..errors import UserError
from ..quality import plots
from ..quality.painting import painted
from .region import SLOW, WIDE, Region, thinned

_ROOM = 12.0  # inches of the screen for all pictures side by side,
_LARGEST = 6.5  # and for one
_DPI = 90


def browse(versions, open_first=open_image, labels=None, on=None, names=None):
    """A viewer of the same images in several versions.

    Parameters
    ----------
    versions : dict
        title -> folder (or file); images belong together by name. The first decides which are shown, and its
        brightness range is used for all.
    open_first : callable
        Opens a file of the first version; gives an ImageFile.
    labels : dict, optional
        title -> Labels, which are shown painted on an image. Of a title that is among the versions, the labels are
        shown in place of the file's grey values.
    on : str, optional
        The version that labels are painted on; default: the first.
    names : list of str, optional
        Images to choose from, without endings; default: all of the first version.

    Returns
    -------
    ipywidgets.VBox
    """
    return Versions(versions, open_first, labels, on, names=names).box


class Viewer:
    """A picture with fields for the image, time point, plane, channel, region and contrast; what is drawn, subclasses
    say.

    Parameters
    ----------
    names : list of str
        Images to choose from.
    more : sequence of widgets
        Fields that, when changed, draw the picture anew.
    region : Region, optional
        Fields for the piece that is looked at.
    """

    def __init__(self, names, more=(), region=None):
        self.image, self.region = None, region
        self.name = widgets.Dropdown(options=names, description="Image", layout=WIDE)
        self.time = widgets.IntSlider(description="Time point", min=1, max=1, **SLOW)
        self.plane = widgets.IntSlider(description="Plane", min=1, max=1, **SLOW)
        self.channel = widgets.SelectionSlider(description="Channel", options=[("", 0)], **SLOW)
        self.contrast = widgets.FloatRangeSlider(
            value=(0.1, 99.9), min=0, max=100, step=0.1, description="Contrast %", readout_format=".1f", **SLOW
        )
        self.picture = widgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
        self.note = widgets.HTML()
        seen = [*region.fields, self.contrast] if region else [self.contrast]
        fields = [self.time, self.plane, self.channel, *more, *seen]
        rows = widgets.Box(fields, layout={"flex_flow": "row wrap"})
        self.box = widgets.VBox([self.name, rows, self.picture, self.note])
        self.name.observe(lambda _: self._choose(), "value")
        for field in fields:
            field.observe(lambda _: self._draw(), "value")
        self._choose()

    def open(self, name):
        """The ImageFile of a name."""
        raise NotImplementedError

    def planes(self):
        """What to draw: title -> ndarray (Y, X), or (Y, X, 3) with colours between 0 and 1."""
        raise NotImplementedError

    @property
    def number(self):
        """The plane that is looked at; planes count through Z, then T."""
        return (self.time.value - 1) * self.image.size["Z"] + self.plane.value - 1

    def limits(self):
        """Grey values that are black and white; without, the contrast is that of the first picture."""

    def figure(self):
        """The picture."""
        planes = self.planes()
        columns = 2 if len(planes) == 4 else min(3, len(planes))
        size = min(_LARGEST, _ROOM / columns)
        return plots.side_by_side(
            planes, percentiles=self.contrast.value, size=size, columns=columns, limits=self.limits()
        )

    def words(self):
        """What is said below the picture."""
        return f"{self.image.path.name}: {self.image.describe()}"

    def _choose(self):
        self.image = None  # while fields change, nothing is drawn
        try:
            image = self.open(self.name.value)
        except UserError as error:
            self._apologise(error)
            return
        for slider, axis in ((self.time, "T"), (self.plane, "Z")):
            _set_range(slider, image.size[axis])
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
        self.picture.value = plots.to_png(figure, _DPI, compression=1)
        self.note.value = escape(self.words())

    def _apologise(self, error):
        """Show an error where the picture was."""
        self.picture.value, self.note.value = b"", escape(str(error))


class Versions(Viewer):
    """A viewer of several versions of the same images; see :func:`browse`."""

    side = int(_LARGEST * _DPI)  # pixels that there is room for

    def __init__(self, versions, open_first=open_image, labels=None, on=None, more=(), names=None):
        self.open_first, self.first = open_first, next(iter(versions))
        self.files = {title: {stem(f): f for f in list_images(folder)} for title, folder in versions.items()}
        self.labels, self.on = labels or {}, on or self.first
        known = list(self.files[self.first])
        super().__init__([name for name in known if name in (names or known)] or known, more, Region())

    def open(self, name):
        self.images = {
            title: (self.open_first if title == self.first else open_image)(files[name])
            for title, files in self.files.items()
            if name in files
        }
        first = self.images[self.first]
        self.drawn = {title: found for title, labels in self.labels.items() if (found := labels.of(first))}
        return first

    @property
    def where(self):
        """Rows and columns that are looked at, as slices; of large pieces not all."""
        return self.region.where(self.image.plane_shape[:2], self.side)

    def limits(self):
        # Of the whole plane, so that nothing gets brighter or darker while one zooms.
        plane = plots.thumbnail(self.image.plane(self.number), self.side)[..., self.channel.value]
        low, high = np.percentile(plane, self.contrast.value)
        return low, max(high, low + 1e-6)

    def planes(self):
        grey = {title: self._seen(image) for title, image in self.images.items()}
        if not self.drawn:
            return grey
        on, limits = grey.get(self.on, grey[self.first]), self.limits()
        if (self.on if self.on in grey else self.first) in self.drawn:  # these are no grey values to paint on
            on, limits = np.zeros_like(on), (0, 1)
        found = {title: drawn(self.number, self.where) for title, drawn in self.drawn.items()}
        shown = {t: painted(on, labels, self.labels[t].classes, limits=limits) for t, labels in found.items()}
        return grey | shown

    def words(self):
        return f"{super().words()}. {thinned(self.where)}".rstrip(". ") + "."

    def _seen(self, image):
        number, channel = min(self.number, image.planes - 1), min(self.channel.value, image.size["C"] - 1)
        return np.asarray(image.plane(number)[self.where][..., channel], "float32")


def _set_range(slider, count):
    """Give a slider the positions 1 to count, and put it into the middle; hide it if there is one position only."""
    slider.max = max(count, slider.max)
    slider.value = count // 2 + 1
    slider.max = count
    slider.layout.display = None if count > 1 else "none"
