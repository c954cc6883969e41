"""Seconds of a training step of Noise2Void, whole, and bare: nothing is drawn or hidden."""

import time

import say

asked = say.request()

import keras  # noqa: E402
from keras import ops  # noqa: E402

from n2seg_utils.data.samples import make_image  # noqa: E402
from n2seg_utils.learning import device  # noqa: E402
from n2seg_utils.learning.blindspot import BlindSpots  # noqa: E402
from n2seg_utils.learning.networks import Architecture, unet  # noqa: E402
from n2seg_utils.learning.noise2void import Noise2VoidTraining  # noqa: E402
from n2seg_utils.learning.patches import PatchSampler  # noqa: E402
from n2seg_utils.learning.plan import prepare, take_step  # noqa: E402
from n2seg_utils.learning.seeds import StepSeed  # noqa: E402


class BareTraining(Noise2VoidTraining):
    """Nothing is drawn."""

    def call(self, step, training=False):
        return self.network(self.fixed, training=training), self.fixed, self.hidden


def training(kind, images):
    """A training that is compiled."""
    patches = PatchSampler(images, (asked["patch"],) * 2, asked["batch"], seed=1)
    hide = BlindSpots((asked["patch"],) * 2, 8.0, (5, 5), "uniform_withoutCP", None)
    model = kind(unet(Architecture(width=asked["width"], narrow_decoder=True)), patches, patches, hide, 1)
    model.fixed = patches.draw(StepSeed(1, 0))
    model.hidden = ops.ones_like(model.fixed)
    prepare(model)
    seconds(model, 3)
    return model


def seconds(model, steps):
    """Of a step."""
    begun = time.perf_counter()
    for number in range(steps):
        take_step(model, number)
    return (time.perf_counter() - begun) / steps


say.tell_versions(
    "tensorflow", "keras", "numpy", device="GPU" if device.has_gpu() else "CPU", backend=keras.backend.backend()
)
sample = [make_image("nuclei", seed)[0][..., None].astype("float32") / 100 - 1 for seed in range(asked["images"])]
models = {"whole": training(Noise2VoidTraining, sample), "bare": training(BareTraining, sample)}
for turn in range(asked["turns"]):
    order = list(models)[:: 1 if turn % 2 == 0 else -1]
    say.tell(values={name: seconds(models[name], asked["steps"]) for name in order})
say.tell(settings={name: asked[name] for name in ("patch", "batch", "width", "steps", "turns")})
