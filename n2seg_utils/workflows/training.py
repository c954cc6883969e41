"""From settings to a trained model and its report."""

from ..data import drive
from ..data.check import check_images
from ..data.labels import bring_masks
from ..errors import UserError
from ..ui.progress import bar, text_watcher


def denoise(settings):
    """Train Noise2Void, judge it, write the report.

    Returns
    -------
    denoiser : Denoiser
    scores : dict or None
    report : Path
    """
    from ..models.denoise_training import train_denoiser

    found = check_images(drive.bring(settings.images), settings.truth, settings.axes)
    _warn(found)
    denoiser = train_denoiser(settings, text_watcher())
    denoiser.run.note(warnings=found.warnings)
    return denoiser, *_judged(denoiser)


def segment(settings):
    """Train a U-Net, tune it, judge it on the validation images, write the report.

    Returns
    -------
    segmenter : Segmenter
    scores : dict
    report : Path
    """
    from ..models.guesses import mask_folder
    from ..models.segment_training import train_segmenter

    images, masks = drive.bring(settings.images), mask_folder(settings)
    found = check_images(images, None, settings.axes, masks, settings.target)
    segmenter = _trained(train_segmenter, settings, found)
    return segmenter, *_judged(segmenter)


def joint(settings):
    """Train one network to denoise and to segment, tune it, judge it, write the report.

    Returns
    -------
    model : JointModel
    scores : (dict, dict or None)
        Of labels and of denoised images.
    report : Path
    """
    from ..models.joint_training import train_joint

    images, masks = drive.bring(settings.images), bring_masks(settings.masks)
    found = check_images(images, settings.truth, settings.axes, masks, settings.target, joint=True)
    model = _trained(train_joint, settings, found)
    return model, *_judged(model)


def resume(run, again=False):
    """Go on with a training that was stopped, judge it, write the report.

    Parameters
    ----------
    run : path
        Run folder.
    again : bool
        It is no error that nothing is left to do.

    Returns
    -------
    model : TrainedModel
    scores, report
        As :func:`denoise`, :func:`segment` or :func:`joint` give them.

    Raises
    ------
    UserError
        When nothing is left to do, or the images are not those that the training began with.
    """
    from ..models.past import Past
    from ..models.resume import resume as train_on

    past = Past(run)
    if past.over and (past.run / "report.html").exists() and not again:
        raise UserError(f"The training in {run} is over, and its report is written: nothing is left to do")
    if not past.over:
        print(f"{run} {past.describe()}.", flush=True)
    tuning = bar("Tuning")
    model = train_on(past, text_watcher(), tuning)
    return model, *_judged(model)


def _judged(model):
    """The scores of a trained model of whatever kind, and its report."""
    from ..models import denoise_report, joint_report, segment_report

    judge, write = {
        "denoise": (denoise_report.judge_denoiser, denoise_report.write_denoise_report),
        "segment": (segment_report.judge_segmenter, segment_report.write_segment_report),
        "joint": (joint_report.judge_joint, joint_report.write_joint_report),
    }[model.run.workflow]
    scores = judge(model)
    return scores, write(model, scores)


def _trained(train, settings, found):
    """Train on annotated images that were checked, telling how it goes."""
    from ..models.guesses import unlabelled
    from ..models.segment_report import about_start

    _warn(found)
    if unlabelled(settings):
        print("Without masks, a first guess by a blur and a threshold is where it begins.", flush=True)
    else:
        print(f"The masks show {found.target.describe()}: {found.target.why}.", flush=True)
    tuning = bar("Tuning")
    model = train(settings, text_watcher(), tuning)
    tuning.close(model.stored.describe())
    model.run.note(warnings=found.warnings)
    start = model.run.facts().get("start")
    if start:
        print(about_start(start))
    return model


def _warn(found):
    found.require_ok()
    for words in found.warnings:
        print(f"warning: {words}", flush=True)
