"""Segmentation as a Keras model whose input is the number of the step."""

import keras
from keras import ops

from .annotations import border_classes
from .distribution import share, shared_loss
from .lessons import Lessons
from .losses import cross_entropy, dice_loss, distance_loss, overlaps
from .seeds import StepSeed

_DISTANCE_WEIGHT = 4.0


class SegmentationLoss:
    """How wrong a network is about annotated pixels: cross-entropy, Dice loss or both, and the error of distances.

    Parameters
    ----------
    weights : sequence of K floats
        What a pixel of each class counts in the cross-entropy.
    objects : bool
        Whether annotations are object numbers, from which background, inside and border are made, or classes.
    distance : bool
        Whether annotations hold distances too, which the network's last output learns.
    kind : str
        "cross_entropy", "dice" or "both"; or "published", for comparison: cross-entropy averaged over all pixels, known
        or not, as DenoiSeg has it.
    """

    def __init__(self, weights, objects, distance=False, kind="both"):
        self.weights, self.objects, self.distance, self.kind = tuple(weights), objects, distance, kind

    @property
    def kinds(self):
        """Number of classes."""
        return len(self.weights)

    def __call__(self, known, prediction):
        """The loss of a batch.

        Parameters
        ----------
        known : tensor (B, Y, X, A) or (B, Z, Y, X, A)
            Annotations: object or class numbers, negative where unknown; then distances, if any.
        prediction : tensor (B, Y, X, K) or (B, Z, Y, X, K)
            Logits; then distances, if any.

        Returns
        -------
        tensor, scalar
        """
        classes, logits, loss = self.classes(known), prediction[..., : self.kinds], 0.0
        if self.kind != "dice":
            loss = loss + cross_entropy(classes, logits, self.weights, diluted=self.kind == "published")
        if self.kind in ("dice", "both"):
            loss = loss + dice_loss(classes, logits)
        if self.distance:
            loss = loss + _DISTANCE_WEIGHT * distance_loss(known[..., 1], prediction[..., -1], classes)
        return loss

    def classes(self, known):
        """The class of each pixel, int32; negative where unknown."""
        if self.objects:
            return border_classes(known[..., :1])[..., 0]
        return ops.cast(known[..., 0], "int32")


class SegmentationTraining(Lessons):
    """Trains a network to tell the classes of pixels.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, K), logits of K classes, followed by the distance if there is one.
    patches, validation_patches : AnnotatedSampler
    seed : int
    loss : SegmentationLoss
    score : keras.metrics.Metric, optional
        Of (classes, logits), called "score"; default: :class:`Score`.
    """

    def __init__(self, network, patches, validation_patches, seed, loss, score=None):
        super().__init__(name="segmentation")
        self.network = network
        self.patches, self.validation_patches = patches, validation_patches
        self.seed, self.error = seed, loss
        self.score = score or Score(loss.kinds)
        self.built = True

    def call(self, step, training=False):
        """Predict the patches of one step; returns (prediction, annotations)."""
        sampler = self.patches if training else self.validation_patches
        image, known = share(*sampler.draw(StepSeed(self.seed, step[0], stream=sampler.stream)))
        return self.network(image, training=training), known

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """See :class:`SegmentationLoss`."""
        prediction, known = y_pred
        return shared_loss(self.error(known, prediction))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The loss, and the score of what the network says."""
        prediction, known = y_pred
        self.score.update_state(self.error.classes(known), prediction[..., : self.error.kinds])
        return self.get_metrics_result()


class Score(keras.metrics.Metric):
    """Mean Dice of the classes other than background that occur, over all pixels of an epoch, each counted as the
    class that the network finds most likely."""

    def __init__(self, kinds, name="score"):
        super().__init__(name=name)
        self.common = self.add_variable((kinds,), initializer="zeros", name="common")
        self.total = self.add_variable((2, kinds), initializer="zeros", name="total")

    def update_state(self, classes, logits):
        """Count one batch."""
        decided = ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="float32")
        common, total = overlaps(classes, decided)
        self.common.assign_add(common)
        self.total.assign_add(total)

    def result(self):
        """A number between 0 and 1."""
        dice = (2 * self.common / ops.maximum(self.total[0] + self.total[1], 1.0))[1:]
        occurs = ops.cast(self.total[1] > 0, "float32")[1:]
        return ops.sum(dice * occurs) / ops.maximum(ops.sum(occurs), 1.0)
