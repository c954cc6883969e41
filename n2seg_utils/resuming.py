"""Trainings that begin or go on, whichever is due: the same call again and again, as on a cluster."""

from .errors import UserError


def begin_or_resume(train, settings):
    """Train, or go on with that, so that the same call can be made again and again: for clusters.

    Parameters
    ----------
    train : callable
        :func:`~n2seg_utils.workflows.denoise`, ``segment`` or ``joint``.
    settings : TrainingSettings

    Returns
    -------
    model, scores, report
        As `train` gives them; of a training that is over already, too.

    Raises
    ------
    UserError
        When the run folder holds a training that was begun with other settings.
    """
    from .models.past import Past
    from .workflows import resume

    past = Past.known(settings.run)
    if past is None:
        return train(settings)
    if not past.asked_for(settings):
        raise UserError(
            f"{settings.run} holds a training that was begun with other settings. Choose another run folder, or go on "
            f"with that one: n2seg resume {settings.run}"
        )
    return resume(settings.run, again=True)
