"""Settings for images that nobody drew anything for, and which others go with them."""

from dataclasses import dataclass

from ..knobs import knob


@dataclass
class UnlabelledSettings:
    """How a first guess is made, and learned from."""

    blur: float | None = knob(
        None,
        "Blur of the first guess",
        "Without labels, the blur before the threshold, and before the network; left open, it is found by the noise.",
        "training",
        advanced=True,
        low=0,
        high=20,
        unit="pixels",
        example="2",
    )
    structures: str = knob(
        "auto",
        "What structures look like",
        "Without labels: thin 'lines', such as filaments, or 'areas', such as nuclei; 'auto' looks at the first guess.",
        "training",
        advanced=True,
        choices=("auto", "lines", "areas"),
    )


def wrong_without_labels():
    """What does not go with labels none: name of a setting -> (values that are allowed, words)."""
    return {
        "masks": (("",), "but with labels none there are no masks: leave it empty, or use labels noisy"),
        "target": (("auto", "binary"), "which must be binary with labels none: use binary"),
        "loss": (("both", "cross_entropy"), "which believes in a first guess: use cross_entropy"),
        "pretrained": (("",), "but without labels training begins with a first guess: leave it empty"),
    }


def wrong_with_labels(settings):
    """What is for labels none only: name of a setting -> (values that are allowed, words)."""
    usual = type(settings)()
    return {
        "blur": ((usual.blur,), "which is for labels none: leave it open"),
        "structures": ((usual.structures,), f"which is for labels none: use {usual.structures}"),
    }
