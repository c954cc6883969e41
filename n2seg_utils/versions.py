"""What a result may depend on beside data and settings."""

import platform
from importlib import metadata

from .about import INSTALL, VERSION

# What the package depends on, as pyproject.toml has it.
_DIRECT = (
    "tensorflow", "keras", "n2v", "csbdeep", "numpy", "scipy", "scikit-image", "matplotlib", "tifffile", "imagecodecs",
    "h5py", "fpdf2", "pooch", "psutil", "pydantic", "pyyaml", "roifile", "ipython", "ipywidgets",
)  # fmt: skip
_PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-image", "tifffile", "n2v", "csbdeep")


def versions():
    """What the result may depend on: package -> version."""
    found = {"n2seg-utils": VERSION, "python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def direct():
    """Packages that this one depends on -> their version; those that are not installed are left out."""
    found = {}
    for name in _DIRECT:
        try:
            # Builds of our own are not to be had elsewhere: 2.20.0+cuda is 2.20.0 there.
            found[name] = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return found


def requirements():
    """The text of a file with which ``pip install -r`` brings back the packages that are in use now."""
    lines = [
        f"# Python {platform.python_version()} on {platform.system()}: python -m pip install -r requirements.txt",
        f"n2seg-utils @ {INSTALL}",
        *(f"{name}=={version}" for name, version in direct().items()),
    ]
    return "\n".join(lines) + "\n"
