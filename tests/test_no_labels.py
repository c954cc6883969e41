"""Without masks: thresholds of images as first labels, then the network's own findings; beside Otsu and Li."""

import numpy as np
import pytest
import tifffile
from skimage.filters import threshold_otsu

from n2seg_utils import SegmentSettings, train_segmenter
from n2seg_utils.cli import main
from n2seg_utils.data.samples import make_image
from n2seg_utils.data.tables import read_table
from n2seg_utils.learning.training import Watcher
from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.quality.candidates import blurred, brighter_part, own_labels, smoothing
from n2seg_utils.quality.pixel_scores import class_scores

from .conftest import SMALL

LEARNS = SMALL | {"epochs": 6, "steps_per_epoch": 30, "rounds": 3, "batch_norm": False}
SET = [word for name, value in LEARNS.items() for word in ("--set", f"{name}={value}")]


def command(sample, run):
    return ["train", "segment", "--images", str(sample / "images"), "--run", str(run), "--set", "labels=none"]


def dice(truth, found):
    return class_scores((truth > 0).astype(int), (found > 0).astype(int), [1])["dice"]


@pytest.fixture(scope="module")
def judged(sample, tmp_path_factory):
    """The run folder of a training from the command, with masks to judge by."""
    run = tmp_path_factory.mktemp("runs") / "none"
    words = [
        "train",
        "segment",
        "--images",
        str(sample / "images"),
        "--masks",
        str(sample / "masks"),
        "--run",
        str(run),
    ]
    assert main([*words, "--set", "labels=none", *SET]) == 0
    return run


def test_the_first_labels_are_most_of_what_is_bright_and_no_more():
    noisy, _, truth = make_image("nuclei", 3)
    found = brighter_part(noisy, smoothing(noisy))
    assert dice(truth, found) > 0.8
    np.testing.assert_array_equal(brighter_part(-noisy.astype("float32"), 2), brighter_part(noisy, 2))


def test_an_image_of_noise_alone_shows_nothing():
    noise = np.random.default_rng(0).normal(100, 20, (200, 200))
    assert not brighter_part(noise, smoothing(noise)).any()
    assert not brighter_part(np.full((50, 50), 7), 0).any()


def test_own_labels_keep_a_tenth_and_the_shape_of_what_is_wide():
    truth = make_image("nuclei", 3)[2] > 0
    labels = own_labels(truth, np.random.default_rng(0))
    # Pixels that are moved meet; a tenth of what is left is kept.
    assert 0.06 * truth.sum() < labels.sum() <= 0.1 * truth.sum()
    assert labels[truth].sum() > 0.9 * labels.sum()
    lines = np.zeros((100, 100), bool)
    lines[::10] = lines[1::10] = lines[2::10] = True
    thin = own_labels(lines, np.random.default_rng(0))
    assert 0 < thin.sum() <= 0.1 * 10 * 100 + 1  # of the middle lines
    assert not own_labels(np.zeros((8, 8), bool), np.random.default_rng(0)).any()


def test_without_any_mask_the_command_trains_segments_and_reports(sample, tmp_path, capsys):
    run = tmp_path / "run"
    quick = [*SET, "--set", "epochs=2", "--set", "steps_per_epoch=5", "--set", "rounds=2"]
    assert (
        main(
            ["train", "segment", "--images", str(sample / "images"), "--run", str(run), "--set", "labels=none", *quick]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "The model is in" in said
    assert "validation image" not in said  # there is nothing to score against
    assert "There are no masks to score against" in (run / "report.html").read_text(encoding="utf-8")
    assert main(["predict", "--run", str(run), "--images", str(sample / "images"), "--out", str(tmp_path / "out")]) == 0
    assert set(np.unique(tifffile.imread(tmp_path / "out" / "nuclei_01.tif"))) <= {0, 255}


def test_each_round_has_labels_of_its_own_that_nobody_drew(judged, sample):
    names = sorted(file.name for file in (sample / "images").iterdir())
    rounds = sorted((judged / "own_labels").iterdir())
    assert [one.name for one in rounds] == ["round_1", "round_2", "round_3"]
    for one in rounds:
        assert sorted(file.name for file in one.iterdir()) == names
        share = np.mean([np.mean(tifffile.imread(file) > 0) for file in one.iterdir()])
        assert 0.001 < share < 0.1
    assert (tifffile.imread(rounds[0] / names[0]) != tifffile.imread(rounds[1] / names[0])).any()


def test_masks_only_judge_what_was_learned_without_them(judged, sample):
    facts = Segmenter.load(judged).run.facts()
    assert facts["masks"] == []
    scores = facts["thresholding"]
    assert scores["network"]["dice"] == pytest.approx(facts["metrics"]["dice"], abs=1e-6)
    assert scores["network"]["dice"] > 0.6
    # Otsu's, computed here.
    names = [row["image"] for row in read_table(judged / "split.csv") if row["use"] == "validate"]
    by_hand = []
    for name in names:
        image = tifffile.imread(sample / "images" / name).astype("float64")
        smooth = blurred(image, smoothing(image))
        by_hand.append(dice(tifffile.imread(sample / "masks" / name), smooth > threshold_otsu(smooth)))
    assert scores["otsu"]["dice"] == pytest.approx(np.mean(by_hand), abs=0.01)
    report = (judged / "report.html").read_text(encoding="utf-8")
    assert "Otsu&#x27;s threshold" in report or "Otsu's threshold" in report


class Stop(Watcher):
    """Presses the stop button after an epoch."""

    def __init__(self, after):
        self.after = after

    def epoch(self, row, plan, preview):
        if row["epoch"] == self.after:
            raise KeyboardInterrupt


def test_a_stopped_training_goes_on_in_its_round_and_ends_as_if_it_had_not_been_stopped(sample, tmp_path):
    quick = LEARNS | {"epochs": 4, "steps_per_epoch": 3, "rounds": 2}
    common = {"images": str(sample / "images"), "labels": "none"} | quick
    whole = train_segmenter(SegmentSettings(run=str(tmp_path / "whole"), **common))
    stopped = tmp_path / "stopped"
    train_segmenter(SegmentSettings(run=str(stopped), **common), Stop(3))
    labels = {file: file.read_bytes() for file in (stopped / "own_labels").rglob("*.tif")}
    went_on = resume(Past(stopped))
    assert {file: file.read_bytes() for file in (stopped / "own_labels").rglob("*.tif")} == labels
    for one, other in zip(whole.network.get_weights(), went_on.network.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert whole.stored == went_on.stored
