"""What masks mean: one class, several, or objects that each have a number. Recognised from the masks themselves."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError

KINDS = ("binary", "classes", "instances")
MOST_OBJECTS = 65_535
_MOST_CLASSES = 16
_FEW = 8  # values that, when all masks have the same, are classes even if each is in one piece
_PIECES = 1.3  # pieces a value, on average, up to which values number objects
_LOOKED_AT = 60  # planes in which pieces are counted
_LOSSY = (".jpg", ".jpeg")
_WHITE = 0xFFFFFF


class EmptyMasksError(UserError):
    """Nothing is drawn in any mask."""


@dataclass(frozen=True)
class Target:
    """What the values of masks mean.

    Attributes
    ----------
    kind : str
        "binary": one class beside the background. "classes": several. "instances": each object has its own number.
    values : tuple of int
        The value of each class in the masks, background first.
    colours : bool
        Whether values are colours, 0xRRGGBB.
    apart : bool
        Instances: objects are the connected pieces of what is not background, for they have no numbers of their own.
    why : str
        By what it was recognised.
    """

    kind: str
    values: tuple = ()
    colours: bool = False
    apart: bool = False
    why: str = ""

    @property
    def names(self):
        """The classes in words, background first; empty for instances."""
        words = [f"#{value:06x}" if self.colours else f"class {value}" for value in self.values[1:]]
        if self.kind == "instances":
            return ()
        return ("background", *(["foreground"] if self.kind == "binary" else words))

    def describe(self):
        """The target in words."""
        if self.kind == "binary":
            return f"one class (background {self.said(0)}, foreground {self.said(1)})"
        if self.kind == "classes":
            return f"{len(self.values)} classes ({', '.join(self.said(n) for n in range(len(self.values)))})"
        return "objects, told apart by the gaps between them" if self.apart else "objects, each with its own number"

    def encode(self, values):
        """Values of a mask -> numbers of classes, or of objects; int32, negative where nothing is known."""
        if self.kind == "instances":
            if self.apart:
                drawn = (values >= 0) & (values != self.values[0])
                return np.where(values < 0, -1, _pieces(drawn)).astype("int32")
            if self.values:  # colours on white
                values = np.where(values == self.values[0], 0, values)
            return _renumbered(values) if values.size and values.max() > MOST_OBJECTS else values
        if self.kind == "binary":
            return np.where(values < 0, -1, values != self.values[0]).astype("int32")
        table = np.array(self.values)
        order = np.argsort(table)
        found = order[np.searchsorted(table, values, sorter=order).clip(max=len(table) - 1)]
        return np.where(table[found] == values, found, -1).astype("int32")

    def said(self, number):
        """What stands for a class in the masks: its value, or its colour."""
        return f"#{self.values[number]:06x}" if self.colours else str(self.values[number])


def recognise(masks, kind="auto"):
    """What some masks mean.

    Two values are one class; numbers that each stand for one piece are objects; a few numbers in many pieces are
    classes, as are those that all masks have, side by side in one piece, and a few flat colours. Negative numbers say
    that nothing is known of a pixel.

    Parameters
    ----------
    masks : list of Mask
    kind : str
        "auto", or what the user says they are: "binary", "classes", "instances".

    Returns
    -------
    Target

    Raises
    ------
    UserError
        Naming a mask that cannot be understood, and what to do.
    """
    found = _Values(masks)
    values = found.all
    objects = [value for value in values if value > 0]
    if not objects:
        raise EmptyMasksError(
            f"All masks are empty, for example {masks[0].path}: nothing is drawn in them. Annotate some images, or "
            "check that these are the masks"
        )
    for mask, there in zip(masks, found.each):
        if mask.path.suffix.lower() in _LOSSY and len(there) > 2:
            raise UserError(
                f"The mask {mask.path} is a JPEG with {len(there)} grey values: JPEG blurs the edges of masks. "
                "Save masks as TIFF or PNG"
            )
    if len(found.known) == 1:
        raise UserError(
            f"All masks are {objects[0]} in every pixel where they say something, for example {masks[0].path}: there "
            "is no background. Save masks with 0 where there are no objects"
        )
    if len(found.known) == 2:
        return _chosen(kind, found, Target("binary", found.known, found.colours, why="there are two values"))
    if found.outlined and len(masks[0].classes) > 1:
        return _chosen(kind, found, Target("classes", found.known, why="the outlines have several classes"))
    if found.outlined:
        return _chosen(kind, found, Target("instances", why="each outline is one object"))
    few = len(objects) <= _MOST_CLASSES
    if found.colours:
        if not few:
            raise UserError(
                f"The masks, for example {found.most}, have {len(objects)} colours, so they are no masks of a few flat "
                "colours. Save masks as label images: 0 for background, and one number a class or object. Are they "
                "images? Then exchange the two folders"
            )
        return _chosen(kind, found, Target("classes", found.known, True, why="there are a few flat colours"))
    if len(objects) <= _FEW and found.same and found.joined and len(masks) > 1:
        why = "all masks have the same few values, side by side"
        return _chosen(kind, found, Target("classes", found.known, why=why))
    if found.pieces <= _PIECES:
        return _chosen(kind, found, Target("instances", why="each number is one piece"))
    if few:
        return _chosen(kind, found, Target("classes", found.known, why="there are a few values, in many pieces"))
    if kind in ("auto", "classes"):
        raise UserError(
            f"The mask {found.most} holds {found.count} values in many pieces, which are neither "
            "classes nor objects. Is it an image? Then exchange the two folders, or give that of the masks. Are they "
            "objects in several pieces? Then masks show instances (target). Else save it without smoothing and "
            "compression, with one number for each"
        )
    return _chosen(kind, found, Target("instances", why="you said so"))


def _chosen(kind, found, recognised):
    """What was recognised, or what the user says instead."""
    if recognised.kind == "instances" or (kind == "instances" and recognised.kind != "binary"):
        _require_few_objects(found)
    if kind in ("auto", recognised.kind):
        return recognised
    why = "you said so"
    if kind == "binary":
        return Target("binary", (found.known[0], 255 if found.known[0] == 0 else 0), why=why)
    if kind == "instances":
        if recognised.kind == "binary":
            return Target("instances", recognised.values, apart=True, why=why)
        return Target("instances", found.known[:1] if found.colours else (), why=why)
    if len(found.all) > 256:
        raise UserError(
            f"The mask {found.most} has {found.count} values, too many for classes. Use the "
            "target instances, or save masks with one number a class"
        )
    return Target("classes", found.known, found.colours, why=why)


def _require_few_objects(found):
    count = found.count
    if count > MOST_OBJECTS:
        raise UserError(
            f"The mask {found.most} has {count:,} objects; a label image holds at most {MOST_OBJECTS:,}. Cut the "
            "image and its mask into pieces"
        )


class _Values:
    """What values there are in masks, and in how many pieces."""

    def __init__(self, masks):
        self.each, self.joined, pieces, values = [], True, 0, 0
        self.colours = any(mask.colours for mask in masks)
        self.outlined = all(mask.pixels is None for mask in masks)
        step = max(1, sum(mask.image.planes for mask in masks) // _LOOKED_AT)
        seen = 0
        for mask in masks:
            found = set()
            for number in range(mask.image.planes):
                plane = mask.plane(number)
                here = np.unique(plane)
                found.update(here.tolist())
                if seen % step == 0:
                    pieces += int(_pieces(np.maximum(plane, 0)).max())
                    values += int((here > 0).sum())
                    self.joined &= (here > 0).sum() < 2 or _pieces(plane > 0).max() == 1
                seen += 1
            self.each.append(found)
        self.all = set().union(*self.each)
        self.known = self._in_order()
        self.pieces = pieces / max(1, values)
        self.count, number = max((sum(v > 0 for v in found), number) for number, found in enumerate(self.each))
        self.most = masks[number].path
        kept = {frozenset(value for value in found if value > 0) for found in self.each}
        self.same = len(kept - {frozenset()}) == 1

    def _in_order(self):
        """All values that are no sign for unknown, background first: the lowest, or the white behind colours."""
        known = sorted(int(value) for value in self.all if value >= 0)
        if self.colours and 0 not in known and _WHITE in known:
            return (_WHITE, *(value for value in known if value != _WHITE))
        return tuple(known)


def _renumbered(values):
    """Large numbers, which take memory and do not fit in a float, in place of which there are small ones."""
    numbers, places = np.unique(np.maximum(values, 0), return_inverse=True)
    places = places.reshape(values.shape) + (numbers[0] > 0)
    return np.where(values < 0, -1, places).astype("int32")


def _pieces(plane):
    """Connected pieces of equal values."""
    from skimage.measure import label

    return label(plane, background=0, connectivity=1)
