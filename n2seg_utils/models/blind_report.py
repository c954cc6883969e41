"""What can be said of a denoising model without the truth: by what it removes, by estimate, and by its own doubt."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ..data import drive
from ..data.files import list_images
from ..data.images import central, open_image
from ..learning.prediction import ORIENTATIONS
from ..quality import plots
from ..quality.baselines import calibrate
from ..quality.estimated_error import Noise, estimated_error
from ..quality.filters_qc import spread_out
from ..quality.residual import FINE, SMALLEST, judge_blind
from ..words import rounded

_IMAGES = 3  # that are looked at
_SHOWN = {2: 512, 3: 128}  # pixels along the side of the piece of them
_WORSE = "worse than"
_CLEAR = 0.02  # smaller differences of estimated errors, as a share, are none


@dataclass(frozen=True)
class BlindReport:
    """What was found.

    Attributes
    ----------
    fine, doubtful : list of str
        Sentences.
    figures : list of (str, Figure)
        Caption and picture.
    """

    fine: list
    doubtful: list
    figures: list


def judge_blindly(model, images=None):
    """Look at what a model makes of some of its images, without any truth.

    Parameters
    ----------
    model : Denoiser or JointModel
    images : path, optional
        Default: those it was trained on.

    Returns
    -------
    BlindReport
    """
    files = list_images(drive.bring(images or model.settings.images))
    pieces = [_piece(model, files[number]) for number in spread_out(len(files), _IMAGES)]
    pieces = [piece for piece in pieces if min(piece.noisy.shape[:2]) >= SMALLEST]
    if not pieces:
        return BlindReport([], [], [])
    found = {}
    for piece in pieces:
        for remark in judge_blind(piece.noisy[..., 0], piece.denoised[..., 0]).findings:
            found.setdefault((remark.severity, remark.about), f"{piece.name}: {remark}")
    fine = [words for (severity, _), words in found.items() if severity == FINE]
    doubtful = [words for (severity, _), words in found.items() if severity != FINE]
    compared = _against_blur(model, pieces)
    if compared:
        words, worse = compared
        (doubtful if worse else fine).append(words)
    return BlindReport(fine, doubtful, [_doubt_figure(model, pieces[0])])


@dataclass(frozen=True)
class _Piece:
    """The middle of an image: (Y, X, C) before and after, and how it is scaled."""

    name: str
    noisy: np.ndarray
    denoised: np.ndarray
    scale: object
    pixels: np.ndarray  # what the network sees of it: (Y, X, C) or (Z, Y, X, C)


def _piece(model, file):
    image = open_image(file, model.settings.axes)
    side, middle = _SHOWN[model.architecture.dims], image.planes // 2
    window = tuple(central(size, side) for size in image.plane_shape[:2])
    pixels, inside = model.surroundings(image, middle, *window)
    scale = model.normalisation.for_image(image)
    pixels = np.asarray(pixels, "float32")
    return _Piece(image.path.name, pixels[inside], model.predict_pixels(pixels, scale)[inside], scale, pixels)


def _against_blur(model, pieces):
    """Whether the network is better than a Gaussian blur, by the estimated error: a sentence, and whether it is not.

    None where the network looks at volumes or several channels at once, whose noise is not known from one plane.
    """
    if model.architecture.dims == 3 or model.architecture.channels > 1:
        return None
    planes = [piece.noisy[..., 0].astype("float64") for piece in pieces]
    blur, errors = calibrate(planes, methods=("gaussian",))["gaussian"], {"network": [], "blur": []}
    for piece, plane in zip(pieces, planes):
        noise = Noise.of(plane)
        if not noise.variance:
            return None
        errors["blur"].append(estimated_error(plane, noise, blur))

        def network(values, scale=piece.scale):
            return model.predict_pixels(values[..., None].astype("float32"), scale)[..., 0]

        errors["network"].append(estimated_error(plane, noise, network))
    ours, theirs = (float(np.sqrt(max(0.0, np.mean(errors[name])))) for name in ("network", "blur"))
    same = abs(ours - theirs) <= _CLEAR * max(ours, theirs)
    word = "as good as" if same else "better than" if ours < theirs else _WORSE
    remedy = " Train longer, or on more images." if word == _WORSE else ""
    return (
        f"By estimate, without the truth, the network is {word} a Gaussian blur: an error of {rounded(ours)} grey "
        f"values against {rounded(theirs)} ({blur.setting}).{remedy}",
        not same and ours > theirs,
    )


def _doubt_figure(model, piece):
    """How much the answer depends on how the image lies: the spread over eight flips and turns."""
    answers = [back(model.predict_pixels(turn(piece.pixels), piece.scale)) for turn, back in ORIENTATIONS]
    spread = np.std(answers, axis=0)[..., 0]
    shown = np.mean(answers, axis=0)[..., 0]
    if shown.ndim == 3:
        shown, spread = shown[len(shown) // 2], spread[len(spread) // 2]
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = np.percentile(shown, (0.1, 99.9))
    left.imshow(plots.thumbnail(shown), cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
    drawn = right.imshow(plots.thumbnail(spread), cmap="viridis", vmin=0, vmax=float(np.percentile(spread, 99.8)) or 1)
    bar = figure.colorbar(drawn, ax=right, shrink=0.8)
    bar.set_label("standard deviation (grey values)", fontsize=8)
    for axis, title in ((left, "denoised"), (right, "how unsure the network is")):
        axis.set_title(title, fontsize=10)
        axis.set(xticks=[], yticks=[])
    words = "how much the result changes when the image is flipped and turned. Do not trust details where it is bright"
    return f"{piece.name}: {words}.", figure
