"""Denoise, segment and judge microscopy images; the package behind the Noise2Seg notebooks.

Train on a folder of images, and apply the model to another, file by file:

>>> import numpy as np
>>> import n2seg_utils as n2s
>>> settings = n2s.DenoiseSettings(images="my_images", run="my_run", minutes=0, epochs=1, steps_per_epoch=2)
>>> denoiser = n2s.train_denoiser(settings)
>>> [file.name for file in denoiser.predict_folder("my_images", "denoised")]
['nuclei_01.tif', 'nuclei_02.tif']

A trained model, opened and applied to an array:

>>> model = n2s.load("my_run")
>>> image = np.random.default_rng(0).normal(100, 10, (5, 64, 64))
>>> model.predict(image, axes="TYX").shape
(5, 64, 64)

``SegmentSettings`` and ``train_segmenter`` do the same with masks, ``JointSettings`` and ``train_joint`` with masks of
some images.
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
