"""Forms explain, and keep what was entered; viewer, progress and boxes show it: on ipywidgets 7.7 and 8 alike."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest
import tifffile

from n2seg_utils import settings
from n2seg_utils.data.images import open_image
from n2seg_utils.errors import UserError
from n2seg_utils.knobs import parse, problem
from n2seg_utils.settings import DenoiseSettings
from n2seg_utils.ui import boxes, forms, runtime
from n2seg_utils.ui.viewer import browse

KNOBS = DenoiseSettings.knobs()
EVERY = [getattr(settings, name) for name in settings.__all__]
SECTIONS = ("data", "training", "result")
# The widgets that we use; ipywidgets 7.7 and 8 have them in common.
CORE = {"Accordion", "Button", "Checkbox", "Dropdown", "FloatRangeSlider", "HBox", "HTML", "Image", "IntSlider", "Text"}
CORE |= {"Box", "FileUpload", "Select", "SelectionSlider", "ToggleButton", "VBox"}
NASTY = '<b onclick="x()">&amp;\''
SUGGESTIONS = {"patch_size": (48, "the images are small & few"), "minutes": (3.0, "a GPU learns fast")}


@pytest.fixture(autouse=True)
def shown(monkeypatch, tmp_path):
    """What was displayed, in a new notebook of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("N2SEG_SET", raising=False)
    monkeypatch.setattr(forms, "_forms", {})
    things = []

    def display(thing, display_id=None):
        things.append(thing)
        return SimpleNamespace(update=things.append)

    monkeypatch.setattr("IPython.display.display", display)
    return things


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def parts(widget, kind):
    return [w for w in walk(widget) if isinstance(w, kind)]


def fields_in(widget):
    return parts(widget, (widgets.Text, widgets.Dropdown, widgets.Checkbox))


def words_in(widget):
    return " ".join(w.value for w in parts(widget, widgets.HTML))


def ask(section="training", suggestions=None):
    return forms.ask(DenoiseSettings, section, suggestions)


def message(form, name):
    return boxes.plain(form.fields[name].message.value)


# What is shown


def test_there_are_at_most_eight_basic_fields_and_the_rest_is_folded(shown):
    basic, folded = 0, 0
    for section in SECTIONS:
        ask(section)
        accordions = parts(shown[-1], widgets.Accordion)
        inside = sum(len(fields_in(a)) for a in accordions)
        assert all(a.selected_index is None for a in accordions), "folded to begin with"
        folded += inside
        basic += len(fields_in(shown[-1])) - inside
    assert 0 < basic <= 8
    assert basic + folded == len(KNOBS)
    assert folded == sum(about.advanced for about in KNOBS.values())


def test_the_fold_says_what_is_in_it(shown):
    ask("training")
    [accordion] = parts(shown[-1], widgets.Accordion)
    assert accordion.get_title(0).startswith("Advanced settings")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_shows_its_own_fields_in_order_each_beside_its_label_and_help(section, shown):
    form = ask(section)
    names = [name for name, about in KNOBS.items() if about.section == section]
    names.sort(key=lambda name: KNOBS[name].advanced)
    everything = list(walk(shown[-1]))
    places = [everything.index(form.fields[name].row) for name in names]
    assert places == sorted(places)
    assert len(fields_in(shown[-1])) == len(names)
    for name in names:
        about, line = KNOBS[name], form.fields[name].row.children[0]
        assert form.fields[name].widget in line.children
        label = form.fields[name].widget.description
        assert label.startswith(about.label), "what screen readers read"
        assert about.unit in label
        assert about.help in boxes.plain(words_in(line))
        assert about.example.removeprefix("/content/drive/MyDrive/") in boxes.plain(words_in(line))


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_beside_each_field_to_write_in_is_an_example_or_what_is_in_it(cls, shown):
    for name, about in cls.knobs().items():
        field = forms.Field(cls, name, getattr(cls, name))
        if isinstance(field.widget, widgets.Text):
            assert field.widget.value or "Example: " in words_in(field.row), name
            assert problem(about, name, parse(cls, name, about.example)) == "", "what is shown would work"


