"""One table of all runs, and their means."""

import json
from dataclasses import dataclass

import numpy as np

from ..data.files import write_text
from ..data.tables import write_table
from . import results
from .file import kinds_of
from .running import IMAGE_SCORES, LABEL_SCORES

SCORES = (*LABEL_SCORES, *IMAGE_SCORES)
SCORE_NAMES = {
    "ap50": "AP at IoU 0.5", "ap": "AP", "seg": "SEG", "f1": "F1", "f1_70": "F1 at 0.7", "f1_90": "F1 at 0.9",
    "iou": "IoU", "dice": "Dice", "psnr": "PSNR, dB", "ssim": "SSIM",
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only.

    Attributes
    ----------
    method, noise, annotated
        See :class:`~n2seg_utils.experiments.plan.Run`.
    values : tuple of (str, value)
        Settings of the grid.
    scores : dict
        Name of a score -> {seed: value}.
    per_image : dict
        Name of a score -> {seed: {image: value}}.
    """

    method: str
    noise: float
    annotated: int
    values: tuple
    scores: dict
    per_image: dict

    def __contains__(self, run):
        return run.way == (self.method, self.noise, self.annotated, self.values)

    @property
    def label(self):
        """What it is called in tables and figures, beside noise and number of annotated images."""
        return " ".join([self.method, *(f"{name}={_cell(value)}" for name, value in self.values)])

    def mean(self, score):
        """Mean over seeds; None where there is no such score."""
        values = list(self.scores.get(score, {}).values())
        return float(np.mean(values)) if values else None

    def spread(self, score):
        """Standard deviation over seeds; None of fewer than two."""
        values = list(self.scores.get(score, {}).values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def rows(experiment, out, wanted):
    """A row for each run that is done, in the order of the plan: what it is, its scores, and what it took."""
    found, names = [], experiment.axes
    done = [(run, results.read_result(out, run)) for run in wanted]
    known = [name for name in SCORES if any(result and name in result["scores"] for _, result in done)]
    for run, result in done:
        if result:
            settings = {name: _cell(_value(experiment, run, name)) for name in names}
            scores = {name: _rounded(result["scores"].get(name)) for name in known}
            took = {name: result[name] for name in ("steps", "seconds", "device")}
            found.append(run.identity() | settings | scores | took)
    return found


def groups(experiment, out, wanted):
    """The runs that are done, those of different seeds together: a list of Group."""
    found = {}
    for run in wanted:
        result = results.read_result(out, run)
        if result:
            group = found.setdefault(run.way, Group(*run.way, {}, {}))
            for name, value in result["scores"].items():
                group.scores.setdefault(name, {})[run.seed] = value
            for name, values in result["per_image"].items():
                group.per_image.setdefault(name, {})[run.seed] = values
    return list(found.values())


def means(experiment, some):
    """A row for each group: mean and standard deviation of each score, and the number of seeds."""
    known = [name for name in SCORES if any(name in group.scores for group in some)]
    found = []
    for group in some:
        row = {"method": group.method, "noise": group.noise, "annotated": group.annotated}
        row |= {name: _cell(dict(group.values).get(name)) for name in experiment.axes}
        for name in known:
            row |= {name: _rounded(group.mean(name)), f"{name}_sd": _rounded(group.spread(name))}
        found.append(row | {"seeds": max((len(values) for values in group.scores.values()), default=0)})
    return found


def main_score(some):
    """The score that decides: of labels if there are any, else of denoised images; None without results."""
    for name in ("ap50", "iou", "psnr"):
        if any(name in group.scores for group in some):
            return name
    return None


def write(out, all_rows, mean_rows, words, figure=None):
    """Write ``runs.csv``, ``means.csv``, ``summary.md`` and ``figure.png`` into the folder of an experiment."""
    write_table(out / "runs.csv", all_rows)
    write_table(out / "means.csv", mean_rows)
    write_text(out / "summary.md", "\n".join([*words, "", markdown(mean_rows)]))
    if figure:
        from ..quality import plots

        plots.save(figure, out / "figure.png")


def markdown(mean_rows):
    """Means ± standard deviations in Markdown."""
    if not mean_rows:
        return "No run is done yet.\n"
    head, *rows = cells(mean_rows)
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def cells(mean_rows):
    """Means ± standard deviations as text: the heads, then the rows."""
    names = [name for name in mean_rows[0] if not name.endswith("_sd")]
    found = [[SCORE_NAMES.get(name, name) for name in names]]
    for row in mean_rows:
        texts = []
        for name in names:
            spread = row.get(f"{name}_sd", "")
            digits = 2 if name == "psnr" else 3
            value = f"{row[name]:.{digits}f}" if name in SCORES and row[name] != "" else str(row[name])
            texts.append(value + (f" ± {spread:.{digits}f}" if spread != "" else ""))
        found.append(texts)
    return found


def _value(experiment, run, name):
    """What a setting of the grid was in a run; None where its method does not know it."""
    if name in run.values:
        return run.values[name]
    kinds = kinds_of(run.method, name)
    return experiment.value(kinds[0], name) if kinds else None


def _cell(value):
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else value


def _rounded(value):
    return "" if value is None else round(value, 6)
