"""What the methods found in one of the judged images, side by side."""

import numpy as np

from ..data.files import list_images, stem
from ..data.images import open_image, open_images
from ..data.labels import open_masks
from ..data.targets import recognise
from ..quality import plots
from ..quality.overlays import side_by_side_overlays
from . import images, results
from .advice import way
from .sources import axes_of
from .table import SCORE_NAMES, main_score

_MOST = 6  # ways that are shown


def compare_labels(experiment, out, wanted, some):
    """The judged image in which the best way is as good as usual: what was drawn, and what each way found.

    Shown are the ways with the most annotated images and the least noise added, each by its first repetition.

    Returns
    -------
    (str, matplotlib.figure.Figure) or None
        Words about it, and the figure; None where no labels were judged.
    """
    score = main_score(some)
    shown = [group for group in some if group.per_image.get(score)] if score not in (None, "psnr") else []
    if not shown:
        return None
    least = min(group.noise for group in shown)
    most = max(group.annotated for group in shown if group.noise == least)
    shown = [group for group in shown if (group.noise, group.annotated) == (least, most)]
    shown = sorted(shown, key=lambda group: -group.mean(score))[:_MOST]
    runs = [_first(wanted, group, score) for group in shown]
    name = _usual(shown[0].per_image[score][runs[0].seed])
    known = images.look(experiment, out)
    where = images.folders(experiment, out, known, runs[0])
    image = next(one for one in open_images(where.test, axes_of(experiment)) if stem(one.path) == stem(name))
    middle = image.planes // 2
    grey = np.asarray(plots.thumbnail(image.plane(middle)[..., 0]), "float32")
    [mask] = open_masks(where.test_masks, [image])[0]
    drawn = plots.thumbnail(recognise([mask], known.target).encode(mask.plane(middle)))
    panels, scores = {"drawn by hand": (grey, drawn)}, {}
    for group, run in zip(shown, runs):
        folder = results.folder_of(out, run) / "results" / "labels"
        file = next(file for file in list_images(folder) if stem(file) == stem(name))
        found = open_image(file, image.axes.replace("C", "")).plane(middle)[..., 0]
        panels[way(group)] = (grey, plots.thumbnail(found))
        scores[way(group)] = f"{SCORE_NAMES[score]} {group.per_image[score][run.seed][name]:.2f}"
    noise = f", with noise {least:g} added" if least else ""
    words = f"{image.path.name}{noise}, which no training saw: what was drawn, and what was found by {most} annotated."
    return words, side_by_side_overlays(panels, scores, known.target == "classes", size=2.9)


def _usual(scores):
    """The name of the image with the median score."""
    ordered = sorted(scores, key=lambda name: (scores[name], name))
    return ordered[len(ordered) // 2]


def _first(wanted, group, score):
    """The first run of a group that has a result."""
    return next(run for run in wanted if run in group and run.seed in group.per_image[score])
