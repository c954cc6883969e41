"""Whole notebooks in JupyterLab: stopping, going on, reloading the tab, sliders, viewers and reports."""

import re

import pytest
from playwright.sync_api import expect

from .notebook_page import open_notebook, report_of, wait_for

TINY = {"network_width": 8, "network_depth": 1, "minutes": 0, "epochs": 2, "steps_per_epoch": 4, "patch_size": 32}
SMALL = TINY | {"network_depth": 2, "epochs": 6, "steps_per_epoch": 20, "patch_size": 64, "batch_size": 4}


def look_at(page, report, least):
    """Open a report as a double click does; all of its pictures are drawn."""
    page.goto(report.as_uri())
    found = page.locator("img")
    assert found.count() >= least
    for number in range(found.count()):
        wait_for(
            lambda n=number: found.nth(n).evaluate("image => image.naturalWidth"), f"picture {number} of the report"
        )
    expect(page.locator("h1").first).to_be_visible()


def test_a_stopped_training_is_used_and_gone_on_with_and_a_reloaded_tab_loses_nothing(page, serving):
    server = serving(**TINY | {"epochs": 300, "steps_per_epoch": 40})
    notebook = open_notebook(page, server, "1")
    notebook.run_all()
    notebook.shows("Train", re.compile(r"epoch ([3-9]|[1-9]\d) of 300"))
    notebook.stop()
    notebook.shows("Train", "stopped by you. The best weights so far are kept, and the next cells work.")
    notebook.wait_for_end()
    notebook.wait_for_pictures("Judge the result", 2)
    assert not notebook.complaints()

    notebook.run_all()
    notebook.shows("How to train?", "the next cell goes on with it")
    notebook.shows("Train", "and goes on from there")
    notebook.wait_for_pictures("Train")
    notebook.save()
    notebook.reload()
    # Jupyter keeps what was shown when the notebook was saved; what comes while a tab is closed, it does not bring.
    notebook.shows("Train", re.compile(r"epoch \d+ of 300"))
    notebook.wait_for_pictures("Train")
    notebook.wait_until_idle()
    notebook.run_from("Judge the result")
    notebook.wait_for_end()
    notebook.wait_for_pictures("Judge the result", 2)
    notebook.wait_for_pictures("Look at the results")
    assert not notebook.complaints()
    look_at(page, report_of(server), 3)


def test_segmentation_shows_what_other_thresholds_find_and_ends_in_a_report(page, serving):
    server = serving(**SMALL)
    notebook = open_notebook(page, server, "2")
    notebook.run_all()
    notebook.wait_for_end()
    notebook.shows("Train", re.compile("Training: finished. Best of 6 epochs"))
    notebook.wait_for_pictures("Train")
    assert not notebook.complaints()
    notebook.wait_for_pictures("Read and check images and masks")
    notebook.wait_for_pictures("Judge the result", 2)

    cell = "Try thresholds on an image"
    notebook.wait_for_pictures(cell)
    before = notebook.source_of(cell)
    notebook.move_slider("Threshold", cell, times=4)
    notebook.wait_for_other_picture(cell, before)

    cell = "Look at the results"
    before = notebook.source_of(cell)
    image = notebook.field("Image", cell)
    image.select_option(index=1)
    notebook.wait_for_other_picture(cell, before)
    notebook.shows(cell, image.locator("option:checked").inner_text() + ".tif: one image of 256 x 256")
    look_at(page, report_of(server), 3)


@pytest.mark.parametrize("sample", ["nuclei3d", "two_channels"])
def test_a_volume_is_looked_through_plane_by_plane_and_channels_one_by_one(page, serving, sample):
    notebook = open_notebook(page, serving(**TINY | {"sample": sample, "batch_size": 2}), "1")
    notebook.run_all()
    notebook.wait_for_end()
    cell = "Look at the results"
    notebook.wait_for_pictures(cell)
    before = notebook.source_of(cell)
    if sample == "nuclei3d":
        notebook.move_slider("Plane", cell, times=3)
        notebook.wait_for_other_picture(cell, before)
        before = notebook.source_of(cell)
        assert notebook.move_slider("Zoom", cell, times=2) == "4 x"
    else:
        notebook.move_slider("Channel", cell)
    notebook.wait_for_other_picture(cell, before)
    assert not notebook.complaints()


def test_joint_training_shows_both_results_and_ends_in_a_report(page, serving):
    server = serving(**SMALL)
    notebook = open_notebook(page, server, "3")
    notebook.run_all()
    notebook.wait_for_end()
    notebook.shows("Train", re.compile("Training: finished. Best of 6 epochs"))
    notebook.wait_for_pictures("Train")
    assert not notebook.complaints()
    notebook.wait_for_pictures("When does joint training pay?")
    notebook.wait_for_pictures("Judge the result", 3)
    cell = "Try the model on a piece of an image"
    notebook.wait_for_pictures(cell)
    before = notebook.source_of(cell)
    notebook.move_slider("Down %", cell, times=20)
    notebook.wait_for_other_picture(cell, before)
    notebook.wait_for_pictures("Look at the results")
    look_at(page, report_of(server), 4)


def test_quality_control_shows_scores_a_curtain_a_profile_and_a_report(page, serving):
    server = serving()
    notebook = open_notebook(page, server, "4")
    notebook.run_all()
    notebook.wait_for_end()
    assert not notebook.complaints()
    notebook.shows("Judge all images", "PSNR")
    notebook.wait_for_pictures("The pictures", 3)
    for cell, label in (("Curtain", "Curtain %"), ("Line profile", "From y")):
        notebook.wait_for_pictures(cell)
        before = notebook.source_of(cell)
        notebook.move_slider(label, cell, times=10)
        notebook.wait_for_other_picture(cell, before)
    cell = "Where is the report?"
    notebook.at(cell).locator(notebook.output).get_by_role("link").first.click()
    expect(page.get_by_role("tab", name="report.html")).to_be_visible()
    look_at(page, report_of(server), 3)


def test_the_comparison_says_what_it_would_train_and_how_long(page, serving):
    notebook = open_notebook(page, serving(), "5")
    notebook.run_to("What to compare?")
    notebook.fill("Repetitions (seeds)", 0, "What to compare?")
    notebook.shows("What to compare?", re.compile("seeds is 0; it must be"))
    notebook.fill("Repetitions (seeds)", 2, "What to compare?")
    plan = "The plan: how many trainings, how long?"
    notebook.run_to(plan)
    notebook.shows(plan, re.compile(r"\d+ runs in "))
    notebook.shows(plan, re.compile("What is missing takes about"))
    assert not notebook.complaints()
