"""Whole workflows without a person: from settings to a trained model and its report."""

from pathlib import Path

from .data import drive, results
from .data.check import check_images
from .data.files import list_images, require_absent
from .data.labels import bring_masks
from .errors import UserError
from .ui.progress import bar, text_watcher
from .words import counted


def denoise(settings):
    """Train Noise2Void, judge it, write the report.

    Returns
    -------
    denoiser : Denoiser
    scores : dict or None
    report : Path
    """
    from .models.denoise_training import train_denoiser

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
    from .models.segment_training import train_segmenter

    images, masks = drive.bring(settings.images), bring_masks(settings.masks)
    segmenter = _trained(train_segmenter, settings, check_images(images, None, settings.axes, masks, settings.target))
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
    from .models.joint_training import train_joint

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
    from .models.past import Past
    from .models.resume import resume as train_on

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
    from .models import denoise_report, joint_report, segment_report

    judge, write = {
        "denoise": (denoise_report.judge_denoiser, denoise_report.write_denoise_report),
        "segment": (segment_report.judge_segmenter, segment_report.write_segment_report),
        "joint": (joint_report.judge_joint, joint_report.write_joint_report),
    }[model.run.workflow]
    scores = judge(model)
    return scores, write(model, scores)


def _trained(train, settings, found):
    """Train on annotated images that were checked, telling how it goes."""
    from .models.segment_report import about_start

    _warn(found)
    print(f"The masks show {found.target.describe()}: {found.target.why}.", flush=True)
    tuning = bar("Tuning")
    model = train(settings, text_watcher(), tuning)
    tuning.close(model.stored.describe())
    model.run.note(warnings=found.warnings)
    start = model.run.facts().get("start")
    if start:
        print(about_start(start))
    return model


def predict(run, images, out, tile="auto", axes="auto", **options):
    """Apply the model of a run folder, of whatever kind, to a folder of images.

    What an earlier call of the same began and did not end goes on: files that are there are kept.

    Parameters
    ----------
    run : path
        What :func:`~n2seg_utils.exchange.opening.load` opens: a run folder, or a model of other software.
    images, out : path
    tile, axes
        See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_folder`.
    **options
        What was chosen of ``dtype`` (denoising), ``outlines``, ``threshold`` and ``min_size`` (segmentation); None
        leaves it as in the run.

    Returns
    -------
    list of Path
        The results, in the order of the images: of joint models, the label images.
    """
    from .exchange import opening

    model = opening.load(run)
    workflow = model.workflow
    given = {name: value for name, value in options.items() if value is not None}
    wrong = set(given) & _UNKNOWN[workflow]
    if wrong:
        raise UserError(
            f"The model in {run} was trained to {workflow}, which knows no {' or '.join(sorted(wrong))}. Leave "
            "that option out"
        )
    facts = model.run.facts()
    made_with = {"run": str(run), "trained": facts.get("ended"), "rule": facts.get("rule"), "axes": axes, **given}
    text = results.made_from(images, made_with)
    apply = {"denoise": _denoise_folder, "map": _map_folder}.get(workflow, _segment_folder)
    with results.unfinished(Path(out), text) as (again, begin):
        return apply(model, images, Path(out), tile, axes, again, begin, **given)


_UNKNOWN = {"denoise": {"outlines", "threshold", "min_size"}, "segment": {"dtype"}, "joint": set()}
_UNKNOWN["map"] = _UNKNOWN["denoise"] | _UNKNOWN["segment"]  # of a network that says what nobody knows


def _first(begin, update):
    """A progress function that calls `begin` each time before another."""

    def told(share, words=""):
        begin()
        update(share, words)

    return told


def _denoise_folder(denoiser, images, out, tile, axes, again, begin, dtype=None):
    _doubt(denoiser, images, axes)
    update, dtype = bar("Denoising"), dtype or denoiser.settings.dtype
    files = denoiser.predict_folder(images, out, tile, _first(begin, update), again, axes, dtype=dtype)
    update.close(f"{counted(len(files), 'image')} written to {out}")
    return files


def _map_folder(model, images, out, tile, axes, again, begin):
    update = bar("Predicting")
    files = model.predict_folder(images, out, tile, _first(begin, update), again, axes)
    update.close(f"{counted(len(files), 'image')} written to {out}, one channel for each output of the network")
    return files


