"""The same pixels under two names, which make scores look better than they are."""

from ..errors import UserError
from ..words import counted, sentence, some
from .findings import ERROR, WARNING, Finding
from .summaries import same_pixels


def copies(summaries):
    """Images that are copies of others.

    Images of one shape and fingerprint are compared pixel by pixel; what types they are kept in does not matter.

    Parameters
    ----------
    summaries : list of Summary

    Returns
    -------
    list of (Summary, Summary)
        A copy, and the first image with these pixels.
    """
    first, found = {}, []
    for summary in (s for s in summaries if s.usable):
        alike = first.setdefault(summary.fingerprint, [])
        original = next((other for other in alike if same_pixels(other.image, summary.image)), None)
        if original is None:
            alike.append(summary)
        else:
            found.append((summary, original))
    return found


def about_copies(summaries):
    """Findings about images that are in the folder twice."""
    try:
        found = copies(summaries)
    except UserError as error:  # other planes are read than those that the summaries are of
        yield Finding(ERROR, "", sentence(error))
        return
    if found:
        names = some([f"{copy.name} (of {original.name})" for copy, original in found])
        words = "image is a copy of another" if len(found) == 1 else "images are copies of others"
        yield Finding(
            WARNING, "", f"{len(found):,} {words}, pixel by pixel: {names}.",
            "Remove them: if one trains and the other validates, scores are too good.",
        )  # fmt: skip


def about_truth(noisy, clean):
    """Findings about clean images that are noisy ones, their partners or others.

    Parameters
    ----------
    noisy, clean : list of Summary
        Partners have the same place in both.
    """
    known = [s for s in noisy if s.usable]
    same = {id(copy): original for copy, original in copies(known + clean)}
    own, other = [], []
    for partner, summary in zip(noisy, clean):
        original = same.get(id(summary))
        if original is partner:
            own.append(summary.name)
        elif any(original is n for n in known):
            other.append(f"{summary.name} (is the noisy {original.name})")
    if own:
        yield Finding(
            WARNING, "", f"{counted(len(own), 'clean image')} with the very pixels of the noisy one: {some(own)}.",
            "Scores say nothing about them. Give the folder of the clean images.",
        )  # fmt: skip
    if other:
        yield Finding(
            WARNING, "", f"{counted(len(other), 'clean image')} with the pixels of another noisy image: {some(other)}.",
            "They train and judge at once, so that scores say little. Check the names.",
        )  # fmt: skip


def about_masks(pairs):
    """Findings about masks that are the images themselves.

    Parameters
    ----------
    pairs : list of (ImageFile, ImageFile)
        Image and mask, of the same planes.
    """
    for image, mask in pairs:
        if image.shape == mask.shape and image.size["C"] == 1 and same_pixels(image, mask):
            words = f"is no mask: its pixels are those of the image {image.path.name}."
            yield Finding(ERROR, f"mask {mask.path.name}", words, "Give the folder of the masks.")