def test_examples_of_folders_are_called_as_folders_are_where_the_notebook_runs(shown, monkeypatch):
    assert str(Path.home() / "my_images") in boxes.plain(words_in(ask("data").fields["images"].row))
    monkeypatch.setattr(runtime, "place", lambda: "colab")
    monkeypatch.setattr(forms, "_forms", {})
    assert "/content/drive/MyDrive/my_images" in words_in(ask("data").fields["images"].row)


def test_a_suggestion_is_shown_in_place_of_an_example(shown):
    field = ask("training").fields["minutes"]
    assert "Example: 10" in words_in(field.row)
    field.suggest(3.0, "a GPU learns fast")
    assert "Example" not in words_in(field.row)


def test_only_core_widgets_are_used_and_nothing_deprecated(shown, sample):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        for section in SECTIONS:
            ask(section, SUGGESTIONS)
        shown.append(browse({"noisy": sample / "images"}))
    kinds = {type(widget).__name__ for tree in shown for widget in walk(tree)}
    assert len(shown) == 4
    assert kinds <= CORE
    assert {"Text", "Dropdown", "Checkbox", "IntSlider"} <= kinds


def test_an_empty_field_says_what_it_stands_for():
    form = ask()
    assert form.fields["minutes"].widget.placeholder == "chosen for you"
    assert form.fields["epochs"].widget.placeholder == "100"
    assert form.fields["truth"].widget.placeholder == ""


def test_numbers_are_entered_as_text_so_that_nothing_is_corrected_in_silence():
    form = ask()
    for name in ("minutes", "patch_size", "epochs", "learning_rate"):
        assert type(form.fields[name].widget) is widgets.Text
        form.fields[name].widget.value = "123456789"
        assert form.fields[name].widget.value == "123456789"


# Values


def test_an_untouched_form_gives_the_defaults():
    assert ask().settings() == DenoiseSettings()


def test_what_is_entered_is_what_the_next_cell_reads():
    form = ask()
    for name, text in {
        "minutes": "0",
        "epochs": " 12 ",
        "learning_rate": "1e-4",
        "run": "Läufe/1",
        "images": "a b",
    }.items():
        form.fields[name].widget.value = text
    form.fields["augment"].widget.value = False
    form.fields["normalisation"].widget.value = "image"
    expected = {"minutes": 0, "epochs": 12, "learning_rate": 1e-4, "run": "Läufe/1", "images": "a b"}
    assert form.settings() == DenoiseSettings(**expected, augment=False, normalisation="image")


def test_an_emptied_field_means_the_default():
    form = ask()
    for field in form.fields.values():
        if isinstance(field.widget, widgets.Text):
            field.widget.value = "x"
            field.widget.value = ""
    assert form.settings() == DenoiseSettings()


def test_running_the_cell_again_keeps_what_was_entered(shown):
    form = ask()
    form.fields["epochs"].widget.value = "7"
    form.fields["dtype"].widget.value = "input"
    again = ask()
    assert again is form
    assert form.fields["epochs"].widget in fields_in(shown[-1])
    assert ask("result").settings() == DenoiseSettings(epochs=7, dtype="input")


# Suggestions


def test_suggestions_are_shown_with_their_reasons_and_leave_fields_open():
    form = ask("training", SUGGESTIONS)
    for name, value in (("patch_size", "48"), ("minutes", "3")):
        field = form.fields[name]
        assert field.widget.placeholder == value
        said = boxes.plain(field.help.value)
        assert f"Suggested from your data: {value}, because {SUGGESTIONS[name][1]}." in said
        assert KNOBS[name].help in said
        assert getattr(form.settings(), name) is None
    assert "small & few" not in form.fields["patch_size"].help.value, "escaped"


