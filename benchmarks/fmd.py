"""Two minutes of training on real noisy images: how much better do images become that training never saw?

N2SEG_TEST_DATA=FOLDER python benchmarks/fmd.py [--minutes 2] [--set key=value ...]
"""

import argparse
import tempfile
from pathlib import Path

from data import SETS

from n2seg_utils import DenoiseSettings, judge, train_denoiser
from n2seg_utils.cli import parse_pairs
from n2seg_utils.ui.progress import TextWatcher


def main():
    """Train, judge, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--data", choices=SETS, default="fmd")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = SETS[options.data](work / "images")
        chosen = {"images": images.train, "run": work / "run", "minutes": options.minutes} | parse_pairs(options.set)
        model = train_denoiser(DenoiseSettings.from_mapping(chosen), TextWatcher())
        model.predict_folder(images.test, work / "out")
        scores = judge(work / "out", images.truth, images.test)
        facts, seconds = model.run.facts(), model.run.history()[-1]["seconds"]
    print(f"\n{facts['steps']} steps in {seconds} s on {facts['device']}, {facts['backend']}")
    print(f"{'image':28} {'noisy':>7} {'denoised':>9} {'gain':>6}   (PSNR, dB)")
    for row in scores["per_image"]:
        gain = row["psnr"] - row["psnr_raw"]
        print(f"{row['image']:28} {row['psnr_raw']:7.2f} {row['psnr']:9.2f} {gain:6.2f}")
    mean = scores["psnr"]
    print(f"{'mean':28} {mean['raw']:7.2f} {mean['prediction']:9.2f} {mean['gain']:6.2f}")


if __name__ == "__main__":
    main()
