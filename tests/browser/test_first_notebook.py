"""Notebook 1, filled in and run by a person: on JupyterLab, and on the generation of widgets that Colab has."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from n2seg_utils.data.samples import write_sample

from .notebook_page import open_notebook, report_of

DATA, TRAINING = "Which images?", "How to train?"
# A training long enough to be watched on a fast computer too, entered by hand.
ENTERED = {"Network depth": 1, "Network width": 8, "Epochs": 6, "Steps per epoch": 150, "Patch size": 32}


@pytest.mark.both
def test_a_folder_is_denoised_with_nothing_but_the_form_and_run_all(page, serving, tmp_path):
    images = write_sample("nuclei", tmp_path / "made", count=4) / "images"
    server = serving()
    shutil.copytree(images, server.folder / "my cells")
    notebook = open_notebook(page, server, "1")
    notebook.run_to(DATA)
    notebook.fill("Noisy images", "my cells", DATA)
    notebook.run_to(TRAINING)
    notebook.fill("Run folder", "denoised cells", TRAINING)
    assert "no folder" not in notebook.shown("Read and check the images"), "the entered folder is read"

    notebook.fill("Training time", "soon", TRAINING)
    message = notebook.at(TRAINING).get_by_text("minutes is 'soon'; it must be a number")
    expect(message).to_be_visible()
    notebook.fill("Training time", 0, TRAINING)
    expect(message).to_have_count(0)
    assert not notebook.field("Epochs", TRAINING).is_visible()
    notebook.open_advanced(TRAINING)
    for label, value in ENTERED.items():
        notebook.fill(label, value, TRAINING)

    notebook.run_all()
    notebook.shows("Train", re.compile(r"epoch [1-3] of 6"))
    notebook.wait_for_pictures("Train")
    first = notebook.source_of("Train")
    notebook.shows("Train", re.compile(r"epoch [4-6] of 6"))
    notebook.wait_for_other_picture("Train", first)
    notebook.shows("Train", re.compile(r"finished\. Best of 6 epochs"))
    notebook.wait_for_end()
    assert notebook.field("Noisy images", DATA).input_value() == "my cells", "running a form again keeps what is in it"
    notebook.wait_for_pictures("Judge the result", 2)
    notebook.wait_for_pictures("Look at the results")
    report = report_of(server)
    assert report.parent == server.folder / "denoised cells"
    notebook.shows("Write the report", str(report))
    assert not notebook.complaints()
