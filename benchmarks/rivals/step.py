"""What a training step costs: whole beside bare, and bare beside PyTorch's."""

import statistics

from .tables import compared, of

TITLE = "Cost of a training step"
FULL = {"patch": 64, "batch": 16, "width": 32, "steps": 40, "turns": 5, "images": 20}
SMALL = {"patch": 32, "batch": 2, "width": 4, "steps": 2, "turns": 2, "images": 2}


def measure(bench):
    """Pairs of runs, ours and PyTorch's."""
    asked = SMALL if bench.small else FULL
    for repeat in range(bench.repeats):
        for who in bench.order(repeat, ["ours", "PyTorch"]):
            worker, environment = ("step_keras", "ours") if who == "ours" else ("step_torch", "torch")
            bench.measure("step", "Noise2Void, 2D", who, repeat, worker, environment, **asked)


def rows(bench):
    """What came of it: milliseconds, each repeat the median of its turns."""
    records = bench.records("step")
    whole, bare = (_milliseconds(records, "ours", [name]) for name in ("whole", "bare"))
    usual = _milliseconds(records, "PyTorch", ["usual"])
    best = _milliseconds(records, "PyTorch", ["usual", "channels_last"])
    return [
        compared("whole step, beside the bare one", "at most 1.05", whole, bare, lambda ratio: ratio <= 1.05, "ms"),
        compared("bare step, beside PyTorch's", "at most 0.9", bare, usual, lambda ratio: ratio <= 0.9, "ms"),
        compared("bare step, beside PyTorch's best", "at most 0.9", bare, best, lambda ratio: ratio <= 0.9, "ms"),
    ]


def _milliseconds(records, who, names):
    return [
        1000 * min(statistics.median(turn[name] for turn in one["series"]) for name in names)
        for one in of(records, "Noise2Void, 2D", who)
    ]
