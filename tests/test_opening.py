"""Models of other software open, predict what that software predicts, and never run anything."""

import base64
import hashlib
import json
import marshal
import os
import re
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tifffile
import yaml
from keras import layers

import n2seg_utils as n2s
from n2seg_utils import UserError
from n2seg_utils.cli import main
from n2seg_utils.exchange.foreign import ForeignDenoiser, ForeignModel, ForeignSegmenter
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models import weights

OLD = ["care_2d", "denoiseg_2d", "n2v2_2d", "n2v_2d", "n2v_2d_3channels_joint", "n2v_3d"]


@pytest.mark.parametrize("name", OLD)
def test_an_old_folder_opens_by_its_path_and_predicts_what_its_software_predicted(name, real_images):
    folder = real_images / "old_models" / name
    about = json.loads((folder / "io" / "about.json").read_text())
    image, expected = (tifffile.imread(folder / "io" / f"{what}.tif") for what in ("input", "expected"))
    model = n2s.load(folder, **({"scaling": "none"} if name == "care_2d" else {}))  # as it was made there
    found = model.predict(image, about["axes"])
    if name == "denoiseg_2d":
        denoised, kinds = model.predict_both(image[..., None])
        np.testing.assert_array_equal(found.denoised, denoised[..., 0])
        found = np.concatenate([denoised, kinds], axis=-1)
        expected[..., 1:] = np.exp(expected[..., 1:]) / np.exp(expected[..., 1:]).sum(-1, keepdims=True)
        expected = softened(folder, expected)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


def softened(folder, expected):
    """What DenoiSeg says of classes are logits or probabilities, as its file has them."""
    raw = tifffile.imread(folder / "io" / "expected.tif")
    sums = raw[..., 1:].sum(-1)
    return np.concatenate([expected[..., :1], raw[..., 1:]], -1) if np.allclose(sums, 1, atol=1e-3) else expected


def test_a_model_of_care_scales_images_as_csbdeep_does(real_images):
    from csbdeep.models import CARE

    folder = real_images / "old_models" / "care_2d"
    image = tifffile.imread(folder / "io" / "input.tif") * 40 + 500
    theirs = CARE(None, folder.name, str(folder.parent))
    expected = theirs.predict(image, "YX")
    found = n2s.load(folder).predict(image, "YX")
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


def test_the_command_applies_a_model_of_care(real_images, tmp_path):
    folder = real_images / "old_models" / "care_2d"
    tifffile.imwrite(tmp_path / "in.tif", tifffile.imread(folder / "io" / "input.tif"))
    assert predict(folder, tmp_path / "in.tif", tmp_path / "out") == 0
    expected = n2s.load(folder).predict(tifffile.imread(tmp_path / "in.tif"), "YX")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "in.tif"), expected)


def predict(run, images, out, *more):
    return main([str(a) for a in ("predict", "--run", run, "--images", images, "--out", out, *more)])


# Keras files


def unet_of_the_notebooks(outputs=1, last="sigmoid", dims=2, channels=1, size=32):
    """As the U-Net notebooks build it, small: an even kernel behind the upsampling, dropout, images of one size."""
    conv, pool, up = {
        2: (layers.Conv2D, layers.MaxPooling2D, layers.UpSampling2D),
        3: (layers.Conv3D, layers.MaxPooling3D, layers.UpSampling3D),
    }[dims]
    keras.utils.set_random_seed(1)
    image = layers.Input((*(size,) * dims, channels))
    skips, x = [], image
    for filters in (4, 8):
        x = conv(filters, 3, activation="relu", padding="same", kernel_initializer="he_normal")(x)
        skips.append(x)
        x = pool(2)(layers.Dropout(0.2)(x))
    x = layers.BatchNormalization()(conv(8, 3, activation="relu", padding="same")(x))
    for filters, skip in zip((8, 4), reversed(skips)):
        x = conv(filters, 2, activation="relu", padding="same")(up(2)(x))
        x = conv(filters, 3, activation="relu", padding="same")(layers.Concatenate(axis=-1)([skip, x]))
    network = keras.Model(image, conv(outputs, 1, activation=last)(x))
    shake(network)
    return network


