"""Predicts one image, from file to file, with a model of this package; weights do not matter here."""

import time

import say

asked = say.request()

from pathlib import Path  # noqa: E402

from n2seg_utils import DenoiseSettings, load, train_denoiser  # noqa: E402
from n2seg_utils.learning import device  # noqa: E402

run = Path(asked["work"]) / "run"
train_denoiser(
    DenoiseSettings(
        images=asked["train"], run=str(run), minutes=0, epochs=1, steps_per_epoch=1, dimensions=asked["dimensions"],
        axes=asked["axes"], network_width=asked["width"], patch_size=32, patch_depth=8, batch_size=1,
    )
)  # fmt: skip
model = load(run)
out = Path(asked["work"]) / "out.tif"
model.predict_file(model.open(asked["warm"], asked["axes"]), Path(asked["work"]) / "warm.tif")
before, begun = say.peak_megabytes(), time.perf_counter()
model.predict_file(model.open(asked["image"], asked["axes"]), out)
say.tell(values={"seconds": time.perf_counter() - begun, "megabytes": say.peak_megabytes(), "megabytes_before": before})
say.tell_versions("tensorflow", "keras", "numpy", device="GPU" if device.has_gpu() else "CPU", backend=device.backend())
say.tell(settings={"width": asked["width"], "tile": "auto"})
