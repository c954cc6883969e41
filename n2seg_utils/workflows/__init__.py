"""Whole workflows without a person: a function each."""

from .applying import export, predict
from .judging import judge_label_images, judge_restored
from .training import denoise, joint, resume, segment

__all__ = ["denoise", "export", "joint", "judge_label_images", "judge_restored", "predict", "resume", "segment"]
