"""Values chosen from the data, each with its reason."""

from ..errors import UserError

_PATCH = 64
_SMALLEST_PATCH = 16


def suggest(settings, images, gpu):
    """Values for the settings that were left open.

    Parameters
    ----------
    settings : DenoiseSettings
    images : list of ImageFile
    gpu : bool
        Whether a GPU computes.

    Returns
    -------
    dict
        name -> (value, reason), for what can be chosen from the data; whether or not the user chose otherwise.
    """
    step = patch_step(settings)
    smallest = min(images, key=lambda image: min(image.plane_shape[:2]))
    side = min(smallest.plane_shape[:2])
    patch = min(_PATCH, side // step * step)
    reason = "it shows enough surroundings" if patch == _PATCH else f"{smallest.path.name} is only {side} pixels wide"
    megapixels = sum(image.planes * image.size["Y"] * image.size["X"] for image in images) / 1e6
    if gpu:
        minutes, why = (3.0 if megapixels < 50 else 6.0), "a GPU learns this in a few minutes"
    elif megapixels < 2:
        minutes, why = 1.0, f"you have {megapixels:.1f} megapixels, which are soon learned"
    else:
        minutes, why = (5.0 if megapixels < 50 else 10.0), "without a GPU training takes longer"
    return {"patch_size": (patch, reason), "minutes": (minutes, why)}


def _counted(settings):
    """Whether the user asked for a number of epochs or steps, which a training time would overrule."""
    return any(getattr(settings, name) != getattr(type(settings), name) for name in ("epochs", "steps_per_epoch"))


def patch_step(settings):
    """What a patch size must be a multiple of: poolings of the network, and at least what the setting asks for."""
    return max(settings.knobs()["patch_size"].multiple, 2**settings.network_depth)


def settle(settings, images, gpu):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    suggested = suggest(settings, images, gpu)
    if settings.minutes is None and _counted(settings):
        settings = settings.replace(minutes=0)
    open_values = {name: value for name, (value, _) in suggested.items() if getattr(settings, name) is None}
    smallest = min(images, key=lambda image: min(image.plane_shape[:2]))
    side = min(smallest.plane_shape[:2])
    works, needed = suggested["patch_size"][0], max(_SMALLEST_PATCH, patch_step(settings))
    if side < needed:
        raise UserError(
            f"{smallest.path} is only {smallest.size['X']} x {smallest.size['Y']} pixels; at least {needed} each way "
            f"are needed with network_depth {settings.network_depth}. Remove it, or use a larger image"
        )
    if settings.patch_size and settings.patch_size > side:
        raise UserError(
            f"patch_size is {settings.patch_size}, but {smallest.path} is only {side} pixels wide: "
            f"use patch_size {works} or less"
        )
    return settings.replace(**open_values).check()
