"""Progress that a person can watch, and that is plain text when nobody is there.

After a reload of the tab JupyterLab shows it as it was when the notebook was saved, while the training goes on unseen.
"""

import contextlib
import shutil
import sys
import time
from html import escape

from ..learning.training import Watcher
from ..quality import plots
from . import runtime
from .boxes import warn

_EVERY = 1.0  # seconds between two drawings of the bar
_PICTURE_EVERY = 4.0
_LINE_EVERY = 60.0  # seconds without a line after which one is printed where there is no terminal
_WIDTH = 20  # of the bar in a terminal
_listeners = []  # who is told how far work is that is part of longer work; see aside


@contextlib.contextmanager
def aside(file, listen):
    """Meanwhile, all that work tells is plain lines in a file, and how far it is goes to a function.

    Parameters
    ----------
    file : text file
    listen : callable
        ``listen(share, words)``; each training, tuning and prediction begins with a share of 0 again.
    """
    _listeners.append(listen)
    try:
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            yield
    finally:
        _listeners.pop()


def watcher():
    """The training watcher that fits the place we are in."""
    return text_watcher() if runtime.place() == "headless" else NotebookWatcher()


def text_watcher():
    """The training watcher for a shell: with a bar in a terminal, with plain lines in a file of a cluster."""
    if _listeners:
        return _ListeningWatcher(_listeners[-1])
    return TerminalWatcher() if sys.stdout.isatty() else TextWatcher()


def bar(title):
    """A progress function ``update(share, words)`` for other long work."""
    if _listeners:
        return _ListeningBar(title, _listeners[-1])
    if runtime.place() == "headless":
        return _TerminalBar(title) if sys.stdout.isatty() else _TextBar(title)
    return _NotebookBar(title)


