"""Denoising and segmentation with one network, as a Keras model whose input is the number of the step."""

import keras
from keras import ops

from .losses import masked_mse
from .seeds import StepSeed
from .segmentation import Score

_APART = 10  # from the random numbers of annotated patches to those of what is hidden of them


class JointTraining(keras.Model):
    """Trains a network to denoise and to segment: few annotations go further where the noise teaches the rest.

    Each batch has two parts, in a set proportion. Patches of annotated images teach to segment; patches of all images,
    annotated or not, teach to denoise, and are never warped: neighbouring pixels would share noise, which Noise2Void
    would then learn to keep. So that the network does not tell the parts apart, and answers one question only of each,
    pixels are hidden in both, and some of the annotated patches are left as they are too (see
    :class:`~n2seg_utils.learning.annotated_patches.Variation`).

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
        How the weight changes; see :func:`weight_at`.
    spread : float
        Variance of the images as the network sees them; the denoising error is measured in units of it.

    References
    ----------
    Buchholz, Prakash, Schmidt, Krull, Jug: DenoiSeg - Joint Denoising and Segmentation. ECCV Workshops 2020.
    """

    def __init__(self, network, annotated, noisy, hide, seed, loss, weight=0.5, schedule="constant", spread=1.0):
        super().__init__(name="joint")
        self.network, self.hide, self.seed, self.error = network, hide, seed, loss
        self.patches, self.validation_patches = annotated
        self.noisy, self.validation_noisy = noisy
        self.weight, self.schedule, self.spread = weight, schedule, spread
        self.steps = 1  # of the whole training, once that is planned
        self.score = Score(loss.kinds)
        self.built = True

    def call(self, step, training=False):
        """Predict the patches of one step.

        Returns
        -------
        denoised, target, hidden : tensor (B, Y, X, C)
            Of the patches that teach to denoise.
        logits, known : tensor
            Of the annotated patches; see :class:`~n2seg_utils.learning.segmentation.SegmentationLoss`.
        share : tensor
            How much of the training is done; 1 in validation.
        """
        annotated = self.patches if training else self.validation_patches
        noisy = self.noisy if training else self.validation_noisy
        image, known = annotated.draw(StepSeed(self.seed, step[0], stream=annotated.stream))
        seeds = StepSeed(self.seed, step[0], stream=noisy.stream)
        target = noisy.draw(seeds)
        masked, hidden = self.hide(target, seeds)
        if training:
            image, _ = self.hide(image, StepSeed(self.seed, step[0], stream=annotated.stream + _APART))
        answer = self.network(ops.concatenate([image, masked]), training=training)
        count, channels = image.shape[0], image.shape[-1]
        share = ops.cast(step[0], "float32") / self.steps if training else 1.0
        return answer[count:, ..., :channels], target, hidden, answer[:count, ..., channels:], known, share

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The errors of denoising and of segmentation, weighted."""
        denoised, target, hidden, logits, known, share = y_pred
        weight = weight_at(share, self.weight, self.schedule)
        return weight * masked_mse(target, denoised, hidden) / self.spread + (1 - weight) * self.error(known, logits)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The loss, and the Dice of what the network would decide."""
        *_, logits, known, _ = y_pred
        self.score.update_state(self.error.classes(known), logits[..., : self.error.kinds])
        return self.get_metrics_result()


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
        masked, hidden = self.hide(target, seeds)
        answer, channels = self.network(masked, training=training), target.shape[-1]
        share = ops.cast(step[0], "float32") / self.steps if training else 1.0
        return answer[..., :channels], target, hidden, answer[..., channels:], known, share


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
