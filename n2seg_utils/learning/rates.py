"""Learning rates that fall along a cosine: functions of the step, counted from 0."""

import math

BETAS = 0.9, 0.999  # of Adam: how slowly its means follow gradients and their squares
_LEAST = 0.01  # of the highest rate, at the end


def cosine(rate, steps):
    """A rate that rises for some steps, and falls along a cosine over the rest of so many.

    References
    ----------
    Loshchilov, Hutter: SGDR - Stochastic Gradient Descent with Warm Restarts. ICLR 2017, equation 5.
    """
    warmup = min(20, steps // 10)
    falling = max(1, steps - warmup)

    def at(step):
        if step < warmup:
            return rate * (0.1 + 0.9 * step / warmup)
        done = min(1.0, (step - warmup) / falling)
        return rate * (_LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * done)) / 2)

    return at


def successive(first, steps, second, others=False):
    """One rate for so many steps, then another from its beginning.

    Parameters
    ----------
    first, second : callable
    steps : int
        Of the first.
    others : bool
        Other weights are taught by the second. Adam's means of their gradients begin at zero then, for which it
        corrects by its count of all steps: too little, so that steps would be up to six times too large.
    """

    def at(step):
        if step < steps:
            return first(step)
        later = step - steps
        due = _correction(later) / _correction(step) if others else 1.0
        return second(later) * due

    return at


def _correction(step):
    """What Adam multiplies its rate by: its means begin at zero (Kingma and Ba, ICLR 2015, section 3)."""
    return math.sqrt(1 - BETAS[1] ** (step + 1)) / (1 - BETAS[0] ** (step + 1))
