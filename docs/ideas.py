"""Draw what the notebooks are about, each idea in one picture, of the built-in sample; see good_and_bad.py."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import gaussian_filter

from n2seg_utils.learning.blindspot import BlindSpots
from n2seg_utils.learning.seeds import StepSeed
from n2seg_utils.quality import overlays, plots
from n2seg_utils.quality.image_scores import image_scores
from n2seg_utils.quality.label_scores import match
from n2seg_utils.quality.painting import painted

_INK, _BLUE, _ORANGE, _PALE = "#222222", "#0072b2", "#d55e00", "#e8eef4"
_ARROW = {"arrowstyle": "-|>", "color": _INK, "linewidth": 1.5}


def noise2void(noisy, denoised, percent):
    """Pixels are hidden, and guessed from those around them.

    Parameters
    ----------
    noisy, denoised : ndarray (Y, X)
        A piece of some 24 x 24 pixels, so that single ones are seen.
    percent : float
        Share of pixels that are hidden.

    Returns
    -------
    matplotlib.figure.Figure
    """
    hide = BlindSpots(noisy.shape, percent, (2, 2))
    masked, hidden = (np.asarray(a)[0, ..., 0] for a in hide(noisy[None, ..., None], StepSeed(1, 1)))
    figure = plots.side_by_side(
        {"noisy pixels": noisy, "some are hidden": masked, "guessed from around them": denoised}, size=2.4
    )
    for axis in figure.axes[1:]:
        for y, x in np.argwhere(hidden):
            axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="#e69f00", linewidth=1.2))
    return figure


def unet(image, labels):
    """The image is looked at in several sizes: small, to see what is there; large, to see where it ends.

    Parameters
    ----------
    image, labels : ndarray (Y, X)

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.4, 2.7), layout="constrained")
    axis = figure.subplots()
    _picture(axis, image, (0, 0))
    _picture(axis, painted(image, labels), (11.2, 0))
    heights = (2.0, 1.4, 0.9)
    for level, height in enumerate(heights):
        for x in (2.8 + 1.1 * level, 9.0 - 1.1 * level):
            axis.add_patch(Rectangle((x, 1 - height / 2 - 0.75 * level), 0.6, height, facecolor=_PALE, edgecolor=_BLUE))
        if level:
            for x, turn in ((2.8 + 1.1 * level, 1), (9.6 - 1.1 * level, -1)):
                ends = ((x - 0.5 * turn, 1 - 0.75 * (level - 1)), (x, 1 - 0.75 * level))
                _arrow(axis, *ends[::turn])
    bottom = 1 - 0.75 * (len(heights) - 1)
    _arrow(axis, (5.6, bottom), (6.8, bottom))
    for level in range(2):
        y = 1 + 0.62 * heights[level] / 2 - 0.75 * level
        _arrow(axis, (3.4 + 1.1 * level, y), (9.0 - 1.1 * level, y), _ORANGE)
    _arrow(axis, (2.1, 1), (2.8, 1))
    _arrow(axis, (9.6, 1), (11.1, 1))
    axis.text(6.2, 2.05, "handed across at full size: where does it end?", color=_ORANGE, ha="center", va="bottom")
    axis.text(6.2, -1.25, "made smaller and smaller: what is it?", color=_BLUE, ha="center", va="top")
    return _bare(figure, axis, (-0.1, 13.3), (-1.75, 2.5))


def joint(noisy, denoised, labels):
    """All images teach to denoise; those with masks teach to segment what the first network makes of them.

    Parameters
    ----------
    noisy, denoised, labels : ndarray (Y, X)

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8.4, 1.9), layout="constrained")
    axis = figure.subplots()
    panels = {"noisy": noisy, "denoised": denoised, "segmented": painted(denoised, labels)}
    for number, (words, plane) in enumerate(panels.items()):
        _picture(axis, plane, (5.4 * number, 0))
        axis.text(5.4 * number + 1, 2.1, words, ha="center", va="bottom")
    teachers = {"Noise2Void": "all images,\nwithout masks", "U-Net": "the few images\nthat you annotated"}
    for number, (who, what) in enumerate(teachers.items()):
        x = 5.4 * number + 2.2
        _arrow(axis, (x, 1), (x + 3, 1))
        axis.text(x + 1.5, 1.15, who, ha="center", va="bottom", color=_BLUE, weight="bold")
        axis.text(x + 1.5, 0.85, f"learns from {what}", ha="center", va="top", fontsize=8.5)
    return _bare(figure, axis, (-0.1, 12.9), (-0.1, 2.6))


def ssim(clean):
    """Two images with the same PSNR, of which one has the structures of the truth and the other has not.

    Parameters
    ----------
    clean : ndarray (Y, X)

    Returns
    -------
    matplotlib.figure.Figure
    """
    clean = clean.astype("float64")
    blurred = gaussian_filter(clean, 3)
    noise = np.random.default_rng(1).normal(size=clean.shape)
    noisy = clean + noise * np.sqrt(np.mean((blurred - clean) ** 2) / np.mean(noise**2))
    shown, scores = {"truth": clean, "too blurred": blurred, "too noisy": noisy}, {}
    for words, image in list(shown.items())[1:]:
        found = image_scores(clean[None, ..., None], image[None, ..., None])
        scores[words] = f"PSNR {found['psnr']:.1f} dB, SSIM {found['ssim']:.2f}"
    return plots.side_by_side(shown, scores, size=2.4)


def average_precision(image, truth, found):
    """What was found, missed and invented, and the score that follows.

    Parameters
    ----------
    image, truth, found : ndarray (Y, X)

    Returns
    -------
    matplotlib.figure.Figure
    """
    scores = match(truth, found)
    figure = overlays.mistakes(image, truth, found, size=4)
    figure.axes[0].set_title(f"{scores.tp} / ({scores.tp} + {scores.fn} + {scores.fp}) = {scores.ap:.2f}")
    return figure


def _picture(axis, plane, corner, side=2):
    low, high = np.percentile(plane, (0.1, 99.9)) if plane.ndim == 2 else (0, 1)
    x, y = corner
    axis.imshow(plane, cmap="gray", vmin=low, vmax=high, extent=(x, x + side, y, y + side), interpolation="nearest")


def _arrow(axis, begin, end, colour=_INK):
    axis.annotate("", end, begin, arrowprops=_ARROW | {"color": colour})


def _bare(figure, axis, x, y):
    axis.set(xlim=x, ylim=y, aspect="equal")
    axis.axis("off")
    return figure
