"""What a result may depend on beside data and settings."""

import platform
from importlib import metadata

from .about import VERSION

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
