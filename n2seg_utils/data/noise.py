"""How strong noise is, and how that of neighbouring pixels is related, measured from noisy images alone."""

from dataclasses import dataclass

import numpy as np

LAGS = 6
# White noise measures -0.04 to 0.15 here (real confocal and two-photon images), resampled widefield images 0.5.
CORRELATED = 0.25
_LITTLE = 0.1
_BLOCK = 16  # pixels; structure varies little within the flattest of such blocks
_TERMS = 6  # of the surface that is subtracted
_FLATTEST = 0.25  # share of the blocks that are looked at
_WINDOW = 512
_PLANES = 8


@dataclass(frozen=True)
class NoiseCorrelation:
    """Correlation of the noise of pixels at some distance from each other.

    Attributes
    ----------
    horizontal, vertical : tuple of float
        At distances of 1, 2, ... :data:`LAGS` pixels; 1 is the same noise, 0 independent noise.
    diagonal : float
        Of pixels that touch at a corner.
    level : float
        Standard deviation of the noise in flat parts of the images, as a share of the range between their 1st and
        99.8th percentile. Noise that grows with the signal is stronger elsewhere.
    """

    horizontal: tuple
    vertical: tuple
    diagonal: float
    level: float = np.nan

    @property
    def axis(self):
        """Where noise is shared: "horizontal", "vertical", "both" (a cross) or "square"; None if it is independent."""
        across, down = (line[0] > CORRELATED for line in (self.horizontal, self.vertical))
        if across and down:
            return "square" if self.diagonal > _LITTLE else "both"
        return "horizontal" if across else "vertical" if down else None

    @property
    def length(self):
        """How many pixels in a row share noise with the one in their middle: an odd number.

        One pixel more on either side than the correlation tells: what little noise is shared there can be learned too.
        """
        lines = {"horizontal": [self.horizontal], "vertical": [self.vertical]}.get(
            self.axis, [self.horizontal, self.vertical]
        )
        return 2 * (max(_reach(line) for line in lines) + 1) + 1


def measure_noise(images):
    """Measure a set of images.

    In each block of 16 x 16 pixels a curved surface is fitted and subtracted; the correlation is that of what is left
    in the flattest quarter of the blocks, where there is hardly any structure. Blocks where the camera shows its
    lowest value, so that part of the noise is cut off, are left out.

    Parameters
    ----------
    images : list of ImageFile

    Returns
    -------
    NoiseCorrelation or None
        None if there are too few pixels to tell.
    """
    step = max(1, len(images) // _PLANES)
    found = []
    for image in images[::step][:_PLANES]:
        plane = image.plane(image.planes // 2)
        top, left = (max(0, (size - _WINDOW) // 2) for size in plane.shape[:2])
        window = np.asarray(plane[top : top + _WINDOW, left : left + _WINDOW], "float64")
        for channel in range(window.shape[-1]):
            pixels = window[..., channel]
            flattest = _flattest(pixels)
            if flattest is not None:
                found.append((_level(pixels, flattest[1]), *_correlations(*flattest)))
    if not found:
        return None
    level, horizontal, vertical, diagonal = (np.median([m[i] for m in found], axis=0) for i in range(4))
    return NoiseCorrelation(tuple(horizontal.tolist()), tuple(vertical.tolist()), float(diagonal), float(level))


def correlations(plane):
    """Noise correlation of one plane (Y, X): along X and Y at distances 1 to :data:`LAGS`, and across a corner.

    Returns
    -------
    horizontal, vertical : ndarray
    diagonal : float
        Or None if there are too few blocks with noise in them.
    """
    flattest = _flattest(plane)
    return None if flattest is None else _correlations(*flattest)


def _correlations(left, power):
    """See :func:`correlations`."""

    def at(down, across):
        one = left[:, down:, across:]
        other = left[:, : _BLOCK - down, : _BLOCK - across]
        return float(np.median((one * other).mean(axis=(1, 2)) / power))

    distances = range(1, LAGS + 1)
    return np.array([at(0, d) for d in distances]), np.array([at(d, 0) for d in distances]), at(1, 1)


def _level(plane, power):
    """The standard deviation of a plane's noise, as a share of its range, from the power in its flattest blocks."""
    low, high = np.percentile(plane, (1, 99.8))
    variance = np.median(power) * _BLOCK**2 / (_BLOCK**2 - _TERMS)
    return float(np.sqrt(variance) / (high - low)) if high > low else 1.0


def _flattest(plane):
    """The blocks of a plane with least structure, without their trend (N, Y, X), and their power; or None."""
    rows, columns = (size // _BLOCK for size in plane.shape)
    if not np.isfinite(plane).all() or rows * columns == 0:
        return None
    blocks = plane[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    blocks = blocks.reshape(-1, _BLOCK, _BLOCK)
    left = _without_trend(blocks)
    power = np.square(left).mean(axis=(1, 2))
    usable = (power > 0) & ((blocks == plane.min()).mean(axis=(1, 2)) < 0.2)
    if usable.sum() < 4:
        return None
    left, power = left[usable], power[usable]
    chosen = np.argsort(power)[: max(4, int(_FLATTEST * len(power)))]
    return left[chosen], power[chosen]


def _without_trend(blocks):
    """Blocks without their best-fitting surface of second degree."""
    line = np.linspace(-1, 1, _BLOCK)
    y, x = (a.ravel() for a in np.meshgrid(line, line, indexing="ij"))
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1))
    flat = blocks.reshape(len(blocks), -1)
    return (flat - (flat @ basis) @ basis.T).reshape(blocks.shape)


def _reach(line):
    """Up to which distance there is correlation without a gap."""
    below = np.flatnonzero(np.array(line) < _LITTLE)
    return max(1, int(below[0]) if below.size else len(line))
