"""Processes that are killed, at random moments, leave files that are whole or absent; and the work goes on."""

import json
import multiprocessing
import random
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import yaml

from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.weights import BEST
from n2seg_utils.settings import DenoiseSettings, SegmentSettings

from .conftest import TINY
from .test_resume import courses, require_same

# Processes do not import this folder, for there are other packages of the name "tests".
sys.path.append(str(Path(__file__).resolve().parent / "apart"))
from to_be_killed import hand_on, judge, predict, train

# Children are forked from a server that has loaded TensorFlow already, so that a kill costs seconds; not the package
# itself, which asks for devices: the threads that this starts do not survive a fork.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tensorflow", "keras", "scipy.ndimage", "skimage.segmentation", "matplotlib.figure"])
_LIMIT = 300


def killed(target, arguments, after, folder):
    """Start a process, and kill it so many seconds after it wrote its first file; whether it was still at work."""
    process = _CONTEXT.Process(target=target, args=arguments)
    process.start()
    end = time.monotonic() + _LIMIT
    while process.is_alive() and not (folder.exists() and any(folder.iterdir())) and time.monotonic() < end:
        time.sleep(0.002)
    process.join(after)
    alive = process.is_alive()
    process.kill()
    process.join()
    assert alive or process.exitcode == 0, "it did not fail by itself"
    return alive


READERS = {
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".yaml": lambda path: yaml.safe_load(path.read_text(encoding="utf-8")),
    ".csv": lambda path: path.read_text(encoding="utf-8").splitlines()[-1],
    ".h5": lambda path: h5py.File(path, "r").close(),
    ".npz": lambda path: [value.shape for value in np.load(path, allow_pickle=False).values()],
    ".tif": lambda path: tifffile.imread(path),
    ".html": lambda path: path.read_text(encoding="utf-8").index("</html>"),
    ".pdf": lambda path: path.read_bytes().rindex(b"%%EOF"),
    ".zip": lambda path: zipfile.ZipFile(path).testzip(),
    ".png": lambda path: path.read_bytes().rindex(b"IEND"),
}


def require_whole(folder):
    """Every file that is not a temporary one can be read to its end."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            READERS.get(path.suffix, lambda path: path)(path)


@pytest.fixture(scope="module")
def settings(sample):
    """Trainings that take seconds."""
    common = {"images": str(sample / "images")} | TINY | {"epochs": 6, "steps_per_epoch": 5}
    segment = SegmentSettings(masks=str(sample / "masks"), batch_size=2, **common)
    return {"denoise": DenoiseSettings(**common), "segment": segment}


@pytest.mark.kill
@pytest.mark.parametrize("kind", ["denoise", "segment"])
def test_a_training_that_is_killed_again_and_again_comes_to_the_same_end(kind, settings, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(settings[kind].replace(run=str(whole)))
    moments, kills = random.Random(7), 0
    for longest in (0.5, 1, 1.5, 2, 3, 4, 4):  # seconds: a fast computer is soon at the end
        kills += killed(train, (settings[kind].replace(run=str(run)),), moments.uniform(0, longest), run)
        require_whole(run)
    train(settings[kind].replace(run=str(run)))
    assert kills >= 3, "it was killed while it was at work"
    found, expected = (Past.known(folder) for folder in (run, whole))
    assert found.facts["status"] == expected.facts["status"] == "finished"
    assert courses(found.run.history()) == courses(expected.run.history())
    require_same(*(resume(past).network.get_weights() for past in (found, expected)))
    left = [path.name for path in run.rglob(".*")]
    assert not left, "what was half written is swept away"


@pytest.mark.kill
def test_a_prediction_that_is_killed_goes_on_when_it_is_called_again(trained, sample, tmp_path):
    whole, out, images = tmp_path / "whole", tmp_path / "out", sample / "images"
    predict(trained.run.path, images, whole)
    moments, kills = random.Random(3), 0
    for longest in (0, 0.1, 0.2, 0.3):
        kills += killed(predict, (trained.run.path, images, out), moments.uniform(0, longest), out)
        require_whole(out)
        if len(list(out.glob("*.tif"))) == 4:
            break
    else:
        predict(trained.run.path, images, out)
    for file in sorted(whole.glob("*.tif")):
        np.testing.assert_array_equal(tifffile.imread(out / file.name), tifffile.imread(file))
    assert kills


@pytest.mark.kill
def test_quality_control_that_is_killed_leaves_whole_files_and_can_be_done_again(sample, tmp_path):
    moments, kills = random.Random(5), 0
    for number in range(3):
        out = tmp_path / f"out{number}"
        arguments = (sample / "images", sample / "clean", sample / "images", out)
        kills += killed(judge, arguments, moments.uniform(0, 3), out)
        require_whole(out)
    judge(sample / "images", sample / "clean", None, tmp_path / "last")
    require_whole(tmp_path / "last")
    assert (tmp_path / "last" / "report.html").exists()
    assert kills


@pytest.mark.kill
@pytest.mark.parametrize("name", ["model.zip", "model"], ids=["zip", "folder"])
def test_an_export_that_is_killed_leaves_a_whole_model_or_none(trained, tmp_path, name):
    moments, kills = random.Random(9), 0
    for number in range(3):  # killed when the first, temporary, file appears, or soon after
        out = tmp_path / f"out{number}"
        out.mkdir()
        kills += killed(hand_on, (trained.run.path, out / name), moments.uniform(0, 0.01), out)
        require_whole(out)
        visible = [path.name for path in out.iterdir() if not path.name.startswith(".")]
        assert visible in ([], [name])
        if not visible:
            hand_on(trained.run.path, out / name)
            require_whole(out)
        assert name == "model.zip" or {path.name for path in (out / name).iterdir()} == {
            "README.txt",
            "config.json",
            BEST,
        }
    assert kills
