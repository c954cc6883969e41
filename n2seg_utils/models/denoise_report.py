"""How good is this denoiser? Scores where there is truth, pictures in any case, and the report."""

import numpy as np

from ..data import drive
from ..data.files import list_images, pair_by_name
from ..data.images import central, open_image
from ..progress import halves
from ..quality import plots, qc
from ..quality.filters_qc import sentences
from ..quality.report import write_report
from ..quality.restoration_plots import compared
from .blind_report import judge_blindly
from .methods import documented
from .trained import result_name

_NAMES = {"n2v": "Noise2Void", "n2v2": "N2V2", "structn2v": "structN2V"}
_SHOWN = {2: 1024, 3: 320}  # pixels along the side of a figure; in 3D many planes are looked at for the one shown


def judge_denoiser(denoiser, on_progress=None):
    """Denoise the images that have a clean partner and score them, into the run's ``quality`` folder.

    Parameters
    ----------
    denoiser : Denoiser
        Its settings name the noisy images and the truth.
    on_progress : callable, optional
        ``on_progress(share, name)``.

    Returns
    -------
    dict or None
        What :func:`~n2seg_utils.quality.qc.judge` returns; None without truth.
    """
    settings = denoiser.settings
    if not settings.truth:
        return None
    images, truth = drive.bring(settings.images), drive.bring(settings.truth)
    pairs, _ = pair_by_name(list_images(images), list_images(truth))
    denoiser.run.require_no_links()
    quality = denoiser.run.path / "quality"
    sooner, later = halves(on_progress)
    for number, (noisy, _) in enumerate(pairs):
        target = quality / "denoised" / result_name(noisy)
        if not target.exists():
            denoiser.predict_file(open_image(noisy, settings.axes), target)
        if sooner:
            sooner((number + 1) / len(pairs), noisy.name)
    scores = qc.judge(
        quality / "denoised",
        truth,
        images,
        None if (quality / "metrics.csv").exists() else quality,
        settings.axes,
        later,
        filters=True,
    )
    denoiser.run.note(metrics={score: scores[score] for score in qc.SCORES})
    return scores


def example_figures(denoiser, number=0):
    """Noisy and denoised, and the truth if there is one, with scores: the middle of one image, a figure a channel.

    Returns
    -------
    dict
        What is shown, in words -> Figure.
    """
    settings = denoiser.settings
    files = list_images(drive.bring(settings.images))
    noisy = files[number % len(files)]
    image, shown = open_image(noisy, settings.axes), _SHOWN[denoiser.architecture.dims]
    middle, window = image.planes // 2, [central(size, shown) for size in image.plane_shape[:2]]
    planes = dict(zip(("noisy", "denoised"), denoiser.predict_crop(image, middle, *window)))
    partner = pair_by_name([noisy], list_images(drive.bring(settings.truth)))[0] if settings.truth else []
    if partner:
        truth = open_image(partner[0][1], settings.axes)
        planes["truth"] = np.asarray(truth.plane(middle)[tuple(window)], "float32")
    figures = {}
    for channel, name in enumerate(image.channel_names):
        words = noisy.name + (f", {name}" if image.size["C"] > 1 else "")
        words += f", plane {middle + 1} of {image.planes}" if image.planes > 1 else ""
        of_channel = {title: pixels[..., channel] for title, pixels in planes.items()}
        scores = qc.score_lines(of_channel, partner[0][1]) if partner else None
        figures[words] = plots.side_by_side(of_channel, scores, reference="truth" if partner else None)
    return figures


def compared_figure(scores):
    """The caption and the figure of the comparison with simple filters."""
    return "Raw images, the network, and simple filters: one point for each image.", compared(scores["filters"])


def write_denoise_report(denoiser, scores=None, blind=None):
    """Write ``report.html`` and ``report.pdf`` into the run folder.

    Parameters
    ----------
    denoiser : Denoiser
    scores : dict, optional
        What :func:`judge_denoiser` returned.
    blind : BlindReport, optional
        What :func:`~n2seg_utils.models.blind_report.judge_blindly` returned; else it is asked.

    Returns
    -------
    Path
    """
    settings, facts, blind = denoiser.settings, denoiser.run.facts(), blind or judge_blindly(denoiser)
    history = denoiser.run.history()
    figures = [(f"{words}: what the model makes of it.", figure) for words, figure in example_figures(denoiser).items()]
    figures += blind.figures
    figures += [("The loss while training: it falls, then stays level. For Noise2Void it never reaches zero, because "
                 "noise cannot be predicted.", plots.loss_curve(history))]  # fmt: skip
    happened = {
        **denoiser.run.course(),
        "images": f"{len(facts['images'])}, brightness scaled per {facts['normalisation']['kind']}",
        **facts["versions"],
    }
    notes = []
    if scores:
        notes += ["The truth was used to judge the result, never to train.", *sentences(scores["filters"])]
        figures.append(compared_figure(scores))
    said = documented(denoiser, scores)
    path = denoiser.run / "report.html"
    title = f"{_NAMES[settings.algorithm]} denoising: {denoiser.run.path.name}"
    said["warnings"] = [*said["warnings"], *blind.doubtful]
    return write_report(path, title, figures, scores, settings.to_dict(), happened, [*notes, *blind.fine], **said)
