"""Where we are: Colab, Jupyter or headless; what the machine offers; Google Drive."""

import importlib.util
import os
import platform
import shutil
from html import escape
from importlib import metadata
from pathlib import Path

import psutil

from ..about import TESTED, VERSION
from ..data import drive
from .boxes import in_notebook, say, warn


def place():
    """ "colab", "jupyter" (any notebook with a person before it) or "headless" (a script, a test, a cluster)."""
    if os.environ.get("N2SEG_HEADLESS"):
        return "headless"
    if _found("google.colab"):
        return "colab"
    return "jupyter" if in_notebook() else "headless"


def describe_runtime():
    """Say in plain words what this machine offers, and what to do if something is off."""
    from ..learning import device  # loads TensorFlow

    gpu = device.has_gpu()
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras", "numpy"))
    say(
        f"<b>Noise2Seg notebooks {VERSION}</b> on Python {platform.python_version()}, {versions}<br>"
        f"{'A GPU computes: training is fast.' if gpu else 'No GPU: training works, but takes longer.'}<br>"
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB memory, {disk.free / 1e9:.0f} GB disk are free."
    )
    if not gpu and place() == "colab":
        warn(
            "To get a GPU: menu <b>Runtime &gt; Change runtime type</b>, choose <b>T4 GPU</b>, and run all cells again."
        )
    if disk.free < 2e9:
        warn("The disk is nearly full. Make room before you train.")
    for name in ("tensorflow", "keras"):
        known = {row[name] for row in TESTED.values()}
        version = metadata.version(name)
        if _minor(version) not in map(_minor, known):
            warn(f"{name} {version} is not a version these notebooks were tested with ({', '.join(sorted(known))}).")


def mount_drive():
    """In Colab, connect Google Drive; elsewhere do nothing. Refusing is fine."""
    if place() != "colab":
        return
    if drive.HOME.exists():
        say(f"Google Drive is connected: your files are in {drive.HOME}")
        return
    from google.colab import drive as colab_drive

    try:
        colab_drive.mount(str(drive.MOUNT))
        say(f"Google Drive is connected: your files are in {drive.HOME}")
    except Exception as error:  # Colab raises what it likes when permission is refused
        warn(
            f"Google Drive is not connected ({escape(str(error))}). The sample works without it, but results are lost "
            "when Colab ends the session. To connect later, run this cell again."
        )


def output_root():
    """The folder for runs when the user names none: on Drive if it is connected, else the working folder."""
    return drive.HOME / "n2seg" if drive.HOME.exists() else Path.cwd()


def memory_folder():
    """Where the values of the last run are kept."""
    return output_root() / ".n2seg" if drive.HOME.exists() else Path.home() / ".n2seg"


def _minor(version):
    return version.split(".")[:2]


def _found(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
