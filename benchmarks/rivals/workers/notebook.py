"""Seconds that a notebook takes, with nothing filled in."""

import subprocess
import sys
import time
from pathlib import Path

import say

asked = say.request()
begun = time.perf_counter()
out = Path(asked["work"]) / "done.ipynb"
done = subprocess.run(
    [sys.executable, "-m", "n2seg_utils.cli", "notebook", asked["notebook"], "--out", str(out)], cwd=asked["work"]
)
if done.returncode:
    raise SystemExit(done.returncode)
say.tell(values={"seconds": time.perf_counter() - begun})
say.tell_versions("tensorflow", "keras", "ipykernel", "nbclient")
