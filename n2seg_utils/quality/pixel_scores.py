"""How close classes of pixels are to the truth. What occurs in neither image scores 1, what occurs in one only, 0."""

import numpy as np

PIXEL_SCORES = ("iou", "dice", "precision", "recall")


def class_scores(truth, prediction, classes):
    """Scores of images whose values are classes of pixels.

    Parameters
    ----------
    truth, prediction : ndarray
        Of one shape.
    classes : iterable of int
        The values to score.

    Returns
    -------
    dict
        iou, dice, precision, recall: means over the classes that occur in either image (1 if none does); per_class:
        class -> the same four scores, or None for a class that occurs in neither.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    return mean_class_scores(class_pixels(truth, prediction), classes)


def class_pixels(truth, prediction):
    """Pixels of each value that occurs: value -> ndarray of their numbers in truth, in prediction, and in both."""
    truth, prediction = alike(truth, prediction)
    # Of each image for itself, since uint64 and int64 together would become floats.
    values = [np.unique(image, return_inverse=True) for image in (truth.ravel(), prediction.ravel())]
    known = sorted({int(value) for found, _ in values for value in found})
    place = {value: index for index, value in enumerate(known)}
    true, predicted = (np.array([place[int(value)] for value in found], int)[index] for found, index in values)
    counts = [np.bincount(one, minlength=len(known)) for one in (true, predicted, true[true == predicted])]
    return dict(zip(known, np.transpose(counts)))


def mean_class_scores(pixels, classes):
    """:func:`class_scores` from the result of :func:`class_pixels`, which may be a sum over images."""
    classes = [int(value) for value in classes]
    per_class = {value: pixel_scores(pixels[value]) if np.any(pixels.get(value, 0)) else None for value in classes}
    present = [scores for scores in per_class.values() if scores]
    means = {name: float(np.mean([scores[name] for scores in present])) if present else 1.0 for name in PIXEL_SCORES}
    return means | {"per_class": per_class}


def pixel_scores(pixels):
    """IoU, Dice, precision and recall of pixels.

    Parameters
    ----------
    pixels : (int, int, int)
        Pixels in the truth, in the prediction, in both.

    Returns
    -------
    dict
        iou, dice, precision, recall.
    """
    true, predicted, both = (int(count) for count in pixels)
    total = true + predicted
    return {
        "iou": share(both, total - both, total),
        "dice": share(2 * both, total, total),
        "precision": share(both, predicted, total),
        "recall": share(both, true, total),
    }


def alike(truth, prediction):
    """Both as arrays; raises a ValueError if their shapes differ."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError(
            f"The truth has the shape {truth.shape}, the prediction {prediction.shape}; they must be equal"
        )
    return truth, prediction


def share(part, whole, anything):
    """part / whole; 1 where there is not anything, 0 where there is but the whole is empty."""
    if not anything:
        return 1.0
    return float(part / whole) if whole else 0.0


def runs(truth, prediction):
    """Neighbouring pixels that have the same two labels, as one: the labels, and how many pixels they are.

    Objects are some pixels wide, so that there is far less to sort. What is background in both is left out.
    """
    truth, prediction = truth.ravel(), prediction.ravel()
    if not truth.size:
        return truth, prediction, np.zeros(0, "int64")
    changes = np.flatnonzero((truth[1:] != truth[:-1]) | (prediction[1:] != prediction[:-1])) + 1
    begins = np.concatenate([[0], changes])
    lengths = np.diff(begins, append=truth.size)
    truth, prediction = truth[begins], prediction[begins]
    occupied = (truth != 0) | (prediction != 0)
    return truth[occupied], prediction[occupied], lengths[occupied]
