"""What is generated is up to date, imports point one way, and the words agree with the code."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from n2seg_utils import about

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "n2seg_utils"
# Which part may import which others; what is not named stands at the top or at the bottom and is open to all.
ARROWS = {
    "data": set(),
    "quality": {"data"},
    "learning": {"data"},
    "models": {"data", "quality", "learning"},
    "exchange": {"data", "quality", "learning", "models"},
    "ui": {"data", "quality", "learning", "models", "exchange", "experiments"},
    "experiments": {"data", "quality", "models"},
}


def imports(path):
    """The parts of the package that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = path.relative_to(PACKAGE).parts[: -node.level] + tuple((node.module or "").split("."))
            names = [parts[0]] if parts[0] else [alias.name for alias in node.names]
            found |= {name for name in names if name in ARROWS}
    return found


@pytest.mark.parametrize("part", ARROWS)
def test_imports_point_one_way(part):
    modules = list((PACKAGE / part).glob("*.py"))
    assert modules
    for module in modules:
        assert imports(module) <= ARROWS[part] | {part}, module


def test_data_and_quality_never_import_tensorflow():
    modules = [
        f"n2seg_utils.{p.parent.name}.{p.stem}" for part in ("data", "quality") for p in (PACKAGE / part).glob("*.py")
    ]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}]; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "n2seg_utils.quality.qc" in loaded
    assert not {"tensorflow", "keras", "torch", "jax"} & set(loaded)


def test_no_module_grows_beyond_three_hundred_lines():
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 310}
    assert not long


def build():
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date():
    """If this fails: python notebooks/build.py"""
    stale = [path.name for path, text in build().generated().items() if path.read_text(encoding="utf-8") != text]
    assert not stale


def test_every_badge_points_at_its_own_notebook():
    names = sorted(p.stem for p in (ROOT / "notebooks").glob("[0-9]_*.ipynb"))
    assert names
    repository = about.ADDRESS.removeprefix("https://github.com/")
    link = re.compile(
        rf"https://colab\.research\.google\.com/github/{repository}/blob/{about.TAG}/notebooks/(\w+)\.ipynb"
    )
    for page in ("README.md", "colab_badges.md"):
        assert link.findall((ROOT / page).read_text(encoding="utf-8")) == names
    for name in names:
        first = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"][0]
        assert link.findall("".join(first["source"])) == [name]


def test_the_address_is_written_in_one_place():
    allowed = {"about.py"}
    for path in PACKAGE.rglob("*.py"):
        if path.name not in allowed:
            assert "noise2seg/noise2seg-notebooks" not in path.read_text(encoding="utf-8"), path


def test_the_version_is_the_newest_of_the_changelog():
    assert (
        re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1] == about.VERSION
    )


def test_links_inside_the_project_lead_somewhere():
    for page in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page.name}: {target}"


def run(*command):
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)


def test_commands_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line.split() for line in re.findall(r"^    n2seg (.+)$", text, re.MULTILINE)]
    assert len(commands) >= 5
    for words in commands:
        name = words[: 2 if words[0] in ("train", "experiment") else 1]
        known = run("-m", "n2seg_utils.cli", *name, "--help")
        assert known.returncode == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in known.stdout, " ".join(words)


def test_start_tells_its_tasks_and_refuses_an_unsuitable_python():
    asked = run(ROOT / "start.py")
    assert asked.returncode == 2
    assert "start.py demo" in asked.stdout
    old = "import sys, runpy; sys.version_info = (3, 9, 0); sys.argv = ['start.py', 'demo']"
    refused = run("-c", f"{old}; runpy.run_path({str(ROOT / 'start.py')!r}, run_name='__main__')")
    assert refused.returncode == 2
    assert "python.org" in refused.stdout


def test_every_promise_names_a_test_that_exists():
    text = (ROOT / "docs" / "PROMISES.md").read_text(encoding="utf-8")
    file, named = None, 0
    for words in re.findall(r"`(test_[^`]+)`", text):
        head, _, name = words.rpartition("::")
        file = head or (words if words.endswith(".py") else file)
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        if not words.endswith(".py"):
            assert f"def {name}(" in source, words
            named += 1
    assert named > 10
