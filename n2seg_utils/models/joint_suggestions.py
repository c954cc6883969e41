"""Values of the joint training's settings chosen from the data, each with its reason."""

from ..data.normalisation import fit
from ..settings import JointSettings
from . import denoise_suggestions, segment_suggestions, suggestions


def suggest(settings, images, target, gpu, merged=None, noise=True):
    """Values for the settings that were left open.

    Parameters
    ----------
    settings, images, target, gpu, merged
        See :func:`~n2seg_utils.models.segment_suggestions.suggest`.
    noise : bool
        Measure how noise is shared, which reads pixels, and say what follows from it.

    Returns
    -------
    dict
        name -> (value, reason), for what can be chosen from the data; whether or not the user chose otherwise.
    """
    found = segment_suggestions.suggest(settings, images, target, gpu, merged)
    patch = settings.patch_size or found["patch_size"][0]
    found["schedule"] = _schedule(settings)
    return found | denoise_suggestions.hiding(settings, images, patch, noise)


def _schedule(settings):
    weighed = next((name for name in JointSettings.SHARED if not settings.usual(name)), None)
    if settings.recipe == "published":
        return "constant", "the published recipe has one network learn both"
    if settings.pretrained:
        return "constant", "it starts from one network"
    if weighed:
        return "constant", f"{weighed} is about one network that learns both"
    if not settings.minutes and settings.epochs < 2:
        return "constant", "one epoch is too short for two networks"
    # 10 annotated images of DSB2018, noise 20: objects as well, and 2 dB more in the same time (benchmarks/README.md).
    return "in_turn", "two networks, one after the other, denoise better in the same time"


def settle(settings, images, target, gpu, merged=None):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    suggested = suggest(settings, images, target, gpu, merged, noise=settings.algorithm == "structn2v")
    settings = suggestions.settle(denoise_suggestions.with_manipulator(settings), images, suggested, merged)
    return settings.replace(normalisation=_scaled(settings, images)) if settings.normalisation == "auto" else settings


def _scaled(settings, images):
    """How a network that only denoises learns faster: from images alike in noise (benchmarks/README.md)."""
    return fit(images, "auto", blank=True).kind if settings.schedule == "in_turn" else "image"