def test_suggestions_never_replace_what_was_entered():
    form = ask()
    form.fields["patch_size"].widget.value = "96"
    ask("training", SUGGESTIONS)
    assert form.fields["patch_size"].widget.value == "96"
    assert form.settings().patch_size == 96


def test_new_suggestions_replace_old_ones():
    ask("training", SUGGESTIONS)
    form = ask("training", {"patch_size": (64, "they are large")})
    said = form.fields["patch_size"].help.value
    assert "they are large" in said
    assert said.count("Suggested") == 1


# Wrong values


@pytest.mark.parametrize(
    ("name", "typed", "said", "works"),
    [
        ("epochs", "0", "between 1 and 100000", "1"),
        ("epochs", "many", "a whole number", "100"),
        ("patch_size", "33", "a multiple of 4", "32"),
        ("learning_rate", "5", "between 1e-06 and 0.1", "0.1"),
        ("learning_rate", "0,001", "a number", "0.001"),
        ("minutes", "-1", "at least 0|between 0 and", "0"),
        ("kernel_size", "4", "odd", "5"),
    ],
)
def test_a_wrong_value_is_explained_at_once_with_one_that_works(name, typed, said, works):
    form = ask()
    assert message(form, name) == ""
    form.fields[name].widget.value = typed
    words = message(form, name)
    assert words.startswith(f"{name} is ")
    assert any(part in words for part in said.split("|"))
    assert words.endswith(f"use {works}")
    with pytest.raises(UserError) as caught:
        form.settings()
    assert words in str(caught.value)
    form.fields[name].widget.value = words.rpartition("use ")[2]
    assert message(form, name) == ""
    form.settings()


def test_what_depends_on_two_fields_is_explained_at_once_too():
    form = ask()
    form.fields["patch_size"].widget.value = "36"
    assert message(form, "patch_size") == ""
    form.fields["network_depth"].widget.value = "4"
    assert message(form, "patch_size").endswith("use 32")
    form.fields["network_depth"].widget.value = "2"
    assert message(form, "patch_size") == ""


def test_all_wrong_fields_are_listed_together():
    form = ask()
    for name, typed in {"epochs": "many", "batch_size": "0", "kernel_size": "4"}.items():
        form.fields[name].widget.value = typed
    with pytest.raises(UserError) as caught:
        form.settings()
    assert all(f"  {name} is " in str(caught.value) for name in ("epochs", "batch_size", "kernel_size"))
    assert len(str(caught.value).splitlines()) == 4


def test_what_was_typed_is_escaped_in_the_message():
    form = ask()
    form.fields["epochs"].widget.value = NASTY
    assert "<b" not in form.fields["epochs"].message.value
    assert NASTY in message(form, "epochs")


def test_forms_of_later_cells_are_no_new_widgets_that_a_reloaded_tab_could_not_show(shown, monkeypatch):
    ask("data")
    first, made = shown[-1], []
    monkeypatch.setattr(widgets.Widget, "open", made.append)
    for section in ("training", "result", "data"):
        ask(section)
    assert not made
    assert shown[-1] is first


# The last run


def button(shown):
    found = [one for one in parts(shown[-1], widgets.Button) if one.layout.display != "none"]
    return found[0] if found else None


def test_values_of_the_last_run_are_offered_and_filled_in(shown, monkeypatch):
    form = ask()
    assert button(shown) is None, "there is no last run yet"
    before = {"epochs": "7", "minutes": "2.5", "run": "Läufe/a", "images": "/data/Bilder"}
    for name, text in before.items():
        form.fields[name].widget.value = text
    form.fields["augment"].widget.value = False
    form.fields["normalisation"].widget.value = "dataset"
    form.remember()

    monkeypatch.setattr(forms, "_forms", {})  # another notebook, another day
    form = ask("training")
    assert form.settings() == DenoiseSettings(), "offered, not imposed"
    assert "last run" in button(shown).description
    button(shown).click()
    assert form.settings() == DenoiseSettings(
        epochs=7, minutes=2.5, run="Läufe/a", augment=False, normalisation="dataset"
    ), "only the section that is shown"
    ask("data")
    button(shown).click()
    assert form.settings().images == "/data/Bilder"


