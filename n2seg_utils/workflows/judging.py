"""From results and the truth to scores and a report."""

from pathlib import Path

from ..data import drive
from ..data.files import list_images, require_absent
from ..data.labels import bring_masks
from ..errors import UserError


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
    from ..quality import blind_qc, qc, qc_report

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
    from ..quality import label_qc, qc_report

    _require_apart(out, (labels, truth, raw))
    images, warnings = drive.bring(raw) if raw else None, []
    if model:
        from ..models import known_images

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
