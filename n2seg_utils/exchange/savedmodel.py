"""A model as a SavedModel of TensorFlow, as the CSBDeep plugin of Fiji, deepImageJ and TensorFlow itself open it."""

import json
import logging
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..about import ADDRESS, VERSION
from ..data.files import require_absent, whole_file
from . import network
from .about import in_lines, ours

_LARGEST = 1_800_000_000  # bytes of weights; a graph is a file of at most 2 GB


def write_savedmodel(model, out, about=None):
    """Write a zip of a SavedModel that takes grey values and gives grey values or probabilities.

    It is laid out as csbdeep's ``export_TF`` does, with ``meta.json`` beside ``saved_model.pb``: input ``input`` and
    output ``output``, both with batch and channels (B, Y, X, C) or (B, Z, Y, X, C). Scaling is part of the network.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    out : path
        File ending in .zip.
    about : About, optional
        What is said of the model.

    Raises
    ------
    UserError
        If it exists, or cannot be written.
    """
    require_absent([out])
    whole = network.complete(model, scaled_inside=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save(whole, folder / "model")
        (folder / "model" / "meta.json").write_text(json.dumps(_meta(model, about), indent=2), encoding="utf-8")
        (folder / "model" / "README.txt").write_text(_readme(model, about), encoding="utf-8")
        with whole_file(out) as temporary:
            pack(folder / "model", temporary)


def save(whole, folder):
    """Write a network as a SavedModel into a folder, with the input ``input`` and the output ``output``.

    Weights are constants of the graph: so old TensorFlow, 1.15, which Fiji has, runs it too.

    Parameters
    ----------
    whole : keras.Model
    folder : path
    """
    import tensorflow as tf

    if 4 * whole.count_params() > _LARGEST:
        raise ValueError(f"a network of {whole.count_params():,} weights is too large for a SavedModel")
    weights = [[np.asarray(v) for v in some] for some in (whole.trainable_variables, whole.non_trainable_variables)]

    def serve(input):
        return {"output": whole.stateless_call(*weights, input, training=False)[0]}

    holder = tf.Module()
    # Keras looks for "serve", and everything else for a signature.
    holder.serve = tf.function(serve, [tf.TensorSpec(whole.inputs[0].shape, tf.float32, name="input")])
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # in notebooks TensorFlow tells, in pink, which files it writes
    try:
        tf.saved_model.save(holder, str(folder), signatures={"serving_default": holder.serve})
    finally:
        logging.disable(before)


def pack(folder, out):
    """Write what is in a folder into a zip."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(Path(folder).rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix() + ("/" if path.is_dir() else ""))


def _meta(model, about):
    """What csbdeep writes, which its plugin reads to cut images into tiles; and whose model it is."""
    a = model.architecture
    return {
        "type": "N2Seg",
        "version": VERSION,
        "probabilistic": False,
        "axes": "ZYXC"[-a.dims - 1 :],
        "axes_div_by": [*a.block, 1],
        "tile_overlap": [*a.reach, 0],
        "channels_out": network.channel_names(model),
        "made_with": f"n2seg-utils {VERSION}, {ADDRESS}",
        **({"about": asdict(about)} if about else {}),
        "n2seg": ours(model),
    }


def _readme(model, about):
    a, own = model.architecture, model.normalisation.kind == "image"
    scaled = (
        "It measures the contrast of each image that it is given: give whole images (1 tile), and volumes whole."
        if own
        else f"Their scale is that of the training images (grey values "
        f"{', '.join(f'{zero:.6g} to {one:.6g}' for zero, one in zip(*network.limits(model.normalisation)))} become 0 "
        "to 1)."
    )
    return (
        f"{in_lines(about) if about else ''}"
        f"A network that was trained to {_VERBS[model.run.workflow]}, with n2seg-utils {VERSION} ({ADDRESS}).\n\n"
        f"Grey values go in as they are: scaling is part of the network. {scaled}\n"
        "In Fiji: Plugins > CSBDeep > Run your network, this zip as the model, without 'Normalize image'. The plugin\n"
        "N2V opens its own files only. A size must be a multiple of "
        f"{' x '.join(map(str, a.block))} pixels ({'ZYX'[-a.dims :]}); the network sees {max(a.reach)} pixels far.\n"
        f"Channels of the output: {', '.join(network.channel_names(model))}.\n"
    )


_VERBS = {"denoise": "denoise", "segment": "segment", "joint": "denoise and segment"}
