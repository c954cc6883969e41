"""Masks: what people drew on images, as a number a pixel, whatever file it is kept in."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import UserError
from . import drive, imagej_rois, supervisely
from .files import at_home, is_image_name, list_images, natural_order, stem
from .images import ImageFile, open_image, require_finite
from .lists import is_list, read_list
from .near_names import did_you_mean
from .positions import gather, parted, positions

# What people put before or after the number of an image.
_IMAGE = re.compile(r"^(img|image|im|raw)[ _-]+|[ _-]+(img|image|im|raw)$", re.IGNORECASE)
# What programs add to the name of an image when they save its masks.
_ADDED = (
    re.compile(
        r"(?i)[ _.-]+(cp[ _-]masks|masks?|labels?|seg|(simple[ _-])?segmentation|rois?|roiset|gt|annotations?|"
        r"cellpose|omnipose|stardist)$"
    ),
    re.compile(r"(?i)^(roiset|masks?|labels?|seg|segmentation)[ _-]+"),
)


@dataclass(frozen=True)
class Mask:
    """What was drawn on one image; read when asked for.

    Attributes
    ----------
    path : Path
    image : ImageFile
        The image it belongs to.
    pixels : ImageFile or None
        The mask, where it is an image; None for outlines (ROI sets, Supervisely).
    classes : tuple of str
        Names of the classes that outlines may have; without them, each outline is an object of its own.
    colours : bool
        Whether values are colours, for some mask beside this one is not grey.
    """

    path: Path
    image: ImageFile
    pixels: ImageFile | None = None
    classes: tuple = ()
    colours: bool = False

    def plane(self, number):
        """The values of one plane, (Y, X), int32; colours as 0xRRGGBB."""
        if self.pixels is None:
            place = self.image.planes, self.image.plane_shape[:2], self.image.size["Z"]
            return _outlined(self.path, *place, self.classes, self.path.stat().st_mtime_ns)[number]
        values = np.asarray(self.pixels.plane(number))
        if self.colours and values.shape[-1] > 1:
            return _packed(values, self.path)
        values = values[..., 0]
        if values.dtype.kind == "f":
            require_finite(values, self.path)
            if (values != np.rint(values)).any():
                raise UserError(
                    f"{self.path} holds fractions such as {values[values != np.rint(values)][0]:g}, so it is no mask. "
                    "Apply a threshold, or save whole numbers: 0 for background, and one for each class or object"
                )
        if values.dtype.itemsize >= 4 and values.size and not -(2**31) <= values.min() <= values.max() < 2**31:
            raise UserError(f"{self.path} holds numbers too large for a mask. Renumber its objects from 1")
        return values.astype("int32")

    @property
    def grey(self):
        """Whether it is no image in colour, or one whose pixels are all grey."""
        if self.pixels is None or self.pixels.size["C"] == 1:
            return True
        planes = (self.pixels.plane(number)[..., :3] for number in range(self.pixels.planes))
        return all((plane == plane[..., :1]).all() for plane in planes)

    def read(self, frame, where):
        """The values of a piece of a :class:`~n2seg_utils.data.images.Frame`, (Y, X) or (Z, Y, X), int32."""
        if frame.dims == 2:
            return self.plane(frame.number)[where]
        depth = self.image.size["Z"]
        numbers = np.arange(depth)[where[0]] + frame.number * depth
        return np.stack([self.plane(number)[where[1:]] for number in numbers])


def list_masks(path):
    """The mask files of a folder in natural order: images, ROI sets (.zip, .roi), or a Supervisely project; or those of
    a list.

    Returns
    -------
    dict
        Name of the image it belongs to, as far as the file tells -> Path.
    """
    path = at_home(path)
    if is_list(path):
        return _of_list(path)
    _require_no_pickles_only(path)
    if supervisely.is_project(path):
        return {stem(name): file for name, file in supervisely.annotations(path).items()}
    if path.is_dir():
        entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        if any(entry.suffix.lower() in imagej_rois.ENDINGS for entry in entries):
            return _by_name(sorted(filter(_is_mask, entries), key=natural_order))
    return _by_name(list_images(path))


def bring_masks(path, on_progress=None):
    """Copy masks of any kind from Drive to local disk, as :func:`~n2seg_utils.data.drive.bring` does with images."""
    if not path or is_list(at_home(path)):
        return path
    if not drive.on_drive(path):
        return gather_masks(path)
    folder, copies = at_home(path).absolute(), drive.local_copies("n2seg_masks")
    if positions(folder, "masks"):
        return gather(folder, _is_mask, "masks", copies / folder.relative_to(drive.MOUNT))
    files = list(list_masks(folder).values())
    if supervisely.is_project(folder):
        files.append(folder / "meta.json")
    # Apart from images, for both may lie in one folder.
    return drive.bring(folder, on_progress, copies, files)


def gather_masks(path):
    """:func:`~n2seg_utils.data.positions.gather` for masks."""
    return path and gather(at_home(path), _is_mask, "masks")


def open_masks(path, images):
    """The masks of some images, paired by name.

    A mask may be called like its image, or have one of the usual additions (``cell_1_mask.png``, ``cell_1.tif.zip``,
    ``RoiSet_cell_1.zip``; ``mask_1.png`` for ``img_1.tif``).

    Parameters
    ----------
    path : path
        Folder of masks, or one file, or a Supervisely project.
    images : list of ImageFile

    Returns
    -------
    masks : list of Mask or None
        One an image; None where there is no mask.
    alone : list of Path
        Masks that belong to none of the images.

    Raises
    ------
    UserError
        If no mask belongs to an image, or a mask has another size than its image.
    """
    files = list_masks(path)
    wanted, found, alone = {}, {}, []
    for image in images:
        twin = wanted.setdefault(stem(image.path), image)
        if twin is not image:
            raise UserError(f"{twin.path} and {image.path.name} would have the same mask. Rename one of them")
    also = _shortened(wanted)
    for name, file in files.items():
        known = next((also.get(n, n) for n in _likely(name) if n in wanted or n in also), None)
        if known is None:
            alone.append(file)
        elif known in found:
            raise UserError(f"{found[known].path} and {file.name} both belong to {wanted[known].path.name}. Remove one")
        else:
            found[known] = _open(file, wanted[known], path)
    if not found:
        hint = did_you_mean([image.path for image in images], alone) or "Give masks the names of their images"
        raise UserError(
            f"No mask in {path} has the name of an image, for example {images[0].path.name} "
            f"(the first mask is {next(iter(files.values())).name}). {hint.rstrip('.')}"
        )
    if not all(mask.grey for mask in found.values()):
        found = {name: replace(mask, colours=True) for name, mask in found.items()}
    return [found.get(name) for name in wanted], alone


def _is_mask(file):
    return is_image_name(file) or (file.suffix.lower() in imagej_rois.ENDINGS and not file.name.startswith("."))


def _require_no_pickles_only(path):
    """Refuse a folder with nothing but what Cellpose keeps for itself."""
    names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
    kept = sorted(name for name in names if name.endswith("_seg.npy"))
    if kept and not any(_is_mask(path / name) for name in names):
        raise UserError(
            f"{path} holds {kept[0]}, as Cellpose keeps masks for itself: opening such a file may run code, so it is "
            "not read. In Cellpose choose File > Save masks as PNG/tif, or give its command --save_tif"
        )


def _of_list(path):
    masks = {stem(image): mask for image, mask in read_list(path) if mask}
    if not masks:
        raise UserError(f"The list {path} names images, but no masks. On each line write the image, a space, the mask")
    return masks


def _by_name(files):
    named = {}
    for file in files:
        name = stem(re.sub(r"(?i)\.(zip|roi)$", "", file.name))
        twin = named.setdefault(name, file)
        if twin != file:
            raise UserError(
                f"{twin} and {file.name} are both masks of '{name}'. Remove one, or keep masks in a folder of their own"
            )
    return named


def _shortened(names):
    """What images may be called without "img_" and the like -> their name, where that is clear."""
    short = {}
    for name in names:
        short.setdefault(_IMAGE.sub("", name), []).append(name)
    return {key: of[0] for key, of in short.items() if key and len(of) == 1 and key not in names}


def _likely(name):
    """Names of the image that a mask may belong to, the likeliest first."""
    position, own = parted(name)
    names = [own]
    for known in names:  # which grows: additions go one by one, for the image's own name may look like one
        yield f"{position}_{known}" if position else known
        names += [shorter for added in _ADDED if (shorter := added.sub("", known)) and shorter not in names]


def _open(file, image, folder):
    suffix = file.suffix.lower()
    if suffix == ".json":
        if image.planes > 1:
            raise UserError(
                f"{file} belongs to a single picture, but {image.path} is {image.describe()}. Save the planes of the "
                "image as files of their own, called as in the project"
            )
        return Mask(file, image, classes=tuple(supervisely.class_names(folder)))
    if suffix in imagej_rois.ENDINGS:
        return Mask(file, image)
    pixels, axes = open_image(file, binary=True), image.axes.replace("C", "")
    # Planes that tifffile writes for ImageJ are channels, unless it is told otherwise.
    alike = pixels.shape == tuple(image.size[axis] for axis in axes)
    if alike or (pixels.size["C"] == 1 and len(pixels.shape) == len(axes)):
        pixels = open_image(file, axes, binary=True)  # as its image has them, whatever the mask says
    if pixels.size["C"] not in (1, 3, 4):
        raise UserError(f"The mask {file} has {pixels.size['C']} channels. Save masks with one, or as RGB colours")
    if (pixels.planes, pixels.plane_shape[:2]) != (image.planes, image.plane_shape[:2]):
        raise UserError(
            f"The mask {file} is {pixels.describe()}, but its image {image.path.name} is {image.describe()}. "
            "Both must have the same size: check that they belong together"
        )
    return Mask(file, image, pixels)


# Outlines are filled once, not once a plane; time tells a changed file.
@lru_cache(maxsize=32)
def _outlined(path, planes, shape, depth, classes, time):
    if path.suffix.lower() in imagej_rois.ENDINGS:
        return imagej_rois.read_rois(path, planes, shape, depth)
    objects, kinds = supervisely.read_annotation(path, shape)
    if len(classes) > 1:
        unknown = next((kind for kind in kinds if kind not in classes), None)
        if unknown is not None:
            raise UserError(
                f"{path} has an object of class '{unknown}', which the project does not list. Export the project again"
            )
        objects = np.array([0, *(1 + classes.index(kind) for kind in kinds)], "int32")[objects]
    return objects[None]


def _packed(values, path):
    if values.dtype != "uint8":
        raise UserError(
            f"The colours of {path} are {values.dtype}. Save it as RGB of 8 bit, or as a label image: 0 for "
            "background, and one number a class or object"
        )
    colours = values[..., :3].astype("int32")
    return colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
