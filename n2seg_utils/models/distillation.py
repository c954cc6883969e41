"""Training a small network with the masks that a large one, its teacher, made."""

import time
from dataclasses import replace

import numpy as np

from ..data.files import stem
from ..data.labels import bring_masks, open_masks
from ..data.positions import parted
from ..data.split import split_by_group, split_within
from ..errors import UserError
from ..learning import device
from ..settings.student import OWN, with_student
from . import segment_suggestions, suggestions
from .annotated_split import require_learnable, split_annotated
from .segment_training import SegmentWork
from .segmenter import design

_FEW = 20  # images: of fewer, a strip of each is kept out, for none can be spared
_MINUTES = 5.0
_TIMED = {2: (512, 512), 3: (16, 256, 256)}  # what is predicted to measure the speed
_SECONDS, _TIMES = 1.0, 3  # at least


class StudentWork(SegmentWork):
    """A training with a teacher's masks; see :class:`SegmentWork`.

    The teacher is another program, whose masks are believed: they may be many, and cost nothing. The student is a U-Net
    of the first kind, with convolutions of one width at each level and bilinear upsampling. What is kept out to judge
    it are whole positions of the stage where there are such, else strips of images, or images; how fast it is, is
    measured.

    References
    ----------
    Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network. arXiv 1503.02531 (from probabilities, where
    there are masks only here).
    """

    @staticmethod
    def suggest(settings, images, target, gpu, merged=None):
        """See :func:`~n2seg_utils.models.segment_suggestions.suggest`; the student says what network it is."""
        chosen = with_student(settings, gpu)
        found = segment_suggestions.suggest(chosen, images, target, gpu, merged)
        if chosen.student != OWN:
            found["network_width"] = (chosen.network_width, f"the student '{chosen.student}' has it")
        if not gpu and found["minutes"][0] < _MINUTES:
            found["minutes"] = (_MINUTES, "that is how long a student learns, however few its images are")
        return found

    @staticmethod
    def settle(settings, images, target, gpu, merged=None):
        """See :func:`~n2seg_utils.models.segment_suggestions.settle`."""
        chosen = with_student(settings, gpu)
        suggested = StudentWork.suggest(chosen, images, target, gpu, merged)
        return suggestions.settle(chosen, images, suggested, merged)

    @staticmethod
    def design(settings, channels, target, pool_z):
        """See :func:`~n2seg_utils.models.segmenter.design`."""
        plain = design(settings, channels, target, pool_z)
        return replace(plain, even=True, bilinear=plain.dims == 2)

    def split(self, settings):
        """See :meth:`SegmentWork.split`; images that have a correct mask are kept out before others."""
        positions = [parted(stem(image.path))[0] for image in self.images]
        how, correct = settings.split, correct_masks(settings, self.images)
        staged = all(positions) and len(set(positions)) > 1
        if how == "auto":
            how = "position" if staged else "region" if len(self.images) < _FEW else "image"
        if how == "position" and not staged:
            raise UserError(
                f"No positions can be told apart in {settings.images}: there must be several folders such as Pos1, or "
                "names such as Pos1_cell.tif. Use split auto"
            )
        parts, fraction = [], settings.validation_fraction
        if how == "region":
            parts = split_within(self.images, fraction, settings.patch_size)
        elif len(self.images) > 1:
            groups = positions if how == "position" else [image.path.name for image in self.images]
            first = {group for group, mask in zip(groups, correct) if mask}
            parts = split_by_group(groups, fraction, settings.seed, first)
        if not parts:
            return split_annotated(self.images, self.annotate, settings)
        require_learnable(self.images, parts, self.annotate)
        return parts

    def painted(self, grey, frame, where, found):
        """See :meth:`SegmentWork.painted`."""
        return dict(zip(("the teacher's", "the student's"), super().painted(grey, frame, where, found).values()))

    def tune(self, on_tuning):
        """See :meth:`SegmentWork.tune`; the speed is measured first."""
        self.model.run.note(student=measure(self.model))
        super().tune(on_tuning)


def correct_masks(settings, images):
    """Masks that people drew, by which teacher and student are judged; None for an image that has none."""
    folder = settings.clean_masks
    return open_masks(bring_masks(folder), images)[0] if folder else [None] * len(images)


def measure(segmenter):
    """How large and how fast a network is.

    Returns
    -------
    dict
        weights : int
            That are learned.
        megapixels_per_second : float
            From grey values to probabilities, after the first time, when nothing else held it up; in 3D of voxels.
        device : str
    """
    shape = (*_TIMED[segmenter.architecture.dims], segmenter.architecture.channels)
    pixels, times = np.random.default_rng(0).random(shape, "float32"), []
    segmenter.predict_probabilities(pixels)  # compiles
    while sum(times) < _SECONDS or len(times) < _TIMES:
        began = time.perf_counter()
        segmenter.predict_probabilities(pixels)
        times.append(time.perf_counter() - began)
    return {
        "weights": int(sum(np.prod(weight.shape) for weight in segmenter.network.trainable_weights)),
        "megapixels_per_second": float(f"{np.prod(shape[:-1]) / 1e6 / min(times):.3g}"),
        "device": "GPU" if device.has_gpu() else "CPU",
    }