def shake(network):
    """Give biases and normalisations numbers that differ, as a training does."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        arrays = [w + rng.uniform(0.05, 0.3, w.shape) if w.ndim == 1 else w for w in layer.get_weights()]
        layer.set_weights(arrays)


def noisy(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def save_as_keras_2(network, path):
    """What Keras 2.15 wrote: its own way of naming links between layers, and of naming options."""
    weights.save(network, path)
    config = network.get_config()
    for layer in config["layers"]:
        about = layer["config"]
        for key in ("module", "registered_name", "build_config"):
            layer.pop(key, None)
        about["dtype"] = "float32"
        if "batch_shape" in about:
            about["batch_input_shape"] = list(about.pop("batch_shape"))
        for key in ("kernel_initializer", "bias_initializer"):
            if key in about:
                about[key] = {"class_name": "GlorotUniform", "config": {"seed": None}}
        sources = [x for node in layer["inbound_nodes"] for x in histories(node["args"])]
        layer["inbound_nodes"] = [[[name, 0, 0, {}] for name in sources]] if sources else []
    config["input_layers"], config["output_layers"] = ([history(config[k])] for k in ("input_layers", "output_layers"))
    with h5py.File(path, "r+") as file:
        group = file.create_group("model_weights")
        for name in [*file.keys()]:
            if name != "model_weights":
                file.move(name, f"model_weights/{name}")
        for key in ("layer_names", "backend", "keras_version"):
            group.attrs[key] = file.attrs[key]
            del file.attrs[key]
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["training_config"] = json.dumps({"loss": "a_loss_of_their_own", "metrics": ["mean_iou"]})
    return path


def history(found):
    return found if isinstance(found[0], str) else found[0]


def histories(args):
    if isinstance(args, dict):
        return [args["config"]["keras_history"][0]]
    return [name for one in args for name in histories(one)]


def saved(network, path):
    network.save(path)
    return path


SAVED = {
    "Keras 2": lambda network, folder: save_as_keras_2(network, folder / "model.hdf5"),
    "h5": lambda network, folder: saved(network, folder / "model.h5"),
    "keras": lambda network, folder: saved(network, folder / "model.keras"),
}


@pytest.mark.parametrize("how", SAVED)
@pytest.mark.parametrize("dims", [2, 3])
def test_a_network_that_keras_saved_predicts_as_in_keras(how, dims, tmp_path):
    size = (32, 64)[:dims] if dims == 2 else (16, 16, 16)
    network = unet_of_the_notebooks(dims=dims, size=None, outputs=2, last="softmax")
    model = n2s.load(SAVED[how](network, tmp_path), scaling="none")
    image = noisy(*size, 1)
    expected = keras.ops.convert_to_numpy(network(image[None], training=False))[0]
    assert type(model) is ForeignModel
    np.testing.assert_allclose(model.predict_pixels(image), expected, atol=1e-6)
    np.testing.assert_allclose(model.predict(image[..., 0], "ZYX"[-dims:]), expected, atol=1e-6)


def test_a_network_made_for_images_of_one_size_is_applied_to_any_tile_by_tile_without_seams(tmp_path):
    network = unet_of_the_notebooks(size=32)
    model = n2s.load(saved(network, tmp_path / "model.keras"))
    assert model.architecture.block == (4, 4)
    image = noisy(203, 150, 1)
    whole = model.predict_pixels(image, tile=512)
    np.testing.assert_allclose(model.predict_pixels(image, tile=64), whole, atol=1e-6)


def padded(image):
    x = layers.Conv2D(3, 3)(layers.ZeroPadding2D(1)(image))
    x = layers.Conv2D(3, 5, strides=2, padding="same")(x)
    return layers.Conv2DTranspose(2, 4, strides=2, padding="same")(layers.LeakyReLU(0.2)(x))


def smooth(image):
    x = layers.AveragePooling2D(3, 3, padding="same")(image)
    x = layers.SeparableConv2D(4, 3, padding="same", activation="elu")(x)
    x = layers.UpSampling2D(3, interpolation="bilinear")(x)
    return layers.Conv2D(2, 1)(layers.Add()([x, layers.Conv2D(4, 1)(image)]))


def wide(image):
    x = layers.Conv2D(4, 3, dilation_rate=3, padding="same", groups=2)(layers.Rescaling(0.5, 1)(image))
    x = layers.MaxPooling2D(2, 1, padding="same")(layers.ReLU(6.0)(x))
    x = layers.DepthwiseConv2D(3, padding="same")(
        layers.Cropping2D(((0, 1), (2, 1)))(layers.ZeroPadding2D(((0, 1), (2, 1)))(x))
    )
    return layers.Conv2DTranspose(2, 3, padding="same")(x)


@pytest.mark.parametrize("make", [padded, smooth, wide])
def test_how_far_a_network_looks_is_known_from_its_layers(make, tmp_path):
    image = layers.Input((None, None, 2))
    network = keras.Model(image, make(image))
    shake(network)
    model = n2s.load(saved(network, tmp_path / "model.keras"), scaling="none")
    assert isinstance(model, ForeignDenoiser)
    image = noisy(48, 48, 2)
    np.testing.assert_allclose(model.predict_pixels(image), np.asarray(network(image[None]))[0], atol=1e-5)
    answer, furthest = np.asarray(model.network(image[None])), 0
    for place in range(20, 26):
        changed = image.copy()
        changed[place, place] += 10
        differs = np.abs(np.asarray(model.network(changed[None])) - answer)[0].max(-1) > 1e-6
        furthest = max(furthest, np.abs(np.argwhere(differs) - place).max())
    assert furthest <= max(model.architecture.reach) <= furthest + max(model.architecture.block)


def test_a_network_that_says_what_is_foreground_writes_labels_and_counts(tmp_path):
    network = unet_of_the_notebooks()
    file = saved(network, tmp_path / "model.h5")
    image = (noisy(64, 48) * 30 + 400).astype("uint16")
    tifffile.imwrite(tmp_path / "in.tif", image)
    low, high = np.percentile(image, (1, 99.8))
    seen = ((image - low) / (high - low)).astype("float32")
    probable = np.asarray(network_of_any_size(network)(seen[None, ..., None]))[0, ..., 0]
    threshold = float(np.median(probable))
    expected = probable > threshold
    assert predict(file, tmp_path / "in.tif", tmp_path / "out", "--threshold", threshold) == 0
    found = tifffile.imread(tmp_path / "out" / "in.tif")
    assert (found.astype(bool) == expected).mean() > 0.99
    assert 0.3 < expected.mean() < 0.7
    assert (tmp_path / "out" / "counts.csv").exists()


def network_of_any_size(network):
    config = network.get_config()
    config["layers"][0]["config"]["batch_shape"] = (None, None, None, 1)
    free = keras.Model.from_config(config)
    free.set_weights(network.get_weights())
    return free


def test_a_network_whose_outputs_are_unknown_writes_one_channel_each(tmp_path):
    file = saved(unet_of_the_notebooks(outputs=4, last="softmax"), tmp_path / "model.keras")
    image = noisy(2, 40, 40)
    tifffile.imwrite(tmp_path / "in.tif", image, imagej=True, metadata={"axes": "TYX"})
    assert predict(file, tmp_path / "in.tif", tmp_path / "out") == 0
    found = tifffile.imread(tmp_path / "out" / "in.tif")
    assert found.shape == (2, 4, 40, 40)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(np.moveaxis(found, 1, -1), n2s.load(file).predict(image, "TYX"))
    assert predict(file, tmp_path / "in.tif", tmp_path / "other", "--threshold", 0.6) == 2


# What is not opened


def evil(path, folder):
    """A file that makes another when Keras deserialises it."""
    code = marshal.dumps(compile(f"open({str(folder / 'RAN')!r}, 'w')", "x", "eval"))
    network = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(1, 1), layers.Lambda(lambda x: x)])
    network.save(path)
    function = {"class_name": "__lambda__", "config": {"code": base64.b64encode(code).decode(), "defaults": None}}
    change_config(path, lambda config: config["config"]["layers"][-1]["config"].update(function=function))
    return path


def change_config(path, change):
    """Change what a file says of its network."""
    if path.suffix != ".keras":
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A small U-Net, saved in the ways of Keras 3; not to be changed."""
    folder = tmp_path_factory.mktemp("plain")
    network = unet_of_the_notebooks()
    for ending in ("h5", "keras"):
        network.save(folder / f"model.{ending}")
    return folder


