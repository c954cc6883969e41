"""Training without labels: a first guess, learned in rounds from labels that are spoiled on purpose."""

from dataclasses import replace

import numpy as np

from ..data import normalisation as scaling
from ..data.label_noise import sampled, shifted, skeleton
from ..learning.unlabelled import UnlabelledTraining
from ..quality.dmi import threshold_by_dmi
from . import segment_suggestions, suggestions
from .annotated_data import Annotator
from .guesses import blur_for
from .noisy_training import NoisyWork
from .own_threshold import own_threshold
from .segmenter import design

_SHARES, _RADIUS = {True: 0.1, False: 0.5}, 1  # of lines and of areas that is kept; pixels by which it is moved
_THIN = 6.0  # pixels: structures that are thinner on average are lines


class GuessAnnotator(Annotator):
    """What is guessed, twice: one is exchanged while training, the other stays."""

    @property
    def values(self):
        """See :class:`Annotator`."""
        return 2

    def __call__(self, frame, where):
        known, classes = super().__call__(frame, where)
        return np.repeat(known, 2, axis=-1), classes


class UnlabelledWork(NoisyWork):
    """A training that nobody drew anything for; see :class:`NoisyWork`.

    The first masks are a guess by a blur and a threshold for each image. A network learns from them, spoiled: half of
    the foreground is kept, moved by a pixel at random; of lines, a tenth of their middle. What it then finds in each
    image, at the threshold at which it and the guess know most of each other, is spoiled in its turn and learned next;
    other images get their threshold in the same way. The images go through the same blur within the network. Correct
    masks of a few images judge, and do nothing else.

    References
    ----------
    Luo, Liu, Shi, Zheng, Wang, Yang: Deep Neural Networks Learn Meta-Structures from Noisy Labels in Semantic
    Segmentation. AAAI 2022. There labels begin empty, in place of a guess.
    """

    annotator, tuned_on_clean = GuessAnnotator, False
    collapsed = "found nothing in the images that goes with the first guess"

    @staticmethod
    def suggest(settings, images, target, gpu, merged=None):
        """See :func:`~n2seg_utils.models.segment_suggestions.suggest`; adds the blur."""
        found = segment_suggestions.suggest(settings, images, target, gpu, merged)
        return found | {"blur": (blur_for(settings, images), "hidden pixels are predicted best by it")}

    @staticmethod
    def settle(settings, images, target, gpu, merged=None):
        """See :func:`~n2seg_utils.models.segment_suggestions.settle`."""
        return suggestions.settle(
            settings, images, UnlabelledWork.suggest(settings, images, target, gpu, merged), merged
        )

    def scale(self, settings):
        """See :meth:`SegmentWork.scale`; percentiles of what the network sees."""
        return scaling.fit_percentiles(self.images, settings.normalisation, settings.blur)

    @staticmethod
    def design(settings, channels, target, pool_z):
        """See :func:`~n2seg_utils.models.segmenter.design`."""
        return replace(design(settings, channels, target, pool_z), smooth=settings.blur)

    def painted(self, grey, frame, where, found):
        """See :meth:`SegmentWork.painted`."""
        return dict(zip(("first guess", "found"), super().painted(grey, frame, where, found).values()))

    def understand(self, settings, masks):
        """See :meth:`SegmentWork.understand`."""
        return replace(super().understand(settings, masks), why="without labels there is one class")

    def training(self, network, settings):
        """See :meth:`SegmentWork.training`."""
        samplers, lines = self.samplers(settings, settings.batch_size), self._lines(settings)
        training = UnlabelledTraining(
            network, *samplers, settings.seed, self.loss(settings), self.score, self._found,
            lambda classes, key: spoiled(classes, np.random.default_rng(key), lines),
        )  # fmt: skip
        training.validation_steps = self.validation_steps(settings, settings.batch_size)
        self.model.run.note(lines=lines)
        return training

    def settled(self, rule, labelled):
        """See :meth:`NoisyWork.settled`: each image has a threshold of its own, but none beyond those of these."""
        there = [*labelled, *self._examples("train")]
        found = [own_threshold(probabilities[..., 1], guess) for probabilities, guess in there]
        found = [threshold for threshold in found if threshold is not None]
        return replace(rule, between=(float(min(found)), float(max(found)))) if found else rule

    def _lines(self, settings):
        """Whether structures are lines."""
        if settings.structures != "auto":
            return settings.structures == "lines"
        return mean_width([classes > 0 for _, _, classes in self.pools["train"]]) < _THIN

    def _found(self, network, image, guess):
        """What a network finds in a scaled image, where it and the guess know most of each other."""
        found = self.model.probabilities_of(network, image)[..., 1]
        return found > threshold_by_dmi([(found, guess)])[0]


def spoiled(classes, rng, lines=False):
    """Half of what is foreground, moved by up to a pixel at random; of lines, a tenth of their middle.

    Parameters
    ----------
    classes : ndarray (Y, X) or (Z, Y, X)
        0 is background.
    rng : Generator
    lines : bool

    Returns
    -------
    ndarray, float32
        0 and 1.
    """
    found = np.asarray(classes) > 0
    if lines:
        found = skeleton(found, rng)
    return sampled(shifted(found, rng, _RADIUS), rng, _SHARES[lines]).astype("float32")


def mean_width(masks):
    """Pixels of foreground to each pixel of its middle line; infinite where there is none."""
    rng = np.random.default_rng(0)
    middle = sum(int(skeleton(mask, rng).sum()) for mask in masks)
    return sum(int(np.count_nonzero(mask)) for mask in masks) / middle if middle else np.inf
