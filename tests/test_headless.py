"""Everything without a notebook: help that teaches, settings files that run anywhere, plain lines, JSON for scripts."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from n2seg_utils import DenoiseSettings, SegmentSettings, __version__
from n2seg_utils.cli import main
from n2seg_utils.cli_arguments import EXAMPLES, parser
from n2seg_utils.learning.plan import Plan
from n2seg_utils.settings import JointSettings, QualitySettings
from n2seg_utils.ui import progress

from .conftest import TINY

ROOT = Path(__file__).resolve().parent.parent
QUICK = [f"--set={name}={value}" for name, value in (TINY | {"epochs": 1}).items()]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def told(capfd):
    """Run the command with --json: it must print one object and nothing else. Returns status, object and the rest."""

    def run(*arguments):
        capfd.readouterr()
        status = main([*map(str, arguments), "--json"])
        out, err = capfd.readouterr()
        found = json.loads(out)
        assert found["exit_status"] == status
        assert found["versions"]["n2seg-utils"] == __version__
        return found, err

    return run


# Help


def help_of(command, capfd):
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    return capfd.readouterr().out


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_of_each_command_has_examples_that_are_understood(command, capfd):
    shown = [line.partition("  #")[0] for line in help_of(command, capfd).splitlines() if line.startswith("  n2seg ")]
    assert shown == [f"  {line}" for line in EXAMPLES[command]]
    for line in shown:
        assert parser().parse_args(shlex.split(line)[1:]).command == command


def test_all_commands_have_examples(capfd):
    listed = re.findall(r"^    (\w+)", help_of("", capfd), re.MULTILINE)
    for above in ("train", "experiment"):
        listed.remove(above)
        listed += [f"{above} {name}" for name in re.findall(r"^    (\w+)", help_of(above, capfd), re.MULTILINE)]
    assert set(listed) == set(EXAMPLES)


def test_the_examples_of_the_help_work_one_after_the_other(segmenter, small_sample, tmp_path, capfd):
    """All but those that train for long, and that run whole notebooks: these have tests of their own."""
    for name, folder in {"my_images": "images", "my_masks": "masks", "clean": "clean", "new_images": "images"}.items():
        shutil.copytree(small_sample / folder, name)
    shutil.copytree(small_sample / "masks", "true_masks")
    shutil.copytree(segmenter.run.path, "my_model")
    settings = DenoiseSettings(images="my_images", run="somewhere", **TINY)
    Path("settings.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    trains, predicts = (list(EXAMPLES[command]) for command in ("train denoise", "predict"))
    lines = [*EXAMPLES["sample"], *EXAMPLES["check"], trains[2], *predicts[:2], *EXAMPLES["qc"]]
    for line in lines:
        if line.startswith("n2seg qc"):
            shutil.rmtree("quality", ignore_errors=True)
        assert main(shlex.split(line)[1:]) == 0, (line, capfd.readouterr().err)
    assert Path("denoised/nuclei_01.tif").exists()
    assert Path("labels/nuclei_01_rois.zip").exists() or list(Path("labels").glob("*.zip"))


# Settings files


def test_the_file_of_a_run_trains_checks_and_predicts_elsewhere(small_run, small_sample, tmp_path, told):
    file = tmp_path / "settings.yaml"
    shutil.copy(small_run / "settings.yaml", file)
    assert told("check", "--config", file)[0]["images"][0]["name"] == "nuclei_01.tif"
    found, _ = told("train", "denoise", "--config", file, "--run", "again", "--set", "epochs=1")
    assert found["epochs_done"] == 1
    assert DenoiseSettings.load("again/settings.yaml").images == str(small_sample / "images")
    found, _ = told("predict", "--config", "again/settings.yaml", "--out", "out")
    assert [Path(name).name for name in found["files"]] == [f"nuclei_0{n}.tif" for n in (1, 2, 3, 4)]
    assert found["run"] == "again"


def test_the_file_of_quality_control_runs_it(sample, told):
    settings = QualitySettings(
        prediction=str(sample / "images"), truth=str(sample / "clean"), run="quality", maps=False, filters=False
    )
    Path("qc.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    found, _ = told("qc", "--config", "qc.yaml")
    assert found["scores"]["psnr"]["prediction"] > 10
    assert Path(found["report"]).exists()
    assert told("qc", "--config", "qc.yaml", "--out", "other")[0]["out"] == "other"


def test_a_file_of_a_newer_version_says_so(refused):
    text = DenoiseSettings(images="images", run="run").to_yaml()
    assert text.startswith(f"# Settings of n2seg-utils {__version__}\n")
    newer = text.replace(__version__, "12.3.0", 1) + "telepathy: strong\n"
    Path("newer.yaml").write_text(newer, encoding="utf-8")
    said = refused("train", "denoise", "--config", "newer.yaml")
    assert "newer.yaml was written by n2seg-utils 12.3.0" in said
    assert "'telepathy'" in said
    assert "Update n2seg-utils" in said
    Path("newer.yaml").write_text(newer.replace("12.3.0", "0.0.1"), encoding="utf-8")
    assert "There is no setting 'telepathy'" in refused("train", "denoise", "--config", "newer.yaml")


def test_a_file_of_another_workflow_is_told_where_it_belongs(refused):
    for settings, name in ((SegmentSettings(), "train segment"), (JointSettings(), "train joint")):
        Path("its.yaml").write_text(settings.to_yaml(), encoding="utf-8")
        assert f"settings for n2seg {name}, not for n2seg train denoise" in refused(
            "train", "denoise", "--config", "its.yaml"
        )
    Path("its.yaml").write_text(QualitySettings().to_yaml(), encoding="utf-8")
    assert "settings for n2seg qc" in refused("train", "segment", "--config", "its.yaml")


def test_a_notebook_takes_its_fields_from_a_file_too(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(
        "n2seg_utils.notebooks.run_notebook", lambda name, values, out: given.update(values) or tmp_path / "done.ipynb"
    )
    Path("its.yaml").write_text(DenoiseSettings(images="0123", epochs=7).to_yaml(), encoding="utf-8")
    assert main(["notebook", "1", "--config", "its.yaml", "--set", "epochs=9"]) == 0
    assert (given["images"], given["epochs"]) == ("0123", "9")
    assert DenoiseSettings.from_mapping(json.loads(json.dumps(given))).network_width is None


# JSON


def test_json_tells_what_came_of_it_and_progress_goes_to_standard_error(small_sample, told):
    data = ["--images", small_sample / "images", f"--set=truth={small_sample / 'clean'}"]
    found, err = told("train", "denoise", *data, "--run", "run", *QUICK)
    assert found["run"] == "run"
    assert found["exit_status"] == 0
    assert found["epochs_done"] == 1
    assert Path(found["report"]).exists()
    assert found["scores"]["denoised"]["psnr"]["prediction"] > 0
    assert "epoch   1 of 1" in err
    assert "\r" not in err
    assert "PSNR" in err


def test_json_tells_errors_too_with_the_same_status(told):
    for arguments in (["train", "denoise", "--images", "nowhere", "--run", "run"], ["predict", "--out", "x"], ["qc"]):
        found, err = told(*arguments)
        assert found["exit_status"] == 2
        assert err == f"n2seg: {found['error']}\n"
    found, _ = told("resume", "--nonsense")
    assert "unrecognized arguments" in found["error"]


# Resume


def test_resume_takes_the_folder_either_way_but_once(trained, refused):
    run = trained.run.path
    for arguments in ([run], ["--run", run]):
        assert "is not the run folder" in refused("resume", *[f"{a}x" if a == run else a for a in arguments])
    assert "n2seg resume RUN" in refused("resume")
    assert "n2seg resume RUN" in refused("resume", run, "--run", run)


def test_train_resume_begins_goes_on_and_does_no_harm_when_all_is_done(sample, told, refused):
    command = ["train", "denoise", "--images", sample / "images", "--run", "run", *QUICK, "--resume"]
    first, _ = told(*command)
    weights = Path("run/weights_best.h5").read_bytes()
    second, _ = told(*command)
    assert first["epochs_done"] == second["epochs_done"] == 1
    assert Path("run/weights_best.h5").read_bytes() == weights
    assert "begun with other settings" in refused(*command, "--set", "epochs=3")


# Progress


class Terminal:
    """A stream that says that it is a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


