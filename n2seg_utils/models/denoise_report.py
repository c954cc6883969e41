"""How good is this denoiser? Scores where there is truth, pictures in any case, and the report."""

import numpy as np

from ..data import drive
from ..data.files import list_images, pair_by_name, stem
from ..data.images import open_image
from ..quality import plots, qc
from ..quality.report import write_report


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
    quality = denoiser.run.path / "quality"
    for number, (noisy, _) in enumerate(pairs):
        target = quality / "denoised" / f"{stem(noisy)}.tif"
        if not target.exists():
            denoiser.predict_file(open_image(noisy, settings.axes), target)
        if on_progress:
            on_progress((number + 1) / len(pairs) / 2, noisy.name)
    scores = qc.judge(
        quality / "denoised",
        truth,
        images,
        None if (quality / "metrics.csv").exists() else quality,
        settings.axes,
        on_progress and (lambda share, name: on_progress(0.5 + share / 2, name)),
    )
    denoiser.run.note(metrics={score: scores[score] for score in qc.SCORES})
    return scores


def example_figure(denoiser, number=0):
    """Noisy and denoised, and the truth if there is one, with scores: one image side by side."""
    settings = denoiser.settings
    files = list_images(drive.bring(settings.images))
    noisy = files[number % len(files)]
    image = open_image(noisy, settings.axes)
    middle = image.planes // 2
    plane = np.asarray(image.plane(middle), "float32")
    scale = denoiser.normalisation.for_image(image)
    planes = {"noisy": plane[..., 0], "denoised": denoiser.predict_pixels(plane, scale)[..., 0]}
    partner = pair_by_name([noisy], list_images(drive.bring(settings.truth)))[0] if settings.truth else []
    if not partner:
        return plots.side_by_side(planes)
    planes["truth"] = np.asarray(open_image(partner[0][1], settings.axes).plane(middle)[..., 0], "float32")
    scores = qc.score_lines(planes, partner[0][1])
    return plots.side_by_side(planes, scores, reference="truth")


def write_denoise_report(denoiser, scores=None):
    """Write ``report.html`` into the run folder.

    Returns
    -------
    Path
    """
    settings, facts = denoiser.settings, denoiser.run.facts()
    history = denoiser.run.history()
    figures = [("One of your images, and what the model makes of it.", example_figure(denoiser))]
    figures += [("The loss while training: it falls, then stays level. For Noise2Void it never reaches zero, because "
                 "noise cannot be predicted.", plots.loss_curve(history))]  # fmt: skip
    best = f"{facts.get('best_epoch')} of {facts.get('epochs_done')}"
    happened = {
        "started": facts.get("started"),
        "ended": f"{facts.get('ended')} ({facts.get('status')})",
        "training": f"{facts.get('training_seconds')} s on {facts.get('device')}, best epoch {best}",
        "images": f"{len(facts['images'])}, brightness scaled per {facts['normalisation']['kind']}",
        **facts["versions"],
    }
    notes = []
    if scores:
        notes.append("The truth was used to judge the result, never to train.")
    path = denoiser.run / "report.html"
    title = f"Noise2Void denoising: {denoiser.run.path.name}"
    return write_report(path, title, figures, scores, settings.to_dict(), happened, notes)
