"""The file of an experiment, written from what was entered in a form, and what a form suggests."""

import yaml

from ..settings.compare import parts
from .sources import held_out

FILE = "experiment.yaml"
_HEAD = "# Written by notebook 5. On a cluster, or in a shell: n2seg experiment run {} --out .\n"
_SEEDS, _SEEDS_OF_SAMPLE = 3, 2
_MINUTES, _MINUTES_OF_SAMPLE, _MINUTES_WITH_GPU = 10.0, 0.2, 5.0
_OTHER_OF_SAMPLE = "network_width = 16; patch_size = 64; batch_size = 8"


def values_of(settings):
    """What the file of an experiment says.

    Parameters
    ----------
    settings : CompareSettings
        Complete: with numbers of annotated images and of repetitions, and with minutes or steps.

    Returns
    -------
    dict
    """
    where = {name: getattr(settings, name) for name in ("images", "masks", "truth") if getattr(settings, name)}
    length = {"steps": settings.steps} if settings.steps else {}
    base = {name: value for name, value in (("axes", settings.axes), ("target", settings.target)) if value != "auto"}
    base |= {} if settings.steps else {"minutes": settings.minutes}
    base |= dict(parts(settings.other))
    if settings.methods == ["denoise"]:
        base.pop("target", None)  # which Noise2Void does not know
    grid = {"method": settings.methods, "noise": _listed(settings.noise)}
    if settings.masks and settings.methods != ["denoise"]:
        grid |= {"annotated": _listed(settings.annotated)}
    grid |= {"seed": list(range(1, settings.seeds + 1))}
    grid |= {name: _listed(value) for name, value in parts(settings.compare)}
    return where | {"held_out": settings.held_out} | length | {"settings": base, "grid": grid}


def text_of(values):
    """The same as text for the file."""
    return _HEAD.format(FILE) + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def suggest(annotated, share, sample=False, gpu=False):
    """What to compare if nothing is entered: name of a field -> (value, reason).

    Parameters
    ----------
    annotated : int
        Images that have masks.
    share : float
        Of these that is held out.
    sample : bool
        Whether it is the built-in sample, which shall not take long.
    gpu : bool
    """
    seeds = _SEEDS_OF_SAMPLE if sample else _SEEDS
    minutes = _MINUTES_OF_SAMPLE if sample else _MINUTES_WITH_GPU if gpu else _MINUTES
    quick = "the sample only shows how it works"
    found = {
        "seeds": (seeds, quick if sample else "fewer cannot tell what is chance"),
        "minutes": (minutes, quick if sample else "a GPU learns fast" if gpu else "there is no GPU"),
    }
    if sample:
        found["other"] = (_OTHER_OF_SAMPLE, quick)
    if annotated:
        most = annotated - held_out(annotated, share)
        fewer = [round(most / 3)] if sample else [round(most / 4), round(most / 2)]
        counts = sorted({count for count in fewer if 2 <= count < most})
        reason = f"{most} of your {annotated} annotated images are left to learn from" if not sample else quick
        found["annotated"] = (", ".join([*map(str, counts), "all"]), reason)
    return found


def _listed(text):
    return [value.strip() for value in str(text).split(",") if value.strip()]
