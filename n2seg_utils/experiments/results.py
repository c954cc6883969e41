"""The result of a run: what is known when it is done, in a file of its folder."""

import json
from pathlib import Path

from ..data.files import write_text
from ..data.tables import read_json
from ..errors import UserError
from .file import METHODS
from .plan import trainings

RESULT = "result.json"
_FAILED = "failed.txt"
_PLACES = ("images", "masks", "truth", "run")  # settings that say where things are
_JOB = "asked.json"


def folder_of(out, run):
    """The folder of a run."""
    return Path(out) / "runs" / run.name


def read_result(out, run):
    """The result of a run: a dict; None as long as it is missing.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    path = folder_of(out, run) / RESULT
    try:
        found = read_json(path)
        if isinstance(found, dict) and {"scores", "seconds", "asked"} <= found.keys():
            return found
        raise ValueError("not a result")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged. Remove it, and the run is judged again") from error


def write_result(out, run, found):
    """Write down the result of a run, which is then done."""
    write_text(folder_of(out, run) / RESULT, json.dumps(found, indent=2, ensure_ascii=False))
    (folder_of(out, run) / _FAILED).unlink(missing_ok=True)


def write_failure(out, run, words):
    """Write down why a run brought no result."""
    write_text(folder_of(out, run) / _FAILED, words + "\n")


def read_failure(out, run):
    """Why a run brought no result when it was tried last; "" if it did not fail."""
    try:
        return (folder_of(out, run) / _FAILED).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def asked_for(experiment, known, run):
    """What a run depends on, for JSON."""
    settings = {workflow: found.to_dict() for workflow, found in trainings(experiment, run).items()}
    for values in settings.values():
        for name in _PLACES:
            values.pop(name, None)
    return run.identity() | {"settings": settings, "target": known.target}


def require_same(experiment, out, known, runs):
    """Refuse to mix runs with others of the same name that were made, or begun, with other settings."""
    for run in runs:
        found = read_result(out, run) or _begun(out, run)
        try:
            same = not found or _whole(found["asked"]) == _whole(asked_for(experiment, known, run))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder_of(out, run)} is damaged. Restore it from a copy, or remove it") from error
        if not same:
            raise UserError(
                f"{folder_of(out, run)} was made with other settings than {experiment.path} says now. Choose another "
                "folder with --out, or change the file back"
            )


def begin(experiment, out, known, run):
    """Write down what a run depends on, before anything else of it."""
    path = folder_of(out, run) / _JOB
    if not path.exists():
        write_text(path, json.dumps({"asked": asked_for(experiment, known, run)}, indent=2, ensure_ascii=False))


def _begun(out, run):
    try:
        found = read_json(folder_of(out, run) / _JOB)
        return found if "asked" in found else None
    except (OSError, ValueError, TypeError):
        return None


def _whole(asked):
    """What was asked for; of settings that the version that began a run did not know, the default was meant."""
    kinds = METHODS[asked["method"]]
    settings = {workflow: kinds[workflow]().to_dict() | values for workflow, values in asked["settings"].items()}
    for values in settings.values():
        for name in _PLACES:
            values.pop(name, None)
    return json.loads(json.dumps(asked | {"settings": settings}))


def state(out, run):
    """How far a run is: a dict with ``state`` and, of one that failed, ``why``."""
    if read_result(out, run):
        return {"state": "done"}
    why = read_failure(out, run)
    if why:
        return {"state": "failed", "why": why}
    return {"state": "begun" if folder_of(out, run).is_dir() and any(folder_of(out, run).iterdir()) else "missing"}
