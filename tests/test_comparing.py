"""Notebook 5: what is entered becomes the file of an experiment, which goes on wherever it was cut off."""

import io
import json

import pytest
import yaml

from n2seg_utils.cli import main
from n2seg_utils.data.samples import write_sample
from n2seg_utils.errors import UserError
from n2seg_utils.experiments import advice, choice, images, plan, results, running, table, written
from n2seg_utils.experiments.board import board
from n2seg_utils.experiments.file import METHODS, Experiment
from n2seg_utils.settings import CompareSettings, DenoiseSettings, JointSettings, SegmentSettings
from n2seg_utils.settings.compare import METHODS as TICKED
from n2seg_utils.ui import boards, comparing, forms, progress, runtime, workflow
from n2seg_utils.ui.comparing import Comparing

from .conftest import TINY
from .test_experiments import KNOWN, group, named

OTHER = "; ".join(f"{name} = {value}" for name, value in TINY.items() if name.startswith(("network", "patch")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six small images with masks and clean images."""
    return write_sample("nuclei", tmp_path_factory.mktemp("mine"), count=6)


@pytest.fixture
def said(monkeypatch):
    """All that is said, as text."""
    words = []
    for module in (comparing, workflow):
        for name in ("say", "warn"):
            monkeypatch.setattr(module, name, words.append)
    return words


@pytest.fixture
def trained(monkeypatch):
    """Names of the runs that were done, in order; instead of a training, each has a score at once."""
    names = []

    def do(experiment, out, run):
        names.append(run.name)
        known = images.prepare(experiment, out)
        score = {"segment": 0.5, "joint": 0.6, "sequential": 0.55}[run.method] + run.seed / 100
        results.begin(experiment, out, known, run)
        print("a line of the training")
        found = {"asked": results.asked_for(experiment, known, run), "scores": {"ap50": score}, "per_image": {}}
        results.write_result(out, run, found | {"steps": 8, "seconds": 2.0, "device": "CPU"})

    monkeypatch.setattr(running, "do", do)
    monkeypatch.setattr(running, "_forget", lambda: None)  # half a second each, and nothing was trained
    return names


@pytest.fixture
def notebook(folder, tmp_path, monkeypatch, said):
    """Notebook 5 after the plan; each call opens it anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "output_root", lambda: tmp_path)

    def opened(**more):
        monkeypatch.setattr(forms, "_forms", {})
        work = Comparing()
        work.ask_data()
        entered = {"images": folder / "images", "masks": folder / "masks", "truth": folder / "clean", "run": "mine"}
        entered |= {"annotated": "2, all", "seeds": 2, "steps": 8, "other": OTHER} | more
        for name, value in entered.items():
            work.form.fields[name].enter(str(value) if not isinstance(value, bool) else value)
        work.check_data()
        work.ask_settings()
        work.plan()
        return work

    return opened


# The file


def complete(**more):
    return CompareSettings(
        **{"images": "images", "masks": "masks", "annotated": "3, all", "seeds": 2, "minutes": 4} | more
    )


def test_what_is_entered_is_what_the_file_says(tmp_path):
    wanted = complete(
        sequential=True, noise="0, 20", target="instances", other="network_depth = 3; augment=no",
        compare="denoise_weight = 0.3, 0.5",
    )  # fmt: skip
    path = tmp_path / "experiment.yaml"
    path.write_text(written.text_of(written.values_of(wanted)), encoding="utf-8")
    found = Experiment.load(path)
    assert (found.about.images, found.about.masks, found.about.held_out) == ("images", "masks", 0.25)
    assert found.grid == {
        "method": ["segment", "sequential", "joint"], "noise": [0, 20], "annotated": [3, "all"], "seed": [1, 2],
        "denoise_weight": [0.3, 0.5],
    }  # fmt: skip
    assert found.value(SegmentSettings, "network_depth") == 3
    assert found.value(SegmentSettings, "augment") is False
    assert found.value(JointSettings, "minutes") == 4


def test_the_form_has_a_box_to_tick_for_each_method():
    assert set(TICKED) == set(METHODS)
    assert all(isinstance(getattr(CompareSettings, name), bool) for name in METHODS)


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"segment": False, "joint": False}, "No method is ticked"),
        ({"minutes": 4, "steps": 100}, "minutes and steps both say how long"),
        ({"other": "network_depth"}, "write it as name = value"),
        ({"compare": "= 3"}, "write it as name = value"),
        ({"seeds": 0}, "seeds is 0"),
    ],
)
def test_what_does_not_go_together_is_said_in_the_form(entered, words):
    with pytest.raises(UserError, match=words):
        CompareSettings(**entered).check()


