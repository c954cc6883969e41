"""Which objects of two label images share pixels, and which of them are the same object."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from .pixel_scores import alike, pixel_scores, runs, share

# Fractions rounded once: an IoU of 3/5 reaches 0.6, but not the 0.6000000000000001 that np.arange would give.
THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))
# F1 is told at stricter thresholds too, as papers about nuclei do.
STRICT = {"f1_70": THRESHOLDS.index(0.7), "f1_90": THRESHOLDS.index(0.9)}


class Matching(NamedTuple):
    """Objects found (tp), predicted without being there (fp) and missed (fn), and what follows from their numbers.

    Attributes
    ----------
    threshold : float
        IoU from which on a predicted object is taken for a true one.
    tp, fp, fn : int
    precision, recall, f1 : float
        tp / (tp + fp); tp / (tp + fn); 2 tp / (2 tp + fp + fn).
    ap : float
        tp / (tp + fp + fn): "average precision" in DSB2018 and DenoiSeg, "accuracy" in stardist.
    panoptic_quality : float
        Sum of the IoU of found objects / (tp + fp / 2 + fn / 2).
    mean_iou : float
        Mean IoU of found objects.
    """

    threshold: float
    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    ap: float
    panoptic_quality: float
    mean_iou: float


def matching(threshold, tp, fp, fn, sum_iou):
    """A Matching from its numbers and the sum of the IoU of found objects, which may be those of many images."""
    total = tp + fp + fn
    return Matching(
        threshold,
        tp,
        fp,
        fn,
        precision=share(tp, tp + fp, total),
        recall=share(tp, tp + fn, total),
        f1=share(2 * tp, 2 * tp + fp + fn, total),
        ap=share(tp, total, total),
        panoptic_quality=share(sum_iou, tp + fp / 2 + fn / 2, total),
        mean_iou=share(sum_iou, tp, total),
    )


@dataclass(frozen=True)
class Overlap:
    """The objects of truth and prediction, and the pairs of them that share pixels; made by :func:`overlap`.

    Attributes
    ----------
    true_labels, predicted_labels : ndarray (objects,)
        Their numbers in the label images, ascending.
    true_sizes, predicted_sizes : ndarray (objects,)
        Their pixels.
    true, predicted : ndarray (pairs,)
        The two objects of a pair, as indices into the above.
    shared : ndarray (pairs,)
        Pixels they share.
    """

    true_labels: np.ndarray
    true_sizes: np.ndarray
    predicted_labels: np.ndarray
    predicted_sizes: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    shared: np.ndarray

    @property
    def iou(self):
        """Intersection over union of each pair."""
        return self.shared / (self.true_sizes[self.true] + self.predicted_sizes[self.predicted] - self.shared)

    def matched(self, threshold=0.5):
        """For each pair, whether its predicted object is taken for its true one."""
        if not 0 < threshold <= 1:
            raise ValueError(f"The threshold of the IoU is {threshold}, but must be above 0 and at most 1")
        iou = self.iou
        candidates = np.flatnonzero(iou >= threshold)
        true, predicted = self.true[candidates], self.predicted[candidates]
        # From 0.5 on hardly a candidate has a rival, so that hardly any have to be compared.
        rival = (np.bincount(true)[true] > 1) | (np.bincount(predicted)[predicted] > 1)
        chosen = ~rival
        chosen[rival] = _best_pairs(true[rival], predicted[rival], iou[candidates[rival]])
        return np.isin(np.arange(len(iou)), candidates[chosen])

    def match(self, threshold=0.5):
        """See :func:`~n2seg_utils.quality.label_scores.match`."""
        chosen = self.matched(threshold)
        tp = int(chosen.sum())
        fp, fn = len(self.predicted_labels) - tp, len(self.true_labels) - tp
        return matching(threshold, tp, fp, fn, float(self.iou[chosen].sum()))

    def seg(self):
        """See :func:`~n2seg_utils.quality.label_scores.seg`."""
        covered = 2 * self.shared > self.true_sizes[self.true]
        return share(self.iou[covered].sum(), len(self.true_labels), len(self.true_labels) + len(self.predicted_labels))

    def pixels(self):
        """Pixels of all true objects, of all predicted objects, and of both at once."""
        return np.array([self.true_sizes.sum(), self.predicted_sizes.sum(), self.shared.sum()])

    def splits(self):
        """Which true objects are split: two or more predicted objects together cover more than half of one, and each of
        these lies in it with more than half of its own pixels.

        Returns
        -------
        ndarray
            Indices into `true_labels`.

        Notes
        -----
        Over-segmentation as Hoover et al. define it, with T just above 50 %. An object counts whether or not it is
        found at IoU 0.5, and however small a piece is: splits and merges explain false and missed objects, and are no
        further kinds beside them.

        References
        ----------
        Hoover et al.: An experimental comparison of range image segmentation algorithms. IEEE TPAMI 18(7), 1996.
        """
        inside = 2 * self.shared > self.predicted_sizes[self.predicted]
        pieces = np.bincount(self.true[inside], minlength=len(self.true_labels))
        covered = _sums(self.true[inside], self.shared[inside], len(self.true_labels))
        return np.flatnonzero((pieces > 1) & (2 * covered > self.true_sizes))

    def merges(self):
        """Which predicted objects are merged: they cover more than half of each of two or more true objects.

        Returns
        -------
        ndarray
            Indices into `predicted_labels`.

        Notes
        -----
        The objects that must be split to repair a result, in the measure of the Cell Tracking Challenge. Hoover et al.
        also want the true ones to cover most of the predicted one, so that a blob over half an image would be no merge.

        References
        ----------
        Matula et al.: Cell tracking accuracy measurement based on comparison of acyclic oriented graphs. PLoS ONE
        10(12), 2015.
        """
        covered = 2 * self.shared > self.true_sizes[self.true]
        return np.flatnonzero(np.bincount(self.predicted[covered], minlength=len(self.predicted_labels)) > 1)

    def matchings(self):
        """The Matching at each of ``THRESHOLDS``."""
        return [self.match(threshold) for threshold in THRESHOLDS]

    def scores(self, matchings=None):
        """See :func:`~n2seg_utils.quality.label_scores.label_scores`; `matchings` where they are known already."""
        matchings = matchings or self.matchings()
        half, foreground = matchings[0], pixel_scores(self.pixels())
        return {
            "iou": foreground["iou"],
            "dice": foreground["dice"],
            "f1": half.f1,
            **{name: matchings[place].f1 for name, place in STRICT.items()},
            "precision": half.precision,
            "recall": half.recall,
            "ap50": half.ap,
            "ap": float(np.mean([one.ap for one in matchings])),
            "seg": self.seg(),
            "pq": half.panoptic_quality,
            "true_objects": len(self.true_labels),
            "predicted_objects": len(self.predicted_labels),
        }

    def objects(self):
        """See :func:`~n2seg_utils.quality.label_scores.object_scores`."""
        iou, found = self.iou, self.matched()
        # The partner of a true object comes first, even before another half as large as itself.
        order = np.lexsort((self.predicted, ~found, -iou, self.true))
        best = dict(zip(self.true[order[::-1]], order[::-1]))
        rows = []
        for index, (label, size) in enumerate(zip(self.true_labels, self.true_sizes)):
            pair = best.get(index)
            row = _object_row(int(label), int(size))
            if pair is not None:
                row |= self._about(self.predicted[pair]) | {"iou": float(iou[pair]), "found": bool(found[pair])}
            rows.append(row)
        nearest = np.zeros(len(self.predicted_labels))
        np.maximum.at(nearest, self.predicted, iou)
        alone = np.setdiff1d(np.arange(len(self.predicted_labels)), self.predicted[found])
        return rows + [_object_row() | self._about(index) | {"iou": float(nearest[index])} for index in alone]

    def _about(self, index):
        return {
            "predicted_label": int(self.predicted_labels[index]),
            "predicted_size": int(self.predicted_sizes[index]),
        }


def overlap(truth, prediction):
    """Count the pixels that true and predicted objects share.

    Parameters
    ----------
    truth, prediction : ndarray
        Label images of one shape, of any number of dimensions; no negative values.

    Returns
    -------
    Overlap

    Raises
    ------
    ValueError
        If the shapes differ, or a label is negative.
    """
    truth, prediction, lengths = runs(*alike(truth, prediction))
    true_labels, true = _numbered(truth)
    predicted_labels, predicted = _numbered(prediction)
    # One number a pair, that no pair shares with another. Background has the index -1.
    width = len(predicted_labels) + 1
    pairs, pair = np.unique((true + 1) * width + predicted + 1, return_inverse=True)
    shared = _sums(pair, lengths, len(pairs))
    true, predicted = pairs // width - 1, pairs % width - 1
    sizes = [_sums(true, shared, len(true_labels)), _sums(predicted, shared, len(predicted_labels))]
    both = (true >= 0) & (predicted >= 0)
    return Overlap(true_labels, sizes[0], predicted_labels, sizes[1], true[both], predicted[both], shared[both])


def joined(overlaps):
    """The overlap of several images taken as one: equal numbers in different images are different objects.

    Parameters
    ----------
    overlaps : list of Overlap
    """
    fields = [np.concatenate(parts) for parts in zip(*(vars(one).values() for one in overlaps))]
    pairs = [len(one.shared) for one in overlaps]
    for field, name in ((4, "true_labels"), (5, "predicted_labels")):
        before = np.cumsum([0] + [len(getattr(one, name)) for one in overlaps[:-1]])
        fields[field] = fields[field] + np.repeat(before, pairs)
    return Overlap(*fields)


def _numbered(values):
    """The labels that occur, without background, and each value's index into them; -1 for background."""
    labels, index = np.unique(values, return_inverse=True)
    if labels.size and labels[0] < 0:
        raise ValueError(f"The label {labels[0]} is negative; objects have numbers from 1, background is 0")
    first = int(labels.size > 0 and labels[0] == 0)
    return labels[first:], index - first


def _sums(index, counts, number):
    """Sum of `counts` for each index from 0 to `number`; the index -1 is left out."""
    sums = np.zeros(number + 1, "int64")
    np.add.at(sums, index + 1, counts)
    return sums[1:]


def _best_pairs(true, predicted, iou):
    """Which candidates to choose so that no object is chosen twice: as many as can be, with the largest sum of IoU.

    A sparse linear assignment. Every true object may also stay alone, in a column of its own that costs more than a
    pair; IoU is scaled down so that all of it together weighs less than one pair.
    """
    if not len(true):
        return np.zeros(0, bool)
    rows = np.unique(true, return_inverse=True)[1]
    count, width = rows.max() + 1, predicted.max() + 1
    alone = np.arange(count)
    costs = np.concatenate([2 - iou / (count + 1), np.full(count, 3.0)])
    where = np.concatenate([rows, alone]), np.concatenate([predicted, width + alone])
    chosen = np.full(count, -1)
    row, column = min_weight_full_bipartite_matching(csr_array((costs, where), shape=(count, width + count)))
    chosen[row] = column
    return chosen[rows] == predicted


def _object_row(label=None, size=None):
    return {"label": label, "size": size, "predicted_label": None, "predicted_size": None, "iou": 0.0, "found": False}
