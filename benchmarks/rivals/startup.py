"""Seconds before anything happens: import, installation, the first training step, the first notebook."""

from pathlib import Path

import data

from .tables import Row, spread, value

TITLE = "Start-up"
ROOT = Path(__file__).resolve().parents[2]
IMPORTS = {
    "ours": ("ours", "n2seg_utils", "n2seg-utils"), "n2v": ("n2v", "n2v.models", "n2v"),
    "CAREamics": ("careamics", "careamics", "careamics"), "csbdeep": ("csbdeep", "csbdeep.models", "csbdeep"),
    "denoiseg": ("denoiseg", "denoiseg.models", "denoiseg"), "stardist": ("stardist", "stardist.matching", "stardist"),
}  # fmt: skip
NOTEBOOK = "1_Noise2Void_denoising"
AIMS = {"import": 0.5, "installation": 20.0, "first step": 15.0, "notebook 1": 180.0}


def measure(bench):
    """Imports of everybody, and what only we have."""
    folder = bench.images("startup", lambda work: data.sample("nuclei", work, 4, 1))
    tiny = {"minutes": 0, "epochs": 1, "steps_per_epoch": 50}
    tiny |= {"network_width": 4, "patch_size": 32} if bench.small else {}
    for repeat in range(bench.repeats):
        for who in bench.order(repeat, IMPORTS):
            environment, module, package = IMPORTS[who]
            bench.measure("startup", "import", who, repeat, "startup", environment, module=module, package=package)
        asked = {"images": str(folder / "train"), "settings": tiny}
        bench.measure("startup", "first step", "ours", repeat, "startup", **asked)
        if not bench.small:
            bench.measure("startup", "notebook 1", "ours", repeat, "notebook", notebook=NOTEBOOK)
            bench.measure("startup", "installation", "ours", repeat, "install", "colab", root=str(ROOT))


def rows(bench):
    """What came of it."""
    records, found = bench.records("startup"), []
    rivals = [who for who in IMPORTS if who != "ours"]
    for case, most in AIMS.items():
        mine = value(records, case, "ours", "seconds")
        if not mine and bench.small:
            continue
        theirs = [f"{who} {spread(value(records, case, who, 'seconds'), 's')}" for who in rivals]
        beside = "; ".join(theirs) if case == "import" else ""
        if case == "installation":
            known = {who: bench.environments.install_seconds(IMPORTS[who][0]) for who in rivals}
            beside = "; ".join(
                f"{who}, with all it needs, {seconds:.0f} s" for who, seconds in known.items() if seconds
            )
        met = sorted(mine)[len(mine) // 2] < most if mine else None
        found.append(Row(_WORDS.get(case, case), f"below {most:g} s", spread(mine, "s"), beside, "", met))
    mine = value(records, "first step", "ours", "seconds_from_start")
    if mine:
        met = sorted(mine)[len(mine) // 2] < AIMS["first step"]
        found.append(Row("first step, from the start of the process", "below 15 s", spread(mine, "s"), "", "", met))
    return found


_WORDS = {"notebook 1": "notebook 1, Run all on the sample", "installation": "installation on what Colab has"}
