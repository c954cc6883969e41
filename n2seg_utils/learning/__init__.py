"""Arrays and tensors: patches, blind spots, networks, training, prediction. Speaks Keras 3."""

import contextlib
import os


@contextlib.contextmanager
def _without_chatter():
    """Keep what TensorFlow's C++ writes at start-up (about CPU features, missing GPUs) away from the user."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no standard error to begin with
        yield
        return
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


with _without_chatter():
    import keras

    with contextlib.suppress(Exception):  # the device is looked for now rather than in the middle of a cell
        keras.distribution.list_devices()
