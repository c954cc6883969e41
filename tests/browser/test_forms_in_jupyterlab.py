"""The forms of all notebooks in JupyterLab: what they ask, by hand, by keyboard, in the dark, and enlarged."""

import pytest
from playwright.sync_api import expect

from n2seg_utils import settings

from .notebook_page import open_notebook
from .servers import serve

# The cell that asks for the data, and whose settings it shows.
FORMS = {
    "1": ("Which images?", settings.DenoiseSettings),
    "2": ("Which images, and which masks?", settings.SegmentSettings),
    "3": ("Which images, and which masks?", settings.JointSettings),
    "4": ("What to judge?", settings.QualitySettings),
    "5": ("Which images, and which masks?", settings.CompareSettings),
}
_INPUTS = "input:visible, select:visible"
# The place of the element that has the focus among the fields of a form; -1 if it is none of them.
_FOCUS = "form => [...form.querySelectorAll('input, select')].indexOf(document.activeElement)"
_CUT = """form => [...form.querySelectorAll('label')]
    .filter(one => one.offsetWidth && one.scrollWidth > one.offsetWidth).map(one => one.innerText)"""
# Relative luminance and contrast as WCAG 2 defines them, of all text of a form against the first ground below it.
_CONTRAST = """form => {
    const channels = text => text.match(/[0-9.]+/g).map(Number);
    const light = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    const luminance = c => 0.2126 * light(c[0]) + 0.7152 * light(c[1]) + 0.0722 * light(c[2]);
    const ground = one => {
        for (; one; one = one.parentElement) {
            const colour = channels(getComputedStyle(one).backgroundColor);
            if (colour.length < 4 || colour[3] > 0.5) return colour;
        }
        return [255, 255, 255];
    };
    const worst = {};
    for (const one of form.querySelectorAll('label, input, select, div, span, b')) {
        const own = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) || 'value' in one;
        if (!own || !one.offsetWidth) continue;
        const below = ground(one), style = getComputedStyle(one);
        let opacity = 1;
        for (let up = one; up && up !== form; up = up.parentElement) opacity *= Number(getComputedStyle(up).opacity);
        const drawn = channels(style.color).slice(0, 3).map((c, i) => opacity * c + (1 - opacity) * below[i]);
        const [low, high] = [luminance(drawn), luminance(below)].sort((a, b) => a - b);
        worst[(one.innerText || one.value || one.tagName).slice(0, 40)] = (high + 0.05) / (low + 0.05);
    }
    return worst;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("forms")) as started:
        yield started


def labels(cls, section="data", advanced=False):
    """The labels of the fields of a form, as they are shown."""
    found = [one for one in cls.knobs().values() if one.section == section and one.advanced == advanced]
    return [one.label + (f" ({one.unit})" if one.unit else "") for one in found]


@pytest.mark.parametrize("number", FORMS)
def test_each_notebook_shows_its_form_in_which_every_field_has_its_name(page, server, number):
    cell, cls = FORMS[number]
    notebook = open_notebook(page, server, number)
    notebook.run_to(cell)
    assert labels(cls)
    for label in labels(cls):
        expect(notebook.field(label, cell)).to_be_visible()
    folded = labels(cls, advanced=True)
    if folded:
        assert not notebook.field(folded[0], cell).is_visible()
        notebook.open_advanced(cell)
        for label in folded:
            expect(notebook.field(label, cell)).to_be_visible()
    form = notebook.at(cell).locator(notebook.output)
    assert form.locator(_INPUTS).count() == len(labels(cls) + folded)
    assert form.first.evaluate(_CUT) == [], "labels that are cut off"
    assert not notebook.complaints()

    form.locator(_INPUTS).first.focus()
    reached = [form.first.evaluate(_FOCUS)]
    for _ in range(2 * len(labels(cls) + folded) + 2):
        page.keyboard.press("Tab")
        reached.append(form.first.evaluate(_FOCUS))
    assert set(range(len(labels(cls) + folded))) <= set(reached), "each field is reached with Tab"
    assert [place for place in reached if place >= 0] == sorted(place for place in reached if place >= 0)


def test_the_form_of_the_training_is_legible_in_the_dark_and_fits_when_everything_is_twice_as_large(browser, tmp_path):
    with serve(tmp_path / "dark", dark=True) as server:
        # Twice as large is half the window, with twice the pixels.
        context = browser.new_context(viewport={"width": 750, "height": 550}, device_scale_factor=2)
        page = context.new_page()
        notebook = open_notebook(page, server, "1")
        page.get_by_role("tab", name="File Browser").first.click()  # folds it away, for room
        cell = "How to train?"
        notebook.run_to(cell)
        notebook.fill("Training time", "soon", cell)
        expect(notebook.at(cell).get_by_text("minutes is 'soon'")).to_be_visible()
        notebook.open_advanced(cell)
        form = notebook.at(cell).locator(notebook.output).first
        expect(notebook.field("Epochs", cell)).to_be_visible()
        assert page.locator("body[data-jp-theme-light='false']").count() == 1
        faint = {words: round(found, 1) for words, found in form.evaluate(_CONTRAST).items() if found < 4}
        assert not faint
        for label in labels(notebook_settings(), "training") + labels(notebook_settings(), "training", True):
            box = notebook.field(label, cell)
            box.scroll_into_view_if_needed()
            place = box.bounding_box()
            assert place["x"] + place["width"] <= 750, f"'{label}' is cut off"
        page.screenshot(path=tmp_path / "dark.png")
        context.close()


def notebook_settings():
    return FORMS["1"][1]


def test_a_folder_is_chosen_from_those_that_are_there_and_files_are_uploaded(page, server, tmp_path):
    (server.folder / "my scans").mkdir()
    (server.folder / "my scans" / "a.tif").touch()
    (tmp_path / "b.tif").write_bytes(b"pixels")
    notebook = open_notebook(page, server, "1")
    cell, field = "Which images?", labels(settings.DenoiseSettings)[0]
    notebook.run_to(cell)
    form = notebook.at(cell).locator(notebook.output).first
    form.get_by_role("button", name="Choose a folder").first.click()
    form.get_by_role("listbox").select_option(label="my scans")
    form.get_by_role("button", name="Open").click()
    expect(form.get_by_text("my scans (1 image)")).to_be_visible()
    page.screenshot(path=tmp_path / "folders.png")
    form.get_by_role("button", name="Use this folder").click()
    expect(notebook.field(field, cell)).to_have_value(str(server.folder / "my scans"))
    form.get_by_role("button", name="Choose a folder").first.click()
    with page.expect_file_chooser() as asked:
        form.get_by_role("button", name="Upload files").click()
    asked.value.set_files(tmp_path / "b.tif")
    expect(notebook.field(field, cell)).to_have_value(str(server.folder / "uploads" / "images"))
    assert (server.folder / "uploads" / "images" / "b.tif").read_bytes() == b"pixels"
    assert not notebook.complaints()
