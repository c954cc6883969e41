"""A trained Noise2Void model: from a run folder to denoised images."""

from pathlib import Path

import numpy as np

from ..data.files import list_images, require_absent, stem
from ..data.images import open_image, quick_to_read
from ..data.normalisation import Normalisation, alike, fit
from ..data.writing import image_writer
from ..errors import UserError
from ..learning import device
from ..learning.networks import Architecture, unet
from ..learning.prediction import TiledPredictor, tile_for_memory
from ..settings import DenoiseSettings
from . import n2v_format
from .run_folder import RunFolder


class Denoiser:
    """A trained network with all that is needed to apply it.

    Attributes
    ----------
    network : keras.Model
    architecture : Architecture
    settings : DenoiseSettings
    normalisation : Normalisation
    run : RunFolder
    """

    def __init__(self, network, architecture, settings, normalisation, run):
        self.network, self.architecture = network, architecture
        self.settings, self.normalisation, self.run = settings, normalisation, run

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
            architecture, normalisation, settings, weights = n2v_format.load_config(run.path)
        else:
            settings, facts = DenoiseSettings.load(run / "settings.yaml").check(), run.facts()
            try:
                architecture = Architecture(**facts["network"])
                normalisation = Normalisation(**facts["normalisation"])
            except (KeyError, TypeError, ValueError) as error:
                raise run.damaged("run.json") from error
            weights = run / "weights_best.h5"
        try:
            network = unet(architecture)
            n2v_format.load_weights(network, weights)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise run.damaged(Path(weights).name) from error
        return cls(network, architecture, settings, normalisation, run)

    def predict_pixels(self, values, scale=None):
        """Denoise an array (Y, X, C), or (Z, Y, X, C) if the network is 3D; grey values in and out, float32."""
        result = np.empty(values.shape, "float32")
        scale = scale or self.normalisation

        def read(*where):
            return values[np.ix_(*where)]

        def write(where, piece):
            result[where] = piece

        shape = values.shape[:-1]
        self._predictor(shape).predict(shape, read, write, scale.apply, scale.undo)
        return result

    def predict_crop(self, image, plane, rows, columns, margin=None):
        """Denoise a piece of one plane, seeing the surroundings that it has in the image.

        Parameters
        ----------
        image : ImageFile
        plane : int
            Counts through Z, then T.
        rows, columns : slice
        margin : int, optional
            How far to look around at most; default: as far as the network does, so that the result is exactly that of
            the whole image.

        Returns
        -------
        noisy, denoised : ndarray (Y, X, C)
            Grey values, float32.
        """
        self.require_fit(image)
        frames = image.frames(self.architecture.dims)
        number, z = (plane, None) if self.architecture.dims == 2 else divmod(plane, image.size["Z"])
        window = [rows, columns] if z is None else [slice(z, z + 1), rows, columns]
        around, inside = [], []
        for piece, size, reach, block in zip(
            window, frames[number].shape, self.architecture.reach, self.architecture.block
        ):
            reach = reach if margin is None else min(reach, margin)
            # Poolings must fall on the same pixels as in the whole image.
            start = max(0, piece.start - reach) // block * block
            around.append(slice(start, min(size, piece.stop + reach)))
            inside.append(slice(piece.start - start, min(size, piece.stop) - start))
        noisy = frames[number].read(*around)
        denoised = self.predict_pixels(noisy, self.normalisation.for_image(image))
        crops = np.asarray(noisy[tuple(inside)], "float32"), denoised[tuple(inside)]
        return crops if z is None else (crops[0][0], crops[1][0])

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
        self.require_fit(image)
        scale = self.normalisation.for_image(image)
        kind = image.dtype if dtype == "input" else np.dtype("float32")
        frames = image.frames(self.architecture.dims)
        predictor = self._predictor(frames[0].shape, tile)
        with image_writer(out, image, kind, display=_display_range(image)) as write:
            for frame in frames:

                def write_piece(where, values, frame=frame):
                    write(frame.number, where, values)

                def report(done, tiles, frame=frame):
                    if on_tile:
                        on_tile(frame.number + done / tiles, len(frames))

                with quick_to_read(frame) as read:
                    predictor.predict(frame.shape, read, write_piece, scale.apply, scale.undo, report)

    def predict_folder(
        self, images, out, dtype="float32", tile="auto", on_progress=None, keep_existing=False, axes="auto"
    ):
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
        axes : str
            What the dimensions mean; see :meth:`open`.

        Returns
        -------
        list of Path
            The results, in the order of the images.
        """
        files = list_images(images)
        opened = [self.open(file, axes) for file in files]
        targets = [Path(out) / f"{stem(file)}.tif" for file in files]
        _require_distinct(files, targets)
        if not keep_existing:
            require_absent(targets)
        for image in opened:
            self.require_fit(image)
        for number, (image, target) in enumerate(zip(opened, targets)):
            if target.exists():
                continue

            def report(done, total, number=number, image=image):
                if on_progress:
                    on_progress((number + done / total) / len(opened), image.path.name)

            self.predict_file(image, target, dtype, tile, report)
        return targets

    def doubts(self, images, axes="auto"):
        """Sentences about images (a folder or a file) that differ much in brightness from those of the training."""
        if self.normalisation.kind != "dataset":  # each image has its own scaling
            return []
        opened = [self.open(file, axes) for file in list_images(images)]
        found = [i.path.name for i in opened if not alike(self.normalisation, fit([i], "dataset", blank=True))]
        if not found:
            return []
        names = ", ".join(found[:3]) + (" ..." if len(found) > 3 else "")
        return [
            f"{names}: quite another brightness or contrast than the images this model was trained with. Look at the "
            "result closely; if in doubt, train a model on these images."
        ]

    def open(self, file, axes="auto"):
        """Open an image with these axes; else as the training images were, if it has as many dimensions; else as it
        says itself. Of a file that says nothing, a model of volumes takes time for depth."""
        image = open_image(file, axes)
        if axes.lower() != "auto":
            return image
        if self.settings.axes != "auto" and len(image.shape) == len(self.settings.axes):
            return open_image(file, self.settings.axes)
        if self.architecture.dims == 3 and image.guessed and "Z" not in image.axes:
            return open_image(file, image.axes.replace("T", "Z"))
        return image

    def _predictor(self, shape, tile="auto"):
        depth = shape[0] if self.architecture.dims == 3 else None
        side = tile_for_memory(device.free_memory(), self.architecture, depth) if tile == "auto" else int(tile)
        return TiledPredictor(self.network, self.architecture, side, self.settings.orientations)

    def require_fit(self, image):
        """Raise a UserError if an image is not of the kind that this model was trained with."""
        channels = len(self.normalisation.mean)
        if image.size["C"] != channels:
            raise UserError(
                f"{image.path} has {image.size['C']} channels, but the model in {self.run.path} was trained "
                f"with {channels}. Use images like those it was trained with"
            )
        if self.architecture.dims == 3 and image.size["Z"] == 1:
            raise UserError(
                f"{image.path} is {image.describe()}, but the model in {self.run.path} was trained with volumes. "
                "Use images like those it was trained with, or give their axes, for example ZYX"
            )


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


def _display_range(image):
    """Grey values between which Fiji should show a result: nearly all of the middle plane's."""
    step = max(1, max(image.plane_shape[:2]) // 512)
    plane = np.asarray(image.plane(image.planes // 2)[::step, ::step], "float32")
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0, 0)
    return (low, high) if high > low else None


def _require_distinct(files, targets):
    seen = {}
    for file, target in zip(files, targets):
        if target in seen:
            raise UserError(f"{seen[target]} and {file.name} would both become {target.name}. Rename one of them")
        seen[target] = file.name