def test_suggestions_leave_images_to_judge_by_and_go_from_few_to_all():
    found = {name: value for name, (value, _) in written.suggest(20, 0.25).items()}
    assert found == {"annotated": "4, 8, all", "seeds": 3, "minutes": 10.0}
    assert written.suggest(2, 0.25)["annotated"][0] == "all"
    assert "annotated" not in written.suggest(0, 0.25), "there are no masks"


@pytest.mark.parametrize("steps", [2, 9, 61, 300, 2400, 12345])
def test_all_methods_train_for_the_same_number_of_steps(steps, tmp_path):
    values = {"images": "i", "masks": "m", "truth": "t", "steps": steps, "grid": {"method": list(METHODS)}}
    path = tmp_path / "same.yaml"
    path.write_text(yaml.safe_dump(values))
    experiment = Experiment.load(path)
    taken = {
        run.method: sum(s.epochs * s.steps_per_epoch for s in plan.trainings(experiment, run).values())
        for run in plan.runs(experiment, KNOWN)
    }
    assert set(taken) == set(METHODS)
    assert len(set(taken.values())) == 1
    assert steps <= taken["published"] <= max(steps + 1, 1.035 * steps)
    assert all(s.minutes == 0 for run in plan.runs(experiment, KNOWN) for s in plan.trainings(experiment, run).values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"minutes": 3}}, "steps and minutes both say how long"),
        ({"grid": {"method": "joint", "epochs": [1, 2]}}, "steps and epochs both say how long"),
        ({"settings": {"steps": 3}}, "give steps, outside"),
        ({"steps": 1}, "steps is 1"),
    ],
)
def test_steps_stand_alone(changes, words, tmp_path, refused):
    values = {"images": "i", "masks": "m", "steps": 60, "grid": {"method": "joint"}} | changes
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(values))
    assert words in refused("experiment", "plan", tmp_path / "wrong.yaml")


