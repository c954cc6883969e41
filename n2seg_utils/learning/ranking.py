"""A score that wrong labels leave in order."""

import keras
from keras import ops

from .distribution import total

_BINS, _FAR = 512, 16.0  # of the difference of logits, from -16 to 16


class RankScore(keras.metrics.Metric):
    """How well foreground is ranked above background: 2 AUC - 1, which is 0 by chance and 1 at best.

    Where labels are wrong at random, alike in all pixels of a class, it is that with the right labels times a constant,
    and needs no threshold: with a tenth of the foreground drawn, no pixel's probability of being drawn is above 0.5.

    References
    ----------
    Menon, van Rooyen, Ong, Williamson: Learning from corrupted binary labels via class-probability estimation. ICML
    2015.
    """

    def __init__(self, name="score"):
        super().__init__(name=name)
        self.counts = self.add_variable((2, _BINS), initializer="zeros", name="counts")

    def update_state(self, classes, logits):
        """Count one batch.

        Parameters
        ----------
        classes : tensor of int (B, Y, X) or (B, Z, Y, X)
            0 background, 1 foreground, negative unknown.
        logits : tensor, with two channels more
        """
        rank = (ops.cast(logits[..., 1] - logits[..., 0], "float32") + _FAR) / (2 * _FAR)
        place = ops.cast(ops.clip(rank * _BINS, 0, _BINS - 1), "int32")
        place = ops.reshape(ops.where(classes >= 0, classes * _BINS + place, 2 * _BINS), (-1,))
        ones = ops.ones_like(place, dtype="float32")
        counts = ops.segment_sum(ones, place, num_segments=2 * _BINS + 1)[:-1]
        self.counts.assign_add(total(ops.reshape(counts, (2, _BINS))))

    def result(self):
        """A number between 0 and 1; ranks that say the opposite are 0, too."""
        background, foreground = self.counts[0], self.counts[1]
        below = ops.cumsum(background) - background / 2
        pairs = ops.sum(background) * ops.sum(foreground)
        auc = ops.sum(foreground / ops.maximum(pairs, 1.0) * below)
        return ops.where(pairs > 0, ops.maximum(2 * auc - 1, 0.0), 0.0)
