"""SavedModels of TensorFlow open if they are arithmetic, predict what TensorFlow predicts, and are never run."""

import json
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tifffile
import yaml
from keras import layers
from tensorflow.core.protobuf import saved_model_pb2

import n2seg_utils as n2s
from n2seg_utils import UserError
from n2seg_utils.exchange.foreign import ForeignDenoiser, ForeignModel, ForeignSegmenter
from n2seg_utils.learning.networks import Architecture, unet

from .test_opening import noisy, padded, predict, saved, shake, smooth, unet_of_the_notebooks, wide

v1 = tf.compat.v1


def of_keras(network, folder):
    """As Keras 3 exports a network."""
    try:
        network.export(folder, verbose=False)
    except tf.errors.OperatorNotAllowedInGraphError:
        pytest.skip("this version of Keras does not export its bilinear upsampling for images of any size")
    return folder


def of_tensorflow(network, folder):
    """As TensorFlow 2 saves what Keras made."""
    tf.saved_model.save(network, str(folder))
    return folder


def of_one(build, folder, frozen=False, meta=None, channels=1, dims=2):
    """As TensorFlow 1 saves a graph, with variables or without."""
    folder = Path(folder)
    with v1.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, *(None,) * dims, channels], name="input")
        answer = tf.identity(build(image), name="output")
        session.run(v1.global_variables_initializer())
        if frozen:
            graph = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["output"])
        else:
            v1.saved_model.simple_save(session, str(folder), {"input": image}, {"output": answer})
    if frozen:
        with v1.Graph().as_default(), v1.Session() as session:
            image, answer = v1.import_graph_def(graph, name="", return_elements=["input:0", "output:0"])
            v1.saved_model.simple_save(session, str(folder), {"input": image}, {"output": answer})
    if meta:
        (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def said_by_tensorflow(folder, image):
    """What TensorFlow itself makes of (Y, X, C)."""
    run = tf.saved_model.load(str(folder)).signatures["serving_default"]
    [answer] = run(tf.constant(image[None], "float32")).values()
    return answer.numpy()[0]


def require_as_tensorflow(folder, image, tile=64):
    """That what opens predicts what TensorFlow predicts, whole and in tiles; gives the model."""
    model = n2s.load(folder, scaling="none")
    expected = said_by_tensorflow(folder, image)
    for side in ("auto", tile):
        np.testing.assert_allclose(model.predict_pixels(image, tile=side), expected, atol=1e-4 * np.ptp(expected))
    return model


def v1_weights(name, *shape, kind="variable"):
    start = np.random.default_rng(len(name)).normal(0, 0.3, shape).astype("float32")
    return v1.get_variable(name, initializer=start, use_resource=kind == "resource")


def care_of_tensorflow_1(image, kind="reference"):
    """A small U-Net as Keras on TensorFlow 1 made it, with a learning phase and branches for it."""
    phase = v1.placeholder_with_default(False, [], name="keras_learning_phase")
    x = tf.nn.relu(tf.nn.conv2d(image, v1_weights("a", 3, 3, 1, 4, kind=kind), 1, "SAME") + v1_weights("bias", 4))
    down = tf.nn.max_pool2d(x, 2, 2, "SAME")
    down = tf.nn.relu(tf.nn.conv2d(down, v1_weights("bb", 3, 3, 4, 8, kind=kind), 1, "SAME"))
    v1.disable_control_flow_v2()
    down = v1.cond(tf.logical_and(phase, True), lambda: tf.nn.dropout(down, rate=0.5), lambda: tf.identity(down))
    shape = tf.shape(down)
    up = v1.image.resize_nearest_neighbor(down, 2 * shape[1:3])
    up = tf.nn.conv2d_transpose(up, v1_weights("ccc", 3, 3, 4, 8, kind=kind), tf.shape(x), 1, "SAME")
    joined = tf.concat([x, up], -1)
    return tf.nn.conv2d(joined, v1_weights("dddd", 1, 1, 8, 1, kind=kind), 1, "SAME") + image


@pytest.mark.parametrize("how", [of_keras, of_tensorflow])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_network_of_keras_predicts_as_in_tensorflow(how, dims, tmp_path):
    network = unet_of_the_notebooks(dims=dims, size=None, outputs=2, last="softmax")
    folder = how(network, tmp_path / "model")
    model = require_as_tensorflow(folder, noisy(*(128, 96) if dims == 2 else (16, 16, 24), 1))
    assert type(model) is ForeignModel
    same = n2s.load(saved(network, tmp_path / "model.keras"))
    assert model.architecture.block == same.architecture.block
    assert all(0 <= one - other < 4 for one, other in zip(model.architecture.reach, same.architecture.reach))


@pytest.mark.parametrize("kind", ["reference", "resource", "frozen"])
def test_graphs_of_tensorflow_1_predict_as_in_tensorflow(kind, tmp_path):
    folder = of_one(lambda image: care_of_tensorflow_1(image, kind), tmp_path / "model", frozen=kind == "frozen")
    model = require_as_tensorflow(folder, noisy(128, 96, 1))
    assert isinstance(model, ForeignDenoiser)
    assert model.architecture.block == (2, 2)


@pytest.mark.parametrize("make", [padded, smooth, wide])
def test_how_far_a_graph_looks_is_found_out(make, tmp_path):
    image = layers.Input((None, None, 2))
    network = keras.Model(image, make(image))
    shake(network)
    model = require_as_tensorflow(of_keras(network, tmp_path / "model"), noisy(144, 96, 2))
    same = n2s.load(saved(network, tmp_path / "model.keras"))
    step = max(model.architecture.block)
    assert not any(one % other for one, other in zip(model.architecture.block, same.architecture.block))
    assert all(-step < one - other < step for one, other in zip(model.architecture.reach, same.architecture.reach))


OURS = [
    {"depth": 3, "width": 2, "kernel_size": 5},
    {"blur_pool": True, "top_skip": False, "narrow_decoder": True},
    {"batch_norm": True, "residual": True},
    {"dims": 3, "depth": 1, "pool_z": 1, "outputs": 4},
]


@pytest.mark.parametrize("more", OURS)
def test_our_own_networks_look_as_far_as_we_say(more, tmp_path):
    architecture = Architecture(**({"width": 4} | more))
    folder = of_keras(unet(architecture), tmp_path / "model")
    model = n2s.load(folder, scaling="none")
    assert model.architecture.block == architecture.block
    for one, other, step in zip(model.architecture.reach, architecture.reach, architecture.block):
        assert other <= one < other + step


def packed_as_csbdeep(tmp_path, kind="reference"):
    """What csbdeep's export_TF writes."""
    meta = {"type": "CARE", "version": "0.7.0", "probabilistic": False, "axes": "YXC", "axes_div_by": [2, 2, 1]}
    folder = of_one(lambda image: care_of_tensorflow_1(image, kind), tmp_path / "model", meta=meta)
    return folder, Path(shutil.make_archive(str(tmp_path / "TF_SavedModel"), "zip", folder))


def test_an_export_of_csbdeep_is_scaled_as_csbdeep_does(tmp_path):
    folder, file = packed_as_csbdeep(tmp_path)
    image = noisy(64, 48) * 30 + 400
    low, high = np.percentile(image, (2, 99.8))
    expected = said_by_tensorflow(folder, ((image - low) / (high - low))[..., None])[..., 0] * (high - low) + low
    tifffile.imwrite(tmp_path / "in.tif", image)
    assert predict(file, tmp_path / "in.tif", tmp_path / "out") == 0
    found = tifffile.imread(tmp_path / "out" / "in.tif")
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


# Packages


def package(folder, bundle, axes="byxc", old=True, inputs=None, steps=(), after=(), outputs=1):
    """A package of the BioImage Model Zoo with such a SavedModel."""
    folder.mkdir()
    shutil.make_archive(str(folder / "tf_weights"), "zip", bundle)
    if old:
        given = {"name": "image", "axes": axes, "preprocessing": list(steps), **(inputs or {})}
        answer = {"name": "answer", "axes": axes, "postprocessing": list(after)}
    else:
        space = [{"type": "space", "id": axis, "size": {"min": 16, "step": 4}} for axis in "yx"]
        given, answer = (
            {"id": name, "axes": [{"type": "batch"}, *space, {"type": "channel", "channel_names": ["c"] * count}]}
            for name, count in (("image", 1), ("answer", outputs))
        )
        given["preprocessing"], answer["postprocessing"] = list(steps), list(after)
    about = {
        "type": "model",
        "format_version": "0.4.10" if old else "0.5.4",
        "inputs": [given],
        "outputs": [answer],
        "weights": {"tensorflow_saved_model_bundle": {"source": "tf_weights.zip"}},
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    return folder


@pytest.mark.parametrize("old", [True, False])
def test_a_package_with_a_savedmodel_predicts_as_in_tensorflow(old, tmp_path):
    bundle = of_keras(unet_of_the_notebooks(size=None), tmp_path / "bundle")
    step = {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}}
    step = step if old else {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
    after = [{"name" if old else "id": "binarize", "kwargs": {"threshold": 0.6}}]
    shape = {"shape": {"min": [1, 16, 16, 1], "step": [0, 4, 4, 0]}}
    folder = package(tmp_path / "package", bundle, old=old, steps=[step], after=after, inputs=shape)
    image = noisy(48, 64) * 30 + 300
    seen = ((image - image.mean()) / (image.std() + 1e-6))[..., None]
    expected = said_by_tensorflow(bundle, seen)[..., 0] > 0.6
    for path in (folder, shutil.make_archive(str(tmp_path / "packed"), "zip", folder)):
        model = n2s.load(path)
        assert isinstance(model, ForeignSegmenter)
        assert (model.predict(image, "YX") == expected).mean() > 0.999


def test_a_savedmodel_of_a_package_predicts_what_their_software_predicts(tmp_path, monkeypatch):
    core = pytest.importorskip("bioimageio.core")
    from n2seg_utils.exchange.export import export
    from n2seg_utils.settings import ExportSettings

    from .test_export_bioimageio import made, predicted, require_same

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert core
    file = export(made(tmp_path, "denoise"), tmp_path / "model.zip", ExportSettings(name="A test model"))
    pixels = noisy(48, 64, 1) * 20 + 300
    expected = predicted(file, pixels, "tensorflow_saved_model_bundle")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "package")
    [name] = [one for one in ("rdf.yaml", "bioimageio.yaml") if (tmp_path / "package" / one).exists()]
    about = yaml.safe_load((tmp_path / "package" / name).read_text())
    del about["weights"]["keras_v3"], about["config"]["n2seg"]
    (tmp_path / "package" / name).write_text(yaml.safe_dump(about))
    model = n2s.load(tmp_path / "package")
    require_same(model.predict(pixels, "YXC"), expected)
    require_same(model.predict(pixels, "YXC", tile=64), expected)


# What is not opened


def refusal(path):
    with pytest.raises(UserError) as caught:
        n2s.load(path)
    words = str(caught.value)
    assert len(words) < 600
    return words


def touched(tmp_path):
    return str(tmp_path / "RAN")


def hostile(tmp_path, act):
    """A SavedModel of TensorFlow 2 that does something beside its arithmetic."""

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32, name="image")])
        def serve(self, image):
            found = act(image, str(tmp_path))
            return {"output": image * 2.0 if found is None else found}

    network = Network()
    tf.saved_model.save(network, str(tmp_path / "model"), signatures={"serving_default": network.serve})
    return tmp_path / "model"


