"""Settings of U-Net segmentation."""

from dataclasses import dataclass
from typing import ClassVar

from ..knobs import knob
from .class_weights import weights_problem
from .encoder import EncoderSettings, wrong_with_encoder
from .student import AUTO, OWN, STUDENTS, wrong_with_student
from .training import TrainingSettings
from .unlabelled import UnlabelledSettings, wrong_with_labels, wrong_without_labels


@dataclass
class AnnotatedSettings(TrainingSettings):
    """Settings of whatever learns from annotated images."""

    FIRST: ClassVar = ("images", "masks", "target")

    images: str = knob(
        "",
        "Images",
        "Folder with your images, one file, or a list (.txt); leave it empty to try the built-in sample.",
        "data",
        example="/content/drive/MyDrive/my_images",
    )
    masks: str = knob(
        "",
        "Masks",
        "Folder (or list) of what you drew: label images, binary or colour masks, ROI sets, or a Supervisely project.",
        "data",
        example="/content/drive/MyDrive/my_masks",
    )
    sample: str = knob(
        "nuclei",
        "Sample",
        "What to try when you name no folder: synthetic nuclei, or real ones (dsb2018), which are downloaded.",
        "data",
        advanced=True,
        choices=("nuclei", "nuclei3d", "dsb2018"),
    )
    target: str = knob(
        "auto",
        "What masks show",
        "'binary': one class. 'classes': several. 'instances': objects to be told apart. 'auto' sees it in the masks.",
        "data",
        choices=("auto", "binary", "classes", "instances"),
    )
    classes: int | None = knob(
        None,
        "Number of classes",
        "How many classes there should be, background included, if you want that checked.",
        "data",
        advanced=True,
        low=2,
        high=256,
        example="3",
    )
    run: str = knob(
        "n2seg_runs/segment",
        "Run folder",
        "Folder in which the model, its settings and its scores are kept; created for you.",
        "training",
    )
    method: str = knob(
        "border",
        "How to separate objects",
        "For objects: 'border' learns the borders between them, 'distance' also how far a pixel is from the edge.",
        "training",
        advanced=True,
        choices=("border", "distance"),
    )
    normalisation: str = knob(
        "image",
        "Brightness scaling",
        "One brightness scale for all images ('dataset') or one for each ('image').",
        "training",
        advanced=True,
        choices=("image", "dataset"),
    )
    pretrained: str = knob(
        "",
        "Start from a model",
        "Run folder, or folder of an n2v, csbdeep or DenoiSeg model: layers that fit are taken and trained further.",
        "training",
        advanced=True,
        example="/content/drive/MyDrive/n2seg/n2seg_runs/segment",
    )
    freeze: str = knob(
        "nothing",
        "Keep as it is",
        "When starting from a model: layers that training leaves alone, the way down ('encoder') or all but the last.",
        "training",
        advanced=True,
        choices=("nothing", "encoder", "all_but_last"),
    )
    patience: int = knob(
        20,
        "Patience",
        "Training ends early when so many epochs in a row bring no better score.",
        "training",
        advanced=True,
        low=1,
        high=100_000,
        unit="epochs",
    )
    validation_fraction: float = knob(
        0.15,
        "Validation share",
        "Share of the images (of the area, if there is one image) kept out of training, to judge and tune by.",
        "training",
        advanced=True,
        low=0.01,
        high=0.5,
    )
    loss: str = knob(
        "both",
        "Loss",
        "What training minimises: weighted cross-entropy, the Dice loss, or both.",
        "training",
        advanced=True,
        choices=("both", "cross_entropy", "dice"),
    )
    class_weights: str = knob(
        "auto",
        "Class weights",
        "What a pixel of each class counts, background first; 'auto' weighs rare classes more.",
        "training",
        advanced=True,
        example="1, 1, 5",
    )
    favoured: float = knob(
        0.5,
        "Patches on objects",
        "Share of the patches drawn around a pixel of an object, a border or a rare class.",
        "training",
        advanced=True,
        low=0,
        high=1,
    )
    warp: float = knob(
        1.0,
        "Rotate, zoom and bend",
        "How strongly patches are deformed, so that the network learns from more shapes; 0 leaves them as they are.",
        "training",
        advanced=True,
        low=0,
        high=3,
    )
    recolour: float = knob(
        1.0,
        "Vary brightness, noise and blur",
        "How strongly patches are changed in brightness, contrast, noise and sharpness; 0 leaves them as they are.",
        "training",
        advanced=True,
        low=0,
        high=3,
    )
    dropout: float = knob(
        0.0,
        "Dropout",
        "Share of the network's values that are left out at random while training; helps against learning by heart.",
        "training",
        advanced=True,
        low=0,
        high=0.8,
    )
    network_depth: int = knob(
        3,
        "Network depth",
        "How often the network halves the image; deeper networks see further and train more slowly.",
        "training",
        advanced=True,
        low=1,
        high=5,
    )
    batch_norm: bool = knob(
        True,
        "Batch normalisation",
        "Steadies the training of deep networks; slower.",
        "training",
        advanced=True,
    )
    threshold: float | None = knob(
        None,
        "Threshold",
        "Probability from which on a pixel belongs to an object; left open, it is tuned on the validation images.",
        "result",
        advanced=True,
        low=0,
        high=1,
        example="0.5",
    )
    min_size: int | None = knob(
        None,
        "Smallest object",
        "Objects with fewer pixels are left out; left open, it is tuned on the validation images.",
        "result",
        advanced=True,
        low=0,
        high=1_000_000_000,
        unit="pixels",
        example="20",
    )
    outlines: str = knob(
        "none",
        "Save outlines too",
        "Save objects as ROI sets for Fiji ('imagej') or as a Supervisely project as well, to be corrected there.",
        "result",
        choices=("none", "imagej", "supervisely"),
    )
    orientations: bool = knob(
        False,
        "Average eight orientations",
        "Look at each image flipped and turned in eight ways: a little better, eight times slower.",
        "result",
        advanced=True,
    )

    @property
    def starts_trained(self):
        """Whether training starts from a network, or a part of one, that has learned something."""
        return bool(self.pretrained)

    def problems(self):
        """See :meth:`Settings.problems`."""
        found = super().problems()
        words = weights_problem(self.class_weights)
        if self.freeze != "nothing" and not self.starts_trained and "freeze" not in found:
            found["freeze"] = f"freeze is '{self.freeze}', but there is no model to start from: use nothing"
        return found | ({"class_weights": words} if words else {})


