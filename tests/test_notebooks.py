"""The notebooks are well formed, and "Run all" works: with nothing filled in, with a folder, and with a mistake."""

import csv
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
import tifffile

from n2seg_utils import UserError
from n2seg_utils.data.images import open_image
from n2seg_utils.data.samples import make_image, write_sample
from n2seg_utils.notebooks import find_notebook, run_notebook

from .conftest import SMALL, TINY

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]_*.ipynb"))
ON_COLAB_ROW = bool(os.environ.get("N2SEG_COLAB_ROW"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request):
    """Each notebook, read."""
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_notebooks_are_valid_and_hold_no_output(notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in code_cells(notebook):
        assert not cell.outputs
        assert cell.execution_count is None
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_notebooks_ask_colab_for_a_gpu_and_start_anywhere(notebook):
    assert notebook.metadata.accelerator == "GPU"
    assert notebook.metadata.colab.gpuType == "T4"
    assert notebook.metadata.kernelspec.name == "python3"


def test_notebooks_are_thin(notebook):
    cells = code_cells(notebook)
    assert len(cells) <= 20
    for cell in cells:
        assert len(cell.source.splitlines()) <= 15
        assert "def " not in cell.source
        assert cell.metadata.get("cellView") == "form"
        assert cell.source.startswith("# @title")


def test_notebooks_have_all_sections_in_order(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (\d)", text, re.MULTILINE) == [str(n) for n in range(1, 8)]
    assert "colab-badge.svg" in notebook.cells[0].source


def test_the_badge_and_the_install_line_name_the_release(notebook):
    from n2seg_utils import about

    assert f"/blob/{about.TAG}/" in notebook.cells[0].source
    assert any(f"@{about.TAG}" in cell.source for cell in code_cells(notebook))


def test_notebooks_are_found_by_number_and_name():
    assert (
        find_notebook("1") == find_notebook("1_Noise2Void_denoising") == find_notebook("1_Noise2Void_denoising.ipynb")
    )
    with pytest.raises(UserError, match="1_Noise2Void_denoising"):
        find_notebook("nonsense")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder as in Colab (with a stand-in for google.colab) or as on a local computer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "standins" if ON_COLAB_ROW else ROOT))
    monkeypatch.setenv("N2SEG_DRIVE", str(tmp_path / "drive"))
    return tmp_path


def outputs(path):
    """All that an executed notebook shows, as text."""
    cells = code_cells(nbformat.read(path, as_version=4))
    return "\n".join(json.dumps(cell.outputs) for cell in cells)


@pytest.mark.notebook
def test_run_all_with_nothing_filled_in_ends_in_a_report(place):
    executed = run_notebook("1", TINY, place / "executed.ipynb", timeout=600)
    shown = outputs(executed)
    assert "built-in sample" in shown
    assert "Training</b>: finished." in shown
    assert shown.count("image/png") >= 4
    [report] = place.rglob("report.html")
    assert report.stat().st_size > 50_000
    assert (report.parent / "settings.yaml").exists()
    assert len(list((report.parent / "denoised").glob("*.tif"))) == 12
    assert (report.parent / "quality" / "summary.json").exists()
    assert "Traceback" not in shown
    assert "stderr" not in shown, "no warnings in pink"
    if ON_COLAB_ROW:
        assert (place / "drive" / "MyDrive") in report.parents, "what is not on Drive is lost with the session"


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("sample", "axes", "algorithm", "seen"),
    [
        ("nuclei3d", "ZYX", "structn2v", "24 planes of 96 x 96"),
        ("two_channels", "CYX", "n2v2", "2 channels of 256 x 256"),
    ],
)
def test_run_all_with_volumes_and_with_two_channels(place, sample, axes, algorithm, seen):
    wanted = TINY | {"sample": sample, "algorithm": algorithm, "batch_size": 2}
    shown = outputs(run_notebook("1", wanted, place / "executed.ipynb", timeout=600))
    assert seen in shown
    assert "Traceback" not in shown
    assert "stderr" not in shown
    [report] = place.rglob("report.html")
    facts = json.loads((report.parent / "run.json").read_text())
    assert facts["network"]["dims"] == (3 if "Z" in axes else 2)
    for result in sorted((report.parent / "denoised").glob("*.tif")):
        image, source = (open_image(p) for p in (result, next(place.rglob(f"images/{result.name}"))))
        assert (image.axes, image.shape, image.calibration) == (axes, source.shape, source.calibration)
    drawn = {p.name for p in (report.parent / "quality").glob("*.png")}
    assert (len(drawn), "filters.png" in drawn) == (4, True)


