"""Which settings go with images that nobody drew anything for."""


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
