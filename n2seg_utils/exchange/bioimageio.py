"""A model as a package of the BioImage Model Zoo, specification 0.5."""

import contextlib
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import tifffile

from ..about import ADDRESS
from ..data.files import require_absent, whole_file
from ..data.normalisation import Normalisation
from ..errors import UserError
from . import documentation, network, savedmodel
from .about import ours, papers
from .trial import answers, trial_image

_SMALLEST_STD = 0.1  # below, the 1e-6 that readers add to a standard deviation would be seen
_SMALLEST_VALUE = 1e-4  # the format's own test takes smaller values for nothing
_SAYS = {
    "denoise": "Grey values without noise",
    "segment": "How likely each pixel is of each kind",
    "joint": "Grey values without noise, then how likely each pixel is of each kind",
}
_TASKS = {
    "denoise": ["denoising", "image-restoration"],
    "binary": ["semantic-segmentation"],
    "classes": ["semantic-segmentation"],
    "instances": ["instance-segmentation", "semantic-segmentation"],
}


def write_bioimageio(model, out, about):
    """Write a package that BioImage.IO, deepImageJ and others open, with weights for Keras 3 and for TensorFlow.

    Whole images give the same pixels as here. What the format can say of the scaling it says; a scaling by the contrast
    of each image, which it cannot undo, is part of the network.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    out : path
        File ending in .zip.
    about : About

    Raises
    ------
    UserError
        If the file exists, or cannot be written; if tiles are asked of a model that scales each image by itself; if all
        grey values are so small that the package could not be tested.
    """
    from bioimageio.spec import save_bioimageio_package

    require_absent([out])
    if about.tiles:
        network.require_one_scale(model, "images that are cut into tiles")
    with tempfile.TemporaryDirectory() as folder, _quiet(), _explained():
        description = _description(model, about, Path(folder))
        with whole_file(out) as temporary:
            save_bioimageio_package(description, output_path=temporary)


@contextlib.contextmanager
def _explained():
    """Say what is wrong where pydantic has left bioimageio.spec behind."""
    try:
        yield
    except ValueError as error:
        if "SerializationInfo" not in str(error):
            raise
        spec, pydantic = (metadata.version(name) for name in ("bioimageio.spec", "pydantic"))
        raise UserError(
            f"BioImage.IO packages cannot be written by bioimageio.spec {spec} with pydantic {pydantic}. Install "
            "another: pip install 'pydantic<2.14'"
        ) from error