def _segment_folder(model, images, out, tile, axes, again, begin, **chosen):
    from .models.segment_report import write_measurements, write_supervisely

    joint = model.workflow == "joint"
    model.settings = settings = model.settings.replace(**chosen).check()
    _doubt(model, images, axes)
    update = bar("Denoising and segmenting" if joint else "Segmenting")
    labels = model.target_file(out, images).parent
    project = [labels / "supervisely"] if settings.outlines == "supervisely" else []
    require_absent(project if again else [labels / "objects.csv", labels / "counts.csv", *project])
    more = {"dtype": settings.dtype} if joint else {}
    imagej = settings.outlines == "imagej"
    files = model.predict_folder(images, out, tile, _first(begin, update), again, axes, outlines=imagej, **more)
    if project:
        write_supervisely(model, labels, images, axes)
    counts = write_measurements(model, labels, images, axes)
    total = sum(row["objects"] for row in counts)
    update.close(f"{counted(len(files), 'label image')} with {counted(total, 'object')} written to {labels}")
    return files


def judge_restored(prediction, truth, raw, out, axes="auto", maps=True, filters=True, on_progress=None, figures=3):
    """Judge restored images by clean ones, or without these by the raw ones, into a folder with a report.

    Parameters
    ----------
    prediction : path
        Folder of restored images, of whatever tool.
    truth, raw : path or None
        Folders of clean and of raw images; one may be missing.
    out : path
    axes, maps, filters, on_progress, figures
        See :func:`~n2seg_utils.quality.qc.judge`.

    Returns
    -------
    scores : dict
        See :func:`~n2seg_utils.quality.qc.judge` and :func:`~n2seg_utils.quality.blind_qc.judge_without_truth`.
    report : Path
    """
    from .quality import blind_qc, qc, qc_report

    folders = {"prediction": prediction, "truth": truth, "raw": raw}
    _require_apart(out, folders.values())
    local = {title: drive.bring(path) if path else None for title, path in folders.items()}
    if not truth and not raw:
        raise UserError("Give the folder of the raw images, of clean ones, or both: there is nothing to compare with")
    if not truth:
        scores = blind_qc.judge_without_truth(local["prediction"], local["raw"], out, axes, on_progress, figures)
        return scores, qc_report.report_blind(out, scores, folders | {"axes": axes})
    scores = qc.judge(local["prediction"], local["truth"], local["raw"], out, axes, on_progress, figures, maps, filters)
    used = folders | {"axes": axes, "filters": bool(scores["filters"]), "maps": maps}
    return scores, qc_report.report_restored(out, scores, used)


def judge_label_images(labels, truth, out, raw=None, model=None, **options):
    """Judge label images by masks of any kind, into a folder with a report.

    Parameters
    ----------
    labels, truth, out, raw : path
        `raw` are images to draw the labels on.
    model : path, optional
        Run folder of the model that found the labels: images that it was trained with are named.
    **options
        See :func:`~n2seg_utils.quality.label_qc.judge_labels`.

    Returns
    -------
    scores : dict
    report : Path
    """
    from .quality import label_qc, qc_report

    _require_apart(out, (labels, truth, raw))
    images, warnings = drive.bring(raw) if raw else None, []
    if model:
        from .models import known_images

        judged = images or [file.name for file in list_images(drive.bring(labels))]
        warnings = list(filter(None, [known_images.warning(model, judged)]))
    options["warnings"] = warnings
    scores = label_qc.judge_labels(drive.bring(labels), bring_masks(truth), out, images=images, **options)
    used = {
        "labels": labels,
        "truth": truth,
        "images": raw,
        "model": model,
        "axes": options.get("axes"),
        "kind": scores["kind"],
    }
    used["dimensions"] = f"{options['dims']}d" if options.get("dims") else "auto"
    return scores, qc_report.report_labels(out, scores, used)


def _require_apart(out, folders):
    """Refuse to write among what is judged, and over an earlier report."""
    for folder in filter(None, folders):
        if Path(out).resolve() == Path(folder).resolve():
            raise UserError(f"{out} holds what is to be judged. Choose another folder for scores and pictures")
    require_absent([Path(out) / name for name in ("report.html", "report.pdf")])


def _warn(found):
    found.require_ok()
    for words in found.warnings:
        print(f"warning: {words}", flush=True)


def _doubt(model, images, axes):
    for words in model.doubts(images, axes):
        print(f"warning: {words}", flush=True)
