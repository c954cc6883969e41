"""Packages of the BioImage Model Zoo: what they say of a network, and where its weights are."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from ..errors import UserError
from .archives import Folder, Zip
from .processing import Processing

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
_LARGEST = 1_000_000  # bytes of a description
_WEIGHTS = ("keras_v3", "keras_hdf5")
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
        The weights, as Keras saved them.
    processing : Processing
    order : tuple of int
        Which axis of (Z,) Y, X, C is each of the network's.
    names : tuple of str
        What each output is called, if the package says it.
    """

    path: Path
    data: bytes
    processing: Processing
    order: tuple
    names: tuple


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
    files = Folder(path) if Path(path).is_dir() else Zip(path)
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
    if isinstance(about.get("config"), dict) and "n2seg" in about["config"]:
        raise UserError(f"{files.path} was written by n2seg for other programs. Give the run folder of that model")
    if about.get("type", "model") != "model":
        raise UserError(f"{files.path} is no model but '{str(about['type'])[:40]}'. Give the package of a model")
    kept = _weights(files.path, about["weights"])
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
    return Package(files.path / str(PurePosixPath(name)), data, processing, order, names)


def _source(source):
    return source["source"] if isinstance(source, dict) else source


def _weights(path, weights):
    for kind in _WEIGHTS:
        if weights.get(kind):
            return weights[kind]
    found = ", ".join(sorted(str(kind)[:40] for kind in weights)) or "none"
    why = " A SavedModel is a program, and programs of others are not run." if found.startswith("tensorflow") else ""
    raise UserError(
        f"{path} has no weights for Keras (keras_v3 or keras_hdf5), but {found}.{why} Give a package that has, or use "
        "the software that it was made with"
    )


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
