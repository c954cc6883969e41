"""How close a restored image is to the truth: SSIM, NRMSE, PSNR and their relatives.

Where a data range is needed, it is the truth's largest minus its smallest value. Nothing is rescaled, except in the
scale-invariant PSNR.
"""

from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from ..errors import UserError

# Wang et al. (IEEE TIP 2004): Gaussian window of sigma 1.5 pixels, cut at 3.5 sigma (11 x 11 pixels).
SSIM_SETTINGS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
SSIM_WINDOW = 11


@dataclass(frozen=True)
class Score:
    """What is to be known of a score, to show it: its name, its unit, the decimals, and whether more is better."""

    label: str
    unit: str
    digits: int
    more_is_better: bool

    @property
    def head(self):
        """Name and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def text(self, value):
        """A value as one reads it; nothing for None."""
        return "" if value is None else f"{value:.{self.digits}f}"


SCORES = {
    "ssim": Score("SSIM", "", 3, True),
    "nrmse": Score("NRMSE", "", 4, False),
    "psnr": Score("PSNR", "dB", 2, True),
    "si_psnr": Score("scale-invariant PSNR", "dB", 2, True),
    "pearson": Score("Pearson correlation", "", 3, True),
    "rmse": Score("RMSE", "grey values", 3, False),
    "mae": Score("MAE", "grey values", 3, False),
    "snr": Score("SNR", "dB", 2, True),
    "psnr_peak": Score("PSNR, peak is the largest value", "dB", 2, True),
}


def data_range(truth):
    """Largest minus smallest value of the truth, as a float."""
    return float(np.max(truth)) - float(np.min(truth))


def ssim(truth, image, span):
    """Mean structural similarity of a plane (Y, X), Gaussian window of 1.5 pixels.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment. IEEE Trans Image Process 13(4), 2004.
    """
    return float(structural_similarity(truth, image, data_range=span, **SSIM_SETTINGS))


def ssim_map(truth, image, span):
    """Structural similarity around each pixel of a plane (Y, X), same shape."""
    return structural_similarity(truth, image, data_range=span, full=True, **SSIM_SETTINGS)[1]


def image_scores(truth, image, name="the truth"):
    """All scores of one image of any number of planes; see :meth:`Comparison.scores`."""
    return Comparison(truth, image, name).scores()


class Comparison:
    """An image and its truth, compared plane by plane and channel by channel.

    Parameters
    ----------
    truth, image : sequence of ndarray (Y, X, C)
        The planes of both, in the same order.
    name : str
        Of the truth, for messages.

    Attributes
    ----------
    range : float
        Largest minus smallest value of the truth, all planes and channels together.

    Raises
    ------
    UserError
        If the truth has one value only, or a plane is smaller than the window of SSIM.
    """

    def __init__(self, truth, image, name="the truth"):
        self.range = max(float(np.max(t)) for t in truth) - min(float(np.min(t)) for t in truth)
        if self.range == 0:
            raise UserError(
                f"{name} has the same value everywhere, so nothing can be compared with it. Remove the file"
            )
        if min(truth[0].shape[:2]) < SSIM_WINDOW:
            raise UserError(f"{name} is smaller than {SSIM_WINDOW} pixels, too small for SSIM. Remove the file")
        self.planes = [
            [_measured(t[..., c], i[..., c], self.range) for c in range(t.shape[-1])] for t, i in zip(truth, image)
        ]

    def scores(self):
        """The scores of the whole image.

        Returns
        -------
        dict
            ssim
                Mean over planes and channels.
            nrmse, psnr
                Root of the mean squared error over the range; -20 times its decadic logarithm, in decibels.
            si_psnr
                The PSNR after the line has been fitted that makes the image most like the truth.
            pearson
                Correlation of the grey values.
            rmse, mae
                Root of the mean squared, and mean absolute error, in grey values.
            snr, psnr_peak
                Sum of squares of the truth over that of the errors, and squared largest value of the truth over the
                mean squared error, in decibels.
            range
                See :attr:`range`.

            Infinite where there is no error; None where there is no such number.

        References
        ----------
        rmse, mae, snr and psnr_peak are those of the ImageJ plugin SNR (Daniel Sage and Michael Unser, EPFL). si_psnr:
        Weigert et al.: Content-aware image restoration. Nature Methods 15, 2018.
        """
        return _scores([part for plane in self.planes for part in plane], self.range) | {"range": self.range}

    def rows(self):
        """The scores of each plane and channel, which are counted from 1, with the range of the whole image.

        Returns
        -------
        list of dict
        """
        return [
            {"plane": p + 1, "channel": c + 1, **_scores([part], self.range)}
            for p, plane in enumerate(self.planes)
            for c, part in enumerate(plane)
        ]


def _measured(truth, image, span):
    """What the scores are made of: sums over the pixels of a plane (Y, X), and its SSIM."""
    t, i = np.asarray(truth, "float64"), np.asarray(image, "float64")
    mean, other, error = t.mean(), i.mean(), t - i
    dt, di = t - mean, i - other
    return {
        "count": t.size,
        "mean": mean,
        "mean_image": other,
        "spread": np.vdot(dt, dt),
        "spread_image": np.vdot(di, di),
        "together": np.vdot(dt, di),
        "squared_error": np.vdot(error, error),
        "absolute_error": np.abs(error).sum(),
        "squared": np.vdot(t, t),
        "peak": t.max(),
        "ssim": ssim(t, i, span),
    }


def _scores(parts, span):
    n, mean, other, spread, other_spread, together, squared_error, absolute_error, squared, peak, similar = (
        np.array([part[name] for part in parts]) for name in parts[0]
    )
    count = n.sum()
    # Sums around the means of the parts become sums around the mean of all (Chan, Golub, LeVeque 1983).
    off, off_image = mean - np.vdot(n, mean) / count, other - np.vdot(n, other) / count
    spread = spread.sum() + np.vdot(n, off * off)
    other_spread = other_spread.sum() + np.vdot(n, off_image * off_image)
    together = together.sum() + np.vdot(n, off * off_image)
    pearson = float(together / np.sqrt(spread * other_spread)) if spread > 0 and other_spread > 0 else None
    mse = float(squared_error.sum() / count)
    unexplained = float(spread / count * (1 - (pearson or 0.0) ** 2))
    return {
        "ssim": float(similar.mean()),
        "nrmse": float(np.sqrt(mse) / span),
        "psnr": _decibels(span**2, mse),
        "si_psnr": _decibels(span**2, max(unexplained, 0.0)) if spread > 0 else None,
        "pearson": pearson,
        "rmse": float(np.sqrt(mse)),
        "mae": float(absolute_error.sum() / count),
        "snr": _decibels(float(squared.sum()), float(squared_error.sum())),
        "psnr_peak": _decibels(float(peak.max()) ** 2, mse) if peak.max() > 0 else None,
    }


def _decibels(power, noise):
    """10 times the decadic logarithm of a ratio of powers; infinite without noise, None without power."""
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(power / noise)) if power > 0 else None
