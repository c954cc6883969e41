"""Noise2Void training: from a folder of noisy images to a run folder."""

import contextlib
import time
from dataclasses import asdict

import numpy as np

from ..data import drive, pixels
from ..data import normalisation as scaling
from ..data.files import list_images, pair_by_name
from ..data.images import open_images
from ..data.split import split
from ..errors import UserError
from ..learning import device
from ..learning.networks import unet
from ..learning.noise2void import Noise2VoidTraining
from ..learning.patches import PatchSampler
from ..learning.training import Plan, Refill, plan_for_minutes, train
from . import n2v_format
from .denoiser import Denoiser, design
from .hiding import blind_spots, patch_shape
from .run_folder import RunFolder
from .suggestions import pool_z, settle

_MEMORY_SHARE = 0.1  # of the free memory, for training pixels; on their way to the device there are four copies
_LARGEST_POOL = 8_000_000_000  # bytes: positions in the pool of pixels are 32 bit
_BLOCK = 512
_BLOCK_DEPTH = 32
_FEWEST_BLOCKS = 16
_BRIEF = 4


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
    run = RunFolder(settings.check().run)
    run.require_free()
    images = open_images(drive.bring(settings.images), settings.axes)
    _require_truth(images, settings.truth)
    start = _start(settings, images)
    if start:
        settings = n2v_format.describe(settings, start.architecture)
    settings = settle(settings, images, device.has_gpu(), start and start.architecture.pool_z)
    architecture = start.architecture if start else design(settings, images[0].size["C"], pool_z(images))
    normalisation = _normalisation(settings, images, start)
    settings = settings.replace(normalisation=normalisation.kind)
    parts = split(images, settings.validation_fraction, settings.seed, settings.patch_size)
    device.seed_weights(settings.seed)
    network = start.network if start else unet(architecture)
    hide = blind_spots(settings, images)
    samplers, callbacks = _samplers(settings, images, parts, normalisation, hide)
    training = Noise2VoidTraining(network, *samplers, hide, settings.seed, settings.loss)
    run.start(settings, _facts(settings, images, normalisation, architecture))
    run.write_table("split.csv", _split_rows(images, parts))
    plan = _plan(training, settings, run)
    # The steps are fixed now, and training with these settings takes them again.
    settings = settings.replace(minutes=0, epochs=plan.epochs, steps_per_epoch=plan.steps_per_epoch)
    run.write_settings(settings)
    run.note(steps=plan.steps, step_seconds=plan.step_seconds)
    n2v_format.save_config(run / n2v_format.CONFIG, settings, normalisation, architecture)
    denoiser = Denoiser(network, architecture, settings, normalisation, run)
    rows = []

    def keep(row, is_best):
        rows.append(row)
        with contextlib.suppress(UserError):  # Drive fails now and then; everything is written again at the end
            run.write_table("history.csv", rows)
            if is_best:
                n2v_format.save_weights(network, run / "weights_best.h5")

    started = time.perf_counter()
    example = _example(images, parts)
    outcome = train(training, plan, watcher, keep, lambda: _preview(denoiser, *example), callbacks, bool(start))
    if not outcome.history:
        raise _nothing_learned(run, outcome.stopped, outcome.error)
    run.write_table("history.csv", outcome.history)
    n2v_format.save_weights(network, run / "weights_best.h5")
    run.finish(
        outcome.stopped,
        epochs_done=len(outcome.history),
        best_epoch=outcome.best_epoch,
        training_seconds=round(time.perf_counter() - started, 1),
    )
    return denoiser


def _require_truth(images, truth):
    """Refuse a truth that cannot judge, now rather than after the training."""
    if truth and not pair_by_name([image.path for image in images], list_images(truth))[0]:
        example = images[0].path.name
        raise UserError(f"No clean image in {truth} has the name of a noisy one, for example {example}. Rename them")


def _plan(training, settings, run):
    """How many steps to take, from the settings or from how fast they are."""
    if not settings.minutes:
        return Plan(settings.epochs, settings.steps_per_epoch, settings.learning_rate)
    try:
        return plan_for_minutes(training, settings.minutes, settings.learning_rate)
    except KeyboardInterrupt:
        raise _nothing_learned(run, "interrupted") from None


def _nothing_learned(run, stopped, error=None):
    run.finish(stopped)
    if error:
        return error
    reason = {"interrupted": "was stopped before its first epoch ended", "diverged": "became unstable at once"}[stopped]
    remedy = {"interrupted": "Train again", "diverged": "Train again with a smaller learning rate"}[stopped]
    return UserError(f"The training {reason}, so there is no model yet. {remedy}")


