"""What a training without masks brings beside thresholds of the images, which cost nothing."""

import numpy as np
from skimage.filters import threshold_li, threshold_otsu

from ..data.files import stem
from ..data.images import open_image
from ..learning.annotations import UNKNOWN
from ..quality.candidates import blurred, smoothing
from ..quality.pixel_scores import class_scores

_METHODS = {"otsu": threshold_otsu, "li": threshold_li}
_NAMES = {"network": "the network", "otsu": "Otsu's threshold", "li": "Li's threshold"}


def compare_with_thresholds(segmenter, judged):
    """Score what the network found beside thresholds of the same images after a Gaussian blur, into ``run.json``.

    The blur is that which the first labels were made with, see :func:`~n2seg_utils.quality.candidates.smoothing`. Dice
    (which is F1, of pixels) and IoU are means over the images.

    Parameters
    ----------
    segmenter : Segmenter
        Whose label images are in the ``quality`` folder of its run.
    judged : list of (ImageFile, Mask)
    """
    scores = {name: [] for name in _NAMES}
    for image, mask in judged:
        found = open_image(segmenter.run / "quality" / "labels" / f"{stem(image.path)}.tif")
        scale = segmenter.normalisation.for_image(image)
        sigma = smoothing(_grey(image, image.planes // 2, scale))
        planes = {name: [] for name in ("truth", *_NAMES)}
        for number in range(image.planes):
            smooth = blurred(_grey(image, number, scale), sigma)
            planes["truth"].append(segmenter.target.encode(mask.plane(number)))
            planes["network"].append(found.plane(number)[..., 0] > 0)
            for name, threshold in _METHODS.items():
                planes[name].append(smooth > threshold(smooth))
        planes = {name: np.stack(some) for name, some in planes.items()}
        known = planes["truth"] != UNKNOWN
        for name, several in scores.items():
            several.append(class_scores(planes["truth"][known], planes[name][known].astype("int32"), [1]))
    means = {
        name: {score: float(np.mean([one[score] for one in several])) for score in ("dice", "iou")}
        for name, several in scores.items()
    }
    segmenter.run.note(thresholding=means)


def thresholding_in_words(found):
    """What :func:`compare_with_thresholds` wrote down, in words."""
    scores = ", ".join(f"{_NAMES[name]} {found[name]['dice']:.3f}" for name in _NAMES)
    return f"Dice of {scores}; thresholds are of the same images after a Gaussian blur that suits their noise"


def _grey(image, number, scale):
    """A plane (Y, X), scaled; the mean of its channels."""
    return scale.apply(np.asarray(image.plane(number), "float32")).mean(axis=-1)
