"""Settings of Noise2Void denoising."""

from dataclasses import dataclass

from ..knobs import knob
from .hiding import HidingSettings
from .training import TrainingSettings


@dataclass
class DenoiseSettings(HidingSettings, TrainingSettings):
    """Settings of Noise2Void denoising."""

    sample: str = knob(
        "nuclei",
        "Sample",
        "What to try when you name no folder: synthetic nuclei or spots, or real images, which are downloaded.",
        "data",
        advanced=True,
        choices=("nuclei", "spots", "nuclei3d", "spots3d", "two_channels", "human_mitosis", "dsb2018", "cells3d"),
    )
    truth: str = knob(
        "",
        "Clean images (optional)",
        "Folder with clean images of the same names, if you have them: used to judge the result, never to train.",
        "data",
        example="/content/drive/MyDrive/my_clean_images",
    )
    channels: str = knob(
        "apart",
        "Channels",
        "'apart': each colour is denoised by a network of its own; 'together': one network sees all colours.",
        "data",
        advanced=True,
        choices=("apart", "together"),
    )
    algorithm: str = knob(
        "n2v",
        "Algorithm",
        "n2v: the usual one. n2v2: with fewer checkerboards. structn2v: for noise that neighbouring pixels share.",
        "training",
        choices=("n2v", "n2v2", "structn2v"),
    )
    dtype: str = knob(
        "float32",
        "Save results as",
        "'float32' keeps every shade; 'input' gives files of the same type as yours.",
        "result",
        choices=("float32", "input"),
    )
    orientations: bool = knob(
        False,
        "Average eight orientations",
        "Denoise each image flipped and turned in eight ways and take the mean: a little better, eight times slower.",
        "result",
        advanced=True,
    )
    loss: str = knob(
        "mse",
        "Loss",
        "What training minimises: squared (mse) or absolute error (mae), which cares less about outliers.",
        "training",
        advanced=True,
        choices=("mse", "mae"),
    )