def _start(settings, images):
    """The model to train further, if there is one."""
    if not settings.pretrained:
        return None
    start = Denoiser.load(settings.pretrained)
    start.require_fit(images[0])
    dims = f"{start.architecture.dims}d"
    if settings.dimensions not in ("auto", dims):
        raise UserError(
            f"{settings.pretrained} holds a {dims} model, but dimensions is {settings.dimensions}: use auto"
        )
    if settings.algorithm == "n2v2" and not start.architecture.blur_pool:
        raise UserError(f"{settings.pretrained} does not hold a model of n2v2: use the algorithm n2v")
    if start.architecture.sees is not None:
        raise UserError(
            f"The model in {settings.pretrained} was made by n2v with a network per channel, all of which see the last "
            "channel only: it is not worth training further. Leave 'pretrained' empty"
        )
    return start


def _normalisation(settings, images, start):
    """The scaling that the model to start from knows, unless the new images are of quite another brightness."""
    fitted = scaling.fit(images, settings.normalisation if not start else start.normalisation.kind)
    return start.normalisation if start and scaling.alike(start.normalisation, fitted) else fitted


def _samplers(settings, images, parts, normalisation, hide):
    """Patch sources of training and validation; callbacks that bring in new pixels when not all fit in memory."""
    shape, channels = patch_shape(settings), images[0].size["C"]
    samplers, callbacks = [], []
    for number, (use, share) in enumerate((("train", 0.8), ("validate", 0.2))):
        budget = min(share * _MEMORY_SHARE * device.free_memory(), _LARGEST_POOL)
        found = pixels.sources(images, parts, use, len(shape))
        if pixels.nbytes(found) <= budget:
            frames = pixels.load(found, normalisation)
        else:
            block = _block(shape, budget / 2 / _FEWEST_BLOCKS / (4 * channels))
            count = max(_FEWEST_BLOCKS, int(budget / 2 / (np.prod(block) * channels * 4)))
            stream = pixels.BlockStream(found, normalisation, block, count, settings.seed)
            frames = stream.blocks(0)
            callbacks += [Refill(stream)] * (use == "train")
        augment = settings.augment and use == "train"
        flip, turn = augment and hide.may_flip, augment and hide.may_turn
        samplers.append(PatchSampler(frames, shape, settings.batch_size, settings.seed, flip, turn, stream=number))
    return samplers, callbacks


def _block(patch, pixels):
    """The shape of blocks of at most so many pixels, but never smaller than a patch."""
    sides = [max(_BLOCK_DEPTH, size) for size in patch[:-2]] + [max(_BLOCK, size) for size in patch[-2:]]
    while np.prod(sides) > pixels and any(side > size for side, size in zip(sides, patch)):
        widest = int(np.argmax(np.array(sides) / patch))
        sides[widest] = max(patch[widest], sides[widest] // 2)
    return tuple(sides)


def _facts(settings, images, normalisation, architecture):
    return {
        "workflow": "denoise",
        "network": asdict(architecture),
        "normalisation": {"kind": normalisation.kind, "mean": normalisation.mean, "std": normalisation.std},
        "seed": settings.seed,
        "minutes": settings.minutes,
        "device": "GPU" if device.has_gpu() else "CPU",
        "backend": device.backend(),
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


def _example(images, parts, side=192):
    """A crop of a validation image to watch: its brightest part."""
    part = next(p for p in parts if p.use == "validate")
    image = images[part.image]
    number = image.planes // 2
    plane = image.plane(number)
    y, x, height, width = part.region or (0, 0, *image.plane_shape[:2])
    corners = [
        (y + i, x + j)
        for i in range(0, max(1, height - side + 1), max(1, side // 2))
        for j in range(0, max(1, width - side + 1), max(1, side // 2))
    ]
    corners = corners[:: max(1, len(corners) // 64)]
    i, j = max(corners, key=lambda c: float(np.mean(plane[c[0] : c[0] + side : 4, c[1] : c[1] + side : 4])))
    return image, number, slice(i, min(i + side, y + height)), slice(j, min(j + side, x + width))


def _preview(denoiser, image, plane, rows, columns):
    # Volumes are looked at a little less far than the network does, which the eye cannot tell: this is done often.
    margin = None if denoiser.architecture.dims == 2 else _BRIEF
    noisy, denoised = denoiser.predict_crop(image, plane, rows, columns, margin)
    return {"noisy": noisy[..., 0], "denoised": denoised[..., 0]}
