"""Settings of joint denoising and segmentation."""

from dataclasses import dataclass
from typing import ClassVar

from ..knobs import knob
from .hiding import HidingSettings
from .segment import AnnotatedSettings


@dataclass
class JointSettings(HidingSettings, AnnotatedSettings):
    """Settings of joint denoising and segmentation."""

    FIRST: ClassVar = ("images", "masks", "target")
    OURS: ClassVar = ("method", "loss", "favoured", "warp", "recolour", "annotated_share", "pseudo_labels")
    SHARED: ClassVar = ("denoise_weight", "annotated_share", "pseudo_labels", "batch_norm", "freeze")

    images: str = knob(
        "",
        "Images",
        "Folder with all your noisy images, annotated or not; leave it empty to try the built-in sample.",
        "data",
        example="/content/drive/MyDrive/my_images",
    )
    masks: str = knob(
        "",
        "Masks",
        "Folder with what you drew on some of them: label images, binary or colour masks, ROI sets, or Supervisely.",
        "data",
        example="/content/drive/MyDrive/my_masks",
    )
    truth: str = knob(
        "",
        "Clean images (optional)",
        "Folder with clean images of the same names, if you have them: used to judge the denoising, never to train.",
        "data",
        advanced=True,
        example="/content/drive/MyDrive/my_clean_images",
    )
    run: str = knob(
        "n2seg_runs/joint",
        "Run folder",
        "Folder in which the model, its settings and its scores are kept; created for you.",
        "training",
    )
    normalisation: str = knob(
        "auto",
        "Brightness scaling",
        "One brightness scale for all images ('dataset') or one for each ('image'); 'auto' decides by your images.",
        "training",
        advanced=True,
        choices=("auto", "image", "dataset"),
    )
    batch_size: int | None = knob(
        None,
        "Batch size",
        "Patches looked at in one step, annotated and others together.",
        "training",
        advanced=True,
        low=2,
        high=1024,
        example="16",
    )
    algorithm: str = knob(
        "n2v",
        "Denoising algorithm",
        "n2v: the usual one. structn2v: for noise that neighbouring pixels share.",
        "training",
        advanced=True,
        choices=("n2v", "structn2v"),
    )
    denoise_weight: float = knob(
        0.5,
        "Weight of denoising",
        "How much denoising counts against segmentation (the paper's alpha); for one alone use notebook 1 or 2.",
        "training",
        advanced=True,
        low=0.01,
        high=0.99,
    )
    schedule: str = knob(
        "auto",
        "Order of learning",
        "'in_turn': two networks, denoising first. One for both: 'constant', 'teacher', 'denoise_first' or 'ramp'.",
        "training",
        advanced=True,
        choices=("auto", "in_turn", "constant", "teacher", "denoise_first", "ramp"),
    )
    annotated_share: float = knob(
        0.5,
        "Annotated patches",
        "Share of each batch that is drawn from annotated images and teaches to segment; the rest teaches to denoise.",
        "training",
        advanced=True,
        low=0.1,
        high=0.9,
    )
    pseudo_labels: float = knob(
        0.0,
        "Learn from own labels",
        "Weight of labels that the network gives itself where it is sure; 0 is none, and was best in our experiments.",
        "training",
        advanced=True,
        low=0,
        high=10,
    )
    recipe: str = knob(
        "ours",
        "Recipe",
        "'published' draws and weighs patches as the DenoiSeg paper did, for comparison; 'ours' needs fewer masks.",
        "training",
        advanced=True,
        choices=("ours", "published"),
    )
    batch_norm: bool = knob(
        False,
        "Batch normalisation",
        "Leave it off, except to compare: in joint training, what it learns from batches is wrong for whole images.",
        "training",
        advanced=True,
    )
    dtype: str = knob(
        "float32",
        "Save denoised images as",
        "'float32' keeps every shade; 'input' gives files of the same type as yours.",
        "result",
        advanced=True,
        choices=("float32", "input"),
    )

    def problems(self):
        """See :meth:`Settings.problems`; the published recipe knows nothing of some settings."""
        found = super().problems()
        if self.recipe == "published" and self.schedule in ("teacher", "in_turn"):
            found["schedule"] = (
                f"the published recipe knows no schedule '{self.schedule}': use constant, or recipe ours"
            )
        if self.schedule == "in_turn" and not self.minutes and self.epochs < 2 and "epochs" not in found:
            found["epochs"] = "with schedule in_turn there is an epoch for each network at least: use 2 or more"
        if self.schedule == "in_turn" and self.pretrained and "pretrained" not in found:
            found["pretrained"] = (
                "two networks in turn start from none: leave pretrained empty, or use schedule constant"
            )
        idle = dict.fromkeys(self.OURS, ("recipe published", "recipe ours")) if self.recipe == "published" else {}
        if self.schedule == "in_turn":
            idle |= dict.fromkeys(self.SHARED, ("schedule in_turn", "schedule constant"))
        for name, (because, instead) in idle.items():
            if not self.usual(name) and name not in found:
                found[name] = f"{name} has no effect with {because}: use {getattr(type(self), name)}, or {instead}"
        return found

    def usual(self, name):
        """Whether a setting is what it is when nothing is said."""
        return getattr(self, name) == getattr(type(self), name)