def test_values_left_open_are_remembered_as_open(shown, monkeypatch):
    ask().remember()
    monkeypatch.setattr(forms, "_forms", {})
    form = ask()
    form.fields["minutes"].widget.value = "5"
    button(shown).click()
    assert form.settings().minutes is None


@pytest.mark.parametrize("text", ["epochs: [", "epochs: 0", "normalisation: rainbow", "no_such: 1", "\x00"])
def test_damaged_values_of_a_last_run_are_not_offered(text, shown):
    ask().remember()
    [memory] = runtime.memory_folder().glob("*.yaml")
    memory.write_text(text)
    form = ask()
    assert button(shown) is None
    assert form.settings() == DenoiseSettings()


def test_a_home_that_cannot_be_written_to_stops_nobody():
    runtime.memory_folder().parent.mkdir(parents=True, exist_ok=True)
    runtime.memory_folder().write_text("a file where the folder should be")
    ask().remember()
    assert runtime.memory_folder().read_text() == "a file where the folder should be"


# Headless


def test_a_headless_run_starts_from_its_preset(monkeypatch):
    monkeypatch.setenv(
        "N2SEG_SET", json.dumps({"epochs": "3", "minutes": 0, "augment": "no", "dtype": "input", "run": "é"})
    )
    form = ask()
    assert form.settings() == DenoiseSettings(epochs=3, minutes=0, augment=False, dtype="input", run="é")
    assert form.fields["epochs"].widget.value == "3"


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ('{"epoch": 3}', "did you mean 'epochs'"),
        ('{"epochs": 0}', "use 1"),
        ('{"dtype": "rainbow"}', "one of float32, input"),
        ("epochs=3", "N2SEG_SET is not JSON: epochs=3"),
        ("[1]", "N2SEG_SET is not JSON"),
    ],
)
def test_a_wrong_preset_is_explained(preset, said, monkeypatch):
    monkeypatch.setenv("N2SEG_SET", preset)
    with pytest.raises(UserError, match=said.replace("[", r"\[")):
        ask()


# In a real kernel


