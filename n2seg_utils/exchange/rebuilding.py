"""A network made anew from a file's description of it, out of stock layers, for images of any size."""

import contextlib
import math
from dataclasses import dataclass

import numpy as np
from keras import Model, layers

from ..errors import UserError
from .reach import Along, Values
from .stock_layers import UnknownLayerError, stock_layer

_MOST_LAYERS = 2000
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Outline:
    """What must be known of a network to apply it tile by tile; as an Architecture, without how it is built.

    Attributes
    ----------
    dims, channels, outputs : int
    block, reach : tuple of int
        See :class:`~n2seg_utils.learning.networks.Architecture`.
    width : int
        Most channels at once, a pixel.
    last_activation : str
    """

    dims: int
    channels: int
    outputs: int
    block: tuple
    reach: tuple
    width: int
    last_activation: str = "linear"
    together: bool = True
    batch_norm: bool = False
    depth: int = 0


def rebuild(config, stored, path):
    """Make a network and give it its weights.

    Parameters
    ----------
    config : dict
        As Keras 2 or 3 describes a model.
    stored : dict
        Layer -> its arrays.
    path : path
        The file, for messages.

    Returns
    -------
    network : keras.Model
    outline : Outline

    Raises
    ------
    UserError
        If there is a layer that we do not make, or the weights are not those of this network.
    """
    with explained(path):
        return _rebuild(config, stored)


@contextlib.contextmanager
def explained(path):
    """Say in a sentence why a network in a file cannot be made anew."""
    try:
        yield
    except UnknownLayerError as error:
        raise UserError(
            f"{path} cannot be opened, because its network has {error}: only plain U-Nets of usual layers can be, for "
            "nothing in a file is run. Use the software that it was made with, or train a model here"
        ) from error
    except _DAMAGED as error:
        raise UserError(f"{path} is damaged: its network and its weights do not fit. Restore it from a copy") from error


def _rebuild(config, stored):
    nodes, first, last = _nodes(config)
    values, tensors, weighted, activation = {}, {}, [], {}
    for name, kind, about, sources in nodes:
        if name in values:
            raise ValueError(f"two layers are called {name}")
        if name == first:
            values[name] = _image(about)
            tensors[name] = layers.Input((*(None,) * len(values[name].axes), values[name].channels))
            continue
        made = stock_layer(kind, about, [values[source] for source in sources])
        # Before memory is taken for a layer, its weights must be there.
        arrays = stored.get(name, [])
        if [array.shape for array in arrays] != list(made.shapes):
            raise ValueError(f"the weights of {name} are of other shapes")
        given = [tensors[source] for source in sources]
        values[name] = made.values
        tensors[name] = made.layer(given if len(given) > 1 else given[0]) if made.layer else given[0]
        weighted += [(made.layer, arrays)] if arrays else []
        activation[name] = about.get("activation", "softmax" if kind == "Softmax" else activation.get(sources[0]))
    network = Model(tensors[first], tensors[last])
    for layer, arrays in weighted:
        layer.set_weights([np.asarray(array, "float32") for array in arrays])
    return network, _outline(values, first, last, activation.get(last) or "linear")


def _outline(values, first, last, activation):
    image, answer = values[first], values[last]
    if any((axis.stride, axis.before, axis.after) != (1, 0, 0) for axis in answer.axes):
        raise UnknownLayerError("an output of another size than the image")
    along = list(zip(*(one.axes for one in values.values())))
    return Outline(
        dims=len(image.axes),
        channels=image.channels,
        outputs=answer.channels,
        block=tuple(math.lcm(*(one.stride for one in axis)) for axis in along),
        reach=tuple(max(axis.left, axis.right) for axis in answer.axes),
        width=max(1, math.ceil(max(one.width for one in values.values()))),
        last_activation=activation,
    )


def _nodes(config):
    """The layers as (name, kind, what is said of it, names of what it is applied to), and the first and last name."""
    kind, about = config["class_name"], config["config"]
    if kind == "Sequential":
        return _sequence(about if isinstance(about, list) else about["layers"])
    if kind not in ("Functional", "Model"):
        raise UnknownLayerError(f"a class of its own, {str(kind)[:60]}")
    ends = [_references(about[name]) for name in ("input_layers", "output_layers")]
    if any(len(end) != 1 for end in ends):
        raise UnknownLayerError("several inputs or outputs")
    return [_node(layer) for layer in _few(about["layers"])], ends[0][0], ends[1][0]


def _sequence(found):
    nodes, before = [], None
    if found[0]["class_name"] != "InputLayer":  # the first layer says what comes in
        nodes.append(("input", "InputLayer", found[0]["config"], []))
        before = "input"
    for layer in _few(found):
        name, kind, about = _stock_only(layer)
        nodes.append((name, kind, about, [before] if before else []))
        before = name
    return nodes, nodes[0][0], before


def _few(found):
    if not 0 < len(found) <= _MOST_LAYERS:
        raise ValueError("more layers than networks have")
    return found


def _node(layer):
    name, kind, about = _stock_only(layer)
    calls = layer["inbound_nodes"]
    if len(calls) > 1:
        raise UnknownLayerError("a layer that is used twice")
    return name, kind, about, _references(calls)


def _stock_only(layer):
    """Name, kind and description of a layer, unless it is one that somebody registered under a name of his own."""
    registered = layer.get("registered_name")
    if registered not in (None, layer["class_name"]):
        raise UnknownLayerError(f"a layer of its own, {str(registered)[:60]}")
    name = layer.get("name", layer["config"].get("name"))
    if not isinstance(name, str):
        raise ValueError("a layer without a name")
    return name, layer["class_name"], layer["config"]


def _references(found):
    """The names of the layers whose values are meant, as Keras 2 and 3 write them, in their order."""
    if isinstance(found, dict):
        if found.get("class_name") == "__keras_tensor__":
            return _references(found["config"]["keras_history"])
        if any(_references(value) for value in found.get("kwargs", {}).values() if isinstance(value, list | dict)):
            raise UnknownLayerError("a layer with values beside its input")
        return _references(found.get("args", []))
    if not isinstance(found, list | tuple):
        return []
    if len(found) >= 3 and isinstance(found[0], str) and isinstance(found[1], int):
        if found[1] or found[2]:
            raise UnknownLayerError("a layer that is used twice")
        if len(found) > 3 and found[3]:
            raise UnknownLayerError("a layer with values beside its input")
        return [found[0]]
    return [name for one in found for name in _references(one)]


def _image(about):
    shape = about.get("batch_input_shape") or about.get("batch_shape")
    dims, channels = len(shape) - 2, shape[-1]
    if dims not in (2, 3):
        raise UnknownLayerError("an input that is no image")
    if type(channels) is not int:
        raise UnknownLayerError("any number of channels")
    return Values(channels, (Along(),) * dims)
