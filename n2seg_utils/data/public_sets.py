"""Named real data sets: downloaded when chosen, checked against a checksum, and kept in a cache."""

import zipfile
from pathlib import Path

import numpy as np
import tifffile

from ..errors import UserError
from .files import require_absent, whole_file, whole_folder

# The subset of BBBC038 (Data Science Bowl 2018, CC0) that StarDist's authors published: 497 fluorescence images.
_DSB2018 = {
    "url": "https://github.com/stardist/stardist/releases/download/0.1.0/dsb2018.zip",
    "known_hash": "sha256:e44921950edce378063aa4457e625581ba35b4c2dbd9a07c19d48900129f386f",
}

DESCRIPTIONS = {
    "dsb2018": "497 fluorescence images of nuclei with instance labels (BBBC038, CC0; Caicedo et al. 2019)",
    "human_mitosis": "one image of dividing human nuclei, without truth (scikit-image; Moffat et al. 2006)",
    "cells3d": "nuclei and membranes in 3D, without truth (scikit-image; Allen Institute for Cell Science)",
}


def write_public_set(name, out):
    """Download a named data set into ``out/images`` (and ``out/masks``, where there are labels).

    Raises
    ------
    UserError
        For an unknown name, no connection, or a download whose checksum is wrong.
    """
    if name not in DESCRIPTIONS:
        raise UserError(f"There is no data set '{name}': choose one of {', '.join(DESCRIPTIONS)}")
    out = Path(out)
    require_absent([out / "images", out / "masks"])
    try:
        if name == "dsb2018":
            with whole_folder(out) as temporary:
                _write_dsb2018(temporary)
        else:
            _write_scikit_image(name, out)
    except (OSError, ValueError, ConnectionError) as error:
        raise UserError(f"Could not download '{name}': {error}. Check the connection and try again") from error
    return out


def _write_dsb2018(out):
    import pooch

    archive = pooch.retrieve(**_DSB2018, path=pooch.os_cache("n2seg_utils"), progressbar=False)
    with zipfile.ZipFile(archive) as files:
        for entry in files.namelist():
            parts = Path(entry).parts
            # Of a name only its last two parts count, so that no file can land anywhere else.
            if len(parts) > 1 and parts[-1].endswith(".tif") and parts[-2] in ("images", "masks"):
                with whole_file(out / parts[-2] / parts[-1]) as temporary:
                    temporary.write_bytes(files.read(entry))


def _write_scikit_image(name, out):
    from skimage import data

    pixels = np.asarray(getattr(data, name)())
    axes = {2: "YX", 4: "ZCYX"}[pixels.ndim]
    with whole_file(out / "images" / f"{name}.tif") as temporary:
        tifffile.imwrite(temporary, pixels, imagej=True, metadata={"axes": axes})
