"""Values of the segmentation's settings chosen from the data, each with its reason."""

from . import suggestions

_PATCH = {2: 128, 3: 48}


def suggest(settings, images, target, gpu, merged=None):
    """Values for the settings that were left open.

    Parameters
    ----------
    settings : SegmentSettings
    images : list of ImageFile
    target : Target
        What the masks show.
    gpu : bool
        Whether a GPU computes.
    merged : int, optional
        Planes that a pooling of the network merges, if that is settled.

    Returns
    -------
    dict
        name -> (value, reason), for what can be chosen from the data; whether or not the user chose otherwise.
    """
    found = suggestions.patches(settings, images, _PATCH, merged)
    dims = int(found["dimensions"][0][0])
    found["target"] = (target.kind, target.why)
    found["batch_size"] = (8, "it is the usual one") if dims == 2 else (2, "patches of volumes are large")
    if dims == 3 and not gpu:
        found["network_width"] = (12, "volumes take long without a GPU")
    else:
        found["network_width"] = (32, "it is the usual one") if gpu else (24, "there is no GPU")
    value, why = suggestions.minutes(images, gpu, dims)
    found["minutes"] = (value if gpu or value <= 1 else 10.0, why)
    return found


def settle(settings, images, target, gpu, merged=None):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    return suggestions.settle(settings, images, suggest(settings, images, target, gpu, merged), merged)
