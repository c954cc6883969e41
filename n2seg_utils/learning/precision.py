"""How exact a network computes while it learns; what it has learned, and all it predicts, is float32."""

import contextlib

import keras

from ..errors import UserError
from . import device, distribution

# By Keras' names. Sums, losses, weights and the optimiser stay float32 in all of them.
FLOAT32, HALF, BRAIN = "float32", "mixed_float16", "mixed_bfloat16"
_GAINS_FROM = (7, 0)  # compute capability from which on GPUs have units for float16


def chosen(precision):
    """The Keras policy for a setting.

    Parameters
    ----------
    precision : str
        "float32", "mixed" or "auto": mixed on GPUs that gain from it, else float32. Some processors gain from bfloat16
        too (benchmarks/README.md), but on them what a seed gives should not depend on which processor it is.

    Returns
    -------
    str
        "float32", "mixed_float16" (GPUs) or "mixed_bfloat16" (processors).
    """
    capability = distribution.compute_capability()
    if precision == "float32" or (precision == "auto" and (capability or (0, 0)) < _GAINS_FROM):
        return FLOAT32
    return HALF if device.has_gpu() else BRAIN


def require_able(policy, network):
    """Raise a UserError if this computer cannot go on with a training in float16: processors pool no volumes in it."""
    if policy == HALF and not device.has_gpu() and len(network.inputs[0].shape) == 5:
        raise UserError("This training began in 16 bits on a GPU. Use a computer with a GPU to go on with it")


@contextlib.contextmanager
def learner(network, policy, over=None):
    """What learns in place of a network, which has the weights, all of it in float32, when the block is left.

    Parameters
    ----------
    network : keras.Model
    policy : str
        See :func:`chosen`.
    over : tf.distribute.Strategy, optional
        In whose scope this is called: batch normalisation then sees the batch of all devices.

    Yields
    ------
    keras.Model
        The network itself if it learns in float32 on one device; else a copy.
    """
    if policy == FLOAT32 and over is None:
        yield network
        return
    last = _last_layers(network)

    def copied(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.Layer):  # parts are cut out of tensors by operations that compute nothing
            config["dtype"] = FLOAT32 if layer.name in last else policy
        if isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = over is not None
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=copied)
    put_weights(network, copy)
    yield copy
    put_weights(copy, network)


def seen_by(network, learner, preview):
    """A preview by a network that a learner learns for: it first takes over what has been learned."""

    def look():
        put_weights(learner, network)
        return preview()

    return preview if learner is network else look


def put_weights(source, target):
    """Give a network the weights of another of the same layers."""
    for layer in target.layers:
        layer.set_weights(source.get_layer(layer.name).get_weights())


def computes_in(network):
    """The type in which most layers of a network compute: float32, float16 or bfloat16."""
    kinds = {layer.compute_dtype for layer in network.layers} - {FLOAT32}
    return kinds.pop() if kinds else FLOAT32


def _last_layers(network):
    """Names of the input, of the last convolutions, and of the layers after all of these."""
    names = [layer.name for layer in network.layers]
    outputs = [n for n, name in enumerate(names) if name.endswith("output")] or [len(names) - 1]
    return {names[0], *(names[n] for n in outputs), *names[outputs[-1] :]}
