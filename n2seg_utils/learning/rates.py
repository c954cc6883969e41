"""Learning rates that fall along a cosine."""

import keras
from keras import ops


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
    """One schedule for so many steps, then another from its beginning."""

    def __init__(self, first, steps, second):
        self.first, self.steps, self.second = first, steps, second

    def __call__(self, step):
        return ops.where(step < self.steps, self.first(step), self.second(ops.maximum(step - self.steps, 0)))
