"""How close label images are to the truth: 0 is background, every object has a number of its own.

What has no objects has agreed scores: all are 1 if truth and prediction have none, and 0 if one of them has some.
"""

from .overlap import THRESHOLDS, overlap


def match(truth, prediction, threshold=0.5):
    """Pair true with predicted objects whose IoU is at least `threshold`, and count.

    Parameters
    ----------
    truth, prediction : ndarray
        Label images of one shape.
    threshold : float
        Above 0, at most 1.

    Returns
    -------
    Matching

    Raises
    ------
    ValueError
        If the shapes differ, or the threshold is out of range.

    Notes
    -----
    An object is in one pair at most. From 0.5 on there is one way to pair, but for objects cut into two halves of equal
    size; below, the most pairs are made, and among those ways the one with the largest sum of IoU is taken. Hence tp,
    fp and fn are those of ``stardist.matching.matching``. DSB2018 and DenoiSeg want an IoU above 0.5, where we also
    accept 0.5 itself; DenoiSeg leaves out images without true objects.

    References
    ----------
    Caicedo et al.: Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl. Nat Methods 16, 2019.
    Kirillov, He, Girshick, Rother, Dollár: Panoptic segmentation. CVPR 2019.

    >>> import numpy as np
    >>> found = match(np.array([1, 1, 1, 0, 2, 2]), np.array([7, 7, 0, 0, 0, 9]), threshold=0.6)
    >>> found.tp, found.fp, found.fn
    (1, 1, 1)
    """
    return overlap(truth, prediction).match(threshold)


def match_many(truth, prediction, thresholds=THRESHOLDS):
    """:func:`match` at several thresholds; the images are compared once.

    Returns
    -------
    list of Matching
    """
    found = overlap(truth, prediction)
    return [found.match(threshold) for threshold in thresholds]


def seg(truth, prediction):
    """SEG of the Cell Tracking Challenge, from 0 to 1.

    The mean over true objects of the IoU with the predicted object that covers more than half of the true one; 0 for
    objects that none covers so.

    References
    ----------
    Maška et al.: A benchmark for comparison of cell tracking algorithms. Bioinformatics 30(11), 2014.
    """
    return overlap(truth, prediction).seg()


def label_scores(truth, prediction):
    """All scores of a label image.

    Parameters
    ----------
    truth, prediction : ndarray
        Label images of one shape.

    Returns
    -------
    dict
        iou and dice of the pixels in any object; f1, precision, recall and ap50 of objects at IoU 0.5; f1_70 and f1_90,
        their F1 at IoU 0.7 and 0.9; ap, the mean of AP at IoU 0.50, 0.55 ... 0.95; seg; pq, the panoptic quality at
        IoU 0.5; true_objects and predicted_objects, their numbers.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    return overlap(truth, prediction).scores()


def object_scores(truth, prediction):
    """What became of every object.

    Parameters
    ----------
    truth, prediction : ndarray
        Label images of one shape.

    Returns
    -------
    list of dict
        A row a true object: label, size in pixels, label and size of the predicted object with the highest IoU (None
        if none touches it), that IoU, and whether it was found, at IoU 0.5. Then a row a predicted object that is
        taken for no true one: label and size are None, iou is its highest with any true object, found is False.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    return overlap(truth, prediction).objects()
