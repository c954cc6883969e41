"""How close a restored image is to the truth: SSIM, NRMSE and PSNR, computed by scikit-image.

In all three the data range is the truth's largest minus its smallest value. Nothing is rescaled.
"""

import numpy as np
from skimage.metrics import mean_squared_error, structural_similarity

from ..errors import UserError

# Wang et al. (IEEE TIP 2004): Gaussian window of sigma 1.5 pixels, cut at 3.5 sigma (11 x 11 pixels).
SSIM_SETTINGS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
SSIM_WINDOW = 11


def data_range(truth):
    """Largest minus smallest value of the truth, as a float."""
    return float(np.max(truth)) - float(np.min(truth))


def nrmse(truth, image, span):
    """Root of the mean squared error, divided by `span`."""
    return float(np.sqrt(mean_squared_error(truth, image)) / span)


def psnr(truth, image, span):
    """Peak signal-to-noise ratio in decibels: 20 log10(span / RMSE); infinite for equal images."""
    error = nrmse(truth, image, span)
    return float("inf") if error == 0 else float(-20 * np.log10(error))


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
    """All scores of one image of any number of planes.

    Parameters
    ----------
    truth, image : sequence of ndarray (Y, X, C)
        The planes of both, in the same order.
    name : str
        Of the truth, for messages.

    Returns
    -------
    dict
        ssim (mean over planes and channels), nrmse and psnr (over all pixels), range.

    Raises
    ------
    UserError
        If the truth has one value only, or a plane is smaller than the window of SSIM.
    """
    low = min(float(np.min(t)) for t in truth)
    span = max(float(np.max(t)) for t in truth) - low
    if span == 0:
        raise UserError(f"{name} has the same value everywhere, so nothing can be compared with it. Remove the file")
    if min(truth[0].shape[:2]) < SSIM_WINDOW:
        raise UserError(f"{name} is smaller than {SSIM_WINDOW} pixels, too small for SSIM. Remove the file")
    similar, squared = [], []
    for t, i in zip(truth, image):
        t, i = np.asarray(t, "float64"), np.asarray(i, "float64")
        squared.append(mean_squared_error(t, i))
        similar += [ssim(t[..., c], i[..., c], span) for c in range(t.shape[-1])]
    error = float(np.sqrt(np.mean(squared)) / span)
    return {
        "ssim": float(np.mean(similar)),
        "nrmse": error,
        "psnr": float("inf") if error == 0 else float(-20 * np.log10(error)),
        "range": span,
    }
