"""SavedModels of TensorFlow read as plain data: the graph, its functions, and the numbers of its variables."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from .graph_ops import VARIABLES
from .graph_walk import Walk
from .layer_words import UnknownLayerError

GRAPH = "saved_model.pb"
_SHARD = re.compile(r"variables\.data-\d{5}-of-\d{5}")
_FOLDER = "variables"
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_LARGEST = 1_800_000_000  # bytes of weights


@dataclass
class SavedGraph:
    """What a SavedModel holds.

    Attributes
    ----------
    files : Folder or Zip
    inside : str
        Where in it the SavedModel lies: "" or a folder with "/" behind it.
    nodes, functions : dict
        Name -> NodeDef of the main graph, or FunctionDef.
    input, output : str
        Name of the operation that is fed, and of the tensor that is the answer.
    shape : tuple of (int or None), or None
        Of the input.
    saver : SaverDef
    """

    files: object
    inside: str
    nodes: dict
    functions: dict
    input: str
    output: str
    shape: tuple | None
    saver: object

    def variables(self, names):
        """Name of a variable -> its array, as the files beside the graph have them; nothing is run to read them.

        Raises
        ------
        ValueError
            If they are not there, or are no numbers.
        UserError
            If the files are missing, or claim more than they hold.
        """
        if not names:
            return {}
        from tensorflow import errors, train

        keys = self._keys()
        with tempfile.TemporaryDirectory() as folder:
            held = self._unpack(Path(folder))
            try:
                reader = train.load_checkpoint(str(Path(folder) / "variables"))
                kinds = reader.get_variable_to_dtype_map()
                shapes = reader.get_variable_to_shape_map()
                keys = self._named(reader, kinds) | keys
                wanted = {name: keys[name] for name in names}
                size = 0
                for key in wanted.values():
                    if not (kinds[key].is_floating or kinds[key].is_integer or kinds[key].is_bool):
                        raise ValueError(f"{key} is no number")
                    size += kinds[key].size * _product(shapes[key])
                if size > held:
                    raise ValueError("more weights than there are bytes")
                return {name: reader.get_tensor(key) for name, key in wanted.items()}
            except (errors.OpError, RuntimeError) as error:
                raise ValueError("weights that cannot be read") from error

    def _named(self, reader, kinds):
        """Name of a variable -> what it is called in the files, as the files themselves say it."""
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        found = {name: name for name in kinds}
        if _OBJECTS not in kinds:
            return found
        stored = {}
        for node in TrackableObjectGraph.FromString(reader.get_tensor(_OBJECTS)).nodes:
            for one in node.attributes:
                stored.setdefault(one.full_name, []).append(one.checkpoint_key)
        # Keras notes a variable several times; two that only have the same name are not to be confused.
        return found | {name: keys[0] for name, keys in stored.items() if len(keys) == 1 or _alike(reader, keys)}

    def _unpack(self, folder):
        """Copy the files of the variables, and no others; returns their bytes."""
        names = self.files.below(f"{self.inside}{_FOLDER}")
        shards = [name for name in names if _SHARD.fullmatch(name)]
        if "variables.index" not in names or not shards:
            raise UserError(
                f"{self.files.path} has no weights: the folder variables of its SavedModel is missing or not complete. "
                "Restore it from a copy, or download it again"
            )
        held = 0
        for name in ("variables.index", *shards):
            data = self.files.read(f"{self.inside}{_FOLDER}/{name}")
            (folder / name).write_bytes(data)
            held += len(data)
            if held > _LARGEST:
                raise UserError(f"{self.files.path} holds more weights than can be opened (2 GB). Check what it is")
        return held

    def _keys(self):
        """Name of a variable -> what it is called in the files; told by how the graph would restore itself."""
        found = {}

        def visit(node, values):
            if node.op in VARIABLES:
                return lambda number: ("variable", node.name)
            if node.op == "Const":
                return lambda number: node
            if node.op == "RestoreV2":
                names, parts = (_texts(value) for value in values[1:])
                return lambda number: ("key", names[number]) if not parts[number] else None
            if node.op == "Identity":
                return lambda number: values[0]
            if node.op in ("Assign", "AssignVariableOp") and isinstance(values[1], tuple) and values[1][0] == "key":
                found[values[0][1]] = values[1][1]
            return lambda number: None

        saver = self.saver
        restore = [name for name in (saver.restore_op_name,) if name in self.nodes]
        Walk(self, visit).main([f"^{name}" for name in restore], {saver.filename_tensor_name.partition(":")[0]: None})
        return found


def read_graph(files):
    """Read a SavedModel from a folder or zip.

    Raises
    ------
    UserError
        If there is none.
    UnknownLayerError
        If it has not one image as input and one as output.
    ValueError
        If it is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    inside = where(files.names)
    if inside is None:
        raise UserError(f"{files.path} has no {GRAPH} in it, which it needs. Download it again")
    try:
        found = saved_model_pb2.SavedModel.FromString(files.read(inside + GRAPH))
    except DecodeError as error:
        raise ValueError("no graph") from error
    graphs = [one for one in found.meta_graphs if "serve" in one.meta_info_def.tags] or list(found.meta_graphs)
    if not graphs:
        raise ValueError("no graph")
    graph = graphs[0]
    given, answer = _ends(graph.signature_def)
    return SavedGraph(
        files,
        inside,
        nodes={node.name: node for node in graph.graph_def.node},
        functions={one.signature.name: one for one in graph.graph_def.library.function},
        input=given.name.partition(":")[0],
        output=answer.name,
        shape=None
        if given.tensor_shape.unknown_rank
        else tuple(one.size if one.size > 0 else None for one in given.tensor_shape.dim),
        saver=graph.saver_def,
    )


def where(names):
    """The folder of a zip in which a SavedModel lies, with "/" behind it; "" if in none, None if there is none."""
    found = sorted((name for name in names if name.rpartition("/")[2] == GRAPH), key=lambda name: name.count("/"))
    return found[0].removesuffix(GRAPH) if found and found[0].count("/") < 3 else None


def _ends(signatures):
    from tensorflow import float32

    usual = [signatures[name] for name in ("serving_default", "serve") if name in signatures]
    both = [one for one in (*usual, *signatures.values()) if one.inputs and one.outputs]
    if not both:
        raise UnknownLayerError("no image that goes in, or none that comes out")
    if len(both[0].inputs) != 1 or len(both[0].outputs) != 1:
        raise UnknownLayerError("several inputs or outputs")
    [given], [answer] = both[0].inputs.values(), both[0].outputs.values()
    if {given.dtype, answer.dtype} != {float32.as_datatype_enum}:
        raise UnknownLayerError("an input or output of another type than float32")
    return given, answer


def _texts(node):
    """The texts of a constant."""
    return [text.decode("utf-8") for text in node.attr["value"].tensor.string_val]


def _alike(reader, keys):
    first, *others = (reader.get_tensor(key) for key in keys)
    return all(np.array_equal(first, other) for other in others)


def _product(shape):
    count = 1
    for side in shape:
        count *= side
    return count
