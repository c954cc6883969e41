"""A blur that networks of stock layers can do too: three running means, which together are nearly a Gaussian."""

import numpy as np
from scipy.ndimage import uniform_filter1d


def means(sigma):
    """Sizes, odd, of three running means one after the other that are most like a Gaussian of `sigma` pixels.

    References
    ----------
    Kovesi: Fast almost-Gaussian filtering. DICTA 2010.
    """
    if not sigma:
        return ()
    variance = 12 * sigma**2
    small = max(1, int(np.sqrt(variance / 3 + 1) - 1) // 2 * 2 + 1)
    few = round((variance - 3 * small**2 - 12 * small - 9) / (-4 * small - 4))
    few = min(3, max(0, few))
    return (small,) * few + (small + 2,) * (3 - few)


def smoothed(plane, sigma):
    """A plane (Y, X, C) so blurred, float32: at margins, means are of those pixels that there are."""
    plane = np.asarray(plane, "float32")
    for size in means(sigma):
        for axis in (0, 1):
            there = uniform_filter1d(np.ones(plane.shape[axis], "float32"), size, mode="constant")
            shape = [1] * plane.ndim
            shape[axis] = -1
            plane = uniform_filter1d(plane, size, axis=axis, mode="constant") / there.reshape(shape)
    return plane
