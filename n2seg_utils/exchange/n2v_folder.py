"""A denoiser as a folder that n2v opens."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path

from ..data.files import cannot_write, make_folder, require_absent, whole_file
from ..errors import UserError
from ..models import n2v_format, weights
from . import network
from .about import in_lines
from .savedmodel import pack


def write_n2v(model, out, about=None):
    """Write a folder, or a zip of it, that ``n2v.models.N2V(None, name=FOLDER, basedir=WHERE_IT_IS)`` opens.

    Parameters
    ----------
    model : Denoiser
    out : path
        A folder, or a file ending in .zip, in which a folder of the same name lies.
    about : About, optional
        What is said of the model, for a ``README.txt``.

    Raises
    ------
    UserError
        If `out` exists or cannot be written, or if n2v has no such models; says what else to choose.
    """
    out = Path(out)
    require_absent([out])
    _require_possible(model)
    packed = out.suffix.lower() == ".zip"
    with tempfile.TemporaryDirectory() as folder:
        name = out.stem if packed else out.name
        _fill(model, Path(folder) / name, about)
        if packed:
            with whole_file(out) as temporary:
                pack(folder, temporary)
        else:
            _place(Path(folder) / name, out)


def _place(folder, out):
    """Copy a folder: it is there whole or not at all."""
    make_folder(out.parent)
    temporary = out.with_name(f".{out.name[:40]}.{uuid.uuid4().hex[:8]}")
    try:
        shutil.copytree(folder, temporary)
        os.rename(temporary, out)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(model, folder, about):
    folder.mkdir()
    if about:
        (folder / "README.txt").write_text(in_lines(about), encoding="utf-8")
    weights.save(model.network, folder / weights.BEST)
    if not n2v_format.save_config(folder / n2v_format.CONFIG, model.settings, model.normalisation, model.architecture):
        raise UserError(f"The model in {model.run} has a network that n2v cannot build. {_INSTEAD}")


_INSTEAD = "Use the format bioimageio"


def _require_possible(model):
    if model.run.workflow != "denoise":
        raise UserError(f"The model in {model.run} is not for denoising alone; n2v only denoises. {_INSTEAD}")
    network.require_one_scale(model, "n2v")
    a, why = model.architecture, ""
    if a.channels > 1 and not a.together:
        why = "has a network for each channel, of which n2v would show every one the last channel"
    elif a.dims == 3 and a.pool_z != 2:
        why = "does not merge planes, which networks of n2v do"
    elif a.dims == 3 and a.blur_pool:
        why = "is N2V2 in 3D, which n2v does not have"
    if why:
        raise UserError(f"The model in {model.run} {why}. {_INSTEAD}, or train with {_OTHER[bool(a.dims == 3)]}")


_OTHER = {False: "channels=together", True: "algorithm=n2v on planes that are not far apart"}
