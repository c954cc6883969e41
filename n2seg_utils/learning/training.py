"""The training loop: watched, and stopped at any moment without loss."""

import math
import time

import keras

from ..errors import Terminated, UserError
from ..interrupts import Interrupts
from . import device
from .plan import prepare, take_step, validate
from .rates import cosine, successive
from .state import State, networks, remembered, sums_of, values_of
from .watching import Outcome, Watcher

_OFTEN = 120.0  # seconds between two states that are kept within an epoch
_HALVINGS = 3  # of the learning rate
_TRIES = 30  # of one step: loss scaling repeats a step whose gradients were too large for float16, at half the scale
# A score below this, when so much of the training and so many steps are done, means that the network says background
# everywhere; before, batch normalisation may not even know the images' mean.
_NOTHING, _ENOUGH, _STEPS, _FEWEST = 0.01, 0.2, 100, 20


class OutOfMemory(Exception):  # noqa: N818, it is no error yet: a smaller batch may do
    """The device has not enough memory for a batch.

    Attributes
    ----------
    state : State
        From which a training with smaller batches can go on.
    """

    def __init__(self, state):
        super().__init__("the device has not enough memory for a batch")
        self.state = state


def train(
    training, plan, watcher=None, on_epoch=None, preview=dict, refills=(), trained=False, patience=None, begin=None,
    keep=None,
):  # fmt: skip
    """Train, keeping the weights of the best epoch: that with the lowest validation loss, or the highest score.

    A loss that is not a number is taken back: training goes on from the last epoch that was good, at half the rate.

    Parameters
    ----------
    training : Lessons
        If it has a metric called "score", that is what counts.
    plan : Plan
        The learning rate falls along a cosine over exactly the planned steps.
    watcher : Watcher, optional
    on_epoch : callable, optional
        ``on_epoch(row, is_best)`` after each epoch, before the watcher: the place to write files.
    preview : callable
        Handed to the watcher.
    refills : sequence of callable
        ``refill(training, epoch)`` before each epoch but the first: other pixels, where not all fit in memory.
    trained : bool
        The network is worth something already: should no epoch be better than it is now, its weights are kept.
    patience : int, optional
        End when so many epochs in a row were no better.
    begin : State, optional
        Go on from there.
    keep : callable, optional
        ``keep(state)`` after each epoch, every two minutes, and when the training is stopped.

    Returns
    -------
    Outcome
        An interrupt (the notebook's stop button, Ctrl-C) ends training early and is not an error.

    Raises
    ------
    Terminated
        When the system ends the process; the state has been kept.
    OutOfMemory
        When a batch does not fit on the device.
    """
    return _Loop(training, plan, watcher or Watcher(), on_epoch, preview, refills, patience, keep).run(trained, begin)


class _Diverged(Exception):  # noqa: N818
    """A loss is not a number."""


