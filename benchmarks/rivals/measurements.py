"""What was measured, a line of JSON each, and how it is measured: by workers, each a process of its own."""

import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .environments import NotInstalledError

WORKERS = Path(__file__).parent / "workers"
_SAID = 400  # characters of an error that are kept


@dataclass
class Bench:
    """One run of the benchmark.

    Attributes
    ----------
    out : Path
        Holds measurements.jsonl, images, and table.md.
    environments : Environments
    small : bool
        Everything in its smallest form, which proves that it works and measures nothing.
    repeats : int
    minutes : dict
        How long the long trainings are: ``denoise`` and ``joint``.
    """

    out: Path
    environments: object
    small: bool = False
    repeats: int = 3
    minutes: dict = field(default_factory=lambda: {"denoise": 20.0, "joint": 15.0})
    limit: float = 3 * 3600.0

    def records(self, question=None):
        """All measurements of this form, or those of a question."""
        file = self.out / "measurements.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if one["small"] == self.small and question in (None, one["question"])]

    def order(self, repeat, names):
        """Names forwards and backwards in turn, so that none always comes first."""
        return list(names) if repeat % 2 == 0 else list(names)[::-1]

    def images(self, name, make):
        """A folder of images, made once: ``make(folder)``."""
        folder = self.out / "images" / (f"{name}_small" if self.small else name)
        if not folder.exists():
            work = folder.with_name(f"{folder.name}_unfinished")
            shutil.rmtree(work, ignore_errors=True)
            work.parent.mkdir(parents=True, exist_ok=True)
            make(work)
            work.rename(folder)
        return folder

    def measure(self, question, case, who, repeat, worker, environment="ours", judge=None, **asked):
        """Have a worker measure something, unless that is known already.

        Parameters
        ----------
        question, case, who : str
            What is measured, on what, and of whom.
        repeat : int
        worker : str
            Name of its script.
        environment : str
        judge : callable, optional
            ``judge(folder)`` gives the scores of what a checkpoint left.
        **asked
            What the worker is asked.

        Returns
        -------
        dict
            The measurement: values, checkpoints, settings, versions; or `failed`, why there is none.
        """
        key = {"question": question, "case": case, "who": who, "repeat": repeat, "small": self.small}
        for known in self.records(question):
            if all(known[name] == value for name, value in key.items()) and not known.get("failed"):
                return known
        print(f"{question}: {case}, {who}, repeat {repeat + 1}", flush=True)
        with tempfile.TemporaryDirectory(prefix="rivals_") as work:
            found = self._work(worker, environment, asked | {"work": work})
            for checkpoint in found["checkpoints"]:
                folder = Path(checkpoint.pop("folder"))
                if judge and "failed" not in found:
                    checkpoint |= judge(folder)
        record = key | found | {"machine": machine(), "when": time.strftime("%Y-%m-%d %H:%M")}
        self.out.mkdir(parents=True, exist_ok=True)
        with open(self.out / "measurements.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")
        if "failed" in found:
            print(f"  not run: {found['failed']}", flush=True)
        return record

    def _work(self, worker, environment, asked):
        found = {"values": {}, "series": [], "checkpoints": [], "settings": {}, "versions": {}}
        try:
            python = self.environments.python(environment)
        except NotInstalledError as error:
            return found | {"failed": str(error)}
        request = Path(asked["work"]) / "request.json"
        begun = time.time()
        request.write_text(json.dumps(asked | {"started": begun}, default=str))
        command = [python, str(WORKERS / f"{worker}.py"), str(request)]
        with open(Path(asked["work"]) / "errors.txt", "w+") as errors:
            with _process(command, errors, environment) as process:
                alarm = threading.Timer(self.limit, process.kill)
                alarm.start()
                for line in process.stdout:
                    _take(found, json.loads(line))
                process.wait()
                alarm.cancel()
            errors.seek(0)
            said = [line.strip() for line in errors.read().splitlines() if line.strip()]
        if process.returncode:
            late = time.time() - begun > self.limit
            why = "too long: stopped" if late else f"exit status {process.returncode}: {' '.join(said[-3:])[-_SAID:]}"
            return found | {"failed": why}
        return found


def _process(command, errors, environment):
    where = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2", PYTHONDONTWRITEBYTECODE="1")
    root = str(Path(__file__).resolve().parents[2])
    if environment == "ours":
        where["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    else:
        where.pop("PYTHONPATH", None)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=where, text=True)


def _take(found, told):
    if "checkpoint" in told:
        found["checkpoints"].append(told["checkpoint"])
    if "values" in told:
        found["series"].append(told["values"])
    for name in ("values", "settings", "versions", "answers"):
        found[name] = found.get(name, {}) | told.get(name, {})
    found |= {name: told[name] for name in ("device", "backend") if name in told}


def machine():
    """What the benchmark runs on."""
    memory = round(psutil.virtual_memory().total / 1e9)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(), "processor": _processor(), "cores": cores, "memory_gb": memory}


def _processor():
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
