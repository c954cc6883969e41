"""Colab, Jupyter and headless are told apart; with Drive, results are kept and images are copied once."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import tifffile

from n2seg_utils.data import drive
from n2seg_utils.data.files import list_images
from n2seg_utils.errors import UserError
from n2seg_utils.ui import boxes, forms, runtime
from n2seg_utils.ui.denoising import Denoising

from .conftest import TINY

STANDINS = Path(__file__).parent / "standins"


@pytest.fixture(autouse=True)
def shown(monkeypatch, tmp_path):
    """What was displayed, in a new session: an empty working folder, a local disk, and no Drive yet."""
    work, local = tmp_path / "work", tmp_path / "local"
    work.mkdir()
    local.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(local))
    monkeypatch.setattr(drive, "MOUNT", tmp_path / "drive")
    monkeypatch.setattr(drive, "HOME", tmp_path / "drive" / "MyDrive")
    monkeypatch.setattr(forms, "_forms", {})
    for name in ("N2SEG_HEADLESS", "N2SEG_SET"):
        monkeypatch.delenv(name, raising=False)
    things = []

    def display(thing, display_id=None):
        things.append(thing)
        return SimpleNamespace(update=things.append)

    monkeypatch.setattr("IPython.display.display", display)
    return things


@pytest.fixture
def colab(monkeypatch):
    """The stand-in for google.colab."""
    monkeypatch.syspath_prepend(str(STANDINS))
    from google import colab
    from google.colab import drive, files  # noqa: F401

    assert Path(colab.__file__).parent == STANDINS / "google" / "colab"
    yield colab
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]
    del sys.modules["google"].colab


@pytest.fixture
def on_drive(colab, sample):
    """A connected Drive with four images, clean ones of the same names, and a text file."""
    colab.drive.mount(str(drive.MOUNT))
    for kind in ("images", "clean"):
        folder = drive.HOME / "Zellen é" / kind
        folder.mkdir(parents=True)
        for file in list_images(sample / kind):
            (folder / file.name).write_bytes(file.read_bytes())
    (drive.HOME / "Zellen é" / "images" / "notes.txt").write_text("mine")
    return drive.HOME / "Zellen é"


def pages(shown):
    """The HTML that was displayed, as text."""
    return [boxes.plain(thing.data) for thing in shown if isinstance(getattr(thing, "data", None), str)]


def asked(**entered):
    """The notebook's object with fields of the first form filled in."""
    work = Denoising()
    work.ask_data()
    for name, text in entered.items():
        work.form.fields[name].widget.value = str(text)
    return work


# Where are we?


def test_without_notebook_and_colab_we_are_headless():
    assert runtime.place() == "headless"


def test_a_notebook_elsewhere_is_jupyter(monkeypatch):
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    assert runtime.place() == "jupyter"


def test_colab_is_known_by_its_package(colab, monkeypatch):
    assert runtime.place() == "colab"
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    assert runtime.place() == "colab"


def test_headless_can_be_asked_for_anywhere(colab, monkeypatch):
    monkeypatch.setenv("N2SEG_HEADLESS", "1")
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    assert runtime.place() == "headless"


def test_the_stand_in_leaves_nothing_behind():
    assert "google.colab" not in sys.modules
    assert runtime.place() == "headless"


def test_the_place_of_drive_can_be_given_before_the_start(tmp_path):
    code = "from n2seg_utils.data import drive; print(drive.MOUNT, drive.HOME, sep='|')"
    for given, mount in (({"N2SEG_DRIVE": str(tmp_path)}, tmp_path), ({}, Path("/content/drive"))):
        environment = {k: v for k, v in os.environ.items() if k != "N2SEG_DRIVE"} | given
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == f"{mount}|{mount / 'MyDrive'}"


# What does the machine offer?


