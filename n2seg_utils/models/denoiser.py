"""Noise2Void from a folder of noisy images to a run folder, and from a run folder to denoised images."""

import time
from pathlib import Path

import keras
import numpy as np

from ..data import normalisation as scaling
from ..data import pixels
from ..data.files import list_images, require_absent, stem
from ..data.images import open_image, open_images
from ..data.normalisation import Normalisation, require_finite
from ..data.split import split
from ..data.writing import image_writer
from ..errors import UserError
from ..learning import device
from ..learning.networks import unet
from ..learning.noise2void import Noise2VoidTraining
from ..learning.patches import PatchSampler
from ..learning.prediction import TiledPredictor, tile_for_memory
from ..learning.training import Plan, plan_for_minutes, train
from ..settings import DenoiseSettings
from . import n2v_format
from .run_folder import RunFolder
from .suggestions import settle

_MEMORY_SHARE = 0.25  # of the free memory, for training pixels
_BLOCK = 512


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
        settings = DenoiseSettings.load(run / "settings.yaml")
        facts = run.facts()
        network = _network(settings, facts["channels"])
        try:
            network.load_weights(str(run / "weights_best.h5"))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{run / 'weights_best.h5'} is damaged or of another network. Restore it from a copy"
            ) from error
        return cls(network, settings, Normalisation(**facts["normalisation"]), run)

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
        opened = [open_image(file, self.settings.axes) for file in files]
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


def train_denoiser(settings, watcher=None):
    """Train Noise2Void and keep everything in the run folder.

    Parameters
    ----------
    settings : DenoiseSettings
        Open values are chosen from the data.
    watcher : Watcher, optional
        Is told how the training goes.

    Returns
    -------
    Denoiser

    Raises
    ------
    UserError
        When images, settings or the run folder need a change; before anything is trained.
    """
    settings.check()
    images = open_images(settings.images, settings.axes)
    settings = settle(settings, images, device.has_gpu())
    normalisation = scaling.fit(images, settings.normalisation)
    settings = settings.replace(normalisation=normalisation.kind)
    parts = split(images, settings.validation_fraction, settings.seed, settings.patch_size)
    keras.utils.set_random_seed(settings.seed)
    network = _network(settings, images[0].size["C"])
    samplers, callbacks = _samplers(settings, images, parts, normalisation)
    training = Noise2VoidTraining(
        network, *samplers, settings.seed, settings.masked_percent, settings.neighbourhood_radius
    )
    run = RunFolder(settings.run)
    run.start(settings, _facts(settings, images, normalisation))
    run.write_table("split.csv", _split_rows(images, parts))
    if settings.minutes:
        plan = plan_for_minutes(training, settings.minutes, settings.learning_rate)
        settings = settings.replace(epochs=plan.epochs, steps_per_epoch=plan.steps_per_epoch)
        run.write_settings(settings)
    else:
        plan = Plan(settings.epochs, settings.steps_per_epoch, settings.learning_rate)
    run.note(steps=plan.steps, step_seconds=plan.step_seconds)
    n2v_format.save_config(run / "config.json", settings, normalisation, images[0].size["C"])
    denoiser = Denoiser(network, settings, normalisation, run)
    rows = []

    def keep(row, is_best):
        rows.append(row)
        run.write_table("history.csv", rows)
        if is_best:
            n2v_format.save_weights(network, run / "weights_best.h5")

    started = time.perf_counter()
    example = _example(images, parts, normalisation)
    outcome = train(training, plan, watcher, keep, lambda: _preview(denoiser, *example), callbacks)
    if not outcome.history:
        reason = "was stopped before its first epoch ended" if outcome.stopped == "interrupted" else "diverged at once"
        run.finish(outcome.stopped)
        raise UserError(
            f"The training {reason}, so there is no model yet. Train again, with a smaller learning rate if need be"
        )
    run.finish(
        outcome.stopped,
        epochs_done=len(outcome.history),
        best_epoch=outcome.best_epoch,
        training_seconds=round(time.perf_counter() - started, 1),
    )
    return denoiser


