"""Values of the joint training's settings chosen from the data, each with its reason."""

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
    return found | denoise_suggestions.hiding(settings, images, patch, noise)


def settle(settings, images, target, gpu, merged=None):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    suggested = suggest(settings, images, target, gpu, merged, noise=settings.algorithm == "structn2v")
    return suggestions.settle(denoise_suggestions.with_manipulator(settings), images, suggested, merged)
