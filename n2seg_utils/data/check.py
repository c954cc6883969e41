"""What is wrong, or unusual, about a folder of images, before anything is trained."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import UserError
from ..words import counted
from .files import list_images, pair_by_name
from .findings import ERROR, NOTE, WARNING, Finding
from .images import open_image
from .mask_check import check_masks
from .noise import measure_noise

_SMALLEST = 16
_NARROW = 64  # pixels: smaller patches show too little
_TWO_PATCHES = 128  # of the usual size; twice as many for segmentation, whose patches are larger
_FEW_PIXELS = 200_000
_SATURATED = 0.001
_NAMED = 3  # files that are named one by one
_LOOKED_AT = 4_000_000  # pixels
_SAME_NAMES = "Give them the same names."


@dataclass(frozen=True)
class Check:
    """All findings, and what was read."""

    findings: list
    images: list
    target: object = None  # what masks show

    @property
    def ok(self):
        """Whether nothing must change first."""
        return not any(f.severity == ERROR for f in self.findings)

    @property
    def warnings(self):
        """The warnings, as sentences."""
        return [str(f) for f in self.findings if f.severity == WARNING]

    def require_ok(self):
        """Raise a UserError that lists what must change first, if anything."""
        if not self.ok:
            raise UserError("\n".join(str(f) for f in self.findings if f.severity == ERROR))

    def to_dict(self):
        """For JSON: ok, findings, images."""
        images = [
            {"name": i.path.name, "axes": i.axes, "shape": list(i.shape), "dtype": str(i.dtype)} for i in self.images
        ]
        return {"ok": self.ok, "findings": [asdict(f) for f in self.findings], "images": images}


def check_images(images, truth=None, axes="auto", masks=None, kind="auto", joint=False):
    """Look at a folder of images, and at a folder of clean ones or of masks if given.

    Parameters
    ----------
    images, truth, masks : path
    axes : str
    kind : str
        What the masks show, if not "auto": see :func:`~n2seg_utils.data.targets.recognise`.
    joint : bool
        Images with masks are to be denoised too: their noise is looked at, and images without a mask are welcome.

    Returns
    -------
    Check
        Never raises for what is wrong with the data: that is what the findings are for.
    """
    try:
        files = list_images(images)
    except UserError as error:
        return Check([Finding(ERROR, "", f"{error}.")], [])
    findings, opened = [], []
    for file in files:
        try:
            image = open_image(file, axes)
            findings += _pixels(image)
            opened.append(image)
        except UserError as error:
            findings.append(Finding(ERROR, file.name, f"{error}."))
    findings, target = _merged(findings), None
    if opened:
        findings += _together(opened, 2 * _TWO_PATCHES if masks else _TWO_PATCHES)
        if masks:
            more, target = check_masks(opened, masks, kind, joint)
            findings += more
        if joint or not masks:
            findings += _noise(opened)
        findings += _truth(opened, truth, axes) if truth else []
    return Check(findings, opened, target)


def _pixels(image):
    """Findings about the pixels of the middle plane of one image."""
    name = image.path.name
    if min(image.plane_shape[:2]) < _SMALLEST:
        size = f"{image.size['X']} x {image.size['Y']}"
        yield Finding(ERROR, name, f"is only {size} pixels.", f"Use images of at least {_SMALLEST} pixels each way.")
        return
    pixels = _thinned(image, image.planes // 2)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        yield Finding(
            ERROR,
            name,
            "has pixels that are not numbers (NaN or infinite).",
            "Replace them in Fiji, or remove the file.",
        )
    elif np.ptp(pixels) == 0 and all(_constant(image, i) for i in _from_middle(image.planes)):
        yield Finding(ERROR, name, f"has the same value ({pixels.flat[0]:g}) everywhere.", "Remove it from the folder.")
    elif pixels.dtype.kind == "u":
        full = float((pixels == np.iinfo(pixels.dtype).max).mean())
        if full > _SATURATED:
            yield Finding(
                WARNING, name, f"is overexposed: {100 * full:.1f} % of its pixels have the largest value.",
                "What was cut off there cannot be restored.",
            )  # fmt: skip


def _merged(findings):
    """The findings, with one in place of many that say the same of different files."""
    same = {}
    for finding in findings:
        same.setdefault((finding.severity, finding.remedy, finding.message.split(":")[0]), []).append(finding)
    merged = []
    for (severity, remedy, _), alike in same.items():
        if len(alike) <= _NAMED or severity == ERROR:
            merged += alike
            continue
        names = ", ".join(finding.file for finding in alike[:_NAMED])
        merged.append(Finding(severity, "", f"{names} and {len(alike) - _NAMED} more: each {alike[0].message}", remedy))
    return merged


def _thinned(image, number):
    """A plane, or of a large one every so many rows."""
    plane = image.plane(number)
    return np.asarray(plane[:: max(1, plane.size // _LOOKED_AT)])


def _constant(image, number):
    """Whether a plane has one value only; read in bands, for planes may be larger than memory."""
    height, width, channels = image.plane_shape
    band, first = max(1, _LOOKED_AT // (width * channels)), image.plane(number)[0, 0, 0]
    return all((np.asarray(image.plane(number)[y : y + band]) == first).all() for y in range(0, height, band))


def _from_middle(count):
    """Numbers of all planes, the middle one first: it nearly always settles the question."""
    return sorted(range(count), key=lambda i: abs(i - count // 2))


def _together(images, two_patches=_TWO_PATCHES):
    """Findings about the set."""
    first = images[0]
    for image in images:
        if image.axes != first.axes or image.size["C"] != first.size["C"]:
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
        yield Finding(WARNING, "", f"There are only {pixels:,} pixels to learn from.", "Add images of the same kind.")
    sides = sorted((min(i.plane_shape[:2]), i.path.name) for i in images)
    if _SMALLEST <= sides[0][0] < min(_NARROW, sides[len(sides) // 2][0] / 2):
        yield Finding(
            WARNING, sides[0][1], f"is only {sides[0][0]} pixels wide, so that all patches must be as small.",
            "Leave it out if you can.",
        )  # fmt: skip
    small = max(first.plane_shape[:2]) < two_patches
    if len(images) == 1 and first.planes == 1 and not small:
        yield Finding(NOTE, "", "There is one image: a strip of it will be kept out of training to watch the training.")
    if len(images) == 1 and small:
        yield Finding(
            WARNING, first.path.name, "is too small to keep a part out of training.",
            "The validation curve then shows pixels that were trained on. Add an image.",
        )  # fmt: skip


def _noise(images):
    noise = measure_noise(images)
    if noise and noise.axis:
        yield Finding(
            WARNING, "",
            f"Neighbouring pixels share their noise: its correlation is {noise.horizontal[0]:.2f} across and "
            f"{noise.vertical[0]:.2f} down (independent noise has 0). Plain Noise2Void cannot remove such noise.",
            f"Choose the algorithm structn2v ({noise.axis}, {noise.length} pixels), or bin the images 2 x 2. If they "
            "have hardly any noise, this is fine texture: then keep n2v.",
        )  # fmt: skip


def _truth(images, truth, axes):
    """Findings about the clean images."""
    files = {image.path: image for image in images}
    try:
        pairs, alone = pair_by_name(list(files), list_images(truth))
        if not pairs:
            example = images[0].path.name
            yield Finding(ERROR, "", f"No clean image has the name of a noisy one, for example {example}.", _SAME_NAMES)
        for noisy, clean in pairs:
            one, other = files[noisy], open_image(clean, axes)
            if (one.planes, one.plane_shape) != (other.planes, other.plane_shape):
                words = f"is {other.describe()}, but its noisy partner is {one.describe()}."
                yield Finding(ERROR, f"clean image {clean.name}", words, "Check that they belong together.")
    except UserError as error:
        yield Finding(ERROR, "", f"{error}.")
        return
    if pairs and alone:
        names = ", ".join(p.name for p in alone[:3]) + (" ..." if len(alone) > 3 else "")
        yield Finding(
            WARNING, "", f"{counted(len(alone), 'image')} without a clean partner: {names}.", "They are not judged."
        )
