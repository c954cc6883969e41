"""Masks of one class that may be wrong: what is learned, where the threshold comes from, and what is said of it."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from scipy.stats import mannwhitneyu

from n2seg_utils import SegmentSettings, UserError, train_segmenter
from n2seg_utils.data.label_noise import degrade_folder, flipped, sampled
from n2seg_utils.data.tables import read_table
from n2seg_utils.learning.ranking import RankScore
from n2seg_utils.models.noisy_training import NoisyWork
from n2seg_utils.models.segment_report import judge_segmenter, write_segment_report
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.quality.dmi import dmi, threshold_by_dmi
from n2seg_utils.quality.pixel_scores import class_scores

from .conftest import SMALL

# In so few steps, batch normalisation would not learn the mean of the images, and probabilities would mean nothing.
LEARNS = SMALL | {"epochs": 6, "steps_per_epoch": 30, "batch_norm": False}


@pytest.fixture(scope="module")
def wrong(sample, tmp_path_factory):
    """A tenth of the pixels of the sample's masks."""
    folder = tmp_path_factory.mktemp("wrong")
    degrade_folder(sample / "masks", folder, "sampled", 0.1)
    return folder


@pytest.fixture(scope="module")
def noisy(sample, wrong, tmp_path_factory):
    """A segmenter that was trained for some seconds on these."""
    run = tmp_path_factory.mktemp("runs") / "noisy"
    return train_segmenter(
        SegmentSettings(images=str(sample / "images"), masks=str(wrong), labels="noisy", run=str(run), **LEARNS)
    )


def dice(segmenter, sample, name, threshold=None):
    """Of foreground, against the correct mask."""
    image = tifffile.imread(sample / "images" / name)[..., None]
    scale = segmenter.normalisation.for_image(segmenter.open(sample / "images" / name, "auto"))
    found = segmenter.predict_probabilities(image, scale)[..., 1]
    found = found > (segmenter.stored.threshold if threshold is None else threshold)
    truth = tifffile.imread(sample / "masks" / name) > 0
    return class_scores(truth.astype(int), found.astype(int), [1])["dice"]


def test_dmi_with_wrong_labels_is_that_with_right_ones_times_a_constant():
    rng = np.random.default_rng(1)
    truth = rng.random((1000, 1000)) < 0.2
    labels = flipped(truth, rng, (0.4, 0.1))
    for share in (0.05, 0.3, 0.6):
        found = truth ^ (rng.random(truth.shape) < share)
        # The determinant of the shares with which labels are wrong: 1 - 0.4 - 0.1.
        assert dmi(found, labels) == pytest.approx(0.5 * dmi(found, truth), abs=1e-3)
    three = rng.integers(0, 3, 90_000)
    assert dmi(three, three, 3) == pytest.approx(1 / 27, abs=1e-3)
    assert dmi(three, (three + 1) % 3, 3) == pytest.approx(1 / 27, abs=1e-3)
    unknown = np.where(rng.random(truth.shape) < 0.5, -1, truth)
    assert dmi(unknown, truth) == pytest.approx(dmi(truth[unknown >= 0], truth[unknown >= 0]))
    assert dmi([-1, -1], [0, 1]) == 0


@pytest.mark.parametrize("spoil", [lambda t, r: sampled(t, r, 0.1), lambda t, r: flipped(t, r, 0.3)])
def test_the_threshold_by_wrong_labels_is_that_by_right_ones(spoil):
    rng = np.random.default_rng(2)
    truth = np.repeat(rng.random((300, 100)) < 0.3, 10, axis=1)
    probabilities = np.clip(0.03 + 0.05 * truth + 0.015 * rng.standard_normal(truth.shape), 0, 1)
    by_truth, _ = threshold_by_dmi([(probabilities, truth.astype(int))])
    by_labels, curve = threshold_by_dmi([(probabilities, spoil(truth, rng).astype(int))])
    assert by_labels == pytest.approx(by_truth, abs=0.004)
    labels = spoil(truth, np.random.default_rng(3)).astype(int)
    _, curve = threshold_by_dmi([(probabilities, labels)])
    for row in curve[::50]:
        found = probabilities > row["threshold"]
        assert row["dmi"] == pytest.approx(dmi(found, labels), abs=1e-9)
        assert row["score"] == pytest.approx(np.corrcoef(found.ravel(), labels.ravel())[0, 1], abs=1e-6)


def test_unknown_pixels_do_not_move_the_threshold():
    rng = np.random.default_rng(4)
    truth = rng.random((200, 200)) < 0.3
    probabilities = np.where(truth, 0.6, 0.2) + 0.05 * rng.standard_normal(truth.shape)
    known = threshold_by_dmi([(probabilities[:100], truth[:100].astype(int))])
    labels = np.where(np.arange(200)[:, None] < 100, truth, -1)
    assert threshold_by_dmi([(probabilities, labels)]) == known
    with pytest.raises(ValueError, match="nothing is known"):
        threshold_by_dmi([(probabilities, np.full(truth.shape, -1))])


