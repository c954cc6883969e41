"""The images that the runs of an experiment need, as files: with noise added, and with masks drawn by chance."""

import contextlib
import json
import os
import shutil
import uuid
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..data import supervisely
from ..data.files import list_images, make_folder, stem, write_text
from ..data.images import open_images
from ..data.labels import open_masks
from ..data.tables import read_json
from ..data.writing import image_writer
from ..errors import UserError
from .sources import Known, Opened, axes_of, made_from

_READY = "ready.json"


def look(experiment, out):
    """What is known of the images, from what was prepared in a folder or from the images themselves.

    Raises
    ------
    UserError
        When too few are annotated, or the folder was prepared from other images.
    """
    try:
        ready = read_json(out / "data" / _READY)
        found = Known(**ready["known"])
    except FileNotFoundError:
        return Opened(experiment).known()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{out / 'data' / _READY} is damaged. Remove the folder {out / 'data'}") from error
    if ready["from"] != made_from(experiment):
        raise UserError(
            f"{out} holds an experiment with other images, masks or settings of these than {experiment.path} names "
            "now. Choose another folder with --out"
        )
    return found


def prepare(experiment, out):
    """Write the images that all runs need into ``out/data``, unless they are there; returns what is known of them."""
    if (out / "data" / _READY).exists():
        return look(experiment, out)
    opened = Opened(experiment)
    known, data = opened.known(), out / "data"
    for noise in experiment.grid["noise"]:
        for part, images in (("train", opened.train), ("test", opened.test)):
            _write_noisy(images, noise, data / _noise(noise) / part)
    if known.truth:
        _place_all(opened.truth, data / "truth")
    if known.annotated:
        _place_masks([mask for mask in opened.test_masks if mask], opened.test_from, data / "test_masks")
        _place_masks([mask for mask in opened.masks if mask], opened.masks_from, data / "all_masks")
    ready = {"known": asdict(known), "from": made_from(experiment)}
    write_text(data / _READY, json.dumps(ready, indent=2, ensure_ascii=False))
    return known


@dataclass(frozen=True)
class Folders:
    """Where the images of one run are; paths that are not there are None."""

    train: Path
    test: Path
    masks: Path | None
    test_masks: Path | None
    truth: Path | None
    drawn: Path | None


def folders(experiment, out, known, run):
    """The folders of a run, made if they are not there yet.

    Returns
    -------
    Folders
        `masks` are those it learns from, and `drawn` the images that these belong to.
    """
    data = Path(out).resolve() / "data"
    images = data / _noise(run.noise)
    if not images.is_dir():  # the grid has grown
        opened = Opened(experiment)
        for part, some in (("train", opened.train), ("test", opened.test)):
            _write_noisy(some, run.noise, images / part)
    masks = drawn = None
    if run.annotated:
        chosen = {stem(name) for name in draw(known.annotated, run.annotated, run.seed)}
        masks = data / "drawn" / f"{run.annotated}_seed{run.seed}"
        drawn = images / f"drawn_{run.annotated}_seed{run.seed}"
        if not masks.is_dir():
            opened = open_masks(data / "all_masks", open_images(images / "train", axes_of(experiment)))[0]
            _place_masks([m for m in opened if m and stem(m.image.path) in chosen], data / "all_masks", masks)
        if not drawn.is_dir():
            _place_all([file for file in list_images(images / "train") if stem(file) in chosen], drawn)
    # Without clean images, those before noise was added are the truth.
    truth = data / "truth" if known.truth else data / _noise(0) / "test" if run.noise else None
    if truth and not truth.is_dir():
        _write_noisy(Opened(experiment).test, 0, truth)
    return Folders(images / "train", images / "test", masks, data / "test_masks" if masks else None, truth, drawn)


def draw(names, count, seed):
    """So many names, drawn at random; a larger draw with the same seed holds the smaller ones.

    >>> set(draw("abcdef", 2, 1)) < set(draw("abcdef", 4, 1))
    True
    """
    names = sorted(names)
    return [names[number] for number in np.random.default_rng(seed).permutation(len(names))[:count]]


def noise_of(name, shape):
    """Gaussian noise of standard deviation 1 for an image: of the same name always the same, whatever its level.

    Parameters
    ----------
    name : str
        File name of the image.
    shape : tuple of int

    Returns
    -------
    ndarray, float32
    """
    return _rng(name).standard_normal(shape, "float32")


def _rng(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


def _write_noisy(images, sigma, folder):
    """Images with Gaussian noise in a folder; without noise, the files as they are."""
    if folder.is_dir():
        return
    if not sigma:
        _place_all([image.path for image in images], folder)
        return
    with _at_once(folder) as temporary:
        for image in images:
            rng = _rng(image.path.name)
            with image_writer(temporary / f"{stem(image.path)}.tif", image) as write:
                for number in range(image.planes):
                    plane = image.plane(number).astype("float32")
                    noise = rng.standard_normal(plane.shape, "float32")
                    write(number, (slice(None), slice(None)), plane + np.float32(sigma) * noise)


@contextlib.contextmanager
def _at_once(folder):
    """Fill a folder under a temporary name: others that are at work see all of it, or nothing."""
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    make_folder(temporary)
    try:
        yield temporary
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():  # which another has filled meanwhile
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _place_all(files, folder):
    if folder.is_dir():
        return
    with _at_once(folder) as temporary:
        for file in files:
            _place(file, temporary / file.name)


def _place_masks(masks, source, folder):
    """Files of masks in a folder of their own; of a Supervisely project, with what says that it is one."""
    if folder.is_dir():
        return
    with _at_once(folder) as temporary:
        if supervisely.is_project(source):
            shutil.copyfile(Path(source) / "meta.json", temporary / "meta.json")
        for mask in masks:
            inside = supervisely.is_project(source)
            name = mask.path.relative_to(source) if inside else mask.path.name
            make_folder((temporary / name).parent)
            _place(mask.path, temporary / name)


def _place(file, target):
    """Another name for a file where the disk allows it, else a copy."""
    try:
        os.link(file.resolve(), target)
    except OSError:
        shutil.copyfile(file, target)


def _noise(sigma):
    return f"noise{sigma:g}"
