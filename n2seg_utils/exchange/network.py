"""A model as one network of stock Keras layers, for software that knows nothing of this package."""

import numpy as np
from keras import Model, layers, ops

from ..data.normalisation import PERCENTILES, Normalisation
from ..errors import UserError
from ..learning.networks import smooth


def output_name(model):
    """What the output of :func:`complete` is called."""
    names = {"denoise": "denoised", "segment": "probabilities", "joint": "denoised_and_probabilities"}
    return names[model.run.workflow]


def channel_names(model):
    """What each channel of the output shows."""
    numbered = [f"denoised {number}" for number in range(1, model.architecture.channels + 1)]
    denoised = numbered if len(numbered) > 1 else ["denoised"]
    likely = list(getattr(model, "outputs", ()))
    return {"denoise": denoised, "segment": likely, "joint": [*denoised, *likely]}[model.run.workflow]


def complete(model, scaled_inside):
    """The network of a model with what follows it, and perhaps what precedes it.

    Probabilities are probabilities, not logits. With the scaling inside, grey values go in and come out; each image of
    a batch is then scaled as :meth:`~n2seg_utils.models.trained.TrainedModel.predict_file` scales a whole image.
    What is denoised and how likely each kind is are channels of one output, for readers do not agree on the order of
    several.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    scaled_inside : bool

    Returns
    -------
    keras.Model
        (B, Y, X, C) -> (B, Y, X, C'), with the channels that :func:`channel_names` tells; with Z before Y in 3D.
    """
    a, workflow = model.architecture, model.run.workflow
    image = layers.Input((None,) * a.dims + (a.channels,), name="input")
    zero, one = _limits(model.normalisation, image, a.dims) if scaled_inside else (None, None)
    answer = model.network((image - zero) / (one - zero) if scaled_inside else image)

    def undo(x):
        return x * (one - zero) + zero if scaled_inside else x

    if workflow == "denoise":
        found = undo(answer)
    elif workflow == "segment":
        found = _probabilities(answer, len(model.outputs) - model.by_distance)
    else:
        likely = _probabilities(answer[..., a.channels :], len(model.outputs) - model.by_distance)
        found = layers.Concatenate()([undo(answer[..., : a.channels]), likely])
    return Model(image, layers.Identity(name="output")(found), name=workflow)


def limits(normalisation):
    """The grey values that a scaling which holds for all images turns into 0 and 1, two arrays float32 (C,)."""
    if isinstance(normalisation, Normalisation):
        mean = np.float32(normalisation.mean)
        return mean, mean + np.float32(normalisation.std)
    return normalisation.limits


def require_one_scale(model, whatever):
    """Raise a UserError if each image has its own scale, which `whatever` cannot do."""
    if model.normalisation.kind != "dataset":
        raise UserError(
            f"The model in {model.run} scales each image by its own contrast, which {whatever} cannot. Train with "
            "normalisation=dataset for that"
        )


def _limits(normalisation, image, dims):
    """What becomes 0 and 1 of a symbolic batch of images."""
    if normalisation.kind == "dataset":
        return limits(normalisation)
    axes = tuple(range(1, dims + 1))
    if isinstance(normalisation, Normalisation):
        mean = ops.mean(image, axis=axes, keepdims=True)
        std = ops.sqrt(ops.mean(ops.square(image - mean), axis=axes, keepdims=True))
        return mean, mean + ops.where(std > 0, std, 1.0)
    found = ops.quantile(smooth(image, normalisation.blur), np.float32(PERCENTILES) / 100, axis=axes, keepdims=True)
    # Images that are emptier than any that was trained on are not stretched.
    low, high = found[0], ops.maximum(found[1], found[0] + np.float32(normalisation.least))
    return low + normalisation.zero * (high - low), low + normalisation.one * (high - low)


def _probabilities(logits, kinds):
    """Probabilities of so many classes; what follows them, the distance, stays as it is."""
    if logits.shape[-1] == kinds:
        return layers.Softmax()(logits)
    return layers.Concatenate()([layers.Softmax()(logits[..., :kinds]), logits[..., kinds:]])
