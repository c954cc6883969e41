"""What training minimises."""

from keras import ops


def masked_mse(target, prediction, hidden):
    """Mean squared error over the hidden pixels only.

    Parameters
    ----------
    target, prediction, hidden : tensor (B, Y, X, C)
        `hidden` is 1 on the pixels that count and 0 elsewhere.

    Returns
    -------
    tensor, scalar
    """
    squared = ops.square(target - prediction) * hidden
    return ops.sum(squared) / ops.maximum(ops.sum(hidden), 1.0)
