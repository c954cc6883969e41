"""What workers share: lines of JSON for the benchmark, a clock that can be stopped, images. For any Python from 3.9 on.

A worker is started as ``PYTHON worker.py REQUEST.json``. Only :func:`tell` writes to where the benchmark reads; what
libraries print goes to the error stream.
"""

import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

_started = time.time()
_lines = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def request():
    """What is asked, as a dictionary."""
    return json.loads(Path(sys.argv[1]).read_text())


def tell(**facts):
    """Write one line: some of ``settings``, ``versions``, ``device``, ``checkpoint``, ``values``."""
    _lines.write(json.dumps(facts, default=str) + "\n")


def tell_versions(*names, device="CPU", backend=""):
    """Tell the Python, the versions of packages, and what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    tell(versions=found, device=device, backend=backend)


def peak_megabytes():
    """The most memory that this process has had, in megabytes of 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def tensorflow_device():
    """GPU or CPU, whichever TensorFlow would compute on."""
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


class Clock:
    """Seconds of training since it was made, and since the process was started, without those it was stopped for."""

    def __init__(self, asked):
        self.process = asked.get("started", _started)
        self.begun, self.stopped = time.time(), 0.0

    def seconds(self):
        """Since the training began."""
        return time.time() - self.begun - self.stopped

    def facts(self):
        """Both times, as a checkpoint holds them."""
        seconds = self.seconds()
        return {"seconds": seconds, "seconds_from_start": seconds + self.begun - self.process}

    def __enter__(self):
        self.since = time.time()

    def __exit__(self, *error):
        self.stopped += time.time() - self.since


class Checkpoints:
    """When to look at a model: after certain steps, and after times that grow by a factor.

    Parameters
    ----------
    asked : dict
        ``minutes`` after which training ends; ``steps`` to look after; ``first`` seconds; ``factor`` (1.5).
    predict : callable
        ``predict(folder)`` writes what the model makes of the images that are judged.
    """

    def __init__(self, asked, clock, predict):
        self.asked, self.clock, self.predict = asked, clock, predict
        self.steps, self.count = set(asked.get("steps", ())), 0
        self.next = asked.get("first", 20.0)

    def over(self):
        """Whether the time is over."""
        return self.clock.seconds() >= self.asked["minutes"] * 60

    def look(self, step):
        """Look, if it is time, with the clock stopped."""
        if step in self.steps or self.clock.seconds() >= self.next:
            self.take(step)

    def take(self, step, what="weights of now"):
        """Look now."""
        facts = self.clock.facts()
        with self.clock:
            while self.next <= facts["seconds"]:
                self.next *= self.asked.get("factor", 1.5)
            self.count += 1
            folder = Path(self.asked["work"]) / f"checkpoint_{self.count}"
            folder.mkdir(parents=True)
            self.predict(folder)
        tell(checkpoint={"step": step, "what": what, "folder": str(folder), **facts})


def keras_checkpoints(looks, model):
    """A callback for tf.keras that looks, and ends the training when its time is over."""
    from tensorflow import keras

    class Look(keras.callbacks.Callback):
        """Counts steps."""

        step = 0

        def on_train_batch_end(self, batch, logs=None):
            self.step += 1
            looks.look(self.step)
            if looks.over():
                model.stop_training = True

    return Look()


def images(folder):
    """Pairs of file name and pixels, float32."""
    import tifffile

    return [(file.name, tifffile.imread(file).astype("float32")) for file in sorted(Path(folder).glob("*.tif"))]


def write(folder, name, pixels):
    """One result."""
    import tifffile

    Path(folder).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(Path(folder) / name, pixels)


def repeated(do, least=3, seconds=1.0):
    """The shortest time that ``do()`` takes, of at least so many runs and so many seconds."""
    times = []
    while len(times) < least or sum(times) < seconds:
        times.append(-time.perf_counter())
        do()
        times[-1] += time.perf_counter()
    return min(times)
