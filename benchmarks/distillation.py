"""How much of a teacher does a small network learn, and how fast is it? Omnipose's masks of bacteria.

N2SEG_TEST_DATA=FOLDER python benchmarks/distillation.py --minutes 6 --out DIR [--students small tiny] [--set key=value]

Seven phase-contrast images of different species, with masks that Omnipose made. The last fifth of the rows of each is
cut off before anything else; what is left trains, and of that a strip of each image validates. What is judged are the
pieces that were cut off. Every finished student is a line of DIR/runs.json; stopped, the same command goes on. At the
end it writes DIR/table.md, and a figure of each student beside its teacher.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
import tifffile
from data import source

from n2seg_utils import SegmentSettings, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.quality.label_qc import judge_labels
from n2seg_utils.settings.student import STUDENTS
from n2seg_utils.ui.progress import TextWatcher

_KEPT_OUT = 0.2  # of the rows
_SCORES = ("dice", "iou", "f1", "ap50", "ap")


def main():
    """Train what is missing, then write the table."""
    options = _options()
    cut(source() / "omnipose_phase", options.out / "data")
    path = options.out / "runs.json"
    done = json.loads(path.read_text()) if path.exists() else []
    for student in options.students:
        wanted = {"student": student, "minutes": options.minutes, "seed": options.seed, "set": " ".join(options.set)}
        if not any(wanted.items() <= row.items() for row in done):
            print(f"\n{wanted}", flush=True)
            done.append(wanted | run(wanted, options))
            path.write_text(json.dumps(done, indent=1))
            keras.utils.clear_session()
    text = "\n".join(table(done))
    (options.out / "table.md").write_text(text + "\n")
    print(f"\n{text}")


def cut(data, folder):
    """Write images and masks, and what is cut off them, into folders; once."""
    for kind in ("images", "masks"):
        for part in ("train", "test"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        for file in sorted((data / kind).glob("*.tif")):
            pixels = tifffile.imread(file)
            rows = round((1 - _KEPT_OUT) * len(pixels))
            for part, piece in (("train", pixels[:rows]), ("test", pixels[rows:])):
                tifffile.imwrite(folder / part / kind / file.name, np.ascontiguousarray(piece))


def run(wanted, options):
    """Train a student, and judge it on the pieces that were cut off; returns scores, size and speed."""
    train, test = options.out / "data" / "train", options.out / "data" / "test"
    name = f"{wanted['student']}_{wanted['minutes']:g}_{wanted['seed']}" + "".join(f"_{one}" for one in options.set)
    chosen = {"images": train / "images", "masks": train / "masks", "labels": "teacher", "run": options.out / name}
    chosen |= {key: wanted[key] for key in ("student", "minutes", "seed")} | parse_pairs(options.set)
    model = train_segmenter(SegmentSettings.from_mapping(chosen), TextWatcher())
    model.predict_folder(test / "images", options.out / name / "test")
    scores = judge_labels(
        options.out / name / "test", test / "masks", options.out / name / "judged", images=test / "images",
        figures=7, target=model.target,
    )  # fmt: skip
    facts = model.run.facts()
    return {score: scores[score] for score in _SCORES} | facts["student"] | {
        "pooled_f1": scores["pooled"]["f1"], "steps": facts["steps"], "training_seconds": facts["training_seconds"],
    }  # fmt: skip


def table(rows):
    """The lines of a table in Markdown."""
    yield "| student | weights | megapixels a second | minutes | steps | Dice | IoU | AP at 0.5 | AP 0.50 to 0.95 |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        scores = " | ".join(f"{row[name]:.3f}" for name in ("dice", "iou", "ap50", "ap"))
        more = f" ({row['set']})" if row["set"] else ""
        yield (
            f"| {row['student']}{more} | {row['weights']:,} | {row['megapixels_per_second']:g} ({row['device']}) | "
            f"{row['minutes']:g} | {row['steps']} | {scores} |"
        )


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=list(STUDENTS))
    parser.add_argument("--minutes", type=float, default=6.0, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser.parse_args()


if __name__ == "__main__":
    main()
