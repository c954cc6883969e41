"""Settings of segmentation that other projects for nuclei brought: another way down, another way to vary patches."""

from dataclasses import dataclass

from ..knobs import knob


@dataclass
class EncoderSettings:
    """What the network begins with, and which policy changes its patches."""

    augmentation: str = knob(
        "usual",
        "How patches are varied",
        "'usual': as the two settings of it say. 'nih': strong changes of contrast, noise and blur, made for nuclei.",
        "training",
        advanced=True,
        choices=("usual", "nih"),
    )
    encoder: str = knob(
        "none",
        "Encoder",
        "The network's way down (2D): our own ('none'), or one of Keras that may know photographs already.",
        "training",
        advanced=True,
        choices=("none", "mobilenet_v2"),
    )
    encoder_weights: str = knob(
        "none",
        "Encoder begins with",
        "What the encoder knows in the beginning: nothing, or photographs ('imagenet', 9 MB are downloaded once).",
        "training",
        advanced=True,
        choices=("none", "imagenet"),
    )

    @property
    def starts_trained(self):
        """See :attr:`AnnotatedSettings.starts_trained`; the encoder alone can be kept as it is, too."""
        return super().starts_trained or (self.encoder_weights != "none" and self.freeze == "encoder")


def wrong_with_encoder(settings):
    """What speaks against the encoder of some settings: name of a setting -> (values that are allowed, words)."""
    found = {}
    if settings.encoder == "none":
        return {"encoder_weights": (("none",), "but there is no encoder: use none, or choose an encoder")}
    if settings.dimensions == "3d":
        found["encoder"] = (("none",), "which sees planes only: use none, or dimensions 2d")
    elif settings.labels == "teacher":
        found["encoder"] = (("none",), "but the student says what network it is: use none")
    if settings.pretrained:
        found["encoder_weights"] = (("none",), "but weights come from the model to start from: use none")
    return found
