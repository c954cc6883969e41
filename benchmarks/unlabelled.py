"""Without any labels, does a network find more than a threshold does? Nuclei with noise (DSB2018).

N2SEG_TEST_DATA=FOLDER python benchmarks/unlabelled.py --minutes 10 --out DIR [--sigma 20] [--set key=value ...]

Nothing is tuned on what is judged: the blur is chosen on training images, thresholds on each image itself or, for the
network, on its first guess of training images that validate. Writes DIR/table.md, and a line into DIR/runs.jsonl.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from data import noisy_nuclei
from pixels import scores_of
from skimage.filters import threshold_otsu

from n2seg_utils import SegmentSettings, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.quality.first_guess import blurred, cut, li
from n2seg_utils.ui.progress import TextWatcher

_EPOCHS = 30
_FILTERS = {"Otsu": threshold_otsu, "Li": li}


def main():
    """Train, judge, and write the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = noisy_nuclei(options.sigma, work / "data", options.limit)
        length = {"minutes": options.minutes}
        if options.steps:
            length = {"minutes": 0, "epochs": _EPOCHS, "steps_per_epoch": math.ceil(options.steps / _EPOCHS)}
        chosen = {"images": images.train, "labels": "none", "run": work / "run", "seed": options.seed} | length
        model = train_segmenter(SegmentSettings.from_mapping(chosen | parse_pairs(options.set)), TextWatcher())
        blur = model.settings.blur
        ways = {
            f"{name}, {words}": lambda pixels, sigma=sigma, find=find: _threshold(pixels, sigma, find)
            for words, sigma in (("raw", 0), (f"after a Gaussian of {blur:g} pixels", blur))
            for name, find in _FILTERS.items()
        }
        ways["network, without labels"] = lambda pixels: model.predict(pixels, axes="YX") > 0
        found = {name: _judged(way, images.test, work / "data" / "masks") for name, way in ways.items()}
        facts, seconds = model.run.facts(), round(model.run.history()[-1]["seconds"])
    row = {"sigma": options.sigma, "seed": options.seed, "steps": facts["steps"], "device": facts["device"]}
    row |= {"blur": blur, "seconds": seconds}
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "runs.jsonl", "a") as file:
        file.write(json.dumps(row | {"set": options.set, "scores": found}) + "\n")
    lines = [f"{row}", "", "| way | F1 | IoU | accuracy |", "|---|---|---|---|"]
    lines += [f"| {name} | {s['f1']:.3f} | {s['iou']:.3f} | {s['accuracy']:.3f} |" for name, s in found.items()]
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _threshold(pixels, sigma, find):
    """What :func:`n2seg_utils.quality.first_guess.cut` tells apart, by the threshold of scikit-image."""
    smooth = blurred(pixels, sigma)
    return cut(smooth, find)(smooth)


def _judged(way, images, masks):
    """Means over the images."""
    scores = [
        scores_of(tifffile.imread(masks / file.name) > 0, way(tifffile.imread(file)))
        for file in sorted(images.iterdir())
    ]
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sigma", type=float, default=20.0, help="of the Gaussian noise that is added")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, metavar="N", help="train for so many steps, however long they take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--limit", type=int, metavar="N", help="use so few images to train and to judge, for a try")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser.parse_args()


if __name__ == "__main__":
    main()
