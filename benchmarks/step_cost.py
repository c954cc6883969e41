"""What drawing patches and hiding pixels adds to a training step: pairs of runs, in turn, on the same network.

python benchmarks/step_cost.py [--pairs 7] [--steps 40] [--dims 3] [--manipulator median] [--square 5]
"""

import argparse
import statistics
import time

import numpy as np
from keras import ops

from n2seg_utils.data.samples import make_image
from n2seg_utils.learning import device
from n2seg_utils.learning.blindspot import BlindSpots
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.noise2void import Noise2VoidTraining
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.plan import prepare, take_step
from n2seg_utils.learning.seeds import StepSeed
from n2seg_utils.settings.hiding import MANIPULATORS


class BareTraining(Noise2VoidTraining):
    """The same network, loss and batch, always the same patches: nothing is drawn."""

    def call(self, step, training=False):
        return self.network(self.fixed, training=training), self.fixed, self.hidden


def main():
    """Time the two in turn, print the ratio pair by pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--dims", type=int, choices=(2, 3), default=2)
    parser.add_argument("--manipulator", choices=MANIPULATORS, default="uniform_withoutCP")
    parser.add_argument("--square", type=int, default=0, help="side of a structN2V mask")
    options = parser.parse_args()
    sample, shape, batch = ("nuclei", (64, 64), 16) if options.dims == 2 else ("nuclei3d", (16, 48, 48), 4)
    images = [make_image(sample, seed)[0][..., None].astype("float32") / 100 - 1 for seed in range(20)]
    models, radius = [], (5,) * options.dims
    mask, percent = (np.ones((options.square,) * 2), 1.2) if options.square else (None, 8.0)
    for kind in (Noise2VoidTraining, BareTraining):
        patches = PatchSampler(images, shape, batch, seed=1)
        hide = BlindSpots(shape, percent, radius, options.manipulator, mask)
        network = unet(Architecture(options.dims, width=32 if options.dims == 2 else 16, narrow_decoder=True))
        model = kind(network, patches, patches, hide, 1)
        model.fixed = patches.draw(StepSeed(1, 0))
        model.hidden = ops.ones_like(model.fixed)
        prepare(model)
        _seconds(model, 3)
        models.append(model)
    ratios = {"wall": [], "processor": []}
    for _ in range(options.pairs):
        ours, bare = (_seconds(model, options.steps) for model in models)
        for clock, mine, theirs in zip(ratios, ours, bare):
            ratios[clock].append(mine / theirs)
            both = f"whole step {1000 * mine:6.1f} ms, bare {1000 * theirs:6.1f} ms"
            print(f"{clock:9} time: {both}, ratio {mine / theirs:.3f}", flush=True)
    kind = "GPU" if device.has_gpu() else "CPU"
    print(f"{kind}, {device.backend()}, patches {shape}, batch {batch}, {options.manipulator}, square {options.square}")
    for clock, found in ratios.items():
        print(f"median ratio of {clock} times {statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})")


def _seconds(model, steps):
    """Wall time and processor time of a step."""
    begun = time.perf_counter(), time.process_time()
    for number in range(steps):
        take_step(model, number)
    return (time.perf_counter() - begun[0]) / steps, (time.process_time() - begun[1]) / steps


if __name__ == "__main__":
    main()
