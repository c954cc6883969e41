"""How models that come without a brightness scaling of ours see an image: ``for_image``, ``apply`` and ``undo``."""

from dataclasses import dataclass

import numpy as np

from ..data.normalisation import PERCENTILES, Percentiles, percentiles


@dataclass(frozen=True)
class OwnPercentiles:
    """Scales the grey values between two percentiles of each image to 0 and 1, per channel.

    Attributes
    ----------
    which : (float, float)
        csbdeep takes 2 and 99.8, the U-Net notebooks of ZeroCostDL4Mic 1 and 99.8.
    back : bool
        Whether what the network says are grey values, to be scaled back.
    """

    which: tuple = PERCENTILES
    back: bool = True

    def for_image(self, image):
        """The scaling to use for one ImageFile."""
        low, high = percentiles(image, self.which)
        high = np.where(high > low, high, low + 1)  # a channel without contrast is left unscaled
        scale = Percentiles("dataset", tuple(low.tolist()), tuple(high.tolist()), tuple((high - low).tolist()))
        return scale if self.back else _ThereOnly(scale)


class Unscaled:
    """Leaves grey values as they are."""

    def for_image(self, image):
        """The scaling to use for one ImageFile."""
        return self

    def apply(self, pixels):
        """Grey values -> float32."""
        return np.asarray(pixels, "float32")

    def undo(self, answer):
        """As it is."""
        return answer


class _ThereOnly(Unscaled):
    def __init__(self, scale):
        self.apply = scale.apply
