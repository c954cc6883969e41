"""Whole workflows without a person: from settings to a trained model and its report."""

from pathlib import Path

from .data import drive
from .data.check import WARNING, check_images
from .data.files import require_absent
from .data.labels import bring_masks
from .errors import UserError
from .models.run_folder import RunFolder
from .ui.progress import TextWatcher, bar
from .words import counted


def denoise(settings):
    """Train Noise2Void, judge it, write the report.

    Returns
    -------
    denoiser : Denoiser
    scores : dict or None
    report : Path
    """
    from .models.denoise_report import judge_denoiser, write_denoise_report
    from .models.denoise_training import train_denoiser

    _warn(check_images(drive.bring(settings.images), settings.truth, settings.axes))
    denoiser = train_denoiser(settings, TextWatcher())
    scores = judge_denoiser(denoiser)
    return denoiser, scores, write_denoise_report(denoiser, scores)


def segment(settings):
    """Train a U-Net, tune it, judge it on the validation images, write the report.

    Returns
    -------
    segmenter : Segmenter
    scores : dict
    report : Path
    """
    from .models.segment_report import about_start, judge_segmenter, write_segment_report
    from .models.segment_training import train_segmenter

    images, masks = drive.bring(settings.images), bring_masks(settings.masks)
    found = check_images(images, None, settings.axes, masks, settings.target)
    _warn(found)
    print(f"The masks show {found.target.describe()}: {found.target.why}.", flush=True)
    tuning = bar("Tuning")
    segmenter = train_segmenter(settings, TextWatcher(), tuning)
    tuning.close(segmenter.stored.describe())
    start = segmenter.run.facts().get("start")
    if start:
        print(about_start(start))
    scores = judge_segmenter(segmenter)
    return segmenter, scores, write_segment_report(segmenter, scores)


def predict(run, images, out, tile="auto", axes="auto", **options):
    """Apply the model of a run folder, of whatever kind, to a folder of images.

    Parameters
    ----------
    run, images, out : path
    tile, axes
        See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_folder`.
    **options
        What was chosen of ``dtype`` (denoising), ``outlines``, ``threshold`` and ``min_size`` (segmentation); None
        leaves it as in the run.
    """
    folder, given = RunFolder(run).require(), {name for name, value in options.items() if value is not None}
    segments = folder.workflow == "segment"
    wrong = given & ({"dtype"} if segments else {"outlines", "threshold", "min_size"})
    if wrong:
        raise UserError(
            f"The model in {run} was trained to {folder.workflow}, which knows no {' or '.join(sorted(wrong))}. Leave "
            "that option out"
        )
    if segments:
        _segment_folder(run, images, Path(out), tile, axes, **options)
    else:
        _denoise_folder(run, images, out, tile, axes, options.get("dtype"))


def _denoise_folder(run, images, out, tile, axes, dtype):
    from .models.denoiser import Denoiser

    denoiser = Denoiser.load(run)
    _doubt(denoiser, images, axes)
    update = bar("Denoising")
    files = denoiser.predict_folder(images, out, tile, update, axes=axes, dtype=dtype or denoiser.settings.dtype)
    update.close(f"{counted(len(files), 'image')} written to {out}")


def _segment_folder(run, images, out, tile, axes, outlines=None, threshold=None, min_size=None, dtype=None):
    from .models.segment_report import write_measurements, write_supervisely
    from .models.segmenter import Segmenter

    segmenter = Segmenter.load(run)
    chosen = {"threshold": threshold, "min_size": min_size}
    segmenter.settings = segmenter.settings.replace(**{n: v for n, v in chosen.items() if v is not None}).check()
    _doubt(segmenter, images, axes)
    update = bar("Segmenting")
    outlines = outlines or segmenter.settings.outlines
    project = [out / "supervisely"] if outlines == "supervisely" else []
    require_absent([out / "objects.csv", out / "counts.csv", *project])
    files = segmenter.predict_folder(images, out, tile, update, axes=axes, outlines=outlines == "imagej")
    if outlines == "supervisely":
        write_supervisely(segmenter, out, images, axes)
    counts = write_measurements(segmenter, out, images, axes)
    total = sum(row["objects"] for row in counts)
    update.close(f"{counted(len(files), 'label image')} with {counted(total, 'object')} written to {out}")


def _warn(found):
    found.require_ok()
    for finding in found.findings:
        if finding.severity == WARNING:
            print(f"warning: {finding}", flush=True)


def _doubt(model, images, axes):
    for words in model.doubts(images, axes):
        print(f"warning: {words}", flush=True)
