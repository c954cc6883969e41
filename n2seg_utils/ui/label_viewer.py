"""Look at labels over their images, and at what other thresholds would find."""

from dataclasses import replace

import ipywidgets as widgets

from ..data.files import list_images, stem
from ..models.label_kinds import TITLES
from ..quality.painting import painted
from .layers import drawn_in, found_in
from .region import SLOW, begin, place
from .viewer import Viewer, browse

_LARGEST = 512  # pixels along the side of what is explored


def browse_results(images, folder, model, masks=None, truth=None):
    """A viewer of images, of what they look like denoised, and of the labels found in them and drawn on them.

    Parameters
    ----------
    images : path
    folder : path
        What the model made of them: label images or, of a joint model, ``denoised`` and ``labels``.
    model : Segmenter or JointModel
    masks, truth : path, optional
        What was drawn on some of the images, and what they look like without noise.

    Returns
    -------
    ipywidgets.VBox
    """
    joint = (folder / "denoised").is_dir()
    found = folder / "labels" if joint else folder
    versions = {"noisy": images, "denoised": folder / "denoised"} if joint else {"image": images}
    if truth:
        versions["truth"] = truth
    drawn = TITLES[getattr(model.settings, "labels", "good")][0]
    labels = {drawn: drawn_in(masks, model.target)} if masks else {}
    labels["found"] = found_in(found, model.target)
    there = set(map(stem, list_images(found)))
    names = [name for name in map(stem, list_images(images)) if name in there]
    return browse(versions, model.open, labels, "denoised" if joint else None, names)


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
        self.down, self.across = place("Down %"), place("Across %")
        super().__init__(list(self.files), [self.threshold, self.seed, self.size, self.down, self.across])

    def open(self, name):
        image = self.model.open(self.files[name])
        for slider, length in zip((self.down, self.across), image.plane_shape):
            slider.layout.display = None if length > _LARGEST else "none"
        return image

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
        """The piece that is looked at, and what the network says of it; asked once."""
        wanted = self.image.path, self.number, self.down.value, self.across.value
        if self.known.get("of") != wanted:
            window = [_piece(*side) for side in zip(self.image.plane_shape, wanted[2:])]
            self.known = {"of": wanted, "is": self.model.predict_crop(self.image, self.number, *window)}
        return self.known["is"]


def _piece(length, percent):
    size = min(length, _LARGEST)
    start = begin(length, size, percent)
    return slice(start, start + size)


def _counted(labels, classes):
    return f"{100 * (labels > 0).mean():.0f} %" if classes else f"{labels.max()} objects"
