"""What is wrong, or unusual, about images as a set, by their headers."""

from ..words import counted
from .findings import ERROR, NOTE, WARNING, Finding

SMALLEST = 16
TWO_PATCHES = 128  # of the usual size; twice as many for segmentation, whose patches are larger
_NARROW = 64  # pixels: smaller patches show too little
_FEW_PIXELS = 200_000


def check_size(image):
    """Findings about the size of one image."""
    if min(image.plane_shape[:2]) < SMALLEST:
        size = f"{image.size['X']} x {image.size['Y']}"
        remedy = f"Use images of at least {SMALLEST} pixels each way."
        yield Finding(ERROR, image.path.name, f"is only {size} pixels.", remedy)


def check_set(images, two_patches=TWO_PATCHES):
    """Findings about the set.

    Parameters
    ----------
    images : list of ImageFile
    two_patches : int
        Pixels that an image needs to be divided into what trains and what validates.
    """
    first = _usual(images)
    for image in images:
        if _kind(image) != _kind(first):
            yield Finding(
                ERROR, image.path.name, f"is {image.describe()}, but {first.path.name} is {first.describe()}.",
                "Move one kind to another folder, or give the axes.",
            )  # fmt: skip
    if len({str(i.dtype) for i in images}) > 1:
        kinds = ", ".join(sorted({str(i.dtype) for i in images}))
        yield Finding(
            WARNING, "", f"The images are of different types ({kinds}).", "Are they from the same microscope?"
        )
    if first.guessed:
        yield Finding(
            NOTE, "", f"I read {first.path.name} as {first.describe()}; the file does not say.",
            f"If that is wrong, change the axes (now {first.axes}).",
        )  # fmt: skip
    pixels = sum(i.planes * i.size["Y"] * i.size["X"] for i in images)
    if pixels < _FEW_PIXELS:
        yield Finding(
            WARNING, "", f"There are only {counted(pixels, 'pixel')} to learn from.", "Add images of the same kind."
        )
    sides = sorted((min(i.plane_shape[:2]), i.path.name) for i in images)
    if SMALLEST <= sides[0][0] < min(_NARROW, sides[len(sides) // 2][0] / 2):
        words = f"is only {counted(sides[0][0], 'pixel')} wide, so that all patches must be as small."
        yield Finding(WARNING, sides[0][1], words, "Leave it out if you can.")
    small = max(first.plane_shape[:2]) < two_patches
    if len(images) == 1 and first.planes == 1 and not small:
        yield Finding(NOTE, "", "There is one image: a strip of it will be kept out of training to watch the training.")
    if len(images) == 1 and small:
        yield Finding(
            WARNING, first.path.name, "is too small to keep a part out of training.",
            "The validation curve then shows pixels that were trained on. Add an image.",
        )  # fmt: skip


def _kind(image):
    return image.axes, image.size["C"]


def _usual(images):
    """The first image of the kind that most are of."""
    kinds = [_kind(image) for image in images]
    return images[kinds.index(max(kinds, key=kinds.count))]
