"""The runs of an experiment: what the grid makes, each with a name that stays the same when the grid grows."""

import itertools
import math
import re
import zlib
from dataclasses import dataclass

from ..errors import UserError
from .file import METHODS, MINUTES, kinds_of

_MOST_RUNS = 10_000
_LONGEST_NAME = 120
_EPOCHS = 30  # at least, of a training for a number of steps


@dataclass(frozen=True)
class Run:
    """One training, or two one after the other, and how it is told from the others.

    Attributes
    ----------
    name : str
        Of its folder.
    method : str
    noise : float
        Standard deviation of the Gaussian noise that is added to all images.
    annotated : int
        Annotated images that it learns from; 0 of Noise2Void.
    seed : int
        Draws these images, and everything else that is drawn.
    values : dict
        Settings of the grid that its method knows -> value.
    """

    name: str
    method: str
    noise: float
    annotated: int
    seed: int
    values: dict

    @property
    def way(self):
        """What it has in common with runs that differ from it in their seed only."""
        return self.method, self.noise, self.annotated, tuple(self.values.items())

    def identity(self):
        """What tells it from others, as a row of a table begins."""
        return {
            "run": self.name, "method": self.method, "noise": self.noise, "annotated": self.annotated, "seed": self.seed
        }  # fmt: skip


def runs(experiment, known):
    """All runs, a complete draw after the other.

    Parameters
    ----------
    experiment : Experiment
    known : Known
        What is known of its images.

    Returns
    -------
    list of Run

    Raises
    ------
    UserError
        When there are too many, more annotated images are wanted than there are, settings do not go together, or there
        is nothing to judge a run by.
    """
    grid = experiment.grid
    count = math.prod(len(values) for values in grid.values())
    if count > _MOST_RUNS:
        raise UserError(f"{experiment.path}: The grid makes {count:,} runs: give at most {_MOST_RUNS:,}")
    most = len(known.annotated)
    counts = [_resolved(experiment, count, most) for count in grid["annotated"]] if experiment.about.masks else [0]
    found, names = {}, experiment.axes
    for seed, noise, annotated, method, *values in itertools.product(
        grid["seed"], grid["noise"], sorted(set(counts)), grid["method"], *(grid[name] for name in names)
    ):
        chosen = {name: value for name, value in zip(names, values) if kinds_of(method, name)}
        run = _run(experiment, method, noise, annotated if method != "denoise" else 0, seed, chosen)
        if found.setdefault(run.name, run) != run:
            raise UserError(f"{experiment.path}: Two runs would be called {run.name}. Choose other values in the grid")
    for run in found.values():
        if run.method == "denoise" and not run.noise and not known.truth:
            raise UserError(
                f"{experiment.path}: Without added noise, denoising is judged by clean images, and there are none. "
                "Give them as truth, or remove denoise or noise 0 from the grid"
            )
        try:
            trainings(experiment, run)
        except UserError as error:
            raise UserError(f"{experiment.path}: In the run {run.name}: {error}") from error
    return list(found.values())


def trainings(experiment, run):
    """Settings of what a run trains: workflow -> settings, without images and run folder."""
    found = {}
    for workflow, kind in METHODS[run.method].items():
        values = {name: value for name, value in experiment.base.items() if name in kind.knobs()}
        values |= {name: value for name, value in run.values.items() if name in kind.knobs()}
        values |= {"seed": run.seed} | ({"recipe": "published"} if run.method == "published" else {})
        settings = kind.from_mapping(values).check()
        found[workflow] = settings.replace(**_length(experiment, settings, len(METHODS[run.method])))
    return found


def _length(experiment, settings, parts):
    """How long to train, where as many trainings as `parts` share the time, or the steps."""
    if experiment.about.steps:
        return _epochs(experiment.about.steps, parts)
    if settings.minutes == 0:
        return {"steps_per_epoch": math.ceil(settings.steps_per_epoch / parts)}
    return {"minutes": (MINUTES if settings.minutes is None else settings.minutes) / parts}


def _epochs(steps, parts):
    """So many steps, or up to three in a hundred more, as epochs that can be shared by one or two trainings.

    >>> _epochs(2400, 1), _epochs(2400, 2)["steps_per_epoch"]
    ({'minutes': 0, 'epochs': 30, 'steps_per_epoch': 80}, 40)
    """
    each = max(2, steps // _EPOCHS // 2 * 2)
    return {"minutes": 0, "epochs": math.ceil(steps / each), "steps_per_epoch": each // parts}


def _resolved(experiment, count, known):
    if count == "all":
        return known
    if count > known:
        raise UserError(
            f"{experiment.path}: annotated is {count}, but there are {known} annotated images to learn from, beside "
            f"those to judge by. Use at most {known}, or all"
        )
    return count


def _run(experiment, method, noise, annotated, seed, chosen):
    words = [method]
    words += [f"noise{noise:g}"] if noise else []
    words += [f"annotated{annotated}"] if annotated else []
    for name, value in chosen.items():
        if any(value != experiment.value(kind, name) for kind in kinds_of(method, name)):
            words.append(f"{name}={_text(value)}")
    return Run(_short("_".join([*words, f"seed{seed}"])), method, noise, annotated, seed, chosen)


def _text(value):
    """A value as part of a name of a folder; what no folder may be called is left out, and told apart by a number."""
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    plain = re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.")
    return plain if plain == text else f"{plain}-{zlib.crc32(text.encode()):08x}"


def _short(name):
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 9]}-{zlib.crc32(name.encode()):08x}"
