"""What all trainings have in common for the loop that trains."""

import contextlib

import keras


class Lessons(keras.Model):
    """A training as a Keras model that is fed with step numbers; its ``network`` holds the weights.

    Drawing patches, the network and the loss are one graph, so that a GPU never waits for Python, and what a step does
    is a function of the run's seed and its number only.

    Attributes
    ----------
    validation_steps : int
        How many batches are validated on.
    tolerance : float
        Of epochs whose scores differ by less, the last is kept: what the score does not see gets better all the time.
    steps : int
        Of the whole training, once that is planned.
    others : bool
        Whether other weights are taught when scores mean something than before.
    teacher : keras.Model or None
        A network beside the one that learns, which is kept with it.
    """

    validation_steps, tolerance, steps, others, teacher = 4, 0.0, 1, False, None
    _adding_up = False

    def begin(self, plan, worth=False):
        """Get ready for a training.

        Parameters
        ----------
        plan : Plan
        worth : bool
            The network is worth something already.

        Returns
        -------
        int or None
            Epochs at the beginning whose scores mean nothing; None if all do mean something.
        """
        return

    def begin_epoch(self, number, lead, fresh):
        """Get ready for epoch `number`, counted from 0, when the scores of the first `lead` mean nothing.

        Parameters
        ----------
        number, lead : int
        fresh : bool
            No step of this epoch was taken before.
        """

    def phases(self):
        """What steps are there, for those who measure how long they take: (share of the steps, what begins them)."""
        return [(1.0, lambda: None)]

    def retrace(self):
        """Make the graphs of training and validation anew: something that they hold has changed."""
        self.make_train_function(force=True)
        self.make_test_function(force=True)

    @contextlib.contextmanager
    def adding_up(self):
        """A context in which the means of loss and score go on: newer versions of Keras begin them anew each batch."""
        self._adding_up = True
        try:
            yield
        finally:
            self._adding_up = False

    def reset_metrics(self):
        """Begin the means of loss and score anew."""
        if not self._adding_up:
            super().reset_metrics()
