"""Megapixels a second of prediction, and its memory: this package, csbdeep and CAREamics, from file to file."""

import numpy as np
import tifffile

from .tables import Row, compared, of, spread

TITLE = "Prediction"
FULL = {"2D": [(512,) * 2, (2048,) * 2, (16384,) * 2], "3D": [(16, 512, 512), (16, 2048, 2048)]}
SMALL = {"2D": [(96,) * 2, (128,) * 2], "3D": [(8, 32, 32)]}
RIVALS = ("csbdeep", "csbdeep, at its best", "CAREamics", "CAREamics, at its best")


def measure(bench):
    """All sizes, each in a process of its own, so that its memory is known."""
    width = 4 if bench.small else 32
    folder = bench.images("prediction", lambda work: _write(work, SMALL if bench.small else FULL))
    for repeat in range(bench.repeats):
        for kind, shapes in (SMALL if bench.small else FULL).items():
            for shape in shapes:
                about = {"image": str(folder / _name(shape)), "warm": str(folder / f"warm_{kind}.tif")}
                about |= {"axes": "ZYX"[-len(shape) :], "width": width, "dimensions": kind.lower()}
                about |= {"train": str(folder / f"warm_{kind}.tif")}
                for who in bench.order(repeat, ["ours", *RIVALS]):
                    name = who.split(",")[0].lower()
                    environment = "ours" if bench.small and name == "csbdeep" else name
                    about["at_its_best"] = who.endswith("best")
                    bench.measure("prediction", _case(shape), who, repeat, f"predict_{name}", environment, **about)


def _write(work, kinds):
    work.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for kind, shapes in kinds.items():
        least = (64, 64) if kind == "2D" else (8, 32, 32)
        for name, shape in [(f"warm_{kind}.tif", least), *((_name(shape), shape) for shape in shapes)]:
            rows = (rng.normal(500, 40, shape[1:]).astype("uint16") for _ in range(shape[0]))
            tifffile.imwrite(work / name, np.stack(list(rows)))


def _name(shape):
    return "x".join(map(str, shape)) + ".tif"


def _case(shape):
    return f"{len(shape)}D, {' x '.join(map(str, shape))}"


def rows(bench):
    """What came of it."""
    records, found = bench.records("prediction"), []
    cases = dict.fromkeys(one["case"] for one in records)
    for case in cases:
        for rival in RIVALS:
            aim, least = ("at least 2", 2.0) if rival.startswith("csbdeep") else ("faster", 1.0)
            ours, theirs = (_speed(records, case, who) for who in ("ours", rival))
            met = lambda ratio, least=least: ratio >= least  # noqa: E731
            found.append(compared(f"{case}: beside {rival}", aim, ours, theirs, met, "megapixels/s"))
    for kind in ("2D", "3D"):
        peaks = {case: _peaks(records, case, "ours") for case in cases if case.startswith(kind)}
        peaks = {case: peak for case, peak in peaks.items() if peak}
        if len(peaks) > 1:
            sizes = list(peaks)
            small, large = (max(peaks[case]) for case in (sizes[-2], sizes[-1]))
            rival = "; ".join(f"{who}: {spread(_peaks(records, sizes[-1], who), 'MB', 0)}" for who in RIVALS)
            what = f"memory of the process, {sizes[-2]} and {sizes[-1]}"
            ours = f"{small:.0f} and {large:.0f} MB"
            found.append(Row(what, "flat: at most 1.2", ours, rival, f"{large / small:.2f}", large <= 1.2 * small))
    return found


def _speed(records, case, who):
    pixels = np.prod([int(size) for size in case.split(", ")[1].split(" x ")])
    return [pixels / 1e6 / one["values"]["seconds"] for one in of(records, case, who)]


def _peaks(records, case, who):
    return [one["values"]["megabytes"] for one in of(records, case, who)]
