"""An experiment is one file: checked before anything starts, done run by run, and told in one table and a sentence."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from scipy import stats

from n2seg_utils.cli import main
from n2seg_utils.data import imagej_rois, supervisely
from n2seg_utils.data.images import open_images
from n2seg_utils.data.labels import open_masks
from n2seg_utils.data.samples import write_sample
from n2seg_utils.experiments import advice, comparison, cost, figure, images, plan, results, running, table
from n2seg_utils.experiments.file import Experiment
from n2seg_utils.experiments.sources import Known

from .conftest import TINY

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = TINY | {"epochs": 12, "steps_per_epoch": 5, "batch_size": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corner of six small images, in the folder that experiments are in."""
    folder = tmp_path_factory.mktemp("experiments")
    for file in write_sample("nuclei", folder / "sample", count=6).rglob("*.tif"):
        tifffile.imwrite(file, tifffile.imread(file)[:128, :128])
    return folder


def written(folder, name="small.yaml", grid=None, settings=None, **about):
    """The file of an experiment on the sample."""
    values = {"images": "images", "masks": "masks", "truth": "clean"} | about
    values |= {key: str(folder / "sample" / values[key]) for key in ("images", "masks", "truth") if values[key]}
    values |= {"settings": SETTINGS | (settings or {}), "grid": {"method": ["segment"]} | (grid or {})}
    path = folder / name
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


KNOWN = Known([f"{n}.tif" for n in range(9)], ["9.tif"], [f"{n}.tif" for n in range(6)], "instances", True, 900, 100, 2)


def named(path):
    return [run.name for run in plan.runs(Experiment.load(path), KNOWN)]


# The file and the plan


def test_each_combination_is_a_run_and_a_setting_concerns_those_that_know_it(folder):
    grid = {"method": ["denoise", "segment", "joint"], "noise": [0, 20], "annotated": [2, "all"], "seed": [1, 2]}
    names = named(written(folder, grid=grid | {"denoise_weight": [0.5, 0.7]}))
    # Of each seed and noise: one Noise2Void, two U-Nets alone, two times two joint trainings.
    assert len(names) == len(set(names)) == 2 * 2 * (1 + 2 + 4)
    assert "joint_noise20_annotated6_denoise_weight=0.7_seed2" in names
    assert [name for name in names if name.startswith("denoise")][:2] == ["denoise_seed1", "denoise_noise20_seed1"]
    assert not any("denoise_weight" in name for name in names if name.startswith("segment"))


def test_names_stay_when_the_grid_grows_or_is_written_in_another_order(folder):
    few = named(written(folder, grid={"method": "joint", "annotated": [2]}))
    more = {"seed": [2, 1], "learning_rate": [0.001, "1e-2"], "annotated": [4, 2], "method": ["segment", "joint"]}
    assert few == ["joint_annotated2_seed1"]
    assert set(few) < set(named(written(folder, grid=more)))


def test_names_are_good_names_of_folders_whatever_the_values(folder):
    grid = {"class_weights": ["1, 1, 5", "1; 1; 5", "auto"], "augment": [True, False]}
    names = named(written(folder, grid=grid))
    assert len(set(names)) == 6
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-=.") for name in names)


def test_both_halves_of_sequential_training_share_the_time(folder):
    file = written(folder, grid={"method": ["sequential", "joint"]}, settings={"minutes": 10})
    experiment = Experiment.load(file)
    sequential, joint = plan.runs(experiment, KNOWN)
    assert [one.minutes for one in plan.trainings(experiment, sequential).values()] == [5, 5]
    assert [one.minutes for one in plan.trainings(experiment, joint).values()] == [10]


