"""One folder that answers everything about a run."""

import json
import os
import re
import time

from ..data.files import at_home, make_folder, write_text
from ..data.tables import read_json, read_table, write_table
from ..errors import UserError
from ..versions import requirements, versions

LOCK = "training.lock"  # of a training that is at work there

_EXPORTS = ("rdf.yaml", "bioimageio.yaml", "saved_model.pb")  # of packages and SavedModels


class RunFolder:
    """Names and writes the files of a run; each is whole or absent.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path):
        self.path = at_home(path)

    def __fspath__(self):
        return str(self.path)

    def __str__(self):
        return str(self.path)

    def damaged(self, name):
        """The UserError for a file of the run that cannot be understood."""
        return UserError(f"{self / name} is damaged, or not of this run. Restore it from a copy")

    def __truediv__(self, name):
        return self.path / name

    def taken(self):
        """Whether there is already something in the folder."""
        if not os.path.isdir(self.path):
            return os.path.lexists(self.path)
        return any(entry.name != LOCK for entry in self.path.iterdir())

    def sweep(self):
        """Remove what a training that was killed left half written; only for who has claimed the folder."""
        for folder in (self.path, self / "checkpoints"):
            for file in folder.glob(".*"):
                if re.fullmatch(r"\..+\.[0-9a-f]{8}(\.\w+)?", file.name) and file.is_file():
                    file.unlink(missing_ok=True)

    def require_no_links(self):
        """Raise a UserError if a folder of the run is a link to elsewhere: what is written there is not the run's."""
        for folder in self.path.iterdir():
            if folder.is_symlink() and folder.is_dir():
                raise UserError(
                    f"{folder} is a link to {os.readlink(folder)}. Nothing is written through links in a run folder: "
                    "remove it, or put a folder in its place"
                )

    def set_aside(self, name):
        """Give a folder of the run another name, quality_2 ..., since what comes next will have this one."""
        if (self / name).exists():
            os.replace(self / name, RunFolder(self / name).free_name().path)

    def free_name(self):
        """This folder if it is free, else the next free one: my_run, my_run_2, my_run_3 ..."""
        run, (base, number) = self, _numbered(self.path)
        while run.taken():
            number += 1
            run = RunFolder(base.with_name(f"{base.name}_{number}"))
        return run

    def and_numbered(self):
        """The folders that hold something, of those that :meth:`free_name` goes through: this one, then my_run_2 ..."""
        run, (base, number) = self, _numbered(self.path)
        while run.taken():
            yield run
            number += 1
            run = RunFolder(base.with_name(f"{base.name}_{number}"))

    def require_free(self):
        """Raise a UserError with a free name if something is in the folder already: nothing is ever overwritten."""
        if self.taken():
            stopped = (self / "checkpoints").is_dir()
            raise UserError(
                f"{self.path} is not empty: it holds an earlier run or other files, and nothing is overwritten. "
                f"Choose another run folder, for example {self.free_name().path}"
                + (f"; or go on with the training that was stopped there: n2seg resume {self.path}" if stopped else "")
            )

    def start(self, settings, facts, split):
        """Write down the settings of a new run, how its images are split, the packages in use and, last, the first
        facts of run.json."""
        self.require_free()
        packages, known = requirements(), versions()  # beforehand: who is killed while this is written cannot go on
        make_folder(self.path)
        self.write_table("split.csv", split)
        self.write_settings(settings)
        write_text(self / "requirements.txt", packages)
        self.note(status="training", started=_now(), versions=known, **facts)

    def write_settings(self, settings):
        """Write down the settings in effect."""
        write_text(self / "settings.yaml", settings.to_yaml())

    def note(self, **facts):
        """Add facts to run.json."""
        write_text(self / "run.json", json.dumps(self.facts() | facts, indent=2, ensure_ascii=False))

    def facts(self):
        """What run.json says; empty before the run starts."""
        try:
            facts = read_json(self / "run.json")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self.damaged("run.json") from error
        if not isinstance(facts, dict):
            raise self.damaged("run.json")
        return facts

    def finish(self, status, **facts):
        """Write down how the run ended."""
        self.note(status=status, ended=_now(), **facts)

    def write_table(self, name, rows):
        """Write a list of dicts as a CSV file."""
        write_table(self / name, rows)

    def history(self):
        """The rows of history.csv, with numbers as numbers."""
        try:
            rows = read_table(self / "history.csv")
            return [{k: int(v) if k == "epoch" else float(v) for k, v in row.items()} for row in rows]
        except (OSError, ValueError) as error:
            raise self.damaged("history.csv") from error

    @property
    def made_by_n2v(self):
        """Whether this is a folder that n2v, csbdeep or their kin wrote, not a run of ours."""
        return (self / "config.json").is_file() and not (self / "settings.yaml").exists()

    def require(self):
        """Raise a UserError unless this is the folder of a run, or of an n2v model, that can be used."""
        if self.made_by_n2v:
            return self
        if not self.path.is_dir():
            file = self.path.is_file()
            inside = any((self.path.parent / name).is_file() for name in ("settings.yaml", "config.json"))
            folder = f"its folder, {self.path.parent}" if inside else "the run folder of a model"
            why = f"it is a file. Give {folder}" if file else "it does not exist. Check its path"
            raise UserError(f"{self.path} is not the folder of a trained model: {why}")
        missing = [name for name in ("settings.yaml", "run.json", "weights_best.h5") if not (self / name).is_file()]
        if missing:
            raise UserError(
                f"{self.path} is not the folder of a trained model: it has no {missing[0]}. Give a run folder, or the "
                "folder of an n2v model"
            )
        return self

    def course(self):
        """How the training went, for reports: when, how long, where, and which epoch was best."""
        facts = self.facts()
        best = f"{facts.get('best_epoch')} of {facts.get('epochs_done')}"
        asked = f"; {facts['minutes']:g} minutes were asked for" if facts.get("minutes") else ""
        return {
            "started": facts.get("started"),
            "ended": f"{facts.get('ended')} ({facts.get('status')})",
            "training": f"{facts.get('training_seconds')} s on {facts.get('device')}, best epoch {best}{asked}",
        }

    def require_start(self, kinds):
        """Raise a UserError unless training can start from this folder; `kinds` are models of other software that it
        can start from too."""
        other = self.path.is_file() or any((self / name).is_file() for name in _EXPORTS)
        if other and not (self / "settings.yaml").exists():
            raise UserError(
                f"A training cannot start from {self.path}: Keras files, packages and SavedModels can be applied, but "
                f"not trained further. Give the run folder that it was made from, or the folder of {kinds}, or leave "
                "'pretrained' empty"
            )
        return self.require()

    @property
    def workflow(self):
        """What was trained: "denoise", "segment" or "joint"; folders of n2v are for denoising, of DenoiSeg for both."""
        if self.made_by_n2v:
            return "joint" if b'"denoiseg_alpha"' in (self / "config.json").read_bytes() else "denoise"
        found = self.facts().get("workflow", "denoise")
        if found not in ("denoise", "segment", "joint"):
            raise self.damaged("run.json")
        return found

    def require_workflow(self, wanted):
        """Raise a UserError if the model is one for something else."""
        if self.workflow != wanted:
            raise UserError(
                f"The model in {self.path} was trained to {self.workflow}, not to {wanted}. Give another run folder"
            )


def _numbered(path):
    match = re.fullmatch(r"(.+)_(\d+)", path.name)
    if match and int(match[2]) > 1:
        return path.with_name(match[1]), int(match[2])
    return path, 1


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