def test_forms_and_errors_show_in_a_real_kernel(tmp_path):
    """Displayed for real: the form as a widget, an error as a box instead of a traceback."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    (tmp_path / "home").mkdir(exist_ok=True)
    cells = [
        "from n2seg_utils.ui import forms, boxes, runtime; from n2seg_utils import DenoiseSettings, UserError\n"
        "boxes.show_errors_plainly(); form = forms.ask(DenoiseSettings, 'training'); print(runtime.place())",
        "form.fields['epochs'].widget.value = '<b>'; form.settings()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": tmp_path}}
    )
    client.execute(env=os.environ | {"N2SEG_SET": '{"epochs": 5}'})
    form, wrong = (cell.outputs for cell in notebook.cells)
    assert any("application/vnd.jupyter.widget-view+json" in out.get("data", {}) for out in form)
    assert "jupyter" in "".join(out.get("text", "") for out in form)
    html = "".join(out.get("data", {}).get("text/html", "") for out in wrong)
    assert "epochs is &#x27;&lt;b&gt;&#x27;; it must be a whole number: use 100" in html
    assert not any("Traceback" in str(out) for out in wrong)


# The viewer


@pytest.fixture
def stacks(tmp_path):
    """Two versions of a stack and of an image; a third version that lacks the image."""
    rng = np.random.default_rng(0)
    for version in ("noisy", "denoised", "partly"):
        (tmp_path / version).mkdir()
        tifffile.imwrite(tmp_path / version / "a_2.tif", rng.integers(0, 99, (5, 20, 30)).astype("uint16"))
        if version != "partly":
            tifffile.imwrite(tmp_path / version / "a_10.tif", rng.integers(0, 99, (20, 30)).astype("uint16"))
    return {version: tmp_path / version for version in ("noisy", "denoised", "partly")}


def controls(box):
    """The fields for the image, the time point, which is how stacks that do not say are read, and the contrast."""
    [name], [time, *_], [contrast] = (
        parts(box, kind) for kind in (widgets.Dropdown, widgets.IntSlider, widgets.FloatRangeSlider)
    )
    return name, time, contrast


def picture(box):
    return bytes(parts(box, widgets.Image)[0].value)


def test_the_viewer_shows_every_image_plane_and_contrast(stacks):
    box = browse(stacks)
    name, plane, contrast = controls(box)
    assert name.options == ("a_2", "a_10")
    assert (plane.min, plane.max, plane.layout.display) == (1, 5, None), "counted from 1, as in Fiji"
    assert plane.value == 3, "the middle of a stack says most"
    seen = [picture(box)]
    assert seen[0].startswith(b"\x89PNG")
    plane.value = 4
    seen.append(picture(box))
    contrast.value = (5, 60)
    seen.append(picture(box))
    name.value = "a_10"
    seen.append(picture(box))
    assert (plane.value, plane.max, plane.layout.display) == (1, 1, "none")
    assert len(set(seen)) == 4
    assert "a_10.tif: one image of 20 x 30, uint16" in words_in(box)


def test_the_viewer_uses_the_axes_it_is_given(stacks):
    assert "5 planes of 20 x 30" in words_in(
        browse({"noisy": stacks["noisy"] / "a_2.tif"}, lambda f: open_image(f, "ZYX"))
    )


def test_the_viewer_needs_images(tmp_path):
    with pytest.raises(UserError, match="is empty"):
        browse({"noisy": tmp_path})


def test_an_image_that_cannot_be_shown_is_explained_and_the_next_one_works(stacks):
    broken = stacks["noisy"] / "<i>broken.tif"
    broken.write_bytes(b"II*\x00 no image")
    box = browse({"noisy": stacks["noisy"]})
    name, _, contrast = controls(box)
    assert name.value == "<i>broken"
    for _ in range(2):
        assert picture(box) == b"", "no picture of another image beside the message"
        assert "<i>" not in words_in(box)
        assert "<i>broken.tif is not an image we can read" in boxes.plain(words_in(box))
        contrast.value = (1, 50)
    name.value = "a_2"
    assert picture(box).startswith(b"\x89PNG")
    assert "a_2.tif" in words_in(box)


def test_a_plane_that_cannot_be_read_is_explained(stacks):
    path = stacks["noisy"] / "packed.tif"
    tifffile.imwrite(path, np.arange(2 * 40 * 40, dtype="uint16").reshape(2, 40, 40), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[1].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = b"\xff" * 20
    path.write_bytes(data)
    box = browse({"noisy": path})
    plane = controls(box)[1]
    for _ in range(2):
        plane.value = 1
        assert picture(box).startswith(b"\x89PNG"), "the first plane is whole"
        plane.value = 2
        assert picture(box) == b""
        assert "packed.tif is not an image we can read" in words_in(box)


# Progress


@pytest.mark.parametrize(("seconds", "words"), [(-3, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_read_like_a_person_says_them(seconds, words):
    from n2seg_utils.ui.progress import duration

    assert duration(seconds) == words


def test_a_headless_bar_prints_a_line_for_each_tenth_at_most(capsys):
    from n2seg_utils.ui.progress import bar

    update = bar("Denoising")
    for done in range(1, 1001):
        update(done / 1000, "a.tif")
    update.close("1000 images")
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[-2].startswith("Denoising: 100 %")
    assert lines[-1] == "Denoising: 1000 images"


@pytest.fixture
def in_jupyter(monkeypatch):
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    monkeypatch.setattr(boxes, "in_notebook", lambda: True)
    monkeypatch.delenv("N2SEG_HEADLESS", raising=False)


def test_a_notebook_bar_is_redrawn_in_place_and_escapes_names(in_jupyter, shown):
    from n2seg_utils.ui.progress import bar

    update = bar(NASTY)
    for done in range(1, 1001):
        update(done / 1000, NASTY)
    update.close(NASTY)
    html = [thing.data for thing in shown]
    assert 2 <= len(html) <= 5, "redrawn once a second, not at each step"
    assert "100 %" in html[-2]
    assert all(boxes.plain(page).count(NASTY) == 2 for page in html)
    assert not any("<b onclick" in page for page in html)


def run_watcher(watcher, stopped="finished", epochs=3):
    from n2seg_utils.learning.plan import Plan
    from n2seg_utils.learning.training import Outcome

    plan, history = Plan(epochs, 2, 0.001, 0.5), []
    plane = np.random.default_rng(0).normal(size=(20, 20))
    watcher.begin(plan, [])
    for step in range(1, plan.steps + 1):
        watcher.step(step, plan, 0.5 * (step - 1))
        if step % 2 == 0:
            row = {
                "epoch": step // 2,
                "loss": 1 / step,
                "val_loss": 2 / step,
                "learning_rate": 0.1,
                "seconds": float(step),
            }
            history.append(row)
            watcher.epoch(row, plan, lambda: {"noisy": plane, "denoised": plane / 2})
    watcher.end(Outcome(history, len(history), stopped))


def test_a_notebook_shows_bar_curve_and_crop_and_says_how_it_ended(in_jupyter, shown):
    from n2seg_utils.ui.progress import watcher

    run_watcher(watcher())
    assert any(getattr(thing, "format", "") == "png" for thing in shown)
    words = boxes.plain(shown[-1].data)
    assert "finished. Best of 3 epochs: number 3." in words
    assert any("epoch 3 of 3" in thing.data and "100 %" in thing.data for thing in shown if isinstance(thing.data, str))


@pytest.mark.parametrize(
    ("stopped", "said"),
    [("interrupted", "The best weights so far are kept"), ("diverged", "Try a smaller learning rate")],
)
def test_a_training_that_ended_early_says_what_is_kept_or_what_to_do(stopped, said, in_jupyter, shown):
    from n2seg_utils.ui.progress import watcher

    run_watcher(watcher(), stopped)
    assert said in shown[-1].data


def test_a_headless_training_prints_a_line_an_epoch_but_not_hundreds(capsys):
    from n2seg_utils.ui.progress import watcher

    run_watcher(watcher(), epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert sum("epoch" in line and "left" in line for line in lines) == 3
    assert "finished" in lines[-1]
    run_watcher(watcher(), epochs=400)
    lines = capsys.readouterr().out.splitlines()
    assert 25 <= len(lines) <= 45
    assert "epoch 400 of 400" in lines[-2]


# Boxes


def test_outside_a_notebook_messages_are_plain_text(capsys, shown):
    boxes.say("<b>Two</b> images &amp; one<br>line")
    boxes.warn("<table><tr><td>SSIM</td><td>0.5</td></tr><tr><td>PSNR</td><td>20</td></tr></table>")
    assert shown == []
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines == [["Two", "images", "&", "one"], ["line"], ["SSIM", "0.5"], ["PSNR", "20"]]


def test_in_a_notebook_messages_are_boxes_told_apart_by_colour(in_jupyter, shown):
    boxes.say("fine")
    boxes.warn("careful")
    boxes._show_user_error(None, UserError, UserError(f"{NASTY}\nsecond"), None)
    html = [thing.data for thing in shown]
    assert len({page.partition("solid ")[2][:7] for page in html}) == 3
    assert "<b onclick" not in html[2]
    assert boxes.plain(html[2]) == f"{NASTY}\nsecond"


def test_forms_need_no_tensorflow(tmp_path):
    code = (
        "import sys\nfrom n2seg_utils.ui import forms, viewer, boxes\nfrom n2seg_utils import DenoiseSettings\n"
        "forms.Form(DenoiseSettings).settings()\nprint({'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "set()"
