"""What training minimises."""

from keras import ops


def masked_mse(target, prediction, hidden):
    """Mean squared error over the hidden pixels only: what is learned is the mean of the possible values.

    Parameters
    ----------
    target, prediction, hidden : tensor (B, Y, X, C) or (B, Z, Y, X, C)
        `hidden` is 1 on the pixels that count and 0 elsewhere.

    Returns
    -------
    tensor, scalar
    """
    return _masked_mean(ops.square(target - prediction), hidden)


def masked_mae(target, prediction, hidden):
    """Mean absolute error over the hidden pixels only: what is learned is their median; see :func:`masked_mse`."""
    return _masked_mean(ops.abs(target - prediction), hidden)


def _masked_mean(error, hidden):
    return ops.sum(error * hidden) / ops.maximum(ops.sum(hidden), 1.0)


MASKED = {"mse": masked_mse, "mae": masked_mae}
