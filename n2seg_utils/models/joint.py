"""A trained network that denoises and segments at once: from a run folder to denoised images and label images."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.arrays import FilledArray
from ..data.images import quick_to_read
from ..data.normalisation import Normalisation
from ..data.targets import Target
from ..data.writing import image_writer
from ..settings import JointSettings
from . import n2v_format, segmenter
from .denoiser import display_range
from .run_folder import RunFolder
from .segmenter import Segmenter
from .trained import load_network, of_frame, result_name

DENOISED, LABELS = "denoised", "labels"


class Both(NamedTuple):
    """What a joint model gives for an array: `denoised` float32, with its axes, and `labels` int32, without C."""

    denoised: np.ndarray
    labels: np.ndarray


class JointModel(Segmenter):
    """A network that denoises and segments; see :class:`~n2seg_utils.models.segmenter.Segmenter`.

    The first outputs of its network are the denoised channels. Its `settings` are JointSettings; its `normalisation`
    is a Percentiles or, of models that DenoiSeg wrote, a Normalisation.
    """

    workflow, settings_class = "joint", JointSettings

    @classmethod
    def load(cls, run):
        """Open a run folder, or a folder that DenoiSeg wrote (``config.json`` and weights).

        Raises
        ------
        UserError
            If it is neither, or damaged.
        """
        folder = RunFolder(run).require()
        if not folder.made_by_n2v:
            return super().load(run)
        folder.require_workflow(cls.workflow)
        architecture, normalisation, file = n2v_format.load_denoiseg(folder.path)
        published = JointSettings(recipe="published", schedule="constant", target="instances")
        settings = n2v_format.describe_network(published, architecture)
        target = Target("instances", why="DenoiSeg learns objects")
        return cls(load_network(architecture, file, folder), architecture, settings, normalisation, folder, target)

    def predict_both(self, values, scale=None, tile="auto"):
        """Denoise and segment an array (Y, X, C), or (Z, Y, X, C) if the network is 3D, of grey values.

        Returns
        -------
        denoised : ndarray, as `values`, float32
            Grey values.
        probabilities : ndarray, float32
            As many channels as there are :attr:`outputs`.
        """
        denoised = np.empty(values.shape, "float32")

        def keep(where, piece):
            denoised[where] = piece

        found = self._probabilities(lambda *where: values[np.ix_(*where)], values.shape[:-1], scale, tile, None, keep)
        return denoised, found

    def predict_pixels(self, values, scale=None):
        """Denoise an array, as :meth:`~n2seg_utils.models.denoiser.Denoiser.predict_pixels`."""
        return self.predict_both(values, scale)[0]

    def predict_crop_both(self, image, plane, rows, columns, margin=None):
        """Denoise and segment a piece of one plane, seeing the surroundings that it has in the image.

        Parameters
        ----------
        image, plane, rows, columns, margin
            See :meth:`~n2seg_utils.models.trained.TrainedModel.surroundings`.

        Returns
        -------
        noisy, denoised : ndarray (Y, X, C)
            Grey values, float32.
        probabilities : ndarray (Y, X, K)
        """
        noisy, inside = self.surroundings(image, plane, rows, columns, margin)
        denoised, found = self.predict_both(noisy, self.normalisation.for_image(image))
        return np.asarray(noisy[inside], "float32"), denoised[inside], found[inside]

    def predict_file(self, image, out, tile="auto", on_tile=None, outlines=False, dtype="float32"):
        """Denoise and segment one image file.

        Parameters
        ----------
        image, tile, on_tile, outlines
            See :meth:`~n2seg_utils.models.segmenter.Segmenter.predict_file`.
        out : Path
            The label image; the denoised image has the same name in a folder ``denoised`` beside that of `out`.
        dtype : str
            Of the denoised image: "float32", or "input" for the type of the image.
        """
        self.require_fit(image)
        if self._denoised_file(out).exists():  # of an earlier call that was stopped
            super().predict_file(image, out, tile, on_tile, outlines)
            return
        found = self._denoised(image, self._denoised_file(out), tile, on_tile, dtype)
        self._write_labels(image, Path(out), ((frame, self.find(kinds)) for frame, kinds in found), outlines)

    def predict_image(self, image, tile="auto"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_image`; a :class:`Both`."""
        denoised = FilledArray(image, "float32")
        found = self._denoised_into(denoised.write, image, tile)
        labels = self._labels_of(image, ((frame, self.find(kinds)) for frame, kinds in found))
        return Both(denoised.pixels, labels)

    def restore(self, network, pixels):
        """Apply a network to a scaled image (Y, X, C), or (Z, Y, X, C), as it is: tile by tile, without scaling."""
        return self.answers_of(network, pixels, pixels.shape[-1])

    def denoise_file(self, image, out, tile="auto", on_tile=None, dtype="float32"):
        """Denoise one image file into another, without labels; see :meth:`predict_file`."""
        self.require_fit(image)
        for _ in self._denoised(image, out, tile, on_tile, dtype):
            pass

    def target_file(self, out, file):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.target_file`."""
        return Path(out) / LABELS / result_name(file)

    def beside(self, target, outlines=False, dtype="float32"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.beside`."""
        return [self._denoised_file(target), *super().beside(target, outlines)]

    def add_missing(self, image, target, tile="auto", on_tile=None, outlines=False, dtype="float32"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.add_missing`."""
        super().add_missing(image, target, tile, on_tile, outlines)
        if not self._denoised_file(target).exists():
            self.denoise_file(image, self._denoised_file(target), tile, on_tile, dtype)

    def doubts(self, images, axes="auto"):
        """See :meth:`~n2seg_utils.models.segmenter.Segmenter.doubts`; of DenoiSeg's models nothing is known."""
        return [] if isinstance(self.normalisation, Normalisation) else super().doubts(images, axes)

    def _denoised(self, image, out, tile, on_tile, dtype):
        """The frames of an image with their probabilities; when all are done, the denoised image is written too."""
        kind = image.dtype if dtype == "input" else np.dtype("float32")
        with image_writer(out, image, kind, display_range(image), dims=self.architecture.dims) as write:
            yield from self._denoised_into(write, image, tile, on_tile)

    def _denoised_into(self, write, image, tile, on_tile=None):
        """The same; ``write(number, where, values)`` receives what is denoised."""
        scale, frames = self.normalisation.for_image(image), image.frames(self.architecture.dims)
        for frame in frames:

            def keep(where, piece, number=frame.number):
                write(number, where, piece)

            with quick_to_read(frame) as read:
                told = of_frame(on_tile, frame, frames)
                found = self._probabilities(read, frame.shape, scale, tile, told, keep)
            yield frame, found

    def _denoised_file(self, labels):
        return Path(labels).parent.parent / DENOISED / Path(labels).name

    def _probabilities(self, read, shape, scale, tile, on_tile, keep=None):
        """What the network says of classes; ``keep(slices, pixels)`` receives what it denoised."""
        result, channels = np.empty((*shape, len(self.outputs)), "float32"), self.architecture.channels
        scale = scale or self.normalisation

        def restore(answer):
            return scale.undo(answer[..., :channels]), self._activated(answer[..., channels:])

        def write(where, pieces):
            result[where] = pieces[1]
            if keep:
                keep(where, pieces[0])

        self.predictor(shape, tile).predict(shape, read, write, scale.apply, restore, on_tile)
        return result


def design(settings, channels, target, pool_z):
    """The architecture that some settings ask for: a U-Net in csbdeep's manner, as DenoiSeg has it."""
    plain = segmenter.design(settings, channels, target, pool_z)
    in_turn = settings.schedule == "in_turn"
    # The network that segments then sees whole batches of denoised images and nothing else, as one alone does.
    batch_norm = in_turn or plain.batch_norm
    return replace(plain, outputs=channels + plain.outputs, in_turn=in_turn, batch_norm=batch_norm)
