"""A report of one run as a single HTML file that opens anywhere."""

import base64
from html import escape

from ..data.files import write_text
from ..words import counted
from . import plots

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
img { max-width: 100%; } figure { margin: 1rem 0; } figcaption { color: #555; font-size: .9rem; }
table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .25rem .8rem .25rem 0; text-align: left;
vertical-align: top; } th { border-bottom: 1px solid #bbb; } td { border-bottom: 1px solid #eee; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write_report(path, title, figures=(), scores=None, settings=None, facts=None, notes=()):
    """Write the report.

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
    """
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(note)}</p>" for note in notes)]
    parts += [_figure(caption, figure) for caption, figure in figures]
    if scores:
        tables = [table for one in ([scores] if isinstance(scores, dict) else scores) for table in _scores(one)]
        parts += ["<h2>Scores</h2>", *tables]
    if facts:
        parts += ["<h2>What happened</h2>", _pairs(facts)]
    if settings:
        parts += ["<h2>Settings used</h2>", _pairs(settings)]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    write_text(path, f"{head}<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>")
    return path


def _figure(caption, figure):
    data = base64.b64encode(plots.to_png(figure, dpi=110)).decode()
    words = escape(caption)
    return f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


def _scores(scores):
    """The tables of scores: of restored images against noisy ones, or of labels."""
    if "ssim" in scores:
        return [_restored_table(scores), _each_image(scores["per_image"], *_RESTORED)]
    names = [name for name in _OF_LABELS if name in scores]
    rows = [("score", "mean over images", "all objects together" if "ap50" in scores else "all pixels together")]
    for name in names:
        pooled = scores["pooled"].get(name)
        rows.append((_OF_LABELS[name], f"{scores[name]:.3f}", "" if pooled is None else f"{pooled:.3f}"))
    note = (
        f"<p>Of {counted(len(scores['per_image']), 'image')}; 1 is perfect. Objects count as found when they overlap "
        "by an IoU of at least 0.5. Where there is nothing to find and nothing was found, the score is 1.</p>"
    )
    columns = [name for name in ("true_objects", "predicted_objects", *names) if name in scores["per_image"][0]]
    return [_table(rows), note, _each_image(scores["per_image"], ["image", *columns], ["image", *columns])]


_OF_LABELS = {
    "ap50": "AP at IoU 0.5: found / (found + missed + false)",
    "ap": "AP, mean of IoU 0.50 to 0.95",
    "f1": "F1 of objects",
    "precision": "precision",
    "recall": "recall",
    "seg": "SEG (Cell Tracking Challenge)",
    "pq": "panoptic quality",
    "iou": "IoU of pixels",
    "dice": "Dice of pixels",
}
_RESTORED = (
    ["image", "ssim_raw", "ssim", "nrmse_raw", "nrmse", "psnr_raw", "psnr"],
    ["image", "SSIM noisy", "denoised", "NRMSE noisy", "denoised", "PSNR noisy", "denoised"],
)


def _restored_table(scores):
    rows = [("", "noisy", "denoised", "change")]
    for name, unit, digits in (("ssim", "", 3), ("nrmse", "", 4), ("psnr", " dB", 2)):
        found = scores[name]
        values = [found["raw"], found["prediction"], found["gain"]]
        rows.append((name.upper() + unit, *("" if v is None else f"{v:.{digits}f}" for v in values)))
    note = (
        f"<p>Means over {counted(len(scores['per_image']), 'image')}. SSIM and PSNR: higher is better; NRMSE: lower is "
        "better. The data range is the truth's largest minus its smallest value in each image.</p>"
    )
    return _table(rows) + note


def _each_image(rows, names, heads):
    body = [[row[n] if n == "image" else "" if row[n] is None else f"{row[n]:.4g}" for n in names] for row in rows]
    return f"<details><summary>Each image</summary>{_table([heads, *body])}</details>"


def _pairs(values):
    return _table([("", ""), *((name, str(value)) for name, value in values.items())], head=False)


def _table(rows, head=True):
    cells = ["<table>"]
    if head:
        cells.append("<tr>" + "".join(f"<th>{escape(str(c))}</th>" for c in rows[0]) + "</tr>")
    for row in rows[1:]:
        first, *rest = row
        kind = ' class="number"' if head else ""
        cells.append(
            f"<tr><td>{escape(str(first))}</td>" + "".join(f"<td{kind}>{escape(str(c))}</td>" for c in rest) + "</tr>"
        )
    return "".join([*cells, "</table>"])
