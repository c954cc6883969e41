"""Noise2Void as a Keras model whose input is the number of the step."""

import keras

from .blindspot import blind_spots
from .losses import masked_mse
from .seeds import StepSeed


class Noise2VoidTraining(keras.Model):
    """Trains a network to predict hidden pixels from their surroundings.

    ``fit`` is fed with step numbers. Drawing the patches, hiding pixels, the network and the loss are one graph, so
    that a GPU never waits for Python, and what a step does is a function of the run's seed and its number only.

    Parameters
    ----------
    network : keras.Model
        (B, Y, X, C) -> (B, Y, X, C).
    patches, validation_patches : PatchSampler
    seed : int
    masked_percent : float
        Share of the pixels hidden in each patch, in percent.
    radius : int
        Hidden pixels take the value of a pixel at most about this far away.
    """

    def __init__(self, network, patches, validation_patches, seed, masked_percent, radius):
        super().__init__(name="noise2void")
        self.network = network
        self.patches, self.validation_patches = patches, validation_patches
        self.seed, self.masked_percent, self.radius = seed, masked_percent, radius
        self.built = True

    def call(self, step, training=False):
        """Predict the patches of one step; returns (prediction, target, hidden), each (B, Y, X, C)."""
        sampler = self.patches if training else self.validation_patches
        seeds = StepSeed(self.seed, step[0], stream=sampler.stream)
        target = sampler.draw(seeds)
        masked, hidden = blind_spots(target, seeds, self.masked_percent, self.radius)
        return self.network(masked, training=training), target, hidden

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean squared error on the hidden pixels."""
        prediction, target, hidden = y_pred
        return masked_mse(target, prediction, hidden)
