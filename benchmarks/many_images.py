"""Do ten thousand small images take memory, or time an image, that one thousand do not?

    python benchmarks/many_images.py [--count 10000] [--side 64] [--kind denoise] [--parts 1]

Trains a small model on the built-in sample for a moment, writes COUNT noisy images, and predicts them with the command,
in a process of its own. Its memory, and how many results there are, are looked at twice a second.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import tifffile

from n2seg_utils.cli import main as n2seg

_TINY = ("network_width=8", "network_depth=1", "minutes=0", "epochs=2", "steps_per_epoch=8", "patch_size=32")


def main():
    """Predict, and print a row for each tenth of the images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--kind", choices=("denoise", "segment", "joint"), default="denoise")
    parser.add_argument("--parts", type=int, default=1, help="do part 1 of so many")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run = _train(work, options.kind)
        _write(work / "images", options.count, options.side)
        part = ["--part", f"1/{options.parts}"] if options.parts > 1 else []
        _watch(
            ["predict", "--run", str(run), "--images", str(work / "images"), "--out", str(work / "out"), *part],
            work / "out" / ("" if options.kind != "joint" else "labels"), options.count // options.parts,
        )  # fmt: skip


def _train(work, kind):
    n2seg(["sample", "nuclei", "--out", str(work / "sample"), "--count", "4"])
    masks = [] if kind == "denoise" else ["--masks", str(work / "sample" / "masks")]
    chosen = [word for setting in _TINY for word in ("--set", setting)]
    n2seg(["train", kind, "--images", str(work / "sample" / "images"), *masks, "--run", str(work / "run"), *chosen])
    return work / "run"


def _write(folder, count, side):
    """Crops of the sample's images, with new noise."""
    folder.mkdir()
    sample = [tifffile.imread(file) for file in sorted((folder.parent / "sample" / "images").glob("*.tif"))]
    rng = np.random.default_rng(0)
    for number in range(count):
        image = sample[number % len(sample)]
        y, x = (rng.integers(size - side + 1) for size in image.shape)
        crop = image[y : y + side, x : x + side] + rng.normal(0, 1, (side, side))
        tifffile.imwrite(folder / f"cell_{number + 1}.tif", np.clip(crop, 0, 65535).astype("uint16"))


def _watch(arguments, out, count):
    process = subprocess.Popen([sys.executable, "-m", "n2seg_utils.cli", *arguments], stdout=subprocess.DEVNULL)
    about, began = psutil.Process(process.pid), time.perf_counter()
    first, peak, told = None, 0, 0
    print(f"{'images':>8} {'peak memory, MB':>16} {'seconds':>8} {'ms an image':>12}")
    while process.poll() is None:
        peak = max(peak, about.memory_info().rss / 1e6)
        done = sum(1 for file in out.glob("*.tif") if not file.name.startswith(".")) if out.exists() else 0
        now = time.perf_counter()
        if done and first is None:
            first = now
            print(f"{'first':>8} {peak:16.0f} {now - began:8.1f}", flush=True)
            last = now, done
        if first and done - told >= count / 10:
            pace = 1000 * (now - last[0]) / max(1, done - last[1])
            print(f"{done:8,} {peak:16.0f} {now - began:8.1f} {pace:12.1f}", flush=True)
            told, last = done, (now, done)
        time.sleep(0.5)
    print(f"{'end':>8} {peak:16.0f} {time.perf_counter() - began:8.1f}; exit status {process.returncode}")


if __name__ == "__main__":
    main()
