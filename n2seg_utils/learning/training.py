"""The training loop: how long, how fast, watched, and stopped without loss."""

import math
import time
from dataclasses import dataclass, field

import keras
import numpy as np

from ..errors import UserError
from . import device

VALIDATION_STEPS = 4
EPOCHS_OF_A_TIMED_RUN = 30
CALIBRATION_SECONDS = 3.0
# A score below this, when so much of the training and so many steps are done, means that the network says background
# everywhere; before, batch normalisation may not even know the images' mean.
_NOTHING, _ENOUGH, _STEPS, _FEWEST = 0.01, 0.2, 100, 20


@dataclass(frozen=True)
class Plan:
    """How many steps a run takes, fixed before it starts."""

    epochs: int
    steps_per_epoch: int
    learning_rate: float
    step_seconds: float | None = None

    @property
    def steps(self):
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


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
    """

    history: list = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = "finished"
    error: UserError | None = None
    seconds: float = 0.0

    @property
    def best_score(self):
        """The best validation score of all epochs; 0 without scores."""
        return max((row.get("val_score", 0.0) for row in self.history), default=0.0)


class Watcher:
    """What a training run tells those who watch it; does nothing by itself."""

    def begin(self, plan):
        """Training starts, after the first step was compiled."""

    def step(self, step, plan, seconds):
        """Step number `step` is done, `seconds` after the start."""

    def epoch(self, row, plan, preview):
        """An epoch is done; `row` is its line of the history, ``preview()`` gives pictures: name -> array (Y, X)."""

    def again(self, words):
        """Training starts once more, for the reason that `words` give."""

    def end(self, outcome):
        """Training is over; the network has its best weights."""


def plan_for_minutes(training, minutes, learning_rate):
    """Find out how many steps fit into `minutes`, by timing a few and taking them back.

    Compiling does not count. The weights are as before afterwards.

    Parameters
    ----------
    training : keras.Model
        Fed with step numbers, like :class:`~n2seg_utils.learning.noise2void.Noise2VoidTraining`.
    minutes : float
    learning_rate : float

    Returns
    -------
    Plan
    """
    # Dropout counts its draws in variables that are no weights.
    before = [(variable, keras.ops.convert_to_numpy(variable)) for variable in training.network.variables]
    training.compile(keras.optimizers.Adam(learning_rate), jit_compile=device.backend() == "jax")
    _run(training, 1)
    _validate(training)
    validation = -time.perf_counter()
    _validate(training)
    validation += time.perf_counter()
    watch, count = _Stopwatch(), 4
    while sum(watch.seconds) < min(CALIBRATION_SECONDS, minutes * 6):
        _run(training, count, watch)
        count *= 2
    for variable, value in before:
        variable.assign(value)
    pace = sum(watch.seconds) / len(watch.seconds)
    available = minutes * 60 - EPOCHS_OF_A_TIMED_RUN * validation
    total = max(EPOCHS_OF_A_TIMED_RUN, int(available / pace))
    return Plan(EPOCHS_OF_A_TIMED_RUN, math.ceil(total / EPOCHS_OF_A_TIMED_RUN), learning_rate, pace)


def train(training, plan, watcher=None, on_epoch=None, preview=dict, callbacks=(), trained=False, patience=None):
    """Train, keeping the weights of the best epoch: that with the lowest validation loss, or the highest score.

    Parameters
    ----------
    training : keras.Model
        Fed with step numbers; its ``network`` holds the weights. If it has a metric called "score", that is what
        counts; its ``validation_steps``, if any, are how many batches are validated on. Of epochs whose scores differ
        by less than its ``tolerance``, if any, the last is kept: what the score does not see gets better all the time.
    plan : Plan
        The learning rate falls along a cosine over exactly the planned steps.
    watcher : Watcher, optional
    on_epoch : callable, optional
        ``on_epoch(row, is_best)`` after each epoch, before the watcher: the place to write files.
    preview : callable
        Handed to the watcher.
    callbacks : sequence of keras.callbacks.Callback
    trained : bool
        The network is worth something already: should no epoch be better than it is now, its weights are kept.
    patience : int, optional
        End when so many epochs in a row were no better.

    Returns
    -------
    Outcome
        An interrupt (the notebook's stop button, Ctrl-C) ends training early and is not an error.
    """
    warmup = min(20, plan.steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 10 if warmup else plan.learning_rate,
        max(1, plan.steps - warmup),
        alpha=0.01,
        warmup_target=plan.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    training.compile(keras.optimizers.Adam(schedule), jit_compile=device.backend() == "jax")
    training.steps = plan.steps
    bookkeeper = _Bookkeeper(plan, watcher or Watcher(), on_epoch, preview, patience)
    started = time.perf_counter()
    if trained:
        bookkeeper.keep(_cost(_validate(training)), training.network)
    steps = ((np.array([step], "int32"),) for step in range(plan.steps))
    try:
        training.fit(
            steps,
            epochs=plan.epochs,
            steps_per_epoch=plan.steps_per_epoch,
            validation_data=(_validation_steps(training),),
            validation_batch_size=1,
            shuffle=False,
            callbacks=[*callbacks, bookkeeper],
            verbose=0,
        )
    except KeyboardInterrupt:
        bookkeeper.outcome.stopped = "interrupted"
    except UserError as error:  # images that are streamed can no longer be read
        bookkeeper.outcome.stopped, bookkeeper.outcome.error = "failed", error
    bookkeeper.outcome.seconds = time.perf_counter() - started
    return bookkeeper.finish()


class Refill(keras.callbacks.Callback):
    """Gives each epoch other blocks of images that do not fit in memory.

    Parameters
    ----------
    stream : object
        ``blocks(epoch)`` returns the images of an epoch, always of the same sizes.
    sampler : str
        What the training calls the sampler that draws from them.
    """

    def __init__(self, stream, sampler="patches"):
        super().__init__()
        self.stream, self.sampler = stream, sampler

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            getattr(self.model, self.sampler).refill(self.stream.blocks(epoch))


class _Bookkeeper(keras.callbacks.Callback):
    """Keeps the history and the best weights, and tells the watcher."""

    def __init__(self, plan, watcher, on_epoch, preview, patience):
        super().__init__()
        self.patience = patience or math.inf
        self.plan, self.watcher, self.on_epoch_done, self.preview = plan, watcher, on_epoch, preview
        self.outcome = Outcome()
        self.least_cost, self.best_weights = math.inf, None
        self.steps, self.started = 0, None

    def on_train_begin(self, logs=None):
        self.watcher.begin(self.plan)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.started is None:  # the first step holds the compilation
            self.started = time.perf_counter()
        self.watcher.step(self.steps, self.plan, time.perf_counter() - self.started)

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "epoch": epoch + 1,
            "loss": float(logs["loss"]),
            "val_loss": float(logs["val_loss"]),
            **{name: float(logs[name]) for name in ("score", "val_score") if name in logs},
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "seconds": round(time.perf_counter() - self.started, 3),
        }
        if not (math.isfinite(row["loss"]) and math.isfinite(row["val_loss"])):
            self.outcome.stopped = "diverged"
            self.model.stop_training = True
            return
        self.outcome.history.append(row)
        cost = _cost(logs, "val_")
        is_best = cost < self.least_cost + getattr(self.model, "tolerance", 0)
        if is_best:
            self.keep(cost, self.model.network)
            self.outcome.best_epoch = row["epoch"]
        if self.on_epoch_done:
            self.on_epoch_done(row, is_best)
        self.watcher.epoch(row, self.plan, self.preview)
        self._end_early(row["epoch"])

    def _end_early(self, epoch):
        scored, last = "val_score" in self.outcome.history[-1], epoch == self.plan.epochs
        begun = epoch >= _ENOUGH * self.plan.epochs and self.steps >= _STEPS
        if scored and (begun or (last and self.steps >= _FEWEST)) and 1 - self.least_cost < _NOTHING:
            self.outcome.stopped = "collapsed"
        elif epoch - self.outcome.best_epoch >= self.patience and not last:
            self.outcome.stopped = "settled"
        if self.outcome.stopped != "finished":  # others may have asked for the end too
            self.model.stop_training = True

    def keep(self, cost, network):
        """Remember the weights as the best so far."""
        self.least_cost, self.best_weights = min(cost, self.least_cost), network.get_weights()

    def finish(self):
        if self.best_weights is not None:
            self.model.network.set_weights(self.best_weights)
        self.watcher.end(self.outcome)
        return self.outcome


class _Stopwatch(keras.callbacks.Callback):
    """Times each step but the first of a ``fit``, which carries what starting costs."""

    def __init__(self):
        super().__init__()
        self.seconds, self.last = [], None

    def on_train_begin(self, logs=None):
        self.last = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.last is not None:
            self.seconds.append(now - self.last)
        self.last = now


def _run(training, steps, *callbacks):
    training.fit(np.arange(steps, dtype="int32"), batch_size=1, shuffle=False, verbose=0, callbacks=list(callbacks))


def _validate(training):
    return training.evaluate(_validation_steps(training), batch_size=1, verbose=0, return_dict=True)


def _validation_steps(training):
    return np.arange(getattr(training, "validation_steps", VALIDATION_STEPS), dtype="int32")


def _cost(logs, prefix=""):
    """What the best epoch has least of: the loss, or a score's distance from 1."""
    score = logs.get(f"{prefix}score")
    return float(logs[f"{prefix}loss"]) if score is None else 1 - float(score)
