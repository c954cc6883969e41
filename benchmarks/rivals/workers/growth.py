"""Seconds of one thing at one size."""

import tempfile
import time
from pathlib import Path

import say

asked = say.request()

import numpy as np  # noqa: E402

work, size = Path(asked["work"]), asked["size"]


def objects():
    """Scores of label images with so many objects of nine pixels, every seventh of which is missing or moved."""
    from n2seg_utils.quality.label_scores import label_scores, object_scores

    truth, found = grid(size)
    return {"label scores": lambda: label_scores(truth, found), "rows of objects": lambda: object_scores(truth, found)}


def grid(count):
    """Label images with `count` objects each: truth, and what was found."""
    side = int(np.ceil(count**0.5))
    numbers = np.arange(1, side * side + 1, dtype="int32").reshape(side, side)
    numbers[numbers > count] = 0
    truth = np.pad(np.kron(numbers, np.pad(np.ones((3, 3), "int32"), ((0, 2), (0, 2)))), 2)
    found = np.where(truth % 7 == 3, 0, truth)
    moved = np.where(truth % 7 == 5, truth, 0)
    found[moved > 0] = 0
    return truth, found + np.roll(moved, 1, 1)


def finding():
    """Objects out of probabilities."""
    from n2seg_utils.models.objects import Rule, find_objects

    truth = grid(size)[0]
    inside = (truth > 0).astype("float32") * 0.9
    probabilities = np.stack([1 - inside, inside, np.zeros_like(inside)], -1)
    return {"finding objects": lambda: find_objects(probabilities, Rule(min_size=4))}


def checking():
    """The check of so many small images."""
    import tifffile

    from n2seg_utils.data.check import check_images

    folder = work / "images"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(size):
        tifffile.imwrite(folder / f"cell_{number + 1}.tif", rng.normal(500, 20, (64, 64)).astype("uint16"))
    return {"check": lambda: check_images(str(folder))}


def predicting(shape, axes):
    """An image of some shape, file to file."""
    import tifffile

    from n2seg_utils import DenoiseSettings, load, train_denoiser

    rng = np.random.default_rng(0)
    small = tuple({"Z": 8, "Y": 64, "X": 64}.get(axis, length) for axis, length in zip(axes, shape))
    (work / "train").mkdir(parents=True)
    for number in range(2):
        tifffile.imwrite(work / "train" / f"{number}.tif", rng.normal(500, 20, small).astype("float32"))
    tifffile.imwrite(work / "image.tif", rng.normal(500, 20, shape).astype("float32"))
    chosen = {"minutes": 0, "epochs": 1, "steps_per_epoch": 1, "network_width": 8, "patch_size": 32, "batch_size": 1}
    chosen |= {"axes": axes, "dimensions": "3d" if "Z" in axes else "2d", "patch_depth": 8}
    train_denoiser(DenoiseSettings(images=str(work / "train"), run=str(work / "run"), **chosen))
    model = load(work / "run")

    def predict():
        with tempfile.TemporaryDirectory() as folder:
            model.predict_file(model.open(work / "image.tif", axes), Path(folder) / "out.tif")

    return {"prediction": predict}


def prepared():
    """What is measured: name -> function."""
    if asked["what"] == "pixels":
        return predicting((size, size), "YX")
    if asked["what"] == "channels":
        return predicting((size, 256, 256), "CYX") if size > 1 else predicting((256, 256), "YX")
    if asked["what"] == "planes":
        return predicting((size, 128, 128), "ZYX")
    return {"objects": objects, "found objects": finding, "images": checking}[asked["what"]]()


for name, do in prepared().items():
    begun = time.perf_counter()
    do()
    first = time.perf_counter() - begun
    seconds = first if first > 10 else say.repeated(do, 2, 0.3)
    say.tell(values={name: seconds, f"{name}, megabytes": say.peak_megabytes()})
say.tell_versions("numpy", "scipy", "scikit-image", "tensorflow")
