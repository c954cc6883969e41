"""Denoise, segment and judge microscopy images; the package behind the Noise2Seg notebooks.

>>> from n2seg_utils import DenoiseSettings, train_denoiser
>>> denoiser = train_denoiser(DenoiseSettings(images="my_images", run="my_run"))  # doctest: +SKIP
>>> denoiser.predict_folder("my_images", "denoised")  # doctest: +SKIP
>>> from n2seg_utils import SegmentSettings, train_segmenter
>>> segmenter = train_segmenter(SegmentSettings(images="images", masks="masks", run="run"))  # doctest: +SKIP
>>> from n2seg_utils import JointSettings, train_joint
>>> model = train_joint(JointSettings(images="images", masks="masks_of_some", run="run"))  # doctest: +SKIP
"""

import importlib

from .about import VERSION as __version__  # noqa: N811
from .errors import UserError
from .settings import DenoiseSettings, JointSettings, SegmentSettings

# Loaded on first use, because they load TensorFlow, which takes seconds.
_LATER = {
    "Denoiser": "models.denoiser",
    "JointModel": "models.joint",
    "Segmenter": "models.segmenter",
    "load": "exchange.opening",
    "train_denoiser": "models.denoise_training",
    "train_joint": "models.joint_training",
    "train_segmenter": "models.segment_training",
    "judge": "quality.qc",
    "judge_labels": "quality.label_qc",
}

__all__ = ["DenoiseSettings", "JointSettings", "SegmentSettings", "UserError", "__version__", *_LATER]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'n2seg_utils' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
