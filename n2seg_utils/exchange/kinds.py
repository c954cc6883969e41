"""What kind of model lies at a path, seen without opening it."""

from ..data.files import at_home
from ..data.tables import read_json
from ..errors import UserError
from ..models.run_folder import RunFolder
from .archives import Zip
from .graph_files import GRAPH, where
from .packages import description_in

RUN, CARE, FILE, PACKAGE, SAVEDMODEL = "run", "care", "file", "package", "savedmodel"
_OF_FOLDERS = ("config.json", "settings.yaml")  # of n2v and csbdeep, and of runs
_KERAS = (".h5", ".hdf5", ".keras")  # endings


def kind_of(path):
    """What a path holds: :data:`RUN` (ours, or of n2v or DenoiSeg), :data:`CARE`, :data:`FILE`, :data:`PACKAGE` or
    :data:`SAVEDMODEL`.

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
            return _packed(path)
    if path.is_dir() and not folder.made_by_n2v and not (path / "settings.yaml").exists():
        if description_in([file.name for file in path.iterdir()]):
            return PACKAGE
        if (path / GRAPH).exists():
            return SAVEDMODEL
    folder.require()
    return CARE if folder.made_by_n2v and _is_care(path) else RUN


def _packed(path):
    names = Zip(path).names
    if description_in(names):
        return PACKAGE
    folders = sorted({name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in _OF_FOLDERS})
    if folders:
        inner = f" {folders[0]}" if folders[0] else ""
        raise UserError(f"{path} is a packed folder of a model. Unpack it, and give the folder{inner} that was in it")
    return PACKAGE if where(names) is None else SAVEDMODEL


def _is_care(path):
    try:
        config = read_json(path / "config.json")
    except (OSError, ValueError):
        return False  # what is wrong with it, its reader says
    return isinstance(config, dict) and "unet_n_depth" in config and not _n2v_or_denoiseg(config)


def _n2v_or_denoiseg(config):
    return "denoiseg_alpha" in config or "n2v_perc_pix" in config or "means" in config or "mean" in config
