"""Segmentation without labels: what the network finds is spoiled, and is what it learns from next."""

import keras
import numpy as np

from .segmentation import SegmentationTraining

_ROUNDS = 3


class UnlabelledTraining(SegmentationTraining):
    """Trains a network in rounds, each with labels that the network of the round before has found.

    Labels are spoiled before they are learned from, so that the network takes over what they have in common, not their
    mistakes. The network at the beginning of a round is kept as the teacher, so that a training that was stopped goes
    on with the same labels.

    Parameters
    ----------
    network, patches, validation_patches, seed, loss, score
        See :class:`~n2seg_utils.learning.segmentation.SegmentationTraining`. Annotations are a first guess, twice: the
        first of both will be exchanged.
    find : callable
        ``find(network, image, guess)`` gives the classes that a network finds in a scaled image (Y, X, C), or (Z, Y, X,
        C).
    spoil : callable
        ``spoil(classes, key)`` gives spoiled ones; the same for the same key, a tuple of int.
    """

    def __init__(self, network, patches, validation_patches, seed, loss, score, find, spoil):
        super().__init__(network, patches, validation_patches, seed, loss, score)
        self.find, self.spoil, self.rounds, self.epochs = find, spoil, 1, 1

    def begin(self, plan, worth=False):
        """See :meth:`Lessons.begin`."""
        self.epochs, self.rounds = plan.epochs, min(_ROUNDS, plan.epochs)
        if self.rounds > 1 and self.teacher is None:
            self.teacher = keras.models.clone_model(self.network)
            self.teacher.trainable = False

    def begin_epoch(self, number, lead, fresh):
        """See :meth:`Lessons.begin_epoch`: with the first of a round labels are found anew."""
        now = self._round(number)
        if now and fresh and now != self._round(number - 1):
            self.teacher.set_weights(self.network.get_weights())

        def labels(place, image, known):
            guess = known[..., 1]
            found = self.find(self.teacher, image, guess) if now else guess
            return np.stack([self.spoil(found, (self.seed, now, place)), guess], axis=-1)

        self.patches.relabel(labels, now)

    def _round(self, epoch):
        return epoch * self.rounds // self.epochs
