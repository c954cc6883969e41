"""Images of two folders that are compared: matched by name, opened so that they fit, read."""

from pathlib import Path

import numpy as np

from ..data.files import is_image, list_images, pair_by_name
from ..data.images import central, open_image, require_finite
from ..errors import UserError

_LOOKED_AT = 512  # rows and columns
_FLAT = 0.9  # share of neighbours that are equal in label images; of the rest, most are where objects touch


def matched(prediction, truth):
    """Files that belong together, by their names without endings.

    Returns
    -------
    pairs : list of (Path, Path)
    unmatched : list of str
        Names of files of either side without a partner.

    Raises
    ------
    UserError
        When nothing matches, or two files have one name.
    """
    predictions, truths = list_images(prediction), list_images(truth)
    if len(predictions) == len(truths) == 1 and is_image(Path(prediction)) and is_image(Path(truth)):
        return [(predictions[0], truths[0])], []
    pairs, alone = pair_by_name(predictions, truths)
    pair_by_name([], predictions)  # refuses two files of one name
    if not pairs:
        raise UserError(
            f"No image of {prediction} has a partner of the same name in {truth} "
            f"(for example {predictions[0].name}). Give the files the same names"
        )
    without = [path for path in truths if path not in {true for _, true in pairs}]
    return pairs, [path.name for path in (*alone, *without)]


def like_labels(image):
    """Whether an image looks like a label image: beside the commonest value, neighbours are nearly all equal.

    Parameters
    ----------
    image : ImageFile
        The middle of its middle plane is looked at.
    """
    height, width, _ = image.plane_shape
    values = np.asarray(image.plane(image.planes // 2)[central(height, _LOOKED_AT), central(width, _LOOKED_AT)][..., 0])
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        return False
    numbers, counts = np.unique(values, return_counts=True)
    drawn = values != numbers[counts.argmax()]
    both = drawn[:, 1:] & drawn[:, :-1]
    return np.count_nonzero(both) > 0 and (values[:, 1:] == values[:, :-1])[both].mean() > _FLAT


def partners(pairs, raw):
    """The raw image of each first of some pairs: file -> file; a UserError if one has none."""
    found, alone = pair_by_name([predicted for predicted, _ in pairs], list_images(raw))
    if alone:
        raise UserError(
            f"{alone[0]} has no partner of the same name in {raw}. Add its raw image, or leave the raw images out"
        )
    return dict(found)


def like(image, truth):
    """An image opened so that it fits its truth; a UserError if it differs in size."""
    if image.axes != truth.axes and image.guessed and len(image.shape) == len(truth.shape):
        image = open_image(image.path, truth.axes)
    if (truth.planes, truth.plane_shape[:2]) == (image.planes, image.plane_shape[:2]) and truth.size != image.size:
        raise UserError(
            f"{image.path} is {image.describe()} but {truth.path} is {truth.describe()}. Save both with as many "
            "channels (for one, in Fiji: Image > Type > 8-bit)"
        )
    if (truth.planes, truth.plane_shape) != (image.planes, image.plane_shape):
        raise UserError(
            f"{image.path} is {image.describe()} but {truth.path} is {truth.describe()}. "
            "Images can only be compared at the same size: check that they belong together"
        )
    return image


def described(image):
    """What is known of an image file without its pixels, as a row."""
    size = image.calibration.microns("X")
    return {
        "image": image.path.name, "axes": image.axes, "shape": list(image.shape), "type": str(image.dtype),
        "pixel (µm)": f"{size[0]:.4g}" if size else "", "bytes": image.path.stat().st_size,
    }  # fmt: skip


def pixels(image):
    """The planes (Y, X, C) of an image, in its own type; a UserError if there is one that holds no numbers."""
    planes = []
    for number in range(image.planes):
        values = np.asarray(image.plane(number))
        require_finite(values, image.path)
        planes.append(values)
    return planes


def for_json(value):
    """Numbers that JSON does not know (the PSNR of equal images is infinite) become null."""
    if isinstance(value, dict):
        return {key: for_json(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_json(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
