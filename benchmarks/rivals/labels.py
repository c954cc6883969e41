"""Seconds to score label images: this package, stardist and denoiseg, with the same answers."""

import numpy as np
from scipy import ndimage

from .tables import Row, compared, of, value

TITLE = "Scores of label images"
RIVALS = {"stardist": "stardist", "denoiseg": "denoiseg"}


def measure(bench):
    """Everybody scores the same pairs."""
    count, objects = (3, 20) if bench.small else (100, 500)
    case = f"{count} images with {objects} objects each"
    folder = bench.images("labels", lambda work: write_pairs(work, count, objects))
    for repeat in range(bench.repeats):
        for who in bench.order(repeat, ["ours", *RIVALS]):
            asked = {"subject": who, "pairs": str(folder / "pairs.npz")}
            bench.measure("labels", case, who, repeat, "labels", RIVALS.get(who, "ours"), **asked)


def write_pairs(work, count, objects):
    """Label images: discs that touch, of which some are lost, moved, split or merged in what was found."""
    work.mkdir(parents=True)
    pairs = [_pair(objects, np.random.default_rng(number)) for number in range(count)]
    np.savez_compressed(work / "pairs.npz", truth=[one for one, _ in pairs], found=[found for _, found in pairs])


def _pair(objects, rng):
    side = int(np.ceil(objects**0.5))
    cell = 44
    centres = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)[:objects]
    centres = centres * cell + cell / 2 + rng.uniform(-8, 8, centres.shape)
    truth, found = (np.zeros((side * cell,) * 2, "int32") for _ in range(2))
    shifts = rng.normal(0, 2.5, centres.shape)
    for image, where in ((truth, centres), (found, centres + shifts)):
        seeds = np.zeros(image.shape, bool)
        rows, columns = np.clip(np.rint(where).astype(int), 0, image.shape[0] - 1).T
        seeds[rows, columns] = True
        numbers = np.zeros(image.shape, "int32")
        numbers[rows, columns] = np.arange(1, len(where) + 1)
        away, nearest = ndimage.distance_transform_edt(~seeds, return_indices=True)
        image[:] = np.where(away < 18, numbers[tuple(nearest)], 0)
    fate = rng.random(objects + 1)
    found[fate[found] < 0.06] = 0  # lost
    found[(fate[found] > 0.94) & (found > 1)] -= 1  # merged with the one before
    return truth, np.unique(found, return_inverse=True)[1].reshape(found.shape).astype("int32")


def rows(bench):
    """What came of it, with a row on whether the answers are the same."""
    records, found = bench.records("labels"), []
    for case in dict.fromkeys(one["case"] for one in records):
        for rival, names in (("stardist", ("one threshold", "ten thresholds")), ("denoiseg", ("one threshold",))):
            for name in names:
                ours, theirs = (value(records, case, who, name) for who in ("ours", rival))
                what = f"{case}: {name}, {rival}"
                found.append(compared(what, "not slower", ours, theirs, lambda ratio: ratio <= 1, "s", 3))
        theirs = of(records, case, "stardist")
        for one, other in zip(of(records, case, "ours"), theirs[:1]):
            same = all(one["answers"][name] == answers for name, answers in other["answers"].items())
            found.append(Row(f"{case}: tp, fp and fn", "those of stardist", "", "", "", same))
    return found
