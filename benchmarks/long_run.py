"""Does a long training grow, in memory, files or seconds a step? One of 200 checkpoints.

python benchmarks/long_run.py [--checkpoints N] [--steps N]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from n2seg_utils import DenoiseSettings, train_denoiser
from n2seg_utils.data.samples import write_sample
from n2seg_utils.learning.training import Watcher


class Gauge(Watcher):
    """Measures after each epoch, each of which keeps a checkpoint."""

    def __init__(self, run):
        self.run, self.rows, self.last = run, [], time.perf_counter()

    def epoch(self, row, plan, preview):
        """Note memory, files and seconds of an epoch."""
        now = time.perf_counter()
        files = [path for path in self.run.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        self.rows.append(
            (psutil.Process().memory_info().rss, len(files), size, (now - self.last) / plan.steps_per_epoch)
        )
        self.last = now


def main():
    """Train, and print each quarter of the run beside the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", type=int, default=200)
    parser.add_argument("--steps", type=int, default=10, help="in an epoch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample("nuclei", Path(folder) / "sample")
        gauge = Gauge(Path(folder) / "run")
        settings = DenoiseSettings(
            images=str(sample / "images"), run=str(gauge.run), minutes=0, epochs=options.checkpoints,
            steps_per_epoch=options.steps,
        )  # fmt: skip
        train_denoiser(settings, gauge)
    quarters = np.array_split(np.array(gauge.rows), 4)
    print("| epochs | memory, MB | files | their size, MB | seconds a step |\n|---|---|---|---|---|")
    first = 1
    for rows in quarters:
        memory, files, size, seconds = np.median(rows, axis=0)
        last = first + len(rows) - 1
        print(f"| {first} to {last} | {memory / 1e6:.0f} | {files:.0f} | {size / 1e6:.2f} | {seconds:.3f} |")
        first = last + 1


if __name__ == "__main__":
    main()
