"""The settings that came out best, to train with, and the model of them that is there already."""

from dataclasses import dataclass

from ..data.files import write_text
from . import results
from .comparison import best
from .plan import Run, trainings
from .table import Group, main_score

_PLACES = ("images", "masks", "truth")


@dataclass(frozen=True)
class Choice:
    """What to train with.

    Attributes
    ----------
    group : Group
        The way with the highest mean.
    run : Run
        The best of its runs.
    files : list of Path
        Settings of each of its trainings, for ``n2seg train KIND --config FILE``.
    """

    group: Group
    run: Run
    files: list


def choose(experiment, out, wanted, some):
    """The way that scored highest with the most annotated images and the least noise added; its settings are written
    into the folder of the experiment.

    Returns
    -------
    Choice or None
        None without results.
    """
    score = main_score(some)
    judged = [group for group in some if group.mean(score) is not None] if score else []
    if not judged:
        return None
    least = min(group.noise for group in judged)
    most = max(group.annotated for group in judged if group.noise == least)
    leader = best([group for group in judged if (group.noise, group.annotated) == (least, most)], score)
    seed = max(leader.scores[score], key=leader.scores[score].get)
    run = next(one for one in wanted if one in leader and one.seed == seed)
    about = {name: getattr(experiment.about, name) for name in _PLACES}
    files = []
    for workflow, settings in trainings(experiment, run).items():
        chosen = settings.replace(run="", **{name: about[name] for name in _PLACES if name in settings.knobs()})
        files.append(out / f"best_{workflow}.yaml")
        write_text(files[-1], chosen.to_yaml())
    return Choice(leader, run, files)


def models_of(out, run):
    """The run folders of what a run trained, in the order in which they are applied."""
    home = results.folder_of(out, run)
    return [home / name for name in ("denoiser", "model") if (home / name).is_dir()]
