"""Try a model on a piece of an image, before a whole folder is denoised."""

import ipywidgets as widgets

from ..data.files import list_images, stem
from ..quality.painting import painted
from .region import SLOW, begin, place
from .viewer import Viewer

_SIZES = (64, 128, 192, 256, 384, 512)


def preview(denoiser, images):
    """A viewer that denoises the piece that is looked at, at once.

    Parameters
    ----------
    denoiser : Denoiser
    images : path
        Folder of noisy images, or one file.

    Returns
    -------
    ipywidgets.VBox
    """
    return _Preview(denoiser, images).box


def preview_both(model, images):
    """A viewer that denoises and segments the piece that is looked at, at once.

    Parameters
    ----------
    model : JointModel
    images : path

    Returns
    -------
    ipywidgets.VBox
    """
    return _PreviewBoth(model, images).box


class _Preview(Viewer):
    def __init__(self, denoiser, images):
        self.denoiser = denoiser
        self.files = {stem(file): file for file in list_images(images)}
        self.down, self.across = place("Down %"), place("Across %")
        size = 192 if denoiser.architecture.dims == 2 else 128
        self.size = widgets.SelectionSlider(description="Size", options=_SIZES, value=size, **SLOW)
        super().__init__(list(self.files), [self.down, self.across, self.size])

    def open(self, name):
        return self.denoiser.open(self.files[name])

    def planes(self):
        noisy, denoised = self.denoiser.predict_crop(*self.piece())
        return {"noisy": noisy[..., self.channel.value], "denoised": denoised[..., self.channel.value]}

    def piece(self):
        """What is looked at: an image, its plane, rows and columns."""
        height, width, _ = self.image.plane_shape
        rows, columns = self._piece(height, self.down.value), self._piece(width, self.across.value)
        return self.image, self.number, rows, columns

    def _piece(self, length, percent):
        size = min(self.size.value, length)
        start = begin(length, size, percent)
        return slice(start, start + size)


class _PreviewBoth(_Preview):
    def planes(self):
        model, channel = self.denoiser, self.channel.value
        noisy, denoised, found = model.predict_crop_both(*self.piece())
        labels = model.find_in_plane(found)
        drawn = painted(denoised[..., channel], labels, model.target.kind != "instances", self.contrast.value)
        return {"noisy": noisy[..., channel], "denoised": denoised[..., channel], "found": drawn}
