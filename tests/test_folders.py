"""Folders are chosen by looking through what is there, and files can be brought along."""

import ipywidgets as widgets
import pytest

from n2seg_utils.settings import DenoiseSettings
from n2seg_utils.ui import folders, forms
from n2seg_utils.ui.folders import FolderChooser


@pytest.fixture
def entered():
    """What is in the field, last."""
    return [""]


@pytest.fixture
def chooser(tmp_path, monkeypatch, entered):
    """Opened in a folder with two images, which holds three folders."""
    for name in ("cells 10", "cells 2", ".hidden", "chunks.zarr", "Ärzte & <b>"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    (tmp_path / "mine" / "a.tif").touch()
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "mine" / "cells 2" / "b.tif").touch()
    monkeypatch.chdir(tmp_path / "mine")
    made = FolderChooser("images", lambda: entered[-1], entered.append)
    made.button.value = True
    return made


def names(chooser):
    return [name for name, _ in chooser.folders.options]


def choose(chooser, name):
    chooser.folders.value = dict(chooser.folders.options)[name]


def test_folders_are_listed_with_the_number_of_images(chooser, tmp_path):
    assert names(chooser) == [".  (this folder)", "..  (one up)", "cells 2", "cells 10", "Ärzte & <b>"]
    assert chooser.where.value == f"<b>{tmp_path / 'mine'}</b> (2 images)"
    choose(chooser, "Ärzte & <b>")
    chooser.open.click()
    assert "Ärzte &amp; &lt;b&gt;</b> (no images)" in chooser.where.value


def test_a_folder_is_opened_left_and_used(chooser, entered, tmp_path):
    choose(chooser, "cells 2")
    chooser.open.click()
    assert names(chooser) == [".  (this folder)", "..  (one up)"]
    assert "cells 2</b> (1 image)" in chooser.where.value
    choose(chooser, "..  (one up)")
    chooser.open.click()
    choose(chooser, "cells 10")
    chooser.use.click()
    assert entered[-1] == str(tmp_path / "mine" / "cells 10")
    assert chooser.button.value is False
    assert chooser.panel.layout.display == "none"


def test_it_begins_with_the_folder_that_was_entered(chooser, entered, tmp_path):
    chooser.button.value = False
    entered.append(str(tmp_path / "mine" / "cells 2"))
    chooser.button.value = True
    assert "cells 2</b>" in chooser.where.value
    for wrong in ("nowhere", "~nobody/at/home", "\0"):
        chooser.button.value = False
        entered.append(wrong)
        chooser.button.value = True
        assert f"<b>{tmp_path / 'mine'}</b>" in chooser.where.value


def test_it_begins_with_drive_where_that_is_connected(chooser, tmp_path, monkeypatch):
    (tmp_path / "MyDrive" / "scans").mkdir(parents=True)
    monkeypatch.setattr(folders.drive, "HOME", tmp_path / "MyDrive")
    chooser.button.value = False
    chooser.button.value = True
    assert "scans" in names(chooser)


def test_a_folder_that_is_gone_is_told_and_the_list_stays(chooser, tmp_path):
    choose(chooser, "cells 10")
    (tmp_path / "mine" / "cells 10").rmdir()
    chooser.open.click()
    assert "cells 10 cannot be opened: No such file or directory. Choose another." in chooser.note.value
    assert "cells 2" in names(chooser)


def uploaded(version, **files):
    """What the widget says in ipywidgets 7, and in 8."""
    if version == 7:
        return {name: {"metadata": {}, "content": content} for name, content in files.items()}
    return tuple({"name": name, "content": memoryview(content)} for name, content in files.items())


@pytest.mark.parametrize("version", [7, 8])
def test_what_is_uploaded_is_kept_and_used_and_nothing_is_overwritten(version, chooser, entered, tmp_path):
    def upload(**files):
        chooser.upload = type("Upload", (), {"value": uploaded(version, **files)})
        chooser._keep()

    folder = tmp_path / "mine" / "uploads" / "images"
    upload(**{"a.tif": b"one", "../../b.tif": b"two", "c:\\d.tif": b"four"})
    assert entered[-1] == str(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"a.tif": b"one", "b.tif": b"two", "d.tif": b"four"}
    assert chooser.note.value.startswith("3 files came. ")
    upload(**{"a.tif": b"one"})
    upload(**{"a.tif": b"other"})
    assert {p.name: p.read_bytes() for p in folder.glob("a*")} == {"a.tif": b"one", "a_2.tif": b"other"}
    before = len(entered)
    upload()
    assert len(entered) == before


def test_an_upload_that_cannot_be_kept_is_told(chooser, tmp_path):
    (tmp_path / "mine" / "uploads").write_text("in the way")
    chooser.upload = type("Upload", (), {"value": uploaded(8, **{"a.tif": b"one"})})
    chooser._keep()
    assert "uploads" in chooser.note.value


def test_each_field_for_a_folder_has_a_button_and_no_other(monkeypatch):
    monkeypatch.setattr(forms, "_forms", {})
    form = forms.Form(DenoiseSettings)
    with_button = {name for name, field in form.fields.items() if hasattr(field, "chooser")}
    assert with_button == {"images", "truth", "pretrained"}
    chooser = form.fields["images"].chooser
    assert [type(w) for w in chooser.box.children] == [widgets.ToggleButton, widgets.VBox]
    assert not chooser.panel.children, "made when it is asked for"
    chooser.button.value = True
    chooser.use.click()
    assert form.fields["images"].widget.value == str(folders.Path.cwd())
