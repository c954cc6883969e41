"""An environment of its own for each rival, made from a list of exact versions."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

LISTS = Path(__file__).parent / "requirements"


class NotInstalledError(Exception):
    """A rival cannot be installed here, for the reason that is the message."""


class Environments:
    """The rivals' Pythons, made when they are first asked for.

    Parameters
    ----------
    folder : Path
        Where environments are, and stay.
    make : bool
        Whether to make those that are not there.
    """

    def __init__(self, folder, make=True):
        self.folder, self.make, self.failed = Path(folder), make, {}

    def python(self, name):
        """The Python that has a rival; "ours" is the one that runs the benchmark.

        Raises
        ------
        NotInstalledError
        """
        if name == "ours":
            return sys.executable
        if name in self.failed:
            raise NotInstalledError(self.failed[name])
        try:
            return self._made(name)
        except NotInstalledError as error:
            self.failed[name] = str(error)
            raise

    def install_seconds(self, name):
        """How long the installation took; None where it is not known."""
        about = self.folder / name / "installed.json"
        return json.loads(about.read_text())["seconds"] if about.exists() else None

    def _made(self, name):
        python, about = _python_in(self.folder / name), self.folder / name / "installed.json"
        wanted = (LISTS / f"{name}.txt").read_text()
        if about.exists() and json.loads(about.read_text())["list"] == wanted:
            return str(python)
        if not self.make:
            raise NotInstalledError("environments are not made in this form of the benchmark")
        if (self.folder / name).exists():
            shutil.rmtree(self.folder / name)
        interpreter = find_python(wanted)
        print(f"Installing {name} with {interpreter}", flush=True)
        begun = time.time()
        _run([interpreter, "-m", "venv", str(self.folder / name)])
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run([*pip, "--requirement", str(LISTS / f"{name}.txt")])
        about.write_text(json.dumps({"seconds": time.time() - begun, "list": wanted}))
        return str(python)


def find_python(wanted):
    """An interpreter of the version that the first line of a list names, as in "# Python 3.10".

    Raises
    ------
    NotInstalledError
    """
    version = re.match(r"# Python (3\.\d+)", wanted)[1]
    beside = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    named = [os.environ.get("N2SEG_PYTHON_" + version.replace(".", "")), shutil.which(f"python{version}"), *beside]
    for candidate in filter(None, named):
        try:
            said = subprocess.run([str(candidate), "--version"], capture_output=True, text=True, timeout=60).stdout
        except OSError:
            continue
        if said.startswith(f"Python {version}."):
            return str(candidate)
    raise NotInstalledError(f"there is no Python {version} here")


def _python_in(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise NotInstalledError("; ".join(said[-2:])[:300] or f"pip ended with {done.returncode}")