def refusal(path):
    with pytest.raises(UserError) as caught:
        n2s.load(path)
    words = str(caught.value)
    assert len(words) < 600
    return words


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_code_in_a_file_is_never_run(ending, tmp_path):
    file = evil(tmp_path / f"model.{ending}", tmp_path)
    assert "has a layer of the kind Lambda" in refusal(file)
    assert not (tmp_path / "RAN").exists()


class _Payload:
    def __reduce__(self):
        return os.system, ("touch RAN",)


def test_a_pickle_in_place_of_weights_is_never_opened(plain, tmp_path, monkeypatch):
    import pickle

    monkeypatch.chdir(tmp_path)
    for name in ("model.h5", "model.keras", "model.zip"):
        (tmp_path / name).write_bytes(pickle.dumps(_Payload()))
        assert "damaged" in refusal(tmp_path / name)
    shutil.copy(plain / "model.h5", "attribute.h5")
    with h5py.File("attribute.h5", "r+") as file:
        file.attrs["model_config"] = np.void(pickle.dumps(_Payload()))
    assert "damaged" in refusal(tmp_path / "attribute.h5")
    assert not (tmp_path / "RAN").exists()


CHANGES = {
    "a class of its own": (lambda c: c.update(class_name="MyModel"), "a class of its own, MyModel"),
    "a registered layer": (lambda c: c["config"]["layers"][1].update(registered_name="mine>Conv2D"), "mine>Conv2D"),
    "an activation of its own": (
        lambda c: c["config"]["layers"][1]["config"].update(activation={"class_name": "function", "config": "system"}),
        "the activation",
    ),
    "an unknown activation": (lambda c: c["config"]["layers"][1]["config"].update(activation="os.system"), "os.system"),
    "filters that are not there": (lambda c: c["config"]["layers"][1]["config"].update(filters=10_000), "damaged"),
    "filters of text": (lambda c: c["config"]["layers"][1]["config"].update(filters="4"), "damaged"),
    "a huge kernel": (lambda c: c["config"]["layers"][1]["config"].update(kernel_size=[10**9, 3]), "damaged"),
    "a layer from nowhere": (lambda c: c["config"].update(output_layers=["nothing", 0, 0]), "damaged"),
    "no layers": (lambda c: c["config"].update(layers=[]), "damaged"),
    "layers that are text": (lambda c: c["config"].update(layers="many"), "damaged"),
    "channels first": (
        lambda c: c["config"]["layers"][1]["config"].update(data_format="channels_first"),
        "channels before the pixels",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_a_description_of_anything_but_a_plain_network_is_refused(what, ending, plain, tmp_path):
    change, words = CHANGES[what]
    file = Path(shutil.copy(plain / f"model.{ending}", tmp_path))
    change_config(file, change)
    assert words in refusal(file)


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_file_that_was_cut_short_is_refused(ending, share, plain, tmp_path):
    data = (plain / f"model.{ending}").read_bytes()
    file = tmp_path / f"model.{ending}"
    file.write_bytes(data[: int(share * len(data))])
    assert "is damaged" in refusal(file)


def test_weights_without_a_network_are_refused_with_where_it_is(trained, tmp_path):
    assert f"Give its folder, {trained.run.path}" in refusal(trained.run / weights.BEST)
    shutil.copy(trained.run / weights.BEST, tmp_path)
    assert "Save the whole model" in refusal(tmp_path / weights.BEST)


REFUSED = {
    "a global mean": lambda x: layers.Conv2D(1, 1)(x) * layers.GlobalAveragePooling2D(keepdims=True)(x),
    "an output that is half as large": lambda x: layers.Conv2D(1, 1)(layers.MaxPooling2D(2)(x)),
    "an output that is smaller by its edges": lambda x: layers.Conv2D(1, 3)(x),
    "a layer used twice": lambda x: (lambda twice: twice(twice(x)))(layers.Conv2D(4, 3, padding="same")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_network_that_cannot_be_applied_tile_by_tile_is_refused(what, tmp_path):
    image = layers.Input((32, 32, 1))
    network = keras.Model(image, REFUSED[what](layers.Conv2D(4, 3, padding="same")(image)))
    assert re.search(r"cannot be opened, because its network has .*Use the software", refusal(
        saved(network, tmp_path / "model.keras")
    ))  # fmt: skip


def test_what_is_refused_ends_the_command_with_status_2(refused, tmp_path):
    file = evil(tmp_path / "model.keras", tmp_path)
    tifffile.imwrite(tmp_path / "in.tif", noisy(32, 32))
    said = refused("predict", "--run", file, "--images", tmp_path / "in.tif", "--out", tmp_path / "out")
    assert "nothing in a file is run" in said


# Packages


def package(folder, network, before=(), after=(), names=None, weights="keras_v3", axes="yx", packed=True):
    """A package of the BioImage Model Zoo, made by its own software."""
    from bioimageio.spec import save_bioimageio_package
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5 as v

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("weights.keras" if weights == "keras_v3" else "weights.h5")
    network.save(file)
    channels, outputs = network.input_shape[-1], network.output_shape[-1]
    size = (8, 16, 16)[-len(axes) :]
    np.save(folder / "in.npy", noisy(1, *size, channels))
    np.save(folder / "out.npy", noisy(1, *size, outputs))
    (folder / "README.md").write_text("A model.")

    def tensor(kind, name, count, called=None):
        steps = {"preprocessing": list(before)} if kind is v.InputTensorDescr else {"postprocessing": list(after)}
        called = called or [f"c{n}" for n in range(count)]
        space = [v.SpaceInputAxis(id=a, size=v.ParameterizedSize(min=8, step=8)) for a in axes]
        if kind is v.OutputTensorDescr:
            sizes = [v.SizeReference(tensor_id="image", axis_id=a) for a in axes]
            space = [v.SpaceOutputAxis(id=a, size=size) for a, size in zip(axes, sizes)]
        test = FileDescr(source=folder / ("in.npy" if kind is v.InputTensorDescr else "out.npy"))
        return kind(
            id=name, axes=[v.BatchAxis(), *space, v.ChannelAxis(channel_names=called)], test_tensor=test, **steps
        )

    kept = {
        "keras_v3": lambda: v.KerasV3WeightsDescr(
            source=file, keras_version=keras.__version__, backend=("tensorflow", "2.20.0")
        ),
        "keras_hdf5": lambda: v.KerasHdf5WeightsDescr(source=file, tensorflow_version="2.15.0"),
    }[weights]()
    about = dict(  # noqa: C408
        name="A small U-Net", description="For tests", authors=[{"name": "Nobody"}], cite=[{"text": "No paper", "url":
        "https://example.org"}], license="MIT", documentation=FileDescr(source=folder / "README.md"),
        inputs=[tensor(v.InputTensorDescr, "image", channels)],
        outputs=[tensor(v.OutputTensorDescr, "answer", outputs, names)],
        weights=v.WeightsDescr(**{weights: kept}),
    )  # fmt: skip
    described = v.ModelDescr(**about)
    made = save_bioimageio_package(described, output_path=folder / "model.zip")
    if packed:
        return Path(made)
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def said_by_their_software(path, image):
    """What bioimageio.core predicts from (Y, X, C)."""
    from bioimageio.core import Sample, Tensor, create_prediction_pipeline
    from bioimageio.core.digest_spec import get_member_ids
    from bioimageio.spec import load_model_description

    described = load_model_description(path)
    [member] = get_member_ids(described.inputs)
    axes = [axis.id for axis in described.inputs[0].axes]
    with create_prediction_pipeline(described, weight_format=None) as pipeline:
        sample = Sample(members={member: Tensor.from_numpy(image[None], dims=axes)}, stat={}, id="one")
        found = pipeline.predict_sample_without_blocking(sample)
    return np.asarray(found.members["answer"].data)[0]


EACH = ["channel", "y", "x"]
STEPS = {
    "nothing": ([], []),
    "fixed": (
        [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 300.0, "std": 25.0}}],
        [{"id": "scale_linear", "kwargs": {"gain": 25.0, "offset": 300.0}}],
    ),
    "fixed for each channel": (
        [
            {
                "id": "fixed_zero_mean_unit_variance",
                "kwargs": {"mean": [300.0, 310], "std": [25.0, 5], "axis": "channel"},
            }
        ],
        [{"id": "scale_linear", "kwargs": {"gain": [25.0, 5], "offset": [300.0, 1], "axis": "channel"}}],
    ),
    "of each image": ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": EACH}}], []),
    "of each channel": ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": 1e-5}}], []),
    "percentiles": (
        [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 1.0, "max_percentile": 99.8}},
            {"id": "clip", "kwargs": {"min": 0.1, "max": 0.8}},
        ],
        [{"id": "sigmoid"}],
    ),
}