def duration(seconds):
    """Seconds in words: 45 s, 3 min 20 s, 2 h 5 min."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _best(outcome):
    """Which weights were kept, in words."""
    done = len(outcome.history)
    if done and outcome.leading:
        return "It had learned to denoise only: what it finds means nothing yet. Train again to go on."
    if done and not outcome.best_epoch:
        return "No epoch was better than the model it started from, which is kept: train longer, or from the beginning."
    return f"Best of {done} epochs: number {outcome.best_epoch}." if done else ""


def _measured(row):
    """How good an epoch was, in words."""
    return f"score {row['val_score']:.3f}" if row.get("val_score") else f"loss {row['val_loss']:.4g}"


def _where(step, plan, seconds, history):
    """How far a training is, in words; `history` may be empty."""
    rate = (step - 1) / seconds if seconds > 0 and step > 1 else 0
    left = f"{duration((plan.steps - step) / rate)} left" if rate else ""
    loss = _measured(history[-1]) if history else ""
    epoch = f"epoch {min(plan.epochs, (step - 1) // plan.steps_per_epoch + 1)} of {plan.epochs}"
    words = [epoch, f"{rate:.1f} steps/s" if rate else "", loss, left]
    return ", ".join(w for w in words if w)


class NotebookWatcher(Watcher):
    """A bar with the time left, the loss curve, and a crop before and after, redrawn in place."""

    def begin(self, plan, history):
        self.history = list(history)
        self.bar = _NotebookBar("Training")
        self.bar(len(history) / plan.epochs, "the first step takes longest: the network is being compiled")
        self.picture, self.drawn = None, 0.0

    def step(self, step, plan, seconds):
        self.bar(step / plan.steps, _where(step, plan, seconds, self.history))

    def epoch(self, row, plan, preview):
        self.history.append(row)
        last = row["epoch"] == plan.epochs
        if last or time.perf_counter() - self.drawn > _PICTURE_EVERY:
            self._draw(preview())
            self.drawn = time.perf_counter()

    def again(self, words):
        warn(escape(words))

    def end(self, outcome):
        words = {
            "finished": "finished.",
            "settled": "ended early, because nothing got better any more.",
            "collapsed": "was stopped: the network found nothing but background.",
            "interrupted": "stopped by you. The best weights so far are kept, and the next cells work.",
            "diverged": "became unstable again and again, and was stopped; the best weights so far are kept. "
            "Try a smaller learning rate.",
            "failed": f"could not go on: {outcome.error}. The best weights so far are kept.",
        }[outcome.stopped]
        self.bar.close(" ".join([words, _best(outcome)]).strip())

    def _draw(self, preview):
        from IPython.display import Image, display

        picture = Image(plots.to_png(plots.progress_picture(self.history, preview)))
        if self.picture is None:
            self.picture = display(picture, display_id=True)
        else:
            self.picture.update(picture)


class TextWatcher(Watcher):
    """One line an epoch, and no more than about thirty of them; within long epochs a line a minute."""

    def begin(self, plan, history):
        self.history, self.said = list(history), time.perf_counter()
        if history:
            self._say(f"Training goes on in epoch {len(history) + 1} of {plan.epochs}")
            return
        pace = f" at about {plan.step_seconds:.2f} s a step" if plan.step_seconds else ""
        self._say(f"Training for {plan.steps} steps in {plan.epochs} epochs{pace}")

    def step(self, step, plan, seconds):
        if time.perf_counter() - self.said > _LINE_EVERY:
            self._say(f"  step {step} of {plan.steps}  {_where(step, plan, seconds, self.history)}")

    def epoch(self, row, plan, preview):
        self.history.append(row)
        every = max(1, plan.epochs // 30)
        if row["epoch"] % every and row["epoch"] != plan.epochs:
            return
        left = row["seconds"] / row["epoch"] * (plan.epochs - row["epoch"])
        losses = f"loss {row['loss']:.4f}  validation {row['val_loss']:.4f}"
        score = f"  score {row['val_score']:.3f}" if row.get("val_score") else ""
        self._say(f"  epoch {row['epoch']:3d} of {plan.epochs}  {losses}{score}  {duration(left)} left")

    def again(self, words):
        self._say(words)

    def end(self, outcome):
        why = f": {outcome.error}" if outcome.error else ""
        self._say(f"Training {outcome.stopped}{why}. {_best(outcome)}")

    def _say(self, words):
        print(words, flush=True)
        self.said = time.perf_counter()


class TerminalWatcher(TextWatcher):
    """The same lines, and below them a bar."""

    def begin(self, plan, history):
        self.bar = _TerminalBar("Training")
        super().begin(plan, history)

    def step(self, step, plan, seconds):
        self.bar(step / plan.steps, _where(step, plan, seconds, self.history))

    def _say(self, words):
        self.bar.clear()
        super()._say(words)


class _ListeningWatcher(TextWatcher):
    """The same lines, and a function that is told of each step."""

    def __init__(self, listen):
        self.listen = listen

    def step(self, step, plan, seconds):
        self.listen(step / plan.steps, f"training, {_where(step, plan, seconds, self.history)}")
        super().step(step, plan, seconds)


class _NotebookBar:
    def __init__(self, title):
        self.title, self.shown, self.drawn, self.started = title, None, 0.0, time.perf_counter()

    def __call__(self, share, words=""):
        if share < 1 and time.perf_counter() - self.drawn < _EVERY:
            return
        self.drawn = time.perf_counter()
        percent = f"{100 * share:.0f}"
        self._show(
            f'<div style="max-width:640px"><b>{escape(self.title)}</b> {percent} %'
            '<div style="background:rgba(128,128,128,.25);height:10px;border-radius:5px;margin:4px 0">'
            f'<div style="background:#0072b2;width:{percent}%;height:10px;border-radius:5px"></div></div>'
            f'<span style="opacity:.8">{escape(words)}</span></div>'
        )

    def close(self, words):
        spent = duration(time.perf_counter() - self.started)
        self._show(f"<div><b>{escape(self.title)}</b>: {escape(words)} ({spent})</div>")

    def _show(self, html):
        from IPython.display import HTML, display

        if self.shown is None:
            self.shown = display(HTML(html), display_id=True)
        else:
            self.shown.update(HTML(html))


class _TextBar:
    def __init__(self, title):
        self.title, self.printed = title, -1

    def __call__(self, share, words=""):
        tenth = int(share * 10)
        if tenth > self.printed:
            self.printed = tenth
            print(f"{self.title}: {100 * share:.0f} %  {words}", flush=True)

    def close(self, words):
        print(f"{self.title}: {words}", flush=True)


class _ListeningBar(_TextBar):
    """The same lines, and a function that is told of each."""

    def __init__(self, title, listen):
        super().__init__(title)
        self.listen = listen

    def __call__(self, share, words=""):
        self.listen(share, self.title.lower())
        super().__call__(share, words)


class _TerminalBar:
    """A bar in the last line of a terminal, drawn over itself."""

    def __init__(self, title):
        self.title, self.drawn, self.shown = title, 0.0, False

    def __call__(self, share, words=""):
        if time.perf_counter() - self.drawn < _EVERY and share < 1:
            return
        self.drawn, done = time.perf_counter(), round(share * _WIDTH)
        line = f"{self.title} [{'#' * done}{'.' * (_WIDTH - done)}] {100 * share:.0f} %  {words}"
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:{width}}", end="", flush=True)
        self.shown = True

    def clear(self):
        """Leave the line to others."""
        if self.shown:
            print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="", flush=True)
        self.shown = False

    def close(self, words):
        self.clear()
        print(f"{self.title}: {words}", flush=True)
