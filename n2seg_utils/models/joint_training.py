"""Joint training: from images, some of them annotated, to a run folder."""

from dataclasses import replace

import numpy as np

from ..data import normalisation as scaling
from ..data.split import Part, split
from ..learning.in_turn import InTurnTraining
from ..learning.joint import JointTraining, PublishedTraining
from ..learning.patches import PatchSampler
from ..learning.segmentation import SegmentationLoss
from . import joint_suggestions, supply
from .annotated_data import all_images
from .annotated_split import split_annotated
from .hiding import blind_spots
from .joint import JointModel, design
from .joint_patches import annotated_patches, noisy_patches
from .segment_training import SegmentWork
from .suggestions import patch_shape

_STREAMS = {"train": 2, "validate": 3}  # of random numbers; annotated patches have the first two
_PUBLISHED_WEIGHTS = [1.0, 1.0, 5.0]  # of background, inside and border


def train_joint(settings, watcher=None, on_tuning=None):
    """Train one network to denoise all images and to segment them, from masks for some, and keep everything.

    Parameters
    ----------
    settings : JointSettings
        Open values are chosen from the data.
    watcher, on_tuning
        See :func:`~n2seg_utils.models.segment_training.train_segmenter`.

    Returns
    -------
    JointModel

    Raises
    ------
    UserError
        As :func:`~n2seg_utils.models.segment_training.train_segmenter`.

    References
    ----------
    Buchholz, Prakash, Schmidt, Krull, Jug: DenoiSeg - Joint Denoising and Segmentation. ECCV Workshops 2020.
    """
    return JointWork(settings).train(watcher, on_tuning)


class JointWork(SegmentWork):
    """A joint training, from its settings to its model; see :class:`SegmentWork`."""

    workflow, kind_of_model = "joint", JointModel
    batch_norm_steadies = False  # what it learns in batches of both parts does not hold for whole images
    open = staticmethod(all_images)
    suggest = staticmethod(joint_suggestions.suggest)
    settle = staticmethod(joint_suggestions.settle)
    design = staticmethod(design)

    def scale(self, settings):
        """See :meth:`SegmentWork.scale`; Noise2Void, which comes first then, learns faster from centred images."""
        usual = super().scale(settings)
        return scaling.standard(usual, self.images) if settings.schedule in ("teacher", "in_turn") else usual

    def split(self, settings):
        """See :meth:`SegmentWork.split`: of annotated images and of the others alike, some validate."""
        known = [n for n, image in enumerate(self.images) if self.annotate.masks[image.path] is not None]
        others = [n for n in range(len(self.images)) if n not in known]
        parts = _renumbered(split_annotated([self.images[n] for n in known], self.annotate, settings), known)
        if len(others) == 1 or settings.recipe == "published":  # which validates on annotated images
            parts += [Part(number, "train") for number in others]
        elif others:
            images = [self.images[n] for n in others]
            parts += _renumbered(
                split(images, settings.validation_fraction, settings.seed, settings.patch_size), others
            )
        return sorted(parts, key=lambda part: part.image)

    def shown(self):
        """See :meth:`SegmentWork.shown`."""
        return [part for part in self.parts if self.annotate.masks[self.images[part.image].path] is not None]

    def read(self, settings):
        """See :meth:`SegmentWork.read`; adds the pixels of all images, as "noisy" and "noisy validate"."""
        pools, refills = {}, []
        published = settings.recipe == "published"
        for use in supply.SHARES:
            common = use, patch_shape(settings), self.model.normalisation, settings.seed, self.memory
            # Few of all validation patches would be annotated, or none, and their score decides which epoch is best.
            parts = self.parts if published and use == "train" else self.shown()
            pools[use], refill = supply.pool(
                self.images, parts, *common, self.annotate, self.annotate.values, share=1.0 if published else 0.5
            )
            refills += refill
            if not published:
                pools[use, "noisy"], refill = supply.pool(self.images, self.parts, *common, sampler="noisy", share=0.5)
                refills += refill
        return pools, refills

    def training(self, network, settings):
        """See :meth:`SegmentWork.training`."""
        published, in_turn = settings.recipe == "published", settings.schedule == "in_turn"
        noisy_count, for_noise = noisy_patches(settings)
        hide = blind_spots(for_noise, self.images)
        count = settings.batch_size if published or in_turn else annotated_patches(settings)
        annotated, common = self.samplers(settings, count), (hide, settings.seed, self.loss(settings))
        noisy = [] if published else [self._noisy(use, noisy_count, for_noise, hide) for use in supply.SHARES]
        if in_turn:
            training = InTurnTraining(network, annotated, noisy, *common, self.model.restore)
        else:
            weights = settings.denoise_weight, settings.schedule, self._spread()
            if published:
                training = PublishedTraining(network, annotated, *common, *weights)
            else:
                training = JointTraining(network, annotated, noisy, *common, *weights, settings.pseudo_labels)
        training.validation_steps = self.validation_steps(settings, count)
        return training

    @staticmethod
    def varied(settings, images):
        """See :meth:`SegmentWork.varied`: the published recipe draws evenly, and leaves pixels as they are."""
        usual = SegmentWork.varied(settings, images)
        if settings.recipe != "published":
            return usual
        return {"favoured": 0, **_turned(settings, blind_spots(settings, images))}

    def loss(self, settings):
        """See :meth:`SegmentWork.loss`."""
        if settings.recipe != "published":
            return super().loss(settings)
        return SegmentationLoss(self.class_weights, self.annotate.target.kind == "instances", kind="published")

    def weigh(self, settings):
        """See :meth:`SegmentWork.weigh`."""
        if settings.recipe == "published" and settings.class_weights == "auto":
            return _PUBLISHED_WEIGHTS if self.annotate.kinds == 3 else [1.0] * self.annotate.kinds
        return super().weigh(settings)

    def preview(self, image, plane, rows, columns):
        """See :meth:`SegmentWork.preview`; adds the denoised image."""
        model, margin = self.model, None if self.model.architecture.dims == 2 else 4
        noisy, denoised, found = model.predict_crop_both(image, plane, rows, columns, margin)
        drawn = self.painted(denoised[..., 0], image.frames(2)[plane], (rows, columns), found)
        return {"noisy": noisy[..., 0], "denoised": denoised[..., 0], **drawn}

    def _noisy(self, use, count, settings, hide):
        """What draws so many patches to denoise."""
        turned = _turned(settings, hide) if use == "train" else {"flip": False, "turn": False}
        return PatchSampler(
            self.pools[use, "noisy"], patch_shape(settings), count, settings.seed, **turned, stream=_STREAMS[use]
        )

    def _spread(self):
        """Mean variance of the scaled images: errors are measured in units of it, as if images were standardised."""
        frames = self.pools.get(("train", "noisy")) or [image for image, _, _ in self.pools["train"]]
        return float(np.mean([frame.var() for frame in frames])) or 1.0


def _turned(settings, hide):
    """How patches may be turned that teach to denoise: noise that is shared must stay within the struct mask."""
    return {"flip": settings.augment and hide.may_flip, "turn": settings.augment and hide.may_turn}


def _renumbered(parts, numbers):
    return [replace(part, image=numbers[part.image]) for part in parts]
