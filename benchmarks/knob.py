"""What one setting does to the result: the evidence behind a default.

    N2SEG_TEST_DATA=FOLDER python benchmarks/knob.py masked_percent 0.2 1 2 5 8 12 20 30
    N2SEG_TEST_DATA=FOLDER python benchmarks/knob.py learning_rate 0.0004 0.001 0.002 0.004 --steps 100 400

Prints the mean PSNR (dB) of images kept out of training, per data set and number of steps.
"""

import argparse
import tempfile
from pathlib import Path

from data import SETS

from n2seg_utils import DenoiseSettings, judge, train_denoiser
from n2seg_utils.cli import parse_pairs


def main():
    """Train with each value, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("knob", choices=DenoiseSettings.knobs())
    parser.add_argument("values", nargs="+")
    parser.add_argument("--data", nargs="+", choices=SETS, default=["dsb20", "confocal", "twophoton"])
    parser.add_argument("--steps", nargs="+", type=int, default=[100, 300])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    options = parser.parse_args()
    print(f"{'data':10} {'steps':>6} {'noisy':>6}  " + " ".join(f"{value:>7}" for value in options.values))
    for name in options.data:
        with tempfile.TemporaryDirectory() as folder:
            images = SETS[name](Path(folder) / "images")
            for steps in options.steps:
                scores = [_mean(images, folder, steps, options, value) for value in options.values]
                row = " ".join(f"{prediction:7.2f}" for _, prediction in scores)
                print(f"{name:10} {steps:6d} {scores[0][0]:6.2f}  {row}", flush=True)


def _mean(images, folder, steps, options, value):
    """Mean PSNR, raw and denoised, over the seeds."""
    found = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            plan = {"minutes": 0, "epochs": max(1, steps // 50), "steps_per_epoch": 50, "seed": seed}
            chosen = {"images": images.train, "run": f"{work}/run", options.knob: value}
            model = train_denoiser(DenoiseSettings.from_mapping(plan | chosen | parse_pairs(options.set)))
            model.predict_folder(images.test, f"{work}/out")
            found.append(judge(f"{work}/out", images.truth, images.test)["psnr"])
    return tuple(sum(row[kind] for row in found) / len(found) for kind in ("raw", "prediction"))


if __name__ == "__main__":
    main()
