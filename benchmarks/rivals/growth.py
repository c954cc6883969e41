"""How cost grows with pixels, images, objects, channels and planes: nothing above linear."""

import math
import statistics

from .tables import Row, value

TITLE = "How cost grows"
FULL = {
    "pixels": (256, 1024, 4096, 16384), "channels": (1, 2, 4, 8), "planes": (16, 64, 256),
    "objects": (10, 100, 1000, 10_000, 100_000), "found objects": (100, 1000, 10_000, 100_000),
    "images": (10, 100, 1000, 10_000),
}  # fmt: skip
SMALL = {"pixels": (64, 128), "channels": (1, 2), "planes": (8, 16), "objects": (10, 100), "found objects": (10, 100),
         "images": (3, 6)}  # fmt: skip
_LINEAR = 1.1  # power up to which growth counts as linear: caches and noise of the clock


def measure(bench):
    """Each size in a process of its own."""
    for repeat in range(bench.repeats):
        for what, sizes in (SMALL if bench.small else FULL).items():
            for size in bench.order(repeat, sizes):
                bench.measure("growth", f"{what}, {size}", "ours", repeat, "growth", what=what, size=size)


def rows(bench):
    """What came of it: a row each for what is measured, with the power at which its seconds grow last."""
    records, found = bench.records("growth"), []
    for what, sizes in (SMALL if bench.small else FULL).items():
        amounts = [size**2 if what == "pixels" else size for size in sizes]
        names = {name for one in records if one["case"].startswith(f"{what},") for name in one["values"]}
        for name in sorted(names):
            if name.endswith("megabytes"):
                continue
            times = [value(records, f"{what}, {size}", "ours", name) for size in sizes]
            known = [(amount, statistics.median(some)) for amount, some in zip(amounts, times) if some]
            said = "; ".join(f"{amount:,}: {seconds:.3g} s" for amount, seconds in known)
            power = _power(known)
            met = None if power is None else power <= _LINEAR
            shown = "" if power is None else f"power {power:.2f}"
            found.append(Row(f"{name}, by {what}", f"power at most {_LINEAR}", said, "", shown, met))
    return found


def _power(known):
    """How fast seconds grow between the last two amounts: 1 is linear."""
    if len(known) < 2:
        return None
    (less, soon), (more, late) = known[-2:]
    return math.log(late / soon) / math.log(more / less)