@pytest.mark.parametrize("gpu", [True, False])
def test_the_runtime_is_described_in_plain_words(gpu, colab, monkeypatch, capsys):
    from n2seg_utils.learning import device

    monkeypatch.setattr(device, "has_gpu", lambda: gpu)
    runtime.describe_runtime()
    said = capsys.readouterr().out
    assert "GB memory" in said
    assert "tensorflow" in said
    assert ("training is fast" in said) is gpu
    assert ("Runtime > Change runtime type" in said) is not gpu, "in Colab, how to get a GPU"


def test_outside_colab_nobody_is_sent_to_its_menus(monkeypatch, capsys):
    from n2seg_utils.learning import device

    monkeypatch.setattr(device, "has_gpu", lambda: False)
    runtime.describe_runtime()
    assert "No GPU" in capsys.readouterr().out.partition("Change runtime type")[0]


def test_a_disk_that_is_nearly_full_is_mentioned(monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    for free, told in ((1e9, True), (50e9, False)):
        monkeypatch.setattr(runtime.shutil, "disk_usage", lambda _, free=free: usage(100e9, 100e9 - free, free))
        runtime.describe_runtime()
        assert ("disk is nearly full" in capsys.readouterr().out) is told


# Drive


def test_drive_is_connected_once_and_runs_go_there(colab, capsys):
    assert runtime.output_root() == Path.cwd()
    runtime.mount_drive()
    assert f"your files are in {drive.HOME}" in capsys.readouterr().out
    assert runtime.output_root() == drive.HOME / "n2seg"
    assert drive.HOME in runtime.memory_folder().parents
    runtime.mount_drive()
    assert f"your files are in {drive.HOME}" in capsys.readouterr().out
    assert colab.drive.mounted == [str(drive.MOUNT)]


def test_refusing_drive_is_explained_and_not_fatal(colab, capsys):
    colab.drive.refused = True
    runtime.mount_drive()
    said = capsys.readouterr().out
    assert "<credential propagation>" in said, "the reason is shown, escaped, not taken for HTML"
    assert "The sample works without it" in said
    assert "results are lost" in said
    assert "run this cell again" in said
    assert runtime.output_root() == Path.cwd()
    assert runtime.memory_folder() == Path.home() / ".n2seg"

    colab.drive.refused = False
    runtime.mount_drive()
    assert runtime.output_root() == drive.HOME / "n2seg"


def test_after_refusing_drive_the_sample_works(colab, shown):
    colab.drive.refused = True
    runtime.mount_drive()
    work = asked()
    work.check_data()
    assert len(list_images(work.images)) == len(list_images(work.truth)) == 12
    assert work.images == str(Path.cwd() / "n2seg_sample" / "nuclei" / "images")


def test_images_on_a_drive_that_was_refused_are_asked_for_again(colab, capsys):
    colab.drive.refused = True
    work = asked(images=drive.HOME / "cells")
    with pytest.raises(UserError, match="There is no folder or file"):
        work.check_data()
    assert "Google Drive is not connected" in capsys.readouterr().out
    colab.drive.refused = False
    with pytest.raises(UserError, match="cells"):
        work.check_data()
    assert colab.drive.mounted == [str(drive.MOUNT)]


def test_elsewhere_there_is_no_drive(shown, capsys):
    runtime.mount_drive()
    assert capsys.readouterr().out == ""
    assert not drive.MOUNT.exists()


def test_a_headless_run_in_colab_asks_nobody_for_permission(colab, monkeypatch):
    monkeypatch.setenv("N2SEG_HEADLESS", "1")
    runtime.mount_drive()
    assert colab.drive.mounted == []


# Images are copied once


def local(path):
    """Where the copy of a Drive folder is."""
    return Path(tempfile.gettempdir()) / "n2seg_inputs" / Path(path).relative_to(drive.MOUNT)


def copies(work):
    files = local(work.images).iterdir()
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def test_images_are_copied_from_drive_once_with_progress(on_drive, shown, monkeypatch):
    monkeypatch.setattr("n2seg_utils.ui.progress._EVERY", 0)
    work = asked(images=on_drive / "images", truth=on_drive / "clean")
    work.check_data()
    for original in (on_drive / "images", on_drive / "clean"):
        assert {f.name: f.read_bytes() for f in local(original).iterdir()} == {
            f.name: f.read_bytes() for f in list_images(original)
        }
    said = [page for page in pages(shown) if page.startswith("Copying from Drive")]
    assert [page for page in said if "50 %" in page and "nuclei_02.tif" in page]
    assert sum("100 %" in page for page in said) == 2

    first = copies(work)
    shown.clear()
    work.check_data()
    assert copies(work) == first, "no file was written again"
    assert not any("%" in page for page in pages(shown)), "nothing was copied"


def test_only_what_changed_on_drive_is_copied_again(on_drive):
    work = asked(images=on_drive / "images")
    work.check_data()
    first = copies(work)
    changed = on_drive / "images" / "nuclei_02.tif"
    tifffile.imwrite(changed, tifffile.imread(changed)[:128] + 1)
    (on_drive / "images" / "nuclei_03.tif").unlink()
    work.check_data()
    second = copies(work)
    assert set(second) == set(first) - {"nuclei_03.tif"}
    assert {name for name in second if second[name] != first[name]} == {"nuclei_02.tif"}
    assert (local(work.images) / "nuclei_02.tif").read_bytes() == changed.read_bytes()


def test_a_copy_that_breaks_off_goes_on_where_it_stopped(on_drive, monkeypatch):
    work, copy2, count = asked(images=on_drive / "images"), drive.shutil.copy2, []

    def flaky(source, target):
        count.append(source)
        if len(count) == 3:
            raise OSError(107, "Transport endpoint is not connected")
        return copy2(source, target)

    monkeypatch.setattr(drive.shutil, "copy2", flaky)
    with pytest.raises(
        UserError, match=r"nuclei_03\.tif from Drive failed. Run the cell again: what was copied is kept"
    ):
        work.check_data()
    work.check_data()
    assert [Path(source).name for source in count] == [f"nuclei_0{i}.tif" for i in (1, 2, 3, 3, 4)]
    assert sorted(copies(work)) == [f"nuclei_0{i}.tif" for i in (1, 2, 3, 4)]


def test_images_that_are_not_on_drive_stay_where_they_are(on_drive, sample):
    work = asked(images=sample / "images")
    work.check_data()
    assert work.images == str(sample / "images")
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_drive_itself_is_only_read_when_images_are_copied(on_drive):
    before = {path: path.stat().st_mtime_ns for path in drive.MOUNT.rglob("*")}
    asked(images=on_drive / "images", truth=on_drive / "clean").check_data()
    assert {path: path.stat().st_mtime_ns for path in drive.MOUNT.rglob("*")} == before


# The notebook, in Colab with Drive


def filled(work, **entered):
    for name, value in entered.items():
        work.form.fields[name].widget.value = str(value)


def test_results_land_in_the_drive_folder(on_drive, colab, capsys):
    work = asked(images=on_drive / "images", truth=on_drive / "clean")
    work.check_data()
    work.ask_settings()
    filled(work, run="mine", **TINY)
    work.train()
    run = drive.HOME / "n2seg" / "mine"
    assert work.model.run.path == run
    assert work.model.settings.images == str(on_drive / "images"), "where the images are, not where they were copied to"
    assert (run / "weights_best.h5").is_file()

    work.judge()
    assert (run / "quality" / "metrics.csv").is_file()
    said = capsys.readouterr().out
    assert "Mean over 4 images" in said
    assert "PSNR (dB), higher is better  29.0" in said
    work.ask_result()
    filled(work, dtype="input")
    work.predict()
    assert [f.name for f in list_images(run / "denoised")] == [f"nuclei_0{i}.tif" for i in (1, 2, 3, 4)]
    assert all(tifffile.imread(f).dtype == "uint16" for f in list_images(run / "denoised"))
    work.browse()
    work.report()
    assert (run / "report.html").is_file()

    work.download()
    [archive] = colab.files.downloaded
    assert Path(archive).name == "mine.zip"
    assert drive.MOUNT not in Path(archive).parents, "packed on the local disk"
    with zipfile.ZipFile(archive) as packed:
        names = {"weights_best.h5", "settings.yaml", "report.html", "denoised/nuclei_01.tif"}
        assert names <= set(packed.namelist())

    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    filled(work, epochs=1)
    work.train()
    assert work.model.run.path == drive.HOME / "n2seg" / "mine_2"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before, "an earlier run is kept"
    assert f"{run} holds an earlier run, and is kept: this one goes to mine_2" in capsys.readouterr().out

    forms._forms.clear()  # the next session
    again = asked()
    again.form.buttons["data"].click()
    assert again.form.settings().images == str(on_drive / "images"), "remembered on Drive, as it was entered"


@pytest.mark.parametrize("run", ["~/runs/mine", "{tmp}/elsewhere/mine"])
def test_a_run_folder_with_a_full_path_is_taken_as_it_is(run, on_drive, sample, tmp_path):
    work = asked(images=sample / "images")
    work.check_data()
    filled(work, run=run.format(tmp=tmp_path), **(TINY | {"epochs": 1}))
    work.train()
    assert (Path(run.format(tmp=tmp_path)).expanduser() / "weights_best.h5").is_file()
    assert not (drive.HOME / "n2seg" / "~").exists()


# Cells run in the wrong order


@pytest.mark.parametrize(
    "step", ["check_data", "ask_settings", "train", "judge", "ask_result", "predict", "browse", "report", "download"]
)
def test_a_cell_that_is_run_too_early_says_which_comes_first(step):
    with pytest.raises(UserError, match=r"run the cells of section \d first"):
        getattr(Denoising(), step)()


def test_images_with_a_fault_are_explained_and_stop_the_cell(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.tif").write_text("no image")
    work = asked(images=folder)
    with pytest.raises(UserError, match=r"a\.tif is not an image we can read, or is damaged. Save it again"):
        work.check_data()


def test_elsewhere_the_results_are_named_instead_of_downloaded(trained, capsys):
    work = Denoising()
    work.model = trained
    work.download()
    assert str(trained.run.path) in capsys.readouterr().out


def test_results_of_one_folder_are_never_shown_as_those_of_another(sample, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, factor in (("a", 1), ("b", 5)):
        (tmp_path / name / "images").mkdir(parents=True)
        for file in list_images(sample / "images"):
            tifffile.imwrite(tmp_path / name / "images" / file.name, tifffile.imread(file) * factor)
    work = asked(images=tmp_path / "a" / "images")
    work.check_data()
    work.ask_settings()
    filled(work, run=tmp_path / "run", **TINY)
    work.train()
    work.predict()
    first = work.results[1]
    work.predict()
    assert work.results[1] == first, "the same images again: nothing new"
    filled(work, images=tmp_path / "b" / "images")
    work.check_data()
    work.predict()
    assert work.results[1] != first
    assert Path(work.results[0]) == tmp_path / "b" / "images"
    one, other = ((folder / "nuclei_01.tif").read_bytes() for folder in (first, work.results[1]))
    assert one != other


def test_after_a_failure_the_next_cells_do_not_go_on_with_something_old(sample, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    work = asked(images=sample / "images")
    work.check_data()
    work.ask_settings()
    filled(work, run=tmp_path / "run", **TINY)
    work.train()
    filled(work, patch_size=512)
    with pytest.raises(UserError, match="patch_size"):
        work.train()
    with pytest.raises(UserError, match="section 4"):
        work.judge()
    filled(work, images=tmp_path / "nowhere")
    with pytest.raises(UserError, match="nowhere"):
        work.check_data()
    with pytest.raises(UserError, match="section 2"):
        work.ask_settings()
