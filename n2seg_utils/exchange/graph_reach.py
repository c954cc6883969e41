"""How far a graph looks, and what the sizes of its images must be multiples of, found out by trying.

A second graph is made from the first, in which a pixel is 1 where it depends on marked pixels of the image and else 0:
weights become 1, what is done pixel by pixel is left out, and what combines pixels takes the largest.
"""

import math
from functools import reduce

import numpy as np

from .graph_network import IMAGE, GraphNetwork
from .graph_ops import (
    ALONG_CHANNELS,
    CONVOLUTIONS,
    MOVES,
    NORMALISATIONS,
    PIXEL_BY_PIXEL,
    POOLINGS,
    REDUCTIONS,
    RESIZINGS,
    SIZES,
)
from .layer_words import UnknownLayerError
from .rebuilding import Outline

_SIZES = (64, 96, 128, 80, 72, 100, 112, 192, 256, 384, 512)  # tried where nothing is said of them
_LONGEST = 4096  # pixels to either side together that a network may look at
_NARROW = 12  # pixels across images that are long along one axis
_ONE_SIZE = "room for images of one size only"
_WHOLE = "an answer that depends on the whole image at once"


def outline(arithmetic, shape, tries=()):
    """What must be known of a graph to apply it tile by tile.

    Parameters
    ----------
    arithmetic : Arithmetic
    shape : tuple of (int or None), or None
        Of a batch of images, as the graph says it.
    tries : list of tuple of int
        Sizes of images that it should take, as something else says.

    Returns
    -------
    Outline

    Raises
    ------
    UnknownLayerError
        If it cannot be applied tile by tile.
    """
    if shape is None or len(shape) not in (4, 5):
        raise UnknownLayerError("an input that is no image")
    if shape[-1] is None:
        raise UnknownLayerError("any number of channels")
    dims, channels = len(shape) - 2, shape[-1]
    influence = _Influence(arithmetic.nodes, arithmetic.output)
    network = GraphNetwork(influence.nodes, [arithmetic.output, *influence.grids])
    fixed = [shape[1:-1]] if all(shape[1:-1]) else []
    size, answer, grids = _taken(network, [*tries, *fixed, *((side,) * dims for side in _SIZES)], channels)
    block = tuple(_block(network, size, grids, axis, channels) for axis in range(dims))
    reach = tuple(_reach(network, block, axis, channels) for axis in range(dims))
    widths = [grid[-1] * math.prod(grid[:-1]) / math.prod(size) for grid in grids]
    found = Outline(
        dims=dims, channels=channels, outputs=answer[-1], block=block, reach=reach,
        width=max(1, math.ceil(max([channels, *widths]))), last_activation=_last(arithmetic),
    )  # fmt: skip
    _require_alike(GraphNetwork(arithmetic.nodes, arithmetic.output), found)
    return found


def _taken(network, sizes, channels):
    """A size of images that the network takes, with its answer and the sizes of the values in between."""
    other = False
    for size in sizes:
        found = _sizes(network, size, channels)
        if found is None:
            continue
        answer, grids = found
        if len(answer) == len(size) + 1 and answer[:-1] == tuple(size):
            if all(min(grid[:-1]) > 1 for grid in grids):
                return tuple(size), answer, grids
        else:
            other = True
    raise UnknownLayerError("an output of another size than the image" if other else _ONE_SIZE)


def _sizes(network, size, channels):
    """The sizes (Y, X, C) of the answer to an image, and of the values in between; None if the image does not fit."""
    found = network.fits(np.zeros((1, *size, channels), "float32"))
    if found is None:
        return None
    answer, *grids = (np.asarray(one) for one in found)
    return answer.shape[1:], [tuple(grid[1:].tolist()) for grid in grids if len(grid) == len(size) + 2]


def _block(network, size, grids, axis, channels):
    """What the size of an image must be a multiple of along an axis, from how values grow when the image does."""
    wider = list(size)
    wider[axis] *= 2
    found = _sizes(network, wider, channels)
    if found is None:
        raise UnknownLayerError(_ONE_SIZE)
    grown = [after[axis] - before[axis] for before, after in zip(grids, found[1], strict=True)]
    if min(grown, default=1) < 1:
        raise UnknownLayerError(_ONE_SIZE)
    # Where TensorFlow parts an image to apply a filter with gaps, the parts are rounded up.
    return math.lcm(1, *(max(1, round(size[axis] / more)) for more in grown))


