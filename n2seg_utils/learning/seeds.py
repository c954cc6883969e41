"""Random numbers that depend on nothing but the run's seed and the step."""

import keras
from keras import ops


class StepSeed(keras.random.SeedGenerator):
    """A seed source for one training step, to be passed as ``seed=`` to ``keras.random``.

    Keras' own generator counts its draws in a variable, so that what a batch holds depends on everything drawn before
    it. This one keeps no state: draw number ``k`` of step ``t`` gives the same numbers however often a run was
    stopped and continued.

    Parameters
    ----------
    seed : int
        The run's seed.
    step : tensor
        Scalar integer, the number of the step; may be symbolic inside a compiled graph.
    stream : int
        Separates uses that must not share numbers, such as training and validation.
    """

    def __init__(self, seed, step, stream=0):
        # Deliberately not calling the parent: it would create the state variable this class exists to avoid.
        self._dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        self._step = ops.cast(step, self._dtype)
        self._seed = seed
        self._stream = stream
        self._draws = 0

    def next(self, ordered=True):
        """The next seed of this step, a tensor of two integers."""
        self._draws += 1
        # Odd multipliers spread the three small numbers over 31 bits, so that no two draws share a key.
        key = (self._seed * 1_000_003 + self._stream * 7_368_787 + self._draws * 15_485_863) % (2**31 - 1)
        return ops.stack([ops.cast(key, self._dtype), self._step])
