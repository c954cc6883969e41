"""The threshold of an image of its own: where the network, taught without labels, and a first guess agree best."""

from dataclasses import replace

import numpy as np

from ..quality.dmi import threshold_by_dmi
from ..quality.first_guess import blurred
from .guesses import cut_of, first_channel

_PIXELS = 1_000_000  # of a piece that are looked at


def own_threshold(probabilities, guess):
    """The threshold at which probabilities of foreground and a first guess know most of each other.

    Parameters
    ----------
    probabilities : ndarray (Y, X) or (Z, Y, X)
    guess : ndarray of bool or int, likewise
        Evenly spread pixels are looked at, about a million.

    Returns
    -------
    float or None
        None where they know nothing of each other, for example where nothing is guessed.
    """
    stride = (slice(None, None, int(np.ceil(np.sqrt(guess.size / _PIXELS)))),) * 2
    found, curve = threshold_by_dmi([(probabilities[(..., *stride)], np.asarray(guess, "int8")[(..., *stride)])])
    return found if max(row["score"] for row in curve) > 0 else None


def rule_of_image(image, sigma, rule):
    """How pieces of an image get their rule: as `rule`, with a threshold of their own within its limits.

    Parameters
    ----------
    image : ImageFile
    sigma : float
        Of the blur before the guess, in pixels.
    rule : Rule
        With `between`: an image in which there is nothing gets no lower threshold than images in which there is.

    Returns
    -------
    callable
        ``(pixels, probabilities) -> Rule`` of grey values (Y, X, C), or (Z, Y, X, C), and of what the network says.
    """
    told = cut_of(image, sigma)

    def rule_of(pixels, probabilities):
        planes = [told(blurred(first_channel(plane), sigma)) for plane in np.reshape(pixels, (-1, *pixels.shape[-3:]))]
        threshold = own_threshold(probabilities[..., 1], np.reshape(planes, pixels.shape[:-1]))
        return rule if threshold is None else replace(rule, threshold=float(np.clip(threshold, *rule.between)))

    return rule_of
