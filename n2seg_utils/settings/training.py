"""What all kinds of training ask for."""

import dataclasses
from dataclasses import dataclass

from ..knobs import Settings, knob, problem


@dataclass
class TrainingSettings(Settings):
    """Images, time, patches and network of any training."""

    images: str = knob(
        "",
        "Noisy images",
        "Folder with your noisy images, or one file; leave it empty to try the built-in sample.",
        "data",
        example="/content/drive/MyDrive/my_images",
    )
    axes: str = knob(
        "auto",
        "Axes",
        "What each dimension of your images means, slowest first: T time, Z depth, C channel, Y height, X width.",
        "data",
        example="TYX",
    )
    dimensions: str = knob(
        "auto",
        "2D or 3D",
        "Whether the network looks at single planes (2d) or at whole volumes (3d); 'auto' decides by your images.",
        "data",
        choices=("auto", "2d", "3d"),
    )
    run: str = knob(
        "n2seg_runs/denoise",
        "Run folder",
        "Folder in which the model, its settings and its scores are kept; created for you.",
        "training",
    )
    minutes: float | None = knob(
        None,
        "Training time",
        "How long to train; longer is better, with less and less gain. 0 trains by number of epochs instead.",
        "training",
        low=0,
        high=100_000,
        unit="minutes",
        example="10",
    )
    patch_size: int | None = knob(
        None,
        "Patch size",
        "Side of the squares that training looks at.",
        "training",
        advanced=True,
        low=16,
        high=1024,
        multiple=4,
        unit="pixels",
        example="64",
    )
    patch_depth: int | None = knob(
        None,
        "Patch depth",
        "How many planes of a volume training looks at (3D only).",
        "training",
        advanced=True,
        low=4,
        high=256,
        multiple=4,
        unit="planes",
        example="16",
    )
    normalisation: str = knob(
        "auto",
        "Brightness scaling",
        "One brightness scale for all images ('dataset') or one for each ('image'); 'auto' decides by your images.",
        "training",
        advanced=True,
        choices=("auto", "dataset", "image"),
    )
    pretrained: str = knob(
        "",
        "Start from a model",
        "Run folder, or folder of an n2v model, to train further; its network and scaling are used.",
        "training",
        advanced=True,
        example="/content/drive/MyDrive/n2seg/n2seg_runs/denoise",
    )
    epochs: int = knob(
        100,
        "Epochs",
        "Rounds of training; used when the training time is 0.",
        "training",
        advanced=True,
        low=1,
        high=100_000,
    )
    steps_per_epoch: int = knob(
        50,
        "Steps per epoch",
        "Batches in a round; used when the training time is 0.",
        "training",
        advanced=True,
        low=1,
        high=100_000_000,
    )
    batch_size: int | None = knob(
        None,
        "Batch size",
        "Patches looked at in one step.",
        "training",
        advanced=True,
        low=1,
        high=1024,
        example="16",
    )
    learning_rate: float = knob(
        0.001,
        "Learning rate",
        "Size of the training steps at the beginning; it falls to almost zero along a cosine.",
        "training",
        advanced=True,
        low=1e-6,
        high=0.1,
    )
    validation_fraction: float = knob(
        0.1,
        "Validation share",
        "Share of the images (of the area, if there is one image) kept out of training to watch it.",
        "training",
        advanced=True,
        low=0.01,
        high=0.5,
    )
    augment: bool = knob(
        True,
        "Flip and turn",
        "Show the network flipped and turned patches too; switch off if direction matters in your images.",
        "training",
        advanced=True,
    )
    network_depth: int = knob(
        2,
        "Network depth",
        "How often the network halves the image; deeper networks see further and train more slowly.",
        "training",
        advanced=True,
        low=1,
        high=5,
    )
    network_width: int | None = knob(
        None,
        "Network width",
        "Filters in the network's first layer; wider networks can learn more and train more slowly.",
        "training",
        advanced=True,
        low=4,
        high=256,
        example="32",
    )
    kernel_size: int = knob(
        3,
        "Kernel size",
        "Size of the network's filters.",
        "training",
        advanced=True,
        low=3,
        high=15,
        unit="pixels",
    )
    batch_norm: bool = knob(
        False,
        "Batch normalisation",
        "Steadies the training of deep networks; slower.",
        "training",
        advanced=True,
    )
    precision: str = knob(
        "auto",
        "Precision",
        "'mixed' computes in 16 bits while training, faster on newer GPUs; 'auto' does so there. Results are float32.",
        "training",
        advanced=True,
        choices=("auto", "float32", "mixed"),
    )
    seed: int = knob(
        1,
        "Seed",
        "The same seed and number of steps give the same result.",
        "training",
        advanced=True,
        low=0,
        high=2_000_000,
    )

    def problems(self):
        """See :meth:`Settings.problems`; adds what depends on two settings."""
        found = super().problems()
        if self.kernel_size % 2 == 0 and "kernel_size" not in found:
            found["kernel_size"] = f"kernel_size is {self.kernel_size}; it must be odd: use {self.kernel_size + 1}"
        if self.network_depth > 2 and "network_depth" not in found:
            about = dataclasses.replace(self.knobs()["patch_size"], multiple=2**self.network_depth)
            words = problem(about, "patch_size", self.patch_size)
            if words:
                found["patch_size"] = f"With network_depth {self.network_depth}, {words}"
        return found
