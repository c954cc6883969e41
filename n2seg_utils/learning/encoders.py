"""Ways down of a U-Net that Keras has, with weights learned from photographs where these are asked for."""

from dataclasses import dataclass

import keras
from keras import layers

from ..errors import UserError

NONE = "none"


@dataclass(frozen=True)
class Encoder:
    """A network of ``keras.applications`` that sees every pixel's surroundings only, so that images can be tiled.

    Attributes
    ----------
    builder : str
        What Keras calls it.
    features : tuple of str
        The layers whose values go up again, one for each time that the image was halved.
    convolutions : tuple of int
        How many convolutions of 3 pixels lead to each of these, beside the one that halves.
    scale, offset : float
        What grey values of 0 to 1 are multiplied by, and what is added, to become what it was trained with.
    """

    builder: str
    features: tuple
    convolutions: tuple
    scale: float
    offset: float


# Not EfficientNet or MobileNetV3: they weigh channels by their mean over the whole image, which a tile does not know.
ENCODERS = {
    "mobilenet_v2": Encoder(
        "MobileNetV2",
        (*(f"block_{number}_expand_relu" for number in (1, 3, 6, 13)), "out_relu"),
        (1, 1, 2, 6, 3),
        2.0,
        -1.0,
    )
}


def require_able(architecture):
    """Raise a ValueError if a network of this architecture cannot be made."""
    a = architecture
    if a.encoder not in (NONE, *ENCODERS):
        raise ValueError(f"encoder must be one of {', '.join((NONE, *ENCODERS))}")
    if a.encoder == NONE:
        return
    if a.dims != 2 or a.in_turn or a.blur_pool or not (a.together or a.channels == 1):
        raise ValueError("an encoder of Keras is for one network in 2D that sees all channels, without blur")
    if not 1 <= a.depth <= len(ENCODERS[a.encoder].features):
        raise ValueError(f"depth is {a.depth}; with this encoder it is 1 to {len(ENCODERS[a.encoder].features)}")


def way_down(image, name, depth):
    """The values of an encoder at half, a quarter ... of the size of the image.

    Parameters
    ----------
    image : KerasTensor (B, Y, X, C)
        Scaled to about 0 to 1. One channel becomes three alike; of two, or more than three, mixtures are learned.
    name : str
        Of ``ENCODERS``.
    depth : int
        How often the image is halved.

    Returns
    -------
    list of KerasTensor
        One for each time.
    """
    about, channels = ENCODERS[name], image.shape[-1]
    if channels == 1:
        image = layers.Concatenate()([image] * 3)
    elif channels != 3:
        image = layers.Conv2D(3, 1, name="colours")(image)
    image = layers.Rescaling(about.scale, offset=about.offset)(image)
    encoder = getattr(keras.applications, about.builder)(input_tensor=image, include_top=False, weights=None)
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # of 0.999 the means would be those of the beginning after hundreds of steps
    return [encoder.get_layer(feature).output for feature in about.features[:depth]]


def reach_of(name, depth):
    """Pixels that an encoder's last values look at, beyond what halving by merging two pixels would."""
    # A filter of 3 pixels that steps by 2 looks at one pixel more than the two that it stands for.
    steps = sum(2**level for level in range(depth))
    return steps + sum(count * 2**level for level, count in enumerate(ENCODERS[name].convolutions[:depth], 1))


def fetch(name):
    """The weights that an encoder learned from ImageNet, downloaded by Keras unless it has them already.

    Returns
    -------
    dict
        Name of a layer -> its arrays.

    Raises
    ------
    UserError
        Without a connection, or when what came is not what it should be.
    """
    try:
        network = getattr(keras.applications, ENCODERS[name].builder)(
            input_shape=(224, 224, 3), include_top=False, weights="imagenet"
        )
    except Exception as error:  # Keras raises a plain Exception where it cannot download
        why = "".join(str(error).splitlines()[:1]).rstrip(".")
        raise UserError(
            f"Could not get the weights of {name}: {why}. Check the connection to the "
            "internet and try again, or use encoder_weights none. If a file was cut short, delete it from "
            ".keras/models in your home folder"
        ) from error
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


def put(network, stored):
    """Give the layers of a network the arrays of the same name; returns the names of those that got some."""
    names = [layer.name for layer in network.layers if layer.name in stored]
    for name in names:
        network.get_layer(name).set_weights(stored[name])
    return names
