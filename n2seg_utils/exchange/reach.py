"""How far a network looks, and what the sizes of its images must be multiples of, worked out layer by layer."""

import math
from dataclasses import dataclass, replace

_LARGEST_BLOCK, _MOST_CHANNELS = 1024, 16_384


@dataclass(frozen=True)
class Along:
    """One axis of the values between two layers, in comparison with the image.

    Each value stands for a cell of `stride` pixels of the image.

    Attributes
    ----------
    stride : int
    left, right : int
        How many pixels before and after its cell a value depends on.
    before, after : int
        How many values there are in addition to those of the image, at its beginning and its end; negative if fewer.
    """

    stride: int = 1
    left: int = 0
    right: int = 0
    before: int = 0
    after: int = 0

    def convolved(self, kernel, stride=1, dilation=1, same=True):
        """Behind a convolution or a pooling."""
        spread = (kernel - 1) * dilation
        gone = max(0, spread + 1 - stride)
        back = gone // 2 if same or stride == 1 else 0
        if stride > 1:
            self._require_even()
            if not same and spread + 1 > stride:
                raise NotImplementedError("a step smaller than the filter, without padding")
        seen = replace(
            self,
            stride=_block(self.stride * stride),
            left=self.left + self.stride * back,
            right=self.right + self.stride * max(0, spread - back - (stride - 1)),
        )
        return seen if same or stride > 1 else seen.padded(-back, back - gone)

    def upsampled(self, times, smooth=False):
        """Behind an upsampling, which repeats values or interpolates between them."""
        fine, rest = divmod(self.stride, times)
        if rest:
            raise NotImplementedError("an image that grows")
        more = self.stride - fine + (self.stride if smooth else 0)
        return Along(fine, self.left + more, self.right + more, self.before * times, self.after * times)

    def unfolded(self, kernel, times, same=True):
        """Behind a transposed convolution."""
        if not same and kernel > times:
            raise NotImplementedError("a transposed convolution without padding")
        cut = max(0, kernel - times) // 2
        back = max(-math.ceil((place + cut - kernel + 1) / times) for place in range(times))
        ahead = max((place + cut) // times for place in range(times))
        wide = replace(
            self,
            left=self.left + self.stride * max(0, back),
            right=self.right + self.stride * max(0, ahead),
        )
        return wide.upsampled(times)

    def padded(self, before, after):
        """Behind a layer that adds values at the ends, or takes them away."""
        return replace(self, before=self.before + before, after=self.after + after)

    def joined(self, other):
        """Of two that are laid on each other."""
        if (self.stride, self.before, self.after) != (other.stride, other.before, other.after):
            raise NotImplementedError("values of different places that are joined")
        return replace(self, left=max(self.left, other.left), right=max(self.right, other.right))

    def _require_even(self):
        if self.before or self.after:
            raise NotImplementedError("an image that was padded before it is made smaller")


@dataclass(frozen=True)
class Values:
    """The values between two layers: how many channels, and what each stands for along each axis."""

    channels: int
    axes: tuple

    def __post_init__(self):
        if not 0 < self.channels <= _MOST_CHANNELS:
            raise ValueError(f"{self.channels} channels")

    def along(self, change, *arguments, channels=None, **options):
        """With `change`, a method of :class:`Along`, made on each axis; arguments are one an axis."""
        axes = [getattr(axis, change)(*each, **options) for axis, *each in zip(self.axes, *arguments)]
        return Values(channels or self.channels, tuple(axes))

    @property
    def width(self):
        """Channels a pixel of the image."""
        return self.channels / math.prod(axis.stride for axis in self.axes)


def _block(stride):
    if stride > _LARGEST_BLOCK:
        raise NotImplementedError(f"an image that is made {stride} times as small")
    return stride
