"""Values chosen from the data, each with its reason."""

from ..data.noise import measure_noise
from ..errors import UserError
from .hiding import longest_struct, struct_mask

_PATCH = 64
_PATCH_DEEP = 48  # in 3D, where a patch of 64 pixels would hold half a hundred times as many
_DEPTH = 16
_SMALLEST_PATCH = 16
_SMALLEST_DEPTH = 4
_STRUCT = ("struct_axis", "struct_length")
# Planes three times as far apart as pixels are learned equally well with and without pooling them: within 0.3 dB after
# two minutes (nuclei3d and spots3d, benchmarks/fmd.py), and n2v opens networks that pool them.
_FAR_APART = 4
_VOLUME = 8  # planes from which on looking at them together is worth its time
_MASKED = 8.0  # percent: flat between 5 and 12 on nuclei, confocal and two-photon images (benchmarks/knob.py)
_COVERED = 30.0  # percent that structN2V replaces in all, so that enough is left to guess from


def dimensions(settings, images):
    """Whether to look at planes (2) or volumes (3), and why."""
    shallow = min(images, key=lambda image: image.size["Z"])
    if settings.dimensions != "auto":
        return int(settings.dimensions[0]), "you chose so"
    if shallow.size["Z"] >= _VOLUME:
        return 3, f"{shallow.path.name} has {shallow.size['Z']} planes in depth"
    return 2, "your images have little or no depth"


def suggest(settings, images, gpu, merged=None, noise=True):
    """Values for the settings that were left open.

    Parameters
    ----------
    settings : DenoiseSettings
    images : list of ImageFile
    gpu : bool
        Whether a GPU computes.
    merged : int, optional
        Planes that a pooling of the network merges, if that is settled; see :func:`pool_z`.
    noise : bool
        Measure how noise is shared, which reads pixels, and say what follows from it.

    Returns
    -------
    dict
        name -> (value, reason), for what can be chosen from the data; whether or not the user chose otherwise.
    """
    dims, why_dims = dimensions(settings, images)
    step, usual = patch_step(settings), _PATCH if dims == 2 else _PATCH_DEEP
    smallest = min(images, key=lambda image: min(image.plane_shape[:2]))
    side = min(smallest.plane_shape[:2])
    patch = min(usual, side) // step * step
    reason = "it shows enough surroundings" if side >= usual else f"{smallest.path.name} is only {side} pixels wide"
    found = {"dimensions": (f"{dims}d", why_dims), "patch_size": (patch, reason)}
    if dims == 3:
        shallow = min(images, key=lambda image: image.size["Z"])
        step = _depth_step(settings, merged or pool_z(images))
        depth = min(max(_DEPTH, step), shallow.size["Z"]) // step * step
        found["patch_depth"] = (depth, f"{shallow.path.name} has {shallow.size['Z']} planes")
    found["batch_size"] = (16, "it is the usual one") if dims == 2 else (4, "patches of volumes are large")
    # In 3D without a GPU, 2 minutes bring 38.6 dB at width 16 and 37.8 at 32 (nuclei3d; benchmarks/fmd.py).
    narrow = dims == 3 and not gpu
    found["network_width"] = (16, "volumes take long without a GPU") if narrow else (32, "it is the usual one")
    found["minutes"] = _minutes(images, gpu, dims)
    if noise:
        found |= _against_shared_noise(images, settings.patch_size or patch)
    return found | {"masked_percent": _masked(settings, found)}


def _masked(settings, found):
    if settings.algorithm != "structn2v":
        return _MASKED, "more hides too much, less learns more slowly"
    mask = struct_mask(settings.replace(**{n: found[n][0] for n in _STRUCT if getattr(settings, n) in (None, "auto")}))
    percent = min(_MASKED / 2, max(0.2, round(_COVERED / mask.sum(), 1)))
    return percent, f"each hides {int(mask.sum())} pixels that share noise"


def _against_shared_noise(images, patch):
    noise = measure_noise(images)
    if noise is None or noise.axis is None:
        why = "no shared noise was found, so this is a guess"
        independent = "neighbouring pixels have independent noise"
        return {"algorithm": ("n2v", independent), "struct_axis": ("both", why), "struct_length": (3, why)}
    why = f"the noise of neighbouring pixels is alike ({noise.horizontal[0]:.1f} across, {noise.vertical[0]:.1f} down)"
    return {
        "algorithm": ("structn2v", why),
        "struct_axis": (noise.axis, why),
        "struct_length": (min(noise.length, max(3, longest_struct(patch))), why),
    }


def _minutes(images, gpu, dims):
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


def _counted(settings):
    """Whether the user asked for a number of epochs or steps, which a training time would overrule."""
    return any(getattr(settings, name) != getattr(type(settings), name) for name in ("epochs", "steps_per_epoch"))


def patch_step(settings):
    """What a patch size must be a multiple of: poolings of the network, and at least what the setting asks for."""
    return max(settings.knobs()["patch_size"].multiple, 2**settings.network_depth)


def _depth_step(settings, merged):
    """What a patch depth must be a multiple of."""
    return max(settings.knobs()["patch_depth"].multiple, merged**settings.network_depth)


def settle(settings, images, gpu, merged=None):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    suggested = suggest(settings, images, gpu, merged, noise=settings.algorithm == "structn2v")
    if settings.minutes is None and _counted(settings):
        settings = settings.replace(minutes=0)
    idle = () if settings.algorithm == "structn2v" and not settings.struct_mask else _STRUCT
    open_values = {
        name: value
        for name, (value, _) in suggested.items()
        if getattr(settings, name) in (None, "auto") and name not in idle
    }
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
    if settings.manipulator == "auto":
        open_values["manipulator"] = "median" if settings.algorithm == "n2v2" else "uniform_withoutCP"
    return settings.replace(**open_values).check()


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
