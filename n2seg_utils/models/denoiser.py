"""A trained Noise2Void model: from a run folder to denoised images."""

import numpy as np

from ..data.arrays import FilledArray
from ..data.files import list_images
from ..data.images import quick_to_read
from ..data.normalisation import Normalisation, alike, fit
from ..data.writing import image_writer
from ..learning.networks import Architecture
from ..settings import DenoiseSettings
from . import n2v_format, weights
from .run_folder import RunFolder
from .strips import denoise_strips
from .trained import TrainedModel, load_network, of_frame


class Denoiser(TrainedModel):
    """A network that denoises; see :class:`~n2seg_utils.models.trained.TrainedModel`.

    Its `settings` are DenoiseSettings, its `normalisation` is a Normalisation.
    """

    workflow, in_strips = "denoise", True

    @classmethod
    def load(cls, run):
        """Open a run folder, or a folder that n2v wrote (``config.json`` and weights).

        Raises
        ------
        UserError
            If it is neither, or its weights are damaged.
        """
        run = RunFolder(run).require()
        if run.made_by_n2v:
            architecture, normalisation, settings, file = n2v_format.load_config(run.path)
        else:
            run.require_workflow("denoise")
            settings, facts = DenoiseSettings.load(run / "settings.yaml").check(), run.facts()
            try:
                architecture = Architecture(**facts["network"])
                normalisation = Normalisation(**facts["normalisation"])
            except (KeyError, TypeError, ValueError) as error:
                raise run.damaged("run.json") from error
            file = run / weights.BEST
        return cls(load_network(architecture, file, run), architecture, settings, normalisation, run)

    def predict_pixels(self, values, scale=None):
        """Denoise an array (Y, X, C), or (Z, Y, X, C) if the network is 3D; grey values in and out, float32."""
        result = np.empty(values.shape, "float32")
        scale = scale or self.normalisation

        def read(*where):
            return values[np.ix_(*where)]

        def write(where, piece):
            result[where] = piece

        shape = values.shape[:-1]
        self.predictor(shape).predict(shape, read, write, scale.apply, scale.undo)
        return result

    def predict_crop(self, image, plane, rows, columns, margin=None):
        """Denoise a piece of one plane, seeing the surroundings that it has in the image.

        Parameters
        ----------
        image, plane, rows, columns, margin
            See :meth:`~n2seg_utils.models.trained.TrainedModel.surroundings`.

        Returns
        -------
        noisy, denoised : ndarray (Y, X, C)
            Grey values, float32.
        """
        noisy, inside = self.surroundings(image, plane, rows, columns, margin)
        denoised = self.predict_pixels(noisy, self.normalisation.for_image(image))
        return np.asarray(noisy[inside], "float32"), denoised[inside]

    def predict_file(self, image, out, tile="auto", on_tile=None, dtype="float32", strips=None):
        """Denoise one image file into another.

        Parameters
        ----------
        image, out, tile, on_tile
            See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_file`.
        dtype : str
            "float32", or "input" for the type of the image.
        strips : list of int, optional
            Of an OME-Zarr image: denoise these strips only, while others denoise the rest; see
            :func:`~n2seg_utils.models.strips.strip_count`.
        """
        self.require_fit(image)
        kind = image.dtype if dtype == "input" else np.dtype("float32")
        if image.chunked and self.in_strips:
            denoise_strips(self, image, out, kind, display_range(image), tile, on_tile, strips)
            return
        with image_writer(out, image, kind, display_range(image), dims=self.architecture.dims) as write:
            self._denoise_into(write, image, tile, on_tile)

    def predict_image(self, image, tile="auto"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_image`."""
        denoised = FilledArray(image, "float32")
        self._denoise_into(denoised.write, image, tile)
        return denoised.pixels

    def _denoise_into(self, write, image, tile, on_tile=None):
        """Denoise an image; ``write(number, where, values)`` receives the pieces of its frames."""
        scale, frames = self.normalisation.for_image(image), image.frames(self.architecture.dims)
        predictor = self.predictor(frames[0].shape, tile)
        for frame in frames:

            def write_piece(where, values, frame=frame):
                write(frame.number, where, values)

            told = of_frame(on_tile, frame, frames)
            with quick_to_read(frame) as read:
                predictor.predict(frame.shape, read, write_piece, scale.apply, scale.undo, told)

    def doubts(self, images, axes="auto"):
        """Sentences about images (a folder or a file) that differ much in brightness from those of the training."""
        if self.normalisation.kind != "dataset":  # each image has its own scaling
            return []
        opened = (self.open(file, axes) for file in list_images(images))
        found = [i.path.name for i in opened if not alike(self.normalisation, fit([i], "dataset", blank=True))]
        if not found:
            return []
        names = ", ".join(found[:3]) + (" ..." if len(found) > 3 else "")
        return [
            f"{names}: brightness or contrast is very different from that of the images this model was trained with. "
            "Look at the result closely; if in doubt, train a model on these images."
        ]


def design(settings, channels, pool_z):
    """The architecture that some settings ask for, in n2v's manner."""
    dims, n2v2 = int(settings.dimensions[0]), settings.algorithm == "n2v2"
    return Architecture(
        dims=dims,
        channels=channels,
        depth=settings.network_depth,
        width=settings.network_width,
        kernel_size=settings.kernel_size,
        batch_norm=settings.batch_norm,
        together=settings.channels == "together" or channels == 1,
        narrow_decoder=True,
        blur_pool=n2v2,
        top_skip=not n2v2,
        pool_z=pool_z if dims == 3 else 2,
    )


def display_range(image):
    """Grey values between which Fiji should show a result: nearly all of the middle plane's."""
    step = max(1, max(image.plane_shape[:2]) // 512)
    plane = np.asarray(image.plane(image.planes // 2)[::step, ::step], "float32")
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0, 0)
    return (low, high) if high > low else None
