"""The layers that a network from elsewhere may have: made anew from plain numbers and words, never from what a file
says is code."""

from dataclasses import dataclass

import numpy as np
from keras import layers

from .layer_words import LayerWords, UnknownLayerError
from .reach import Values


@dataclass(frozen=True)
class Stock:
    """One layer of a network.

    Attributes
    ----------
    layer : keras.Layer or None
        None does nothing when images are predicted, such as dropout.
    values : Values
        What comes out of it.
    shapes : tuple
        Of its weights.
    """

    layer: object
    values: Values
    shapes: tuple = ()


def stock_layer(kind, config, inputs):
    """A layer as a file describes it.

    Parameters
    ----------
    kind : str
        The name of its class.
    config : dict
    inputs : list of Values

    Returns
    -------
    Stock

    Raises
    ------
    UnknownLayerError
        If it is none that we make.
    """
    make = _MAKERS.get(kind)
    if make is None:
        raise UnknownLayerError(f"a layer of the kind {str(kind)[:60]}")
    if config.get("data_format") not in (None, "channels_last"):
        raise UnknownLayerError("channels before the pixels")
    try:
        return make(LayerWords(config), inputs)
    except NotImplementedError as error:
        raise UnknownLayerError(str(error)) from error


def _only(inputs, dims=None):
    [one] = inputs
    if dims and len(one.axes) != dims:
        raise ValueError("a layer of other dimensions")
    return one


def _folding(dims):
    """Convolutions and poolings: how their filter and step are said."""

    def read(config, kernel="kernel_size", strides=1):
        size = config.each(kernel, dims)
        return size, config.each("strides", dims, size if strides is None else strides)

    return read


