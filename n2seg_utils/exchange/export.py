"""One way out for all formats."""

from ..data.files import at_home
from ..errors import UserError

_ENDINGS = {"bioimageio": "_bioimageio.zip", "savedmodel": "_savedmodel.zip", "n2v": "_n2v.zip"}


def export(model, out, settings):
    """Write a model in the format of its settings; see :mod:`.bioimageio`, :mod:`.savedmodel` and :mod:`.n2v_folder`.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    out : path
    settings : ExportSettings

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    UserError
        If it exists, if the model cannot be written in this format, or if something that is said of it is wrong.
    """
    from . import bioimageio, n2v_folder, savedmodel
    from .about import about
    from .foreign import ForeignModel

    out = at_home(out)
    settings.check()
    if isinstance(model, ForeignModel):
        raise UserError(f"{model.run} was made by other software. Give the run folder of a model that was trained here")
    if settings.format != "n2v" and out.suffix.lower() != ".zip":
        raise UserError(f"{out} must end in .zip, for that is what is written: use {out.name}.zip")
    if settings.format == "none":
        raise UserError("format is 'none', so there is nothing to write: use bioimageio")
    said = about(model, settings)
    if settings.tiles and settings.format != "bioimageio":
        raise UserError(f"tiles is for the format bioimageio; {settings.format} knows no overlap. Leave it out")
    if settings.format == "bioimageio":
        bioimageio.write_bioimageio(model, out, said)
    elif settings.format == "savedmodel":
        savedmodel.write_savedmodel(model, out, said)
    else:
        n2v_folder.write_n2v(model, out, said)
    return out


def free_file(run, format):
    """A free name in a run folder: my_run_bioimageio.zip, my_run_bioimageio_2.zip ..."""
    ending = _ENDINGS[format]
    wanted = run.path / (run.path.resolve().name + ending)
    number, file = 1, wanted
    while file.exists():
        number += 1
        file = wanted.with_stem(f"{wanted.stem}_{number}")
    return file
