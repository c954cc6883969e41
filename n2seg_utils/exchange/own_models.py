"""Models that were exported here, made again from what was written of them, as those of their run folders."""

import numpy as np
from keras import ops

from ..data.normalisation import Normalisation, Percentiles
from ..data.targets import Target
from ..errors import UserError
from ..learning.networks import Architecture, unet
from ..models import weights
from ..models.denoiser import Denoiser
from ..models.joint import JointModel
from ..models.objects import Rule
from ..models.segmenter import Segmenter
from ..settings import DenoiseSettings, JointSettings, SegmentSettings
from .foreign import Source
from .graph_opening import open_graph
from .keras_files import read_inner

_BAD = (ValueError, KeyError, TypeError, AttributeError, IndexError)
_SCALINGS = {"Normalisation": Normalisation, "Percentiles": Percentiles}
_MODELS = {
    "denoise": (Denoiser, DenoiseSettings),
    "segment": (Segmenter, SegmentSettings),
    "joint": (JointModel, JointSettings),
}
_LEAST = 1e-37  # of a probability, so that it has a logarithm


def from_package(about, path, data):
    """The model that a BioImage.IO package of ours holds.

    Parameters
    ----------
    about : dict
        What :func:`~n2seg_utils.exchange.bioimageio.write_bioimageio` noted as ``config.n2seg``.
    path : Path
        The package.
    data : bytes
        Its weights for Keras.

    Returns
    -------
    Denoiser, Segmenter or JointModel

    Raises
    ------
    UserError
        If it is damaged.
    """

    def network(architecture, normalisation):
        stored = read_inner(path, data)
        weights.require_enough(architecture, stored)
        made = unet(architecture)
        weights.put(made, stored)
        return made

    return _model(about, path, network)


def from_savedmodel(about, files):
    """The model that a SavedModel of ours holds, whose scaling is part of the network.

    Raises
    ------
    UserError
        If it is damaged; or if it scales each image by itself, which cannot be done tile by tile.
    """

    def network(architecture, normalisation):
        if normalisation.kind != "dataset":
            raise UserError(
                f"{files.path} scales each image by its own contrast inside its network, and so cannot be applied tile "
                "by tile. Give the run folder that it was made from, or its BioImage.IO package"
            )
        graph, _ = open_graph(files, known=architecture)
        return _Unwrapped(graph, normalisation, architecture, about)

    return _model(about, files.path, network)


def _model(about, path, network):
    try:
        model, settings = _MODELS[about["workflow"]]
        architecture = Architecture(**about["network"])
        scale = dict(about["normalisation"])
        normalisation = _SCALINGS[scale.pop("what")](**_tuples(scale))
        settings = settings(dimensions=f"{architecture.dims}d", orientations=bool(about.get("orientations", False)))
        more = []
        if model is not Denoiser:
            if "distance" in about["outputs"]:
                settings = settings.replace(method="distance")
            more = [Target(**_tuples(about["target"])), Rule(**about["rule"])]
        made = model(None, architecture, settings, normalisation, _Export(path, about["workflow"]), *more)
        if more and architecture.outputs != len(made.outputs) + architecture.channels * (model is JointModel):
            raise ValueError("outputs that do not fit")
        made.network = network(architecture, normalisation)
    except _BAD as error:
        raise UserError(
            f"{path} was exported by n2seg, but is damaged. Restore it from a copy, or export it again"
        ) from error
    return made


def _tuples(values):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


class _Export(Source):
    """The file of an exported model, which knows what it was trained for."""

    def __init__(self, path, workflow):
        super().__init__(path)
        self.known = {"workflow": workflow}

    def facts(self):
        """What it was trained for."""
        return dict(self.known)


class _Unwrapped:
    """A network from grey values to grey values and probabilities, as one from scaled values to scaled values and
    logits, which is what our models apply."""

    def __init__(self, network, normalisation, architecture, about):
        self.network, self.scale = network, normalisation
        self.denoised = 0 if about["workflow"] == "segment" else architecture.channels
        self.likely = len(about.get("outputs", ())) - ("distance" in about.get("outputs", ()))

    def __call__(self, images, training=False):
        found = ops.convert_to_numpy(self.network(self.scale.undo(ops.convert_to_numpy(images))))
        denoised, rest = found[..., : self.denoised], found[..., self.denoised :]
        parts = [self.scale.apply(denoised)] if self.denoised else []
        parts += [np.log(np.maximum(rest[..., : self.likely], _LEAST)), rest[..., self.likely :]]
        return np.concatenate(parts, axis=-1, dtype="float32")
