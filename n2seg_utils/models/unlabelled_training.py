"""Training without masks: the network learns from thresholds of the images, then from its own findings."""

import zlib

import numpy as np

from ..data import drive
from ..data.images import open_image, open_images
from ..data.labels import Mask
from ..data.split import split
from ..data.targets import WITHOUT_MASKS
from ..data.writing import image_writer
from ..errors import UserError
from ..quality.candidates import agreed_part, brighter_part, own_labels, smoothing
from .noisy_training import NoisyWork

_FOLDER = "own_labels"  # in the run folder


class UnlabelledWork(NoisyWork):
    """A training of one class without masks, in rounds; see :class:`NoisyWork`.

    The first labels come from a threshold of each image. When a round ends, the threshold of each image becomes that
    which the network agrees with most, and it learns on from labels made of that. Labels are kept in the run folder, a
    folder a round, so that a training that was stopped goes on with those it had.

    References
    ----------
    Luo, Liu, Shi, Zheng, Wang, Yang: Deep Neural Networks Learn Meta-Structures from Noisy Labels in Semantic
    Segmentation. AAAI 2022.
    """

    round = None

    @staticmethod
    def open(settings):
        """The images, and no masks."""
        if not settings.images:
            raise UserError("You named no images. Name their folder")
        images = open_images(drive.bring(settings.images), settings.axes)
        return images, [None] * len(images)

    def understand(self, settings, masks):
        """See :meth:`SegmentWork.understand`."""
        return WITHOUT_MASKS

    def split(self, settings):
        """See :meth:`SegmentWork.split`."""
        return split(self.images, settings.validation_fraction, settings.seed, settings.patch_size)

    def read(self, settings):
        """See :meth:`SegmentWork.read`; there is nothing to read before there are labels."""
        return {}, [self._next_round]

    def training(self, network, settings):
        """See :meth:`SegmentWork.training`."""
        if not self.pools:
            self._label(0)
            self.pools, refills = super().read(settings)
            self.refills += refills
        training = super().training(network, settings)
        training.tolerance = 1.0  # scores by labels of different rounds cannot be compared: the last epoch is kept
        return training

    def _next_round(self, training, epoch):
        """Before an epoch: other labels, if it begins a round."""
        now = round_of(epoch, self.model.settings)
        if now == self.round:
            return
        if training.network is not self.model.network:
            self.model.network.set_weights(training.network.get_weights())
        self._label(now)
        self.pools, _ = super().read(self.model.settings)
        training.patches.refill(self.pools["train"])
        training.validation_patches.refill(self.pools["validate"])

    def _label(self, number):
        """Make the labels of a round, unless they are there, and learn from them from now on."""
        folder = self.model.run / _FOLDER / f"round_{number + 1}"
        for image in self.images:
            target = folder / f"{image.path.stem}.tif"
            if not target.exists():
                self._write(image, target, number)
        for image in self.images:
            file = folder / f"{image.path.stem}.tif"
            drawn = open_image(file, image.axes.replace("C", ""), binary=True)
            self.annotate.masks[image.path] = Mask(file, image, drawn)
        self.round = number

    def _write(self, image, target, number):
        """Labels of one image, as a file."""
        rng = np.random.default_rng([self.asked.seed, number, zlib.crc32(image.path.name.encode())])
        scale, depth = self.model.normalisation.for_image(image), image.size["Z"]
        sigma = smoothing(_grey(scale, image.frames(2)[image.planes // 2]))
        planes = image.frames(2)
        with image_writer(target, image, "uint8", display=(0, 255), channels=1) as write:
            for frame in image.frames(self.model.architecture.dims):
                of_frame = [frame] if frame.dims == 2 else planes[depth * frame.number : depth * (frame.number + 1)]
                found = [brighter_part(_grey(scale, plane), sigma) for plane in of_frame] if number == 0 else [
                    agreed_part(_grey(scale, plane), sigma, said)
                    for plane, said in zip(of_frame, self._said(frame, scale))
                ]  # fmt: skip
                labels = np.uint8(255) * own_labels(np.stack(found), rng)
                write(frame.number, _whole(frame), labels.reshape(*frame.shape, 1))

    def _said(self, frame, scale):
        """What the network says of the planes of a frame."""
        found = self.model.predict_probabilities(frame.read(*_whole(frame)), scale)[..., 1]
        return found.reshape(-1, *found.shape[-2:])


def round_of(epoch, settings):
    """The round, from 0, that an epoch belongs to. The first takes half of the training, the others share the rest: a
    network that has not learned yet would teach itself what it does not know."""
    later = epoch - (settings.epochs + 1) // 2
    return 0 if later < 0 or settings.rounds < 2 else 1 + later * (settings.rounds - 1) // (settings.epochs // 2)


def _whole(frame):
    return (slice(None),) * frame.dims


def _grey(scale, frame):
    """A frame (Y, X), scaled; the mean of its channels."""
    return scale.apply(frame.read(*_whole(frame))).mean(axis=-1)
