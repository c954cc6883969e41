"""A notebook in a browser, as the person before it has it: run cells, fill in fields by their labels, read, look."""

import re
import time
from pathlib import Path

import nbformat
from playwright.sync_api import expect

from .servers import LAB

SOON = 60_000  # milliseconds in which a page reacts, on a busy computer too
LONG = 600_000  # milliseconds in which a cell is done


class NotebookPage:
    """A notebook of a server, open in a tab. What the two front ends do differently, subclasses say.

    Parameters
    ----------
    page : playwright.sync_api.Page
    server : Server
    name : str
        The beginning of the notebook's file name, for example its number.
    """

    cell, prompt, output, errors = "", "", "", ""  # selectors

    def __init__(self, page, server, name):
        self.page, self.server = page, server
        [self.path] = server.folder.glob(f"{name}*.ipynb")
        cells = nbformat.read(self.path, as_version=4).cells
        heads = {number: cell.source.partition("\n")[0] for number, cell in enumerate(cells)}
        self.places = {head.removeprefix("# @title "): n for n, head in heads.items() if head.startswith("# @title ")}
        self.last = list(self.places)[-1]
        page.set_default_timeout(SOON)
        expect.set_options(timeout=SOON)
        page.goto(self.address())
        self.wait_until_ready(len(cells))

    # Running

    def address(self):
        """Where the notebook is on the server."""
        raise NotImplementedError

    def wait_until_ready(self, count):
        """Wait for all cells and for a kernel that waits for work."""
        expect(self.page.locator(self.cell)).to_have_count(count)
        self.wait_until_idle()

    def wait_until_idle(self):
        """Wait for a kernel that waits for work."""
        raise NotImplementedError

    def choose_in_menu(self, menu, entry):
        """Choose an entry of the menu at the top."""
        raise NotImplementedError

    def run_all(self):
        """Choose "Run all" in the menu; returns at once."""
        raise NotImplementedError

    def stop(self):
        """Press the stop button."""
        raise NotImplementedError

    def run_to(self, title):
        """Run the cells from the first to the one of a title, and wait for it."""
        raise NotImplementedError

    def reload(self):
        """Reload the tab, and wait for the cells."""
        count = self.page.locator(self.cell).count()
        self.page.once("dialog", lambda question: question.accept())  # whether to leave what is not saved
        self.page.reload()
        expect(self.page.locator(self.cell)).to_have_count(count)

    def at(self, title):
        """The cell with a title, scrolled to."""
        cell = self.page.locator(self.cell).nth(self.places[title])
        cell.scroll_into_view_if_needed()
        return cell

    def wait_for_end_of(self, title, timeout=LONG):
        """Wait until a cell has been run."""
        expect(self.at(title).locator(self.prompt)).to_have_text(re.compile(r"\[\d+\]"), timeout=timeout)

    def wait_for_end(self, timeout=LONG):
        """Wait until the last cell has been run."""
        self.wait_for_end_of(self.last, timeout)

    def is_running(self, title):
        """Whether a cell runs, or waits for its turn."""
        return "*" in self.at(title).locator(self.prompt).inner_text()

    def complaints(self):
        """All errors and warnings on red ground, as text."""
        return [text for text in self.page.locator(self.errors).all_inner_texts() if text.strip()]

    # Forms

    def field(self, label, under):
        """The field with a label, whose unit need not be named, in the form of a cell."""
        return self.at(under).get_by_label(re.compile(rf"^{re.escape(label)}( \(.*\))?$"))

    def fill(self, label, value, under):
        """Enter text into a field, and leave it."""
        field = self.field(label, under)
        field.fill(str(value))
        field.press("Tab")

    def choose(self, label, value, under):
        """Choose from the list of a field."""
        self.field(label, under).select_option(label=value)

    def open_advanced(self, under):
        """Open the folded part of a form."""
        head = self.at(under).get_by_text("Advanced settings: the defaults are fine")
        head.click()

    # Looking

    def shows(self, title, words, timeout=LONG):
        """Wait until the output of a cell shows some words: text, or a pattern."""
        try:
            expect(self.at(title).locator(self.output).get_by_text(words).first).to_be_visible(timeout=timeout)
        except AssertionError:  # which lists the page, but cuts it off
            raise AssertionError(f"'{title}' does not show {words!r}, but:\n{self.shown(title)}") from None

    def shown(self, title):
        """The text that a cell shows."""
        return "\n".join(self.at(title).locator(self.output).all_inner_texts())

    def pictures(self, title):
        """The pictures that a cell shows: a locator."""
        return self.at(title).locator(self.output).locator("img:visible")

    def wait_for_pictures(self, title, count=1, timeout=LONG):
        """Wait for so many pictures of a cell that are drawn, and not broken."""
        until = time.monotonic() + timeout / 1000
        while self.pictures(title).count() < count and time.monotonic() < until:
            self.page.wait_for_timeout(200)
        found = self.pictures(title)
        assert found.count() >= count, f"'{title}' shows {found.count()} pictures instead of {count}"
        for number in range(count):
            widths = wait_for(lambda n=number: found.nth(n).evaluate("image => image.naturalWidth"), "a picture")
            assert widths > 10

    def source_of(self, title, number=0):
        """What a picture of a cell is drawn from: differs when the picture does."""
        return self.pictures(title).nth(number).get_attribute("src")

    def wait_for_other_picture(self, title, before, number=0, timeout=LONG):
        """Wait until a picture of a cell is another one, and drawn."""
        words = f"another picture of '{title}'"
        wait_for(lambda: self.pictures(title).count() > number, words, timeout)
        wait_for(lambda: self.source_of(title, number) != before, words, timeout)
        wait_for(lambda: self.pictures(title).nth(number).evaluate("image => image.naturalWidth"), words, timeout)

    def move_slider(self, label, under, key="ArrowRight", times=1):
        """Move a slider of a viewer with the keys, as a person may."""
        row = self.at(under).locator(".widget-inline-hbox", has=self.page.get_by_text(label, exact=True)).first
        row.scroll_into_view_if_needed()
        handle = row.locator(".noUi-handle, .ui-slider-handle").first
        handle.focus()
        for _ in range(times):
            handle.press(key)
        return row.locator(".widget-readout").inner_text()


