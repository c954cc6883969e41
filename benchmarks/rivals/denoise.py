"""Time to quality of denoising: this package, CAREamics and n2v on the same images."""

import data

from n2seg_utils import judge

from . import times

TITLE = "Denoising: time to quality"
STEPS = 800  # of CAREamics, batches of 16: what ours has to reach
LENGTHS = (5, 7, 10, 14, 20, 28, 40, 80, 160, 320)  # seconds of our trainings, beside the long one
SETS = {"DSB2018, sigma 20": "dsb20", "FMD": "fmd"}
RIVALS = {"CAREamics": "careamics", "n2v": "n2v"}
_TINY = {"epochs": 1, "steps_per_epoch": 2, "network_width": 4, "patch_size": 32}


def measure(bench):
    """All trainings."""
    sets = {"sample": None} if bench.small else SETS
    for repeat in range(bench.repeats):
        for case, name in sets.items():
            make = data.SETS[name] if name else lambda work: data.sample("nuclei", work, 4, 1)
            folder = bench.images(name or "sample", make)
            truth = data.source() / "fmd" / "clean" if name == "fmd" else folder / ("truth" if name else "clean")
            _measure(bench, repeat, case, folder, truth)


def _measure(bench, repeat, case, folder, truth):
    asked = {"train": str(folder / "train"), "test": str(folder / "test"), "minutes": bench.minutes["denoise"]}
    asked |= {"judge": lambda found: {"psnr": judge(found, truth)["psnr"]["prediction"]}}
    for who in bench.order(repeat, [*RIVALS, "ours"]):
        if who == "ours":
            _measure_ours(bench, repeat, case, asked)
        elif bench.small:
            asked |= {"minutes": 0.05, "batch": 4}
            bench.measure("denoise", case, who, repeat, f"{RIVALS[who]}_denoise", RIVALS[who], **asked)
        else:
            more = {"steps": [STEPS], "first": 20, "factor": 1.5}
            bench.measure("denoise", case, who, repeat, f"{RIVALS[who]}_denoise", RIVALS[who], **asked, **more)


def _measure_ours(bench, repeat, case, asked):
    lengths = [0] if bench.small else [*LENGTHS, bench.minutes["denoise"] * 60]
    more = {"settings": _TINY} if bench.small else {}
    for seconds in lengths:
        about = asked | {"minutes": seconds / 60}
        bench.measure("denoise", case, f"ours, {seconds:g} s", repeat, "ours_denoise", **about, **more)


def rows(bench):
    """What came of it."""
    records, found = bench.records("denoise"), []
    for case in dict.fromkeys(one["case"] for one in records):
        after, about = times.after(STEPS), (records, case)
        words = f"what CAREamics has after {STEPS} steps"
        found += times.rows(*about, "CAREamics", "psnr", "dB", 1 / 10, after, words)
        found += times.rows(*about, "n2v", "psnr", "dB", 1 / 20, times.best, "the best of n2v")
        words = f"PSNR in the time of CAREamics' {STEPS} steps"
        found.append(times.at_equal_time(*about, "CAREamics", "psnr", "dB", 1.0, after, words))
        words = "PSNR in the time of n2v's best"
        found.append(times.at_equal_time(*about, "n2v", "psnr", "dB", 1.0, times.best, words))
        for rival in RIVALS:
            words = f"PSNR after long training, {rival}"
            found.append(times.at_equal_time(*about, rival, "psnr", "dB", 0.0, times.last, words))
    return found
