"""What is wrong, or unusual, about clean images beside noisy ones."""

from ..errors import UserError
from ..words import counted, rounded, sentence, some
from .duplicates import about_truth
from .files import list_images, pair_by_name
from .findings import ERROR, WARNING, Finding
from .images import open_image
from .near_names import did_you_mean
from .summaries import summarise

_APART = 10  # times another contrast


def check_truth(summaries, truth, axes="auto"):
    """Findings about the clean images.

    Parameters
    ----------
    summaries : list of Summary
        Of the noisy images.
    truth : path
    axes : str
    """
    noisy = {summary.image.path: summary for summary in summaries}
    try:
        files = list_images(truth)
        pairs, alone = pair_by_name(list(noisy), files)
        left = [file for file in files if file not in {clean for _, clean in pairs}]
        hint = did_you_mean(alone, left)
        if not pairs:
            words = f"No clean image has the name of a noisy one, for example {summaries[0].name}."
            yield Finding(ERROR, "", words, hint or "Give them the same names.")
        partners = []
        for path, file in pairs:
            one, other = noisy[path].image, open_image(file, axes)
            if (one.planes, one.plane_shape) != (other.planes, other.plane_shape):
                words = f"is {other.describe()}, but its noisy partner is {one.describe()}."
                yield Finding(ERROR, f"clean image {file.name}", words, "Check that they belong together.")
            else:
                partners.append((noisy[path], summarise(other)))
        if partners:
            yield from about_truth(*map(list, zip(*partners)))
            yield from _scale(partners)
    except UserError as error:
        yield Finding(ERROR, "", sentence(error))
        return
    if pairs and alone:
        words = f"{counted(len(alone), 'image')} without a clean partner: {some([p.name for p in alone])}."
        yield Finding(WARNING, "", words, " ".join(filter(None, ("They are not judged.", hint))))


def _scale(partners):
    """Findings about clean images in other units than the noisy ones."""
    off = [(n, c) for n, c in partners if n.usable and c.usable and _other_units(n, c)]
    if len(off) > len(partners) / 2:
        noisy, clean = off[0]
        yield Finding(
            WARNING, "",
            f"The clean images have other grey values than the noisy ones: {clean.name} has {rounded(clean.low)} to "
            f"{rounded(clean.high)}, its partner {rounded(noisy.low)} to {rounded(noisy.high)}.",
            "Scores compare grey values as they are: save both in the same units.",
        )  # fmt: skip


def _other_units(noisy, clean):
    """Whether contrasts are far apart, and the mean of one is no value of the other. Noise alone, however strong,
    leaves means alike."""
    spreads = noisy.high - noisy.low, clean.high - clean.low
    apart = max(spreads) > _APART * min(spreads)
    return apart and not (noisy.low <= clean.mean <= noisy.high and clean.low <= noisy.mean <= clean.high)
