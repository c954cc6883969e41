"""How far an experiment is, as a table: a row for each way of training, a column for each seed."""

from dataclasses import dataclass, field

from . import results
from .advice import way
from .table import SCORE_NAMES, Group, groups, main_score

_HEADS = {"noise": "noise added", "annotated": "annotated images"}


@dataclass
class Board:
    """A table of scores that fills in.

    Attributes
    ----------
    score : str or None
        Which is shown; None as long as nothing is done.
    head : list of str
    rows : list of list
        Words, and for each seed a score, or a state as text: "training", "failed" or "".
    done, wanted : int
        Runs.
    """

    score: str | None = None
    head: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    done: int = 0
    wanted: int = 0


def board(experiment, out, wanted, training=None):
    """The board of an experiment.

    Parameters
    ----------
    experiment : Experiment
    out : Path
    wanted : list of Run
    training : Run, optional
        The one at work.
    """
    score = main_score(groups(experiment, out, wanted))
    shown = [name for name in _HEADS if len({getattr(run, name) for run in wanted}) > 1]
    seeds = sorted({run.seed for run in wanted})
    rows, done = {}, 0
    for run in wanted:
        result = results.read_result(out, run)
        done += bool(result)
        words = [way(Group(*run.way, {}, {})), *(_said(run, name) for name in shown)]
        row = rows.setdefault(run.way, [words, dict.fromkeys(seeds, "")])
        row[1][run.seed] = _state(out, run, result, score, training)
    head = ["", *(_HEADS[name] for name in shown), *(f"seed {seed}" for seed in seeds), "mean"]
    cells = [[*words, *scores.values(), _mean(scores.values())] for words, scores in rows.values()]
    return Board(score and SCORE_NAMES[score], head, cells, done, len(wanted))


def _said(run, name):
    value = getattr(run, name)
    return "" if name == "annotated" and not value else f"{value:g}"


def _state(out, run, result, score, training):
    if result:
        return result["scores"].get(score, "done")
    if training and run.name == training.name:
        return "training"
    return "failed" if results.read_failure(out, run) else ""


def _mean(cells):
    numbers = [cell for cell in cells if not isinstance(cell, str)]
    return sum(numbers) / len(numbers) if numbers else ""