def write_file(image, folder):
    tf.io.write_file(f"{folder}/RAN", "code")


def read_file(image, folder):
    return image + tf.cast(tf.strings.length(tf.io.read_file(f"{folder}/secret")), tf.float32)


def call_python(image, folder):
    return tf.ensure_shape(tf.numpy_function(lambda x: x, [image], tf.float32), [None, None, None, 1])


def call_python_eagerly(image, folder):
    return tf.ensure_shape(tf.py_function(lambda x: x, [image], tf.float32), [None, None, None, 1])


def print_it(image, folder):
    tf.print(image)


def save_variables(image, folder):
    tf.raw_ops.SaveV2(prefix=f"{folder}/RAN", tensor_names=["a"], shape_and_slices=[""], tensors=[image])


def restore_variables(image, folder):
    found = tf.raw_ops.RestoreV2(
        prefix=f"{folder}/secret", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )
    return image + tf.reshape(found[0], [1, 1, 1, 1])


def loop(image, folder):
    return tf.while_loop(lambda x: tf.reduce_sum(x) < 1e9, lambda x: [x * 2], [image])[0]


def branch(image, folder):
    return tf.cond(tf.reduce_sum(image) > 0, lambda: image, lambda: -image)


def random(image, folder):
    return image + tf.random.normal(tf.shape(image))


