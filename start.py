#!/usr/bin/env python3
"""From a fresh clone to a running suite, with nothing but Python.

    python3 start.py demo     set everything up and denoise and segment the built-in sample, to a report
    python3 start.py lab      set everything up and open the notebooks in JupyterLab
    python3 start.py tests    set everything up and run the tests

Everything is installed into the folder .venv beside this file; delete it to start over.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = {"demo": "", "lab": "[jupyter]", "tests": "[test,jupyter]"}
NEWEST = (3, 13)


def main():
    """Do what was asked for; returns the exit status."""
    task = sys.argv[1] if len(sys.argv) > 1 else ""
    if task not in EXTRAS:
        print(__doc__.strip())
        return 2
    if not (3, 10) <= sys.version_info[:2] <= NEWEST:
        print(
            f"This is Python {sys.version.split()[0]}; TensorFlow needs 3.10 to {NEWEST[0]}.{NEWEST[1]}. "
            "Install one of them from python.org and start this with it, for example: python3.12 start.py " + task
        )
        return 2
    if not set_up(EXTRAS[task]):
        return 2
    return subprocess.call(command(task) + sys.argv[2:], cwd=ROOT)


def set_up(extras):
    """Make the environment, unless it is there and fits; returns whether it worked."""
    stamp = VENV / "installed.txt"
    wanted = extras + " " + hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    have = stamp.read_text().splitlines() if stamp.exists() else []
    if wanted in have:
        return True
    print("Setting up (once; some minutes, mostly for TensorFlow) ...", flush=True)
    if not PYTHON.exists() and subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
        print("This Python cannot make environments. On Debian and Ubuntu: sudo apt install python3-venv")
        return False
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if subprocess.call([*pip, "install", "--quiet", "--editable", f".{extras}"], cwd=ROOT) != 0:
        print("The installation failed; see above. Check the connection, and start this again")
        return False
    stamp.write_text("\n".join([*have, wanted]) + "\n")
    return True


def command(task):
    """The command line of a task."""
    if task == "demo":
        return [str(PYTHON), "-m", "n2seg_utils.cli", "demo"]
    if task == "lab":
        return [str(PYTHON), "-m", "jupyterlab", str(ROOT / "notebooks")]
    # Two processes, each with whole files: their fixtures, trained models, are made once. tests/conftest.py puts long
    # files first; pytest-xdist would begin with those of many tests.
    return [str(PYTHON), "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


if __name__ == "__main__":
    sys.exit(main())