WRONG = {
    "no method": ({"grid": {"method": None}}, "method in the grid must be a value or a list"),
    "a method that is none": ({"grid": {"method": ["jiont"]}}, "did you mean 'joint'"),
    "a setting that is none": ({"grid": {"denoise_wieght": [0.5]}}, "no setting 'denoise_wieght'"),
    "a setting of another method": (
        {"grid": {"denoise_weight": [0.5]}},
        "knows the setting denoise_weight, only joint",
    ),
    "a value out of range": ({"grid": {"learning_rate": [0.001, 5]}}, "learning_rate is 5.0; it must be between"),
    "a value of another kind": ({"grid": {"augment": ["maybe"]}}, "augment is 'maybe'; it must be true or false"),
    "settings that do not go together": ({"grid": {"network_depth": [1, 4]}, "settings": {"patch_size": 24}}, "use 32"),
    "a value twice": ({"grid": {"seed": [1, 1]}}, "seed has 1 twice"),
    "half a seed": ({"grid": {"seed": [1.5]}}, "seed is '1.5'"),
    "noise below none": ({"grid": {"noise": [-1]}}, "noise is '-1'"),
    "noise that is no number": ({"grid": {"noise": ["nan"]}}, "noise is 'nan'"),
    "no annotation": ({"grid": {"annotated": [0]}}, "annotated is '0'"),
    "more annotations than there are": ({"grid": {"annotated": [40]}}, "annotated is 40, but there are 4"),
    "a grid in the grid": ({"grid": {"seed": [[1, 2]]}}, "seed in the grid must be a value or a list"),
    "a grid that explodes": (
        {"grid": {"seed": list(range(900)), "noise": list(range(100))}},
        "makes 90,000 runs: give at most",
    ),
    "what the experiment chooses": ({"settings": {"run": "here"}}, "run is not a setting of the trainings here"),
    "a name in the wrong place": ({"denoise_weight": 0.5}, "denoise_weight does not stand alone"),
    "no images": ({"images": ""}, "images is missing"),
    "images that are not there": ({"images": "nowhere"}, "There is no folder or file"),
    "no masks for what needs them": ({"masks": ""}, "Method segment learns from masks"),
    "nothing to judge by": ({"held_out": 2}, "held_out is 2.0"),
    "settings that are no list": ({"settings_are": 1}, "There is no setting 'settings_are'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_message_before_anything_is_written(what, folder, refused):
    changes, words = WRONG[what]
    said = refused("experiment", "plan", written(folder, "wrong.yaml", **changes))
    assert words in said
    assert words in refused("experiment", "run", folder / "wrong.yaml", "--out", folder / "nothing")
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(
    "text",
    ["grid: [1, 2", "- a\n- b", "grid: method", "!!python/object/apply:os.system ['touch touched']", "a: &a 1\nb: *a"],
)
def test_a_file_that_is_none_is_refused_and_runs_no_code(text, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(text)
    assert "bad.yaml" in refused("experiment", "plan", "bad.yaml")
    assert not Path("touched").exists()


def test_plan_tells_time_and_disk_and_writes_nothing(folder, capfd):
    path = written(folder, grid={"seed": [1, 2, 3]}, settings={"minutes": 4})
    before = sorted(folder.rglob("*"))
    assert main(["experiment", "plan", str(path)]) == 0
    said = capfd.readouterr().out
    assert "3 runs in " in said
    assert "about 13 min 30 s" in said  # four minutes each, and half a minute beside
    assert "4 images (4 annotated) to learn from, 2 to judge by" in said
    assert sorted(folder.rglob("*")) == before


def test_the_weights_that_are_counted_for_the_disk_are_those_of_the_network(folder):
    from csbdeep.internals.nets import common_unet

    settings = plan.trainings(*_first(written(folder, settings={"network_depth": 3, "network_width": 16})))["segment"]
    network = common_unet(2, n_depth=3, n_first=16, residual=False)((None, None, 1))
    assert cost._weights(settings, KNOWN) == pytest.approx(network.count_params(), rel=0.02)


def _first(path):
    experiment = Experiment.load(path)
    return experiment, plan.runs(experiment, KNOWN)[0]


# Images


def test_noise_and_draws_are_the_same_for_all_and_more_hold_fewer(folder, tmp_path):
    experiment = Experiment.load(written(folder, grid={"noise": [0, 10], "annotated": [1, 3], "seed": [1, 2]}))
    known = images.prepare(experiment, tmp_path)
    assert len(known.test) == 2
    assert not set(known.test) & set(known.train)
    clean, noisy = (tifffile.imread(tmp_path / "data" / f"noise{s}" / "train" / known.train[0]) for s in (0, 10))
    noise = (noisy - clean.astype("float32")) / 10
    assert abs(noise.std() - 1) < 0.02
    np.testing.assert_allclose(noise, images.noise_of(known.train[0], clean.shape), atol=1e-3)
    drawn = {}
    for run in plan.runs(experiment, known):
        found = images.folders(experiment, tmp_path, known, run)
        drawn[run.annotated, run.seed] = names = {file.name for file in found.masks.iterdir()}
        assert len(names) == run.annotated
        assert {file.name for file in found.drawn.iterdir()} == names
        assert {file.name for file in found.test.iterdir()} == set(known.test)
        assert found.truth == tmp_path / "data" / "truth"
    assert drawn[1, 1] < drawn[3, 1]
    assert drawn[1, 2] < drawn[3, 2]


@pytest.mark.parametrize("kind", ["ROI sets", "a project"])
def test_masks_of_any_kind_are_drawn_from(kind, folder, tmp_path):
    sample, masks = folder / "sample", tmp_path / "masks"
    labels = {file.stem: tifffile.imread(file) for file in sorted((sample / "masks").iterdir())}
    if kind == "a project":
        supervisely.write_project(masks, [(name, np.zeros(seen.shape, "uint8"), seen) for name, seen in labels.items()])
    else:
        masks.mkdir()
        for name, seen in labels.items():
            imagej_rois.write_rois(masks / f"{name}.zip", seen[None].astype("int32"))
    experiment = Experiment.load(written(folder, grid={"annotated": [2], "noise": [5]}, masks=str(masks)))
    known = images.prepare(experiment, tmp_path / "out")
    assert known.target == "instances"
    found = images.folders(experiment, tmp_path / "out", known, plan.runs(experiment, known)[0])
    drawn, alone = open_masks(found.masks, open_images(found.train))
    assert (len([mask for mask in drawn if mask]), alone) == (2, [])
    for mask in filter(None, drawn):
        assert ((mask.plane(0) > 0) == (labels[mask.image.path.stem] > 0)).mean() > 0.999
    judged, alone = open_masks(found.test_masks, open_images(found.test))
    assert all(judged)
    assert not alone


def test_what_is_judged_may_be_images_of_their_own(folder, tmp_path):
    own = {"test_images": "images", "test_masks": "masks"}
    own = {name: str(folder / "sample" / kind) for name, kind in own.items()}
    known = images.prepare(Experiment.load(written(folder, truth="", **own)), tmp_path)
    assert (len(known.train), len(known.annotated), len(known.test), known.truth) == (6, 6, 6, False)


def test_images_that_were_exchanged_are_told(folder, tmp_path, refused):
    path = written(folder, "mine.yaml")
    assert main(["experiment", "prepare", str(path), "--out", str(tmp_path / "out")]) == 0
    written(folder, "mine.yaml", held_out=0.5)
    assert "with other images, masks or settings" in refused("experiment", "plan", path, "--out", tmp_path / "out")


# Running


def command(*words):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path[1:], str(ROOT)])}
    return subprocess.Popen(
        [sys.executable, "-m", "n2seg_utils.cli", *map(str, words)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(folder):
    """Two methods and two seeds: killed in the second run and done to the end; folder, what was said, and when the
    first run was over and what it left."""
    path, out = written(folder, "done.yaml", grid={"method": ["segment", "denoise"], "seed": [1, 2]}), folder / "done"
    names = [run.name for run in plan.runs(Experiment.load(path), images.look(Experiment.load(path), out))]
    history = out / "runs" / names[1] / "model" / "history.csv"
    history = history if names[1].startswith("segment") else out / "runs" / names[1] / "denoiser" / "history.csv"
    first = command("experiment", "run", path, "--out", out)
    end = time.monotonic() + 120
    while not (history.exists() and len(history.read_text().splitlines()) > 3) and time.monotonic() < end:
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = {file: file.stat().st_mtime_ns for file in (out / "runs" / names[0]).rglob("*") if file.is_file()}
    again = command("experiment", "run", path, "--out", out)
    said, _ = again.communicate(timeout=240)
    assert again.returncode == 0, said
    return path, out, names, left, said


def test_an_experiment_that_is_killed_goes_on_in_the_run_it_was_in(done):
    _, _, names, left, said = done
    assert f"{names[1]}/denoiser stopped in epoch" in said or f"{names[1]}/model stopped in epoch" in said
    assert f"Run 2 of 4: {names[1]}" in said
    assert f": {names[0]}\n" not in said, "what is done is not done again"
    assert all(file.stat().st_mtime_ns == when for file, when in left.items())
    assert "4 of 4 runs done" in said


def test_each_run_is_a_run_folder_of_its_own_with_a_report(done):
    _, out, names, _, _ = done
    for name in names:
        model = out / "runs" / name / ("denoiser" if name.startswith("denoise") else "model")
        facts = json.loads((model / "run.json").read_text())
        assert facts["status"] == "finished"
        assert facts["seed"] == int(name[-1])
        assert (model / "report.html").exists()
        assert list((out / "runs" / name / "results").rglob("*.tif"))


def test_the_table_has_each_run_once_and_the_scores_of_quality_control(done, tmp_path, capfd):
    _, out, names, _, _ = done
    with open(out / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == names
    one = next(row for row in rows if row["method"] == "segment")
    labels = out / "runs" / one["run"] / "results" / "labels"
    judged = ["qc", "--labels", labels, "--truth", out / "data" / "test_masks", "--out", tmp_path / "qc", "--json"]
    assert main([*map(str, judged)]) == 0
    scores = json.loads(capfd.readouterr().out)["scores"]
    for name in ("ap50", "seg", "iou"):
        assert float(one[name]) == pytest.approx(scores[name], abs=1e-6)
    with open(out / "means.csv", newline="") as file:
        means = list(csv.DictReader(file))
    denoised = [float(row["psnr"]) for row in rows if row["method"] == "denoise"]
    row = next(row for row in means if row["method"] == "denoise")
    assert float(row["psnr"]) == pytest.approx(np.mean(denoised), abs=1e-5)
    assert float(row["psnr_sd"]) == pytest.approx(np.std(denoised, ddof=1), abs=1e-5)
    assert (out / "figure.png").exists()


def test_what_is_done_is_told_and_the_rest_estimated_from_it(done, capfd):
    path, out, _, _, _ = done
    grown = path.with_name("grown.yaml")
    grown.write_text(path.read_text().replace("- 2\n", "- 2\n  - 3\n"))
    assert main(["experiment", "plan", str(grown), "--out", str(out), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert sorted(run["state"] for run in found["runs"]) == ["done"] * 4 + ["missing"] * 2
    assert found["measured"]
    assert 2 < found["seconds"] < 300


def test_runs_of_other_settings_are_never_mixed_with_those_that_are_there(done, refused):
    path, out, _, _, _ = done
    other = path.with_name("other.yaml")
    other.write_text(path.read_text().replace("epochs: 12", "epochs: 13"))
    assert "made with other settings" in refused("experiment", "run", other, "--out", out)


def test_one_that_fails_is_told_and_the_others_are_done(folder, tmp_path, monkeypatch, refused):
    path = written(folder, grid={"seed": [1, 2, 3]})
    tried = []

    def do(experiment, out, run):
        tried.append(run.seed)
        if run.seed < 3:
            raise [ValueError("by chance"), running.UserError("The disk is full. Make room")][run.seed - 1]
        results.write_result(out, run, _result(experiment, run, {"ap50": 0.5}))

    monkeypatch.setattr(running, "do", do)
    assert main(["experiment", "run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert tried == [1, 2, 3]
    assert main(["experiment", "plan", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "make room" in (tmp_path / "out" / "runs" / "segment_annotated4_seed2" / "failed.txt").read_text().lower()
    assert main(["experiment", "run", str(path), "--out", str(tmp_path / "out")]) == 2
    assert tried == [1, 2, 3, 1, 2], "again what failed, and only that"


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_a_training_ends_the_experiment_even_where_nothing_was_learned_yet(folder, tmp_path, monkeypatch):
    path, tried = written(folder, grid={"seed": [1, 2, 3]}), []

    def train(_, settings):
        tried.append(settings.seed)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise running.UserError("The training was stopped before its first epoch ended") from None

    monkeypatch.setattr("n2seg_utils.resuming.begin_or_resume", train)
    assert main(["experiment", "run", str(path), "--out", str(tmp_path / "out")]) == 130
    assert tried == [1]


def _result(experiment, run, scores):
    asked = results.asked_for(experiment, KNOWN, run)
    return {"asked": asked, "scores": scores, "per_image": {}, "steps": 8, "seconds": 2.0, "device": "CPU"}


# What follows


def group(method, annotated, scores, values=(), noise=0):
    """Runs of these scores, of seed 1, 2 ..."""
    return table.Group(method, noise, annotated, values, {"ap50": dict(enumerate(scores, 1))}, {})


def test_a_gain_has_the_interval_of_students_paired_test():
    one, other = group("joint", 9, [0.70, 0.74, 0.71, 0.75]), group("segment", 9, [0.62, 0.69, 0.66, 0.66])
    found = comparison.difference(one, other, "ap50")
    mine, theirs = (list(some.scores["ap50"].values()) for some in (one, other))
    expected = stats.ttest_rel(mine, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.gain == pytest.approx(np.mean(mine) - np.mean(theirs))
    assert found.clear


def test_images_that_disagree_widen_the_interval():
    one, other = group("joint", 9, [0.7, 0.7]), group("segment", 9, [0.6, 0.6])
    per_image = [{"a": 1.0, "b": 0.9, "c": 0.2, "d": 0.7}, {"a": 0.5, "b": 0.4, "c": 0.8, "d": 0.7}]
    for some, values in zip((one, other), per_image):
        some.per_image["ap50"] = {1: values, 2: values}
    found = comparison.difference(one, other, "ap50")
    assert found.low < 0 < found.high
    assert not found.clear


def test_the_sentence_names_a_gain_that_is_clear():
    weight, alone = (("denoise_weight", 0.5),), group("segment", 12, [0.60, 0.61, 0.62])
    joint, fewer = group("joint", 12, [0.67, 0.67, 0.68], weight), group("joint", 6, [0.61, 0.62, 0.62], weight)
    words = advice.sentences([alone, joint, fewer])
    assert words[0].startswith(
        "With your 12 annotated images, joint training with denoise_weight 0.5 is best (AP at IoU 0.5 0.67) and gains "
        "0.06 AP (95 %: 0.05 to 0.08, 3 seeds) over a U-Net alone."
    )
    assert "Going from 6 to 12 annotated images gained 0.06" in words[-1]
    assert "12 more would gain about 0.04 to 0.06 if that went on" in words[-1]


@pytest.mark.parametrize(
    ("segment", "joint", "words"),
    [
        ([0.60, 0.70, 0.62], [0.67, 0.64, 0.68], "cannot be told apart"),
        ([0.60], [0.70], "one seed cannot tell whether that is chance"),
        ([0.60, 0.61], [0.62, 0.68], "two seeds cannot tell whether that is chance"),
        ([0.60, 0.61, 0.605], [0.61, 0.62, 0.60], "Take the simpler one."),
        ([0.60, 0.70, 0.62], [0.67, 0.64, 0.68], "Run more seeds; until then take the simpler one."),
    ],
)
def test_the_sentence_claims_no_more_than_the_spread_allows(segment, joint, words):
    said = advice.sentences([group("segment", 12, segment), group("joint", 12, joint)])[0]
    assert words in said
    assert "gains" not in said


def test_that_more_annotations_do_not_pay_is_said_only_where_it_is_known():
    few, many = group("segment", 5, [0.64, 0.24]), group("segment", 10, [0.64, 0.60])
    said = advice.sentences([few, many])[-1]
    assert "run more seeds to know whether more annotations pay" in said
    assert "-1.00 to 1.00" in said, "more is impossible, whatever Student says of two seeds"
    few, many = group("segment", 50, [0.70, 0.71, 0.70, 0.705]), group("segment", 100, [0.70, 0.705, 0.71, 0.70])
    assert "More annotations may not pay" in advice.sentences([few, many])[-1]


def test_by_chance_alone_a_method_is_seldom_called_best():
    """Of methods that are equally good, with three seeds: in at most about one of twenty tables."""
    rng, claims = np.random.default_rng(0), 0
    for _ in range(400):
        some = [group(method, 9, rng.normal(0.6, 0.03, 3)) for method in ("segment", "sequential", "joint")]
        claims += "is best" in advice.sentences(some)[0]
    assert claims / 400 < 0.08


def test_the_figure_has_a_panel_for_each_noise_and_a_line_for_each_method():
    some = [
        group(method, count, [0.5 + count / 50, 0.52 + count / 50], noise=noise)
        for method in ("segment", "joint") for noise in (0, 20) for count in (3, 6)
    ]  # fmt: skip
    drawn = figure.draw(some)
    assert [axis.get_title() for axis in drawn.axes] == ["images as they are", "noise 20 added"]
    bars = drawn.axes[1].containers
    assert len(bars) == 2
    assert list(bars[0].lines[0].get_ydata()) == pytest.approx([0.57, 0.63])
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["U-Net alone", "joint"]
