"""What is wrong, or unusual, about masks, before anything is trained."""

import numpy as np

from ..errors import UserError
from ..words import counted
from .findings import ERROR, NOTE, WARNING, Finding
from .labels import open_masks
from .targets import recognise

_FEW = 0.001  # share of the pixels
_SMALL = 4  # pixels across: smaller objects are hardly more than their border
_SHOWN = 3


def check_masks(images, masks, kind="auto", joint=False):
    """Look at the masks of some images.

    Parameters
    ----------
    images : list of ImageFile
    masks : path
    kind : str
        What they show, if not "auto".
    joint : bool
        Images without a mask are used, to learn to denoise.

    Returns
    -------
    findings : list of Finding
    target : Target or None
        What they show; None if that is not clear.
    """
    try:
        found, alone = open_masks(masks, images)
        known = [mask for mask in found if mask is not None]
        target = recognise(known, kind)
    except UserError as error:
        return [Finding(ERROR, "", f"{error}.")], None
    findings = [Finding(NOTE, "", f"The masks show {target.describe()}: {target.why}.", "If not, say what they show.")]
    missing = [image.path.name for image, mask in zip(images, found) if mask is None]
    if missing:
        words = f"{counted(len(missing), 'image')} without a mask: {_names(missing)}."
        used = "They teach to denoise." if joint else "They are left out."
        findings.append(Finding(NOTE if joint else WARNING, "", words, used))
    if alone:
        names = [path.name for path in alone]
        words = f"{counted(len(names), 'mask')} without an image: {_names(names)}."
        findings.append(Finding(WARNING, "", words, "Give masks the names of their images."))
    return findings + list(_drawn(known, target)), target


def _drawn(masks, target):
    """Findings about what is drawn."""
    empty, drawn, pixels, sizes = [], 0, 0, []
    for mask in masks:
        here = 0
        for number in range(mask.image.planes):
            labels = target.encode(mask.plane(number))
            here += np.count_nonzero(labels > 0)
            pixels += np.count_nonzero(labels >= 0)
            if target.kind == "instances":
                counts = np.bincount(np.maximum(labels, 0).ravel())[1:]
                sizes += counts[counts > 0].tolist()
        drawn += here
        if not here:
            empty.append(mask.path.name)
    if empty:
        words = f"{counted(len(empty), 'mask')} with nothing drawn: {_names(empty)}."
        yield Finding(NOTE, "", words, "The model learns from them that there is nothing in these images.")
    if drawn < _FEW * pixels:
        words = f"Only {100 * drawn / pixels:.2g} % of the pixels are drawn."
        yield Finding(WARNING, "", words, "Annotate more, or crop the images.")
    if sizes:
        across = float(np.sqrt(np.median(sizes)))
        words = f"{counted(len(sizes), 'object')} drawn (plane by plane), half of them larger than"
        yield Finding(NOTE, "", f"{words} {across:.0f} x {across:.0f} pixels.")
        if across < _SMALL:
            yield Finding(
                WARNING, "", "Objects of so few pixels are hardly more than their border.", "Enlarge images and masks."
            )


def _names(names):
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
