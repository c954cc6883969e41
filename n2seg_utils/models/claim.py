"""One training at a time in a run folder, on whichever computers that see it."""

import contextlib
import json
import os
import platform
import threading
import time

import psutil

from ..data.files import cannot_write, make_folder
from ..errors import UserError
from .run_folder import LOCK

_CLOCK = 5  # seconds by which a corrected clock may move when a process began
_BEAT = 60  # seconds between two signs of life
_SILENT = 300  # seconds without a sign of life after which a training on another computer is taken for dead


class Claim:
    """Holds a run folder while a training writes into it, and gives signs of life: a context manager.

    Parameters
    ----------
    run : RunFolder

    Raises
    ------
    UserError
        On entering, when another training is at work there.
    """

    def __init__(self, run):
        self.run, self.file = run, run / LOCK
        self.over = threading.Event()

    def __enter__(self):
        make_folder(self.run.path)
        holder = self._holder()
        if holder and self._alive(holder):
            raise UserError(
                f"Another training (process {holder.get('pid')} on {holder.get('host')}) is writing into "
                f"{self.run.path}. Wait for it, or choose another run folder. If it was stopped, try again in "
                f"{_SILENT // 60} minutes"
            )
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()
        try:
            with open(self.file, "x", encoding="utf-8") as file:
                json.dump({"host": platform.node(), "pid": os.getpid(), "since": _began(os.getpid())}, file)
        except FileExistsError:
            raise UserError(f"Another training has just begun in {self.run.path}. Choose another run folder") from None
        except OSError as error:
            raise cannot_write(self.file, error) from error
        # Reading, compiling and tuning may each take longer than others would wait.
        threading.Thread(target=self._live, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        with contextlib.suppress(OSError):
            self.file.unlink()

    def _live(self):
        while not self.over.wait(_BEAT):
            with contextlib.suppress(OSError):
                os.utime(self.file)

    def _holder(self):
        """What the file says of who holds the folder; None without one, or with half of one."""
        try:
            return dict(json.loads(self.file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _alive(self, holder):
        """Whether the training that holds the folder is still at work."""
        if holder.get("host") == platform.node():
            began, since = _began(holder.get("pid")), holder.get("since")
            return None not in (began, since) and abs(began - since) < _CLOCK
        try:
            return time.time() - self.file.stat().st_mtime < _SILENT
        except OSError:
            return False


def _began(pid):
    """When a process began; None if it is no more."""
    try:
        return psutil.Process(pid).create_time()
    except (psutil.Error, TypeError, ValueError):
        return None
