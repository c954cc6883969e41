"""How long does the check of a large folder take, and how much memory?

    python benchmarks/check.py [--count 1000] [--side 1024] [--masks] [--truth] [--compression zlib]

Makes a folder of images in a temporary place, checks it once, and prints seconds and the peak of memory.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from n2seg_utils.data.check import check_images
from n2seg_utils.data.samples import make_image

_TILE = 256  # of a sample image, from which the larger ones are put together


def main():
    """Make the folder, check it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--side", type=int, default=1024, help="of an image, in pixels")
    parser.add_argument("--masks", action="store_true", help="with a mask for each image")
    parser.add_argument("--truth", action="store_true", help="with a clean image for each image")
    parser.add_argument("--compression", help="of the files, for example zlib")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        _make(folder, options)
        kinds = {"masks": options.masks, "truth": options.truth}
        before, began = _peak(), time.perf_counter()
        processor = time.process_time()
        found = check_images(folder / "images", **{kind: folder / kind for kind, wanted in kinds.items() if wanted})
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        for finding in found.findings:
            print(f"{finding.severity}: {finding}")
        print(f"{len(found.images)} images: {seconds:.1f} s ({processor:.1f} s of processor time)")
        print(f"peak memory {_peak():.0f} MB, {before:.0f} MB before")


def _make(folder, options):
    """Images of nuclei, each with noise of its own; masks and clean images with them."""
    times, rng = -(-options.side // _TILE), np.random.default_rng(1)
    _, clean, labels = make_image("nuclei", 1)
    clean = np.tile(clean, (times, times))[: options.side, : options.side]
    steps = np.arange(times * times).reshape(times, times).repeat(_TILE, 0).repeat(_TILE, 1) * int(labels.max())
    labels = np.tile(labels, (times, times))
    labels = np.where(labels, labels + steps, 0)[: options.side, : options.side].astype("uint16")
    made = {"images": None, "masks": labels if options.masks else None, "truth": clean if options.truth else None}
    for kind in made:
        (folder / kind).mkdir()
    for number in range(options.count):
        made["images"] = rng.poisson(clean).astype("uint16")
        for kind, pixels in made.items():
            if pixels is not None:
                tifffile.imwrite(folder / kind / f"{number:04d}.tif", pixels, compression=options.compression)


def _peak():
    """The most memory this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
