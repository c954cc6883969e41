"""One function that opens every model: ours, those of n2v, csbdeep and DenoiSeg, Keras files, packages, SavedModels."""

from ..data.files import at_home
from ..errors import UserError
from ..models import n2v_format
from ..models.denoiser import Denoiser
from ..models.joint import JointModel
from ..models.run_folder import RunFolder
from ..models.segmenter import Segmenter
from ..models.trained import load_network
from . import keras_files, own_models
from .archives import Zip, archive
from .foreign import OBJECTS, ForeignDenoiser, ForeignModel, ForeignSegmenter
from .graph_opening import open_graph, read_meta
from .kinds import CARE, FILE, PACKAGE, SAVEDMODEL, kind_of
from .packages import read_package
from .rebuilding import rebuild
from .scaling import OwnPercentiles, Unscaled

_OURS = {"denoise": Denoiser, "segment": Segmenter, "joint": JointModel}
_CSBDEEP = (2.0, 99.8)  # the percentiles that csbdeep scales by
_PROBABLE = ("sigmoid", "softmax")


def load(path, scaling="auto"):
    """Open a trained model.

    Parameters
    ----------
    path : path
        A run folder; a model folder of n2v, csbdeep (CARE) or DenoiSeg; a whole model that Keras saved (``.h5``,
        ``.hdf5``, ``.keras``); a package of the BioImage Model Zoo with weights for Keras or TensorFlow (zip or
        folder), ours too; or a SavedModel of TensorFlow (folder, or zip as csbdeep and n2seg export it).
    scaling : str
        How models of csbdeep, files of Keras and SavedModels, which do not say it, see brightness: "auto" scales each
        image between its percentiles, as csbdeep and the ZeroCostDL4Mic notebooks do; "none" leaves images as they are.

    Returns
    -------
    TrainedModel
        With ``predict(array, axes)`` and ``predict_folder(images, out)``.

    Raises
    ------
    UserError
        If it cannot be opened; says why. Nothing in a file is ever run but arithmetic.
    """
    path = at_home(path)
    kind = kind_of(path)
    if scaling not in ("auto", "none"):
        raise UserError(f"The scaling is '{scaling}': use auto or none")
    meta = read_meta(archive(path)) if kind == SAVEDMODEL else {}
    if scaling == "none" and (kind not in (CARE, FILE, SAVEDMODEL) or _ours(meta)):
        raise UserError(f"The model in {path} has a scaling of its own. Leave out scaling=")
    if kind == CARE:
        return _load_care(path, scaling)
    if kind == FILE:
        return _load_file(path, scaling)
    if kind == PACKAGE:
        return _load_package(path)
    if kind == SAVEDMODEL:
        return _load_savedmodel(path, meta, scaling)
    return _OURS[RunFolder(path).workflow].load(path)


def _load_care(path, scaling):
    folder = RunFolder(path)
    architecture, file = n2v_format.load_care(path)
    network = load_network(architecture, file, folder)
    outputs = architecture.outputs or architecture.channels
    model = ForeignDenoiser if outputs == architecture.channels else ForeignModel
    percentiles = OwnPercentiles(_CSBDEEP, back=architecture.channels in (1, outputs))
    return model(network, architecture, Unscaled() if scaling == "none" else percentiles, path)


def _load_file(path, scaling):
    config, stored = keras_files.read_keras(path)
    network, outline = rebuild(config, stored, path)
    model, more = _what_for(outline)
    percentiles = OwnPercentiles(back=model is ForeignDenoiser)
    return model(network, outline, Unscaled() if scaling == "none" else percentiles, path, **more)


def _load_package(path):
    package = read_package(path)
    if package.own:
        return own_models.from_package(package.own, path, package.data)
    if package.kind == "savedmodel":
        network, outline = open_graph(Zip(package.path, package.data), package.tries)
    else:
        config, stored = keras_files.read_keras(package.path, package.data)
        network, outline = rebuild(config, stored, package.path)
    model, more = _what_for(outline, package.names, package.processing.kinds)
    if outline.dims + 1 != len(package.order):
        raise UserError(f"{path} has a network of other dimensions than it says. Download it again")
    package.processing.require_fit(outline.dims, outline.channels, outline.outputs, path)
    return model(network, outline, package.processing, path, order=package.order, **more)


def _load_savedmodel(path, meta, scaling):
    files = archive(path)
    if _ours(meta) and isinstance(meta.get("n2seg"), dict):
        return own_models.from_savedmodel(meta["n2seg"], files)
    network, outline = open_graph(files)
    names = meta.get("channels_out")
    model, more = _what_for(outline, names if isinstance(names, list) else ())
    which = {"which": _CSBDEEP} if meta else {}
    scale = Unscaled() if scaling == "none" or _ours(meta) else OwnPercentiles(back=model is ForeignDenoiser, **which)
    return model(network, outline, scale, path, **more)


def _ours(meta):
    """Whether n2seg wrote a SavedModel: grey values go in as they are."""
    return meta.get("type") == "N2Seg"


def _what_for(outline, names=(), after=()):
    """The class of model for a network, and how to make it, from what comes out of it."""
    if tuple(str(name).lower() for name in names) == OBJECTS and outline.outputs == len(OBJECTS):
        return ForeignSegmenter, {"objects": True}
    probable = outline.last_activation in _PROBABLE or {"sigmoid", "softmax", "binarize"} & set(after)
    if outline.outputs == 1 and probable:
        return ForeignSegmenter, {}
    return (ForeignDenoiser if outline.outputs == outline.channels and not probable else ForeignModel), {}
