"""What do other ways of predicting bring, with a joint model that is trained already?

    N2SEG_TEST_DATA=FOLDER python benchmarks/prediction.py RUN [--sigma 20] [--limit 20]

Judged on images of DSB2018 that no training sees: as usual; as the mean of eight flipped and turned predictions; and
with every pixel hidden when it is predicted, as it was in training (Noise2Void's network then sees what it knows).
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from data import noisy_nuclei

from n2seg_utils import JointModel, judge, judge_labels
from n2seg_utils.data.files import list_images

_SIDE, _RADIUS = 8, 5  # one pixel of a square of this side is hidden at a time; its neighbours reach as far


def main():
    """Predict in each way, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--sigma", type=float, default=20.0)
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="judge so many images")
    options = parser.parse_args()
    model = JointModel.load(options.run)
    print(f"{'way':20} {'PSNR':>6} {'AP':>6} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = noisy_nuclei(options.sigma, work / "data", options.limit)
        for name, predict in WAYS.items():
            began = time.perf_counter()
            predict(model, images.test, work / name)
            seconds = time.perf_counter() - began
            psnr = judge(work / name / "denoised", images.truth)["psnr"]["prediction"]
            found = work / name / "labels"
            ap = judge_labels(found, work / "data" / "masks", kind="instances")["ap50"] if found.is_dir() else np.nan
            print(f"{name:20} {psnr:6.2f} {ap:6.3f} {seconds:8.1f}", flush=True)


def usual(model, images, out):
    """Predict as everybody does."""
    model.predict_folder(images, out)


def eight(model, images, out):
    """Average eight orientations."""
    model.settings = model.settings.replace(orientations=True)
    model.predict_folder(images, out)
    model.settings = model.settings.replace(orientations=False)


def hidden(model, images, out):
    """Denoise each pixel from an image in which a random neighbour stands in its place."""
    (out / "denoised").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in list_images(images):
        image = model.open(file, "auto")
        pixels, scale = np.asarray(tifffile.imread(file))[..., None], model.normalisation.for_image(image)
        denoised = np.empty(pixels.shape, "float32")
        for top in range(_SIDE):
            for left in range(_SIDE):
                blind = pixels.copy()
                blind[top::_SIDE, left::_SIDE] = _neighbours(pixels, top, left, rng)
                denoised[top::_SIDE, left::_SIDE] = model.predict_both(blind, scale)[0][top::_SIDE, left::_SIDE]
        tifffile.imwrite(out / "denoised" / file.name, denoised[..., 0])


WAYS = {"as usual": usual, "eight orientations": eight, "pixels hidden": hidden}


def _neighbours(pixels, top, left, rng):
    """For every pixel of a grid, one drawn from around it."""
    rows, columns = np.mgrid[top : pixels.shape[0] : _SIDE, left : pixels.shape[1] : _SIDE]
    steps = np.array([(y, x) for y in range(-_RADIUS, _RADIUS + 1) for x in range(-_RADIUS, _RADIUS + 1) if y or x])
    drawn = steps[rng.integers(len(steps), size=rows.shape)]
    moved = [np.stack([grid + step, grid - step]) for grid, step in ((rows, drawn[..., 0]), (columns, drawn[..., 1]))]
    inside = [(index >= 0) & (index < size) for index, size in zip(moved, pixels.shape)]
    rows, columns = (np.where(ok[0], index[0], index[1]) for ok, index in zip(inside, moved))
    return pixels[rows, columns]


if __name__ == "__main__":
    main()
