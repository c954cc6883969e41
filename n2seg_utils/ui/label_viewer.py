"""Look at labels over their images, and at what other thresholds would find."""

from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from ..data.files import list_images, stem
from ..data.images import central, open_image
from ..quality import plots
from ..quality.painting import painted
from .viewer import SLOW, Viewer

_LARGEST = 512  # pixels along the side of what is explored


def browse_labels(images, labels, model):
    """A viewer of images and the labels found in them.

    Parameters
    ----------
    images, labels : path
        Folders; files belong together by name.
    model : Segmenter

    Returns
    -------
    ipywidgets.VBox
    """
    return _Labels(images, labels, model).box


def browse_both(images, results, model):
    """A viewer of images, what they look like denoised, and the labels found in them.

    Parameters
    ----------
    images : path
    results : path
        Folder with ``denoised`` and ``labels``.
    model : JointModel

    Returns
    -------
    ipywidgets.VBox
    """
    return _Both(images, results / "labels", model, results / "denoised").box


def explore(model, images):
    """A viewer in which the numbers that turn probabilities into labels can be changed; nothing else is.

    Parameters
    ----------
    model : Segmenter
    images : path
        Folder of images, or one file.

    Returns
    -------
    ipywidgets.VBox
    """
    return _Explorer(model, images).box


class _Labels(Viewer):
    def __init__(self, images, labels, model):
        self.model, self.images = model, {stem(file): file for file in list_images(images)}
        self.labels = {stem(file): file for file in list_images(labels)}
        super().__init__([name for name in self.images if self.complete(name)])

    def complete(self, name):
        """Whether there is all that is shown of an image."""
        return name in self.labels

    def open(self, name):
        self.found = open_image(self.labels[name])
        return self.model.open(self.images[name])

    def planes(self):
        grey = self.image.plane(self.plane.value)[..., self.channel.value]
        grey = np.asarray(plots.thumbnail(grey), "float32")
        return {"image": grey, "found": self.found_on(grey)}

    def found_on(self, grey):
        """The labels of the plane that is looked at, painted on it."""
        labels = plots.thumbnail(self.found.plane(self.plane.value)[..., 0]).astype("int32")
        return painted(grey, labels, self.model.target.kind != "instances", self.contrast.value)


class _Both(_Labels):
    def __init__(self, images, labels, model, denoised):
        self.restored = {stem(file): file for file in list_images(denoised)}
        super().__init__(images, labels, model)

    def complete(self, name):
        return super().complete(name) and name in self.restored

    def open(self, name):
        self.denoised = open_image(self.restored[name])
        return super().open(name)

    def planes(self):
        number, channel = self.plane.value, self.channel.value
        noisy = np.asarray(plots.thumbnail(self.image.plane(number)[..., channel]), "float32")
        denoised = np.asarray(plots.thumbnail(self.denoised.plane(number)[..., channel]), "float32")
        return {"noisy": noisy, "denoised": denoised, "found": self.found_on(denoised)}


class _Explorer(Viewer):
    def __init__(self, model, images):
        self.model, rule = model, model.stored
        self.files = {stem(file): file for file in list_images(images)}
        self.known = {}
        self.threshold = widgets.FloatSlider(
            description="Threshold", value=rule.threshold, min=0.05, max=0.95, step=0.05, **SLOW
        )
        self.seed = widgets.FloatSlider(
            description="Seeds from", value=rule.seed, min=0.05, max=0.95, step=0.05, **SLOW
        )
        self.size = widgets.IntSlider(
            description="Smallest", value=rule.min_size, min=0, max=max(200, 4 * rule.min_size), **SLOW
        )
        if model.target.kind != "instances":
            self.seed.layout.display = "none"
        if model.architecture.dims == 3:  # counts voxels, and this is one plane
            self.size.layout.display = "none"
        super().__init__(list(self.files), [self.threshold, self.seed, self.size])

    def open(self, name):
        return self.model.open(self.files[name])

    def planes(self):
        pixels, probabilities = self._predicted()
        rule = replace(
            self.model.stored, threshold=self.threshold.value, seed=self.seed.value, min_size=self.size.value
        )
        grey, classes = pixels[..., self.channel.value], self.model.target.kind != "instances"
        tuned = self.model.rule_of(self.image, self.model.stored)(pixels, probabilities)
        stored, tried = (self.model.find_in_plane(probabilities, r) for r in (tuned, rule))
        contrast = self.contrast.value
        return {
            "image": grey,
            f"as tuned ({_counted(stored, classes)})": painted(grey, stored, classes, contrast),
            f"as set here ({_counted(tried, classes)})": painted(grey, tried, classes, contrast),
        }

    def _predicted(self):
        """The middle of the plane that is looked at, and what the network says of it; asked once."""
        wanted = self.image.path, self.plane.value
        if self.known.get("of") != wanted:
            window = [central(size, _LARGEST) for size in self.image.plane_shape[:2]]
            self.known = {"of": wanted, "is": self.model.predict_crop(self.image, self.plane.value, *window)}
        return self.known["is"]


def _counted(labels, classes):
    return f"{100 * (labels > 0).mean():.0f} %" if classes else f"{labels.max()} objects"
