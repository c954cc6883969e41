"""Where a notebook says that a report is, a click opens it, if Jupyter serves it; elsewhere there is its name alone."""

import pytest

from n2seg_utils.ui import boxes, links


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A notebook that Jupyter shows."""
    path = tmp_path / "my work" / "3_Noise2Seg_joint.ipynb"
    path.parent.mkdir()
    path.write_text("{}")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setattr(links.runtime, "place", lambda: "jupyter")
    return path


def test_a_file_below_the_notebook_is_a_link_relative_to_it(notebook):
    report = notebook.parent / "run 1 & <2>" / "report.html"
    html = links.linked(report)
    assert 'href="run%201%20%26%20%3C2%3E/report.html"' in html
    assert boxes.plain(html) == str(report)


def test_what_jupyter_does_not_serve_is_no_link(notebook, tmp_path):
    report = tmp_path / "elsewhere" / "report.html"
    assert links.linked(report) == str(report)


@pytest.mark.parametrize("place", ["colab", "headless"])
def test_elsewhere_there_is_no_link(place, notebook, monkeypatch):
    report = notebook.parent / "report.html"
    monkeypatch.setattr(links.runtime, "place", lambda: place)
    assert links.linked(report) == str(report)


@pytest.mark.parametrize("named", ["", "/no/such/notebook.ipynb", "console-1"])
def test_in_programs_without_a_jupyter_server_there_is_no_link(named, notebook, monkeypatch):
    report = notebook.parent / "report.html"
    monkeypatch.setenv("JPY_SESSION_NAME", named)
    assert links.linked(report) == str(report)
