"""From a trained model and images to results, or to a file for other software."""

from pathlib import Path

from ..data import positions, results
from ..data.files import require_absent
from ..data.parts import EVERYTHING
from ..errors import UserError
from ..ui.progress import bar
from ..words import counted
from . import parts
from .parts import TABLES


def predict(run, images, out, tile="auto", axes="auto", usual=None, part=None, **options):
    """Apply the model of a run folder, of whatever kind, to a folder of images.

    What an earlier call of the same began and did not end goes on: files that are there are kept.

    Parameters
    ----------
    run : path
        What :func:`~n2seg_utils.exchange.opening.load` opens: a run folder, or a model of other software.
    images, out : path
    tile, axes
        See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_folder`.
    usual : dict, optional
        Options in place of the run's, as far as such a model knows them.
    part : Part, optional
        Do a part of the images, or of strips of OME-Zarr images, while other processes do the others; then
        :func:`~n2seg_utils.workflows.parts.join_parts` puts their tables together.
    **options
        What was chosen of ``dtype`` (denoising), ``outlines``, ``threshold`` and ``min_size`` (segmentation); None
        leaves it as in the run.

    Returns
    -------
    list of Path
        The results, in the order of the images: of joint models, the label images.
    """
    from ..exchange import opening

    model = opening.load(run)
    workflow = model.workflow
    given = {name: value for name, value in options.items() if value is not None}
    wrong = set(given) & _UNKNOWN[workflow]
    if wrong:
        raise UserError(
            f"The model in {run} {_DOES[workflow]} and knows no {' or '.join(sorted(wrong))}. Leave that out"
        )
    given = {name: value for name, value in (usual or {}).items() if name not in _UNKNOWN[workflow]} | given
    facts = model.run.facts()
    made_with = {"run": str(run), "trained": facts.get("ended"), "rule": facts.get("rule"), "axes": axes, **given}
    called, images = images, positions.images_of(images)
    text = results.made_from(images, made_with, called)
    apply = {"denoise": _denoise_folder, "map": _map_folder}.get(workflow, _segment_folder)
    if part:
        parts.require_same(out, text)
        if parts.is_done(out, part):
            print(f"Part {part} is done already")
            return []
    notes, share = (parts.folder(out, part), part) if part else (Path(out), EVERYTHING)
    with results.unfinished(notes, text) as (again, begin):
        files = apply(model, images, Path(out), tile, axes, again, begin, share, **given)
        if part:
            parts.note_done(out, part, text, len(files))
    return files


_DOES = {"denoise": "denoises", "segment": "segments", "map": "gives what nobody knows the meaning of"}
_UNKNOWN = {"denoise": {"outlines", "threshold", "min_size"}, "segment": {"dtype"}, "joint": set()}
_UNKNOWN["map"] = _UNKNOWN["denoise"] | _UNKNOWN["segment"]  # of a network that says what nobody knows


def _first(begin, update):
    """A progress function that calls `begin` each time before another."""

    def told(share, words=""):
        begin()
        update(share, words)

    return told


def _denoise_folder(denoiser, images, out, tile, axes, again, begin, part, dtype=None):
    _doubt(denoiser, images, axes, part)
    update, dtype = bar("Denoising"), dtype or denoiser.settings.dtype
    files = denoiser.predict_folder(images, out, tile, _first(begin, update), again, axes, part, dtype=dtype)
    update.close(f"{counted(len(files), 'image')} written to {out}")
    return files


def _map_folder(model, images, out, tile, axes, again, begin, part):
    update = bar("Predicting")
    files = model.predict_folder(images, out, tile, _first(begin, update), again, axes, part)
    update.close(f"{counted(len(files), 'image')} written to {out}, one channel for each output of the network")
    return files


def _segment_folder(model, images, out, tile, axes, again, begin, part, **chosen):
    from ..models.segment_report import write_measurements, write_supervisely

    joint, in_parts = model.workflow == "joint", part != EVERYTHING
    model.settings = settings = model.settings.replace(**chosen).check()
    _doubt(model, images, axes, part)
    update = bar("Denoising and segmenting" if joint else "Segmenting")
    labels = model.target_file(out, images).parent
    project = [labels / "supervisely"] if settings.outlines == "supervisely" else []
    if in_parts and project:
        raise UserError("A Supervisely project cannot be written in parts. Leave out --part, or outlines=supervisely")
    name = f"{TABLES}/{part.name}_{{}}.csv" if in_parts else "{}.csv"
    tables = [] if in_parts else [labels / name.format(kind) for kind in ("objects", "counts")]
    require_absent(project if again else [*tables, *project])
    more = {"dtype": settings.dtype} if joint else {}
    more["outlines"] = settings.outlines == "imagej"
    files = model.predict_folder(images, out, tile, _first(begin, update), again, axes, part, **more)
    if project:
        write_supervisely(model, labels, images, axes)
    counts = write_measurements(model, labels, images, axes, files if in_parts else None, name)
    total = sum(row["objects"] for row in counts)
    update.close(f"{counted(len(files), 'label image')} with {counted(total, 'object')} written to {labels}")
    return files


def _doubt(model, images, axes, part):
    if part.number > 1:  # the first of them looks at all images
        return
    for words in model.doubts(images, axes):
        print(f"warning: {words}", flush=True)


def export(run, out, settings):
    """Write the model of a run folder, of whatever kind, for other software.

    Parameters
    ----------
    run, out : path
    settings : ExportSettings
        The format, and what is said of the model.

    Returns
    -------
    Path
    """
    from ..exchange import export as exporting
    from ..exchange import opening

    require_absent([out])
    written = exporting.export(opening.load(run), out, settings)
    print(f"Written to {written}")
    if settings.format == "bioimageio" and not settings.authors:
        print("No authors are named: add --set authors=NAME before you share it")
    return written
