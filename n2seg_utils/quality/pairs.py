"""Images of two folders that are compared: matched by name, opened so that they fit, read."""

import numpy as np

from ..data.files import list_images, pair_by_name
from ..data.images import open_image, require_finite
from ..errors import UserError


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
    pairs, alone = pair_by_name(predictions, truths)
    if not pairs:
        raise UserError(
            f"No image of {prediction} has a partner of the same name in {truth} "
            f"(for example {predictions[0].name}). Give the files the same names"
        )
    without = [path for path in truths if path not in {true for _, true in pairs}]
    return pairs, [path.name for path in (*alone, *without)]


def partners(pairs, raw):
    """The raw image of each first of some pairs: file -> file; a UserError if one has none."""
    found, alone = pair_by_name([predicted for predicted, _ in pairs], list_images(raw))
    if alone:
        raise UserError(f"{alone[0]} has no partner of the same name in {raw}. Give the folder of its raw images")
    return dict(found)


def like(image, truth):
    """An image opened so that it fits its truth; a UserError if it differs in size."""
    if image.axes != truth.axes and image.guessed and len(image.shape) == len(truth.shape):
        image = open_image(image.path, truth.axes)
    if (truth.planes, truth.plane_shape) != (image.planes, image.plane_shape):
        raise UserError(
            f"{image.path} is {image.describe()} but {truth.path} is {truth.describe()}. "
            "Images can only be compared at the same size: check that they belong together"
        )
    return image


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
