"""Jupyter servers on this computer, each in a folder of its own with copies of the notebooks."""

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# JupyterLab with ipywidgets 8 where it is installed; else the classic notebook, with ipywidgets 7 as in Colab.
LAB = importlib.util.find_spec("jupyterlab") is not None
_STARTS = 120.0  # seconds after which a server that does not answer is given up
_ENDS = 20.0


@dataclass
class Server:
    """A Jupyter server: its address, the word that opens it, and the folder that it shows."""

    address: str
    token: str
    folder: Path


@contextlib.contextmanager
def serve(folder, dark=False, **preset):
    """Serve copies of the notebooks.

    Parameters
    ----------
    folder : Path
        Where the notebooks and what they write will lie; all of Jupyter's own but sockets is in ``.jupyter`` in it.
    dark : bool
        JupyterLab in its dark theme.
    **preset
        Values that the forms start from, to make trainings short.

    Yields
    ------
    Server
    """
    own = folder / ".jupyter"
    for notebook in (ROOT / "notebooks").glob("[0-9]_*.ipynb"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(notebook, folder)
    _settle(own / "settings", dark)
    port, token = _free_port(), secrets.token_hex(16)
    places = {"HOME": own, "USERPROFILE": own, "IPYTHONDIR": own / "ipython", "JUPYTER_DATA_DIR": own / "data"}
    # The kernels' sockets are in the last, and the path of a socket has about a hundred letters at most.
    places |= {"JUPYTER_CONFIG_DIR": own / "config", "JUPYTER_RUNTIME_DIR": Path(tempfile.mkdtemp(prefix="n2seg_"))}
    places |= {"JUPYTERLAB_SETTINGS_DIR": own / "settings", "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces"}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("N2SEG_")}
    environment |= {name: str(place) for name, place in places.items()}
    environment |= {"JUPYTER_TOKEN": token, "N2SEG_SET": json.dumps(preset), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "jupyterlab" if LAB else "notebook", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}"]
    if hasattr(socket, "AF_UNIX"):
        # Ports that Jupyter has found for a kernel may be taken before it opens them; it is restarted, with the same.
        command.append("--KernelManager.transport=ipc")
    with open(own / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(process, f"http://127.0.0.1:{port}/api/status?token={token}", own / "log.txt")
        yield Server(f"http://127.0.0.1:{port}", token, folder)
    finally:
        process.terminate()  # ends the kernels too
        try:
            process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(places["JUPYTER_RUNTIME_DIR"], ignore_errors=True)


def _settle(folder, dark):
    """JupyterLab as someone has it who has answered its first questions."""
    values = {"notification": {"fetchNews": "false", "checkForUpdates": False}}
    if dark:
        values["themes"] = {"theme": "JupyterLab Dark"}
    for name, value in values.items():
        file = folder / "@jupyterlab" / "apputils-extension" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(process, address, log):
    until = time.monotonic() + _STARTS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"Jupyter did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
