"""SavedModels of TensorFlow: their arithmetic applied, without loading or running the program that they are."""

import json

from .graph_files import read_graph, where
from .graph_network import Arithmetic, GraphNetwork
from .graph_reach import outline
from .rebuilding import explained

META = "meta.json"  # what csbdeep, and n2seg, write beside the graph
_LARGEST_META = 1_000_000  # bytes
_BAD = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


def open_graph(files, tries=(), known=None):
    """The network in a SavedModel.

    Parameters
    ----------
    files : Folder or Zip
    tries : list of tuple of int
        Sizes of images that it takes, if something says so.
    known : Outline or Architecture, optional
        If it need not be found out.

    Returns
    -------
    network : GraphNetwork
    outline : Outline

    Raises
    ------
    UserError
        If there is anything in it but arithmetic, or if it is damaged.
    """
    with explained(files.path):
        graph = read_graph(files)
        arithmetic = Arithmetic(graph)
        found = known or outline(arithmetic, graph.shape, tries)
        return GraphNetwork(arithmetic.nodes, arithmetic.output), found


def read_meta(files):
    """What lies beside a SavedModel of csbdeep or n2seg, as a dict; empty if there is nothing."""
    inside = where(files.names)
    name = f"{inside}{META}"
    if inside is None or name not in files.names:
        return {}
    data = files.read(name)
    try:
        found = json.loads(data) if len(data) <= _LARGEST_META else {}
    except _BAD:
        return {}
    return found if isinstance(found, dict) else {}
