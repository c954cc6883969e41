"""The configuration file that n2v, csbdeep and napari read, and what n2v wrote itself."""

import json
from pathlib import Path

import numpy as np

from ..data.files import write_text
from ..data.normalisation import Normalisation
from ..data.tables import read_json
from ..errors import UserError
from ..learning.networks import Architecture
from ..settings import DenoiseSettings
from . import weights
from .hiding import struct_mask

CONFIG = "config.json"
_WEIGHTS = (weights.BEST, "weights_last.h5")


def save_config(path, settings, normalisation, architecture):
    """Write ``config.json`` as n2v 0.3 does, so that ``N2V(None, name, basedir)`` opens the run folder.

    Networks that n2v cannot build, or builds wrongly, get none: several channels apart (there every network sees the
    last channel), and what is not in n2v in 3D.

    Returns
    -------
    bool
        Whether the file was written.
    """
    a = architecture
    apart = not a.together and a.channels > 1
    if apart or (a.dims == 3 and (a.blur_pool or a.pool_z != 2)) or a.top_skip == a.blur_pool or a.sees is not None:
        return False
    patch = [settings.patch_size] * 2
    config = {
        "means": [repr(float(np.float32(m))) for m in normalisation.mean],
        "stds": [repr(float(np.float32(s))) for s in normalisation.std],
        "n_dim": a.dims,
        "axes": "ZYXC"[-a.dims - 1 :],
        "n_channel_in": a.channels,
        "n_channel_out": a.channels,
        "unet_residual": a.residual,
        "unet_n_depth": a.depth,
        "unet_kern_size": a.kernel_size,
        "unet_n_first": a.width,
        "unet_last_activation": a.last_activation,
        "unet_input_shape": [None] * a.dims + [a.channels],
        "train_loss": settings.loss,
        "train_epochs": settings.epochs,
        "train_steps_per_epoch": settings.steps_per_epoch,
        "train_learning_rate": settings.learning_rate,
        "train_batch_size": settings.batch_size,
        "train_tensorboard": False,
        "train_checkpoint": weights.BEST,
        "train_reduce_lr": None,
        "batch_norm": a.batch_norm,
        "n2v_perc_pix": settings.masked_percent,
        "n2v_patch_shape": patch if a.dims == 2 else [settings.patch_depth, *patch],
        "n2v_manipulator": settings.manipulator,
        "n2v_neighborhood_radius": settings.neighbourhood_radius,
        "single_net_per_channel": a.channels == 1,
        "blurpool": a.blur_pool,
        "skip_skipone": not a.top_skip,
        "structN2Vmask": struct_mask(settings).astype(int).tolist() if settings.algorithm == "structn2v" else None,
        "probabilistic": False,
    }
    write_text(path, json.dumps(config))
    return True


def load_config(folder):
    """What the configuration of a folder that n2v wrote says.

    Returns
    -------
    architecture : Architecture
    normalisation : Normalisation
    settings : DenoiseSettings
        How it was trained, in our words.
    weights : Path
        The file of its weights.
    """
    config = _read(folder)
    try:
        _require_n2v(config, folder)
        architecture = _architecture(config)
        normalisation = Normalisation("dataset", *(_numbers(config, name) for name in ("mean", "std")))
        settings = _settings(config, architecture)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder) from error
    return architecture, normalisation, settings, _weights_file(folder, config)


def load_denoiseg(folder):
    """What the configuration of a folder that DenoiSeg wrote says.

    Returns
    -------
    architecture : Architecture
    normalisation : Normalisation
    weights : Path
        The file of its weights.
    """
    config = _read(folder)
    try:
        normalisation = Normalisation("dataset", *(_numbers(config, name) for name in ("mean", "std")))
        return _architecture(config), normalisation, _weights_file(folder, config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder) from error


def load_care(folder):
    """The network and the file of weights of a folder that csbdeep wrote.

    Returns
    -------
    architecture : Architecture
    weights : Path
    """
    _require_certain(_read(folder), folder)
    return load_architecture(folder)


def load_architecture(folder):
    """The network and the file of weights of a folder that n2v, csbdeep or DenoiSeg wrote, whatever it was trained for.

    Returns
    -------
    architecture : Architecture
    weights : Path
    """
    config = _read(folder)
    try:
        return _architecture(config), _weights_file(folder, config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder) from error


