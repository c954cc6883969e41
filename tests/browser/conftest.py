"""A browser for all tests, and for each a page and what it takes to see why a test failed."""

import os
import shutil
from pathlib import Path

import pytest

from .servers import LAB, serve

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
_WINDOW = {"width": 1500, "height": 1100}


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a window; the one that N2SEG_CHROMIUM names, or that is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("N2SEG_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("There is no Chromium: install it, or name it in N2SEG_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        # Chromium run by root, as in containers, has no sandbox.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        yield started
        started.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep what the browser showed when a test failed, before the servers end."""
    report = yield
    tab = item.funcargs.get("page")
    if report.when == "call" and report.failed and tab:
        kept = Path(os.environ.get("N2SEG_BROWSER_FAILURES") or item.funcargs["tmp_path"]) / f"{item.name}.png"
        kept.parent.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=kept)
        report.sections.append(("What the browser showed", str(kept)))
    return report


@pytest.fixture
def page(browser, tmp_path):
    """An empty tab."""
    context = browser.new_context(viewport=_WINDOW)
    yield context.new_page()
    context.close()


@pytest.fixture
def serving(tmp_path):
    """Start a server in a folder of its own with ``serving(**preset)``; it ends with the test."""
    import contextlib

    with contextlib.ExitStack() as stack:
        yield lambda **more: stack.enter_context(serve(tmp_path / "work", **more))


def pytest_collection_modifyitems(items):
    """Where there is no JupyterLab, only the tests for both generations of widgets are run."""
    for item in items:
        if not LAB and "both" not in item.keywords and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="JupyterLab is not installed: this is tested with ipywidgets 8"))
