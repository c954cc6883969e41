"""The last two states of a training, as files: one that is damaged leaves the other."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from ..data import drive
from ..data.files import whole_file
from ..errors import UserError
from ..learning.state import State

_KEPT = 2
_SELDOM = 60.0  # seconds between two states on Drive, whose trash keeps all that were
_LISTS = ("network", "optimizer", "metrics", "best")
_FACTS = ("step", "history", "best_epoch", "least_cost", "lead", "halvings", "seconds")
_DAMAGED = (RuntimeError, OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


class Checkpoints:
    """Writes and reads the states of a training in its run folder; each file is whole or absent.

    Parameters
    ----------
    run : path
        Run folder. If it is on Drive, states come there once a minute, and in between to a disk of this computer.
    """

    def __init__(self, run):
        self.folder = Path(run) / "checkpoints"
        self.seldom, self.written = drive.on_drive(run), 0.0
        # Where states go while the run folder cannot be written to: Drive fails now and then.
        name = hashlib.sha256(str(Path(run).resolve()).encode()).hexdigest()[:16]
        user = os.getuid() if hasattr(os, "getuid") else ""
        self.spare = Path(tempfile.gettempdir()) / f"n2seg_checkpoints_{user}" / name

    def save(self, state):
        """Write a state, and remove all but the last two.

        Returns
        -------
        bool
            Whether the run folder is as it should be: False if it could not be written to.

        Raises
        ------
        UserError
            When it can be written nowhere.
        """
        number = 1 + max((number for number, _ in self._files()), default=0)
        facts = {name: getattr(state, name) for name in _FACTS}
        arrays = {
            f"{name}_{place:05d}": values
            for name in _LISTS
            for place, values in enumerate(getattr(state, name) or ())
        }  # fmt: skip
        recent = self.seldom and time.monotonic() - self.written < _SELDOM
        for folder in (self.spare,) if recent else (self.folder, self.spare):
            try:
                with whole_file(folder / f"state_{number:06d}.npz") as temporary:
                    np.savez(temporary, facts=json.dumps(facts), **arrays)
                break
            except UserError:
                if folder == self.spare:
                    raise
        if folder == self.folder:
            self.written = time.monotonic()
        self._tidy()
        return recent or folder == self.folder

    def bring_home(self):
        """Copy the last state into the run folder, if it is kept elsewhere and the run folder can be written to."""
        found = self._files()
        if found and found[-1][1].parent == self.spare:
            with contextlib.suppress(UserError, OSError):
                with whole_file(self.folder / found[-1][1].name) as temporary:
                    shutil.copyfile(found[-1][1], temporary)
                self._tidy()

    def _tidy(self):
        """Remove all but the last two states of either folder."""
        files = [file for _, file in self._files()]
        for folder in (self.folder, self.spare):
            for file in [file for file in files if file.parent == folder][:-_KEPT]:
                with contextlib.suppress(OSError):  # the run's own, while they can only be read
                    file.unlink(missing_ok=True)

    def latest(self):
        """The last state that is not damaged; None if there is none."""
        for _, file in reversed(self._files()):
            try:
                with np.load(file, allow_pickle=False) as stored:
                    return _state(stored)
            except _DAMAGED:
                continue
        return None

    def __bool__(self):
        """Whether there are any."""
        return bool(self._files())

    def remove(self):
        """Remove them all: the training is over."""
        for folder in (self.folder, self.spare):
            shutil.rmtree(folder, ignore_errors=True)

    def _files(self):
        """(number, file) of those that there are, oldest first."""
        found = []
        for folder in (self.folder, self.spare):
            with contextlib.suppress(OSError):
                for file in folder.glob("state_*.npz"):
                    if match := re.fullmatch(r"state_(\d+)\.npz", file.name):
                        found.append((int(match[1]), file))
        return sorted(found)


def _state(stored):
    facts = json.loads(str(stored["facts"]))
    lists = {name: [stored[key] for key in sorted(stored.files) if key.startswith(f"{name}_")] for name in _LISTS}
    return State(**{name: facts[name] for name in _FACTS}, **lists | {"best": lists["best"] or None})
