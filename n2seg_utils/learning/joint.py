"""Denoising and segmentation with one network, as a Keras model whose input is the number of the step."""

import keras
from keras import ops

from .annotations import UNKNOWN
from .distribution import share, shared_loss
from .lessons import Lessons
from .losses import cross_entropy, masked_mse
from .seeds import StepSeed
from .segmentation import Score

# In Dice: the score is of few images, and says nothing of denoising, which goes on improving (after 1600 steps on
# DSB2018 with noise 20: 31.9 dB at the epoch of the best score, 32.7 dB at the last, with equal AP).
_TOLERANCE = 0.01
_LEAD = 0.5  # share of the steps in which "teacher" learns to denoise alone; they take less than half as long as others
# What is left to learn from the teacher is a small part of the noise, in units of which errors are measured: with 20
# objects were found better than with 100, and images denoised as well (benchmarks/README.md).
_TEACHING = 20.0
_PSEUDO = 0.15, 0.35  # shares of the training: pseudo-labels count nothing before the first, all from the second on
_SURE = 0.9  # probability from which on they count


class JointTraining(Lessons):
    """Trains a network to denoise and to segment: few annotations go further where the noise teaches the rest.

    Each batch has two parts, in a set proportion. Patches of annotated images teach to segment; patches of all images,
    annotated or not, teach to denoise, and are never warped: neighbouring pixels would share noise, which Noise2Void
    would then learn to keep. What the network is sure of in these, when it sees them whole, it also learns to find
    where pixels are hidden (pseudo-labels).

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C + K), or with Z before Y: the denoised channels, then what `loss` asks for.
    annotated : (AnnotatedSampler, AnnotatedSampler)
        For training and for validation.
    noisy : (PatchSampler, PatchSampler)
        Likewise, of all images.
    hide : BlindSpots
    seed : int
    loss : SegmentationLoss
    weight : float
        What denoising counts, between 0 and 1; segmentation counts the rest. Both errors are means over the pixels they
        are of, so that the weight means the same whatever share is annotated.
    schedule : str
        How the weight changes, see :func:`weight_at`; or "teacher": Noise2Void alone for half of the steps, then both,
        while a copy of what the network is then, its teacher, says of whole patches how they are denoised. Masks teach
        much faster than noise: without a teacher they spoil what noise has taught.
    spread : float
        Variance of the images as the network sees them; the denoising error is measured in units of it.
    pseudo : float
        What pseudo-labels count, in units of what annotations do.

    References
    ----------
    Buchholz, Prakash, Schmidt, Krull, Jug: DenoiSeg - Joint Denoising and Segmentation. ECCV Workshops 2020. Sohn et
    al.: FixMatch - Simplifying Semi-Supervised Learning with Consistency and Confidence. NeurIPS 2020. Li, Hoiem:
    Learning without Forgetting. ECCV 2016 (the teacher).
    """

    leading, taught = False, False  # whether it learns to denoise alone; whether the teacher, a copy, teaches

    def __init__(
        self, network, annotated, noisy, hide, seed, loss, weight=0.5, schedule="constant", spread=1.0, pseudo=0.0
    ):
        super().__init__(name="joint")
        self.network, self.hide, self.seed, self.error = network, hide, seed, loss
        self.patches, self.validation_patches = annotated
        self.noisy, self.validation_noisy = noisy
        self.weight, self.schedule, self.spread, self.pseudo = weight, schedule, spread, pseudo
        self.tolerance = _TOLERANCE
        self.score = Score(loss.kinds)
        self.built = True

    def begin(self, plan, worth=False):
        """See :meth:`Lessons.begin`: first it learns to denoise alone, unless it can and is its own teacher already."""
        self.retrace()  # the graphs hold the number of steps, which is known now
        lead = 0 if worth else int(_LEAD * plan.epochs)
        if self.schedule != "teacher" or not (lead or worth):
            self.teacher, self.taught = None, False
            return None
        self._hire()
        return lead

    def begin_epoch(self, number, lead, fresh):
        """See :meth:`Lessons.begin_epoch`."""
        if self.teacher is None:
            return
        if number == lead and fresh:
            self.teacher.set_weights(self.network.get_weights())
        self._enter(number < lead)

    def phases(self):
        """See :meth:`Lessons.phases`."""
        if self.schedule != "teacher":
            return [(1.0, lambda: None)]
        self._hire()
        return [(_LEAD, lambda: self._enter(True)), (1 - _LEAD, lambda: self._enter(False))]

    def _hire(self):
        if self.teacher is None:
            self.teacher = keras.models.clone_model(self.network)
            self.teacher.trainable = False

    def _enter(self, leading):
        """Learn to denoise alone, or both; that are two graphs."""
        if (self.leading, self.taught) != (leading, not leading):
            self.leading, self.taught = leading, not leading
            self.retrace()

    def call(self, step, training=False):
        """Predict the patches of one step.

        Returns
        -------
        denoised, target, hidden : tensor (B, Y, X, C)
            Of the patches that teach to denoise.
        logits, known : tensor or None
            Of the annotated patches; see :class:`~n2seg_utils.learning.segmentation.SegmentationLoss`. None while it
            learns to denoise alone.
        done : tensor
            How much of the training is done; 1 in validation.
        own : (tensor, tensor) or None
            Logits of the patches that teach to denoise, with hidden pixels and without.
        """
        annotated = self.patches if training else self.validation_patches
        noisy = self.noisy if training else self.validation_noisy
        seeds = StepSeed(self.seed, step[0], stream=noisy.stream)
        target = noisy.draw(seeds)
        target, masked, hidden = share(target, *self.hide(target, seeds))
        whole = target
        if self.leading:
            denoised = self.network(masked, training=training)[..., : target.shape[-1]]
            return denoised, target, hidden, None, None, 0.0, None
        image, known = share(*annotated.draw(StepSeed(self.seed, step[0], stream=annotated.stream)))
        if self.taught and training:
            masked, hidden = target, ops.ones_like(target)
            target = self._lesson(target, seeds)
        answer = self.network(ops.concatenate([image, masked]), training=training)
        count, channels = image.shape[0], image.shape[-1]
        done, own = 1.0, None
        if training:
            done = ops.cast(step[0], "float32") / self.steps
        if training and self.pseudo:
            sure = ops.stop_gradient(self.network(whole, training=False))
            own = answer[count:, ..., channels:], sure[..., channels:]
        return answer[count:, ..., :channels], target, hidden, answer[:count, ..., channels:], known, done, own

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The errors of denoising and of segmentation, weighted."""
        denoised, target, hidden, logits, known, done, own = y_pred
        denoising = masked_mse(target, denoised, hidden) / self.spread
        if self.leading:
            return shared_loss(denoising)
        if self.taught and training:
            denoising = _TEACHING * denoising
        weight = weight_at(done, self.weight, self.schedule)
        segmenting = self.error(known, logits)
        if own:
            kinds, sooner, later = self.error.kinds, *_PSEUDO
            trust = self.pseudo * ops.clip((done - sooner) / (later - sooner), 0.0, 1.0)
            classes = pseudo_labels(own[1][..., :kinds])
            segmenting = segmenting + trust * cross_entropy(classes, own[0][..., :kinds], self.error.weights)
        return shared_loss(weight * denoising + (1 - weight) * segmenting)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The loss, and the Dice of what the network would decide."""
        logits, known = y_pred[3:5]
        if not self.leading:
            self.score.update_state(self.error.classes(known), logits[..., : self.error.kinds])
        return self.get_metrics_result()

    def _lesson(self, patches, seeds):
        """What the teacher says of patches, turned in a way of their own.

        What it says of one patch turned in all ways is better on average than any of it; so is what is learned from it.
        """
        heads, axis = keras.random.uniform((3,), seed=seeds) < 0.5, len(patches.shape) - 3
        # In ways only in which it has seen patches.
        ways = [lambda x: ops.flip(x, axis), lambda x: ops.flip(x, axis + 1)] if self.noisy.flip else []
        ways += [lambda x: ops.swapaxes(x, axis, axis + 1)] if self.noisy.flip and self.noisy.turn else []

        def turned(x, ways):
            for head, way in ways:
                x = ops.where(head, way(x), x)
            return x

        chosen = [(heads[number], way) for number, way in enumerate(ways)]
        answer = self.teacher(turned(patches, chosen), training=False)[..., : patches.shape[-1]]
        return ops.stop_gradient(turned(answer, chosen[::-1]))


