"""A trained Noise2Void model: from a run folder to denoised images."""

from pathlib import Path

import numpy as np

from ..data.files import list_images, require_absent, stem
from ..data.images import open_image
from ..data.normalisation import Normalisation, require_finite
from ..data.writing import image_writer
from ..errors import UserError
from ..learning import device
from ..learning.networks import unet
from ..learning.prediction import TiledPredictor, tile_for_memory
from ..settings import DenoiseSettings
from .run_folder import RunFolder


class Denoiser:
    """A trained network with all that is needed to apply it.

    Attributes
    ----------
    network : keras.Model
    settings : DenoiseSettings
    normalisation : Normalisation
    run : RunFolder
    """

    def __init__(self, network, settings, normalisation, run):
        self.network, self.settings, self.normalisation, self.run = network, settings, normalisation, run

    @classmethod
    def load(cls, run):
        """Open a run folder.

        Raises
        ------
        UserError
            If it is not one, or its weights are damaged.
        """
        run = RunFolder(run).require()
        settings = DenoiseSettings.load(run / "settings.yaml").check()
        facts = run.facts()
        try:
            channels, normalisation = int(facts["channels"]), Normalisation(**facts["normalisation"])
        except (KeyError, TypeError, ValueError) as error:
            raise run.damaged("run.json") from error
        network = build_network(settings, channels)
        try:
            network.load_weights(str(run / "weights_best.h5"))
        except (OSError, ValueError, KeyError) as error:
            raise run.damaged("weights_best.h5") from error
        return cls(network, settings, normalisation, run)

    def predict_pixels(self, values, scale=None):
        """Denoise an array (Y, X, C); grey values in and out, float32."""
        result = np.empty(values.shape, "float32")
        scale = scale or self.normalisation

        def write(rows, columns, piece):
            result[rows, columns] = piece

        self._predictor("auto").predict(values, write, scale.apply, scale.undo)
        return result

    def predict_file(self, image, out, dtype="float32", tile="auto", on_tile=None):
        """Denoise one image file into another.

        Parameters
        ----------
        image : ImageFile
        out : path
        dtype : str
            "float32", or "input" for the type of the image.
        tile : "auto" or int
            Side of the tiles in pixels.
        on_tile : callable, optional
            ``on_tile(done, total)`` while the work goes on.
        """
        self._require_channels(image)
        scale = self.normalisation.for_image(image)
        predictor = self._predictor(tile)
        kind = image.dtype if dtype == "input" else np.dtype("float32")
        with image_writer(out, image, kind, display=_display_range(image)) as write:
            for number in range(image.planes):
                plane = image.plane(number)
                require_finite(plane, image.path)

                def write_piece(rows, columns, values, number=number):
                    write(number, rows, columns, values)

                def report(done, tiles, number=number):
                    if on_tile:
                        on_tile(number + done / tiles, image.planes)

                predictor.predict(plane, write_piece, scale.apply, scale.undo, report)

    def predict_folder(self, images, out, dtype="float32", tile="auto", on_progress=None, keep_existing=False):
        """Denoise a folder of images (or one file) into another folder, one file at a time.

        Files that exist are never overwritten.

        Parameters
        ----------
        images, out : path
        dtype, tile
            See :meth:`predict_file`.
        on_progress : callable, optional
            ``on_progress(share, name)``: the share of the files that is done, and the one at work.
        keep_existing : bool
            Go on where an earlier call stopped, instead of refusing when a result is there already.

        Returns
        -------
        list of Path
            The results, in the order of the images.
        """
        files = list_images(images)
        opened = [self.open(file) for file in files]
        targets = [Path(out) / f"{stem(file)}.tif" for file in files]
        _require_distinct(files, targets)
        if not keep_existing:
            require_absent(targets)
        for image in opened:
            self._require_channels(image)
        for number, (image, target) in enumerate(zip(opened, targets)):
            if target.exists():
                continue

            def report(done, total, number=number, image=image):
                if on_progress:
                    on_progress((number + done / total) / len(opened), image.path.name)

            self.predict_file(image, target, dtype, tile, report)
        return targets

    def open(self, file):
        """Open an image as the training images were, if it has as many dimensions; else as it says itself."""
        image = open_image(file)
        same = self.settings.axes != "auto" and len(image.shape) == len(self.settings.axes)
        return open_image(file, self.settings.axes) if same else image

    def _predictor(self, tile):
        settings = self.settings
        side = tile_for_memory(device.free_memory(), settings.network_width) if tile == "auto" else int(tile)
        return TiledPredictor(self.network, settings.network_depth, settings.kernel_size, side)

    def _require_channels(self, image):
        channels = len(self.normalisation.mean)
        if image.size["C"] != channels:
            raise UserError(
                f"{image.path} has {image.size['C']} channels, but the model in {self.run.path} was trained "
                f"with {channels}. Use images like those it was trained with"
            )


def build_network(settings, channels):
    """The untrained network of some settings."""
    return unet(
        channels,
        depth=settings.network_depth,
        width=settings.network_width,
        kernel_size=settings.kernel_size,
        batch_norm=settings.batch_norm,
        narrow_decoder=True,
    )


def _display_range(image):
    """Grey values between which Fiji should show a result: nearly all of the middle plane's."""
    plane = np.asarray(image.plane(image.planes // 2)[::4, ::4], "float32")
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0, 0)
    return (low, high) if high > low else None


def _require_distinct(files, targets):
    seen = {}
    for file, target in zip(files, targets):
        if target in seen:
            raise UserError(f"{seen[target]} and {file.name} would both become {target.name}. Rename one of them")
        seen[target] = file.name
