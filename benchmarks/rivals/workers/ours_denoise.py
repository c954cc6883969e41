"""Noise2Void by this package, for so many minutes, all else as it is when nothing is said."""

import say

asked = say.request()

from pathlib import Path  # noqa: E402

from n2seg_utils import DenoiseSettings, train_denoiser  # noqa: E402
from n2seg_utils.learning import device  # noqa: E402

say.tell_versions("tensorflow", "keras", "numpy", device="GPU" if device.has_gpu() else "CPU", backend=device.backend())
clock = say.Clock(asked)
chosen = {"images": asked["train"], "run": str(Path(asked["work"]) / "run"), **asked.get("settings", {})}
model = train_denoiser(DenoiseSettings.from_mapping(chosen | {"minutes": asked["minutes"]}))
looks = say.Checkpoints(asked, clock, lambda folder: model.predict_folder(asked["test"], folder))
looks.take(model.run.facts()["steps"], "the run's model")
say.tell(settings={name: value for name, value in model.settings.to_dict().items() if name not in ("images", "run")})
