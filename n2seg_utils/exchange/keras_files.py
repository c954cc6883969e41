"""What Keras 2 and 3 save of a whole model, read as plain text and numbers: no object that a file names is made."""

import json
import re

from ..errors import UserError
from ..models import weights
from .archives import Zip

_LARGEST_CONFIG = 16_000_000  # characters
_NO_FILE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError, IndexError)


def read_keras(path, data=None):
    """The description of a network and its weights.

    Parameters
    ----------
    path : Path
        Of a file saved by ``model.save``; for messages only if `data` is given.
    data : bytes, optional
        The file, if it lies in an archive.

    Returns
    -------
    config : dict
        As Keras describes a model.
    stored : dict
        Layer -> its arrays.

    Raises
    ------
    UserError
        If it is damaged, holds no network, or is no such file.
    """
    read = _read_keras3 if str(path).lower().endswith(".keras") else _read_hdf5
    try:
        return read(path, data)
    except _NO_FILE as error:
        raise _damaged(path) from error


def _damaged(path):
    return UserError(f"{path} is damaged, or not a model that Keras saved. Restore it from a copy")


def _read_hdf5(path, data):
    with weights.opened(path, data) as file:
        if "model_config" not in file.attrs:
            raise _no_network(path)
        config = _config(file.attrs["model_config"])
        return config, weights.read_layers(file, path, data and len(data))


def _no_network(path):
    beside = any((path.parent / name).is_file() for name in ("config.json", "settings.yaml"))
    remedy = f"Give its folder, {path.parent}" if beside else "Save the whole model, with model.save of Keras"
    return UserError(f"{path} holds weights but not the network that they belong to. {remedy}")


def _read_keras3(path, data):
    archive = Zip(path, data)
    config = _config(archive.read("config.json"))
    data = archive.read("model.weights.h5")
    with weights.opened(path, data) as file:
        # Keras 2.12 called the group otherwise.
        group = file["layers" if "layers" in file else "_layer_checkpoint_dependencies"]
        stored = {layer["config"]["name"]: _arrays(held) for layer, held in _held(config, group) if "vars" in held}
        return config, weights.numbers(_with_any(stored), path, len(data))


def read_inner(path, data):
    """The weights of the network within a network that we exported, of the bytes of a ``.keras`` file.

    Returns
    -------
    dict
        Layer -> its arrays.

    Raises
    ------
    UserError
        If it is damaged, or has no such network.
    """
    try:
        archive = Zip(path, data)
        config = _config(archive.read("config.json"))
        data = archive.read("model.weights.h5")
        with weights.opened(path, data) as file:
            [(inner, group)] = [(layer, held) for layer, held in _held(config, file["layers"]) if "layers" in held]
            within = _held(inner, group["layers"])
            stored = {layer["config"]["name"]: _arrays(held) for layer, held in within if "vars" in held}
            return weights.numbers(_with_any(stored), path, len(data))
    except _NO_FILE as error:
        raise _damaged(path) from error


def _held(config, group):
    """Each layer of a network with what is stored of it, in a file where Keras 3 numbers the layers of each kind."""
    places = {}
    for layer in config["config"]["layers"]:
        kind = _snake_case(layer["class_name"])
        number = places.setdefault(kind, 0)
        places[kind] += 1
        yield layer, group.get(f"{kind}_{number}" if number else kind) or {}


def _arrays(held):
    return [held["vars"][key] for key in sorted(held["vars"], key=int)]


def _with_any(stored):
    return {name: arrays for name, arrays in stored.items() if arrays}


def _snake_case(name):
    """How Keras turns the name of a class into that of its first layer: Conv2DTranspose -> conv2d_transpose."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _config(text):
    if len(text) > _LARGEST_CONFIG:
        raise ValueError("larger than descriptions of networks are")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no description of a network")
    return found
