"""Installing the package changes nothing that Colab has. Runs where .ci/run has made Colab's environment."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from n2seg_utils import about

ROOT = Path(__file__).resolve().parent.parent
BEFORE = os.environ.get("N2SEG_COLAB_ROW")
pytestmark = pytest.mark.skipif(not BEFORE, reason="only in Colab's environment: see .ci/run")


def pins(text):
    """name -> version of lines like name==version; names as the package index spells them."""
    lines = (line.partition("==") for line in text.splitlines() if "==" in line)
    return {name.lower().replace("_", "-").replace(".", "-"): version for name, _, version in lines}


@pytest.fixture(scope="module")
def published():
    return pins((ROOT / ".ci" / "colab-versions.txt").read_text())


def test_nothing_preinstalled_changed(published):
    before = pins(Path(BEFORE).read_text())
    command = [sys.executable, "-m", "pip", "freeze", "--all", "--disable-pip-version-check"]
    after = pins(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(before) > 100
    assert {name: after.get(name) for name in before} == before
    added = set(after) - set(before)
    assert "n2v" in added
    assert {name: after[name] for name in added & set(published)} == {n: published[n] for n in added & set(published)}


def test_the_environment_is_that_of_colab(published):
    before = pins(Path(BEFORE).read_text())
    ours = {"pip", "setuptools", "wheel"}  # tools of the environment itself
    shared = before.keys() & published.keys() - ours
    assert {name: before[name] for name in shared} == {name: published[name] for name in shared}
    assert {"tensorflow", "keras", "numpy", "ipywidgets", "ipython", "tifffile"} <= set(before)


def test_the_wheel_is_tested_not_the_checkout_and_it_ships_the_notebooks():
    from n2seg_utils.notebooks import notebook_folder

    folder = Path(metadata.distribution("n2seg-utils").locate_file("n2seg_utils"))
    assert folder.is_dir()
    assert ROOT not in folder.parents
    shipped = folder / "shipped" / "notebooks"
    assert notebook_folder() == shipped
    assert {p.name for p in shipped.glob("*.ipynb")} == {p.name for p in (ROOT / "notebooks").glob("*.ipynb")}
    for file in (file for file in (ROOT / "workflow").rglob("*") if file.is_file()):
        same = folder / "shipped" / file.relative_to(ROOT)
        assert same.read_bytes() == file.read_bytes()


def test_the_tested_versions_are_those_named_to_users():
    for name, version in about.TESTED["colab"].items():
        found = ".".join(map(str, sys.version_info[:2])) if name == "python" else metadata.version(name)
        assert found == version