def halo(architecture):
    """How far tiles must overlap along each axis, in whole poolings; volumes are cut in Y and X only, for an image must
    be larger than the overlap at both of its sides, which few are in Z."""
    across = [-(-reach // block) * block for reach, block in zip(architecture.reach, architecture.block)]
    return tuple([0, *across[1:]] if architecture.dims == 3 else across)


def smallest(architecture, tiles):
    """The smallest size of an image along each axis."""
    edges = halo(architecture) if tiles else (0,) * architecture.dims
    return tuple(block + 2 * edge for block, edge in zip(architecture.block, edges))


def _description(model, about, folder):
    from bioimageio.spec.model import v0_5 as spec

    given, own = trial_image(model, smallest(model.architecture, about.tiles))
    found = answers(model, given)
    if min(abs(given).max(), abs(found).max()) < _SMALLEST_VALUE:
        raise UserError(
            f"The images of {model.run} have grey values below {_SMALLEST_VALUE:g} only, which BioImage.IO takes for "
            "nothing. Multiply them by 1,000,000, train again, and export that model"
        )
    for name, pixels in {"input": given, "output": found}.items():
        np.save(folder / f"test_{name}.npy", pixels[None])
        one = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        tifffile.imwrite(folder / f"sample_{name}.tif", one, photometric="minisblack", compression="zlib")
    (folder / "README.md").write_text(documentation.readme(model, about, own), encoding="utf-8")
    (folder / "cover.png").write_bytes(documentation.cover(model, given, found))
    return spec.ModelDescr(
        name=about.name,
        description=about.description,
        authors=[spec.Author(**person(author)) for author in about.authors],
        license=about.licence,
        cite=[spec.CiteEntry(**entry) for entry in _cited(model, about)],
        git_repo=ADDRESS,
        documentation=spec.FileDescr(source=folder / "README.md"),
        covers=[spec.FileDescr(source=folder / "cover.png")],
        tags=_tags(model),
        inputs=[_input(spec, model, about.tiles, folder)],
        outputs=[_output(spec, model, about.tiles, folder)],
        weights=_weights(spec, model, folder),
        config=spec.Config(bioimageio=_facts(spec, model), n2seg=ours(model)),
    )


def _input(spec, model, tiles, folder):
    a = model.architecture
    space = [
        spec.SpaceInputAxis(id=spec.AxisId(axis), size=spec.ParameterizedSize(min=least, step=block))
        for axis, block, least in zip("zyx"[-a.dims :], a.block, smallest(a, tiles))
    ]
    names = [f"channel {number}" for number in range(1, a.channels + 1)]
    return spec.InputTensorDescr(
        id=spec.TensorId("input"),
        description="Grey values as the microscope gave them",
        axes=[spec.BatchAxis(), *space, spec.ChannelAxis(channel_names=names)],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_scaling(spec, model.normalisation),
        test_tensor=spec.FileDescr(source=folder / "test_input.npy"),
        sample_tensor=spec.FileDescr(source=folder / "sample_input.tif"),
    )


def _output(spec, model, tiles, folder):
    a, tensor = model.architecture, spec.TensorId("input")

    def axis(letter, edge):
        more = {"halo": edge} if tiles and edge else {}
        kind = spec.SpaceOutputAxisWithHalo if more else spec.SpaceOutputAxis
        axis = spec.AxisId(letter)
        return kind(id=axis, size=spec.SizeReference(tensor_id=tensor, axis_id=axis), **more)

    space = [axis(letter, edge) for letter, edge in zip("zyx"[-a.dims :], halo(a))]
    return spec.OutputTensorDescr(
        id=spec.TensorId(network.output_name(model)),
        description=_SAYS[model.run.workflow],
        axes=[spec.BatchAxis(), *space, spec.ChannelAxis(channel_names=network.channel_names(model))],
        data=spec.IntervalOrRatioDataDescr(type="float32"),
        postprocessing=_scaling_back(spec, model),
        test_tensor=spec.FileDescr(source=folder / "test_output.npy"),
        sample_tensor=spec.FileDescr(source=folder / "sample_output.tif"),
    )


def _scaling(spec, scale):
    """The steps that scale grey values; none where each image has its own scale, which the network does itself."""
    if scale.kind != "dataset":
        return []
    zero, one = (values.astype("float64") for values in network.limits(scale))
    channel = spec.AxisId("channel")
    if isinstance(scale, Normalisation) and min(scale.std) >= _SMALLEST_STD:
        kwargs = spec.FixedZeroMeanUnitVarianceAlongAxisKwargs(axis=channel, mean=list(scale.mean), std=list(scale.std))
        return [spec.FixedZeroMeanUnitVarianceDescr(kwargs=kwargs)]
    return [_linear(spec, 1 / (one - zero), -zero / (one - zero))]


def _scaling_back(spec, model):
    """The step that gives denoised channels their grey values, and leaves probabilities alone."""
    if model.normalisation.kind != "dataset" or model.run.workflow == "segment":
        return []
    zero, one = (values.astype("float64") for values in network.limits(model.normalisation))
    others = len(network.channel_names(model)) - len(zero)
    return [_linear(spec, np.append(one - zero, np.ones(others)), np.append(zero, np.zeros(others)))]


def _linear(spec, gain, offset):
    kwargs = spec.ScaleLinearAlongAxisKwargs(axis=spec.AxisId("channel"), gain=gain.tolist(), offset=offset.tolist())
    return spec.ScaleLinearDescr(kwargs=kwargs)


def _weights(spec, model, folder):
    whole = network.complete(model, scaled_inside=model.normalisation.kind != "dataset")
    whole.save(folder / "weights.keras")
    savedmodel.save(whole, folder / "bundle")
    savedmodel.pack(folder / "bundle", folder / "tf_weights.zip")
    tensorflow = spec.Version(metadata.version("tensorflow"))
    return spec.WeightsDescr(
        keras_v3=spec.KerasV3WeightsDescr(
            source=folder / "weights.keras",
            keras_version=spec.Version(metadata.version("keras")),
            backend=("tensorflow", tensorflow),
        ),
        tensorflow_saved_model_bundle=spec.TensorflowSavedModelBundleWeightsDescr(
            source=folder / "tf_weights.zip",
            tensorflow_version=tensorflow,
            parent="keras_v3",
            comment="Weights are constants of the graph; it also runs in TensorFlow 1.15 and later.",
        ),
    )


def person(author):
    """An author as BioImage.IO has it, from "Name (affiliation)"."""
    name, bracket, place = author.partition("(")
    more = {"affiliation": place.strip().removesuffix(")").strip()} if bracket and place.strip(" )") else {}
    return {"name": name.strip() or author.strip(), **more}


def _cited(model, about):
    from ..models.methods import reference

    own = [{"text": "The authors' own work", "doi": about.cite}] if about.cite else []
    return [*own, *({"text": reference(name), "doi": doi} for name, doi in papers(model).items())]


def _tags(model):
    workflow, dims = model.run.workflow, f"{model.architecture.dims}d"
    kinds = [] if workflow == "denoise" else _TASKS[model.target.kind]
    both = [*(_TASKS["denoise"] if workflow != "segment" else []), *kinds]
    method = [name for name in papers(model) if name in ("n2v", "n2v2", "structn2v")]
    return [*both, dims, "unet", "tensorflow", "keras", *method, "n2seg", "deepimagej", "fiji"]


def _facts(spec, model):
    """How it was trained."""
    settings, facts = model.settings, model.run.facts()
    epochs = facts.get("epochs_done", settings.epochs)
    training = spec.TrainingDetails(
        training_preprocessing=documentation.scaling(model),
        training_epochs=epochs,
        training_batch_size=settings.batch_size,
        initial_learning_rate=settings.learning_rate,
        learning_rate_schedule="cosine",
        loss_function=str(settings.loss),
        optimizer="Adam",
        training_duration=facts["training_seconds"] / 3600 if facts.get("training_seconds") else None,
        steps_per_epoch=settings.steps_per_epoch,
    )
    return spec.BioimageioConfig(
        architecture_type="U-Net",
        task=", ".join(_TASKS["denoise"][:1] if model.run.workflow == "denoise" else _TASKS[model.target.kind][:1]),
        model_parameter_count=model.network.count_params(),
        training=training,
    )


@contextlib.contextmanager
def _quiet():
    """Spare the user what BioImage.IO's library logs while it checks a description."""
    from loguru import logger

    logger.disable("bioimageio")
    try:
        yield
    finally:
        logger.enable("bioimageio")
