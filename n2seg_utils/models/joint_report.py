"""How good is a joint model? Scores of labels and, with truth, of denoised images; pictures and the report."""

import numpy as np

from ..data import drive
from ..data.files import list_images, pair_by_name
from ..data.images import central, open_image
from ..progress import halves
from ..quality import plots, qc
from ..quality.filters_qc import sentences
from ..quality.report import write_report
from .blind_report import judge_blindly
from .denoise_report import compared_figure
from .joint import DENOISED
from .methods import documented
from .segment_report import judge_segmenter, report_parts, validation_images
from .trained import result_name

_SHOWN = {2: 512, 3: 256}  # pixels along the side of a figure


def judge_joint(model, on_progress=None):
    """Score the labels of the validation images and, if there are clean images, all that is denoised.

    Parameters
    ----------
    model : JointModel
    on_progress : callable, optional
        ``on_progress(share, name)``.

    Returns
    -------
    labels : dict
        What :func:`~n2seg_utils.quality.label_qc.judge_labels` returns.
    denoised : dict or None
        What :func:`~n2seg_utils.quality.qc.judge` returns; None without truth.
    """
    sooner, later = halves(on_progress) if model.settings.truth else (on_progress, None)
    labels = judge_segmenter(model, sooner)
    if not model.settings.truth:
        return labels, None
    denoised = _judge_denoised(model, later)
    metrics = model.run.facts()["metrics"] | {score: denoised[score] for score in qc.SCORES}
    model.run.note(metrics=metrics)
    return labels, denoised


def _judge_denoised(model, on_progress):
    images, truth = drive.bring(model.settings.images), drive.bring(model.settings.truth)
    pairs, _ = pair_by_name(list_images(images), list_images(truth))
    model.run.require_no_links()
    quality = model.run.path / "quality"
    for number, (noisy, _) in enumerate(pairs):
        target = quality / DENOISED / result_name(noisy)
        if not target.exists():
            model.denoise_file(model.open(noisy), target)
        if on_progress:
            on_progress((number + 1) / len(pairs), noisy.name)
    out = quality / "denoising"
    there = (out / "metrics.csv").exists()
    return qc.judge(quality / DENOISED, truth, images, None if there else out, model.settings.axes, filters=True)


def denoised_figure(model, number=0):
    """Noisy and denoised, and the truth if there is one: the middle of a validation image.

    Returns
    -------
    words : str
    figure : matplotlib.figure.Figure
    """
    images = validation_images(model)
    image, shown = images[number % len(images)], _SHOWN[model.architecture.dims]
    middle, window = image.planes // 2, tuple(central(size, shown) for size in image.plane_shape[:2])
    planes = dict(zip((DENOISED,), model.predict_crop_both(image, middle, *window)[1:]))
    planes = {"noisy": np.asarray(image.plane(middle)[window], "float32"), **planes}
    truth = drive.bring(model.settings.truth) if model.settings.truth else ""
    partner = pair_by_name([image.path], list_images(truth))[0] if truth else []
    if partner:
        clean = open_image(partner[0][1], model.settings.axes)
        planes["truth"] = np.asarray(clean.plane(middle)[window], "float32")
    planes = {title: pixels[..., 0] for title, pixels in planes.items()}
    scores = qc.score_lines(planes, partner[0][1]) if partner else None
    words = image.path.name + (f", plane {middle + 1} of {image.planes}" if image.planes > 1 else "")
    return words, plots.side_by_side(planes, scores, reference="truth" if partner else None)


def write_joint_report(model, scores=None, blind=None):
    """Write ``report.html`` and ``report.pdf`` into the run folder.

    Parameters
    ----------
    model : JointModel
    scores : (dict, dict or None), optional
        What :func:`judge_joint` returned.
    blind : BlindReport, optional
        What :func:`~n2seg_utils.models.blind_report.judge_blindly` returned; else it is asked.

    Returns
    -------
    Path
    """
    figures, happened, notes = report_parts(model)
    words, figure = denoised_figure(model)
    blind = blind or judge_blindly(model)
    figures = [(f"{words}: what the model makes of it.", figure), *figures, *blind.figures]
    labels, denoised = scores or (None, None)
    if denoised:
        notes += ["Clean images were used to judge the result, never to train.", *sentences(denoised["filters"])]
        figures.append(compared_figure(denoised))
    said = documented(model, denoised)
    said["warnings"] = [*said["warnings"], *blind.doubtful]
    return write_report(
        model.run / "report.html",
        f"Denoising and segmentation: {model.run.path.name}",
        figures,
        [found for found in (labels, denoised) if found],
        model.settings.to_dict(),
        happened,
        [*notes, *blind.fine],
        **said,
    )