def whole_image(image, folder):
    return image - tf.reduce_mean(image, axis=[1, 2], keepdims=True)


def by_place(image, folder):
    return image * tf.cast(tf.range(tf.shape(image)[1]), tf.float32)[None, :, None, None]


def half_as_large(image, folder):
    return tf.nn.max_pool2d(image, 2, 2, "SAME")


def sorted_pixels(image, folder):
    return tf.sort(image, axis=1)


ACTS = {
    write_file: "the operation WriteFile",
    read_file: "the operation",
    call_python: "the operation PyFunc",
    call_python_eagerly: "the operation EagerPyFunc",
    print_it: "the operation",
    save_variables: "the operation SaveV2",
    restore_variables: "the operation RestoreV2",
    loop: "the operation",
    branch: "a branch that depends on the image",
    random: "the operation RandomStandardNormal",
    whole_image: "depends on the whole image",
    by_place: "depends on where in the image",
    half_as_large: "an output of another size than the image",
    sorted_pixels: "the operation",
}


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_what_is_no_arithmetic_of_a_plain_network_is_refused_and_never_run(act, tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = hostile(tmp_path, act)
    words = refusal(folder)
    assert ACTS[act] in words
    assert "nothing in a file is run" in words
    assert not list(tmp_path.glob("RAN*"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A small U-Net as a SavedModel; not to be changed."""
    return of_keras(unet_of_the_notebooks(size=None), tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture
def copy(plain, tmp_path):
    """A copy of it, and a function that changes its graph."""
    folder = Path(shutil.copytree(plain, tmp_path / "model"))

    def change(update):
        file = folder / "saved_model.pb"
        found = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        update(found.meta_graphs[0])
        file.write_bytes(found.SerializeToString())
        return folder

    return change


def in_main_graph(op, tmp_path):
    """Makes the answer wait for something else in the main graph."""

    def update(graph):
        node = graph.graph_def.node.add(name="evil", op=op)
        name = graph.graph_def.node.add(name="where", op="Const")
        name.attr["dtype"].type = tf.string.as_datatype_enum
        name.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(str(tmp_path / "RAN")))
        node.input.extend(["where:0"] * (2 if op == "WriteFile" else 1))
        answer = graph.signature_def["serving_default"].outputs["output_0"].name.partition(":")[0]
        next(one for one in graph.graph_def.node if one.name == answer).input.append("^evil")

    return update


@pytest.mark.parametrize("op", ["WriteFile", "ReadFile", "MyOwnOperation", "PyFunc"])
def test_what_an_answer_only_waits_for_is_refused_too(op, copy, tmp_path):
    assert f"the operation {op}" in refusal(copy(in_main_graph(op, tmp_path)))
    assert not (tmp_path / "RAN").exists()


def test_what_begins_when_a_program_is_loaded_is_never_begun(copy, tmp_path):
    def update(graph):
        in_main_graph("WriteFile", tmp_path)(graph)
        for node in graph.graph_def.node:
            if "^evil" in node.input:
                node.input.remove("^evil")
        graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "evil"
        graph.asset_file_def.add(filename="../../secret").tensor_info.name = "where:0"

    assert isinstance(n2s.load(copy(update)), ForeignSegmenter)
    assert not (tmp_path / "RAN").exists()


def function(graph):
    return max(graph.graph_def.library.function, key=lambda one: sum(node.op == "Conv2D" for node in one.node_def))


def node_of(graph, op):
    return next(node for node in function(graph).node_def if node.op == op)


def huge_constant(graph):
    tensor = node_of(graph, "Const").attr["value"].tensor
    tensor.Clear()
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=10**12)
    tensor.float_val.append(1)


def call_itself(graph):
    one = function(graph)
    node = node_of(graph, "Sigmoid")
    node.op = "PartitionedCall"
    node.attr["f"].func.name = one.signature.name
    del node.input[:]
    node.input.extend(argument.name for argument in one.signature.input_arg)


def two_inputs(graph):
    inputs = graph.signature_def["serving_default"].inputs
    inputs["more"].CopyFrom(next(iter(inputs.values())))


def channels_first(graph):
    node_of(graph, "Conv2D").attr["data_format"].s = b"NCHW"


BROKEN = {
    "a huge constant": (huge_constant, "damaged"),
    "a function that calls itself": (call_itself, "call each other without end"),
    "an unknown function": (lambda g: g.graph_def.library.ClearField("function"), "damaged"),
    "no nodes": (lambda g: g.graph_def.ClearField("node"), "damaged"),
    "no signature": (lambda g: g.ClearField("signature_def"), "no image that goes in"),
    "two inputs": (two_inputs, "several inputs or outputs"),
    "a convolution without filters": (lambda g: node_of(g, "Conv2D").input.pop(), "damaged"),
    "an odd number in a convolution": (lambda g: node_of(g, "Conv2D").attr["strides"].list.i.append(-5), "damaged"),
    "a loop": (lambda g: node_of(g, "Relu").input.__setitem__(0, node_of(g, "Sigmoid").name + ":y:0"), "a loop"),
    "channels first": (channels_first, "channels before the pixels"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_graph_that_makes_no_sense_is_refused_in_a_sentence(what, copy):
    change, words = BROKEN[what]
    assert words in refusal(copy(change))


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_graph_that_was_cut_short_is_refused(share, copy):
    file = copy(lambda graph: None) / "saved_model.pb"
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "is damaged" in refusal(file.parent)


def test_any_changed_byte_is_refused_or_harmless(copy, tmp_path):
    folder = copy(lambda graph: None)
    files = [folder / "saved_model.pb", *(folder / "variables").iterdir()]
    rng = np.random.default_rng(0)
    for file in files:
        data = file.read_bytes()
        for place in rng.integers(0, len(data), 6):
            changed = bytearray(data)
            changed[place] ^= 255
            file.write_bytes(changed)
            try:
                n2s.load(folder)
            except UserError as error:
                assert len(str(error)) < 600  # noqa: PT017
        file.write_bytes(data)


def test_missing_weights_are_said(copy):
    folder = copy(lambda graph: None)
    shutil.move(folder / "variables" / "variables.index", folder / "elsewhere")
    assert "the folder variables of its SavedModel is missing or not complete" in refusal(folder)
    shutil.rmtree(folder / "variables")
    assert "the folder variables of its SavedModel is missing" in refusal(folder)


def test_a_link_in_a_savedmodel_leads_nowhere_else(copy, tmp_path):
    folder = copy(lambda graph: None)
    shutil.move(folder / "variables", tmp_path / "variables")
    (folder / "variables").symlink_to(tmp_path / "variables")
    assert "which is not in it" in refusal(folder)
    (folder / "variables").unlink()
    shutil.move(tmp_path / "variables", folder / "variables")
    shutil.move(folder / "saved_model.pb", tmp_path / "secret.pb")
    (folder / "saved_model.pb").symlink_to(tmp_path / "secret.pb")
    assert "which is not in it" in refusal(folder)


def test_names_in_a_zip_lead_nowhere_else_and_sizes_are_bounded(plain, tmp_path):
    file = tmp_path / "model.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in plain.rglob("*.*"):
            archive.write(one, one.relative_to(plain).as_posix())
        archive.writestr("variables/../../RAN", "code")
        archive.writestr("variables/variables.data-00000-of-00001/../../../RAN", "code")
        archive.writestr("/tmp/RAN", "code")
    assert isinstance(n2s.load(file), ForeignSegmenter)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("saved_model.pb", b"\0" * 300_000_000)
    assert "is damaged" in refusal(file)


def test_a_savedmodel_and_its_refusal_are_one_sentence_for_the_command(refused, tmp_path):
    folder = hostile(tmp_path, write_file)
    tifffile.imwrite(tmp_path / "in.tif", noisy(32, 32))
    said = refused("predict", "--run", folder, "--images", tmp_path / "in.tif", "--out", tmp_path / "out")
    assert "nothing in a file is run" in said
