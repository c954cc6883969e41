"""Values chosen from the data, each with its reason: what all kinds of training ask for."""

from ..errors import UserError

_DEPTH = 16
_SMALLEST_PATCH = 16
_SMALLEST_DEPTH = 4
# Planes three times as far apart as pixels are learned equally well with and without pooling them: within 0.3 dB after
# two minutes (nuclei3d and spots3d, benchmarks/fmd.py), and n2v opens networks that pool them.
_FAR_APART = 4
_VOLUME = 8  # planes from which on looking at them together is worth its time


def dimensions(settings, images):
    """Whether to look at planes (2) or volumes (3), and why."""
    shallow = min(images, key=lambda image: image.size["Z"])
    if settings.dimensions != "auto":
        return int(settings.dimensions[0]), "you chose so"
    if shallow.size["Z"] >= _VOLUME:
        return 3, f"{shallow.path.name} has {shallow.size['Z']} planes in depth"
    return 2, "your images have little or no depth"


def patches(settings, images, usual, merged=None):
    """Dimensions and the size of patches.

    Parameters
    ----------
    settings : TrainingSettings
    images : list of ImageFile
    usual : dict
        Dimensions (2 or 3) -> the usual side of a patch, in pixels.
    merged : int, optional
        Planes that a pooling of the network merges, if that is settled; see :func:`pool_z`.

    Returns
    -------
    dict
        name -> (value, reason), for dimensions, patch_size and, in 3D, patch_depth.
    """
    dims, why_dims = dimensions(settings, images)
    step = patch_step(settings)
    smallest = min(images, key=lambda image: min(image.plane_shape[:2]))
    side = min(smallest.plane_shape[:2])
    patch = min(usual[dims], side) // step * step
    enough = side >= usual[dims]
    reason = "it shows enough surroundings" if enough else f"{smallest.path.name} is only {side} pixels wide"
    found = {"dimensions": (f"{dims}d", why_dims), "patch_size": (patch, reason)}
    if dims == 3:
        shallow = min(images, key=lambda image: image.size["Z"])
        step = _depth_step(settings, merged or pool_z(images))
        depth = min(max(_DEPTH, step), shallow.size["Z"]) // step * step
        found["patch_depth"] = (depth, f"{shallow.path.name} has {shallow.size['Z']} planes")
    return found


def minutes(images, gpu, dims):
    megapixels = sum(image.planes * image.size["Y"] * image.size["X"] for image in images) / 1e6
    if gpu:
        return (3.0 if megapixels < 50 else 6.0), "a GPU learns this in a few minutes"
    if dims == 3:
        return 10.0, "volumes take long without a GPU"
    if megapixels < 2:
        return 1.0, f"you have {megapixels:.1f} megapixels, which are soon learned"
    return (5.0 if megapixels < 50 else 10.0), "without a GPU training takes longer"


def pool_z(images):
    """How many planes a pooling merges: 2, or 1 where planes lie much farther apart than pixels."""
    return 1 if images[0].calibration.flatness > _FAR_APART else 2


def settle(settings, images, suggested, merged=None):
    """The settings with every open value taken from the suggestions, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    if not timed(settings):
        settings = settings.replace(minutes=0)
    idle = () if _measures_struct(settings) else ("struct_axis", "struct_length")
    open_values = {
        name: value
        for name, (value, _) in suggested.items()
        if getattr(settings, name) in (None, "auto") and name not in idle
    }
    require_room(settings, images, suggested, merged)
    return settings.replace(**open_values).check()


def _measures_struct(settings):
    """Whether how far noise is shared must be known, and was not said."""
    return getattr(settings, "algorithm", "") == "structn2v" and not settings.struct_mask


def timed(settings):
    """Whether a time says how long to train; left open, it does unless the user asked for epochs or steps."""
    if settings.minutes is not None:
        return settings.minutes > 0
    return all(getattr(settings, name) == getattr(type(settings), name) for name in ("epochs", "steps_per_epoch"))


def patch_shape(settings):
    """(Y, X) or (Z, Y, X) of a patch."""
    square = (settings.patch_size,) * 2
    return square if settings.dimensions == "2d" else (settings.patch_depth, *square)


def patch_step(settings):
    """What a patch size must be a multiple of: poolings of the network, and at least what the setting asks for."""
    return max(settings.knobs()["patch_size"].multiple, 2**settings.network_depth)


def _depth_step(settings, merged):
    """What a patch depth must be a multiple of."""
    return max(settings.knobs()["patch_depth"].multiple, merged**settings.network_depth)


def require_room(settings, images, suggested, merged=None):
    """Raise a UserError, with a size that works, when an image is too small for the patches."""
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
    if "patch_depth" in suggested:
        _require_depth(settings, images, suggested["patch_depth"][0], _depth_step(settings, merged or pool_z(images)))


def _require_depth(settings, images, works, step):
    shallow = min(images, key=lambda image: image.size["Z"])
    planes = shallow.size["Z"]
    if works < _SMALLEST_DEPTH:
        raise UserError(
            f"{shallow.path} is {shallow.describe()}: too few planes for 3D with network_depth "
            f"{settings.network_depth}, which needs {step}. Use dimensions 2d"
            + (", or give the axes, for example ZYX" if shallow.size["T"] > 1 else "")
        )
    depth = settings.patch_depth
    if depth and depth > planes:
        raise UserError(
            f"patch_depth is {depth}, but {shallow.path} has only {planes} planes: use patch_depth {works} or less"
        )
    if depth and depth % step:
        raise UserError(
            f"patch_depth is {depth}; with network_depth {settings.network_depth} it must be a multiple of {step}: "
            f"use patch_depth {works}"
        )