def wait_for(found, words, timeout=SOON):
    """Wait until a function returns something true, and return it.

    Raises
    ------
    AssertionError
        Naming what did not come.
    """
    until = time.monotonic() + timeout / 1000
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"There was no {words} within {timeout / 1000:.0f} s")


class LabPage(NotebookPage):
    """A notebook in JupyterLab 4."""

    cell, prompt, output = ".jp-Notebook .jp-Cell", ".jp-InputArea-prompt", ".jp-OutputArea-output"
    errors = (
        ".n2seg-error, .jupyter-widgets-error-widget, [data-mime-type='application/vnd.jupyter.error'], "
        "[data-mime-type='application/vnd.jupyter.stderr']"
    )

    def address(self):
        # A workspace of its own, so that tabs of other tests do not open.
        place = f"{self.server.address}/lab/workspaces/{self.path.stem}"
        return f"{place}/tree/{self.path.name}?token={self.server.token}"

    def wait_until_idle(self):
        # The circle beside the kernel's name is "idle" before there is a kernel: cells that are run then are not.
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=LONG)

    def choose_in_menu(self, menu, entry):
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-item:visible", has_text=re.compile(f"^{entry}")).first.click()

    def run_all(self):
        self.choose_in_menu("Run", "Run All Cells")

    def run_to(self, title):
        self.at(title).locator(self.prompt).click()
        self.choose_in_menu("Run", "Run All Above Selected Cell")
        self.choose_in_menu("Run", "Run Selected Cell and Do not Advance")
        self.wait_for_end_of(title)

    def run_from(self, title):
        """Run a cell and all below it; returns at once."""
        self.at(title).locator(self.prompt).click()
        self.choose_in_menu("Run", "Run Selected Cell and All Below")

    def save(self):
        """Save the notebook, and wait until it is."""
        before = self.path.stat().st_mtime_ns
        self.choose_in_menu("File", "Save Notebook")
        wait_for(lambda: self.path.stat().st_mtime_ns != before, "saved notebook")

    def stop(self):
        self.page.get_by_role("button", name=re.compile("Interrupt the kernel")).first.click()


class ClassicPage(NotebookPage):
    """A notebook in the classic front end, with the generation of widgets that Colab has."""

    cell, prompt, output = "#notebook .cell", ".input_prompt", ".output_subarea, .widget-area .widget-subarea"
    errors = ".n2seg-error, .output_error, .output_stderr"

    def address(self):
        return f"{self.server.address}/notebooks/{self.path.name}?token={self.server.token}"

    def wait_until_idle(self):
        expect(self.page.locator("#kernel_indicator_icon")).to_have_class(re.compile("kernel_idle_icon"))

    def choose_in_menu(self, menu, entry):
        self.page.locator("#menubar .navbar-nav > li > a", has_text=re.compile(f"^{menu}$")).click()
        self.page.locator("#menubar li.open a", has_text=re.compile(rf"^\s*{entry}\s*$")).first.click()

    def run_all(self):
        self.choose_in_menu("Cell", "Run All")

    def run_to(self, title):
        self.at(title).locator(self.prompt).click()
        self.choose_in_menu("Cell", "Run All Above")
        self.at(title).locator(self.prompt).click()
        self.page.keyboard.press("Control+Enter")
        self.wait_for_end_of(title)

    def stop(self):
        self.page.locator("[data-jupyter-action='jupyter-notebook:interrupt-kernel']").first.click()


def open_notebook(page, server, name):
    """A notebook, open in the front end that is installed."""
    return (LabPage if LAB else ClassicPage)(page, server, name)


def report_of(server):
    """The one report that was written in the folder of a server."""
    [report] = [path for path in Path(server.folder).rglob("report.html") if ".jupyter" not in path.parts]
    return report
