"""Going on with a training that was stopped, of whatever kind."""

from .denoise_training import DenoiseWork
from .denoiser import Denoiser
from .joint import JointModel
from .joint_training import JointWork
from .label_kinds import work_for
from .segmenter import Segmenter

_WORKS = {"denoise": lambda settings: DenoiseWork, "segment": work_for, "joint": lambda settings: JointWork}
_MODELS = {"denoise": Denoiser, "segment": Segmenter, "joint": JointModel}


def resume(past, watcher=None, on_tuning=None):
    """Train to the end what was stopped.

    On a CPU this gives the weights and the history that it would have had without the stop.

    Parameters
    ----------
    past : Past
    watcher, on_tuning
        See :func:`~n2seg_utils.models.segment_training.train_segmenter`.

    Returns
    -------
    TrainedModel

    Raises
    ------
    UserError
        When images are not those that the training began with.
    """
    if past.over:
        return _MODELS[past.workflow].load(past.run)
    return _WORKS[past.workflow](past.settings)(past.settings, past).train(watcher, on_tuning)
