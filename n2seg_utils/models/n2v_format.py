"""Weights and configuration in the files that n2v, csbdeep and napari read."""

import json

import h5py
import numpy as np

from ..data.files import whole_file, write_text


def save_weights(network, path):
    """Write weights in the HDF5 layout of Keras 2, which Keras 3 and n2v on either of them read.

    Keras 3 itself writes a layout of its own that older software cannot open.
    """
    weighted = [layer for layer in network.layers if layer.weights]
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["layer_names"] = _names(layer.name for layer in weighted)
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.15.0"
        for layer in weighted:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = _names(names)
            for name, weight in zip(names, layer.get_weights()):
                group.create_dataset(name, data=weight)


def _names(names):
    return np.array([name.encode() for name in names])  # text of fixed length: what old versions of Keras expect


def save_config(path, settings, normalisation, channels):
    """Write ``config.json`` as n2v 0.3 does, so that ``N2V(None, name, basedir)`` opens the run folder."""
    config = {
        "means": [repr(float(np.float32(m))) for m in normalisation.mean],
        "stds": [repr(float(np.float32(s))) for s in normalisation.std],
        "n_dim": 2,
        "axes": "YXC",
        "n_channel_in": channels,
        "n_channel_out": channels,
        "unet_residual": False,
        "unet_n_depth": settings.network_depth,
        "unet_kern_size": settings.kernel_size,
        "unet_n_first": settings.network_width,
        "unet_last_activation": "linear",
        "unet_input_shape": [None, None, channels],
        "train_loss": "mse",
        "train_epochs": settings.epochs,
        "train_steps_per_epoch": settings.steps_per_epoch,
        "train_learning_rate": settings.learning_rate,
        "train_batch_size": settings.batch_size,
        "train_tensorboard": False,
        "train_checkpoint": "weights_best.h5",
        "train_reduce_lr": None,
        "batch_norm": settings.batch_norm,
        "n2v_perc_pix": settings.masked_percent,
        "n2v_patch_shape": [settings.patch_size, settings.patch_size],
        "n2v_manipulator": "uniform_withoutCP",
        "n2v_neighborhood_radius": settings.neighbourhood_radius,
        "single_net_per_channel": channels == 1,
        "blurpool": False,
        "skip_skipone": False,
        "structN2Vmask": None,
        "probabilistic": False,
    }
    write_text(path, json.dumps(config))