def test_a_file_names_no_computer_where_the_folder_of_the_data_is_given(folder, tmp_path, capfd, refused):
    path = tmp_path / "anywhere.yaml"
    path.write_text(yaml.safe_dump({"images": "images", "masks": "masks", "grid": {"method": "segment"}}))
    assert main(["experiment", "plan", str(path), "--data", str(folder), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["annotated"] == 4
    assert "There is no folder or file" in refused("experiment", "plan", path, "--data", tmp_path)


def test_the_experiments_beside_the_benchmarks_can_be_planned(folder):
    from pathlib import Path

    where = Path(__file__).resolve().parent.parent / "benchmarks" / "experiments"
    known = images.Known(["a"] * 433, ["b"] * 54, [f"{n}" for n in range(433)], "instances", False, 1, 1, 2)
    counts = {}
    for path in where.glob("*.yaml"):
        assert not Path(Experiment.load(path).about.images).is_absolute()
        counts[path.stem] = len(plan.runs(Experiment.load(path, folder), known))
    assert counts == {"dsb2018": 240, "dsb2018_small": 8}


# The notebook


def test_the_plan_is_told_and_written_before_anything_is_trained(notebook, said, tmp_path, trained):
    notebook()
    words = "\n".join(said)
    assert "8 runs in " in words
    assert "4 images (4 annotated) to learn from, 2 to judge by" in words
    assert named(tmp_path / "mine" / "experiment.yaml")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["experiment.yaml"]
    assert not trained


def test_an_experiment_that_is_stopped_goes_on_when_all_cells_are_run_again(
    notebook, said, tmp_path, trained, monkeypatch
):
    first, done = notebook(), running.do

    def stop(*which):
        if len(trained) == 3:
            raise KeyboardInterrupt
        done(*which)

    monkeypatch.setattr(running, "do", stop)
    first.run()
    assert any("To go on, run this cell again" in words for words in said)
    first.look()  # of what is there
    monkeypatch.setattr(running, "do", done)
    again = notebook()
    again.run()
    again.look()
    assert again.out == first.out == tmp_path / "mine"
    assert len(trained) == len(set(trained)) == 8
    assert any("joint training is best (AP at IoU 0.5 0.61" in words or "cannot be told" in words for words in said)
    assert (tmp_path / "mine" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "mine" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "a line of the training" in (tmp_path / "mine" / "log.txt").read_text()


def test_more_repetitions_are_added_to_those_that_are_there(notebook, trained, said, tmp_path):
    notebook().run()
    more = notebook(seeds=3)
    assert any("8 done, 4 missing" in words for words in said)
    more.run()
    assert more.out == tmp_path / "mine"
    assert len(trained) == len(set(trained)) == 12
    notebook(seeds=3)
    assert any("All of this is done already" in words for words in said)


def test_other_settings_begin_an_experiment_of_their_own_and_leave_the_first(notebook, trained, tmp_path):
    notebook().run()
    before = (tmp_path / "mine" / "experiment.yaml").read_text()
    other = notebook(steps=10)
    assert other.out == tmp_path / "mine_2"
    other.run()
    assert len(trained) == 16
    assert (tmp_path / "mine" / "experiment.yaml").read_text() == before


def test_a_run_that_fails_is_told_and_the_others_are_shown(notebook, said, trained, monkeypatch):
    done = running.do

    def do(experiment, out, run):
        if run.method == "joint":
            raise UserError("The disk is full. Make room")
        done(experiment, out, run)

    work = notebook(annotated="all", seeds=1)
    monkeypatch.setattr(running, "do", do)
    work.run()
    assert any("brought no result: The disk is full" in words for words in said)
    work.look()
    assert any("no other method was tried" in words for words in said)


def test_what_came_out_best_is_a_file_that_trains(notebook, trained, said, folder):
    work = notebook(
        sequential=True, segment=False, joint=False, annotated="all", compare="learning_rate = 0.001, 0.002"
    )
    work.run()
    work.look()
    work.choose()
    assert [file.name for file in work.choice.files] == ["best_denoise.yaml", "best_segment.yaml"]
    kinds = (DenoiseSettings, SegmentSettings)
    found = [kind.load(file).check() for kind, file in zip(kinds, work.choice.files)]
    assert all(one.images == str(folder / "images") for one in found)
    assert found[1].masks == str(folder / "masks")
    assert any("n2seg train segment --config" in words for words in said)


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"masks": ""}, "Without masks only Noise2Void"),
        ({"masks": "", "truth": ""}, "Name the folder of the masks"),
        ({"images": ""}, "Name the folder of the images, too"),
        ({"annotated": "40"}, "annotated is 40, but there are 4"),
        ({"annotated": "few"}, "annotated is 'few'"),
        ({"compare": "denoise_wieght = 1"}, "no setting 'denoise_wieght'"),
        ({"denoise": True, "truth": ""}, "denoising is judged by clean images"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(entered, words, notebook, tmp_path):
    with pytest.raises(UserError, match=words):
        notebook(**entered)
    assert not (tmp_path / "mine").exists()


def test_cells_in_the_wrong_order_say_which_to_run_first(notebook):
    work = Comparing()
    for step in (work.check_data, work.ask_settings, work.plan, work.run, work.look, work.choose, work.predict):
        with pytest.raises(UserError, match="run the cells of section"):
            step()


# What is shown


def test_the_board_fills_in(notebook, trained):
    work = notebook(annotated="all")
    wanted = plan.runs(work.experiment, images.look(work.experiment, work.out))
    assert board(work.experiment, work.out, wanted).score is None
    running.do(work.experiment, work.out, wanted[0])
    results.write_failure(work.out, wanted[1], "by chance")
    found = board(work.experiment, work.out, wanted, wanted[2])
    assert (found.done, found.wanted, found.score) == (1, 4, "AP at IoU 0.5")
    assert found.head == ["", "seed 1", "seed 2", "mean"]
    assert found.rows == [["a U-Net alone", 0.51, "training", 0.51], ["joint training", "failed", "", ""]]
    shown = boards.board_in_html(found)
    assert "1 of 4 runs done" in shown
    assert "0.510" in shown


def test_what_work_tells_goes_aside_and_how_far_it_is_to_whoever_listens(capsys):
    file, heard = io.StringIO(), []
    with progress.aside(file, lambda *told: heard.append(told)):
        update = progress.bar("Tuning")
        update(0.5, "threshold")
        update.close("done")
        assert isinstance(progress.text_watcher(), progress.TextWatcher)
    assert heard == [(0.5, "tuning")]
    assert "Tuning: 50 %" in file.getvalue()
    progress.bar("Tuning")(0.5)
    assert len(heard) == 1
    assert "Tuning" in capsys.readouterr().out


def test_where_nothing_was_found_nothing_is_compared():
    words = advice.sentences([group("segment", 9, [0.0, 0.01]), group("joint", 9, [0.0, 0.0])])
    assert words == ["With your 9 annotated images, no method found anything yet: give each training more time, then "
                     "compare."]  # fmt: skip


def test_a_way_that_found_nothing_is_not_called_worse():
    words = advice.sentences([group("segment", 9, [0.4, 0.41, 0.4]), group("joint", 9, [0.0, 0.0, 0.01])])
    assert "Training was too short for joint training, which found next to nothing" in words[1]


def test_the_choice_is_made_with_the_most_annotations_and_the_least_noise(notebook, trained, tmp_path):
    work = notebook(noise="0, 20")
    work.run()
    wanted = plan.runs(work.experiment, images.look(work.experiment, work.out))
    found = choice.choose(work.experiment, work.out, wanted, table.groups(work.experiment, work.out, wanted))
    assert found.run.name == "joint_annotated4_seed2"
