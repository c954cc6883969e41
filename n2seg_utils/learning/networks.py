"""The U-Nets that csbdeep and n2v build, from stock Keras layers, in 2D and 3D."""

import operator
from dataclasses import dataclass, replace

import numpy as np
from keras import Model, layers

from ..data.smoothing import means
from . import encoders

# Far beyond any network in use, and small enough to be counted: files of strangers may ask for anything.
_RANGES = {
    "dims": (2, 3), "channels": (1, 1024), "outputs": (1, 1024), "depth": (0, 8), "width": (1, 1024),
    "kernel_size": (1, 31), "pool_z": (1, 2),
}  # fmt: skip
# By name only: Keras makes objects of any class from what is no text.
_ACTIVATIONS = ("linear", "relu", "sigmoid", "softmax", "softplus", "tanh", "elu")
# What layers of two networks in turn are called by, as those of networks apart are.
FIRST, SECOND = "channel_0", "channel_1"
_SMOOTHEST = 20.0  # pixels
_BINOMIAL = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build a U-Net, and to know how far it looks.

    Attributes
    ----------
    dims : int
        2 for planes (Y, X), 3 for volumes (Z, Y, X).
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
    together : bool
        One network that sees all channels, else one network a channel that sees nothing but its own.
    narrow_decoder : bool
        Give the first convolution of each level on the way up `width` filters, as n2v does; csbdeep doubles them.
    blur_pool : bool
        Blur before thinning out (Zhang, ICML 2019), as N2V2 does.
    even : bool
        Give both convolutions of a level as many filters, in the middle and on the way up too, as the first U-Net did;
        csbdeep halves them in the second.
    bilinear : bool
        Interpolate between pixels on the way up, in 2D; else repeat them.
    top_skip : bool
        Have a skip connection at full resolution; N2V2 has none.
    dropout : float
        Share of the values after each convolution that training sets to zero, as csbdeep does.
    residual : bool
        Add the input to the output.
    last_activation : str
    pool_z : int
        How many planes of a volume a pooling merges: 2, or 1 where planes are far apart.
    sees : int or None
        With networks apart: the one channel that all of them see. Old n2v models have this defect.
    in_turn : bool
        Two networks, one after the other: the first gives `channels` outputs, without batch normalisation or dropout;
        the second sees nothing but these, and gives the others.
    smooth : float
        Sigma, in pixels, of a blur that an image goes through before all else, in its planes: three running means.
    encoder : str
        Name of a network of Keras that is the way down, in 2D; see :mod:`~n2seg_utils.learning.encoders`. Two
        convolutions at full resolution are beside it, and the way up is ours. "none": our own way down.
    """

    dims: int = 2
    channels: int = 1
    outputs: int | None = None
    depth: int = 2
    width: int = 32
    kernel_size: int = 3
    batch_norm: bool = False
    together: bool = True
    narrow_decoder: bool = False
    even: bool = False
    bilinear: bool = False
    blur_pool: bool = False
    top_skip: bool = True
    dropout: float = 0.0
    residual: bool = False
    last_activation: str = "linear"
    pool_z: int = 2
    sees: int | None = None
    in_turn: bool = False
    smooth: float = 0.0
    encoder: str = encoders.NONE

    def __post_init__(self):
        for name, (low, high) in _RANGES.items():
            value = 1 if name == "outputs" and self.outputs is None else getattr(self, name)
            if not low <= operator.index(value) <= high:
                raise ValueError(f"{name} is {value}; it must be between {low} and {high}")
        if not 0 <= self.smooth <= _SMOOTHEST:
            raise ValueError(f"smooth is {self.smooth}; it must be between 0 and {_SMOOTHEST}")
        if self.bilinear and self.dims == 3:
            raise ValueError("bilinear is for networks in 2D: Keras has no such layer in 3D")
        if self.last_activation not in _ACTIVATIONS:
            raise ValueError(f"last_activation must be one of {', '.join(_ACTIVATIONS)}")
        encoders.require_able(self)

    @property
    def least_weights(self):
        """Weights of the first and of the deepest convolution, known without making the network; it has more."""
        before = self.width * 2 ** (self.depth - 1) if self.depth else self.width
        pairs = (self.channels if self.together else 1) * self.width + before * self.width * 2**self.depth
        return self.kernel_size**self.dims * pairs * (1 if self.together else self.channels)

    @property
    def pool(self):
        """Pixels that one pooling merges along each axis."""
        return (self.pool_z, 2, 2)[-self.dims :]

    @property
    def block(self):
        """What the size of an input must be a multiple of, along each axis."""
        return tuple(size**self.depth for size in self.pool)

    @property
    def reach(self):
        """Pixels that an output pixel looks at in each direction, along each axis."""
        first = [sum(size // 2 for size in means(self.smooth)) if axis != "Z" else 0 for axis in "ZYX"[-self.dims :]]
        return tuple(self._reach(size) * (2 if self.in_turn else 1) + more for size, more in zip(self.pool, first))

    def _reach(self, pool):
        # Sums how far each layer reaches, in pixels of its level: two convolutions down, two up, and what pooling and
        # upsampling together shift a pixel by. A pooling with blur looks at four pixels in place of two.
        half = self.kernel_size // 2
        shift = 0 if pool == 1 else (3 if self.blur_pool else 1) + self.bilinear
        if self.encoder != encoders.NONE:  # two convolutions a level, those on the way up
            levels = sum((2 * half + shift) * 2**level for level in range(self.depth))
            return levels + encoders.reach_of(self.encoder, self.depth) + 2 * half * 2**self.depth
        levels = sum((4 * half + shift) * pool**level for level in range(self.depth))
        return levels + 2 * half * pool**self.depth


def unet(architecture, name="unet"):
    """A U-Net for images of any size divisible by ``architecture.block``.

    Weight for weight the network of csbdeep's ``custom_unet`` or, with `narrow_decoder`, of n2v's ``build_unet``
    (N2V2 included), so that they load each other's weights: two convolutions a level, ReLU, max pooling, nearest
    upsampling, skip connections, and a linear convolution of one pixel at the end. They build none that is `even` or
    `bilinear`.

    Parameters
    ----------
    architecture : Architecture

    Returns
    -------
    keras.Model
        (B, Y, X, channels) -> (B, Y, X, outputs), with Z before Y in 3D. Layers and weights are made channel by
        channel, from the top down and up again.

    References
    ----------
    Ronneberger, Fischer, Brox: U-Net. MICCAI 2015. Weigert et al.: Content-aware image restoration. Nat Methods 2018.
    Höck et al.: N2V2 - Fixing Noise2Void Checkerboard Artifacts. ECCV Workshops 2022.
    """
    a = architecture
    image = layers.Input((None,) * a.dims + (a.channels,), name="input")
    answer = _answer(smooth(image, a.smooth), a)
    if a.residual:
        answer = layers.Add()([answer, image])
    if a.last_activation != "linear":
        answer = layers.Activation(a.last_activation)(answer)
    return Model(image, answer, name=name)


def _answer(image, a):
    if a.in_turn:
        first = _branch(image, replace(a, batch_norm=False, dropout=0.0), FIRST, a.channels)
        return layers.Concatenate()([first, _branch(first, a, SECOND, a.outputs - a.channels)])
    if a.together or a.channels == 1:
        return _branch(image, a, "", a.outputs or a.channels)
    seen = range(a.channels) if a.sees is None else [a.sees % a.channels] * a.channels
    return layers.Concatenate()([_branch(image[..., c : c + 1], a, f"channel_{n}", 1) for n, c in enumerate(seen)])


def in_turn(network):
    """The two networks that follow each other in one.

    Parameters
    ----------
    network : keras.Model
        Of an architecture with `in_turn`, or a copy of one.

    Returns
    -------
    first, second : keras.Model
        With the same layers. What comes out of the first goes into the second.
    """
    between = network.get_layer(f"{FIRST}output").output
    return Model(network.inputs[0], between), Model(between, network.get_layer(f"{SECOND}output").output)


def _branch(x, a, prefix, outputs):
    convolution = layers.Conv2D if a.dims == 2 else layers.Conv3D
    upsampling = layers.UpSampling2D if a.dims == 2 else layers.UpSampling3D
    less = 0 if a.even else 1  # levels by which the second convolution is narrower

    def convolve(x, filters, label):
        if a.batch_norm:
            x = convolution(filters, a.kernel_size, padding="same", name=prefix + label)(x)
            # Keras' momentum of 0.99 would follow the weights too slowly for a training of a few hundred steps.
            x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
        else:
            x = convolution(filters, a.kernel_size, padding="same", activation="relu", name=prefix + label)(x)
        return layers.Dropout(a.dropout)(x) if a.dropout else x

    skips, image, own = [], x, a.encoder == encoders.NONE
    for level in range(a.depth if own else 1):
        for number in range(2):
            x = convolve(x, a.width * 2**level, f"down_level_{level}_no_{number}")
        skips.append(x)
        x = _pool(x, a, f"{prefix}max_{level}") if own else x
    if not own:
        *halved, x = encoders.way_down(image, a.encoder, a.depth)
        skips += halved
    x = convolve(x, a.width * 2**a.depth, "middle_0")
    x = convolve(x, a.width * 2 ** max(0, a.depth - less), "middle_2")
    for level in reversed(range(a.depth)):
        x = upsampling(a.pool)(x)
        x = _smoothed(x) if a.bilinear else x
        if a.top_skip or level > 0:
            x = layers.Concatenate()([x, skips[level]])
        # n2v widens its decoder where it leaves out the top skip.
        wide = not a.narrow_decoder or (not a.top_skip and level > 0)
        x = convolve(x, a.width * 2**level if wide else a.width, f"up_level_{level}_no_0")
        x = convolve(x, a.width * 2 ** max(0, level - less), f"up_level_{level}_no_2")
    return convolution(outputs, 1, name=f"{prefix}output")(x)


def smooth(x, sigma):
    """Planes of a symbolic batch of images, blurred as :func:`~n2seg_utils.data.smoothing.smoothed` does."""
    dims = len(x.shape) - 2
    pooling = layers.AveragePooling2D if dims == 2 else layers.AveragePooling3D
    for size in means(sigma):
        if size > 1:
            x = pooling((1, size, size)[-dims:], strides=1, padding="same")(x)
    return x


def _smoothed(x):
    """What nearest upsampling made, as bilinear upsampling makes it, at margins too.

    Keras' own bilinear layer cannot be exported for images of any size (Keras 3.15).
    """
    for size in ((3, 1), (1, 3)):
        mean = layers.AveragePooling2D(size, strides=1, padding="same")(x)
        x = layers.Average()([mean, mean, mean, x])  # 1 2 1, where two of the three pixels are one
    return x


def _pool(x, a, label):
    if a.dims == 2 and a.blur_pool:
        x = layers.MaxPooling2D(2, strides=1, padding="same", name=f"{label}_dense")(x)
        blur = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, trainable=False, name=label)
        x = blur(x)
        blur.set_weights([np.broadcast_to(_BINOMIAL[..., None, None], blur.kernel.shape)])
        return x
    if a.dims == 2:
        return layers.MaxPooling2D(2, name=label)(x)
    if not a.blur_pool:
        return layers.MaxPooling3D(a.pool, name=label)(x)
    # Two means of two pixels are the binomial filter 1 2 1; Keras has no depthwise convolution in 3D.
    x = layers.MaxPooling3D(a.pool, strides=1, padding="same", name=f"{label}_dense")(x)
    x = layers.AveragePooling3D(a.pool, strides=1, padding="same", name=f"{label}_blur")(x)
    return layers.AveragePooling3D(a.pool, name=label)(x)
