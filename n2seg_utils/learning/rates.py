"""Learning rates that fall along a cosine."""

import keras
from keras import ops

BETAS = 0.9, 0.999  # of Adam: how slowly its means follow gradients and their squares


def cosine(rate, steps):
    """A rate that rises for some steps, and falls along a cosine over the rest of so many."""
    warmup = min(20, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        rate / 10 if warmup else rate,
        max(1, steps - warmup),
        alpha=0.01,
        warmup_target=rate if warmup else None,
        warmup_steps=warmup,
    )


class InTurn(keras.optimizers.schedules.LearningRateSchedule):
    """One schedule for so many steps, then another from its beginning.

    Parameters
    ----------
    first, second : LearningRateSchedule
    steps : int
        Of the first.
    others : bool
        Other weights are taught by the second. Adam's means of their gradients begin at zero then, for which it
        corrects by its count of all steps: too little, so that steps would be up to six times too large.
    """

    def __init__(self, first, steps, second, others=False):
        self.first, self.steps, self.second, self.others = first, steps, second, others

    def __call__(self, step):
        later = ops.maximum(step - self.steps, 0)
        due = _correction(later) / _correction(step) if self.others else 1.0
        return ops.where(step < self.steps, self.first(step), self.second(later) * due)


def _correction(step):
    """What Adam multiplies its rate by: its means begin at zero (Kingma and Ba, ICLR 2015, section 3)."""
    count = ops.cast(step, "float32") + 1
    return ops.sqrt(1 - ops.power(BETAS[1], count)) / (1 - ops.power(BETAS[0], count))
