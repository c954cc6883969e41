"""Predicts one image, from file to file, with CAREamics; weights do not matter here.

As it is when nothing is said, the whole image is one tile; at its best, tiles are of about a thousand pixels.
"""

import time

import say

asked = say.request()

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import tifffile  # noqa: E402
import torch  # noqa: E402
from careamics import CAREamist  # noqa: E402
from careamics.config.factories import create_n2v_config  # noqa: E402

say.tell_versions(
    "careamics", "torch", "lightning", "numpy", device="GPU" if torch.cuda.is_available() else "CPU", backend="torch"
)
axes, tiled = asked["axes"], asked["at_its_best"]
patch = [32, 32] if len(axes) == 2 else [8, 32, 32]
config = create_n2v_config("n2v", "array", axes, patch, 1, num_epochs=1, num_steps=1, n_val_patches=1)
careamist = CAREamist(config, work_dir=asked["work"], enable_progress_bar=False)
# It needs more than one patch to train with, and one more to validate.
careamist.train(train_data=np.concatenate([tifffile.imread(asked["warm"]).astype("float32")] * 4, -1))


def predict(file, out):
    """File to file."""
    pixels = tifffile.imread(file).astype("float32")
    how = {"batch_size": 1}
    if tiled:
        side = 1024 if len(axes) == 2 else 128
        how["tile_size"] = tuple(max(8, min(side, size) // 8 * 8) for size in pixels.shape)
        overlap = [min(48, size // 2 // 2 * 2) for size in how["tile_size"]]
        how["tile_overlap"] = tuple(overlap)
    answer = np.asarray(careamist.predict(pixels, **how)[0][0]).reshape(pixels.shape)
    tifffile.imwrite(out, answer)


predict(asked["warm"], Path(asked["work"]) / "warm.tif")
before, begun = say.peak_megabytes(), time.perf_counter()
predict(asked["image"], Path(asked["work"]) / "out.tif")
say.tell(values={"seconds": time.perf_counter() - begun, "megabytes": say.peak_megabytes(), "megabytes_before": before})
say.tell(
    settings={
        "tile_size": "of 1024, or 128 in 3D" if tiled else None,
        "model": config.algorithm_config.model.model_dump(),
    }
)
