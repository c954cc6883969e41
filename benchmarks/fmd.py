"""Two minutes of training on real noisy images: how much better do images become that training never saw?

    N2SEG_TEST_DATA=FOLDER python benchmarks/fmd.py [--minutes 2] [--kinds Confocal TwoPhoton] [--set key=value ...]

FOLDER holds ``fmd/noisy`` and ``fmd/clean``: pairs of the Fluorescence Microscopy Denoising data set (Zhang et al.,
CVPR 2019), named KIND_SPECIMEN_NUMBER.tif. Number 1 of each specimen is kept out of training and judged.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from n2seg_utils import DenoiseSettings, judge, train_denoiser
from n2seg_utils.cli import parse_pairs
from n2seg_utils.ui.progress import TextWatcher


def main():
    """Train, judge, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--kinds", nargs="+", default=["Confocal", "TwoPhoton"])
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    options = parser.parse_args()
    data = Path(os.environ["N2SEG_TEST_DATA"]) / "fmd"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for file in sorted((data / "noisy").glob("*.tif")):
            if file.name.split("_")[0] in options.kinds:
                part = work / ("test" if file.stem.endswith("_1") else "train")
                part.mkdir(exist_ok=True)
                shutil.copy(file, part)
        chosen = {"images": work / "train", "run": work / "run", "minutes": options.minutes} | parse_pairs(options.set)
        model = train_denoiser(DenoiseSettings.from_mapping(chosen), TextWatcher())
        model.predict_folder(work / "test", work / "out")
        scores = judge(work / "out", data / "clean", work / "test")
        facts = model.run.facts()
    print(f"\n{facts['steps']} steps in {facts['training_seconds']} s on {facts['device']}, {facts['backend']}")
    print(f"{'image':28} {'noisy':>7} {'denoised':>9} {'gain':>6}   (PSNR, dB)")
    for row in scores["per_image"]:
        gain = row["psnr"] - row["psnr_raw"]
        print(f"{row['image']:28} {row['psnr_raw']:7.2f} {row['psnr']:9.2f} {gain:6.2f}")
    mean = scores["psnr"]
    print(f"{'mean':28} {mean['raw']:7.2f} {mean['prediction']:9.2f} {mean['gain']:6.2f}")


if __name__ == "__main__":
    main()