def _convolution(dims):
    maker, read = {2: layers.Conv2D, 3: layers.Conv3D}[dims], _folding(dims)

    def make(config, inputs):
        seen, (size, steps) = _only(inputs, dims), read(config)
        filters, groups = config.whole("filters", 2**14), config.whole("groups", 2**14, 1)
        spread, bias, same = config.each("dilation_rate", dims, 1), config.yes("use_bias"), config.same()
        layer = maker(
            filters, size, steps, "same" if same else "valid", dilation_rate=spread, groups=groups,
            activation=config.activation(), use_bias=bias,
        )  # fmt: skip
        if seen.channels % groups:
            raise ValueError("groups that do not part the channels")
        shapes = ((*size, seen.channels // groups, filters), (filters,))
        return Stock(
            layer, seen.along("convolved", size, steps, spread, channels=filters, same=same), shapes[: 1 + bias]
        )

    return make


def _transposed(dims):
    maker, read = {2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}[dims], _folding(dims)

    def make(config, inputs):
        seen, (size, steps) = _only(inputs, dims), read(config)
        filters, bias, same = config.whole("filters", 2**14), config.yes("use_bias"), config.same()
        if config.values.get("output_padding") is not None or set(config.each("dilation_rate", dims, 1)) != {1}:
            raise UnknownLayerError("a transposed convolution with gaps")
        layer = maker(filters, size, steps, "same" if same else "valid", activation=config.activation(), use_bias=bias)
        shapes = ((*size, filters, seen.channels), (filters,))
        return Stock(layer, seen.along("unfolded", size, steps, channels=filters, same=same), shapes[: 1 + bias])

    return make


def _by_channel(kind):
    """Depthwise and separable convolutions."""

    def make(config, inputs):
        seen, (size, steps) = _only(inputs, 2), _folding(2)(config)
        many, bias, same = config.whole("depth_multiplier", 64, 1), config.yes("use_bias"), config.same()
        spread = config.each("dilation_rate", 2, 1)
        options = {
            "strides": steps, "padding": "same" if same else "valid", "depth_multiplier": many,
            "dilation_rate": spread, "activation": config.activation(), "use_bias": bias,
        }  # fmt: skip
        inner = seen.channels * many
        shapes = [(*size, seen.channels, many)]
        if kind is layers.SeparableConv2D:
            filters = config.whole("filters", 2**14)
            layer, shapes = kind(filters, size, **options), [*shapes, (1, 1, inner, filters)]
        else:
            layer, filters = kind(size, **options), inner
        shapes += [(filters,)] * bias
        return Stock(layer, seen.along("convolved", size, steps, spread, channels=filters, same=same), tuple(shapes))

    return make


def _pooling(kind, dims):
    def make(config, inputs):
        seen, (size, steps) = _only(inputs, dims), _folding(dims)(config, "pool_size", None)
        same = config.same()
        values = seen.along("convolved", size, steps, same=same)
        return Stock(kind(size, steps, "same" if same else "valid"), values)

    return make


def _upsampling(kind, dims):
    def make(config, inputs):
        seen, size = _only(inputs, dims), config.each("size", dims, 2)
        way = config.word("interpolation", ("nearest", "bilinear"), "nearest")
        layer = kind(size, interpolation=way) if dims == 2 else kind(size)
        return Stock(layer, seen.along("upsampled", size, smooth=way == "bilinear"))

    return make


def _margins(kind, dims, name, sign):
    def make(config, inputs):
        seen, ends = _only(inputs, dims), config.ends(name, dims)
        before, after = ([sign * pair[side] for pair in ends] for side in (0, 1))
        return Stock(kind(ends), seen.along("padded", before, after))

    return make


def _batch_norm(config, inputs):
    seen = _only(inputs)
    config.last(len(seen.axes))
    centre, scale = config.yes("center"), config.yes("scale")
    layer = layers.BatchNormalization(epsilon=config.number("epsilon", 1e-3), center=centre, scale=scale)
    return Stock(layer, seen, ((seen.channels,),) * (2 + centre + scale))


def _rescaling(config, inputs):
    seen, numbers = _only(inputs), []
    for name, default in (("scale", None), ("offset", 0.0)):
        value = np.asarray(config.values.get(name, default))
        if value.dtype.kind not in "if" or value.shape not in ((), (seen.channels,)) or not np.isfinite(value).all():
            raise ValueError(f"{name} is {value}")
        numbers.append(value.tolist())
    return Stock(layers.Rescaling(*numbers), seen)


def _pixel_by_pixel(make):
    return lambda config, inputs: Stock(make(config), _only(inputs))


def _softmax(config, inputs):
    config.last(len(_only(inputs).axes))
    return Stock(layers.Softmax(), _only(inputs))


def _leaky(config):
    slope = config.number("negative_slope", config.number("alpha", 0.3))  # Keras 2 called it alpha
    return layers.LeakyReLU(negative_slope=slope)


def _relu(config):
    return layers.ReLU(
        config.number("max_value", None), config.number("negative_slope", 0), config.number("threshold", 0)
    )


def _joined(inputs):
    first, *others = inputs
    axes = first.axes
    for other in others:
        axes = tuple(one.joined(two) for one, two in zip(axes, other.axes, strict=True))
    return axes


def _concatenate(config, inputs):
    axes = _joined(inputs)
    config.last(len(axes))
    return Stock(layers.Concatenate() if len(inputs) > 1 else None, Values(sum(one.channels for one in inputs), axes))


def _merging(kind):
    def make(config, inputs):
        channels = {one.channels for one in inputs} - {1} or {1}
        if len(channels) > 1 or len(inputs) < 2:
            raise ValueError("channels that do not match")
        return Stock(kind(), Values(channels.pop(), _joined(inputs)))

    return make


def _nothing(config, inputs):
    return Stock(None, _only(inputs))


_MAKERS = {
    "Conv2D": _convolution(2),
    "Conv3D": _convolution(3),
    "Conv2DTranspose": _transposed(2),
    "Conv3DTranspose": _transposed(3),
    "DepthwiseConv2D": _by_channel(layers.DepthwiseConv2D),
    "SeparableConv2D": _by_channel(layers.SeparableConv2D),
    "MaxPooling2D": _pooling(layers.MaxPooling2D, 2),
    "MaxPooling3D": _pooling(layers.MaxPooling3D, 3),
    "AveragePooling2D": _pooling(layers.AveragePooling2D, 2),
    "AveragePooling3D": _pooling(layers.AveragePooling3D, 3),
    "UpSampling2D": _upsampling(layers.UpSampling2D, 2),
    "UpSampling3D": _upsampling(layers.UpSampling3D, 3),
    "ZeroPadding2D": _margins(layers.ZeroPadding2D, 2, "padding", 1),
    "ZeroPadding3D": _margins(layers.ZeroPadding3D, 3, "padding", 1),
    "Cropping2D": _margins(layers.Cropping2D, 2, "cropping", -1),
    "Cropping3D": _margins(layers.Cropping3D, 3, "cropping", -1),
    "BatchNormalization": _batch_norm,
    "BatchNormalizationV1": _batch_norm,
    "BatchNormalizationV2": _batch_norm,
    "Rescaling": _rescaling,
    "Activation": _pixel_by_pixel(lambda config: layers.Activation(config.activation())),
    "ReLU": _pixel_by_pixel(_relu),
    "LeakyReLU": _pixel_by_pixel(_leaky),
    "ELU": _pixel_by_pixel(lambda config: layers.ELU(config.number("alpha", 1.0))),
    "Softmax": _softmax,
    "Concatenate": _concatenate,
    "Add": _merging(layers.Add),
    "Subtract": _merging(layers.Subtract),
    "Multiply": _merging(layers.Multiply),
    "Average": _merging(layers.Average),
    "Maximum": _merging(layers.Maximum),
    "Minimum": _merging(layers.Minimum),
    "Dropout": _nothing,
    "SpatialDropout2D": _nothing,
    "SpatialDropout3D": _nothing,
    "AlphaDropout": _nothing,
    "GaussianDropout": _nothing,
    "GaussianNoise": _nothing,
    "ActivityRegularization": _nothing,
}
