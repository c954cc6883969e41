"""Write requirements.txt: every package of the containers with its version, as pip chooses them today.

python3.11 containers/lock.py      needs the internet, Linux and the Python that the containers have; installs nothing
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# JupyterLab and the command; a GPU computes where there is one; hatchling builds the package itself.
WANTED = (f"{HERE.parent}[jupyter,export,zarr]", "tensorflow[and-cuda]", "hatchling")
HEAD = "# Made by containers/lock.py for Python {}. Both containers install these, and nothing else from outside.\n"


def resolved():
    """Name -> version of all packages that pip would install into an empty environment, but our own."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = json.loads(subprocess.run([*command, *WANTED], check=True, capture_output=True, text=True).stdout)
    found = {one["metadata"]["name"]: one["metadata"]["version"] for one in report["install"]}
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items() if name != "n2seg-utils"}


def main():
    """Write the file beside this one."""
    lines = [f"{name}=={version}\n" for name, version in sorted(resolved().items())]
    head = HEAD.format("{}.{}".format(*sys.version_info))
    (HERE / "requirements.txt").write_text(head + "".join(lines), encoding="utf-8")
    print(f"{len(lines)} packages")


if __name__ == "__main__":
    main()