def _network(settings, channels):
    return unet(
        channels,
        depth=settings.network_depth,
        width=settings.network_width,
        kernel_size=settings.kernel_size,
        batch_norm=settings.batch_norm,
    )


def _samplers(settings, images, parts, normalisation):
    """Patch sources of training and validation; callbacks that bring in new pixels when not all fit in memory."""
    budget = _MEMORY_SHARE * device.free_memory()
    common = {"patch_size": settings.patch_size, "batch_size": settings.batch_size, "seed": settings.seed}
    callbacks, planes = [], {}
    for use in ("train", "validate"):
        if pixels.nbytes(images, parts, use) <= budget:
            planes[use] = pixels.load(images, parts, use, normalisation)
            continue
        channels = images[0].size["C"]
        count = max(16, int(budget / 2 / (_BLOCK**2 * channels * 4)))
        stream = pixels.BlockStream(images, parts, use, normalisation, _BLOCK, count, settings.seed)
        planes[use] = stream.blocks(0)
        if use == "train":
            callbacks.append(_Refill(stream))
    training = PatchSampler(planes["train"], augment=settings.augment, stream=0, **common)
    validation = PatchSampler(planes["validate"], augment=False, stream=1, **common)
    return (training, validation), callbacks


class _Refill(keras.callbacks.Callback):
    """Gives each epoch other blocks of images that do not fit in memory."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.model.patches.refill(self.stream.blocks(epoch))


def _facts(settings, images, normalisation):
    return {
        "workflow": "denoise",
        "channels": images[0].size["C"],
        "normalisation": {"kind": normalisation.kind, "mean": normalisation.mean, "std": normalisation.std},
        "seed": settings.seed,
        "device": "GPU" if device.has_gpu() else "CPU",
        "backend": keras.backend.backend(),
        "images": [
            {
                "name": i.path.name,
                "axes": i.axes,
                "shape": i.shape,
                "dtype": str(i.dtype),
                "bytes": i.path.stat().st_size,
            }
            for i in images
        ],
    }


def _split_rows(images, parts):
    return [
        {
            "image": images[p.image].path.name,
            "use": p.use,
            "region": "all" if p.region is None else "y{} x{} h{} w{}".format(*p.region),
        }
        for p in parts
    ]


def _example(images, parts, normalisation, side=192):
    """A crop of a validation image to watch: its brightest part, in grey values, and its scaling."""
    part = next(p for p in parts if p.use == "validate")
    image = images[part.image]
    plane = image.plane(image.planes // 2)
    y, x, height, width = part.region or (0, 0, *image.plane_shape[:2])
    corners = [
        (y + i, x + j)
        for i in range(0, max(1, height - side + 1), max(1, side // 2))
        for j in range(0, max(1, width - side + 1), max(1, side // 2))
    ]
    corners = corners[:: max(1, len(corners) // 64)]
    i, j = max(corners, key=lambda c: float(np.mean(plane[c[0] : c[0] + side : 4, c[1] : c[1] + side : 4])))
    crop = plane[i : min(i + side, y + height), j : min(j + side, x + width)]
    return np.asarray(crop, "float32"), normalisation.for_image(image)


def _preview(denoiser, crop, scale):
    return {"noisy": crop[..., 0], "denoised": denoiser.predict_pixels(crop, scale)[..., 0]}


def _display_range(image):
    """Grey values between which Fiji should show a result: nearly all of the middle plane's."""
    plane = np.asarray(image.plane(image.planes // 2)[::4, ::4], "float32")
    low, high = np.percentile(plane[np.isfinite(plane)], (0.1, 99.9))
    return (low, high) if high > low else None


def _require_distinct(files, targets):
    seen = {}
    for file, target in zip(files, targets):
        if target in seen:
            raise UserError(f"{seen[target]} and {file.name} would both become {target.name}. Rename one of them")
        seen[target] = file.name
