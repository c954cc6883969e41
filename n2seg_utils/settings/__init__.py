"""Every setting once: label, help, default and range, for the form, the YAML file, the command line and the docs."""

from .compare import CompareSettings
from .denoise import DenoiseSettings
from .export import ExportSettings
from .joint import JointSettings
from .quality import QualitySettings
from .segment import SegmentSettings

__all__ = [
    "CompareSettings",
    "DenoiseSettings",
    "ExportSettings",
    "JointSettings",
    "QualitySettings",
    "SegmentSettings",
]
