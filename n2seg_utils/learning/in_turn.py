"""Denoising and segmentation by two networks in turn, as a Keras model whose input is the number of the step."""

from .distribution import share, shared_loss
from .lessons import Lessons
from .losses import masked_mse
from .networks import in_turn
from .seeds import StepSeed
from .segmentation import Score

_LEAD = 0.65  # share of the steps that teach to denoise: less than half of the time, for these are the shorter ones


class InTurnTraining(Lessons):
    """Trains a network to denoise, and then another to segment what the first makes of the images.

    Neither disturbs the other: what the noise of all images teaches is not spoiled by masks, which teach much faster,
    and whoever looks for objects sees them without noise. Images are denoised whole, before patches of them are warped.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C + K), or with Z before Y; see
        :class:`~n2seg_utils.learning.networks.Architecture`, `in_turn`.
    annotated : (AnnotatedSampler, AnnotatedSampler)
        For training and for validation.
    noisy : (PatchSampler, PatchSampler)
        Likewise, of all images.
    hide : BlindSpots
    seed : int
    loss : SegmentationLoss
    restore : callable
        ``restore(network, image)`` applies a network to a scaled image (Y, X, C) of any size.
    """

    others = True
    leading = False  # whether it learns to denoise

    def __init__(self, network, annotated, noisy, hide, seed, loss, restore):
        super().__init__(name="in_turn")
        self.network, self.hide, self.seed, self.error, self.restore = network, hide, seed, loss, restore
        self.patches, self.validation_patches = annotated
        self.noisy, self.validation_noisy = noisy
        self.denoiser, self.segmenter = in_turn(network)
        self.score = Score(loss.kinds)
        self.built = True

    @property
    def trainable_weights(self):
        """What is taught now; `trainable_variables` are those of both networks."""
        return (self.denoiser if self.leading else self.segmenter).trainable_weights

    def begin(self, plan, worth=False):
        """See :meth:`Lessons.begin`: first it learns to denoise, unless it can."""
        return 0 if worth else max(1, int(_LEAD * plan.epochs))

    def begin_epoch(self, number, lead, fresh):
        """See :meth:`Lessons.begin_epoch`."""
        self._enter(number < lead)
        if not self.leading:
            for sampler in (self.patches, self.validation_patches):
                sampler.change(lambda image: self.restore(self.denoiser, image))

    def phases(self):
        """See :meth:`Lessons.phases`."""
        return [(_LEAD, lambda: self._enter(True)), (1 - _LEAD, lambda: self._enter(False))]

    def _enter(self, leading):
        """Learn to denoise, or to segment; that are two graphs."""
        if self.leading != leading:
            self.leading = leading
            self.retrace()

    def call(self, step, training=False):
        """Predict the patches of one step.

        Returns
        -------
        answer : tensor
            Denoised patches (B, Y, X, C), or logits (B, Y, X, K).
        known : tensor or (tensor, tensor)
            What they should be: the patches, and where pixels are hidden; or annotations, see
            :class:`~n2seg_utils.learning.segmentation.SegmentationLoss`.
        """
        if not self.leading:
            sampler = self.patches if training else self.validation_patches
            image, known = share(*sampler.draw(StepSeed(self.seed, step[0], stream=sampler.stream)))
            return self.segmenter(image, training=training), known
        sampler = self.noisy if training else self.validation_noisy
        seeds = StepSeed(self.seed, step[0], stream=sampler.stream)
        target = sampler.draw(seeds)
        target, masked, hidden = share(target, *self.hide(target, seeds))
        return self.denoiser(masked, training=training), (target, hidden)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The error of what is taught."""
        answer, known = y_pred
        if not self.leading:
            return shared_loss(self.error(known, answer))
        target, hidden = known
        return shared_loss(masked_mse(target, answer, hidden))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The loss, and the Dice of what the network would decide."""
        logits, known = y_pred
        if not self.leading:
            self.score.update_state(self.error.classes(known), logits[..., : self.error.kinds])
        return self.get_metrics_result()
