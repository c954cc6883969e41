"""The results of few_annotations.py, from its runs.csv: means over draws, as a table and as a figure."""

import csv
from pprint import pformat

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from n2seg_utils.quality import plots
from n2seg_utils.quality.few_annotations import (
    ANNOTATED,
    COLOURS,
    MARKERS,
    MORE_COLOURS,
    MORE_MARKERS,
    NAMES,
    PUBLISHED,
    by_method,
    draw_points,
    legend,
    panels,
)

_MORE_NAMES = {"published": "joint, by the paper's recipe"}


def rows_of(out):
    """The lines of runs.csv, as text; none if there is no such file."""
    path = out / "runs.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def identity(row):
    """What makes a training another one."""
    return _number(row["sigma"]), int(row["annotated"]), row["method"], row["set"], int(row["draw"])


def require_alike(rows, row):
    """Refuse to mix trainings that took longer, or had other images, with those that are there."""
    for other in rows:
        for name in ("length", "images"):
            if other[name] != str(row[name]):
                raise SystemExit(f"runs.csv was made with {name} {other[name]}, not {row[name]}: use another --out")


def report(out):
    """Write table.md and figure.png; returns the table, and the means as Python has them."""
    rows = rows_of(out)
    if not rows:
        raise SystemExit(f"There is no finished training in {out}")
    text = table(rows)
    (out / "table.md").write_text(text)
    scores = means(rows)
    if scores:
        plots.save(figure(scores), out / "figure.png")
    return f"{text}\nOURS = {pformat(_known(scores), width=100)}"


def groups(rows):
    """(sigma, annotated, method) -> its rows, a draw each; what was set by hand is part of the method's name."""
    found = {}
    for row in sorted(rows, key=lambda row: identity(row)[:2]):
        name = f"{row['method']} {row['set']}".strip()
        found.setdefault((_number(row["sigma"]), int(row["annotated"]), name), []).append(row)
    return found


def spread(rows, score):
    """Mean and standard deviation over draws (0 of a single one); None where there is no such score."""
    values = [float(row[score]) for row in rows if row[score]]
    if not values:
        return None
    return round(float(np.mean(values)), 4), round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else 0.0


def means(rows):
    """AP: sigma -> annotated -> method -> (mean, standard deviation)."""
    found = {}
    for (sigma, annotated, method), group in groups(rows).items():
        score = spread(group, "ap50")
        if score:
            found.setdefault(sigma, {}).setdefault(annotated, {})[method] = score
    return found


def table(rows):
    """All scores in Markdown, with the published AP beside ours."""
    about = f"{rows[0]['length']} of training ({'; '.join(sorted({row['device'] for row in rows}))}), "
    lines = [
        f"{about}{rows[0]['images']} images to train on, mean ± standard deviation over draws.",
        "Published: mean of five runs; its annotated images are patches of 128 x 128 pixels, ours are whole, and other",
        "images are judged: compare methods rather than numbers.",
        "",
        "| noise | annotated | method | AP at IoU 0.5 | SEG | PSNR, dB | draws | published AP |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (sigma, annotated, method), group in groups(rows).items():
        scores = [_cell(spread(group, name), digits) for name, digits in (("ap50", 3), ("seg", 3), ("psnr", 2))]
        cells = [f"{sigma:g}", annotated or "", method, *scores, len(group), _published(sigma, annotated, method)]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def figure(scores):
    """AP against the number of annotated images: ours with its spread, published thin and dashed."""
    drawn = Figure(figsize=(max(6.6, 3.1 * len(scores)), 3.6), layout="constrained")
    look = _looks({method for counts in scores.values() for methods in counts.values() for method in methods})
    for axis, (sigma, counts) in zip(panels(drawn, scores), scores.items()):
        for method, values in PUBLISHED.get(sigma, {}).items():
            axis.plot(ANNOTATED, values, color=COLOURS[method], linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        axis.set_xlim(left=0.8 * min(ANNOTATED[0], *counts))
        for method, points in by_method(counts).items():
            draw_points(axis, points, **look[method], linewidth=1.8)
    handles = [
        Line2D([], [], label=(NAMES | _MORE_NAMES).get(method, method), **style) for method, style in look.items()
    ]
    handles.append(Line2D([], [], color="#222222", linewidth=0.9, linestyle=(0, (4, 2)), label="numbers of the paper"))
    legend(drawn, handles)
    return drawn


def _known(scores):
    """Without methods that the package's table does not have."""
    return {
        sigma: {count: {m: score for m, score in methods.items() if m in NAMES} for count, methods in counts.items()}
        for sigma, counts in scores.items()
    }


def _number(text):
    """A number that is whole if it can be."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _looks(methods):
    """method -> colour and marker."""
    known = [method for method in NAMES if method in methods]
    more = sorted(methods - set(known))
    return {method: {"color": COLOURS[method], "marker": MARKERS[method]} for method in known} | {
        method: {"color": MORE_COLOURS[n % 4], "marker": MORE_MARKERS[n % 4]} for n, method in enumerate(more)
    }


def _cell(value, digits):
    if value is None:
        return ""
    mean, deviation = value
    return f"{mean:.{digits}f}" + (f" ± {deviation:.{digits}f}" if deviation else "")


def _published(sigma, annotated, method):
    """The published AP of the same method; the recipe of the paper belongs to its joint training."""
    values = PUBLISHED.get(sigma, {}).get("joint" if method.split()[0] == "published" else method.split()[0])
    return f"{values[ANNOTATED.index(annotated)]:.3f}" if values and annotated in ANNOTATED else ""