@pytest.mark.parametrize("steps", STEPS)
def test_a_package_predicts_what_their_software_predicts(steps, tmp_path):
    pytest.importorskip("bioimageio.core")
    before, after = STEPS[steps]
    network = unet_of_the_notebooks(outputs=2, last="linear", channels=2, size=None)
    path = package(tmp_path, network, before, after)
    image = noisy(48, 64, 2) * 30 + 300
    expected = said_by_their_software(path, image)
    model = n2s.load(path)
    assert isinstance(model, ForeignModel if steps == "percentiles" else ForeignDenoiser)
    np.testing.assert_allclose(model.predict(image, "YXC"), expected, atol=1e-4 * np.ptp(expected))
    np.testing.assert_allclose(model.predict(image, "YXC", tile=64), expected, atol=1e-4 * np.ptp(expected))


def test_a_package_in_an_unpacked_folder_with_weights_of_keras_2_predicts_too(tmp_path):
    network = unet_of_the_notebooks(last="sigmoid", size=None)
    after = [{"id": "binarize", "kwargs": {"threshold": 0.6}}]
    path = package(tmp_path, network, [], after, weights="keras_hdf5", packed=False)
    image = noisy(48, 64)
    model = n2s.load(path)
    expected = np.asarray(network(image[None, ..., None]))[0, ..., 0] > 0.6
    assert isinstance(model, ForeignSegmenter)
    np.testing.assert_array_equal(model.predict(image, "YX"), expected)


