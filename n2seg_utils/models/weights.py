"""Weights in the files that Keras 2 and 3, n2v, csbdeep and napari read."""

import contextlib
import io
import re
from pathlib import Path

import h5py
import numpy as np

from ..data.files import whole_file
from ..errors import UserError

BEST = "weights_best.h5"
_ROLE = re.compile(r"(?:channel_(\d+)_?)?((?:down|up)_level_\d+_no_\d+|middle_\d+|max_\d+|output)")


def save(network, path):
    """Write weights in the HDF5 layout of Keras 2, which Keras 3 and n2v on either of them read.

    Keras 3 itself writes a layout of its own that older software cannot open.
    """
    weighted = [layer for layer in network.layers if layer.weights]
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["layer_names"] = _names(layer.name for layer in weighted)
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.15.0"
        for layer in weighted:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = _names(names)
            for name, weight in zip(names, layer.get_weights()):
                group.create_dataset(name, data=weight)


def load(network, path):
    """Put weights of such a file into a network.

    Layers are matched by what they are called, or in the order in which they were made where Keras chose the name; so
    it does not matter which software wrote the file.

    Raises
    ------
    ValueError
        If the file is not of a network like this one.
    """
    put(network, read(path))


def put(network, stored):
    """As :func:`load`, of arrays that were read: layer -> its arrays."""
    weighted = {layer.name: layer for layer in network.layers if layer.weights}
    found, wanted = _by_role(stored), _by_role(weighted)
    if found.keys() != wanted.keys():
        raise ValueError(f"layers differ: {sorted(found.keys() ^ wanted.keys())}")
    for role, name in wanted.items():
        weighted[name].set_weights(stored[found[role]])


def load_fitting(network, path, leave=()):
    """Put those weights of a file into a network that fit it, layer by layer; but not into the layers to `leave`.

    Returns
    -------
    loaded, new : list of str
        Names of the layers that were loaded, and of those that were not, because the file has no such layer or one of
        another shape.
    """
    stored = read(path)
    weighted = {layer.name: layer for layer in network.layers if layer.weights}
    found, loaded = _by_role(stored), []
    for role, name in _by_role(weighted).items():
        arrays = stored[found[role]] if role in found and name not in leave else []
        if [a.shape for a in arrays] == [tuple(w.shape) for w in weighted[name].weights]:
            weighted[name].set_weights(arrays)
            loaded.append(name)
    return loaded, [name for name in weighted if name not in loaded]


def require_for(architecture, path):
    """Raise a ValueError if a file holds fewer weights than a network has: before memory is taken for that network."""
    require_enough(architecture, read(path))


def require_enough(architecture, stored):
    """As :func:`require_for`, of arrays that were read: layer -> its arrays."""
    held, needed = sum(array.size for arrays in stored.values() for array in arrays), architecture.least_weights
    if held < needed:
        raise ValueError(f"the network has {needed:,} weights or more, and the file {held:,}")


def read(path):
    """Layer -> its arrays.

    Raises
    ------
    OSError, KeyError, ValueError
        If the file is no such file, or holds what is not a number.
    UserError
        If the file refers to other files, or claims more than it holds.
    """
    with opened(path) as file:
        return read_layers(file, path)


@contextlib.contextmanager
def opened(path, data=None):
    """An HDF5 file without links to elsewhere; `data` are its bytes if it lies in an archive.

    Yields
    ------
    h5py.File
    """
    with h5py.File(path if data is None else io.BytesIO(data), "r") as file:
        _require_no_links(file, path)
        yield file


def read_layers(file, path, size=None):
    """Layer -> its arrays, of an open file in the layout of Keras 2; `size` is its size in bytes, if in an archive."""
    groups = file.get("model_weights", file)  # a whole model was saved, or its weights only
    stored = {}
    for layer in _texts(groups.attrs["layer_names"]):
        names = _texts(groups[layer].attrs["weight_names"])
        if names:
            stored[layer] = [groups[layer][name] for name in names]
    return numbers(stored, path, size)


def numbers(stored, path, size=None):
    """Layer -> its arrays, from what lies in an open file, checked."""
    _require_held([one for arrays in stored.values() for one in arrays], path, size)
    stored = {layer: [np.asarray(one) for one in arrays] for layer, arrays in stored.items()}
    if not all(np.isfinite(array).all() for arrays in stored.values() for array in arrays):
        raise ValueError("some weights are not numbers")
    return stored


def _require_no_links(file, path):
    """HDF5 can show other files of the computer as parts of this one; weights never need that."""
    found = []
    try:
        file.visititems_links(lambda name, link: None if isinstance(link, h5py.HardLink) else found.append(name))
    except RuntimeError as error:
        raise ValueError("the file is damaged") from error
    if found:
        raise UserError(f"{path} refers to other places ({found[0]}), which weights never do. Do not use it")


def _require_held(arrays, path, size=None):
    """Arrays may lie in other files, be packed, or not be there at all: a small file can claim any size."""
    for one in arrays:
        if not isinstance(one, h5py.Dataset) or one.dtype.kind != "f":
            raise ValueError("weights are arrays of numbers")
        if one.external or one.is_virtual:
            raise UserError(f"{path} refers to other files, which weights never do. Do not use it")
    claimed, held = sum(one.nbytes for one in arrays), size or Path(path).stat().st_size
    if claimed > held:
        raise UserError(
            f"{path} claims {claimed:,} bytes of weights, but is a file of {held:,}. Restore it from a copy; if it was "
            "packed, unpack it with h5repack"
        )


def _by_role(names):
    """What each weighted layer is for -> its name."""
    roles, unnamed = {}, {}
    for name in names:
        match = _ROLE.fullmatch(name)
        if match and match[2] != "output":
            roles[int(match[1] or 0), match[2]] = name
        elif match:
            roles["output", int(match[1] or 0)] = name
        else:  # conv2d, conv2d_1, batch_normalization_7: numbered by Keras in the order of making
            kind, number = re.fullmatch(r"(.*?)(?:_(\d+))?", name).groups()
            kind = "output" if kind.startswith("conv") else kind
            unnamed.setdefault(kind, []).append((int(number or 0), name))
    for kind, numbered in unnamed.items():
        roles |= {(kind, place): name for place, (_, name) in enumerate(sorted(numbered))}
    return roles


def _names(names):
    return np.array([name.encode() for name in names])  # text of fixed length: what old versions of Keras expect


def _texts(names):
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
