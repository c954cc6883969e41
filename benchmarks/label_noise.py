"""Which errors in masks does a network forgive? The experiment of "Meta-Structures" (AAAI 2022) with nuclei.

N2SEG_TEST_DATA=FOLDER python benchmarks/label_noise.py --preset cpu --out DIR [--set key=value ...]

DSB2018, foreground and background. Every finished training is a line of DIR/runs.json; stopped, the same command goes
on. At the end it writes DIR/table.md and DIR/figure.png. What is judged are images that no training sees; thresholds
come from the wrong labels themselves.
"""

import argparse
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
from data import annotate_nuclei, noisy_nuclei
from matplotlib.figure import Figure
from pixels import SCORES, judge, table

from n2seg_utils import SegmentSettings, UserError, train_segmenter
from n2seg_utils.cli import parse_pairs
from n2seg_utils.data.label_noise import KINDS, degrade_folder
from n2seg_utils.ui.progress import TextWatcher

PRESETS = {
    "cpu": {"minutes": 5.0, "images": 100},
    "gpu": {"minutes": 10.0, "images": 10_000, "seeds": 3},
}
FORGIVEN, NOT_FORGIVEN = ("sampled", "flipped"), ("dilated", "skeleton")


def main():
    """Train what is missing, then write the table and the figure."""
    options = _options()
    path = options.out / "runs.json"
    done = json.loads(path.read_text()) if path.exists() else []
    for seed in range(1, options.seeds + 1):
        for kind in options.kinds:
            wanted = {"kind": kind, "seed": seed, "minutes": options.minutes, "images": options.images,
                      "set": " ".join(options.set)}  # fmt: skip
            if not any(wanted.items() <= row.items() for row in done):
                print(f"\n{wanted}", flush=True)
                done.append(wanted | run(kind, seed, options))
                options.out.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(done, indent=1))
                keras.utils.clear_session()
    means = {kind: {score: float(np.mean([row[score] for row in done if row["kind"] == kind])) for score in SCORES}
             for kind in dict.fromkeys(row["kind"] for row in done)}  # fmt: skip
    named = {_words(kind): scores for kind, scores in means.items()}
    lines = [*table(named, "masks"), "", *_verdicts(means)]
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    _figure(named).savefig(options.out / "figure.png", dpi=120)
    print("\n".join(lines))


def run(kind, seed, options):
    """Train with masks of one kind, and judge; returns scores and thresholds."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = noisy_nuclei(0, work / "data", options.limit)
        drawn, masks = annotate_nuclei(images.train, options.images, seed, work / "drawn")
        if kind != "clean":
            degrade_folder(masks, work / "wrong", kind, seed=seed)
            masks = work / "wrong"
        chosen = {"images": drawn, "masks": masks, "labels": "noisy", "run": work / "run", "seed": seed}
        chosen |= {"minutes": options.minutes} | parse_pairs(options.set)
        try:
            model = train_segmenter(SegmentSettings.from_mapping(chosen), TextWatcher())
        except UserError as error:  # random labels teach nothing
            print(error)
            return dict.fromkeys(SCORES, 0.0) | {"failed": str(error)}
        facts = model.run.facts()
        found = judge(model, images.test, work / "data" / "masks")
        return found | {"steps": facts["steps"], "threshold": model.stored.threshold, "device": facts["device"]}


def _verdicts(means):
    """Whether the paper's order shows, in sentences."""
    for kind in FORGIVEN + NOT_FORGIVEN:
        if "clean" in means and kind in means:
            loss = means["clean"]["f1"] - means[kind]["f1"]
            ok = loss <= 0.05 if kind in FORGIVEN else loss >= 0.05
            wanted = "at most 0.05" if kind in FORGIVEN else "at least 0.05"
            yield f"- {_words(kind)}: F1 {loss:.3f} below clean; expected {wanted}: {'yes' if ok else 'no'}"


def _words(kind):
    return "clean" if kind == "clean" else KINDS[kind].words.format(KINDS[kind].strength)


def _figure(rows):
    figure = Figure(figsize=(7, 0.45 * len(rows) + 1), layout="constrained")
    axis = figure.subplots()
    for number, score in enumerate(("f1", "iou")):
        places = np.arange(len(rows)) + 0.38 * number
        axis.barh(places, [found[score] for found in rows.values()], 0.36, color=("#0072b2", "#d55e00")[number],
                  label=score.upper() if score == "iou" else "F1")  # fmt: skip
    axis.set(yticks=np.arange(len(rows)) + 0.19, yticklabels=list(rows), xlim=(0, 1), xlabel="on images never seen")
    axis.invert_yaxis()
    axis.legend()
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, help="values for all that is not given")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each training")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="how many train")
    parser.add_argument("--kinds", nargs="+", choices=("clean", *KINDS), default=["clean", *KINDS])
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
