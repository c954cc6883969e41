"""What computes here: GPU or CPU, and how much memory is free."""

import keras
import psutil

# Keras does not tell how much of a GPU's memory is free; the smallest GPU of today's Colab has four times this.
_GPU_BUDGET = 4_000_000_000


def has_gpu():
    """Whether Keras computes on a GPU."""
    try:
        return any(name.lower().startswith("gpu") for name in keras.distribution.list_devices())
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


def backend():
    """The library that Keras computes with: tensorflow, torch or jax."""
    return keras.backend.backend()


def seed_weights(seed):
    """Make the first weights of the next network a function of the seed."""
    keras.utils.set_random_seed(seed)


def free_memory():
    """Bytes that pixels and activations may use."""
    return _GPU_BUDGET if has_gpu() else psutil.virtual_memory().available


def is_out_of_memory(error):
    """Whether an error says that the device has not enough memory, whichever backend it comes from."""
    if isinstance(error, MemoryError):
        return True
    words = f"{type(error).__name__} {error}".lower()
    return any(sign in words for sign in ("resource_exhausted", "resourceexhausted", "outofmemory", "out of memory"))
