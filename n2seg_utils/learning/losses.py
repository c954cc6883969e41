"""What training minimises."""

import numpy as np
from keras import ops

from .distribution import total


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
    return total(ops.sum(error * hidden)) / ops.maximum(total(ops.sum(hidden)), 1.0)


MASKED = {"mse": masked_mse, "mae": masked_mae}


def cross_entropy(classes, logits, weights, diluted=False):
    """Weighted cross-entropy, averaged over the pixels whose class is known.

    Parameters
    ----------
    classes : tensor of int (B, Y, X) or (B, Z, Y, X)
        Negative where unknown: such pixels count for nothing, so that few annotations weigh as much as many.
    logits : tensor (B, Y, X, K) or (B, Z, Y, X, K)
    weights : sequence of K floats
        What a pixel of each class counts.
    diluted : bool
        Average over all pixels, known or not, and over no weights, as DenoiSeg does: the fewer pixels are annotated,
        the less they count.

    Returns
    -------
    tensor, scalar
    """
    truth = ops.one_hot(classes, len(weights), dtype=logits.dtype)  # all zero where negative
    weighted = truth * ops.convert_to_tensor(weights, dtype=logits.dtype)
    errors = -total(ops.sum(weighted * ops.log_softmax(logits)))
    if diluted:
        return errors / total(ops.convert_to_tensor(float(np.prod(classes.shape))))
    return errors / ops.maximum(total(ops.sum(weighted)), 1e-6)


def dice_loss(classes, logits):
    """One minus the Dice of probabilities, averaged over the classes other than background that occur; see
    :func:`cross_entropy`.

    References
    ----------
    Milletari, Navab, Ahmadi: V-Net. 3DV 2016, with sums in place of squares.
    """
    common, sums = overlaps(classes, ops.softmax(logits))
    occurs = ops.cast(sums[1] > 0, logits.dtype)[1:]
    dice = (2 * common / ops.maximum(sums[0] + sums[1], 1e-6))[1:]
    return ops.sum((1 - dice) * occurs) / ops.maximum(ops.sum(occurs), 1.0)


def overlaps(classes, probabilities):
    """What Dice is made of, per class over all pixels whose class is known.

    Returns
    -------
    common : tensor (K,)
        Summed probability where the class is right.
    sums : tensor (2, K)
        Summed probability; number of pixels of the class.
    """
    kinds = probabilities.shape[-1]
    truth = ops.reshape(ops.one_hot(classes, kinds, dtype=probabilities.dtype), (-1, kinds))
    known = ops.reshape(ops.cast(classes >= 0, probabilities.dtype), (-1, 1))
    flat = ops.reshape(probabilities, (-1, kinds)) * known
    sums = ops.stack([ops.sum(flat, axis=0), ops.sum(truth, axis=0)])
    return total(ops.sum(truth * flat, axis=0)), total(sums)


def distance_loss(distances, prediction, classes):
    """Mean squared error of distances over the pixels whose class is known.

    Parameters
    ----------
    distances, prediction : tensor (B, Y, X) or (B, Z, Y, X)
    classes : tensor of int, same shape
        Negative where unknown.
    """
    return _masked_mean(ops.square(distances - prediction), ops.cast(classes >= 0, prediction.dtype))
