"""Settings of quality control."""

from dataclasses import dataclass

from ..knobs import Settings, knob


@dataclass
class QualitySettings(Settings):
    """What is judged, by what, and what is made of it."""

    what: str = knob(
        "restored",
        "What to judge",
        "'restored': denoised or otherwise restored images; 'labels': segmented images, from any program.",
        "data",
        choices=("restored", "labels"),
    )
    prediction: str = knob(
        "",
        "Results",
        "Folder with the images or label images that are to be judged; leave it empty to try the built-in sample.",
        "data",
        example="/content/drive/MyDrive/my_results",
    )
    truth: str = knob(
        "",
        "Truth",
        "Folder with clean images, or with masks, of the same names; restored images can be judged without it.",
        "data",
        example="/content/drive/MyDrive/my_truth",
    )
    raw: str = knob(
        "",
        "Raw images (optional)",
        "Folder with the images as they were: to see the gain, and to draw labels on.",
        "data",
        example="/content/drive/MyDrive/my_images",
    )
    model: str = knob(
        "",
        "Model (optional)",
        "Run folder of the model that found the labels: you are warned of images that it was trained with.",
        "data",
        advanced=True,
        example="/content/drive/MyDrive/n2seg/n2seg_runs/segment",
    )
    axes: str = knob(
        "auto",
        "Axes",
        "What each dimension of the images means, slowest first: T time, Z depth, C channel, Y height, X width.",
        "data",
        advanced=True,
        example="TYX",
    )
    run: str = knob(
        "n2seg_runs/quality",
        "Result folder",
        "Folder in which scores, pictures and the report are kept; created for you.",
        "training",
    )
    filters: bool = knob(
        True,
        "Compare with simple filters",
        "Also filter the raw images without a network: is the result better than a Gaussian blur?",
        "training",
    )
    maps: bool = knob(
        True,
        "Save maps",
        "Save, for each image, where it differs from the truth and how similar the structure is, as TIFF.",
        "training",
    )
    figures: int = knob(
        3,
        "Pictures",
        "Images that are drawn, the worst first.",
        "training",
        advanced=True,
        low=0,
        high=1000,
    )
    kind: str = knob(
        "auto",
        "What labels show",
        "'instances': each object has a number; 'classes': each number is a class; 'binary': foreground or not.",
        "training",
        advanced=True,
        choices=("auto", "binary", "classes", "instances"),
    )
    dimensions: str = knob(
        "auto",
        "2D or 3D",
        "Whether objects of stacks are compared plane by plane (2d) or as volumes (3d); 'auto' decides by the images.",
        "training",
        advanced=True,
        choices=("auto", "2d", "3d"),
    )
