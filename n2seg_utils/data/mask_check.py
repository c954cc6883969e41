"""What is wrong, or unusual, about masks, before anything is trained."""

import math

import numpy as np

from ..errors import UserError
from ..words import counted, sentence, some
from .duplicates import about_masks
from .findings import ERROR, NOTE, WARNING, Finding
from .images import central
from .labels import open_masks
from .near_names import did_you_mean
from .targets import recognise

_FEW = 0.001  # share of the pixels
_SMALL = 4  # pixels across: smaller objects are hardly more than their border
# What segmentation begins with: patches in 2D and in 3D, the planes from which on it is in 3D, and how far its U-Net
# looks. Those who ask for other values say so.
USUAL_PATCH, VOLUME, USUAL_REACH = {2: 128, 3: 48}, 8, 51
_LOOKED_AT = 512  # rows and columns of a mask
_GREY = 32  # values from which on a mask may be an image
_SPECKS = 3  # pieces a value
_SPECK = 8  # pixels of a piece, on average


def check_masks(images, masks, kind="auto", joint=False, patch=None, reach=None):
    """Look at the masks of some images.

    Parameters
    ----------
    images : list of ImageFile
    masks : path
    kind : str
        What they show, if not "auto".
    joint : bool
        Images without a mask are used, to learn to denoise.
    patch, reach : int, optional
        Side of the patches, and how far the network looks in each direction, if they are not the usual ones.

    Returns
    -------
    findings : list of Finding
    target : Target or None
        What they show; None if that is not clear.
    """
    try:
        found, alone = open_masks(masks, images)
        known = [mask for mask in found if mask is not None]
        same = list(about_masks([(mask.image, mask.pixels) for mask in known if mask.pixels]))
        if same:
            return same, None
        target = recognise(known, kind)
    except UserError as error:
        return [Finding(ERROR, "", sentence(error))], None
    findings = [Finding(NOTE, "", f"The masks show {target.describe()}: {target.why}.", "If not, say what they show.")]
    missing = [image.path for image, mask in zip(images, found) if mask is None]
    if missing:
        words = f"{counted(len(missing), 'image')} without a mask: {some([path.name for path in missing])}."
        used = "They teach to denoise." if joint else "They are left out."
        hint = did_you_mean(missing, alone)
        findings.append(Finding(NOTE if joint and not hint else WARNING, "", words, f"{used} {hint}".rstrip()))
    if alone:
        names = [path.name for path in alone]
        words = f"{counted(len(names), 'mask')} without an image: {some(names)}."
        findings.append(Finding(WARNING, "", words, "Give masks the names of their images."))
    patch = patch or USUAL_PATCH[3 if min(image.size["Z"] for image in images) >= VOLUME else 2]
    findings += [*_images_for_masks(known), *_drawn(known, target, patch, reach or USUAL_REACH)]
    return findings, target


def _drawn(masks, target, patch, reach):
    """Findings about what is drawn."""
    empty, drawn, pixels, sizes = [], 0, 0, []
    for mask in masks:
        here, objects = 0, _Sizes(mask.image, target)
        for number in range(mask.image.planes):
            labels = target.encode(mask.plane(number))
            here += np.count_nonzero(labels > 0)
            pixels += np.count_nonzero(labels >= 0)
            if target.kind == "instances":
                objects.add(number, np.bincount(np.maximum(labels, 0).ravel())[1:])
        sizes += objects.sizes()
        drawn += here
        if not here:
            empty.append(mask.path.name)
    if empty:
        words = f"{counted(len(empty), 'mask')} with nothing drawn: {some(empty)}."
        yield Finding(NOTE, "", words, "The model learns from them that there is nothing in these images.")
    if drawn < _FEW * pixels:
        words = f"Only {100 * drawn / pixels:.2g} % of the pixels are drawn."
        yield Finding(WARNING, "", words, "Annotate more, or crop the images.")
    if sizes:
        across = float(np.sqrt(np.median(sizes)))
        deep = any(mask.image.size["Z"] > 1 for mask in masks) and not target.apart
        each = " (in the plane where each is largest)" if deep else " (plane by plane)"
        flat = all(mask.image.planes == 1 for mask in masks)
        words = f"{counted(len(sizes), 'object')} drawn{'' if flat else each}, half of them larger than"
        yield Finding(NOTE, "", f"{words} {across:.0f} x {across:.0f} pixels.")
        yield from _fit(across, patch, reach)


def _fit(across, patch, reach):
    """Findings about the size of objects beside that of patches, and of what the network sees."""
    seen = 2 * reach + 1
    if across < _SMALL:
        words = "Objects of so few pixels are hardly more than their border."
        yield Finding(WARNING, "", words, "Enlarge images and masks.")
    elif across > min(patch, seen):
        sees = f"patches show {patch} x {patch} pixels, and the network decides by {seen} x {seen}"
        times = math.ceil(across / min(patch, seen))
        yield Finding(
            WARNING, "", f"Most objects are larger than the network sees at once: {sees}.",
            f"Bin images and masks {times} x {times}, or use a greater network_depth, and a patch_size to match.",
        )  # fmt: skip


class _Sizes:
    """Pixels of the objects of one image: of a volume, in the plane where each is largest."""

    def __init__(self, image, target):
        self.depth = 1 if target.apart else image.size["Z"]  # pieces have other numbers in each plane
        self.frames = {}

    def add(self, number, counts):
        """Take in how often each label occurs in a plane."""
        frame = number // self.depth
        other = self.frames.get(frame, counts[:0])
        size = max(len(counts), len(other))
        self.frames[frame] = np.maximum(*(np.pad(c, (0, size - len(c))) for c in (counts, other)))

    def sizes(self):
        """The sizes of all objects."""
        return [size for counts in self.frames.values() for size in counts[counts > 0].tolist()]


def _images_for_masks(masks):
    """Findings about masks with as many grey values in as many specks as images have."""
    grey = [mask.path.name for mask in masks if mask.pixels and not mask.colours and _like_an_image(mask)]
    if grey:
        yield Finding(
            WARNING, "", f"{counted(len(grey), 'mask')} full of grey specks, like an image: {some(grey)}.",
            "Are these the masks? Save label images: 0 for background, and one number a class or object.",
        )  # fmt: skip


def _like_an_image(mask):
    """Whether the middle of a mask has many values, each in many tiny pieces."""
    values = mask.plane(mask.image.planes // 2)
    values = values[tuple(central(side, _LOOKED_AT) for side in values.shape)]
    drawn = np.unique(values[values > 0])
    if len(drawn) < _GREY:
        return False
    from skimage.measure import label

    pieces, count = label(values, background=0, connectivity=1, return_num=True)
    return count > _SPECKS * len(drawn) and np.count_nonzero(pieces) < _SPECK * count
