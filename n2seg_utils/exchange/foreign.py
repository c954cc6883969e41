"""Models that were made by other software: applied like ours, one plane or volume at a time."""

import numpy as np

from ..data.arrays import FilledArray, open_array
from ..data.images import quick_to_read
from ..data.targets import Target
from ..data.writing import image_writer
from ..models.denoiser import Denoiser
from ..models.objects import Rule
from ..models.run_folder import RunFolder
from ..models.segmenter import Segmenter
from ..models.trained import TrainedModel, of_frame
from ..settings import DenoiseSettings, SegmentSettings

OBJECTS = ("background", "inside", "border")


class Source(RunFolder):
    """The file or folder of a foreign model, which says nothing about a run."""

    def facts(self):
        """Nothing."""
        return {}


class ForeignModel(TrainedModel):
    """A network of other software, of which is known what it says of each pixel, but not what that means.

    Its `architecture` is an Outline or an Architecture; its `normalisation` has ``for_image(image)``, which gives
    something with ``apply`` and ``undo`` for whole frames. What it says is written as one channel each.

    Parameters
    ----------
    network, architecture, normalisation
    path : path
        Where it comes from.
    order : tuple of int, optional
        Which axis of (Z,) Y, X, C is each of the network's.
    """

    workflow, in_strips = "map", False

    def __init__(self, network, architecture, normalisation, path, order=None):
        settings = self._settings(f"{architecture.dims}d")
        TrainedModel.__init__(self, network, architecture, settings, normalisation, Source(path))
        self.order = order or tuple(range(architecture.dims + 1))

    def predict_pixels(self, values, scale=None, tile="auto"):
        """What the model says of an array (Y, X, C), or (Z, Y, X, C) if it is 3D; float32, with its own channels."""
        return self._answer(lambda *where: values[np.ix_(*where)], values.shape[:-1], scale, tile)

    def predict_image(self, image, tile="auto"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_image`."""
        answers = FilledArray(image, "float32", self._outputs)
        self._answer_into(answers.write, image, tile)
        return answers.pixels

    def predict_file(self, image, out, tile="auto", on_tile=None):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_file`."""
        self.require_fit(image)
        with image_writer(out, image, channels=self._outputs, dims=self.architecture.dims) as write:
            self._answer_into(write, image, tile, on_tile)

    def doubts(self, images, axes="auto"):
        """Nothing is known of the images that it was trained with."""
        return []

    @staticmethod
    def _settings(dimensions):
        return DenoiseSettings(dimensions=dimensions)

    @property
    def _outputs(self):
        return self.architecture.outputs or self.architecture.channels

    def _answer_into(self, write, image, tile, on_tile=None):
        scale, frames = self.normalisation.for_image(image), image.frames(self.architecture.dims)
        for frame in frames:
            with quick_to_read(frame) as read:
                found = self._answer(read, frame.shape, scale, tile, of_frame(on_tile, frame, frames))
            write(frame.number, (slice(None),) * frame.dims, found)

    def _answer(self, read, shape, scale, tile, on_tile=None):
        """The answer for a whole frame, since its scaling may look at all of it."""
        values = read(*map(np.arange, shape))
        scale = scale or self.normalisation.for_image(open_array(values, "ZYXC"[-values.ndim :]))
        seen = scale.apply(values).transpose(self.order)
        result = np.empty((*seen.shape[:-1], self._outputs), "float32")

        def write(where, piece):
            result[where] = piece

        self.predictor(seen.shape[:-1], tile).predict(
            seen.shape[:-1], lambda *where: seen[np.ix_(*where)], write, np.asarray, np.asarray, on_tile
        )
        return np.asarray(scale.undo(result.transpose(np.argsort(self.order))), "float32")


class ForeignDenoiser(ForeignModel, Denoiser):
    """A network of other software that restores images: as many channels come out as go in."""

    workflow = "denoise"

    def _denoise_into(self, write, image, tile, on_tile=None):
        self._answer_into(write, image, tile, on_tile)

    predict_file = Denoiser.predict_file
    predict_image = Denoiser.predict_image


class ForeignSegmenter(ForeignModel, Segmenter):
    """A network of other software that says how likely each pixel belongs to something.

    Parameters
    ----------
    objects : bool
        It says what is background, inside and border of objects; else what is foreground.
    """

    workflow = "segment"

    def __init__(self, network, architecture, normalisation, path, order=None, objects=False):
        ForeignModel.__init__(self, network, architecture, normalisation, path, order)
        why = "so the model says"
        self.target = Target("instances", why=why) if objects else Target("binary", (0, 1), why=why)
        self.stored = Rule()

    predict_file = Segmenter.predict_file
    predict_image = Segmenter.predict_image

    @staticmethod
    def _settings(dimensions):
        return SegmentSettings(dimensions=dimensions)

    def _probabilities(self, read, shape, scale, tile, on_tile):
        found = self._answer(read, shape, scale, tile, on_tile)
        return found if found.shape[-1] > 1 else np.concatenate([1 - found, found], axis=-1)
