"""Crowded nuclei: does a network that also learns distances part them better than one that learns borders only?

N2SEG_TEST_DATA=FOLDER python benchmarks/nuclei.py --preset cpu --out DIR [--set key=value ...]

DSB2018 as it is. What is judged are the images of the test split with more nuclei than its median image; no training
sees them. Every finished training is a line of DIR/runs.json; stopped, the same command goes on. At the end it writes
DIR/table.md. All trainings have the same images, seeds and number of steps.
"""

import argparse
import csv
import json
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
from data import annotate_nuclei, noisy_nuclei, source

from n2seg_utils import SegmentSettings, judge_labels, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.quality.statistics import interval
from n2seg_utils.ui.progress import TextWatcher

PRESETS = {
    "cpu": {"steps": 600, "images": 100, "width": 16},
    "gpu": {"steps": 10_000, "images": 10_000, "width": 32, "seeds": 3, "ways": ["border", "distance", "border+nih",
                                                                               "distance+nih"]},
}  # fmt: skip
SCORES = {"f1_70": "F1 at IoU 0.7", "f1_90": "F1 at IoU 0.9", "ap50": "AP at IoU 0.5", "ap": "AP 0.50 to 0.95"}
_EPOCHS = 12  # of each training, whatever its steps
# What each way is, in settings.
WAYS = {
    f"{method}{more}": {"method": method, **chosen}
    for more, chosen in {
        "": {},
        "+nih": {"augmentation": "nih"},
        "+encoder": {"encoder": "mobilenet_v2"},
        "+pretrained": {"encoder": "mobilenet_v2", "encoder_weights": "imagenet"},
    }.items()
    for method in ("border", "distance")
}


def main():
    """Train what is missing, then write the table."""
    options = _options()
    path = options.out / "runs.json"
    done = json.loads(path.read_text()) if path.exists() else []
    common = {"steps": options.steps, "images": options.images, "width": options.width, "set": " ".join(options.set)}
    rows = []
    for seed in range(1, options.seeds + 1):
        for way in options.ways:
            wanted = {"way": way, "seed": seed, **common}
            row = next((row for row in done if wanted.items() <= row.items()), None)
            if row is None:
                print(f"\n{wanted}", flush=True)
                row = wanted | run(way, seed, options)
                done.append(row)
                options.out.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(done, indent=1))
                keras.utils.clear_session()
            rows.append(row)
    lines = table(rows)
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def run(way, seed, options):
    """Train in one way, and judge; returns scores of the crowded half, of each of its images, and of all."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = noisy_nuclei(0, work / "data", options.limit)
        drawn, masks = annotate_nuclei(images.train, options.images, seed, work / "drawn")
        chosen = {"images": drawn, "masks": masks, "run": work / "run", "seed": seed, "minutes": 0, "epochs": _EPOCHS}
        chosen |= {"steps_per_epoch": -(-options.steps // _EPOCHS), "network_width": options.width}
        chosen |= {"patience": _EPOCHS, "target": "instances", **WAYS[way], **parse_pairs(options.set)}
        model = train_segmenter(SegmentSettings.from_mapping(chosen), TextWatcher())
        found = {}
        for name, files in {"crowded": crowded(images.test), "all": sorted(images.test.iterdir())}.items():
            some = work / name / "images"
            some.mkdir(parents=True)
            for file in files:
                shutil.copyfile(file, some / file.name)
            model.predict_folder(some, work / name / "labels")
            judged = judge_labels(work / name / "labels", work / "data" / "masks", kind="instances")
            found[name] = {score: judged[score] for score in SCORES} | {"images": len(files)}
            found[name]["pooled"] = {score: judged["pooled"][score] for score in ("f1_70", "f1_90", "ap50")}
            if name == "crowded":
                each = {row["image"]: {score: row[score] for score in SCORES} for row in judged["per_image"]}
                found["per_image"] = each
        facts = model.run.facts()
        return found | {"done": facts["steps"], "best_epoch": facts["best_epoch"], "device": facts["device"],
                        "seconds": facts.get("training_seconds")}  # fmt: skip


def crowded(folder):
    """Images of a folder with more nuclei than its median image."""
    with open(source() / "dsb2018" / "splits.csv", newline="") as file:
        nuclei = {row["name"]: int(row["n_objects"]) for row in csv.DictReader(file)}
    files = sorted(folder.iterdir())
    median = np.median([nuclei[file.name] for file in files])
    return [file for file in files if nuclei[file.name] > median]


def table(rows):
    """Means over seeds, and how each way differs from the first on the same images: lines of Markdown."""
    ways = list(dict.fromkeys(row["way"] for row in rows))
    seeds = {way: [row for row in rows if row["way"] == way] for way in ways}
    heads = [*SCORES.values(), "F1 at 0.7, all nuclei together", "F1 at 0.9, all nuclei together"]
    lines = [f"| way | {' | '.join(heads)} | seeds |", "|---" * (len(heads) + 2) + "|"]
    for way in ways:
        found = [row["crowded"] for row in seeds[way]]
        cells = [_spread([one[score] for one in found]) for score in SCORES]
        cells += [_spread([one["pooled"][score] for one in found]) for score in ("f1_70", "f1_90")]
        lines.append(f"| {way} | {' | '.join(cells)} | {len(found)} |")
    lines += [
        "",
        f"{rows[0]['crowded']['images']} crowded images of {rows[0]['all']['images']}; differences image by image:",
    ]
    for way in ways[1:]:
        for score, words in SCORES.items():
            each = [_of_images(seeds[one], score) for one in (way, ways[0])]
            gains = np.subtract(*each)
            low, high = interval(gains) or (np.nan, np.nan)
            better, worse = (gains > 0).sum(), (gains < 0).sum()
            lines.append(
                f"- {words}, {way} less {ways[0]}: {gains.mean():+.3f} (95 % interval {low:+.3f} to {high:+.3f}); "
                f"better on {better} images, worse on {worse}"
            )
    return lines


def _of_images(rows, score):
    """A score of each crowded image, mean over seeds."""
    return np.mean([[row["per_image"][name][score] for name in sorted(row["per_image"])] for row in rows], axis=0)


def _spread(values):
    more = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{more}"


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, help="values for all that is not given")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="how many train and validate")
    parser.add_argument("--width", type=int, default=16, help="filters of the network's first layer")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["border", "distance"])
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--limit", type=int, metavar="N", help="use so few images to train and to judge, for a try")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    preset = parser.parse_known_args()[0].preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    return parser.parse_args()


if __name__ == "__main__":
    main()
