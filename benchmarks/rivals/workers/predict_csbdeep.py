"""Predicts one image, from file to file, with csbdeep's CARE and the same U-Net; weights do not matter here.

As it is when nothing is said, the whole image is one tile; at its best, tiles are of about a thousand pixels.
"""

import time

import say

asked = say.request()

import math  # noqa: E402
from pathlib import Path  # noqa: E402

import tifffile  # noqa: E402
from csbdeep.models import CARE, Config  # noqa: E402

say.tell_versions("csbdeep", "tensorflow", "keras", "numpy", device=say.tensorflow_device(), backend="tensorflow")
axes = asked["axes"]
chosen = {"unet_n_depth": 2, "unet_n_first": asked["width"], "unet_kern_size": 3, "unet_residual": False}
model = CARE(Config(axes + "C", 1, 1, train_tensorboard=False, **chosen), "model", basedir=asked["work"])


def predict(file, out, tiled):
    """File to file."""
    pixels = tifffile.imread(file)
    side = 1024 if len(axes) == 2 else 128
    tiles = tuple(math.ceil(size / side) for size in pixels.shape) if tiled else None
    tifffile.imwrite(out, model.predict(pixels, axes, normalizer=None, n_tiles=tiles))


tiled = asked["at_its_best"]
predict(asked["warm"], Path(asked["work"]) / "warm.tif", tiled)
before, begun = say.peak_megabytes(), time.perf_counter()
predict(asked["image"], Path(asked["work"]) / "out.tif", tiled)
say.tell(values={"seconds": time.perf_counter() - begun, "megabytes": say.peak_megabytes(), "megabytes_before": before})
say.tell(settings=chosen | {"n_tiles": "of 1024, or 128 in 3D" if tiled else None, "normalizer": None})
