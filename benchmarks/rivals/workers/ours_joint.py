"""Joint training by this package, for so many minutes; all else but the recipe as it is when nothing is said."""

import say

asked = say.request()

from pathlib import Path  # noqa: E402

from n2seg_utils import JointSettings, train_joint  # noqa: E402
from n2seg_utils.learning import device  # noqa: E402

say.tell_versions("tensorflow", "keras", "numpy", device="GPU" if device.has_gpu() else "CPU", backend=device.backend())
clock = say.Clock(asked)
chosen = {"images": asked["train"], "masks": asked["masks"], "run": str(Path(asked["work"]) / "run")}
chosen |= {"minutes": asked["minutes"], **asked.get("settings", {})}
model = train_joint(JointSettings.from_mapping(chosen))
looks = say.Checkpoints(asked, clock, lambda folder: model.predict_folder(asked["test"], folder))
looks.take(model.run.facts()["steps"], "the run's model")
say.tell(settings={n: v for n, v in model.settings.to_dict().items() if n not in ("images", "masks", "run")})
