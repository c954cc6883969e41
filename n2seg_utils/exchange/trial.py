"""A small image to try a model on, and what the model says of it."""

import numpy as np

from ..data import drive, samples
from ..data.files import list_images
from ..data.images import central
from ..errors import UserError

_SHAPES = {2: (128, 128), 3: (16, 64, 64)}


def trial_image(model, smallest):
    """A piece of the first training image or, where that cannot be read, a synthetic one of the same brightness.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    smallest : tuple of int
        Least size along each axis, a multiple of the network's poolings; pixels are mirrored to reach it.

    Returns
    -------
    pixels : ndarray (Y, X, C) or (Z, Y, X, C), float32
        Of a size that the network takes.
    own : bool
        Whether it is of a training image.
    """
    try:
        pixels = _piece(model, smallest)
    except (UserError, OSError):
        pixels = None
    if pixels is not None and np.isfinite(pixels).all() and np.ptp(pixels) > 0:
        return _fitted(pixels, model.architecture.block, smallest), True
    return _fitted(_synthetic(model), model.architecture.block, smallest), False


def answers(model, pixels):
    """What a model says of a whole image, as its own prediction does, with the channels of an exported network."""
    scale = own_scale(model, pixels)
    settings, model.settings = model.settings, model.settings.replace(orientations=False)
    try:
        if model.run.workflow == "denoise":
            return model.predict_pixels(pixels, scale)
        if model.run.workflow == "segment":
            return model.predict_probabilities(pixels, scale)
        return np.concatenate(model.predict_both(pixels, scale), axis=-1)
    finally:
        model.settings = settings


def own_scale(model, pixels):
    """The scaling of a model for an array that is a whole image."""
    return model.normalisation.for_image(_Whole(pixels))


class _Whole:
    """As much of an ImageFile as measuring its contrast needs."""

    path = "the image to try the model on"

    def __init__(self, pixels):
        self.pixels = pixels if pixels.ndim == 4 else pixels[None]
        self.planes, *self.plane_shape = self.pixels.shape
        self.plane = self.pixels.__getitem__


def _piece(model, smallest):
    images = getattr(model.settings, "images", "")
    if not images:
        return None
    image = model.open(list_images(drive.bring(images))[0])
    model.require_fit(image)
    frames = image.frames(model.architecture.dims)
    frame = frames[len(frames) // 2]
    most = np.maximum(_SHAPES[len(frame.shape)], smallest)
    where = [central(size, side) for size, side in zip(frame.shape, most)]
    return np.asarray(frame.read(*where), "float32")


def _synthetic(model):
    dims = model.architecture.dims
    name = "nuclei" if dims == 2 else "nuclei3d"
    noisy = np.asarray(samples.make_image(name, shape=_SHAPES[dims])[0], "float32")[..., None]
    noisy = (noisy - noisy.mean()) / noisy.std()
    scale = model.normalisation
    if hasattr(scale, "mean"):
        return noisy * np.float32(scale.std) + np.float32(scale.mean)
    span = np.subtract(scale.high, scale.low)
    return (noisy / 6 + 0.3) * np.float32(span) + np.float32(scale.low)


def _fitted(pixels, blocks, smallest):
    """The image with a size that the network takes: cut, or mirrored where it is too small."""
    target = [max(least, size // block * block) for size, block, least in zip(pixels.shape, blocks, smallest)]
    pixels = pixels[tuple(slice(0, size) for size in target)]
    missing = [(0, size - there) for size, there in zip(target, pixels.shape)]
    return np.ascontiguousarray(np.pad(pixels, [*missing, (0, 0)], "reflect"))
