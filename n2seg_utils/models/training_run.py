"""What every training does, whatever it teaches: pixels in memory, a plan, weights and history in the run folder."""

import contextlib

import numpy as np

from ..errors import Terminated, UserError
from ..learning import device, distribution, precision
from ..learning.plan import Plan, plan_for_minutes
from ..learning.training import OutOfMemory, Watcher, train
from . import weights
from .checkpoints import Checkpoints
from .fingerprint import fingerprint
from .past import Past


def begin(run, workflow, asked, settings, images, parts, memory, facts):
    """Write down what is known before the training; `asked` are the settings as given."""
    run.require_free()
    Checkpoints(run).remove()  # elsewhere there may be some of another training in a folder of this name
    run.start(
        settings,
        {
            "workflow": workflow,
            "asked": asked.to_dict(),
            **facts,
            "seed": settings.seed,
            "minutes": settings.minutes,
            "device": "GPU" if device.has_gpu() else "CPU",
            "backend": device.backend(),
            "memory": memory,
            "images": [fingerprint(image) for image in images],
        },
        [_split_row(images, part) for part in parts],
    )


def require_unfinished(past):
    """Raise a UserError if another has finished a training that was to go on, before it could be claimed."""
    if past and Past.of(past.run) is None:
        raise UserError(f"The training in {past.run.path} was finished meanwhile: nothing is left to do")


def tidy(run):
    """Remove what a training that was killed left half written, and set aside how good the stopped model was."""
    run.require_no_links()
    run.sweep()
    run.set_aside("quality")


def learn(run, make, settings, watcher, preview, plan=None, refills=(), *, network, **more):
    """Plan and train, with history, best weights and checkpoints in the run folder as they come.

    Goes on from the last checkpoint that there is. A batch that does not fit on the device is halved.

    Parameters
    ----------
    run : RunFolder
    make : callable
        ``make(settings, network)`` is the training, a keras.Model.
    settings : TrainingSettings
        Say how long to train, unless there is a plan already.
    watcher : Watcher or None
    preview : callable
    plan : Plan, optional
    refills : sequence of Refill
    network : keras.Model
        Learns, in float32 when all is done. What learns in mixed precision, or on several devices, is a copy.
    **more
        For :func:`~n2seg_utils.learning.training.train`.

    Returns
    -------
    settings : TrainingSettings
        With these, the same steps are taken again. They are in the run folder.
    plan : Plan
    outcome : Outcome
    """
    checkpoints, watcher = Checkpoints(run), watcher or Watcher()
    state = checkpoints.latest()
    policy = (state and run.facts().get("precision")) or precision.chosen(settings.precision)
    precision.require_able(policy, network)
    settings = settings.replace(precision="float32" if policy == precision.FLOAT32 else "mixed")
    while True:
        over = distribution.strategy(settings.batch_size)
        run.note(precision=policy, devices=distribution.count(over))
        try:
            with distribution.scope(over), precision.learner(network, policy, over) as learner:
                training = make(settings, learner)
                if plan is None:
                    plan = _plan(training, settings, run)
                    settings = settings.replace(minutes=0, epochs=plan.epochs, steps_per_epoch=plan.steps_per_epoch)
                    run.write_settings(settings)
                    run.note(steps=plan.steps, **({"step_seconds": plan.step_seconds} if plan.step_seconds else {}))
                keep = _Keeper(run, learner, checkpoints, watcher, state)
                shown = precision.seen_by(network, learner, preview)
                found = train(training, plan, watcher, keep.epoch, shown, refills, begin=state, keep=keep.state, **more)
                checkpoints.bring_home()
                return settings, plan, found
        except OutOfMemory as error:
            state = error.state
            settings = _smaller_batch(settings, run, watcher)


class _Keeper:
    """Writes what must not be lost, and goes on when it cannot: everything is written again at the end."""

    def __init__(self, run, network, checkpoints, watcher, state):
        self.run, self.network, self.checkpoints, self.watcher = run, network, checkpoints, watcher
        self.rows, self.told = list(state.history) if state else [], False

    def epoch(self, row, is_best):
        """Write history and best weights."""
        self.rows = [*self.rows[: row["epoch"] - 1], row]
        with contextlib.suppress(UserError):
            self.run.write_table("history.csv", self.rows)
            if is_best:
                weights.save(self.network, self.run / weights.BEST)

    def state(self, state):
        """Write a checkpoint, in the run folder or, when that cannot be written to, elsewhere."""
        try:
            written = self.checkpoints.save(state)
        except UserError as error:
            self._tell(f"{error}. The training goes on, but could not be continued if it were stopped now.")
        else:
            if not written:
                spare = self.checkpoints.spare
                self._tell(f"{self.run.path} cannot be written to now. Until it can, the training is kept in {spare}.")

    def _tell(self, words):
        if not self.told:
            self.watcher.again(words)
        self.told = True


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


def forget_if_over(run, outcome):
    """Remove the checkpoints of a training that nobody would go on with."""
    if outcome.stopped in ("finished", "settled", "diverged"):
        Checkpoints(run).remove()


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
    except Terminated:
        raise
    except KeyboardInterrupt:
        raise _nothing_learned(run, "interrupted") from None
    except Exception as error:
        if device.is_out_of_memory(error):
            raise OutOfMemory(None) from error
        raise


def _smaller_batch(settings, run, watcher):
    """The settings with half as many patches in a batch, written down and told."""
    smallest = int(settings.knobs()["batch_size"].low)
    if settings.batch_size <= smallest:
        run.finish("failed")
        raise UserError(
            f"The device has not enough memory, not even with a batch size of {settings.batch_size} and patches of "
            f"{settings.patch_size} pixels. Choose a smaller patch_size or network_width"
        )
    settings = settings.replace(batch_size=max(smallest, settings.batch_size // 2))
    run.write_settings(settings)
    watcher.again(f"The device has not enough memory: it goes on with a batch size of {settings.batch_size}.")
    return settings


def _nothing_learned(run, stopped, error=None):
    if stopped == "diverged":
        Checkpoints(run).remove()
    if stopped != "interrupted" or Checkpoints(run):  # else it goes on from the beginning
        run.finish(stopped)
    if error:
        return error
    reason = {"interrupted": "was stopped before its first epoch ended", "diverged": "became unstable at once"}[stopped]
    go_on = f"Go on with it: run the cell again, or n2seg resume {run.path}"
    remedy = {"interrupted": go_on, "diverged": "Train again with a smaller learning rate"}[stopped]
    return UserError(f"The training {reason}, so there is no model yet. {remedy}")


def _split_row(images, part):
    region = "all" if part.region is None else "y{} x{} h{} w{}".format(*part.region)
    return {"image": images[part.image].path.name, "use": part.use, "region": region}
