"""Several GPUs: what only TensorFlow has words for. With one device, and with other backends, all of it does nothing.

Every device draws the same batch, which costs little, and works on its part of it; sums over a batch are sums over all
devices. So a step does what it would do on one device, up to rounding, and what a batch holds stays a function of seed
and step.
"""

import contextlib
import functools
import sys

import keras
from keras import ops


def strategy(batch_size):
    """A MirroredStrategy over the GPUs that are there.

    Returns
    -------
    tf.distribute.MirroredStrategy or None
        None if there is but one device, or more than patches in a batch, and with other backends.
    """
    names = device_names()
    return _mirrored(tuple(names)) if 2 <= len(names) <= batch_size else None


@functools.cache  # one for the whole process: others would get into each other's way
def _mirrored(names):
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


def device_names():
    """The devices that share a training: the GPUs that there are; none with another backend than TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return []
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU")]


def compute_capability():
    """The least CUDA compute capability of the GPUs, such as (7, 5); None without GPUs, or where it is not told."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return min((one.get("compute_capability") or (0, 0) for one in details), default=None)


def scope(over):
    """A context in which variables are made for all devices of a strategy; for None, one that does nothing."""
    return over.scope() if over else contextlib.nullcontext()


def count(over):
    """How many devices a strategy has; 1 without one."""
    return over.num_replicas_in_sync if over else 1


def devices():
    """How many devices share the work, in the scope of a strategy."""
    tf = _tensorflow()
    return tf.distribute.get_strategy().num_replicas_in_sync if tf else 1


def share(*tensors):
    """Of each tensor (B, ...), the part that this device works on; in a list."""
    replica = _replica()
    if replica is None:
        return list(tensors)
    number, of = int(_tensorflow().get_static_value(replica.replica_id_in_sync_group)), replica.num_replicas_in_sync
    return [tensor[number * tensor.shape[0] // of : (number + 1) * tensor.shape[0] // of] for tensor in tensors]


def total(tensor):
    """The sum of a tensor over all devices; gradients go through it."""
    replica = _replica()
    return tensor if replica is None else replica.all_reduce("SUM", tensor)


def shared_loss(loss):
    """A loss that all devices agree on, as Keras wants it: it adds up those of all devices."""
    replica = _replica()
    return loss if replica is None else ops.multiply(loss, 1 / replica.num_replicas_in_sync)


def _replica():
    """What TensorFlow knows of this device's part of a step that several share; None if none do, or outside of one."""
    tf = _tensorflow()
    replica = tf and tf.distribute.get_replica_context()
    return replica if replica and replica.num_replicas_in_sync > 1 else None


def _tensorflow():
    """TensorFlow if Keras computes with it, without loading it for another backend."""
    return sys.modules.get("tensorflow") if keras.backend.backend() == "tensorflow" else None
