"""The notebooks as files: where they are, and running one without a person."""

import json
import os
from pathlib import Path

from .errors import UserError
from .knobs import PRESET


def notebook_folder():
    """The folder of the notebooks: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "shipped" / "notebooks"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "notebooks"


def find_notebook(name):
    """The path of a notebook by its number, its name, or a path.

    Raises
    ------
    UserError
        Naming the notebooks that there are.
    """
    if Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    known = sorted(notebook_folder().glob("*.ipynb"))
    for path in known:
        if name in (path.name, path.stem, path.stem.partition("_")[0]):
            return path
    raise UserError(f"There is no notebook '{name}': choose one of {', '.join(p.stem for p in known)}")


def run_notebook(name, settings, out=None, timeout=None):
    """Execute a notebook with some fields filled in.

    Parameters
    ----------
    name : str
        See :func:`find_notebook`.
    settings : dict
        Field name -> value.
    out : path, optional
        Where to write the executed notebook; default: its name with ``_executed`` in the working folder.
    timeout : float, optional
        Seconds that one cell may take.

    Returns
    -------
    Path

    Raises
    ------
    UserError
        When a cell fails, with its message; what was executed so far is written all the same.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, DeadKernelError
    except ImportError as error:
        raise UserError(
            'Running notebooks needs nbclient: install it with pip install "n2seg-utils[jupyter]"'
        ) from error
    from .data.files import require_absent, write_text

    source = find_notebook(name)
    out = Path(out or f"{source.stem}_executed.ipynb")
    require_absent([out])
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": os.getcwd()}}
    )
    environment = os.environ | {PRESET: json.dumps(settings), "TF_CPP_MIN_LOG_LEVEL": "3"}
    failure = None
    try:
        client.execute(env=environment)
    except (CellExecutionError, DeadKernelError) as error:
        failure = error
    write_text(out, nbformat.writes(notebook))
    if failure is not None:
        raise UserError(f"The notebook stopped; see {out}. {_message(notebook) or failure}") from failure
    return out


def _message(notebook):
    """What the last cell that was executed says is wrong, as plain text."""
    from .ui.boxes import plain

    boxes = [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "n2seg-error" in output.get("data", {}).get("text/html", "")
    ]
    return plain(boxes[-1]) if boxes else ""