def _reach(network, block, axis, channels):
    """Pixels that an answer looks at in each direction along an axis."""
    length, size = 16 * block[axis], _narrow(block)
    while length <= max(_LONGEST, 32 * block[axis]):
        size[axis] = length
        start = length // 2 // block[axis] * block[axis]
        image = np.zeros((1, *size, channels), "float32")
        np.moveaxis(image, axis + 1, 0)[start : start + block[axis]] = 1
        found = network.fits(image)
        if found is None:
            raise UnknownLayerError(_ONE_SIZE)
        [touched] = np.nonzero(np.moveaxis(np.asarray(found[0]), axis + 1, 0).reshape(length, -1).any(axis=1))
        if not touched.size:
            return 0
        if touched[0] > 0 and touched[-1] < length - 1:
            return int(max(touched[-1] - start, start + block[axis] - 1 - touched[0]))
        length *= 2
    raise UnknownLayerError(_WHOLE)


def _narrow(block):
    """A size that is small along each axis, but not smaller than paddings and croppings need."""
    return [max(2, -(-_NARROW // side)) * side for side in block]


def _require_alike(network, found):
    """Refuse a network for which a pixel's place in the image matters: tiles of it would not fit together."""
    for axis, (step, reach) in enumerate(zip(found.block, found.reach)):
        size = _narrow(found.block)
        edge = -(-reach // step) * step
        size[axis] = 2 * edge + 5 * step
        image = np.random.default_rng(0).normal(0, 1, (1, *size, found.channels)).astype("float32")
        answers = [np.asarray(network(one)) for one in (image, np.roll(image, step, axis + 1))]
        one, other = (np.moveaxis(answer, axis + 1, 0) for answer in answers)
        one, other = one[edge : -edge - step or None], other[edge + step : -edge or None]
        if not np.isfinite(one).all() or abs(one - other).max() > 1e-3 * max(1e-6, np.ptp(one)):
            raise UnknownLayerError("an answer that depends on where in the image something is")


def _last(arithmetic):
    """Whether probabilities come out: "sigmoid", "softmax" or "linear"."""
    by_name = {node.name: node for node in arithmetic.nodes}
    node = by_name[_name(arithmetic.output)]
    while node.op in MOVES and node.op not in ("Concat", "ConcatV2", "Pack"):
        node = by_name[_name(node.input[MOVES[node.op](len(node.input))[0]])]
    return {"Sigmoid": "sigmoid", "Softmax": "softmax"}.get(node.op, "linear")


class _Influence:
    """The graph of what depends on what.

    Attributes
    ----------
    nodes : list of NodeDef
    grids : list of str
        Tensors that hold the sizes of the values between layers.
    """

    def __init__(self, nodes, output):
        from tensorflow.core.framework import types_pb2

        self.nodes, self.grids = [], []
        self._float, self._int = types_pb2.DT_FLOAT, types_pb2.DT_INT32
        self._touched = {IMAGE}
        for node in nodes:
            self._add(node)
        if _name(output) not in self._touched:
            raise UnknownLayerError("an answer that does not depend on the image")

    def _add(self, node):
        marked = [place for place, text in enumerate(node.input) if _name(text) in self._touched]
        if not marked:
            self.nodes.append(node)
            return
        if node.op in SIZES:
            self._again(node, node.input)
            return
        data = self._data(node)
        if not set(marked) <= set(data):
            raise UnknownLayerError(_WHOLE if node.op not in PIXEL_BY_PIXEL else f"the operation {node.op}")
        self._touched.add(node.name)
        if node.op in CONVOLUTIONS or node.op in POOLINGS or node.op in RESIZINGS:
            self._spread(node, data)
        elif node.op in MOVES:
            given = [
                self._zero(node, n) if n in data and n not in marked else text for n, text in enumerate(node.input)
            ]
            self._again(node, given)
        elif node.op in REDUCTIONS:
            largest = self._new("Max", f"{node.name}/max", node.input, T=self._float)
            self._copy(node, largest, "keep_dims", "Tidx")
            self._new("Identity", node.name, [largest.name], T=self._float)
        elif node.op in ALONG_CHANNELS:
            self._along_channels(node)
        else:
            given = [node.input[n] if n in marked else self._zero(node, n) for n in data]
            self._largest(node.name, given)

    def _data(self, node):
        if node.op in CONVOLUTIONS:
            return CONVOLUTIONS[node.op]
        if node.op in MOVES or node.op in PIXEL_BY_PIXEL:
            return (MOVES if node.op in MOVES else PIXEL_BY_PIXEL)[node.op](len(node.input))
        if node.op in (*POOLINGS, *RESIZINGS, *NORMALISATIONS, *REDUCTIONS, *ALONG_CHANNELS):
            return (0,)
        return ()

    def _spread(self, node, data):
        """A convolution or the like: 1 wherever a 1 is within its reach, through a weight that is not 0."""
        given = list(node.input)
        if node.op in CONVOLUTIONS:
            place = data[1]
            if _name(given[place]) in self._touched:
                raise UnknownLayerError("filters that depend on the image")
            positive = self._new("Abs", f"{node.name}/abs", [self._plain(node, given[place])], T=self._float)
            given[place] = self._new("Sign", f"{node.name}/ones", [positive.name], T=self._float).name
        inner = self._again(node, given, f"{node.name}/spread")
        positive = self._new("Abs", f"{node.name}/all", [inner.name], T=self._float)
        self._new("Sign", node.name, [positive.name], T=self._float)
        self.grids.append(self._new("Shape", f"{node.name}/size", [node.name], T=self._float).name + ":0")

    def _along_channels(self, node):
        axis = self._new("Const", f"{node.name}/axis", [])
        axis.attr["dtype"].type = self._int
        axis.attr["value"].tensor.dtype = self._int
        axis.attr["value"].tensor.int_val.append(-1)
        axis.attr["value"].tensor.tensor_shape.SetInParent()
        largest = self._new("Max", f"{node.name}/max", [node.input[0], axis.name], T=self._float, Tidx=self._int)
        largest.attr["keep_dims"].b = True
        self._largest(node.name, [node.input[0], largest.name])

    def _largest(self, name, given):
        def larger(one, other):
            number = len(self.nodes)
            return self._new("Maximum", f"{name}/larger_{number}", [one, other], T=self._float).name

        self._new("Identity", name, [reduce(larger, given)], T=self._float)

    def _zero(self, node, place):
        """Nothing, in the shape of an input that does not depend on the image."""
        plain = self._plain(node, node.input[place], place)
        return self._new("ZerosLike", f"{node.name}/none_{place}", [plain], T=self._float).name

    def _plain(self, node, text, place=None):
        """An input as float32."""
        kind = node.attr["T"].type if "T" in node.attr else node.attr["Tparams"].type
        if node.op in ("LogicalAnd", "LogicalOr") or (node.op in ("Select", "SelectV2") and place == 0):
            from tensorflow.core.framework import types_pb2

            kind = types_pb2.DT_BOOL
        number = len(self.nodes)
        return self._new("Cast", f"{node.name}/float_{number}", [text], SrcT=kind, DstT=self._float).name

    def _again(self, node, given, name=None):
        """The same operation, on float32."""
        kept = self._new(node.op, name or node.name, given)
        self._copy(node, kept, *node.attr)
        for key in ("T", "Tparams"):
            if key in node.attr:
                kept.attr[key].type = self._float
        return kept

    def _copy(self, node, kept, *names):
        for name in names:
            if name in node.attr:
                kept.attr[name].CopyFrom(node.attr[name])

    def _new(self, op, name, given, **types):
        from tensorflow.core.framework import node_def_pb2

        node = node_def_pb2.NodeDef(name=name, op=op, input=given)
        for key, kind in types.items():
            node.attr[key].type = kind
        self.nodes.append(node)
        return node


def _name(text):
    return text.partition(":")[0]
