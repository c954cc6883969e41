"""Settings of a comparison of methods: which experiment notebook 5 writes."""

from dataclasses import dataclass

from ..knobs import Settings, knob

METHODS = ("denoise", "segment", "sequential", "joint", "published")


@dataclass
class CompareSettings(Settings):
    """What is compared, on which images, and for how long each run trains."""

    images: str = knob(
        "",
        "Images",
        "Folder with all your images, annotated or not; leave it empty to try the built-in sample.",
        "data",
        example="/content/drive/MyDrive/my_images",
    )
    masks: str = knob(
        "",
        "Masks",
        "Folder with what you drew on some or all: label images, binary or colour masks, ROI sets, or Supervisely.",
        "data",
        example="/content/drive/MyDrive/my_masks",
    )
    truth: str = knob(
        "",
        "Clean images (optional)",
        "Folder with clean images of the same names, if you have them: used to judge the denoising, never to train.",
        "data",
        example="/content/drive/MyDrive/my_clean_images",
    )
    axes: str = knob(
        "auto",
        "Axes",
        "What each dimension of your images means, slowest first: T time, Z depth, C channel, Y height, X width.",
        "data",
        advanced=True,
        example="TYX",
    )
    target: str = knob(
        "auto",
        "What masks show",
        "'instances': objects that can be counted; 'binary': one kind of pixel; 'classes': several; 'auto' looks.",
        "data",
        advanced=True,
        choices=("auto", "binary", "classes", "instances"),
    )
    segment: bool = knob(True, "U-Net alone", "Segment the images as they are (notebook 2).", "training")
    sequential: bool = knob(
        False,
        "Noise2Void, then U-Net",
        "Denoise first, then segment the denoised images: two trainings.",
        "training",
    )
    joint: bool = knob(True, "Joint", "Denoising and segmentation in one training (notebook 3).", "training")
    annotated: str | None = knob(
        None,
        "Annotated images",
        "How many annotated images to learn from: numbers, or all; they are drawn by chance from yours.",
        "training",
        example="3, 6, all",
    )
    seeds: int | None = knob(
        None,
        "Repetitions (seeds)",
        "How often each is repeated with other annotated images; fewer than three cannot tell what is chance.",
        "training",
        low=1,
        high=100,
        example="3",
    )
    minutes: float | None = knob(
        None,
        "Training time",
        "Of each run; the same for all methods. Longer is better, but everything takes longer.",
        "training",
        low=0.01,
        high=100_000,
        unit="minutes",
        example="10",
    )
    run: str = knob(
        "n2seg_runs/comparison",
        "Result folder",
        "Folder in which all runs, tables and the report are kept; created for you.",
        "training",
    )
    denoise: bool = knob(
        False,
        "Noise2Void",
        "Only denoise (notebook 1); needs clean images, or noise that is added.",
        "training",
        advanced=True,
    )
    published: bool = knob(
        False, "Joint, as published", "Joint training by the recipe of the DenoiSeg paper.", "training", advanced=True
    )
    noise: str = knob(
        "0",
        "Noise to add",
        "Gaussian noise to add to your images, in grey values: what if they were noisier? 0 adds none.",
        "training",
        advanced=True,
        example="0, 20",
    )
    steps: int | None = knob(
        None,
        "Steps",
        "Steps of training in each run, the same for all methods; give it in place of the training time.",
        "training",
        advanced=True,
        low=2,
        high=10_000_000,
        example="2000",
    )
    held_out: float = knob(
        0.25,
        "Images to judge by",
        "Share of the annotated images that no training sees; results are judged by these.",
        "training",
        advanced=True,
        low=0.01,
        high=0.9,
    )
    compare: str = knob(
        "",
        "Settings to compare",
        "Settings of notebooks 1 to 3 with several values each; put a semicolon between settings.",
        "training",
        advanced=True,
        example="denoise_weight = 0.3, 0.5; learning_rate = 0.001, 0.0005",
    )
    other: str = knob(
        "",
        "Other settings",
        "Settings of notebooks 1 to 3 that are the same in all runs; put a semicolon between them.",
        "training",
        advanced=True,
        example="network_depth = 3; patch_size = 128",
    )

    @property
    def methods(self):
        """The methods that were ticked."""
        return [name for name in METHODS if getattr(self, name)]

    def problems(self):
        """See :meth:`Settings.problems`; something must be compared, and trained for one length of time."""
        found = super().problems()
        if not self.methods:
            found["segment"] = "No method is ticked: tick one or several"
        if self.minutes and self.steps and "steps" not in found:
            found["steps"] = "minutes and steps both say how long to train: leave one of them empty"
        for name in ("compare", "other"):
            wrong = next((text for text in parts(getattr(self, name)) if not all(map(str.strip, text))), None)
            if wrong:
                found[name] = f"'{'='.join(wrong)[:100]}' is no setting: write it as name = value"
        return found


def parts(text):
    """``name = value; name = value`` as pairs of text; what is missing is empty.

    >>> parts("network_depth = 3; augment=no")
    [('network_depth', '3'), ('augment', 'no')]
    """
    pairs = [one.partition("=") for one in text.split(";") if one.strip()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]
