"""Going through a graph of TensorFlow from what is wanted back to what it is made of, through the functions it calls.

Nothing is run: who walks says what each operation gives.
"""

from .graph_ops import BRANCHES, CALLS, OUTPUTS
from .layer_words import UnknownLayerError

DEAD = object()  # a value on the side of a branch that is not taken
_DEEPEST, _MOST = 30, 100_000  # functions within functions, operations


class Walk:
    """One way through a graph.

    Parameters
    ----------
    graph : SavedGraph
    visit : callable
        ``visit(node, values)`` gives a function from the number of an output to its value.
    truth : callable
        ``truth(value)`` says whether a value is certainly true or false.
    require : callable, optional
        ``require(op)`` refuses operations that must not be in a function, whether or not something comes of them.
    """

    def __init__(self, graph, visit, truth=None, require=None):
        self.graph, self.visit, self.truth, self.require = graph, visit, truth, require
        self.seen = 0

    def main(self, wanted, fed=()):
        """Values of tensors of the main graph.

        Parameters
        ----------
        wanted : list of str
            As "name:0"; or "^name", of which only what it does is wanted.
        fed : dict
            Name of an operation -> its value.
        """
        known = {name: _always(value) for name, value in dict(fed).items()}
        self._through(self.graph.nodes, wanted, known, 0)
        return [_value(self.graph.nodes, known, text) for text in wanted if not text.startswith("^")]

    def _through(self, nodes, wanted, known, depth):
        for name in _in_order(nodes, [_name(text) for text in wanted], known):
            self.seen += 1
            if self.seen > _MOST:
                raise UnknownLayerError(f"more than {_MOST:,} operations")
            node = nodes[name]
            values = [_value(nodes, known, text) for text in node.input if not text.startswith("^")]
            after = [known[_name(text)](0) for text in node.input if text.startswith("^")]
            known[name] = self._given(node, values, after, depth)

    def _given(self, node, values, after, depth):
        if node.op != "Merge" and any(value is DEAD for value in (*values, *after)):
            return _always(DEAD)
        if node.op == "Merge":
            [alive] = [value for value in values if value is not DEAD]
            return _always(alive)
        if node.op == "Switch":
            way = self._way(values[1])
            return lambda number: values[0] if number == way else DEAD
        called, given = self._called(node, values)
        return self._function(called, given, depth + 1) if called else self.visit(node, values)

    def _way(self, value):
        found = self.truth(value) if self.truth else None
        if found is None:
            raise UnknownLayerError("a branch that depends on the image")
        return int(found)

    def _called(self, node, values):
        if node.op in CALLS:
            return node.attr["f"].func.name, values
        if node.op in BRANCHES:
            return node.attr["then_branch" if self._way(values[0]) else "else_branch"].func.name, values[1:]
        return (node.op, values) if node.op in self.graph.functions else (None, values)

    def _function(self, name, values, depth):
        if depth > _DEEPEST:
            raise UnknownLayerError("functions that call each other without end")
        function = self.graph.functions[name]
        nodes = {node.name: node for node in function.node_def}
        for node in nodes.values() if self.require else ():
            self.require(node.op)
        arguments = [argument.name for argument in function.signature.input_arg]
        known = {name: _always(value) for name, value in zip(arguments, values, strict=True)}
        wanted = [function.ret[one.name] for one in function.signature.output_arg]
        self._through(nodes, [*wanted, *(f"^{name}" for name in function.control_ret.values())], known, depth)
        return [_value(nodes, known, text) for text in wanted].__getitem__


def _always(value):
    return lambda number: value


def _name(text):
    return text.removeprefix("^").partition(":")[0]


def _value(nodes, known, text):
    """The value that "name", "name:1" or, in functions, "name:output:1" means."""
    name, *where = text.split(":")
    number = int(where[-1]) if where else 0
    if len(where) == 2 and name in nodes and where[0] in OUTPUTS.get(nodes[name].op, ()):
        number = OUTPUTS[nodes[name].op].index(where[0])
    return known[name](number)


def _in_order(nodes, names, known):
    """Names of operations that must be gone through, each behind those that it needs."""
    order, begun, done = [], set(), set(known)
    waiting = list(names)
    while waiting:
        name = waiting[-1]
        if name in done:
            waiting.pop()
        elif name in begun:
            order.append(waiting.pop())
            done.add(name)
        else:
            begun.add(name)
            needed = [one for one in map(_name, nodes[name].input) if one not in done]
            if any(one in begun for one in needed):
                raise UnknownLayerError("a loop")
            waiting += needed
    return order