def watch(seconds_a_step, epochs=2, steps=50):
    """Show a training of some steps; a second passes between two that are that slow."""
    watcher, plan = progress.text_watcher(), Plan(epochs, steps, 0.001)
    watcher.begin(plan, [])
    for step in range(1, plan.steps + 1):
        watcher.step(step, plan, step * seconds_a_step)
        if step % steps == 0:
            row = {"epoch": step // steps, "loss": 0.5, "val_loss": 0.25, "seconds": step * seconds_a_step}
            watcher.epoch(row, plan, dict)


def test_without_a_terminal_there_are_plain_lines_and_in_long_epochs_one_a_minute(capsys, monkeypatch):
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    watch(10.0)
    out = capsys.readouterr().out
    assert "\r" not in out
    lines = out.splitlines()
    assert sum("epoch" in line and "validation" in line for line in lines) == 2
    minutes = [line for line in lines if line.startswith("  step ")]
    assert 10 <= len(minutes) <= 20
    assert re.fullmatch(r"  step \d+ of 100  epoch 2 of 2, 0.1 steps/s, loss 0.25, \d+ .*s left", minutes[-1])


def test_in_a_terminal_there_is_a_bar_below_the_lines(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(progress, "_EVERY", 0)
    watch(0.1)
    assert "\rTraining [##########..........] 50 %  epoch 1 of 2" in terminal.text
    shown = [line.rpartition("\r")[2] for line in terminal.text.split("\n")]
    assert shown[1].startswith("  epoch   1 of 2  loss 0.5000"), "the bar made room for the line"
    update = progress.bar("Denoising")
    update(0.5, "a.tif")
    update.close("2 images")
    assert terminal.text.endswith("\rDenoising: 2 images\n")


def test_what_a_settings_file_says_of_results_holds_as_far_as_the_model_knows_it(trained, segmenter, sample, tmp_path):
    images, out = sample / "images", tmp_path / "out"
    Path("min.yaml").write_text(f"images: {images}\nrun: {segmenter.run}\n")
    assert main(["predict", "--config", "min.yaml", "--out", str(out)]) == 0
    denoising = str(trained.run / "settings.yaml")  # which says how to save denoised images
    given = ["--run", str(segmenter.run), "--images", str(images), "--out", str(tmp_path / "other")]
    assert main(["predict", "--config", denoising, *given]) == 0
    assert [file.name for file in sorted((tmp_path / "other").glob("*.tif"))] == [
        file.name for file in sorted(out.glob("*.tif"))
    ]


def test_options_are_written_in_full(sample, capfd):
    assert main(["check", "--images", str(sample / "images"), "--js"]) == 2
    assert "unrecognized arguments: --js" in capfd.readouterr().err
