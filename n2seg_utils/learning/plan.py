"""How many steps a training takes, fixed before it starts."""

import math
import time
from dataclasses import dataclass

import keras
import numpy as np

from . import device, precision
from .rates import BETAS
from .state import values_of

EPOCHS_OF_A_TIMED_RUN = (5, 30)  # at least and at most
VALIDATION_SHARE = 0.1  # of the time, at most, if this leaves epochs enough
CALIBRATION_SECONDS, CALIBRATION_SHARE = 3.0, 0.05  # at most; the second of the time


@dataclass(frozen=True)
class Plan:
    """How many steps a run takes."""

    epochs: int
    steps_per_epoch: int
    learning_rate: float
    step_seconds: float | None = None

    @property
    def steps(self):
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


def plan_for_minutes(training, minutes, learning_rate):
    """Find out how many steps fit into `minutes`, by timing a few and taking them back.

    Compiling does not count. The weights are as before afterwards. Epochs are fewer where validation is slow for the
    time there is.

    Parameters
    ----------
    training : Lessons
    minutes : float
    learning_rate : float

    Returns
    -------
    Plan
    """
    prepare(training)
    # Dropout counts its draws in variables that are no weights.
    variables = training.network.variables + training.optimizer.variables
    before = values_of(variables)
    training.optimizer.learning_rate = learning_rate
    pace = validation = 0.0
    phases, limit = training.phases(), min(CALIBRATION_SECONDS, CALIBRATION_SHARE * minutes * 60)
    try:
        for share, enter in phases:
            enter()
            step, check = _measured(training, limit / len(phases))
            pace, validation = pace + share * step, validation + share * check
    finally:
        for variable, value in zip(variables, before):
            variable.assign(value)
    seconds, (fewest, most) = minutes * 60, EPOCHS_OF_A_TIMED_RUN
    epochs = min(max(fewest, int(VALIDATION_SHARE * seconds / validation)), most)
    total = max(epochs, int((seconds - epochs * validation) / pace))
    return Plan(epochs, math.ceil(total / epochs), learning_rate, pace)


def _measured(training, limit):
    """Seconds that a step takes, and a validation, when both are compiled."""
    take_step(training, 0)
    validate(training)
    validation = -time.perf_counter()
    validate(training)
    validation += time.perf_counter()
    seconds = []
    while not seconds or sum(seconds) < limit:
        seconds.append(-time.perf_counter())
        take_step(training, len(seconds))
        seconds[-1] += time.perf_counter()
    return sum(seconds) / len(seconds), validation


def prepare(training):
    """Compile a training, with Adam as its optimiser, unless it has one that has taken no step yet."""
    if training.compiled and not int(keras.ops.convert_to_numpy(training.optimizer.iterations)):
        return
    optimizer = keras.optimizers.Adam(beta_1=BETAS[0], beta_2=BETAS[1])
    if precision.computes_in(training.network) == "float16":  # in which small gradients would vanish
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    training.compile(optimizer, jit_compile=device.backend() == "jax")
    optimizer.build(training.trainable_variables)


def take_step(training, number):
    """Take one step; returns the means of loss and score since they were last reset."""
    with training.adding_up():
        return training.train_on_batch(np.array([number], "int32"), return_dict=True)


def validate(training):
    """Loss and score of the validation patches, which are the same every time."""
    training.reset_metrics()
    with training.adding_up():  # evaluate() would wait for its own input, up to as long again as it computes
        for number in range(training.validation_steps):
            found = training.test_on_batch(np.array([number], "int32"), return_dict=True)
    return found
