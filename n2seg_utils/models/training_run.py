"""What every training does, whatever it teaches: pixels in memory, a plan, weights and history in the run folder."""

import contextlib

import numpy as np

from ..data import pixels
from ..errors import UserError
from ..learning import device
from ..learning.training import Plan, Refill, plan_for_minutes, train
from . import weights

_MEMORY_SHARE = 0.1  # of the free memory, for training pixels; on their way to the device there are four copies
SHARES = {"train": 0.8, "validate": 0.2}  # of that
_LARGEST_POOL = 8_000_000_000  # bytes: positions in the pool of pixels are 32 bit
_BLOCK = 512
_BLOCK_DEPTH = 32
_FEWEST_BLOCKS = 16


def pool(images, parts, use, patch_shape, normalisation, seed, annotate=None, more=0, sampler="patches", share=1.0):
    """The pixels that patches of one use are drawn from.

    Parameters
    ----------
    images : list of ImageFile
    parts : list of Part
    use : str
        "train" or "validate".
    patch_shape : tuple of int
    normalisation, annotate
        See :func:`~n2seg_utils.data.pixels.load`.
    seed : int
    more : int
        Values a pixel that `annotate` adds.
    sampler : str
        What the training calls the sampler that draws from this pool.
    share : float
        Of the memory for such pixels.

    Returns
    -------
    frames : list
        As :func:`~n2seg_utils.data.pixels.load` gives them: all of them, or blocks if they do not fit in memory.
    callbacks : list
        What brings in other blocks each epoch, if need be.
    """
    budget = min(share * SHARES[use] * _MEMORY_SHARE * device.free_memory(), _LARGEST_POOL)
    found = pixels.sources(images, parts, use, len(patch_shape))
    if pixels.nbytes(found, more) <= budget:
        return pixels.load(found, normalisation, annotate), []
    values = images[0].size["C"] + more
    block = _block(patch_shape, budget / 2 / _FEWEST_BLOCKS / (4 * values))
    count = max(_FEWEST_BLOCKS, int(budget / 2 / (np.prod(block) * values * 4)))
    stream = pixels.BlockStream(found, normalisation, block, count, seed, annotate)
    return stream.blocks(0), [Refill(stream, sampler)] if use == "train" else []


def begin(run, workflow, settings, images, parts, facts):
    """Claim the run folder and write down what is known before the training."""
    run.start(
        settings,
        {
            "workflow": workflow,
            **facts,
            "seed": settings.seed,
            "minutes": settings.minutes,
            "device": "GPU" if device.has_gpu() else "CPU",
            "backend": device.backend(),
            "images": [_fingerprint(image) for image in images],
        },
    )
    run.write_table("split.csv", [_split_row(images, part) for part in parts])


def plan(training, settings, run):
    """How many steps to take, from the settings or from how fast they are; and the settings that say so.

    Returns
    -------
    settings : TrainingSettings
        With these, the same steps are taken again. They are written into the run folder.
    plan : Plan
    """
    found = _plan(training, settings, run)
    settings = settings.replace(minutes=0, epochs=found.epochs, steps_per_epoch=found.steps_per_epoch)
    run.write_settings(settings)
    run.note(steps=found.steps, step_seconds=found.step_seconds)
    return settings, found


def learn(run, training, plan, watcher, preview, callbacks=(), **more):
    """Train, with history and best weights in the run folder as they come.

    Parameters
    ----------
    run : RunFolder
    training : keras.Model
    plan : Plan
    watcher : Watcher or None
    preview : callable
    callbacks : sequence of keras.callbacks.Callback
    **more
        For :func:`~n2seg_utils.learning.training.train`.

    Returns
    -------
    Outcome
    """
    rows, network = [], training.network

    def keep(row, is_best):
        rows.append(row)
        with contextlib.suppress(UserError):  # Drive fails now and then; everything is written again at the end
            run.write_table("history.csv", rows)
            if is_best:
                weights.save(network, run / weights.BEST)

    return train(training, plan, watcher, keep, preview, callbacks, **more)


def finish(run, network, outcome):
    """Write down what came of a training.

    Raises
    ------
    UserError
        When nothing was learned.
    """
    if not outcome.history:
        raise _nothing_learned(run, outcome.stopped, outcome.error)
    run.write_table("history.csv", outcome.history)
    weights.save(network, run / weights.BEST)
    run.finish(
        outcome.stopped,
        epochs_done=len(outcome.history),
        best_epoch=outcome.best_epoch,
        training_seconds=round(outcome.seconds, 1),
    )


def example(images, parts, side=192):
    """A crop of a validation image to watch: its brightest part.

    Returns
    -------
    image : ImageFile
    plane : int
    rows, columns : slice
    """
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


def _block(patch, pixels):
    """The shape of blocks of at most so many pixels, but never smaller than a patch."""
    sides = [max(_BLOCK_DEPTH, size) for size in patch[:-2]] + [max(_BLOCK, size) for size in patch[-2:]]
    while np.prod(sides) > pixels and any(side > size for side, size in zip(sides, patch)):
        widest = int(np.argmax(np.array(sides) / patch))
        sides[widest] = max(patch[widest], sides[widest] // 2)
    return tuple(sides)


def _fingerprint(image):
    return {
        "name": image.path.name,
        "axes": image.axes,
        "shape": image.shape,
        "dtype": str(image.dtype),
        "bytes": image.path.stat().st_size,
    }


def _split_row(images, part):
    region = "all" if part.region is None else "y{} x{} h{} w{}".format(*part.region)
    return {"image": images[part.image].path.name, "use": part.use, "region": region}
