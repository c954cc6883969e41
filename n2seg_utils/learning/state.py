"""All that a training is at one moment, so that it can go on from there as if it had never stopped."""

import math
from dataclasses import dataclass, field

import keras
import numpy as np

from ..errors import UserError
from . import distribution


@dataclass
class State:
    """Where a training is.

    Attributes
    ----------
    step : int
        Steps done. What a batch holds follows from the seed and the number of the step, so nothing else is needed to
        draw the same batches again.
    history : list of dict
        A row for each epoch that is complete.
    best_epoch : int
    least_cost : float
        What the best epoch has least of.
    lead : int or None
        Epochs at the beginning whose scores mean nothing; see
        :meth:`~n2seg_utils.learning.joint.JointTraining.begin`.
    halvings : int
        How often the learning rate was halved because the training became unstable.
    seconds : float
        Spent so far.
    network, optimizer, metrics : list of ndarray
        Values of all variables of the network (and of its teacher), of the optimiser, and of the means over the epoch
        that is not complete.
    best : list of ndarray or None
        Weights of the best epoch.
    """

    step: int = 0
    history: list = field(default_factory=list)
    best_epoch: int = 0
    least_cost: float = math.inf
    lead: int | None = None
    halvings: int = 0
    seconds: float = 0.0
    network: list = field(default_factory=list)
    optimizer: list = field(default_factory=list)
    metrics: list = field(default_factory=list)
    best: list | None = None

    @property
    def finite(self):
        """Whether all weights are numbers."""
        return all(np.isfinite(values).all() for values in self.network if values.dtype.kind == "f")

    def into(self, training):
        """Put the values into a training that is compiled.

        Raises
        ------
        UserError
            If they are of another network.
        """
        devices = distribution.devices()
        for variables, values in (
            (networks(training), self.network),
            (remembered(training.optimizer), self.optimizer),
            (training.metrics_variables, [value * devices for value in self.metrics]),
        ):
            if [tuple(v.shape) for v in variables] != [np.shape(value) for value in values]:
                raise UserError(
                    "The training that was stopped had another network than settings.yaml says. Restore that file, or "
                    "train anew into another run folder"
                )
            for variable, value in zip(variables, values):
                variable.assign(value)


def networks(training):
    """The variables of the network, and of its teacher if it has one."""
    teacher = training.teacher
    return training.network.variables + (teacher.variables if teacher else [])


def remembered(optimizer):
    """The variables of an optimiser, but not its learning rate, which follows from the step."""
    return [variable for variable in optimizer.variables if variable is not optimizer.learning_rate]


def sums_of(training):
    """The values of the metrics' variables, which are sums; each device adds to them what all have found."""
    return [value / distribution.devices() for value in values_of(training.metrics_variables)]


def values_of(variables):
    """The values of variables, as arrays of their own."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
