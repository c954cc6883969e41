"""Masks for images without labels: a first guess, written like masks that people made."""

import hashlib
import json

import numpy as np
from skimage.filters import threshold_otsu

from ..data import drive
from ..data.files import stem, whole_file
from ..data.images import open_images
from ..data.labels import bring_masks
from ..data.writing import image_writer
from ..quality.first_guess import blurred, choose_blur, cut
from .fingerprint import fingerprint

_CHOSEN_ON = 8  # images, at most
_PLANES = 16  # of an image, at most, that its threshold is found on


def mask_folder(settings, bring=bring_masks):
    """Where the masks of a training are, on local disk: those that were named or, without labels, a first guess.

    Parameters
    ----------
    settings : AnnotatedSettings
    bring : callable
        Copies a folder of masks from Drive.
    """
    return guess_folder(settings) if unlabelled(settings) else bring(settings.masks)


def unlabelled(settings):
    """Whether nobody drew anything."""
    return getattr(settings, "labels", "good") == "none"


def guess_folder(settings):
    """A folder with a mask (8 bits, foreground 255) of each image; made unless it is there.

    It is beside local copies of images on Drive, and named after what the images are, so that the same images have the
    same masks.
    """
    images = open_images(drive.bring(settings.images), settings.axes)
    sigma = blur_for(settings, images)
    folder = _home(images) / f"blur_{sigma:g}"
    for image in images:
        target = folder / f"{stem(image.path)}.tif"
        if not target.exists():
            write_guess(image, target, sigma)
    return folder


def blur_for(settings, images):
    """The sigma, in pixels, of the Gaussian that ImageFiles go through first: what the settings say or, if that is left
    open, see :func:`~n2seg_utils.quality.first_guess.choose_blur`."""
    if settings.blur is not None:
        return settings.blur
    known = _home(images) / "blur.json"
    if not known.exists():
        chosen = images[:: -(-len(images) // _CHOSEN_ON)]
        sigma = choose_blur([first_channel(image.plane(image.planes // 2)) for image in chosen])
        with whole_file(known) as temporary:
            temporary.write_text(json.dumps(round(sigma, 2)))
    return json.loads(known.read_text())


def _home(images):
    words = json.dumps([fingerprint(image) for image in images], sort_keys=True)
    return drive.local_copies("n2seg_guesses") / hashlib.sha256(words.encode()).hexdigest()[:16]


def write_guess(image, target, sigma):
    """Write what is foreground by a blur and a threshold of its own; of several channels, the first tells."""
    told = cut_of(image, sigma)
    everything = (slice(None), slice(None))
    with image_writer(target, image, "uint8", (0, 255), channels=1, labels=True) as write:
        for number in range(image.planes):
            write(number, everything, (255 * told(blurred(first_channel(image.plane(number)), sigma)))[..., None])


def cut_of(image, sigma, threshold=threshold_otsu):
    """The Cut of an ImageFile, from planes of it that are evenly spread; see
    :func:`~n2seg_utils.quality.first_guess.cut`."""
    numbers = np.unique(np.linspace(0, image.planes - 1, min(_PLANES, image.planes)).round().astype(int))
    return cut(np.stack([blurred(first_channel(image.plane(number)), sigma) for number in numbers]), threshold)


def first_channel(plane):
    """Of a plane (Y, X, C), (Y, X)."""
    return np.asarray(plane)[..., 0]
