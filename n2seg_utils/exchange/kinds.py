"""What kind of model lies at a path, seen without opening it."""

from ..data.files import at_home
from ..data.tables import read_json
from ..errors import UserError
from ..models.run_folder import RunFolder
from .packages import description_in

RUN, CARE, FILE, PACKAGE = "run", "care", "file", "package"
_KERAS = (".h5", ".hdf5", ".keras")  # endings


def kind_of(path):
    """What a path holds: :data:`RUN` (ours, or of n2v or DenoiSeg), :data:`CARE`, :data:`FILE` or :data:`PACKAGE`.

    Raises
    ------
    UserError
        If it is no model; says what would be.
    """
    path = at_home(path)
    folder = RunFolder(path)
    if path.is_file():
        if path.suffix.lower() in _KERAS:
            return FILE
        if path.suffix.lower() == ".zip":
            return PACKAGE
    if path.is_dir() and not folder.made_by_n2v and not (path / "settings.yaml").exists():
        if description_in([file.name for file in path.iterdir()]):
            return PACKAGE
        if (path / "saved_model.pb").exists():
            raise UserError(
                f"{path} is a SavedModel of TensorFlow, which is a program, and programs of others are not run. Give "
                "the run folder that it was made from, or a file saved by Keras (.keras, .h5)"
            )
    folder.require()
    return CARE if folder.made_by_n2v and _is_care(path) else RUN


def _is_care(path):
    try:
        config = read_json(path / "config.json")
    except (OSError, ValueError):
        return False  # what is wrong with it, its reader says
    return isinstance(config, dict) and "unet_n_depth" in config and not _n2v_or_denoiseg(config)


def _n2v_or_denoiseg(config):
    return "denoiseg_alpha" in config or "n2v_perc_pix" in config or "means" in config or "mean" in config
