"""What an experiment will take: time and disk, as far as that is known before it starts."""

import itertools
from dataclasses import dataclass

import numpy as np

from . import plan
from .results import read_result

_OVERHEAD = 30.0  # seconds of a run beside its training: to start, to compile, to judge
_FIGURES = 3_000_000  # bytes of pictures and the report of a run
_BYTES = 4  # a value
_CHECKPOINTS = 8  # times the weights: two, each with the optimiser and the best weights so far


@dataclass(frozen=True)
class Cost:
    """What runs take.

    Attributes
    ----------
    seconds : float or None
        Of the runs that are missing, one after the other; None where nothing tells.
    longest : float or None
        Seconds of the longest of them.
    nbytes : int
        Disk of those, and of the images they need.
    measured : bool
        Whether the time is from runs that are done, else it is what was asked for.
    """

    seconds: float | None
    longest: float | None
    nbytes: int
    measured: bool


def estimate(experiment, out, known, runs):
    """What the runs of an experiment that are missing will take.

    Parameters
    ----------
    experiment : Experiment
    out : Path
    known : Known
    runs : list of Run
        All of them, done or not.

    Returns
    -------
    Cost
    """
    results = {run.name: read_result(out, run) for run in runs}
    took = {}
    for run in runs:
        if results[run.name]:
            took.setdefault(run.method, []).append(float(results[run.name]["seconds"]))
    missing = [run for run in runs if not results[run.name]]
    seconds = [_seconds(experiment, run, took) for run in missing]
    whole = None if None in seconds else sum(seconds)
    nbytes = sum(_bytes(experiment, known, run) for run in missing)
    nbytes += _checkpoints(experiment, known, missing)
    if not (out / "data" / "ready.json").exists():
        levels = sum(1 for noise in experiment.grid["noise"] if noise)
        nbytes += _BYTES * levels * (known.pixels + known.test_pixels)
    longest = max((one for one in seconds if one is not None), default=None)
    return Cost(whole, longest, nbytes, bool(took) and all(run.method in took for run in missing))


def _seconds(experiment, run, took):
    if run.method in took:
        return float(np.median(took[run.method]))
    minutes = [settings.minutes for settings in plan.trainings(experiment, run).values()]
    if all(minutes):
        return 60 * sum(minutes) + _OVERHEAD * len(minutes)
    others = [seconds for some in took.values() for seconds in some]
    return float(np.median(others)) if others else None


def _bytes(experiment, known, run):
    """What a run leaves behind: weights, results and pictures."""
    weights = sum(_BYTES * _weights(settings, known) for settings in plan.trainings(experiment, run).values())
    results = 2 * _BYTES * known.test_pixels
    if run.method == "sequential":
        results += _BYTES * known.pixels * run.annotated // len(known.train)
    return weights + results + _FIGURES


def _checkpoints(experiment, known, runs):
    """What is there only while a run trains."""
    sizes = [_weights(s, known) for run in runs[:100] for s in plan.trainings(experiment, run).values()]
    return _CHECKPOINTS * _BYTES * max(sizes, default=0)


def _weights(settings, known):
    """About how many weights a U-Net has: two convolutions on each level, on the way down and up."""
    width, area = settings.network_width or 32, settings.kernel_size**known.dims
    widths = [width * 2**level for level in range(settings.network_depth + 1)]
    pairs = sum(2 * lower * upper + 3 * lower**2 for lower, upper in itertools.pairwise(widths))
    return area * (pairs + widths[0] ** 2)