@pytest.mark.notebook
def test_run_all_with_a_folder_of_ones_own(place):
    folder = place / "drive" / "MyDrive" / "my images" if ON_COLAB_ROW else place / "my images"
    folder.mkdir(parents=True)
    for number in range(3):
        tifffile.imwrite(folder / f"cell {number}.tif", make_image("spots", number, shape=(90, 120))[0])
    wanted = TINY | {"images": str(folder), "run": "bäcteria", "dtype": "input"}
    shown = outputs(run_notebook("1", wanted, place / "executed.ipynb", timeout=600))
    assert "You gave no clean images" in shown
    results = sorted(place.rglob("denoised/*.tif"))
    assert [p.name for p in results] == ["cell 0.tif", "cell 1.tif", "cell 2.tif"]
    assert tifffile.imread(results[0]).dtype == "uint16"
    assert ("Copying from Drive" in shown) == ON_COLAB_ROW


@pytest.mark.notebook
def test_run_all_of_segmentation_with_nothing_filled_in_ends_in_counts_and_a_report(place):
    executed = run_notebook("2", SMALL | {"epochs": 6}, place / "executed.ipynb", timeout=600)
    shown = outputs(executed)
    assert "built-in sample" in shown
    assert "The masks show objects, each with its own number" in shown
    assert "Training</b>: finished." in shown
    assert "Tuning on the validation images</b>: threshold" in shown
    assert shown.count("image/png") >= 6
    assert "Traceback" not in shown
    assert "stderr" not in shown, "no warnings in pink"
    [report] = place.rglob("report.html")
    assert report.stat().st_size > 100_000
    results = report.parent / "labels"
    assert len(list(results.glob("*.tif"))) == 12
    counts = list(csv.DictReader((results / "counts.csv").open()))
    assert sum(int(row["objects"]) for row in counts) == len(list(csv.DictReader((results / "objects.csv").open())))
    assert f"{sum(int(row['objects']) for row in counts)} objects" in shown
    assert json.loads((report.parent / "quality" / "summary.json").read_text())["kind"] == "instances"


@pytest.mark.notebook
def test_run_all_of_segmentation_with_volumes_and_masks_of_ones_own(place):
    folder = place / "drive" / "MyDrive" / "mine" if ON_COLAB_ROW else place / "mine"
    for kind in ("images", "drawn"):
        (folder / kind).mkdir(parents=True)
    for number in range(3):
        image, _, labels = make_image("nuclei3d", number, shape=(12, 64, 64))
        about = {"imagej": True, "metadata": {"axes": "ZYX"}}
        tifffile.imwrite(folder / "images" / f"cell {number}.tif", image, **about)
        black_and_white = ((labels > 0) * 255).astype("uint8")
        tifffile.imwrite(folder / "drawn" / f"cell {number}_mask.tif", black_and_white, **about)
    wanted = TINY | {
        "images": str(folder / "images"),
        "masks": str(folder / "drawn"),
        "patch_depth": 8,
        "batch_size": 2,
    }
    wanted |= {"target": "instances", "method": "distance", "outlines": "imagej"}
    shown = outputs(run_notebook("2", wanted, place / "executed.ipynb", timeout=600))
    assert "objects, told apart by the gaps between them" in shown
    assert "Traceback" not in shown
    assert "stderr" not in shown
    results = sorted(place.rglob("labels/cell*.*"))
    names = ["cell 0.tif", "cell 0.zip", "cell 1.tif", "cell 1.zip", "cell 2.tif", "cell 2.zip"]
    assert [p.name for p in results if p.parent.parent.name == "segment"] == names


