"""With few annotations of noisy images, does it pay to denoise and segment with one network? DenoiSeg's experiment.

N2SEG_TEST_DATA=FOLDER python benchmarks/few_annotations.py --preset cpu --out DIR [--set key=value ...]

Every finished training is a line of DIR/runs.csv; stopped, the same command goes on. At the end it writes DIR/table.md
and DIR/figure.png. What is judged are images that no training sees. In all methods training takes as long in total, or,
with --steps, as many steps: for machines that do other things meanwhile.
"""

import argparse
import csv
import math
import tempfile
from pathlib import Path

import keras
from data import annotate_nuclei, noisy_nuclei, split_nuclei
from few_annotations_results import identity, report, require_alike, rows_of

from n2seg_utils import (
    DenoiseSettings,
    SegmentSettings,
    UserError,
    judge,
    judge_labels,
    train_denoiser,
    train_segmenter,
)
from n2seg_utils.cli import parse_pairs
from n2seg_utils.models.joint_training import train_joint
from n2seg_utils.settings import JointSettings
from n2seg_utils.ui.progress import TextWatcher

_EPOCHS = 30  # of trainings for a number of steps

PRESETS = {
    "cpu": {"minutes": 4.0, "sigmas": [20.0], "annotated": ["10", "152"], "seeds": 1},
    "gpu": {
        "minutes": 30.0,
        "sigmas": [0.0, 10.0, 20.0],
        "seeds": 5,
        "methods": ["denoise", "alone", "sequential", "joint", "published"],
    },
}


def main():
    """Train what is missing, then write the table and the figure."""
    options = _options()
    if not options.only_table:
        train_all(options)
    print(report(options.out))


def train_all(options):
    """All trainings that are not yet in runs.csv; one that fails is told, and left to the next call."""
    known = [len(names) for names in split_nuclei(options.limit)]
    failed = 0
    for row in _wanted(options, known[0]):
        done = rows_of(options.out)
        require_alike(done, row)
        if any(identity(row) == identity(other) for other in done):
            continue
        print("\n" + "  ".join(f"{name} {value}" for name, value in row.items() if value != ""), flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                row |= run(row, Path(folder), options, done)
        except UserError as error:
            failed += 1
            print(f"No result: {error}", flush=True)
        else:
            _append(options.out / "runs.csv", row)
        keras.utils.clear_session()
    if failed:
        print(f"\n{failed} trainings brought no result; the same command tries them again")


def run(row, work, options, done):
    """Train and judge once; returns what is known afterwards."""
    images = noisy_nuclei(row["sigma"], work / "data", options.limit)
    drawn = annotate_nuclei(images.train, row["annotated"], row["draw"], work / "drawn") if row["annotated"] else None
    common = {"seed": row["draw"]} | _length(options, row, done)
    if row["method"] == "published":
        common |= {"recipe": "published"}
    elif row["method"] == "joint":
        common |= parse_pairs(options.set)
    models = METHODS[row["method"]](images, drawn, work, common)
    last = models[-1].run.facts()
    seconds = round(sum(model.run.history()[-1]["seconds"] for model in models))
    return {"steps": last["steps"], "seconds": seconds, "device": last["device"], **_scores(images, work)}


def denoise(images, drawn, work, common):
    """Noise2Void, which needs no annotation."""
    chosen = {"images": images.train, "run": work / "denoise"} | common
    model = train_denoiser(DenoiseSettings.from_mapping(chosen), TextWatcher())
    model.predict_folder(images.test, work / "denoised")
    return [model]


def alone(images, drawn, work, common):
    """A U-Net that learns from the annotated images, noisy as they are."""
    return [_segment(*drawn, images.test, work, common)]


def sequential(images, drawn, work, common):
    """Half of the training for Noise2Void on all images, half for a U-Net on the denoised ones."""
    common = common | {"minutes": common["minutes"] / 2}
    if not common["minutes"]:
        common["steps_per_epoch"] = math.ceil(common["steps_per_epoch"] / 2)
    models = denoise(images, drawn, work, common)
    models[0].predict_folder(drawn[0], work / "drawn denoised")
    return [*models, _segment(work / "drawn denoised", drawn[1], work / "denoised", work, common)]


def joint(images, drawn, work, common):
    """One network for both, from all images."""
    chosen = {"images": images.train, "masks": drawn[1], "run": work / "joint"} | common
    model = train_joint(JointSettings.from_mapping(chosen), TextWatcher())
    model.predict_folder(images.test, work)
    return [model]


# 'published' comes after 'joint', because it takes as many steps.
METHODS = {"denoise": denoise, "alone": alone, "sequential": sequential, "joint": joint, "published": joint}


def _segment(images, masks, test, work, common):
    chosen = {"images": images, "masks": masks, "run": work / "segment"} | common
    model = train_segmenter(SegmentSettings.from_mapping(chosen), TextWatcher())
    model.predict_folder(test, work / "labels")
    return model


def _scores(images, work):
    """Of the objects that were found and of the denoised images, as far as there are any."""
    found = {"ap50": "", "seg": "", "psnr": ""}
    if (work / "labels").is_dir():
        judged = judge_labels(work / "labels", work / "data" / "masks", kind="instances")
        found |= {name: round(judged[name], 4) for name in ("ap50", "seg")}
    if (work / "denoised").is_dir():
        found["psnr"] = round(judge(work / "denoised", images.truth)["psnr"]["prediction"], 3)
    return found


def _length(options, row, done):
    """Settings that say how long to train: so many minutes or steps, or as many as joint training of the same took."""
    if options.steps:
        return _steps(options.steps)
    if row["method"] != "published":
        return {"minutes": options.minutes}
    wanted = identity(row | {"method": "joint", "set": " ".join(options.set)})
    steps = [int(other["steps"]) for other in done if identity(other) == wanted]
    if not steps:
        raise UserError("'published' takes as many steps as 'joint', of which there is no result. Train 'joint' first")
    return _steps(steps[0])


def _steps(count):
    return {"minutes": 0, "epochs": _EPOCHS, "steps_per_epoch": math.ceil(count / _EPOCHS)}


def _wanted(options, known):
    """What identifies each training, a complete draw after the other."""
    length = f"{options.steps} steps" if options.steps else f"{options.minutes:g} minutes"
    counts = sorted({known if text == "all" else min(known, int(text)) for text in options.annotated})
    for draw in range(1, options.seeds + 1):
        for sigma in options.sigmas:
            for count in (0, *counts):
                for method in METHODS:
                    if method in options.methods and (method == "denoise") == (count == 0):
                        chosen = " ".join(options.set) if method == "joint" else ""
                        yield {
                            "sigma": sigma, "annotated": count, "method": method, "set": chosen, "draw": draw,
                            "length": length, "images": known,
                        }  # fmt: skip


def _append(path, row):
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        if not begun:
            writer.writeheader()
        writer.writerow(row)


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, help="values for all that is not given")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, metavar="N", help="train for so many steps, however long they take")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[0.0, 10.0, 20.0])
    parser.add_argument("--annotated", nargs="+", default=["10", "38", "152", "all"])
    usual = [method for method in METHODS if method != "published"]
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=usual)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="draws of annotated images")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="for the joint training")
    parser.add_argument("--limit", type=int, metavar="N", help="use so few images to train and to judge, for a try")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only-table", action="store_true")
    preset = parser.parse_known_args()[0].preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    return parser.parse_args()


if __name__ == "__main__":
    main()
