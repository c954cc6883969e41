"""What a file says of one layer: numbers and known words, each checked for being what it should."""

import math

_ACTIVATIONS = (
    "linear", "relu", "relu6", "sigmoid", "hard_sigmoid", "softmax", "softplus", "softsign", "tanh", "elu", "selu",
    "gelu", "swish", "silu", "mish", "leaky_relu", "exponential",
)  # fmt: skip
_LARGEST = 63  # of filters and steps


class UnknownLayerError(Exception):
    """A layer that is not made; says which, in words."""


class LayerWords:
    """What a file says of one layer; raises a ValueError for what is not what it should be.

    Parameters
    ----------
    values : dict
    """

    def __init__(self, values):
        self.values = values

    def whole(self, name, most=_LARGEST, default=None):
        value = self.values.get(name, default)
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"{name} is {value}")
        return value

    def each(self, name, dims, default=None, least=1):
        """One whole number an axis."""
        value = self.values.get(name, default)
        value = [value] * dims if type(value) is int else value
        if not (isinstance(value, list | tuple) and len(value) == dims):
            raise ValueError(f"{name} is {value}")
        if not all(type(one) is int and least <= one <= _LARGEST for one in value):
            raise ValueError(f"{name} is {value}")
        return tuple(value)

    def ends(self, name, dims):
        """Two whole numbers an axis."""
        value = self.values[name]
        value = [value] * dims if type(value) is int else value
        pairs = [(one, one) if type(one) is int else tuple(one) for one in value]
        if len(pairs) != dims or not all(type(n) is int and 0 <= n <= _LARGEST for p in pairs for n in p):
            raise ValueError(f"{name} is {value}")
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"{name} is {value}")
        return tuple(pairs)

    def number(self, name, default):
        value = self.values.get(name, default)
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise ValueError(f"{name} is {value}")
        return value

    def yes(self, name, default=True):
        value = self.values.get(name, default)
        if type(value) is not bool:
            raise ValueError(f"{name} is {value}")
        return value

    def word(self, name, known, default=None):
        value = self.values.get(name, default)
        if not isinstance(value, str) or value not in known:
            raise UnknownLayerError(f"the {name} {str(value)[:60]}")
        return value

    def last(self, dims):
        """Refuse to work along another axis than that of the channels."""
        axis = self.values.get("axis", -1)
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if axis not in (-1, dims + 1) or type(axis) is not int:
            raise UnknownLayerError("a layer that works across pixels")

    def same(self, default="valid"):
        return self.word("padding", ("same", "valid"), default) == "same"

    def activation(self):
        return "linear" if self.values.get("activation") is None else self.word("activation", _ACTIVATIONS)
