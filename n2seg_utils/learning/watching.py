"""What a training tells those who watch it, and what came of it."""

from dataclasses import dataclass, field

from ..errors import UserError


@dataclass
class Outcome:
    """What came of a run.

    Attributes
    ----------
    history : list of dict
        One row an epoch: epoch, loss, val_loss, score and val_score where there are scores, learning_rate, seconds.
    best_epoch : int
        The epoch whose weights the network has now; 0 for those it started with.
    stopped : str
        "finished", "settled" (nothing got better any more), "interrupted" (by the user), "diverged" (the loss was not
        a number), "collapsed" (nothing but background was found) or "failed".
    error : UserError or None
        Why it failed.
    seconds : float
        How long it took.
    leading : bool
        It was stopped while it learned to denoise only, before to segment.
    """

    history: list = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = "finished"
    error: UserError | None = None
    seconds: float = 0.0
    leading: bool = False

    @property
    def best_score(self):
        """The best validation score of all epochs; 0 without scores."""
        return max((row.get("val_score", 0.0) for row in self.history), default=0.0)


class Watcher:
    """What a training run tells those who watch it; does nothing by itself."""

    def begin(self, plan, history):
        """Training starts, or goes on after the epochs of `history`."""

    def step(self, step, plan, seconds):
        """Step number `step` is done, `seconds` after the start."""

    def epoch(self, row, plan, preview):
        """An epoch is done; `row` is its line of the history, ``preview()`` gives pictures: name -> array (Y, X)."""

    def again(self, words):
        """Training starts once more, or goes on otherwise, for the reason that `words` give."""

    def end(self, outcome):
        """Training is over; the network has its best weights."""
