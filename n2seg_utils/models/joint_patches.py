"""How many patches joint training looks at in a step, and how large they are."""

import numpy as np

from .denoise_suggestions import PATCH

_NOISY_SIDE = PATCH[2]  # in volumes too: deep networks could not halve the usual side of these so often


def annotated_patches(settings):
    """Patches of annotated images in a batch; at least one, and one fewer than all at most."""
    return int(np.clip(round(settings.annotated_share * settings.batch_size), 1, settings.batch_size - 1))


def noisy_patches(settings):
    """The other patches in a batch, which teach to denoise.

    Returns
    -------
    count : int
    settings : JointSettings
        With the size of these patches. For a network of their own they are smaller and more, with as many pixels in
        all: noise is learned faster from more places at a time (benchmarks/README.md).
    """
    count, side = settings.batch_size - annotated_patches(settings), settings.patch_size
    # Noise that is shared along lines needs room, for what is hidden and for what it is guessed from.
    if settings.schedule != "in_turn" or settings.algorithm == "structn2v" or side <= _NOISY_SIDE:
        return count, settings
    return round(count * (side / _NOISY_SIDE) ** 2), settings.replace(patch_size=_NOISY_SIDE)
