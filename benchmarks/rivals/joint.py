"""Time to quality of joint training with ten annotated images: our recipe, the published one, and denoiseg."""

import shutil

import data

from n2seg_utils import judge, judge_labels

from . import times

TITLE = "Joint denoising and segmentation: time to quality"
LENGTHS = (60, 120, 225, 450)  # seconds of our trainings, beside the whole time of the rivals
ANNOTATED, DRAW, SIGMA = 10, 1, 20.0
CASE = "DSB2018, sigma 20, 10 annotated"
RIVALS = ("published recipe", "denoiseg")
_TINY = {"epochs": 2, "steps_per_epoch": 2, "network_width": 4, "network_depth": 2, "patch_size": 32, "batch_size": 2}


def measure(bench):
    """All trainings."""
    folder = bench.images("joint", _sample if bench.small else _nuclei)
    case, whole = ("sample", 0) if bench.small else (CASE, bench.minutes["joint"])
    asked = {"train": str(folder / "train"), "masks": str(folder / "drawn" / "masks"), "test": str(folder / "test")}

    def score(found):
        about = {"ap50": judge_labels(found / "labels", folder / "masks", kind="instances")["ap50"]}
        return about | {"psnr": judge(found / "denoised", folder / "truth")["psnr"]["prediction"]}

    asked["judge"], tiny = score, _TINY if bench.small else {}
    for repeat in range(bench.repeats):
        about = ("joint", case)
        for who in bench.order(repeat, [*RIVALS, "ours"]):
            if who == "denoiseg":
                more = {"minutes": 0.05, "batch": 2, "steps_per_epoch": 1} if bench.small else {"minutes": whole}
                bench.measure(*about, who, repeat, "denoiseg_joint", "denoiseg", first=60, **asked, **more)
            elif who == "ours":
                for seconds in [0] if bench.small else [*LENGTHS, whole * 60]:
                    asked |= {"minutes": seconds / 60, "settings": tiny}
                    bench.measure(*about, f"ours, {seconds:g} s", repeat, "ours_joint", **asked)
                del asked["minutes"], asked["settings"]
            else:
                chosen = tiny | {"recipe": "published", "schedule": "constant"}
                bench.measure(*about, who, repeat, "ours_joint", minutes=whole, settings=chosen, **asked)


def _nuclei(work):
    found = data.noisy_nuclei(SIGMA, work)
    data.annotate_nuclei(found.train, ANNOTATED, DRAW, work / "drawn")


def _sample(work):
    data.sample("nuclei", work, 4, 1)
    (work / "clean").rename(work / "truth")
    (work / "drawn" / "masks").mkdir(parents=True)
    for file in sorted((work / "train").iterdir())[:3]:
        shutil.copy(work / "masks" / file.name, work / "drawn" / "masks" / file.name)


def rows(bench):
    """What came of it."""
    records, found = bench.records("joint"), []
    for case in dict.fromkeys(one["case"] for one in records):
        for rival in RIVALS:
            words = f"the AP of {rival} in all its time"
            found += times.rows(records, case, rival, "ap50", "", 1 / 4, times.best, words)
            for score, unit in (("ap50", "AP"), ("psnr", "dB")):
                words = f"{'AP' if unit == 'AP' else 'PSNR'} in the same time, {rival}"
                found.append(times.at_equal_time(records, case, rival, score, unit, 0.0, times.last, words))
    return found
