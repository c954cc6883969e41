"""What a network says, by one graph: operations are fused, with half of the memory and no Python between them."""

import weakref

import keras

from . import device

_graphs = weakref.WeakKeyDictionary()  # each holds its network by a weak reference only, so that both go together


def applied(network):
    """A network as a function of batches of any size, for prediction.

    Parameters
    ----------
    network : keras.Model or callable
        With TensorFlow, the first is traced once, whatever the sizes of its images, if its layers allow that; the
        weights are always those of now. Everything else is called as it is.

    Returns
    -------
    callable
        (B, Y, X, C) float32 -> (B, Y, X, C'), or with Z before Y.
    """
    if device.backend() != "tensorflow" or not isinstance(network, keras.Model):
        return lambda batch: network(batch, training=False)
    if network not in _graphs:
        _graphs[network] = _graph(weakref.ref(network), network.inputs[0].shape)
    return _graphs[network]


def _graph(network, shape):
    import tensorflow as tf

    def answer(batch):
        return network()(batch, training=False)

    graph = tf.function(answer, [tf.TensorSpec(shape, "float32")], autograph=False, jit_compile=False)
    try:
        graph.get_concrete_function()
    except (TypeError, ValueError):  # some layers must know the size of what they see, such as bilinear ones of Keras
        return answer
    return graph
