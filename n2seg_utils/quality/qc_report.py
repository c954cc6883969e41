"""The report of a quality control of folders: ``report.html`` and ``report.pdf``, beside its scores and figures."""

import time
from pathlib import Path

from ..about import ADDRESS, VERSION
from ..versions import versions
from ..words import counted, some
from .filters_qc import sentences
from .image_scores import SSIM_SETTINGS, SSIM_WINDOW
from .report import write_report
from .residual import FINE

_SSIM = (
    "Wang Z, Bovik A C, Sheikh H R, Simoncelli E P. Image quality assessment: from error visibility to structural "
    "similarity. IEEE Transactions on Image Processing 13(4), 2004."
)
_BOOTSTRAP = "Efron B. Bootstrap methods: another look at the jackknife. Annals of Statistics 7(1), 1979."
_WILCOXON = "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bulletin 1(6), 1945."
_FILTERS = (
    "Buades A, Coll B, Morel J-M. A non-local algorithm for image denoising. CVPR 2005.",
    "Chambolle A. An algorithm for total variation minimization and applications. Journal of Mathematical Imaging and "
    "Vision 20, 2004.",
    "Ramani S, Blu T, Unser M. Monte-Carlo SURE: a black-box optimization of regularization parameters for general "
    "denoising algorithms. IEEE Transactions on Image Processing 17(9), 2008.",
)


def _restored_methods(summary):
    """What was done with restored images: the paragraph, then its references."""
    cited = [_SSIM]
    found, filters = summary["psnr"], summary["filters"]
    words = [
        "Restored images were compared with clean images of the same fields by SSIM [1] (Gaussian window of "
        f"{SSIM_SETTINGS['sigma']} pixels, cut off at {SSIM_WINDOW} x {SSIM_WINDOW} pixels), NRMSE (root of the mean "
        "squared error over the range) and PSNR, the range being the largest minus the smallest value of each clean "
        "image."
    ]
    if found["gain_interval"] or found["interval"]:
        cited.append(_BOOTSTRAP)
        what = "changes against raw images" if found["gain_interval"] else "means"
        words.append(f"95 % intervals of {what} are those of the percentile bootstrap [{len(cited)}] over images.")
    if found["p"] is not None:
        cited.append(_WILCOXON)
        words.append(f"Restored and raw images were compared by Wilcoxon's signed-rank test [{len(cited)}].")
    if filters:
        numbers = [len(cited) + 1 + k for k in range(len(_FILTERS))]
        cited += _FILTERS
        of = f" (on {filters['of']})" if filters["of"] else ""
        words.append(
            f"They were also compared{of} with raw images after a Gaussian blur, a median filter, non-local means "
            f"[{numbers[0]}] and total variation [{numbers[1]}], whose settings minimised Stein's estimate of the "
            f"error [{numbers[2]}] on each raw image."
        )
    return [" ".join([*words, _DONE]), *(f"[{n}] {reference}" for n, reference in enumerate(cited, 1))]


_DONE = f"This was done with n2seg-utils {VERSION} ({ADDRESS})."
_OBJECTS = (
    "Label images were compared with the truth. Objects were matched at an IoU of at least 0.5 (and up to 0.95), none "
    f"of them twice; AP is found / (found + missed + false). {_DONE}"
)
_PIXELS = f"Label images were compared with the truth, pixel by pixel, by the IoU and Dice of classes. {_DONE}"
_BLIND = (
    "Restored images were judged by their residual, raw minus restored: its correlation between pixels, its variance "
    f"at each brightness, and the structure in it. {_DONE}"
)


def report_restored(out, summary, used):
    """Write the report of what :func:`~n2seg_utils.quality.qc.judge` found.

    Parameters
    ----------
    out : Path
        Its folder, with figures.
    summary : dict
    used : dict
        What was compared, and how: name -> value.

    Returns
    -------
    Path
        Of the HTML file.
    """
    filters, notes = summary["filters"], without_partner(summary["unmatched"])
    captions = dict.fromkeys(summary["figures"], _ONE)
    if filters:
        notes += sentences(filters)
        where = counted(len(filters["images"]), "image")
        words = f"Raw, prediction and simple filters: one point for each image ({where})."
        captions = {"filters.png": words} | captions
    return _write(out, "Quality of restored images", captions, notes, summary, used, _restored_methods(summary))


def report_labels(out, summary, used):
    """Write the report of what :func:`~n2seg_utils.quality.label_qc.judge_labels` found; as :func:`report_restored`."""
    there = {name: words for name, words in OF_ALL.items() if (Path(out) / name).exists()}
    captions = there | dict.fromkeys(summary["figures"], _LABELS)
    notes = without_partner(summary["unmatched"])
    if "splits" in summary:
        notes.append(
            f"{counted(summary['splits'], 'object')} of the truth were split, and {summary['merges']:,} predicted ones "
            "hold several that were merged."
        )
    methods = [_OBJECTS if "ap50" in summary else _PIXELS]
    return _write(out, "Quality of labels", captions, notes, summary, used, methods, summary["warnings"])


def report_blind(out, summary, used):
    """Write the report of what :func:`~n2seg_utils.quality.blind_qc.judge_without_truth` found; as
    :func:`report_restored`."""
    findings = summary["findings"]
    notes = [
        *without_partner(summary["unmatched"]),
        "There was no truth: nothing here proves a prediction right. What can be told:",
    ]
    notes += [_said(one) for one in findings if one["severity"] == FINE]
    warnings = [_said(one) for one in findings if one["severity"] != FINE]
    caption = "Raw, prediction and what was removed; its variance, its correlation and its values."
    captions = dict.fromkeys(summary["figures"], caption)
    return _write(out, "Quality without truth", captions, notes, summary, used, [_BLIND], warnings)


_ONE = (
    "Raw, prediction and truth, whole and magnified; where errors are and where structure differs; grey values, and a "
    "profile along the line in the magnified piece."
)
_LABELS = "Truth, prediction, and what is right and wrong."
OF_ALL = {
    "filters.png": "Raw, prediction and simple filters: one point for each image, a line for the mean.",
    "scores.png": "Scores against the IoU at which objects count as found; counts and sizes, predicted against true.",
    "confusion.png": "What pixels of each class were taken for.",
}


def _said(finding):
    """A finding with the images that it is of."""
    return f"{some(finding['images'])}: {finding['sentence']}"


def without_partner(names):
    """A list of the sentence about files without a partner, empty if there are none."""
    have = "they have" if len(names) > 1 else "it has"
    return [f"Not judged, for {have} no partner: {some(names, 5)}."] if names else []


def _write(out, title, captions, notes, scores, used, methods, warnings=()):
    figures = [
        (f"{Path(name).stem}: {caption}" if name not in OF_ALL else caption, Path(out) / name)
        for name, caption in captions.items()
    ]
    happened = {"judged": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **versions()}
    used = {name: value for name, value in used.items() if value not in (None, "")}
    path = Path(out) / "report.html"
    return write_report(path, title, figures, scores, used, happened, notes, warnings, scores["data"], methods)
