"""Seconds that installing this package takes where everything is that Colab has; leaves the environment as it was."""

import subprocess
import sys
import time

import say

asked = say.request()
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def installed():
    """Names and versions of all packages."""
    return set(subprocess.run([*PIP, "freeze"], capture_output=True, text=True, check=True).stdout.split("\n"))


before, begun = installed(), time.perf_counter()
subprocess.run([*PIP, "install", "--quiet", "--no-cache-dir", asked["root"]], check=True)
seconds = time.perf_counter() - begun
new = sorted(line.split("==")[0].split(" @ ")[0] for line in installed() - before if line)
say.tell(values={"seconds": seconds}, settings={"added": " ".join(new)})
say.tell_versions("tensorflow", "n2seg-utils")
subprocess.run([*PIP, "uninstall", "--quiet", "--yes", *new], check=True)
