"""Trainings that are stopped, at any moment, go on as if they had never been."""

import json
import os
import platform
import shutil
import time

import numpy as np
import pytest
import tifffile

from n2seg_utils.cli import main
from n2seg_utils.data.samples import annotate_few
from n2seg_utils.errors import UserError
from n2seg_utils.learning import training as loop
from n2seg_utils.learning.plan import Plan
from n2seg_utils.learning.training import OutOfMemory, Watcher, train
from n2seg_utils.models import training_run
from n2seg_utils.models.checkpoints import Checkpoints
from n2seg_utils.models.claim import Claim
from n2seg_utils.models.denoise_training import DenoiseWork, train_denoiser
from n2seg_utils.models.joint_training import JointWork
from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.run_folder import RunFolder
from n2seg_utils.models.segment_training import SegmentWork
from n2seg_utils.models.unlabelled import UnlabelledWork
from n2seg_utils.settings import DenoiseSettings, JointSettings, SegmentSettings

from .conftest import TINY
from .test_training import Heard, spoiling, training


class Impatient(Watcher):
    """Presses the stop button after a step, or an epoch."""

    def __init__(self, step=None, epoch=None):
        self.at_step, self.at_epoch = step, epoch

    def step(self, step, plan, seconds):
        if step == self.at_step:
            raise KeyboardInterrupt

    def epoch(self, row, plan, preview):
        if row["epoch"] == self.at_epoch:
            raise KeyboardInterrupt


