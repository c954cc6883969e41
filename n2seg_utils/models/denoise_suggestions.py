"""Values of Noise2Void's settings chosen from the data, each with its reason."""

from ..data.noise import measure_noise
from . import suggestions
from .hiding import longest_struct, struct_mask

PATCH = {2: 64, 3: 48}  # a patch of 64 pixels in 3D would hold half a hundred times as many as in 2D
_STRUCT = ("struct_axis", "struct_length")
_MASKED = 8.0  # percent: flat between 5 and 12 on nuclei, confocal and two-photon images (benchmarks/knob.py)
_COVERED = 30.0  # percent that structN2V replaces in all, so that enough is left to guess from


def suggest(settings, images, gpu, merged=None, noise=True):
    """Values for the settings that were left open.

    Parameters
    ----------
    settings : DenoiseSettings
    images : list of ImageFile
    gpu : bool
        Whether a GPU computes.
    merged : int, optional
        Planes that a pooling of the network merges, if that is settled.
    noise : bool
        Measure how noise is shared, which reads pixels, and say what follows from it.

    Returns
    -------
    dict
        name -> (value, reason), for what can be chosen from the data; whether or not the user chose otherwise.
    """
    found = suggestions.patches(settings, images, PATCH, merged)
    dims = int(found["dimensions"][0][0])
    found["batch_size"] = _batch(settings, dims, gpu)
    # In 3D without a GPU, 2 minutes bring 38.6 dB at width 16 and 37.8 at 32 (nuclei3d; benchmarks/fmd.py).
    narrow = dims == 3 and not gpu
    found["network_width"] = (16, "volumes take long without a GPU") if narrow else (32, "it is the usual one")
    found["minutes"] = suggestions.minutes(images, gpu, dims)
    return found | hiding(settings, images, settings.patch_size or found["patch_size"][0], noise)


def _batch(settings, dims, gpu):
    if dims == 3:
        return 4, "patches of volumes are large"
    if gpu or not suggestions.timed(settings):
        return 16, "it is the usual one"
    # DSB2018, noise 20: 14 s bring 35.1 dB, with 16 patches 34.1; 60 s 36.2 and 35.8 (benchmarks/RESULTS.md).
    # The form does not look again when time, epochs or steps are entered, so that the reason says what then holds.
    return 4, "without a GPU many small steps teach more in a given time (16 if you train by epochs instead)"


def hiding(settings, images, patch, noise):
    """Values for what is hidden of patches with sides of so many pixels; see :func:`suggest`."""
    found = _against_shared_noise(images, patch) if noise else {}
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


def settle(settings, images, gpu, merged=None):
    """The settings with every open value chosen, checked against the images.

    Raises
    ------
    UserError
        When an image is too small for the patches, naming it and a size that works.
    """
    suggested = suggest(settings, images, gpu, merged, noise=settings.algorithm == "structn2v")
    return suggestions.settle(with_manipulator(settings), images, suggested, merged)


def with_manipulator(settings):
    """The settings with what replaces hidden pixels chosen by the algorithm."""
    if settings.manipulator != "auto":
        return settings
    return settings.replace(manipulator="median" if settings.algorithm == "n2v2" else "uniform_withoutCP")