class _Loop:
    """One training: where it is, and what it has found so far."""

    def __init__(self, training, plan, watcher, on_epoch, preview, refills, patience, keep):
        self.training, self.plan, self.watcher, self.refills = training, plan, watcher, refills
        self.on_epoch, self.preview, self.patience = on_epoch, preview, patience or math.inf
        self.keep = keep or (lambda state: None)
        self.outcome, self.history = Outcome(), []
        self.best_epoch, self.least_cost, self.best = 0, math.inf, None
        self.halvings, self.earlier, self.started = 0, 0.0, None
        self.of_epoch = None  # means over the training steps of an epoch, while it is being validated
        self.lead = None  # epochs whose scores mean nothing yet
        self.under_way = False
        self.interrupts = Interrupts()
        training.steps = plan.steps

    def run(self, trained, begin):
        """See :func:`train`."""
        began, before = time.perf_counter(), begin.seconds if begin else 0.0
        prepare(self.training)
        self.lead = self.training.begin(self.plan, begin.lead == 0 if begin else trained)
        self.lead = begin.lead if begin else self.lead
        self.kept = time.perf_counter()
        self.good = begin
        self.watcher.begin(self.plan, begin.history if begin else [])
        try:
            with self.interrupts:
                self._learn(begin, trained)
        except KeyboardInterrupt as stop:
            self._end("interrupted")
            if isinstance(stop, Terminated):  # there is no time for anything else
                raise
        except UserError as error:  # images that are streamed can no longer be read
            self._end("failed", error)
        except Exception as error:
            if device.is_out_of_memory(error):
                raise OutOfMemory(self.good) from error
            raise
        self.outcome.history, self.outcome.best_epoch = self.history, self.best_epoch
        self.outcome.leading = self.best_epoch <= (self.lead or 0) > 0
        self.outcome.seconds = before + time.perf_counter() - began
        if self.best is not None:
            self.training.network.set_weights(self.best)
        self.watcher.end(self.outcome)
        return self.outcome

    def _learn(self, begin, trained):
        if begin:
            self._go_on(begin)
        elif trained:
            self._best(_cost(validate(self.training)))
        self.good, self.under_way = self._state(), True
        if self.history:  # it may have been stopped after its last epoch
            self._end_early(self.history[-1])
        while self.outcome.stopped == "finished" and len(self.history) < self.plan.epochs:
            self.interrupts.check()
            self._epoch_or_roll_back()

    def _epoch_or_roll_back(self):
        try:
            self._epoch()
        except _Diverged:
            if self.halvings == _HALVINGS:
                self.outcome.stopped = "diverged"
                return
            state, self.good.halvings = self.good, self.halvings + 1
            self._go_on(state)
            rate = self.plan.learning_rate / 2**self.halvings
            where = f"after epoch {len(self.history)}" if self.history else "at its beginning"
            self.watcher.again(
                f"The training became unstable. It goes on from where it was {where}, with half the learning rate "
                f"({rate:.2g})."
            )

    def _epoch(self):
        """Train to the end of an epoch, and validate."""
        training, number = self.training, len(self.history)
        if number:
            for refill in self.refills:
                refill(training, number)
        first, last = (n * self.plan.steps_per_epoch for n in (number, number + 1))
        training.begin_epoch(number, self.lead or 0, self.step == first)
        if self.step == first:
            training.reset_metrics()
        tries, before = 0, self.step
        while (step := self.step) < last:
            tries, before = (tries + 1 if step == before else 1), step
            training.optimizer.learning_rate = self._rate(step)
            self._check(take_step(training, step))
            if tries > _TRIES:
                raise _Diverged
            self.started = self.started or time.perf_counter()  # the first step holds the compilation
            self.watcher.step(step + 1, self.plan, self._seconds())
            self.interrupts.check()
            if time.perf_counter() - self.kept > _OFTEN:
                self._keep(self._state())
        logs = {name: float(value) for name, value in training.get_metrics_result().items()}
        self.of_epoch = sums_of(training)
        validated = validate(training)
        self._check(validated)
        self._complete(logs | {f"val_{name}": float(value) for name, value in validated.items()})

    def _complete(self, logs):
        """Note what an epoch brought, and keep what must not be lost."""
        row = {
            "epoch": len(self.history) + 1,
            "loss": logs["loss"],
            "val_loss": logs["val_loss"],
            **{name: logs[name] for name in ("score", "val_score") if name in logs},
            "learning_rate": self._rate(self.step),
            "seconds": round(self._seconds(), 3),
        }
        leading = row["epoch"] <= (self.lead or 0)
        cost = math.inf if leading else _cost(logs, "val_")
        is_best = leading or cost < self.least_cost + self.training.tolerance
        if is_best:
            self._best(cost, row["epoch"])
        self.history, self.of_epoch = [*self.history, row], None
        self.good = self._state()
        self._keep(self.good)
        if self.on_epoch:
            self.on_epoch(row, is_best)
        self.watcher.epoch(row, self.plan, self.preview)
        self._end_early(row)

    def _end_early(self, row):
        lead, last = self.lead or 0, row["epoch"] == self.plan.epochs
        epoch, steps = row["epoch"] - lead, self.step - lead * self.plan.steps_per_epoch
        if epoch <= 0:
            return
        begun = epoch >= _ENOUGH * (self.plan.epochs - lead) and steps >= _STEPS
        if "val_score" in row and (begun or (last and steps >= _FEWEST)) and 1 - self.least_cost < _NOTHING:
            self.outcome.stopped = "collapsed"
        elif row["epoch"] - max(self.best_epoch, lead) >= self.patience and not last:
            self.outcome.stopped = "settled"

    def _end(self, stopped, error=None):
        """End before the end, keeping where the training is."""
        self.outcome.stopped, self.outcome.error = stopped, error
        state = self._state() if self.under_way else None
        state = state if state and state.finite else self.good
        if state:
            self._keep(state)

    def _best(self, cost, epoch=0):
        self.least_cost, self.best_epoch = min(cost, self.least_cost), epoch
        self.best = self.training.network.get_weights()

    def _rate(self, step):
        """The learning rate of a step."""
        rate, lead = self.plan.learning_rate / 2**self.halvings, (self.lead or 0) * self.plan.steps_per_epoch
        return successive(cosine(rate, lead), lead, cosine(rate, self.plan.steps - lead), self.training.others)(step)

    def _go_on(self, state):
        """Be where another state was."""
        self.halvings = state.halvings
        self.history, self.best_epoch, self.least_cost = list(state.history), state.best_epoch, state.least_cost
        self.best, self.of_epoch = state.best, None
        self.earlier, self.started = state.seconds, None
        self.under_way = False
        state.into(self.training)
        self.under_way = True

    def _state(self):
        training = self.training
        return State(
            self.step, self.history, self.best_epoch, self.least_cost, self.lead, self.halvings, self._seconds(),
            values_of(networks(training)), values_of(remembered(training.optimizer)),
            self.of_epoch or sums_of(training), self.best,
        )  # fmt: skip

    @property
    def step(self):
        """Steps done, as the optimiser counts them: an interrupt may come between a step and whatever follows it."""
        return int(keras.ops.convert_to_numpy(self.training.optimizer.iterations))

    def _seconds(self):
        return self.earlier + (time.perf_counter() - self.started if self.started else 0.0)

    def _keep(self, state):
        self.keep(state)
        self.kept = time.perf_counter()

    def _check(self, logs):
        if not math.isfinite(logs["loss"]):
            raise _Diverged


def _cost(logs, prefix=""):
    """What the best epoch has least of: the loss, or a score's distance from 1."""
    score = logs.get(f"{prefix}score")
    return float(logs[f"{prefix}loss"]) if score is None else 1 - float(score)
