"""The report of a run or of a quality control: what is in it, and in which order."""

from pathlib import Path

from ..words import counted
from .document import Document, Heading, Paragraph, Picture, Table
from .html import write_html
from .image_scores import SCORES
from .overlap import STRICT
from .pdf import write_pdf
from .qc import better_in_words


def write_report(
    path, title, figures=(), scores=None, settings=None, facts=None, notes=(), warnings=(), data=(), methods=()
):
    """Write the report, as HTML and, beside it, as PDF.

    Parameters
    ----------
    path : path
        The HTML file; an earlier report of the same run is replaced.
    title : str
    figures : sequence of (caption, Figure)
    scores : dict or sequence of dict, optional
        As :func:`~n2seg_utils.quality.qc.judge` or :func:`~n2seg_utils.quality.label_qc.judge_labels` returns them.
    settings : dict, optional
        name -> effective value.
    facts : dict, optional
        name -> value: what happened, where, with which versions.
    notes : sequence of str
        Sentences to show below the title.
    warnings : sequence of str
        Those that the user was shown.
    data : sequence of dict
        What is known of each image that was used, the same keys of all.
    methods : sequence of str
        Paragraphs for the methods section of a paper: the text, then the references.

    Returns
    -------
    Path
        That of the HTML file.
    """
    document = Document(title, [Paragraph(note) for note in notes])
    document.add(*(Picture(caption, figure) for caption, figure in figures))
    if scores:
        document.add(Heading("Scores"))
        for one in [scores] if isinstance(scores, dict) else scores:
            document.add(*_scores(one))
            warnings = [*warnings, *one.get("warnings", ())]
    if warnings:
        document.add(Heading("Warnings"), *(Paragraph(words, "warning") for words in warnings))
    if methods:
        document.add(Heading("Methods, to paste"), *map(Paragraph, methods))
    if facts:
        document.add(Heading("What happened"), _pairs(facts))
    if settings:
        document.add(Heading("Settings used"), _pairs(settings))
    if data:
        rows = [[_said(value) for value in row.values()] for row in data]
        document.add(Heading("Data"), Table(rows, tuple(data[0]), False, counted(len(rows), "file")))
    write_pdf(document, Path(path).with_suffix(".pdf"))
    return write_html(document, path)


def _pairs(values):
    return Table([(name, _said(value)) for name, value in values.items()], numbers=False)


def _said(value):
    return " x ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _scores(scores):
    if "findings" in scores:
        return _without_truth(scores)
    return _of_restored(scores) if "ssim" in scores else _of_labels(scores)


def _without_truth(scores):
    """A table of what was measured without the truth."""
    rows = [[row["image"], row["channel"], row["severity"], *(_number(row[name]) for name in _BLIND)]
            for row in scores["per_image"]]  # fmt: skip
    words = (
        "removed: standard deviation of what was removed over that of the raw image's finest noise; smoothing: how "
        "much of the predicted structure was removed once more (0 is right); invented and lost: shares of pixels; "
        "noise: standard deviation in grey values; correlation of neighbouring pixels of the residual along x and y."
    )
    heads = ("image", "channel", "verdict", *(_BLIND[name] for name in _BLIND))
    return [Paragraph(words), Table(rows, heads, title="Each image")]


_BLIND = {
    "removed": "removed", "smoothing": "smoothing", "invented_share": "invented", "lost_share": "lost",
    "noise_sigma": "noise", "correlation_x": "correlation x", "correlation_y": "correlation y",
}  # fmt: skip


def _of_restored(scores):
    """Tables of restored images against raw ones."""
    rows, raw = [], scores["psnr"]["raw"] is not None
    for name, score in SCORES.items():
        found = scores[name]
        values = [found[key] for key in (("raw", "prediction", "gain") if raw else ("prediction",))]
        low_high = found["gain_interval" if raw else "interval"]
        between = "" if low_high is None else " to ".join(map(score.text, low_high))
        rows.append([score.head, *map(score.text, values), between])
    head = ("", "raw", "prediction", "change", "95 % interval of the change")
    rows_of_each = [
        [row["image"], *(SCORES[n].text(row[f"{n}{end}"]) for n in _SHOWN for end in (("_raw", "") if raw else ("",)))]
        for row in scores["per_image"]
    ]
    names = [SCORES[n].label for n in _SHOWN]
    columns = [f"{name}{end}" for name in names for end in ((" raw", "") if raw else ("",))]
    return [
        Paragraph(
            f"Means over {counted(len(scores['per_image']), 'image')}. Higher is better, except for NRMSE, RMSE and "
            "MAE. The data range is the truth's largest minus its smallest value in each image; SSIM has a Gaussian "
            f"window of 1.5 pixels. {better_in_words(scores)}".strip()
        ),
        Table(rows, head if raw else ("", "prediction", "95 % interval")),
        Table(rows_of_each, ("image", *columns), title="Each image"),
    ]


_SHOWN = ("ssim", "nrmse", "psnr")  # of each image; metrics.csv has all


def _of_labels(scores):
    """Tables of labels against the truth."""
    names, pooled = [name for name in _LABEL_SCORES if name in scores], scores["pooled"]
    rows = [(_LABEL_SCORES[name], f"{scores[name]:.3f}", _number(pooled.get(name))) for name in names]
    head = ("score", "mean over images", "all objects together" if "ap50" in scores else "all pixels together")
    shown = ("true_objects", "predicted_objects", *(name for name in names if name not in STRICT))
    columns = [name for name in shown if name in scores["per_image"][0]]
    objects = "Objects count as found when they overlap by an IoU of at least 0.5. " if "ap50" in scores else ""
    each = [[row["image"], *(_number(row[name]) for name in columns)] for row in scores["per_image"]]
    return [
        Table(rows, head),
        Paragraph(
            f"Of {counted(len(scores['per_image']), 'image')}; 1 is perfect. {objects}Where there is nothing to find "
            "and nothing was found, the score is 1."
        ),
        Table(each, ("image", *(name.replace("_", " ") for name in columns)), title="Each image"),
    ]


_LABEL_SCORES = {
    "ap50": "AP at IoU 0.5: found / (found + missed + false)",
    "ap": "AP, mean of IoU 0.50 to 0.95",
    "f1": "F1 of objects",
    "f1_70": "F1 of objects at IoU 0.7",
    "f1_90": "F1 of objects at IoU 0.9",
    "precision": "precision",
    "recall": "recall",
    "seg": "SEG (Cell Tracking Challenge)",
    "pq": "panoptic quality",
    "iou": "IoU of pixels",
    "dice": "Dice of pixels",
}


def _number(value):
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