@dataclass
class SegmentSettings(UnlabelledSettings, EncoderSettings, AnnotatedSettings):
    """Settings of U-Net segmentation."""

    FIRST: ClassVar = ("images", "masks", "labels", "target")

    labels: str = knob(
        "good",
        "What kind of labels",
        "'good': drawn with care. 'noisy': one class, with wrong or missing pixels. 'teacher': another program's. "
        "'none': nobody drew anything; one class.",
        "data",
        choices=("good", "noisy", "teacher", "none"),
    )
    clean_masks: str = knob(
        "",
        "A few correct masks (optional)",
        "Correct masks of a few images, never trained on: with noisy labels they set the threshold, else they judge.",
        "data",
        advanced=True,
        example="/content/drive/MyDrive/my_correct_masks",
    )
    split: str = knob(
        "auto",
        "What is kept out",
        "With a teacher's labels, what is kept to validate: positions (Pos1, Pos2 ...), images, or a strip of each.",
        "training",
        advanced=True,
        choices=("auto", "position", "image", "region"),
    )
    student: str = knob(
        AUTO,
        "Student",
        "With a teacher's labels, size of the network: 4.4, 0.5 or 0.12 million weights, or your own depth and width.",
        "training",
        advanced=True,
        choices=(AUTO, *STUDENTS, OWN),
    )

    def problems(self):
        """See :meth:`Settings.problems`; labels that may be wrong have one class, and allow less."""
        found = super().problems()
        for name, (allowed, words) in (wrong_with_encoder(self) | self._wrong()).items():
            value = getattr(self, name)
            if value not in allowed and name not in found:
                found[name] = f"{name} is {value!r}, {words}"
        return found

    def _wrong(self):
        """What does not go with the kind of labels: name of a setting -> (values that are allowed, words)."""
        if self.labels == "noisy":
            return wrong_with_labels(self) | {
                "target": (("auto", "binary"), "which must be binary with labels noisy: use binary"),
                "loss": (("both", "cross_entropy"), "which believes in wrong labels: use cross_entropy"),
            }
        if self.labels == "teacher":
            return wrong_with_student(self) | wrong_with_labels(self)
        if self.labels == "none":
            return wrong_without_labels()
        words = "which is for labels noisy, teacher or none: leave it empty, or use one of these"
        return {"clean_masks": (("",), words)} | wrong_with_labels(self)
