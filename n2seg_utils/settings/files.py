"""Settings files of whatever workflow: forms write them, runs keep them, commands read them."""

from ..errors import UserError
from ..knobs import read_values
from .denoise import DenoiseSettings
from .joint import JointSettings
from .quality import QualitySettings
from .segment import SegmentSettings

TRAININGS = {"denoise": DenoiseSettings, "segment": SegmentSettings, "joint": JointSettings}
_COMMANDS = {f"train {name}": kind for name, kind in TRAININGS.items()} | {"qc": QualitySettings}


def load_for(command, path):
    """The settings in a file, for one command.

    Parameters
    ----------
    command : str
        "train denoise", "train segment", "train joint" or "qc".
    path : path

    Raises
    ------
    UserError
        When the file is for another command (naming that), or cannot be used at all.
    """
    kind, values = _COMMANDS[command], read_values(path)
    for other, known in _COMMANDS.items():
        if not values.keys() <= kind.knobs().keys() and values.keys() <= known.knobs().keys():
            raise UserError(f"{path} holds settings for n2seg {other}, not for n2seg {command}: use it with that")
    return kind.load(path)


def load_training(path):
    """The settings of a training of whatever workflow: of the first that knows every name in the file."""
    values = read_values(path)
    kinds = [kind for kind in TRAININGS.values() if values.keys() <= kind.knobs().keys()]
    return (kinds or [JointSettings])[0].load(path)
