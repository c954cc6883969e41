"""Packages of the BioImage Model Zoo: what they say of a network, and where its weights are."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from ..errors import UserError
from .archives import archive
from .processing import Processing

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
_LARGEST = 1_000_000  # bytes of a description
_WEIGHTS = {"keras_v3": "keras", "keras_hdf5": "keras", "tensorflow_saved_model_bundle": "savedmodel"}
_TRIED = 48  # least side of an image that a network is tried with
_BAD = (yaml.YAMLError, UnicodeError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


class _Plain(yaml.SafeLoader):
    """Plain values only, as SafeLoader; and 1e-05 is a number, as in YAML 1.2."""


_Plain.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


@dataclass
class Package:
    """A package that was read.

    Attributes
    ----------
    path : Path
        Of the weights, for messages; in a zip there is no such file.
    data : bytes
        The weights, as Keras saved them or, if :attr:`kind` says so, as a zip of a SavedModel.
    kind : str
        "keras" or "savedmodel".
    tries : list of tuple of int
        Sizes of images that the network takes, in the order of its axes.
    processing : Processing
    order : tuple of int
        Which axis of (Z,) Y, X, C is each of the network's.
    names : tuple of str
        What each output is called, if the package says it.
    own : dict or None
        What we noted in it, if we wrote it.
    """

    path: Path
    data: bytes
    kind: str
    tries: list
    processing: Processing
    order: tuple
    names: tuple
    own: dict | None = None


def description_in(names):
    """The file of a package that describes it, of the names of all its files; None if there is none."""
    for name in (*DESCRIPTIONS, *(name for name in names if name.endswith(".bioimageio.yaml") and "/" not in name)):
        if name in names:
            return name
    return None


def read_package(path):
    """Read a package, a zip or a folder; nothing is downloaded and nothing is run.

    Raises
    ------
    UserError
        If it is damaged, or holds nothing that can be opened here.
    """
    files = archive(path)
    name = description_in(files.names)
    if name is None:
        raise UserError(
            f"{path} is not a packed model of the BioImage Model Zoo: it has no rdf.yaml. Give the folder of a model, "
            "a package, or a file that Keras saved"
        )
    try:
        text = files.read(name)
        if len(text) > _LARGEST:
            raise ValueError("larger than descriptions are")
        return _package(files, yaml.load(text.decode("utf-8"), _Plain))
    except _BAD as error:
        raise UserError(f"{path} does not describe its model as it should, in {name}. Download it again") from error


def _package(files, about):
    if about.get("type", "model") != "model":
        raise UserError(f"{files.path} is no model but '{str(about['type'])[:40]}'. Give the package of a model")
    config = about.get("config")
    own = config.get("n2seg") if isinstance(config, dict) else None
    kind, kept = _weights(files.path, about["weights"])
    name = _source(kept["source"])
    data = files.read(name)
    stated = kept.get("sha256")
    if stated and hashlib.sha256(data).hexdigest() != stated:
        raise UserError(f"{files.path}: {name} is not the file that the package was made with. Download it again")
    [inputs], [outputs] = about["inputs"], about["outputs"]
    axes, _ = _axes(inputs, files.path)
    answered, names = _axes(outputs, files.path)
    if axes != answered:
        raise UserError(f"{files.path} gives an output of other axes than its input. Use the software it was made with")
    called = inputs.get("id", inputs.get("name"))
    spatial = [axis for axis in "zyx" if axis in axes]
    order = tuple([*spatial, "channel"].index(axis) for axis in axes)
    ours = (*spatial, "channel")  # steps are made on arrays with the axes as we have them
    processing = Processing(inputs.get("preprocessing"), outputs.get("postprocessing"), ours, called, files.path)
    path = files.path / str(PurePosixPath(name))
    own = own if isinstance(own, dict) and kind == "keras" and "network" in own else None
    return Package(path, data, kind, _tries(inputs, axes), processing, order, names, own)


def _source(source):
    return source["source"] if isinstance(source, dict) else source


def _weights(path, weights):
    for kind in _WEIGHTS:
        if weights.get(kind):
            return _WEIGHTS[kind], weights[kind]
    found = ", ".join(sorted(str(kind)[:40] for kind in weights)) or "none"
    raise UserError(
        f"{path} has no weights for Keras (keras_v3 or keras_hdf5) or TensorFlow (tensorflow_saved_model_bundle), but "
        f"{found}. Give a package that has, or use the software that it was made with"
    )


def _tries(tensor, names):
    """Some sizes of images that a package says its network takes; none where it does not say it in numbers."""
    if isinstance(tensor["axes"], str):
        shape = tensor.get("shape")
        pairs = list(zip(shape["min"], shape["step"])) if isinstance(shape, dict) else [(one, 0) for one in shape or ()]
    else:
        sizes = [axis.get("size") for axis in tensor["axes"]]
        pairs = [(one["min"], one["step"]) if isinstance(one, dict) and "min" in one else (one, 0) for one in sizes]
    pairs = pairs[1:-1]
    if len(pairs) != len(names) - 1 or not all(type(one) is int and 0 <= one <= 4096 for pair in pairs for one in pair):
        return []
    if not all(least for least, _ in pairs):
        return []

    def side(least, step, more):
        return least + (max(0, -(-(_TRIED - least) // step)) + more) * step if step else least

    return [tuple(side(*pair, more) for pair in pairs) for more in range(4)]


def _axes(tensor, path):
    """The axes of a tensor behind the batch, and what its channels are called."""
    axes, names = tensor["axes"], ()
    if isinstance(axes, str):  # as before version 0.5
        axes = [{"b": "batch", "c": "channel"}.get(axis, axis) for axis in axes]
    else:
        names = next((tuple(map(str, axis.get("channel_names", ()))) for axis in axes if axis["type"] == "channel"), ())
        axes = [axis.get("id", axis["type"]) for axis in axes]
    inner = axes[1:-1]
    if axes[0] != "batch" or axes[-1] != "channel" or sorted(inner) not in (["x", "y"], ["x", "y", "z"]):
        raise UserError(
            f"{path} has the axes {', '.join(map(str, axes))[:80]}; a batch, then the pixels and last the channels are "
            "what can be opened. Use the software that it was made with"
        )
    return tuple(axes[1:]), names