def courses(history):
    """What of a history must be the same whenever a training was stopped."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def require_same(one, other):
    assert len(one) == len(other)
    for now, then in zip(one, other):
        np.testing.assert_allclose(now, then, atol=1e-6)


# The loop


@pytest.fixture(scope="module")
def never_stopped():
    """A training that was not, and its outcome."""
    whole = training(dropout=0.3)
    return whole, train(whole, Plan(3, 4, 0.01))


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 11])
def test_a_training_that_goes_on_has_the_weights_and_the_history_of_one_that_was_never_stopped(stop, never_stopped):
    plan, kept = Plan(3, 4, 0.01), []
    whole, expected = never_stopped
    train(training(dropout=0.3), plan, Impatient(step=stop), keep=kept.append)
    assert kept[-1].step == stop
    again = training(dropout=0.3)
    found = train(again, plan, begin=kept[-1])
    assert courses(found.history) == courses(expected.history)
    assert (found.stopped, found.best_epoch) == (expected.stopped, expected.best_epoch)
    require_same(again.network.get_weights(), whole.network.get_weights())


def test_a_stop_during_validation_loses_nothing_either(monkeypatch):
    plan, kept, calls = Plan(3, 4, 0.01), [], []
    whole = training()
    expected = train(whole, plan)
    validate = loop.validate

    def stopped(model):
        calls.append(1)
        validate(model)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(model)

    monkeypatch.setattr(loop, "validate", stopped)
    train(training(), plan, keep=kept.append)
    assert (kept[-1].step, len(kept[-1].history)) == (8, 1)
    again = training()
    assert courses(train(again, plan, begin=kept[-1]).history) == courses(expected.history)
    require_same(again.network.get_weights(), whole.network.get_weights())


def test_states_are_kept_within_a_long_epoch_too(monkeypatch):
    monkeypatch.setattr(loop, "_OFTEN", 0.0)
    kept = []
    train(training(), Plan(1, 5, 0.01), keep=kept.append)
    assert [state.step for state in kept] == [1, 2, 3, 4, 5, 5]


def test_the_best_epoch_before_the_stop_is_still_the_best_after_it():
    plan, kept = Plan(4, 10, 0.01), []

    def spoil(model, epoch):
        if epoch == 2:
            model.network.set_weights([1.5 * w for w in model.network.get_weights()])

    whole = training()
    expected = train(whole, plan, refills=[spoil])
    train(training(), plan, Impatient(epoch=3), refills=[spoil], keep=kept.append)
    again = training()
    found = train(again, plan, begin=kept[-1])
    assert found.best_epoch == expected.best_epoch
    require_same(again.network.get_weights(), whole.network.get_weights())


def test_a_rate_that_was_halved_stays_so():
    plan, kept = Plan(5, 5, 0.01), []
    whole = training()
    expected = train(whole, plan, Heard(), refills=[spoiling(1)])
    train(training(), plan, Impatient(step=17), refills=[spoiling(1)], keep=kept.append)
    again = training()
    assert courses(train(again, plan, begin=kept[-1]).history) == courses(expected.history)


# Checkpoints


@pytest.fixture(scope="module")
def states():
    """Those of a short training, one an epoch."""
    kept = []
    train(training(), Plan(4, 3, 0.01), keep=kept.append)
    return kept


def test_the_last_two_checkpoints_are_kept(tmp_path, states):
    checkpoints = Checkpoints(tmp_path)
    for state in states:
        checkpoints.save(state)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    found = checkpoints.latest()
    assert (found.step, found.history, found.least_cost) == (12, states[-1].history, states[-1].least_cost)
    for name in ("network", "optimizer", "metrics", "best"):
        for now, then in zip(getattr(found, name), getattr(states[-1], name), strict=True):
            np.testing.assert_array_equal(now, then)
    checkpoints.remove()
    assert checkpoints.latest() is None
    assert not checkpoints


def truncated(data):
    return data[: len(data) // 2]


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda data: b"", lambda data: b"\0" * len(data)])
def test_a_damaged_checkpoint_is_recognised_and_the_older_one_used(tmp_path, states, damage):
    checkpoints = Checkpoints(tmp_path)
    for state in states[:2]:
        checkpoints.save(state)
    newest = max((tmp_path / "checkpoints").iterdir())
    newest.write_bytes(damage(newest.read_bytes()))
    assert checkpoints.latest().step == states[0].step
    checkpoints.save(states[2])
    assert checkpoints.latest().step == states[2].step


def test_a_checkpoint_goes_elsewhere_while_the_run_folder_cannot_be_written_to(tmp_path, states, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    run = tmp_path / "run"
    checkpoints = Checkpoints(run)
    checkpoints.save(states[0])
    shutil.rmtree(run)
    run.write_text("Drive is away")
    assert not checkpoints.save(states[1])
    assert checkpoints.latest().step == states[1].step
    run.unlink()
    run.mkdir()
    checkpoints.bring_home()
    assert [file.name for file in checkpoints.folder.iterdir()] == ["state_000001.npz"]
    assert checkpoints.save(states[2])
    assert Checkpoints(run).latest().step == states[2].step


def test_on_drive_checkpoints_are_written_once_a_minute_and_to_this_computer_in_between(tmp_path, states, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("n2seg_utils.data.drive.MOUNT", tmp_path / "drive")
    run = tmp_path / "drive" / "MyDrive" / "run"
    checkpoints = Checkpoints(run)
    assert all(checkpoints.save(state) for state in states)
    assert [file.name for file in checkpoints.folder.iterdir()] == ["state_000001.npz"]
    assert sorted(file.name for file in checkpoints.spare.iterdir()) == ["state_000003.npz", "state_000004.npz"]
    assert Checkpoints(run).latest().step == states[-1].step
    checkpoints.bring_home()
    shutil.rmtree(checkpoints.spare)  # the computer is taken away
    assert Checkpoints(run).latest().step == states[-1].step
    checkpoints.written -= 61
    checkpoints.save(states[0])
    assert len(list(checkpoints.folder.iterdir())) == 2


# Runs


LABELS = {"without labels": "none"}
SCHEDULES = {"joint": "constant", "joint, with a teacher": "teacher", "joint, in turn": "in_turn"}


def of_kind(kind, sample, run, **more):
    """A training of each kind that takes seconds."""
    common = {"images": str(sample / "images"), "run": str(run)} | TINY | {"epochs": 3} | more
    if kind == "denoise":
        return DenoiseWork(DenoiseSettings(**common))
    if kind in LABELS:
        return UnlabelledWork(SegmentSettings(labels=LABELS[kind], batch_size=2, **common))
    masks = sample / "masks" if kind == "segment" else annotate_few(sample)
    work, settings = (SegmentWork, SegmentSettings) if kind == "segment" else (JointWork, JointSettings)
    more = {"schedule": SCHEDULES[kind]} if kind in SCHEDULES else {}
    return work(settings(masks=str(masks), batch_size=2, **common, **more))


@pytest.mark.parametrize("kind", ["denoise", "segment", *LABELS, *SCHEDULES])
def test_a_run_that_is_stopped_goes_on_to_the_same_end(kind, sample, tmp_path):
    whole = of_kind(kind, sample, tmp_path / "whole").train()
    of_kind(kind, sample, tmp_path / "stopped").train(Impatient(step=6))
    past = Past(tmp_path / "stopped")
    assert past.describe() == "stopped in epoch 2 of 3"
    model = resume(past)
    assert courses(model.run.history()) == courses(whole.run.history())
    require_same(model.network.get_weights(), whole.network.get_weights())
    assert getattr(model, "stored", None) == getattr(whole, "stored", None)
    one, other = (json.loads((folder / "run.json").read_text()) for folder in (model.run.path, whole.run.path))
    assert one["status"] == other["status"] == "finished"
    assert one["best_epoch"] == other["best_epoch"]
    assert not (model.run / "checkpoints").exists()
    assert Past.of(model.run) is None


def test_steps_before_the_first_epoch_are_not_lost_either(sample, tmp_path):
    with pytest.raises(UserError, match=r"before its first epoch ended.*n2seg resume .*run"):
        of_kind("denoise", sample, tmp_path / "run").train(Impatient(step=2))
    past = Past(tmp_path / "run")
    assert (past.describe(), past.state.step) == ("stopped in epoch 1 of 3", 2)
    assert len(resume(past).run.history()) == 3


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "learn", lambda *_, **__: exec("raise SystemExit"))
    with pytest.raises(SystemExit):
        of_kind("segment", sample, tmp_path / "run").train()
    monkeypatch.undo()
    past = Past(tmp_path / "run")
    assert past.state is None
    assert len(resume(past).run.history()) == 3


def test_images_that_have_changed_are_named_before_a_training_goes_on(sample, tmp_path):
    shutil.copytree(sample, tmp_path / "data")
    of_kind("denoise", tmp_path / "data", tmp_path / "run").train(Impatient(step=6))
    file = sorted((tmp_path / "data" / "images").iterdir())[1]
    pixels = tifffile.imread(file)
    tifffile.imwrite(file, pixels[::-1].copy())
    with pytest.raises(UserError, match=rf"{file.name} is not what it was when the training .* began"):
        resume(Past(tmp_path / "run"))
    file.unlink()
    with pytest.raises(UserError, match=rf"{file.name} is no longer there"):
        resume(Past(tmp_path / "run"))


def test_masks_that_were_drawn_anew_are_named_before_a_training_goes_on(sample, tmp_path):
    shutil.copytree(sample, tmp_path / "data")
    of_kind("segment", tmp_path / "data", tmp_path / "run").train(Impatient(step=6))
    file = sorted((tmp_path / "data" / "masks").iterdir())[2]
    mask = tifffile.imread(file)
    mask[40, 40] = 0 if mask[40, 40] else 1
    tifffile.imwrite(file, mask)
    with pytest.raises(UserError, match=rf"The mask {file.name} is not what it was .*\. Put the masks of .* back"):
        resume(Past(tmp_path / "run"))


def test_a_training_goes_on_when_what_it_started_from_is_gone(sample, tmp_path):
    first = of_kind("segment", sample, tmp_path / "first").train()
    more = {"pretrained": str(first.run), "freeze": "encoder"}
    whole = of_kind("segment", sample, tmp_path / "whole", **more).train()
    of_kind("segment", sample, tmp_path / "stopped", **more).train(Impatient(step=6))
    shutil.rmtree(first.run)
    model = resume(Past(tmp_path / "stopped"))
    frozen = [place for place, layer in enumerate(model.network.layers) if layer.weights and not layer.trainable]
    assert frozen == model.run.facts()["start"]["places"] != []
    require_same(model.network.get_weights(), whole.network.get_weights())


def test_images_that_are_read_in_turn_are_read_alike_whatever_memory_is_free_later(sample, tmp_path, monkeypatch):
    def free(count):
        monkeypatch.setattr("n2seg_utils.learning.device.free_memory", lambda: count)

    free(2_000_000)
    whole = of_kind("denoise", sample, tmp_path / "whole")
    assert whole.refills
    whole = whole.train()
    of_kind("denoise", sample, tmp_path / "stopped").train(Impatient(step=6))
    free(64_000_000_000)
    model = resume(Past(tmp_path / "stopped"))
    assert courses(model.run.history()) == courses(whole.run.history())


def test_nothing_is_written_through_a_link_in_a_run_folder(sample, tmp_path):
    of_kind("denoise", sample, tmp_path / "run").train(Impatient(step=6))
    (tmp_path / "precious").mkdir()
    (tmp_path / "run" / "quality").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"quality is a link to .*precious\. Nothing is written through links"):
        resume(Past(tmp_path / "run"))
    assert not list((tmp_path / "precious").iterdir())


def test_a_batch_that_does_not_fit_on_the_device_is_halved_and_the_training_goes_on(sample, tmp_path, monkeypatch):
    heard, steps = Heard(), []
    take_step = loop.take_step

    def short_of_memory(model, number):
        steps.append(model.patches.batch_size)
        if model.patches.batch_size > 4 and number >= 5:
            raise RuntimeError("RESOURCE_EXHAUSTED: OOM when allocating tensor with shape[16,32,32,8]")
        return take_step(model, number)

    monkeypatch.setattr(loop, "take_step", short_of_memory)
    model = of_kind("denoise", sample, tmp_path / "run", batch_size=16).train(heard)
    assert [row["epoch"] for row in model.run.history()] == [1, 2, 3]
    assert sorted(set(steps)) == [4, 8, 16]
    assert heard.words[-1] == "The device has not enough memory: it goes on with a batch size of 4."
    assert DenoiseSettings.load(model.run / "settings.yaml").batch_size == 4


def test_when_not_even_one_patch_fits_on_the_device_the_remedy_is_named(sample, tmp_path, monkeypatch):
    def no_memory(model, number):
        raise MemoryError

    monkeypatch.setattr(loop, "take_step", no_memory)
    with pytest.raises(UserError, match=r"not even with a batch size of 1 .*\. Choose a smaller patch_size"):
        of_kind("denoise", sample, tmp_path / "run", batch_size=2).train()


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch):
    def broken(model, number):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(loop, "take_step", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(training(), Plan(2, 2, 0.01))
    assert issubclass(OutOfMemory, Exception)


# The command


def test_the_command_goes_on_judges_and_reports(small_sample, tmp_path, capsys):
    data = {"images": str(small_sample / "images"), "truth": str(small_sample / "clean")}
    settings = DenoiseSettings(**data, run=str(tmp_path / "run"), **TINY | {"epochs": 3})
    train_denoiser(settings, Impatient(epoch=1))
    assert main(["train", "denoise", "--images", settings.images, "--run", settings.run]) == 2
    assert f"or go on with the training that was stopped there: n2seg resume {settings.run}" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "stopped in epoch 2 of 3." in said
    assert "Training goes on in epoch 2 of 3" in said
    assert "PSNR" in said
    assert (tmp_path / "run" / "report.html").exists()
    assert main(["resume", str(tmp_path / "run")]) == 2
    assert "nothing is left to do" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "nothing")]) == 2
    assert "is not the run folder of a training" in capsys.readouterr().err


# One training at a time


def test_two_trainings_never_write_into_one_folder(sample, tmp_path):
    work = of_kind("denoise", sample, tmp_path / "run")
    refused = pytest.raises(UserError, match=r"Another training \(process \d+ on .*\) is writing into .*run")
    with Claim(RunFolder(tmp_path / "run")), refused:
        work.train()
    assert len(work.train().run.history()) == 3
    assert not (tmp_path / "run" / "training.lock").exists()


@pytest.mark.parametrize(
    ("holder", "silent", "alive"),
    [
        ({"host": "elsewhere", "pid": 7, "since": 1.0}, 10, True),
        ({"host": "elsewhere", "pid": 7, "since": 1.0}, 400, False),
        ({"host": platform.node(), "pid": 2**30, "since": 1.0}, 0, False),
        ({"host": platform.node(), "pid": os.getpid(), "since": 1.0}, 0, False),
        ("half a file", 0, False),
    ],
    ids=["elsewhere", "elsewhere, silent", "no such process", "another process of this number", "half written"],
)
def test_a_training_that_was_killed_does_not_hold_its_folder(tmp_path, holder, silent, alive):
    lock = tmp_path / "training.lock"
    lock.write_text(json.dumps(holder) if isinstance(holder, dict) else "{" + holder)
    then = time.time() - silent
    os.utime(lock, (then, then))
    claim = Claim(RunFolder(tmp_path))
    if alive:
        with pytest.raises(UserError, match="try again in 5 minutes"):
            claim.__enter__()
        return
    with claim:
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not lock.exists()


def test_a_training_gives_signs_of_life_whatever_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr("n2seg_utils.models.claim._BEAT", 0.02)
    with Claim(RunFolder(tmp_path)):
        lock, deadline = tmp_path / "training.lock", time.time() + 10
        os.utime(lock, (1, 1))
        while lock.stat().st_mtime == 1 and time.time() < deadline:
            time.sleep(0.02)
        assert lock.stat().st_mtime > 1


# A folder of the same name


def test_states_of_a_training_whose_folder_is_gone_are_not_taken_for_those_of_another(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("n2seg_utils.data.drive.on_drive", lambda path: "drive" in str(path))
    monkeypatch.setattr("n2seg_utils.models.checkpoints.drive.on_drive", lambda path: "drive" in str(path))
    whole = of_kind("denoise", sample, tmp_path / "whole", seed=7).train()
    of_kind("denoise", sample, tmp_path / "drive" / "run").train(Impatient(step=6))
    assert list((tmp_path / "temporary").rglob("state_*.npz")), "some states are kept on this computer"
    shutil.rmtree(tmp_path / "drive" / "run")
    model = of_kind("denoise", sample, tmp_path / "drive" / "run", seed=7).train()
    assert courses(model.run.history()) == courses(whole.run.history())
    require_same(model.network.get_weights(), whole.network.get_weights())
