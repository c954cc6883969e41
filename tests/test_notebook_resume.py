"""Whoever opens a notebook again after a cut-off goes on where the training was."""

import pytest

from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.settings import DenoiseSettings
from n2seg_utils.ui import forms, runtime
from n2seg_utils.ui import workflow as steps
from n2seg_utils.ui.denoising import Denoising

from .conftest import TINY
from .test_resume import Impatient, courses


@pytest.fixture
def said(monkeypatch):
    """All that is said, as text."""
    words = []
    for module in (steps, forms):
        if hasattr(module, "say"):
            monkeypatch.setattr(module, "say", words.append)
    return words


@pytest.fixture
def notebook(sample, tmp_path, monkeypatch, said):
    """Notebook 1 after section 3, with a folder of images and a short training entered; each call opens it anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "output_root", lambda: tmp_path)

    def opened(watcher=None, **more):
        monkeypatch.setattr(forms, "_forms", {})
        monkeypatch.setattr(steps.progress, "watcher", lambda: watcher or Impatient())
        found = Denoising()
        found.ask_data()
        entered = TINY | {"images": str(sample / "images"), "run": "my_run", "epochs": 3} | more
        for name, value in entered.items():
            found.form.fields[name].enter(value)
        found.check_data()
        found.ask_settings()
        return found

    return opened


def test_run_all_goes_on_with_a_training_that_was_cut_off(notebook, said, tmp_path):
    first = notebook(Impatient(step=6))
    first.train()
    again = notebook()
    assert any("stopped in epoch 2 of 3" in words and "the next cell goes on with it" in words for words in said)
    again.train()
    assert any("goes on from there" in words for words in said)
    assert again.model.run.path == tmp_path / "my_run"
    assert [row["epoch"] for row in again.model.run.history()] == [1, 2, 3]
    assert not (tmp_path / "my_run_2").exists()


def test_other_settings_begin_a_training_of_their_own_and_leave_the_stopped_one(notebook, tmp_path):
    notebook(Impatient(step=6)).train()
    other = notebook(batch_size=3)
    other.train()
    assert other.model.run.path == tmp_path / "my_run_2"
    assert Past.of(tmp_path / "my_run").state.step == 6
    assert courses(resume(Past(tmp_path / "my_run")).run.history())[-1]["epoch"] == 3


def test_a_training_cut_off_in_a_numbered_folder_is_found_again(notebook, tmp_path):
    notebook().train()
    notebook(Impatient(step=6)).train()
    assert (tmp_path / "my_run_2").exists()
    again = notebook()
    again.train()
    assert again.model.run.path == tmp_path / "my_run_2"
    assert not (tmp_path / "my_run_3").exists()


def test_a_training_that_is_over_is_not_taken_for_a_stopped_one(sample, tmp_path):
    settings = DenoiseSettings(images=str(sample / "images"), run=str(tmp_path / "run"), **TINY)
    assert Past.like(settings) is None