class PublishedTraining(JointTraining):
    """Trains as DenoiSeg does, for comparison.

    Patches come from all images alike, so that few of them are annotated; pixels are hidden in all of them, each
    teaches to denoise, and those that are annotated to segment too.

    Parameters
    ----------
    annotated : (AnnotatedSampler, AnnotatedSampler)
        Of all images; the classes of those without annotation are unknown.
    loss : SegmentationLoss
        Of the kind "published", which is averaged over all pixels, known or not.
    network, hide, seed, weight, schedule, spread
        See :class:`JointTraining`.
    """

    def __init__(self, network, annotated, hide, seed, loss, weight=0.5, schedule="constant", spread=1.0):
        super().__init__(network, annotated, (None, None), hide, seed, loss, weight, schedule, spread)

    def call(self, step, training=False):
        """See :meth:`JointTraining.call`."""
        sampler = self.patches if training else self.validation_patches
        seeds = StepSeed(self.seed, step[0], stream=sampler.stream)
        target, known = sampler.draw(seeds)
        target, known, masked, hidden = share(target, known, *self.hide(target, seeds))
        answer, channels = self.network(masked, training=training), target.shape[-1]
        done = ops.cast(step[0], "float32") / self.steps if training else 1.0
        return answer[..., :channels], target, hidden, answer[..., channels:], known, done, None


def pseudo_labels(logits):
    """The likeliest class of each pixel (..., K) where it is sure enough, else -1 (unknown); int32."""
    sure = ops.max(ops.softmax(logits), axis=-1) > _SURE
    return ops.where(sure, ops.cast(ops.argmax(logits, axis=-1), "int32"), UNKNOWN)


def weight_at(share, weight, schedule):
    """What denoising counts when some share of the training is done.

    Parameters
    ----------
    share : tensor, scalar
        Between 0 and 1.
    weight : float
        What it counts in the end.
    schedule : str
        "constant"; "denoise_first": 1 at the beginning, falling along a line until the training is half done; "ramp":
        0 at the beginning, rising as long.

    Returns
    -------
    tensor, scalar
    """
    done = ops.minimum(2.0 * share, 1.0)
    if schedule == "denoise_first":
        return 1 - (1 - weight) * done
    return weight * done if schedule == "ramp" else weight