def test_a_package_of_volumes_predicts_too(tmp_path):
    network = unet_of_the_notebooks(last="linear", size=None, dims=3)
    step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "z", "y", "x"]}}
    model = n2s.load(package(tmp_path, network, [step], axes="zyx"))
    image = noisy(8, 16, 16) + 4
    expected = np.asarray(network(((image - image.mean()) / (image.std() + 1e-6))[None, ..., None]))[0, ..., 0]
    np.testing.assert_allclose(model.predict(image, "ZYX"), expected, atol=1e-4 * np.ptp(expected))


def test_a_package_that_says_what_is_inside_and_border_finds_objects(tmp_path):
    network = unet_of_the_notebooks(outputs=3, last="softmax", size=None)
    path = package(tmp_path, network, names=["background", "inside", "border"])
    image = noisy(64, 64)
    model = n2s.load(path)
    expected = model.find(np.asarray(network(image[None, ..., None]))[0])
    np.testing.assert_array_equal(model.predict(image, "YX"), expected)
    tifffile.imwrite(tmp_path / "image.tif", image)
    assert predict(path, tmp_path / "image.tif", tmp_path / "out", "--outlines", "imagej") == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "image.tif"), expected)


@pytest.fixture
def unpacked(plain, tmp_path):
    """A small package as plain files, and a function that changes its description."""
    folder = tmp_path / "package"
    folder.mkdir()
    shutil.copy(plain / "model.keras", folder / "weights.keras")
    space = [{"type": "space", "id": axis, "size": {"min": 8, "step": 8}} for axis in "yx"]
    axes = [{"type": "batch"}, *space, {"type": "channel", "channel_names": ["c"]}]
    about = {
        "type": "model",
        "format_version": "0.5.4",
        "inputs": [{"id": "image", "axes": axes, "preprocessing": []}],
        "outputs": [{"id": "answer", "axes": axes}],
        "weights": {"keras_v3": {"source": "weights.keras"}},
    }

    def change(update):
        update(about)
        (folder / "rdf.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
        return folder

    change(lambda about: None)
    return change


def test_limits_that_a_package_leaves_open_are_open(unpacked):
    model = n2s.load(unpacked(steps({"id": "clip", "kwargs": {"min": None, "max": 0.5}})))
    np.testing.assert_array_equal(model.normalisation.apply(np.float32([[[-3.0], [0.7]]])), [[[-3.0], [0.5]]])


def weights_from(source):
    return lambda about: about.update(weights={"keras_v3": {"source": source}})


def steps(step):
    return lambda about: about["inputs"][0].update(preprocessing=[step])


UNFIT = {
    "one of ours that is not": (
        lambda a: a.update(config={"n2seg": {"network": {}}}),
        "was exported by n2seg, but is damaged",
    ),
    "a scale for other channels": (
        steps({"id": "scale_linear", "kwargs": {"gain": [1.0, 2.0, 3.0], "offset": 0.0}}),
        "steps for another number of channels",
    ),
    "only weights of torch": (
        lambda a: a.update(weights={"pytorch_state_dict": {"source": "w.pt"}}),
        "no weights for Keras .*but pytorch_state_dict",
    ),
    "a SavedModel that is missing": (
        lambda a: a.update(weights={"tensorflow_saved_model_bundle": {"source": "tf.zip"}}),
        r"tf\.zip",
    ),
    "weights above": (weights_from("../weights.keras"), "which is not in it"),
    "weights elsewhere": (weights_from("/etc/passwd"), "which is not in it"),
    "weights elsewhere on Windows": (weights_from("..\\weights.keras"), "which is not in it"),
    "weights to download": (weights_from("https://example.org/weights.keras"), "nothing else is opened or downloaded"),
    "weights that are missing": (weights_from("other.keras"), r"other\.keras"),
    "other weights": (
        lambda a: a["weights"]["keras_v3"].update(sha256="0" * 64),
        "is not the file that the package was made with",
    ),
    "a step that runs code": (
        steps({"id": "custom", "kwargs": {"callable": "f", "source": "f.py"}}),
        "the step 'custom'.* would run code",
    ),
    "a step without numbers": (steps({"id": "scale_linear", "kwargs": {"gain": "much"}}), "does not say clearly"),
    "two inputs": (lambda a: a.update(inputs=a["inputs"] * 2), "does not describe its model"),
    "no weights": (lambda a: a.pop("weights"), "does not describe its model"),
    "a data set": (lambda a: a.update(type="dataset"), "is no model but 'dataset'"),
    "axes of torch": (
        lambda a: a["inputs"][0].update(axes=[a["inputs"][0]["axes"][i] for i in (0, 3, 1, 2)]),
        "last the channels",
    ),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_package_that_cannot_be_opened_says_why_in_a_sentence(what, unpacked, tmp_path):
    change, words = UNFIT[what]
    shutil.copy(next((tmp_path / "package").glob("*.keras")), tmp_path / "weights.keras")
    folder = unpacked(change)
    assert re.search(words, refusal(folder))
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert re.search(words, refusal(packed))


def test_a_package_as_it_was_made_opens(unpacked, tmp_path):
    folder = unpacked(lambda about: None)
    digest = hashlib.sha256((folder / "weights.keras").read_bytes()).hexdigest()
    unpacked(lambda about: about["weights"]["keras_v3"].update(sha256=digest))
    for path in (folder, shutil.make_archive(str(tmp_path / "packed"), "zip", folder)):
        assert isinstance(n2s.load(path), ForeignSegmenter)


@pytest.mark.parametrize("axes", ["byxc", "bxyc"])
def test_a_package_of_the_time_before_version_0_5_predicts_too(axes, unpacked, tmp_path):
    network = unet_of_the_notebooks(size=None, last="linear")
    folder = unpacked(lambda about: None)
    network.save(folder / "old.h5")
    step = {"name": "scale_range", "kwargs": {"axes": "xy", "mode": "per_sample", "min_percentile": 1, "eps": 1e-5}}
    unpacked(
        lambda about: about.update(
            format_version="0.3.6",
            inputs=[{"name": "image", "axes": axes, "preprocessing": [step]}],
            outputs=[{"name": "answer", "axes": axes}],
            weights={"keras_hdf5": {"source": "old.h5"}},
        )
    )
    image = noisy(32, 48)
    low, high = np.percentile(image, (1, 100))
    seen = ((image - low) / (high - low + 1e-5))[None, ..., None]
    turned = seen.transpose(0, 2, 1, 3) if axes == "bxyc" else seen
    expected = np.asarray(network(turned))[0, ..., 0]
    expected = expected.T if axes == "bxyc" else expected
    np.testing.assert_allclose(n2s.load(folder).predict(image, "YX"), expected, atol=1e-4 * np.ptp(expected))


def test_a_package_with_code_in_its_network_runs_nothing(unpacked, tmp_path):
    folder = unpacked(lambda about: None)
    evil(folder / "weights.keras", tmp_path)
    assert "a layer of the kind Lambda" in refusal(folder)
    assert not (tmp_path / "RAN").exists()


def test_a_description_that_makes_objects_makes_none(unpacked, tmp_path):
    folder = unpacked(lambda about: None)
    (folder / "rdf.yaml").write_text(f"type: !!python/object/apply:os.system ['touch {tmp_path / 'RAN'}']")
    assert "does not describe its model" in refusal(folder)
    assert not (tmp_path / "RAN").exists()


def test_a_link_in_a_package_leads_nowhere_else(unpacked, tmp_path):
    folder = unpacked(lambda about: None)
    shutil.move(folder / "weights.keras", tmp_path / "secret.keras")
    (folder / "weights.keras").symlink_to(tmp_path / "secret.keras")
    assert "which is not in it" in refusal(folder)


def test_broken_zips_and_zips_of_something_else_are_refused(unpacked, tmp_path):
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", unpacked(lambda about: None)))
    data = packed.read_bytes()
    for share in (0, 0.4, 0.99):
        packed.write_bytes(data[: int(len(data) * share)])
        assert "is damaged, or not a packed model" in refusal(packed)
    for place in np.random.default_rng(0).integers(0, len(data), 30):
        changed = bytearray(data)
        changed[place] ^= 255
        packed.write_bytes(changed)
        try:
            n2s.load(packed)
        except UserError as error:
            assert len(str(error)) < 600  # noqa: PT017
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "it has no rdf.yaml" in refusal(packed)


def test_a_zip_that_unpacks_to_gigabytes_is_refused(unpacked, tmp_path):
    folder = unpacked(lambda about: None)
    with open(folder / "weights.keras", "wb") as file:
        file.truncate(300_000_000)
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert os.path.getsize(packed) < 2e6
    assert "is damaged" in refusal(packed)


OURS = [
    {"depth": 1},
    {"depth": 3, "width": 2, "kernel_size": 5},
    {"blur_pool": True, "top_skip": False, "narrow_decoder": True},
    {"batch_norm": True, "residual": True, "dropout": 0.1},
    {"dims": 3, "pool_z": 1},
    {"dims": 3, "depth": 1, "outputs": 4, "last_activation": "softmax"},
]


@pytest.mark.parametrize("more", OURS)
def test_our_own_networks_open_from_keras_files_and_look_as_far_as_we_say(more, tmp_path):
    architecture = Architecture(**({"width": 4} | more))
    network = unet(architecture)
    model = n2s.load(saved(network, tmp_path / "model.keras"), scaling="none")
    assert (model.architecture.block, model.architecture.reach) == (architecture.block, architecture.reach)
    image = noisy(*(16,) * architecture.dims, 1)
    expected = np.asarray(network(image[None], training=False))[0]
    np.testing.assert_allclose(model.predict_pixels(image), expected, atol=1e-5)
