"""A graph of TensorFlow from elsewhere as a network: only its arithmetic, taken out operation by operation."""

import numpy as np

from .graph_ops import (
    ARITHMETIC,
    LEFT_OUT,
    NORMALISATIONS,
    PASSED_ON,
    STRUCTURE,
    VARIABLES,
)
from .graph_walk import DEAD, Walk
from .layer_words import UnknownLayerError

IMAGE = "image"
_LARGEST_REPEATED = 16_000_000  # values of a constant that is one number many times
_LARGEST = 1_800_000_000  # bytes of constants


class Arithmetic:
    """The operations between the input and the output of a graph, in order, without functions, branches, variables.

    Attributes
    ----------
    nodes : list of NodeDef
        Named anew; the input is called :data:`IMAGE`.
    output : str
        Name of the operation that gives the answer.

    Raises
    ------
    UnknownLayerError
        If there is another operation than those of :data:`~.graph_ops.ARITHMETIC`.
    UserError, ValueError
        If it is damaged, or weights are missing.
    """

    def __init__(self, graph):
        self.nodes, self._kept, self._values, self._bytes = [], {}, {}, 0
        walk = Walk(graph, self._visit, self._values.get, _require_known)
        [found] = walk.main([graph.output], {graph.input: f"{IMAGE}:0"})
        self.output = self._tensor(found)
        weights = [self._constant(name, array) for name, array in self._read(graph)]
        self.nodes = [_placeholder(), *weights, *self.nodes]

    def _read(self, graph):
        arrays = graph.variables(list(self._kept))
        for variable, name in self._kept.items():
            array = arrays[variable]
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ValueError("some weights are not numbers")
            yield name, array

    def _visit(self, node, values):
        """What an operation gives; arithmetic is kept, all else is refused or needs nothing to be done."""
        if node.op in VARIABLES:
            return lambda number: ("variable", node.name)
        if node.op in PASSED_ON:
            return lambda number: values[number]
        if node.op == "ReadVariableOp":
            return lambda number: self._tensor(values[0])
        if node.op in LEFT_OUT:
            return lambda number: None
        if node.op == "Const":
            return self._number(node)
        _require_known(node.op)
        if node.op not in ARITHMETIC:  # such as an input that nobody feeds
            raise UnknownLayerError("several inputs or outputs")
        return self._keep(node, [self._tensor(value) for value in values])

    def _tensor(self, value):
        if isinstance(value, tuple):
            _, variable = value
            return self._kept.setdefault(variable, f"weights_{len(self._kept)}:0").partition(":")[0] + ":0"
        if not isinstance(value, str) or value is DEAD:
            raise ValueError("an operation without its input")
        return value

    def _keep(self, node, values):
        from tensorflow.core.framework import node_def_pb2

        _require_plain(node)
        kept = node_def_pb2.NodeDef(name=f"n{len(self.nodes)}", op=node.op, input=values)
        for name, value in node.attr.items():
            if value.HasField("func") or value.list.func:
                raise UnknownLayerError(f"the operation {node.op[:60]}, which calls others")
            if not name.startswith("_"):
                kept.attr[name].CopyFrom(value)
        self.nodes.append(kept)
        name = kept.name
        if node.op in ("LogicalAnd", "LogicalOr", "LogicalNot"):
            known = [self._values.get(value) for value in values]
            if None not in known:
                join = {"LogicalAnd": all, "LogicalOr": any, "LogicalNot": lambda one: not one[0]}[node.op]
                self._values[f"{name}:0"] = join(known)
        return lambda number: f"{name}:{number}"

    def _number(self, node):
        tensor = node.attr["value"].tensor
        self._bytes += _require_held(tensor)
        if self._bytes > _LARGEST:
            raise ValueError("more numbers than networks have")
        if tensor.dtype == _types().DT_STRING:
            return lambda number: None
        give = self._keep(node, [])
        if tensor.dtype == _types().DT_BOOL and tensor.bool_val and not tensor.tensor_shape.dim:
            self._values[give(0)] = tensor.bool_val[0]
        return give

    def _constant(self, name, array):
        from tensorflow import make_tensor_proto
        from tensorflow.core.framework import node_def_pb2

        self._bytes += array.nbytes
        if self._bytes > _LARGEST:
            raise ValueError("more weights than networks have")
        node, tensor = node_def_pb2.NodeDef(name=name.partition(":")[0], op="Const"), make_tensor_proto(array)
        node.attr["value"].tensor.CopyFrom(tensor)
        node.attr["dtype"].type = tensor.dtype
        return node


class GraphNetwork:
    """Operations that can be applied to images.

    Parameters
    ----------
    nodes : list of NodeDef
        One of them is a placeholder called :data:`IMAGE`.
    wanted : str or list of str
        Tensors that are given.

    Raises
    ------
    ValueError
        If TensorFlow does not understand them.
    """

    def __init__(self, nodes, wanted):
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef(node=nodes)
        graph.versions.producer = tf.version.GRAPH_DEF_VERSION
        self._misfits = tf.errors.InvalidArgumentError
        bad = (tf.errors.InvalidArgumentError, tf.errors.NotFoundError, KeyError, TypeError)
        self._unable = tf.errors.UnimplementedError
        try:
            whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
            one = isinstance(wanted, str)
            found = whole.graph.get_tensor_by_name
            self._apply = whole.prune(found(f"{IMAGE}:0"), found(wanted) if one else [found(name) for name in wanted])
        except bad as error:
            raise ValueError("no graph of TensorFlow") from error

    def __call__(self, images, training=False):
        """The answer for a batch (B, Y, X, C), or (B, Z, Y, X, C)."""
        import tensorflow as tf

        return self._apply(tf.convert_to_tensor(np.asarray(images), tf.float32))

    def fits(self, images):
        """The answer, or None if the network does not take images of this size."""
        try:
            return self(images)
        except self._misfits:
            return None
        except self._unable as error:
            raise UnknownLayerError("filters that TensorFlow cannot apply on this computer") from error


def _require_known(op):
    if op not in ARITHMETIC and op not in STRUCTURE:
        raise UnknownLayerError(f"the operation {op[:60]}")


def _require_plain(node):
    if node.attr["data_format"].s.startswith(b"NC") if "data_format" in node.attr else False:
        raise UnknownLayerError("channels before the pixels")
    if node.op in NORMALISATIONS and ("is_training" not in node.attr or node.attr["is_training"].b):
        raise UnknownLayerError("a normalisation by the whole image")


def _require_held(tensor):
    """The bytes of a constant: a short text can claim any size by repeating one number."""
    if tensor.tensor_shape.unknown_rank or any(one.size < 0 for one in tensor.tensor_shape.dim):
        raise ValueError("a constant without a size")
    count = 1
    for one in tensor.tensor_shape.dim:
        count *= one.size
    if count > max(_LARGEST_REPEATED, len(tensor.tensor_content)):
        raise ValueError("a constant that claims more than it holds")
    return 8 * count if not tensor.tensor_content else len(tensor.tensor_content)


def _placeholder():
    from tensorflow.core.framework import node_def_pb2

    node = node_def_pb2.NodeDef(name=IMAGE, op="Placeholder")
    node.attr["dtype"].type = _types().DT_FLOAT
    node.attr["shape"].shape.unknown_rank = True
    return node


def _types():
    from tensorflow.core.framework import types_pb2

    return types_pb2
