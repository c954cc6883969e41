"""What the BioImage Model Zoo has done to images before a network and to its answers after it.

As bioimageio.core does it: statistics are those of the raw image, of one plane or volume at a time.
"""

import math

import numpy as np

from ..errors import UserError

_BAD = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Processing:
    """A scaling for :class:`~n2seg_utils.exchange.foreign.ForeignModel`.

    Parameters
    ----------
    before, after : list of dict
        Steps as a package describes them.
    axes : tuple of str
        Names of the axes of what goes in and comes out, without the batch: "z", "y", "x", "channel".
    inputs : str
        What the package calls its input.
    path : path
        The package, for messages.

    Raises
    ------
    UserError
        For a step that is unknown, or runs code.
    """

    def __init__(self, before, after, axes, inputs, path):
        self.before = [_step(one, axes, inputs, path) for one in before or []]
        self.after = [_step(one, axes, inputs, path) for one in after or []]
        self.raw = None

    def for_image(self, image):
        """The same for all images."""
        return self

    def apply(self, pixels):
        """Grey values of a whole frame -> what the network sees, float32."""
        self.raw = raw = np.asarray(pixels, "float32")
        values = raw
        for step in self.before:
            values = step(values, raw, raw)
        return np.asarray(values, "float32")

    def undo(self, answer):
        """What the network says -> what the package gives."""
        values = answer
        for step in self.after:
            values = step(values, answer, self.raw)
        return np.asarray(values, "float32")

    def require_fit(self, dims, channels, outputs, path):
        """Raise a UserError if the numbers of a step are not for so many channels that go in and come out."""
        image, answer = (
            np.linspace(1, 2, 4**dims * count).reshape((4,) * dims + (count,)) for count in (channels, outputs)
        )
        try:
            fits = self.apply(image).shape == image.shape and self.undo(answer).shape == answer.shape
        except ValueError:
            fits = False
        if not fits:
            raise UserError(f"{path} has steps for another number of channels than its network. Download it again")

    @property
    def kinds(self):
        """Names of the steps after the network."""
        return [step.kind for step in self.after]


def _step(described, axes, inputs, path):
    """A function ``(values, own, image)``: `own` is the tensor before any step, `image` the raw input."""
    name = described.get("id", described.get("name")) if isinstance(described, dict) else described
    if not isinstance(name, str) or name not in _STEPS:
        raise UserError(
            f"{path} asks for the step '{str(name)[:60]}', which is not known here or would run code. Use the software "
            "that it was made with"
        )
    try:
        step = _STEPS[name](_Arguments(described.get("kwargs") or {}, axes, inputs))
    except _BAD as error:
        raise UserError(f"{path} does not say clearly what the step '{name}' does. Download it again") from error
    step.kind = name
    return step


class _Arguments:
    """What a package says of one step."""

    def __init__(self, values, axes, inputs):
        self.values, self.axes, self.inputs = values, axes, inputs

    def number(self, name, default=None):
        value = self.values.get(name, default)
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(name)
        return value

    def numbers(self, name, default=None):
        """One number, or one for each place along an axis, laid along that axis."""
        value = np.asarray(self.values.get(name, default))
        if value.dtype.kind not in "if" or value.ndim > 1 or not np.isfinite(value).all():
            raise ValueError(name)
        if value.size == 1:
            return np.float32(value.item())
        shape = [1] * len(self.axes)
        shape[self.axes.index(self._name(self.values.get("axis", "channel")))] = -1
        return value.astype("float32").reshape(shape)

    def _name(self, axis):
        return {"c": "channel", "b": "batch"}.get(axis, axis)

    @property
    def across(self):
        """The axes over which statistics are taken, as numbers; all if the package names none, or a whole set."""
        named = self.values.get("axes")
        if named is None:
            return None
        named = [self._name(axis) for axis in named]
        return tuple(self.axes.index(axis) for axis in named if axis != "batch")

    @property
    def of_image(self):
        """Whether statistics are those of the image, not of the network's answer."""
        other = self.values.get("reference_tensor")
        if other not in (None, self.inputs):
            raise ValueError(other)
        return other is not None


def _clip(known):
    low, high = (None if known.values.get(name) is None else known.number(name) for name in ("min", "max"))
    shares = [known.values.get(name) for name in ("min_percentile", "max_percentile")]
    across = known.across

    def step(values, own, image):
        ends = [
            end if end is not None else None if share is None else _quantile(own, share, across, "inverted_cdf")
            for end, share in zip((low, high), shares)
        ]
        return np.clip(values, *ends)

    if any(share is not None and not 0 <= share <= 100 for share in shares) or (low, high, *shares) == (None,) * 4:
        raise ValueError("no limits")
    return step


def _quantile(values, share, across, method="linear"):
    return np.percentile(values, share, axis=across, keepdims=True, method=method).astype("float32")


def _scale_range(known):
    low, high = known.number("min_percentile", 0.0), known.number("max_percentile", 100.0)
    tiny, across, of_image = known.number("eps", 1e-6), known.across, known.of_image
    if not 0 <= low < high <= 100:
        raise ValueError("no range")

    def step(values, own, image):
        bottom, top = (_quantile(image if of_image else own, share, across) for share in (low, high))
        return (values - bottom) / (top - bottom + np.float32(tiny))

    return step


def _zero_mean(known):
    if known.values.get("mode") == "fixed":
        return _fixed_zero_mean(known)
    tiny, across = known.number("eps", 1e-6), known.across

    def step(values, own, image):
        mean, std = _moments(own, across)
        return (values - mean) / (std + np.float32(tiny))

    return step


def _moments(values, across):
    return (
        value.astype("float32")
        for value in (
            values.mean(axis=across, keepdims=True, dtype="float64"),
            values.std(axis=across, keepdims=True, dtype="float64"),
        )
    )


def _fixed_zero_mean(known):
    mean, std, tiny = known.numbers("mean"), known.numbers("std"), np.float32(1e-6)
    if not np.all(std > 0):
        raise ValueError("std")
    return lambda values, own, image: (values - mean) / (std + tiny)


def _scale_mean_variance(known):
    tiny, across, of_image = np.float32(known.number("eps", 1e-6)), known.across, known.of_image

    def step(values, own, image):
        mean, std = _moments(own, across)
        wanted_mean, wanted_std = _moments(image if of_image else own, across)
        return (values - mean) / (std + tiny) * (wanted_std + tiny) + wanted_mean

    return step


def _scale_linear(known):
    gain, offset = known.numbers("gain", 1.0), known.numbers("offset", 0.0)
    return lambda values, own, image: values * gain + offset


def _binarize(known):
    threshold = known.numbers("threshold")
    return lambda values, own, image: (values > threshold).astype("float32")


def _sigmoid(known):
    return lambda values, own, image: 1 / (1 + np.exp(-values))


def _softmax(known):
    place = known.axes.index(known._name(known.values.get("axis", "channel")))

    def step(values, own, image):
        found = np.exp(values - values.max(axis=place, keepdims=True))
        return found / found.sum(axis=place, keepdims=True)

    return step


def _ensure_dtype(known):
    dtype = np.dtype(known.values["dtype"])
    if dtype.kind not in "uifb":
        raise ValueError(dtype)
    return lambda values, own, image: values.astype(dtype)


_STEPS = {
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _ensure_dtype,
    "fixed_zero_mean_unit_variance": _fixed_zero_mean,
    "scale_linear": _scale_linear,
    "scale_mean_variance": _scale_mean_variance,
    "scale_range": _scale_range,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean,
}
