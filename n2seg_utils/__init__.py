"""Denoise, segment and judge microscopy images; the package behind the Noise2Seg notebooks.

>>> from n2seg_utils import DenoiseSettings, train_denoiser
>>> denoiser = train_denoiser(DenoiseSettings(images="my_images", run="my_run"))  # doctest: +SKIP
>>> denoiser.predict_folder("my_images", "denoised")  # doctest: +SKIP
"""

import importlib

from .about import VERSION as __version__  # noqa: N811
from .errors import UserError
from .settings import DenoiseSettings

# Loaded on first use, because they load TensorFlow, which takes seconds.
_LATER = {"Denoiser": "models.denoiser", "train_denoiser": "models.denoise_training", "judge": "quality.qc"}

__all__ = ["DenoiseSettings", "Denoiser", "UserError", "__version__", "judge", "train_denoiser"]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'n2seg_utils' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
