"""An experiment as tables in a notebook: what is planned, and scores that fill in."""

import time
from html import escape

from ..experiments.advice import way
from ..experiments.board import Board, board
from ..experiments.table import Group, cells
from ..words import counted
from . import progress
from .boxes import box, in_notebook, plain

_CELL = "padding:.1em .8em;white-space:nowrap;text-align:{}"
_MORE = ("ap", "f1", "f1_70", "f1_90", "dice", "ssim")  # scores that are in means.csv only
_TRAINING = 0.8  # of the time of a run
_STATES = {"training": "#0072b2", "failed": "#d55e00"}


class Course:
    """The runs of an experiment as they are done: a bar for all of them, and a table that fills in.

    Parameters
    ----------
    experiment : Experiment
    out : Path
    """

    def __init__(self, experiment, out):
        self.experiment, self.out = experiment, out
        self.bar, self.view = progress.bar("Experiment"), BoardView()
        self.bar(0, "preparing the images")

    def begin(self, wanted):
        """Draw what is done of the runs that are wanted."""
        self.wanted, self.over, self.share = wanted, 0, 0.0
        self._draw()
        self.left = max(1, len(wanted) - self.view.board.done)
        self.began = time.perf_counter()

    def watch(self, run, state):
        """A run begins or is over; see :func:`~n2seg_utils.experiments.running.run_missing`."""
        self.over += state != "training"
        self.share = 0.0
        self._draw(run if state == "training" else None)

    def listen(self, share, words):
        """How far the run at work is; see :func:`~n2seg_utils.ui.progress.aside`."""
        # A run is more than its training, or has two of them, each of which begins anew.
        self.share = max(self.share, _TRAINING * share)
        done = (self.over + self.share) / self.left
        spent = time.perf_counter() - self.began
        rest = f"; about {progress.duration(spent / done - spent)} for all that is left" if self.over else ""
        self.bar(min(0.999, done), f"run {self.over + 1} of {self.left}: {words}{rest}")

    def end(self):
        """Draw what is done in the end."""
        self._draw()
        self.bar.close(f"{self.view.board.done} of {counted(self.view.board.wanted, 'run')} done")

    def _draw(self, training=None):
        self.view.show(self.experiment, self.out, self.wanted, training)


class BoardView:
    """A table of scores that is redrawn in place; without a notebook, a line whenever a run is done."""

    def __init__(self):
        self.shown, self.board = None, Board()

    def show(self, experiment, out, wanted, training=None):
        """Draw it anew; see :func:`~n2seg_utils.experiments.board.board`."""
        before, self.board = self.board, board(experiment, out, wanted, training)
        if not in_notebook():
            if self.board.done > before.done:
                print(plain(board_in_html(self.board)), flush=True)
            return
        from IPython.display import HTML, display

        drawn = HTML(box(board_in_html(self.board)))
        if self.shown is None:
            self.shown = display(drawn, display_id=True)
        else:
            self.shown.update(drawn)


def board_in_html(found):
    """A board as HTML."""
    title = f"<b>{found.done} of {found.wanted} runs done</b>"
    title += f"; {escape(found.score)}, more is better" if found.score else ""
    words = len(found.rows[0]) - sum(head.startswith("seed ") for head in found.head) - 1
    lines = ["".join(_cell(text, "th", number < 1) for number, text in enumerate(found.head))]
    lines += ["".join(_scored(cell, number < words) for number, cell in enumerate(row)) for row in found.rows]
    return f"{title}<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def table_of_runs(planned):
    """What is planned as HTML: a row for each way of training, with what differs between them."""
    rows = {}
    for one in planned:
        key = one["method"], one["noise"], one["annotated"], tuple(one["settings"].items())
        rows.setdefault(key, []).append(one)
    noisy = len({key[1] for key in rows}) > 1 or any(key[1] for key in rows)
    lines = [["", "annotated images", *(["noise added"] if noisy else []), "seeds"]]
    for key, runs in rows.items():
        told = [way(Group(*key, {}, {})), key[2] or "", *([f"{key[1]:g}"] if noisy else []), len(runs)]
        lines.append([str(cell) for cell in told])
    return _table(lines)


def means_table(means, some):
    """Means and standard deviations of the main scores as HTML; see :func:`~n2seg_utils.experiments.table.means`."""
    noisy = any(group.noise for group in some)
    dropped = {"method", *(name for group in some for name, _ in group.values), *(() if noisy else ("noise",)), *_MORE}
    rows = [
        {"": way(group)} | {name: value for name, value in row.items() if name not in dropped}
        for row, group in zip(means, some)
    ]
    return _table(cells(rows))


def _table(rows):
    lines = [
        "".join(_cell(cell, "td" if number else "th", place < 1) for place, cell in enumerate(row))
        for number, row in enumerate(rows)
    ]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _scored(cell, words):
    if words or not isinstance(cell, str):
        return _cell(cell if words else f"{cell:.3f}", "td", words)
    colour = _STATES.get(cell)
    return _cell(cell or "·", "td", False, f";color:{colour}" if colour else "")


def _cell(text, kind, left, more=""):
    return f"<{kind} style='{_CELL.format('left' if left else 'right')}{more}'>{escape(text)}</{kind}>"
