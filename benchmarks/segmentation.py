"""Some minutes of training on annotated images: how well are objects found on images that training never saw?

N2SEG_TEST_DATA=FOLDER python benchmarks/segmentation.py [--data dsb2018] [--minutes 10] [--set key=value ...]
"""

import argparse
import csv
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from data import source
from skimage.filters import threshold_otsu

from n2seg_utils import SegmentSettings, judge_labels, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.ui.progress import TextWatcher


def nuclei():
    """DSB2018 fluorescence nuclei (BBBC038), clean, of eight sizes: what trains, and the split that is judged."""
    with open(source() / "dsb2018" / "splits.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return "dsb2018", {use: [r["name"] for r in rows if (r["split"] == "train") == (use == "train")] for use in USES}


def membranes():
    """Membranes in electron microscopy (ISBI 2012), dark on bright: every fourth of 24 slices is judged."""
    names = sorted(file.name for file in (source() / "em_isbi2012" / "images").iterdir())
    return "em_isbi2012", {"train": [n for i, n in enumerate(names) if i % 4], "test": names[::4]}


USES = ("train", "test")
SETS = {"dsb2018": nuclei, "em": membranes}


def main():
    """Train, judge, print; for membranes beside Otsu's threshold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--data", choices=SETS, default="dsb2018")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    options = parser.parse_args()
    name, files = SETS[options.data]()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for use in USES:
            for kind in ("images", "masks"):
                (work / use / kind).mkdir(parents=True)
                for file in files[use]:
                    shutil.copyfile(source() / name / kind / file, work / use / kind / file)
        train, test = work / "train", work / "test"
        chosen = {"images": train / "images", "masks": train / "masks", "run": work / "run", "minutes": options.minutes}
        model = train_segmenter(SegmentSettings.from_mapping(chosen | parse_pairs(options.set)), TextWatcher())
        model.predict_folder(test / "images", work / "out")
        scores = judge_labels(work / "out", test / "masks")
        facts, seconds = model.run.facts(), model.run.history()[-1]["seconds"]
        otsu = [_otsu(test, file) for file in files["test"]] if options.data == "em" else []
    print(
        f"\n{facts['steps']} steps in {seconds} s on {facts['device']}, {facts['backend']}; {model.stored.describe()}"
    )
    for score, value in scores.items():
        if isinstance(value, float):
            print(f"{score:10} {value:.3f}")
    if otsu:
        print(f"IoU of Otsu's threshold: {np.mean(otsu):.3f}")


def _otsu(folder, file):
    image, mask = (tifffile.imread(folder / kind / file) for kind in ("images", "masks"))
    dark, true = image < threshold_otsu(image), mask > 0
    return (dark & true).sum() / (dark | true).sum()


if __name__ == "__main__":
    main()
