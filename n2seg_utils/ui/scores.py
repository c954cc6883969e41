"""Scores as tables in a box."""

from html import escape

import numpy as np

from ..quality.filters_qc import sentences
from ..quality.image_scores import SCORES
from ..words import counted
from .boxes import say, show_figure, warn

_FEW = 3  # images
_OFF = 1.2  # times as large as the truth
_NUMBER = "text-align:right;padding:0 1em"
_LABELS = {
    "ap50": "average precision at IoU 0.5",
    "f1": "F1 of objects",
    "f1_70": "F1 of objects at IoU 0.7",
    "f1_90": "F1 of objects at IoU 0.9",
    "iou": "IoU of pixels",
    "dice": "Dice of pixels",
    "splits": "objects that were split (splits)",
    "merges": "objects that hold several (merges)",
}


def scores_in_words(scores, names=("ssim", "nrmse", "psnr")):
    """A table of scores of restored images, as HTML."""
    raw = scores["psnr"]["raw"] is not None
    columns = ("raw", "prediction", "gain") if raw else ("prediction",)
    rows = []
    for name in names:
        score, found = SCORES[name], scores[name]
        cells = "".join(f"<td style='{_NUMBER}'>{score.text(found[column])}</td>" for column in columns)
        between = found["gain_interval" if raw else "interval"]
        words = " to ".join(map(score.text, between)) if between else ""
        better = "higher" if score.more_is_better else "lower"
        rows.append(f"<tr><td>{score.head}, {better} is better</td>{cells}<td style='{_NUMBER}'>{words}</td></tr>")
    interval = "95 % interval of the change" if raw else "95 % interval"
    heads = ("", *(("noisy", "denoised", "change") if raw else ("denoised",)), interval)
    head = "".join(f"<th>{words}</th>" for words in heads)
    images = counted(len(scores["per_image"]), "image")
    said = "<br>".join(map(escape, sentences(scores["filters"])))
    return f"Mean over {images} with truth:<table><tr>{head}</tr>{''.join(rows)}</table>{said}"


def show_blind(model):
    """Show what can be said of a denoising model without the truth.

    Returns
    -------
    BlindReport
    """
    from ..models.blind_report import judge_blindly

    found = judge_blindly(model)
    for words in found.doubtful:
        warn(escape(words))
    for words in found.fine:
        say(escape(words))
    for caption, figure in found.figures:
        say(escape(caption))
        show_figure(figure)
    return found


def labels_in_words(scores, of="image"):
    """A table of scores of labels, as HTML."""
    rows = []
    for name, words in _LABELS.items():
        if name in scores:
            value = scores[name]
            text = f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
            rows.append(f"<tr><td>{words}</td><td style='{_NUMBER}'>{text}</td></tr>")
    counts = " Splits and merges are counted in all of them." if "splits" in scores else ""
    head = f"Means over {counted(len(scores['per_image']), of)}; 1 is perfect.{counts}"
    return f"{head}<table>{''.join(rows)}</table>{' '.join(_remarks(scores))}"


def _remarks(scores):
    """What the numbers do not say by themselves."""
    if len(scores["per_image"]) < _FEW:
        yield "Of so few images, scores are partly chance: more of them would tell more. "
    ratio = (scores.get("sizes") or {}).get("ratio")
    if ratio and abs(np.log(ratio)) > np.log(_OFF):
        word, why = ("larger", "wide") if ratio > 1 else ("smaller", "narrow")
        times = max(ratio, 1 / ratio)
        yield (
            f"Objects that were found are {times:.1f} times {word} than they should be (median, in pixels): outlines "
            f"are too {why}, which costs scores at IoU 0.7 and 0.9. "
        )
