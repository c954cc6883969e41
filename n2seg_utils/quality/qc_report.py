"""The report of a quality control of folders: ``report.html`` and ``report.pdf``, beside its scores and figures."""

import time
from pathlib import Path

from ..versions import versions
from ..words import counted
from .filters_qc import sentences
from .image_scores import SSIM_SETTINGS, SSIM_WINDOW
from .report import write_report
from .residual import FINE

_METHODS = {
    "restored": (
        "Restored images were compared with clean images of the same fields by SSIM [1] (Gaussian window of "
        f"{SSIM_SETTINGS['sigma']} pixels, cut off at {SSIM_WINDOW} x {SSIM_WINDOW} pixels), NRMSE (root of the mean "
        "squared error over the range) and PSNR, the range being the largest minus the smallest value of each clean "
        "image. Means are given with 95 % intervals by the percentile bootstrap [2] over images."
    ),
    "filters": (
        " They were also compared with raw images after a Gaussian blur, a median filter, non-local means and total "
        "variation, whose settings minimised Stein's estimate of the error [3] on the raw images."
    ),
    "labels": (
        "Label images were compared with the truth. Objects were matched at an IoU of at least 0.5 (and up to 0.95), "
        "none of them twice; AP is found / (found + missed + false)."
    ),
    "blind": (
        "Restored images were judged by their residual, raw minus restored: its correlation between pixels, its "
        "variance at each brightness, and the structure in it."
    ),
}
_REFERENCES = (
    "[1] Wang Z, Bovik A C, Sheikh H R, Simoncelli E P. Image quality assessment: from error visibility to structural "
    "similarity. IEEE Transactions on Image Processing 13(4), 2004.",
    "[2] Efron B. Bootstrap methods: another look at the jackknife. Annals of Statistics 7(1), 1979.",
    "[3] Ramani S, Blu T, Unser M. Monte-Carlo SURE: a black-box optimization of regularization parameters for general "
    "denoising algorithms. IEEE Transactions on Image Processing 17(9), 2008.",
)


def report_restored(out, summary, folders):
    """Write the report of what :func:`~n2seg_utils.quality.qc.judge` found.

    Parameters
    ----------
    out : Path
        Its folder, with figures.
    summary : dict
    folders : dict
        What was compared: title -> path.

    Returns
    -------
    Path
        Of the HTML file.
    """
    filters, notes = summary["filters"], _alone(summary)
    captions = dict.fromkeys(summary["figures"], _ONE)
    methods = [_METHODS["restored"], *_REFERENCES[:2]]
    if filters:
        notes += sentences(filters)
        where = counted(len(filters["images"]), "image")
        captions = {"filters.png": f"Raw, prediction and simple filters: a point an image ({where})."} | captions
        methods = [_METHODS["restored"] + _METHODS["filters"], *_REFERENCES]
    return _write(out, "Quality of restored images", captions, notes, summary, folders, methods)


def report_labels(out, summary, folders):
    """Write the report of what :func:`~n2seg_utils.quality.label_qc.judge_labels` found; as :func:`report_restored`."""
    there = {name: words for name, words in _OF_ALL.items() if (Path(out) / name).exists()}
    captions = there | dict.fromkeys(summary["figures"], "Truth, prediction, and what is right and wrong.")
    notes = _alone(summary)
    if "splits" in summary:
        notes.append(
            f"{counted(summary['splits'], 'object')} of the truth were split, and {summary['merges']:,} predicted ones "
            "hold several that were merged."
        )
    return _write(out, "Quality of labels", captions, notes, summary, folders, [_METHODS["labels"]])


def report_blind(out, summary, folders):
    """Write the report of what :func:`~n2seg_utils.quality.blind_qc.judge_without_truth` found; as
    :func:`report_restored`."""
    findings = summary["findings"]
    notes = [*_alone(summary), "There was no truth: nothing here proves a prediction right. What can be told:"]
    notes += [_said(one) for one in findings if one["severity"] == FINE]
    warnings = [_said(one) for one in findings if one["severity"] != FINE]
    caption = "Raw, prediction and what was removed; its variance, its correlation and its values."
    captions = dict.fromkeys(summary["figures"], caption)
    return _write(out, "Quality without truth", captions, notes, None, folders, [_METHODS["blind"]], warnings)


_ONE = (
    "Raw, prediction and truth, whole and magnified; where errors are and where structure differs; grey values, and a "
    "profile along the line in the magnified piece."
)
_OF_ALL = {
    "scores.png": "Scores against the IoU at which objects count as found; counts and sizes, predicted against true.",
    "confusion.png": "What pixels of each class were taken for.",
}


def _said(finding):
    """A finding with the images that it is of."""
    names = finding["images"]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}: {finding['sentence']}"


def _alone(summary):
    """A sentence about files without a partner, if there are any."""
    names = summary["unmatched"]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [f"Not judged, for they have no partner: {', '.join(names[:5])}{more}."] if names else []


def _write(out, title, captions, notes, scores, folders, methods, warnings=()):
    figures = [
        (f"{Path(name).stem}: {caption}" if name not in (*_OF_ALL, "filters.png") else caption, Path(out) / name)
        for name, caption in captions.items()
    ]
    happened = {"judged": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **versions()}
    folders = {title: str(path) for title, path in folders.items() if path}
    return write_report(
        Path(out) / "report.html", title, figures, scores, folders, happened, notes, warnings, methods=methods
    )
