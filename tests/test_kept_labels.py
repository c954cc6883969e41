"""Labels that a model found, looked at and kept: what becomes of them, and who judges."""

import shutil

import ipywidgets as widgets
import numpy as np
import pytest
import tifffile

from n2seg_utils import SegmentSettings, UserError, train_segmenter
from n2seg_utils.data.files import stem
from n2seg_utils.data.tables import read_table
from n2seg_utils.models.kept_labels import KeptWork, go_on_settings, keep, without_mask
from n2seg_utils.models.segment_report import judge_segmenter, write_segment_report
from n2seg_utils.ui.label_grid import LabelGrid
from n2seg_utils.ui.segmenting import Segmenting

from .conftest import SMALL

SHORT = SMALL | {"epochs": 3, "steps_per_epoch": 8}


@pytest.fixture(scope="module")
def few(sample, tmp_path_factory):
    """The sample with masks of its first two images only, one of them in part unknown, and a model of these."""
    folder = tmp_path_factory.mktemp("few")
    for kind in ("images", "masks"):
        shutil.copytree(sample / kind, folder / kind)
    files = sorted((folder / "masks").iterdir())
    for file in files[2:]:
        file.unlink()
    mask = tifffile.imread(files[0]).astype("int32")
    mask[:8] = -1
    tifffile.imwrite(files[0], mask)
    settings = SegmentSettings(
        images=str(folder / "images"), masks=str(folder / "masks"), run=str(folder / "run"), **SHORT
    )
    model = train_segmenter(settings)
    model.predict_folder(folder / "images", folder / "found")
    return folder, model


def test_only_images_without_a_mask_can_be_kept(few, tmp_path):
    folder, model = few
    names = [stem(image.path) for image in without_mask(model)]
    assert names == [stem(file) for file in sorted((folder / "images").iterdir())][2:]
    with pytest.raises(UserError, match="have no mask and were segmented"):
        keep(model, folder / "found", ["nuclei_01"], tmp_path / "masks")
    with pytest.raises(UserError, match=r"were segmented\. Segment all images first"):
        keep(model, tmp_path, names[:1], tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_kept_labels_lie_beside_the_masks_that_were_drawn(few, tmp_path):
    folder, model = few
    name = stem(without_mask(model)[0].path)
    masks = keep(model, folder / "found", [name], tmp_path / "masks")
    drawn = sorted((folder / "masks").iterdir())
    assert sorted(file.name for file in masks.iterdir()) == sorted([*(f.name for f in drawn), f"{name}.tif"])
    same = np.testing.assert_array_equal
    same(tifffile.imread(masks / f"{name}.tif"), tifffile.imread(folder / "found" / f"{name}.tif"))
    for file in drawn:
        same(tifffile.imread(masks / file.name), tifffile.imread(file), err_msg="unknown, too")
    with pytest.raises(UserError, match="is there already"):
        keep(model, folder / "found", [name], masks)


def test_what_was_kept_is_learned_from_and_judges_nothing(few, tmp_path):
    folder, model = few
    names = [stem(image.path) for image in without_mask(model)]
    masks = keep(model, folder / "found", names, tmp_path / "masks")
    better = KeptWork(go_on_settings(model, masks, tmp_path / "run_2")).train()
    before, now = (
        {row["image"]: row["use"] for row in read_table(run / "split.csv")} for run in (model.run, better.run)
    )
    assert len(now) == len(before) + len(names)
    assert {image: now[image] for image in before} == before
    assert {now[f"{name}.tif"] for name in names} == {"train"}
    assert better.run.facts()["start"]["new"] == [], "all of the earlier network is where it begins"
    better.run.note(kept=names)
    report = write_segment_report(better, judge_segmenter(better)).read_text(encoding="utf-8")
    assert f"{len(names)} images had no mask: labels that an earlier model found were looked at" in report


# The grid


def picture(name):
    return b"png of " + name.encode(), "5 objects"


def ticks(grid):
    return [tick for _, tick in grid.cells]


def test_a_grid_shows_twelve_at_a_time_and_remembers_what_was_ticked():
    asked = []
    grid = LabelGrid([f"image {n}" for n in range(30)], lambda name: (asked.append(name), picture(name))[1])
    assert len(asked) == len(grid.grid.children) == 12
    assert ticks(grid)[3].description == "5 objects: image 3"
    assert (grid.before.disabled, grid.after.disabled) == (True, False)
    ticks(grid)[3].value = True
    grid.after.click()
    grid.after.click()
    assert len(grid.grid.children) == 6
    assert grid.after.disabled
    ticks(grid)[0].value = True
    grid.before.click()
    grid.before.click()
    assert ticks(grid)[3].value
    assert len(asked) == 30, "no picture is made twice"
    assert grid.kept == ["image 3", "image 24"]
    assert grid.place.value == "1 to 12 of 30; 2 kept"


def test_all_of_a_page_can_be_kept_or_left():
    grid = LabelGrid([f"image {n}" for n in range(15)], picture)
    every, none = grid.box.children[1].children[3:5]
    assert isinstance(every, widgets.Button)
    every.click()
    assert len(grid.kept) == 12
    none.click()
    assert grid.kept == []


def test_pictures_can_be_made_larger_to_look_closely():
    grid = LabelGrid([f"image {n}" for n in range(15)], picture)
    widths = {part.layout.width for cell in grid.grid.children for part in cell.children}
    assert widths == {"220px"}
    grid.size.label = "large"
    assert {part.layout.width for cell in grid.grid.children for part in cell.children} == {"440px"}
    grid.turn(1)
    assert {part.layout.width for cell in grid.grid.children for part in cell.children} == {"440px"}


# The notebook


@pytest.fixture
def notebook(few, tmp_path, monkeypatch):
    """Notebook 2 after its images were segmented."""
    monkeypatch.chdir(tmp_path)
    folder, model = few
    work = Segmenting()
    work.model, work.results, work.images, work.masks = (
        model,
        (folder / "images", folder / "found"),
        folder / "images",
        "",
    )
    return work


def test_the_notebook_trains_on_with_what_was_ticked(notebook, few, tmp_path, capsys):
    folder, model = few
    notebook.choose_labels()
    assert [name.startswith("nuclei_") for name in notebook.grid.names] == [True, True]
    png, words = notebook.grid.known[notebook.grid.names[0]]
    assert png.startswith(b"\x89PNG")
    assert "object" in words
    notebook.train_on()
    assert "Nothing was ticked" in capsys.readouterr().out
    assert notebook.model is model
    ticks(notebook.grid)[1].value = True
    kept = list(notebook.grid.kept)
    notebook.train_on()
    assert notebook.model.run.path == folder / "run_2"
    assert notebook.model.run.facts()["kept"] == kept
    assert (folder / "run_2_masks" / f"{kept[0]}.tif").exists()
    assert notebook.scores["per_image"]
    assert notebook.results is None
    assert "run the cells of section 6 again" in capsys.readouterr().out


def test_the_notebook_says_so_where_there_is_nothing_to_choose(notebook, sample, capsys):
    notebook.model.settings, before = (
        notebook.model.settings.replace(masks=str(sample / "masks")),
        notebook.model.settings,
    )
    try:
        notebook.choose_labels()
        notebook.train_on()
    finally:
        notebook.model.settings = before
    said = capsys.readouterr().out
    assert "has a mask already" in said
    assert "the model stays as it is" in said