def _read(folder):
    try:
        config = read_json(folder / CONFIG)
    except (OSError, ValueError) as error:
        raise _damaged(folder) from error
    if not isinstance(config, dict):
        raise _damaged(folder)
    return config


def _damaged(folder):
    return UserError(f"{folder / CONFIG} is damaged, or not n2v's. Restore it from a copy")


def _weights_file(folder, config):
    for name in (config.get("train_checkpoint"), *_WEIGHTS):
        # A name only: a path could lead out of the folder.
        if isinstance(name, str) and Path(name).name == name and (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder} has no {_WEIGHTS[0]}, so the model cannot be used. Copy that file there too")


def _require_n2v(config, folder):
    if "denoiseg_alpha" in config or "means" not in config.keys() | {k + "s" for k in config}:
        kind = "DenoiSeg" if "denoiseg_alpha" in config else "CARE"
        raise UserError(f"{folder} holds a {kind} model, not one of Noise2Void. Give the folder of an n2v model")
    _require_certain(config, folder)
    apart = config.get("single_net_per_channel") and config["n_channel_in"] > 1
    if apart and config["unet_residual"]:
        raise UserError(f"{folder} holds a residual model with a network per channel, which n2v itself builds wrongly")


def _require_certain(config, folder):
    if config.get("probabilistic"):
        raise UserError(f"{folder} holds a probabilistic model, which cannot be opened. Train one without")


def _architecture(config):
    apart = bool(config.get("single_net_per_channel"))
    same = config["n_channel_out"] == config["n_channel_in"]  # CARE may make one channel of several
    return Architecture(
        dims=config["n_dim"],
        channels=config["n_channel_in"],
        outputs=config["n_channel_out"] if "denoiseg_alpha" in config or not same else None,
        depth=config["unet_n_depth"],
        width=config["unet_n_first"],
        kernel_size=config["unet_kern_size"],
        batch_norm=config.get("batch_norm", "n2v_perc_pix" in config),  # CARE has none
        together=not apart,
        narrow_decoder="n2v_perc_pix" in config and "denoiseg_alpha" not in config,  # n2v's way of building
        blur_pool=config.get("blurpool", False),
        top_skip=not config.get("skip_skipone", False),
        residual=config["unet_residual"],
        last_activation=config["unet_last_activation"],
        # Since n2v runs on TensorFlow 2 (0.3, which also brought blurpool), all networks of a model see one channel.
        sees=-1 if apart and config["n_channel_in"] > 1 and "blurpool" in config else None,
    )


def _numbers(config, name):
    values = config[name + "s"] if name + "s" in config else [config[name]]
    return tuple(float(value) for value in values)


def _settings(config, architecture):
    mask, patch = config.get("structN2Vmask"), config.get("n2v_patch_shape", (64,) * architecture.dims)
    settings = DenoiseSettings(
        dimensions=f"{architecture.dims}d",
        channels="together" if architecture.together else "apart",
        algorithm="n2v2" if architecture.blur_pool else "structn2v" if mask else "n2v",
        patch_size=patch[-1],
        patch_depth=patch[0] if architecture.dims == 3 else None,
        masked_percent=config.get("n2v_perc_pix"),
        neighbourhood_radius=config.get("n2v_neighborhood_radius", 5),
        manipulator=config.get("n2v_manipulator", "uniform_withCP"),
        struct_mask=_mask_text(mask) if mask else "",
        loss=config.get("train_loss", "mse"),
    )
    return describe(settings, architecture)


def describe(settings, architecture):
    """The settings of a denoiser, with what they say of the network as it is."""
    n2v2 = architecture.blur_pool and settings.algorithm == "n2v"
    return describe_network(
        settings.replace(
            algorithm="n2v2" if n2v2 else settings.algorithm,
            channels="together" if architecture.together else "apart",
        ),
        architecture,
    )


def describe_network(settings, architecture):
    """The settings of any training, with what they say of the network as it is."""
    more = {"encoder": architecture.encoder} if "encoder" in settings.knobs() else {}
    return settings.replace(
        **more,
        network_depth=architecture.depth,
        network_width=architecture.width,
        kernel_size=architecture.kernel_size,
        batch_norm=architecture.batch_norm,
        dimensions=f"{architecture.dims}d",
    )


def _mask_text(mask):
    mask = np.array(mask, int)
    planes = mask if mask.ndim == 3 else mask[None]
    return " | ".join("; ".join("".join(map(str, row)) for row in plane) for plane in planes)
