"""How far does segmentation come without any mask, beside Otsu's and Li's threshold of the same images?

N2SEG_TEST_DATA=FOLDER python benchmarks/no_labels.py [--sigma 20] [--minutes 10] [--images 100] [--set key=value ...]

DSB2018 with Gaussian noise. What is judged are images that no training sees; nothing is chosen by their masks.
"""

import argparse
import tempfile
from pathlib import Path

from data import annotate_nuclei, noisy_nuclei
from pixels import judge, judge_thresholds, table

from n2seg_utils import SegmentSettings, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.ui.progress import TextWatcher


def main():
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sigma", type=float, default=20.0, help="of the noise, in grey values")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--images", type=int, default=100, metavar="N", help="how many train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, metavar="N", help="use so few images to train and to judge, for a try")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = noisy_nuclei(options.sigma, work / "data", options.limit)
        drawn, _ = annotate_nuclei(images.train, options.images, options.seed, work / "drawn")
        chosen = {"images": drawn, "labels": "none", "run": work / "run", "minutes": options.minutes}
        chosen |= {"seed": options.seed} | parse_pairs(options.set)
        model = train_segmenter(SegmentSettings.from_mapping(chosen), TextWatcher())
        rows = {"network": judge(model, images.test, work / "data" / "masks")}
        rows |= judge_thresholds(images.test, work / "data" / "masks")
        facts = model.run.facts()
    print(f"\n{facts['steps']} steps on {facts['device']}; {model.stored.describe()}")
    print("\n".join(table(rows, f"noise {options.sigma:g}")))


if __name__ == "__main__":
    main()