def test_the_score_of_training_is_the_area_under_the_curve_and_needs_no_threshold():
    rng = np.random.default_rng(5)
    classes = rng.integers(-1, 2, (4, 16, 16))
    logits = rng.standard_normal((4, 16, 16, 2)).astype("float32")
    logits[..., 1] += classes - 5  # no pixel is more likely foreground than background
    score = RankScore()
    for part in (slice(0, 2), slice(2, 4)):
        score.update_state(classes[part], logits[part])
    rank = logits[..., 1] - logits[..., 0]
    drawn, other = rank[classes == 1], rank[classes == 0]
    auc = mannwhitneyu(drawn, other).statistic / (drawn.size * other.size)
    assert float(score.result()) == pytest.approx(2 * auc - 1, abs=5e-3)
    score.reset_state()
    assert float(score.result()) == 0


def test_half_as_threshold_finds_nothing_where_a_tenth_was_drawn_and_dmi_finds_the_nuclei(noisy, sample):
    [name] = [row["image"] for row in read_table(noisy.run / "split.csv") if row["use"] == "validate"]
    assert dice(noisy, sample, name, 0.5) < 0.1
    assert noisy.stored.threshold < 0.3
    assert dice(noisy, sample, name) > 0.7


def test_thresholds_are_written_down_and_told(noisy):
    facts = json.loads((noisy.run / "run.json").read_text())
    assert facts["thresholds"]["dmi"]["threshold"] == facts["rule"]["threshold"] == noisy.stored.threshold
    assert facts["thresholds"]["clean_masks"] is None
    assert Segmenter.load(noisy.run.path).stored == noisy.stored
    scores = judge_segmenter(noisy)
    report = write_segment_report(noisy, scores).read_text(encoding="utf-8")
    assert "by the labels, wrong as they may be" in report
    assert "masks that may be wrong" in report
    assert max(float(row["score"]) for row in read_table(noisy.run / "tuning.csv")) <= 1


def test_correct_masks_give_the_threshold_and_are_not_trained_on(sample, wrong, tmp_path):
    clean = tmp_path / "clean"
    clean.mkdir()
    name = sorted(file.name for file in (sample / "masks").iterdir())[1]
    shutil.copyfile(sample / "masks" / name, clean / name)
    model = train_segmenter(
        SegmentSettings(
            images=str(sample / "images"), masks=str(wrong), labels="noisy", clean_masks=str(clean),
            run=str(tmp_path / "run"), **LEARNS,
        )
    )  # fmt: skip
    rows = read_table(model.run / "split.csv")
    assert [row["image"] for row in rows if row["use"] == "clean"] == [name]
    assert sorted(row["use"] for row in rows) == ["clean", "train", "train", "validate"]
    facts = model.run.facts()
    assert name not in facts["annotated"]["train"] + facts["annotated"]["validate"]
    both = facts["thresholds"]
    assert both["clean_masks"]["threshold"] == model.stored.threshold
    assert 0 < both["dmi"]["threshold"] < 0.3
    # The one by correct masks is best on them, by construction.
    assert dice(model, sample, name) >= dice(model, sample, name, both["dmi"]["threshold"]) - 0.01
    scores = judge_segmenter(model)
    assert [row["image"] for row in scores["per_image"]] == [name]
    assert scores["dice"] == pytest.approx(dice(model, sample, name), abs=0.05)
    report = write_segment_report(model, scores).read_text(encoding="utf-8")
    assert "by correct masks" in report
    assert "against their correct masks" in report


def test_correct_masks_for_every_image_leave_nothing_to_train_on(sample, wrong, tmp_path):
    with pytest.raises(UserError, match=r"none is left to train on.*labels good"):
        NoisyWork(
            SegmentSettings(
                images=str(sample / "images"), masks=str(wrong), labels="noisy", clean_masks=str(sample / "masks"),
                run=str(tmp_path / "run"), **LEARNS,
            )
        )  # fmt: skip


def test_nothing_in_the_training_favours_what_is_drawn(sample, wrong, tmp_path):
    work = NoisyWork(
        SegmentSettings(
            images=str(sample / "images"), masks=str(wrong), labels="noisy", run=str(tmp_path / "run"), **LEARNS
        )
    )
    assert work.class_weights == [1.0, 1.0]
    assert work.varied(work.model.settings, work.images)["favoured"] == 0
    assert work.loss(work.model.settings).kind == "cross_entropy"
    assert work.annotate.kinds == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"labels": "noisy", "loss": "dice"}, "loss is 'dice', which believes in wrong labels: use cross_entropy"),
        ({"labels": "noisy", "target": "instances"}, "target is 'instances', which must be binary with labels noisy"),
        ({"clean_masks": "some"}, "clean_masks is 'some', which is for labels noisy"),
        ({"labels": "wrong"}, "labels is 'wrong'; it must be one of good, noisy"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(chosen, says):
    with pytest.raises(UserError, match=says):
        SegmentSettings(**chosen).check()