@pytest.mark.notebook
def test_run_all_of_joint_training_with_nothing_filled_in_ends_in_both_results_and_a_report(place):
    executed = run_notebook("3", SMALL | {"epochs": 6}, place / "executed.ipynb", timeout=600)
    shown = outputs(executed)
    assert "built-in sample" in shown
    assert "8 images without a mask" in shown
    assert "They teach to denoise." in shown
    assert "Training</b>: finished." in shown
    assert "PSNR (dB), higher is better" in shown, "the sample has clean images"
    assert shown.count("image/png") >= 8
    assert "Traceback" not in shown
    assert "stderr" not in shown, "no warnings in pink"
    [report] = place.rglob("report.html")
    text = report.read_text(encoding="utf-8")
    assert "PSNR (dB)" in text
    assert "AP at IoU 0.5" in text
    for kind in ("denoised", "labels"):
        assert len(list((report.parent / "results" / kind).glob("*.tif"))) == 12
    assert (report.parent / "results" / "labels" / "counts.csv").exists()
    metrics = json.loads((report.parent / "run.json").read_text())["metrics"]
    assert {"ap50", "psnr", "ssim", "nrmse"} <= set(metrics)


WHAT = {
    "restored": (
        {},
        ["is better", "a Gaussian blur whose strength is chosen from the raw images alone", "dim spots"],
        "maps",
    ),
    "labels": ({"what": "labels"}, ["average precision at IoU 0.5", "objects that were split"], "objects.csv"),
    "without truth": ({"truth": ""}, ["The noise that was removed", "3 images judged"], "metrics.csv"),
}


@pytest.mark.notebook
@pytest.mark.parametrize("what", WHAT)
def test_run_all_of_quality_control_ends_in_words_pictures_and_a_report(place, what):
    more, words, made = WHAT[what]
    if what == "without truth":
        images = str(write_sample("nuclei", place / "mine", count=3) / "images")
        more = more | {"prediction": str(place / "mine" / "clean"), "raw": images}
    shown = outputs(run_notebook("4", more, place / "executed.ipynb", timeout=600))
    for text in words:
        assert text in shown, text
    assert shown.count("image/png") >= 3
    assert "Traceback" not in shown
    assert "stderr" not in shown, "no warnings in pink"
    [report] = place.rglob("report.html")
    assert report.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert (report.parent / made).exists()


@pytest.mark.notebook
def test_run_all_of_the_comparison_ends_in_a_figure_a_sentence_and_a_report(place):
    other = "network_width = 8; network_depth = 1; patch_size = 32; batch_size = 4"
    wanted = {"steps": 60, "annotated": "all", "seeds": 1, "sequential": True, "joint": False, "other": other}
    shown = outputs(run_notebook("5", wanted, place / "executed.ipynb", timeout=600))
    assert "built-in sample" in shown
    assert "2 runs in " in shown
    assert "2 of 2 runs done" in shown
    assert "With your 9 annotated images" in shown
    assert shown.count("image/png") >= 3
    assert "Traceback" not in shown
    assert "stderr" not in shown, "no warnings in pink"
    [report] = list(place.rglob("comparison/report.html"))
    results = next(path for path in report.parent.glob("results_of_*"))
    assert len(list(results.rglob("*.tif"))) in (12, 24)
    rows = list(csv.DictReader((report.parent / "runs.csv").open()))
    assert sorted(row["method"] for row in rows) == ["segment", "sequential"]
    assert rows[0]["steps"] == rows[1]["steps"]
    assert (report.parent / "experiment.yaml").exists()
    if ON_COLAB_ROW:
        assert (place / "drive" / "MyDrive") in report.parents, "what is not on Drive is lost with the session"


@pytest.mark.notebook
def test_a_mistake_is_explained_in_a_plain_box_and_stops_run_all(place):
    (place / "empty").mkdir()
    with pytest.raises(UserError, match="is empty"):
        run_notebook("1", {"images": str(place / "empty")}, place / "executed.ipynb", timeout=600)
    shown = outputs(place / "executed.ipynb")
    assert "is empty. Put your images" in shown
    assert "Traceback" not in shown
    assert not list(place.rglob("run.json"))
