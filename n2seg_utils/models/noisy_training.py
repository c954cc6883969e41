"""Training with masks of one class that may be wrong, and a threshold that does not believe them."""

from dataclasses import asdict, replace

import numpy as np

from ..data.split import Part
from ..data.targets import recognise
from ..errors import UserError
from ..learning.annotations import UNKNOWN
from ..learning.ranking import RankScore
from ..learning.segmentation import SegmentationLoss
from ..quality.dmi import levels, threshold_by_dmi
from ..settings.class_weights import parse_weights
from .annotated_data import clean_masks
from .annotated_split import CLEAN, split_annotated
from .objects import Rule
from .segment_training import SegmentWork
from .tuning import examples_of, pixel_score, plan, sizes_of, tune

_CURVE = 40  # points of it that are kept


class NoisyWork(SegmentWork):
    """A training with wrong labels; see :class:`SegmentWork`.

    It differs where the usual training believes its labels. There is no class for borders, which wrong pixels would
    fill; patches are drawn evenly, and all pixels count alike, so that probabilities are those of being drawn; the loss
    is cross-entropy, whose optimum keeps the order of pixels where labels are wrong at random, as that of the Dice loss
    does not; the best epoch is that of the best order. The threshold comes from correct masks of a few images, or from
    how much labels and prediction know of each other.

    References
    ----------
    Luo, Liu, Shi, Zheng, Wang, Yang: Deep Neural Networks Learn Meta-Structures from Noisy Labels in Semantic
    Segmentation. AAAI 2022.
    """

    tuned_on_clean = True  # whether correct masks of a few images set the threshold
    collapsed = "found nothing in the images that goes with the masks"

    def understand(self, settings, masks):
        """See :meth:`SegmentWork.understand`."""
        return replace(recognise(masks, "binary"), why="labels that may be wrong have one class")

    def split(self, settings):
        """See :meth:`SegmentWork.split`; images with a correct mask neither train nor validate."""
        clean = [mask is not None for mask in clean_masks(settings, self.images)]
        noisy = [number for number, known in enumerate(clean) if not known]
        if not noisy:
            raise UserError(
                f"Every image has a correct mask in {settings.clean_masks}, so none is left to train on. Keep a few "
                "there, or use them all as masks, with labels good"
            )
        parts = split_annotated([self.images[number] for number in noisy], self.annotate, settings)
        parts = [replace(part, image=noisy[part.image]) for part in parts]
        parts += [Part(number, CLEAN) for number, known in enumerate(clean) if known]
        return sorted(parts, key=lambda part: part.image)

    def weigh(self, settings):
        """See :meth:`SegmentWork.weigh`."""
        return super().weigh(settings) if parse_weights(settings.class_weights) else [1.0, 1.0]

    def loss(self, settings):
        """See :meth:`SegmentWork.loss`."""
        return SegmentationLoss(self.class_weights, False, False, "cross_entropy")

    @property
    def score(self):
        """A new one for each network."""
        return RankScore()

    @staticmethod
    def varied(settings, images):
        """See :meth:`SegmentWork.varied`."""
        return SegmentWork.varied(settings, images) | {"favoured": 0}

    def tune(self, on_tuning):
        """See :meth:`SegmentWork.tune`; both thresholds are written down, and the one from correct masks is used if
        there are any."""
        model = self.model
        labelled = self._examples("validate")
        if not labelled:
            return
        threshold, curve = threshold_by_dmi([(found[..., 1], truth) for found, truth in labelled])
        rule = Rule(threshold=_rounded(threshold))
        best = max(curve, key=lambda row: row["score"])
        noted = {"dmi": {"threshold": rule.threshold, "dmi": best["dmi"]}, "clean_masks": None}
        score, few = best["score"], curve[:: len(curve) // _CURVE or 1]
        table = [{name: row[name] for name in ("threshold", "score")} for row in few]
        rule = self.settled(rule, labelled)
        known = self._examples(CLEAN) if self.tuned_on_clean else []
        if known:
            tuned = self._tuned(known, rule, on_tuning)
            rule, score, table = tuned.rule, tuned.score, tuned.curve
            noted["clean_masks"] = {"threshold": rule.threshold, "iou": score}
        model.stored = rule
        model.run.write_table("tuning.csv", table)
        model.run.note(rule=asdict(rule), tuning_score=score, tuned_on=len(known or labelled), thresholds=noted)

    def settled(self, rule, labelled):
        """A rule with what else the labels of examples, (probabilities, labels), tell."""
        return rule

    def _examples(self, use):
        return list(examples_of(self.model, self.images, self.parts, self.annotate, use))

    def _tuned(self, known, start, on_tuning):
        """The best rule for correct masks."""
        found = np.concatenate([values[truth != UNKNOWN][:, 1] for values, truth in known])
        tried = sorted({start.threshold, *(_rounded(value) for value in levels(found, 2 * _CURVE))})
        usual, choices, margin = plan("binary", "border", sizes_of(known, False))
        start = replace(usual, threshold=start.threshold)
        return tune(known, self.model.find, pixel_score, start, choices | {"threshold": tried}, margin, on_tuning)


def _rounded(threshold):
    """To four digits, however small it is."""
    return float(f"{threshold:.4g}")
