"""What reading and training will take: memory and time."""

from dataclasses import dataclass

import psutil

from .findings import NOTE, WARNING, Finding

_BYTES = 4  # a value in training
_WITH_MASKS = 2  # values a pixel that masks add
_LONG = 60  # seconds
_TIMED = 20_000_000  # bytes: the time of less says little
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Cost:
    """What images will take.

    Attributes
    ----------
    pixels : int
        Of all images, channels counted once.
    training_bytes : int
        Memory of all pixels and masks, as training keeps them if they fit.
    piece_bytes : int
        The largest piece that must be decoded at once.
    piece : str
        The file it is in.
    free_bytes : int
        Free memory.
    reading_seconds : float or None
        To read all pixels once, as fast as those that were read; None if these were too few to tell.
    """

    pixels: int
    training_bytes: int
    piece_bytes: int
    piece: str
    free_bytes: int
    reading_seconds: float | None

    def describe(self):
        """In words."""
        time = f"{self.reading_seconds:.0f} s to read, " if self.reading_seconds and self.reading_seconds >= 1 else ""
        size = _size(self.training_bytes)
        return f"{self.pixels / 1e6:,.1f} megapixels: {time}{size} of memory in training, besides the network's own"

    def findings(self):
        """Findings about what does not fit, or takes long."""
        if self.piece_bytes > self.free_bytes:
            yield Finding(
                WARNING, self.piece,
                f"must be unpacked in pieces of {_size(self.piece_bytes)}, but {_size(self.free_bytes)} of memory are "
                "free.", "Save it without compression, or cut it into smaller files.",
            )  # fmt: skip
        if self.training_bytes > self.free_bytes / 2:
            yield Finding(
                NOTE, "",
                f"All pixels would take {_size(self.training_bytes)} in training, and {_size(self.free_bytes)} of "
                "memory are free. So each round of training reads other parts of them.",
                "Nothing must change; keep the images on a fast disk.",
            )  # fmt: skip
        if self.reading_seconds and self.reading_seconds > _LONG:
            yield Finding(
                NOTE, "", f"Reading all pixels once takes about {self.reading_seconds / 60:.0f} min here.",
                "Copy the images to a disk of this computer.",
            )  # fmt: skip


def estimate(images, masks, read_bytes, seconds):
    """What some images will take.

    Parameters
    ----------
    images : list of ImageFile
    masks : bool
        Whether there are masks too.
    read_bytes, seconds : int, float
        How much was read already, and how long that took.

    Returns
    -------
    Cost
    """
    counts = [image.planes * image.size["Y"] * image.size["X"] for image in images]
    values = sum(count * (image.size["C"] + _WITH_MASKS * masks) for count, image in zip(counts, images))
    piece, name = max(((image.piece_bytes, image.path.name) for image in images), default=(0, ""))
    timed = read_bytes >= _TIMED
    reading = seconds * sum(image.nbytes for image in images) / read_bytes if timed else None
    return Cost(sum(counts), _BYTES * values, piece, name, psutil.virtual_memory().available, reading)


def fits(image):
    """Whether what must be decoded at once of an image fits in the free memory."""
    return image.piece_bytes <= psutil.virtual_memory().available


def _size(count):
    return f"{count / _GIGABYTE:.1f} GB" if count >= _GIGABYTE else f"{max(1, round(count / 1e6))} MB"
