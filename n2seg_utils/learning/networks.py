"""The U-Net that csbdeep and n2v build, from stock Keras layers."""

from keras import Model, layers


def unet(channels, outputs=None, depth=2, width=32, kernel_size=3, batch_norm=False, narrow_decoder=False, name="unet"):
    """A 2D U-Net for images of any size divisible by ``2 ** depth``.

    Weight for weight the network of csbdeep's ``custom_unet`` or, with `narrow_decoder`, of n2v's ``build_unet``, so
    that they load each other's weights: two convolutions a level, ReLU, max pooling, nearest upsampling, skip
    connections, and a linear 1 x 1 convolution at the end.

    Parameters
    ----------
    channels, outputs : int
        Input and output channels; outputs default to channels.
    depth : int
        Number of poolings.
    width : int
        Filters of the first level, doubled after each pooling.
    kernel_size : int
        Odd size of the convolutions.
    batch_norm : bool
        Normalise after each convolution.
    narrow_decoder : bool
        Give the first convolution of each level on the way up `width` filters, as n2v does; csbdeep doubles them.

    Returns
    -------
    keras.Model
        (B, Y, X, channels) -> (B, Y, X, outputs)

    References
    ----------
    Ronneberger, Fischer, Brox: U-Net. MICCAI 2015. Weigert et al.: Content-aware image restoration. Nat Methods 2018.
    """

    def convolve(x, filters, label):
        if not batch_norm:
            return layers.Conv2D(filters, kernel_size, padding="same", activation="relu", name=label)(x)
        x = layers.Conv2D(filters, kernel_size, padding="same", name=label)(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    image = layers.Input((None, None, channels), name="input")
    x, skips = image, []
    for level in range(depth):
        for number in range(2):
            x = convolve(x, width * 2**level, f"down_level_{level}_no_{number}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"max_{level}")(x)
    x = convolve(x, width * 2**depth, "middle_0")
    x = convolve(x, width * 2 ** max(0, depth - 1), "middle_2")
    for level in reversed(range(depth)):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skips[level]])
        x = convolve(x, width if narrow_decoder else width * 2**level, f"up_level_{level}_no_0")
        x = convolve(x, width * 2 ** max(0, level - 1), f"up_level_{level}_no_2")
    x = layers.Conv2D(outputs or channels, 1, name="output")(x)
    return Model(image, x, name=name)


def receptive_radius(depth, kernel_size):
    """Pixels that a tile must overlap its neighbour by, so that no output pixel knows that it was tiled.

    Sums, over all layers of :func:`unet`, how far a layer reaches, in pixels of its level.
    """
    reach = kernel_size // 2
    levels = sum((2 + 2) * reach * 2**level + 2**level for level in range(depth))
    return levels + 2 * reach * 2**depth
