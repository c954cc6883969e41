"""Real images for the benchmarks, as folders: what trains, what is judged, and the truth."""

import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from n2seg_utils.data.samples import write_sample
from n2seg_utils.experiments.images import draw as drawn
from n2seg_utils.experiments.images import noise_of


@dataclass(frozen=True)
class Folders:
    """Where the images of one data set are."""

    train: Path
    test: Path
    truth: Path


def source():
    """The folder that N2SEG_TEST_DATA names."""
    return Path(os.environ["N2SEG_TEST_DATA"])


def fmd(kinds, work):
    """Fluorescence Microscopy Denoising (Zhang et al., CVPR 2019); number 1 of each specimen is judged."""
    found = Folders(work / "train", work / "test", source() / "fmd" / "clean")
    for folder in (found.train, found.test):
        folder.mkdir(parents=True)
    for file in sorted((source() / "fmd" / "noisy").glob("*.tif")):
        if file.name.split("_")[0] in kinds:
            shutil.copy(file, found.test if file.stem.endswith("_1") else found.train)
    return found


def dsb2018(sigma, work, train=200, test=16):
    """Nuclei of the Data Science Bowl 2018 (BBBC038), 256 x 256 pixels, with Gaussian noise added."""
    found = Folders(work / "train", work / "test", work / "truth")
    rng = np.random.default_rng(0)
    with open(source() / "dsb2018" / "splits.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["h"] == row["w"] == "256"]
    names = {
        found.train: [row["name"] for row in rows if row["split"] == "train"][:train],
        found.test: [row["name"] for row in rows if row["split"] != "train"][:test],
    }
    found.truth.mkdir(parents=True)
    for folder, chosen in names.items():
        folder.mkdir()
        for name in chosen:
            clean = tifffile.imread(source() / "dsb2018" / "images" / name).astype("float32")
            noisy = clean + rng.normal(0, sigma, clean.shape)
            tifffile.imwrite(folder / name, noisy.astype("float32"))
            if folder == found.test:
                tifffile.imwrite(found.truth / name, clean)
    return found


def split_nuclei(limit=None):
    """Names of all images of DSB2018, of any size: those that train, and those that are judged."""
    with open(source() / "dsb2018" / "splits.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [[row["name"] for row in rows if (row["split"] == "train") == train][:limit] for train in (True, False)]


def noisy_nuclei(sigma, work, limit=None):
    """All of DSB2018 with Gaussian noise, the same at every call; masks of what is judged are in ``work/masks``."""
    found = Folders(work / "train", work / "test", work / "truth")
    for folder in (found.train, found.test, found.truth, work / "masks"):
        folder.mkdir(parents=True)
    for folder, names in zip((found.train, found.test), split_nuclei(limit)):
        for name in names:
            clean = tifffile.imread(source() / "dsb2018" / "images" / name).astype("float32")
            tifffile.imwrite(folder / name, clean + np.float32(sigma) * noise_of(name, clean.shape))
            if folder == found.test:
                tifffile.imwrite(found.truth / name, clean)
                shutil.copyfile(source() / "dsb2018" / "masks" / name, work / "masks" / name)
    return found


def annotate_nuclei(train, count, draw, work):
    """So many images of `train`, drawn at random, and their masks: folders. A larger draw holds the smaller ones."""
    images, masks = work / "images", work / "masks"
    for folder in (images, masks):
        folder.mkdir(parents=True)
    for name in drawn([file.name for file in train.iterdir()], count, draw):
        shutil.copyfile(train / name, images / name)
        shutil.copyfile(source() / "dsb2018" / "masks" / name, masks / name)
    return images, masks


def sample(name, work, train=6, test=2):
    """A built-in synthetic sample; its last images are judged."""
    found = Folders(work / "train", work / "test", work / "clean")
    write_sample(name, work, seed=7, count=train + test)
    (work / "images").rename(found.train)
    found.test.mkdir()
    for file in sorted(found.train.iterdir())[train:]:
        file.rename(found.test / file.name)
    return found


SETS = {
    "dsb20": lambda work: dsb2018(20, work),
    "confocal": lambda work: fmd(["Confocal"], work),
    "twophoton": lambda work: fmd(["TwoPhoton"], work),
    "widefield": lambda work: fmd(["WideField"], work),
    "fmd": lambda work: fmd(["Confocal", "TwoPhoton"], work),
    "nuclei3d": lambda work: sample("nuclei3d", work),
    "spots3d": lambda work: sample("spots3d", work),
}
