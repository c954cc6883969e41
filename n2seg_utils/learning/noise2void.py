"""Noise2Void as a Keras model whose input is the number of the step."""

from .distribution import share, shared_loss
from .lessons import Lessons
from .losses import MASKED
from .seeds import StepSeed


class Noise2VoidTraining(Lessons):
    """Trains a network to predict hidden pixels from their surroundings.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C), or with Z before Y.
    patches, validation_patches : PatchSampler
    hide : BlindSpots
        Hides pixels of the patches; in validation as in training.
    seed : int
    loss : str
        "mse" or "mae", over the hidden pixels.
    """

    def __init__(self, network, patches, validation_patches, hide, seed, loss="mse"):
        super().__init__(name="noise2void")
        self.network = network
        self.patches, self.validation_patches = patches, validation_patches
        self.hide, self.seed, self.masked_loss = hide, seed, MASKED[loss]
        self.built = True

    def call(self, step, training=False):
        """Predict the patches of one step; returns (prediction, target, hidden), all of the patches' shape."""
        sampler = self.patches if training else self.validation_patches
        seeds = StepSeed(self.seed, step[0], stream=sampler.stream)
        target = sampler.draw(seeds)
        target, masked, hidden = share(target, *self.hide(target, seeds))
        return self.network(masked, training=training), target, hidden

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The error on the hidden pixels."""
        prediction, target, hidden = y_pred
        return shared_loss(self.masked_loss(target, prediction, hidden))
