"""Joint training from a shell: what is trained, said, written and refused; the demo; pseudo-labels."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import tifffile
from keras import ops

from n2seg_utils.cli import main
from n2seg_utils.data.check import check_images
from n2seg_utils.data.findings import NOTE
from n2seg_utils.data.samples import annotate_few, write_sample
from n2seg_utils.demo import run_demo
from n2seg_utils.learning.joint import pseudo_labels
from n2seg_utils.learning.plan import Plan
from n2seg_utils.learning.training import Outcome, Watcher, train
from n2seg_utils.models.joint_training import JointWork, train_joint
from n2seg_utils.models.segment_report import judged_on
from n2seg_utils.settings import JointSettings

from .conftest import SMALL, TINY

BRIEF = SMALL | {"epochs": 2, "steps_per_epoch": 3}
PAIRS = [part for name, value in BRIEF.items() for part in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def few(small_sample, tmp_path_factory):
    """The small sample, of which two images are annotated."""
    folder = tmp_path_factory.mktemp("sample") / "nuclei"
    shutil.copytree(small_sample, folder)
    annotate_few(folder)
    return folder


@pytest.fixture(scope="module")
def run(few, tmp_path_factory):
    """A run of the command, with clean images to judge by."""
    folder = tmp_path_factory.mktemp("runs") / "joint"
    found = ["--images", few / "images", "--masks", few / "few_masks", "--run", folder, *PAIRS]
    assert main(["train", "joint", *map(str, found), "--set", f"truth={few / 'clean'}"]) == 0
    return folder


def test_a_third_of_a_sample_and_at_least_two_images_are_annotated(few, tmp_path):
    assert [file.name for file in sorted((few / "few_masks").iterdir())] == ["nuclei_01.tif", "nuclei_02.tif"]
    made = write_sample("nuclei", tmp_path / "twelve", count=12)
    assert len(list(annotate_few(made).iterdir())) == 4
    assert annotate_few(made) == made / "few_masks", "again"
    assert len(list((made / "masks").iterdir())) == 12


def test_a_run_holds_scores_of_labels_and_of_denoised_images(run):
    facts = json.loads((run / "run.json").read_text())
    assert (facts["workflow"], facts["status"], len(facts["images"])) == ("joint", "finished", 4)
    assert {"ap50", "iou", "psnr", "ssim", "nrmse"} <= set(facts["metrics"])
    uses = {row["image"]: row["use"] for row in csv.DictReader((run / "split.csv").open())}
    annotated = [uses["nuclei_01.tif"], uses["nuclei_02.tif"]]
    assert sorted(annotated) == ["train", "validate"], "annotated images on both sides"
    assert sorted(uses.values()).count("validate") == 2
    assert len(list((run / "quality" / "denoised").glob("*.tif"))) == 4, "all that have a clean partner are judged"
    assert (run / "quality" / "denoising" / "summary.json").exists()
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "never to train" in report
    assert report.count("<h2>Scores</h2>") == 1


def test_prediction_writes_both_and_counts(run, few, tmp_path, capfd):
    out = tmp_path / "out"
    command = ["predict", "--run", str(run), "--images", str(few / "images"), "--out", str(out)]
    assert main([*command, "--dtype", "input"]) == 0
    names = [f"nuclei_0{n}.tif" for n in range(1, 5)]
    for kind, dtype in (("denoised", "uint16"), ("labels", "uint16")):
        files = sorted((out / kind).glob("*.tif"))
        assert [file.name for file in files] == names
        assert {str(tifffile.imread(file).dtype) for file in files} == {dtype}
    assert (out / "labels" / "counts.csv").exists()
    assert str(out / "labels") in capfd.readouterr().out
    assert main(command) == 2
    assert "labels" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give --images"),
        (["--images", "{few}/images"], "Give --masks"),
        (["--images", "{few}/images", "--masks", "{few}/nothing"], "nothing"),
        (["--images", "{few}/images", "--masks", "{few}/few_masks", "--set", "denoise_weight=2"], "use 0.99"),
        (["--images", "{few}/images", "--masks", "{few}/few_masks", "--set", "recipe=paper"], "published"),
        (["--images", "{few}/images", "--masks", "{few}/few_masks", "--set", "schedule=denoise"], "denoise_first"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_remedy(arguments, words, few, tmp_path, capfd):
    arguments = [a.format(few=few) for a in arguments] + ["--run", str(tmp_path / "run")]
    assert main(["train", "joint", *arguments]) == 2
    assert words in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_images_without_masks_are_no_reason_to_worry_and_their_noise_is_looked_at(few, tmp_path):
    found = check_images(few / "images", None, "auto", few / "few_masks", joint=True)
    [finding] = [f for f in found.findings if "without a mask" in str(f)]
    assert finding.severity == NOTE
    assert "teach to denoise" in str(finding)
    shared = tmp_path / "shared"
    shared.mkdir()
    for file in (few / "images").iterdir():
        image = tifffile.imread(file).astype("float32")
        tifffile.imwrite(shared / file.name, image + np.roll(image, 1, axis=1))
    words = [str(f) for f in check_images(shared, None, "auto", few / "few_masks", joint=True).findings]
    assert any("share their noise" in text for text in words)


def test_the_demo_denoises_segments_and_reports(tmp_path, capfd):
    run_demo(tmp_path, JointSettings(**BRIEF))
    said = capfd.readouterr().out
    assert re.search(r"Noisy \d+\.\d dB -> denoised", said)
    assert (tmp_path / "joint" / "report.html").exists()
    assert len(list((tmp_path / "joint" / "results" / "denoised").glob("*.tif"))) == 12


# Pseudo-labels, and the epoch that is kept


def test_pseudo_labels_are_what_the_network_is_sure_of():
    logits = np.array([[[9, 0, 0], [0, 9, 0], [1, 0, 0], [0, 0, 9]]], "float32")
    assert ops.convert_to_numpy(pseudo_labels(logits)).tolist() == [[0, 1, -1, 2]]


def losses(few, folder, **more):
    """The loss of one and the same step, early and late in a training."""
    chosen = {"images": few / "images", "masks": few / "few_masks", "run": folder}
    work = JointWork(JointSettings.from_mapping(chosen | BRIEF | {"schedule": "constant"} | more))
    from n2seg_utils.learning import device
    from n2seg_utils.learning.networks import unet

    device.seed_weights(1)
    training = work.training(unet(work.model.architecture), work.model.settings)
    found = []
    for steps in (1000, 1):  # step 1 is a thousandth of the training, or all of it
        training.steps = steps
        answer = training(np.array([1], "int32"), training=True)
        found.append(float(training.compute_loss(y_pred=answer)))
    return found


def test_pseudo_labels_count_late_in_the_training_and_as_much_as_asked_for(few, tmp_path, monkeypatch):
    from n2seg_utils.learning import joint

    monkeypatch.setattr(joint, "_SURE", 0.0)
    early, late = losses(few, tmp_path / "a", pseudo_labels=1)
    _, double = losses(few, tmp_path / "b", pseudo_labels=2)
    without = losses(few, tmp_path / "c", pseudo_labels=0)
    assert without[0] == without[1] == early
    assert late > early
    assert double - early == pytest.approx(2 * (late - early), rel=1e-3)


def test_of_epochs_that_score_alike_the_last_is_kept(few, tmp_path):
    chosen = {"images": few / "images", "masks": few / "few_masks", "run": tmp_path / "run"}
    work = JointWork(JointSettings.from_mapping(chosen | BRIEF))
    from n2seg_utils.learning.networks import unet

    kept = {}
    for tolerance in (0.0, 1.0):
        training = work.training(unet(work.model.architecture), work.model.settings)
        training.tolerance = tolerance
        kept[tolerance] = train(training, Plan(4, 2, 1e-4), Watcher())
    assert isinstance(kept[1.0], Outcome)
    assert kept[1.0].best_epoch == 4
    scores = [row["val_score"] for row in kept[0.0].history]
    assert kept[0.0].best_epoch == 1 + int(np.argmax(scores))


def test_the_scores_of_one_annotated_image_are_said_to_be_of_what_was_trained_on(few, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    shutil.copy(few / "few_masks" / "nuclei_01.tif", masks)
    settings = JointSettings(images=str(few / "images"), masks=str(masks), run=str(tmp_path / "run"), **TINY)
    assert "one image with a mask: a strip of it was kept out" in judged_on(train_joint(settings))


def test_one_narrow_image_that_makes_all_patches_small_is_named(few, tmp_path):
    shutil.copytree(few / "images", tmp_path / "images")
    tifffile.imwrite(tmp_path / "images" / "narrow.tif", np.arange(400, dtype="uint16").reshape(20, 20))
    arguments = ["check", "--images", str(tmp_path / "images"), "--masks", str(few / "few_masks"), "--joint"]
    found = check_images(tmp_path / "images", None, "auto", few / "few_masks", joint=True)
    [finding] = [f for f in found.findings if f.file == "narrow.tif"]
    assert "only 20 pixels wide" in str(finding)
    assert main(arguments) == 0
