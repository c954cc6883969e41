"""What a training step costs in 16 bits against float32: pairs of runs, in turn, of the same network and batch.

python benchmarks/precision.py [--pairs 5] [--steps 20] [--dims 3]
"""

import argparse
import statistics
import time

from n2seg_utils.data.samples import make_image
from n2seg_utils.learning import device, distribution, precision
from n2seg_utils.learning.blindspot import BlindSpots
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.noise2void import Noise2VoidTraining
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.plan import prepare, take_step


def main():
    """Time the two in turn, print the median ratio and its range."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--dims", type=int, choices=(2, 3), default=2)
    options = parser.parse_args()
    sample, shape, batch = ("nuclei", (64, 64), 16) if options.dims == 2 else ("nuclei3d", (16, 48, 48), 4)
    images = [make_image(sample, seed)[0][..., None].astype("float32") / 100 - 1 for seed in range(8)]
    policies = [precision.FLOAT32, precision.HALF if device.has_gpu() else precision.BRAIN]
    trainings = []
    for policy in policies:
        network = unet(Architecture(options.dims, width=32 if options.dims == 2 else 16, narrow_decoder=True))
        with precision.learner(network, policy) as learner:
            patches, hide = PatchSampler(images, shape, batch, seed=1), BlindSpots(shape, 5.0, (5,) * options.dims)
            trainings.append(Noise2VoidTraining(learner, patches, patches, hide, 1))
        prepare(trainings[-1])
        take_step(trainings[-1], 0)
    ratios = []
    for _ in range(options.pairs):
        exact, mixed = (_seconds(training, options.steps) for training in trainings)
        ratios.append(mixed / exact)
        print(f"float32 {1000 * exact:6.1f} ms, {policies[1]} {1000 * mixed:6.1f} ms, {mixed / exact:.2f}", flush=True)
    where = f"GPU {distribution.compute_capability()}" if device.has_gpu() else "CPU"
    print(f"{where}, patches {shape}, batch {batch}: {policies[1]} takes {statistics.median(ratios):.2f} times as long "
          f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


def _seconds(training, steps):
    began = time.perf_counter()
    for step in range(steps):
        take_step(training, step)
    return (time.perf_counter() - began) / steps


if __name__ == "__main__":
    main()
