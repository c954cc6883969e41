"""A way down that Keras has: it looks as far as it says, tiles have no seams, and weights come only if asked for."""

import functools
import http.server
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from n2seg_utils import SegmentSettings, UserError, load, train_segmenter
from n2seg_utils.data.samples import make_image
from n2seg_utils.exchange.export import export
from n2seg_utils.learning import encoders
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.precision import learner
from n2seg_utils.models import weights
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.models.transfer import put_encoder
from n2seg_utils.settings import ExportSettings, JointSettings

from .conftest import SMALL

NAME = "mobilenet_v2"
TINY = SMALL | {"epochs": 2, "steps_per_epoch": 2, "network_depth": 2, "encoder": NAME}


def architecture(**more):
    return Architecture(**({"depth": 2, "width": 4, "outputs": 3, "batch_norm": True, "encoder": NAME} | more))


def settings(sample, run, **more):
    return SegmentSettings(images=str(sample / "images"), masks=str(sample / "masks"), run=str(run), **(TINY | more))


@pytest.fixture(scope="module")
def trained(sample, tmp_path_factory):
    return train_segmenter(settings(sample, tmp_path_factory.mktemp("encoder") / "run"))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_no_pixel_looks_further_than_the_reach(depth):
    """By gradients, with positive weights that let every connection show and keep every value below six."""
    a = architecture(depth=depth, width=2)
    network = unet(a)
    for layer in network.layers:
        for weight in layer.weights:
            if "kernel" in weight.path:
                per = np.prod(weight.shape[:2]) * (1 if "Depthwise" in type(layer).__name__ else weight.shape[2])
                weight.assign(np.full(weight.shape, 1 / per))
    [reach, _], [block, _] = a.reach, a.block
    side = -(-(2 * reach + 3 * block) // block) * block
    image, furthest = tf.ones((1, side, block, 1)), 0
    for step in {0, block - 1}:
        place = side // 2 // block * block + step
        with tf.GradientTape() as tape:
            tape.watch(image)
            answer = tf.reduce_sum(network(image)[:, place])
        [seen] = np.nonzero(tape.gradient(answer, image).numpy().any(axis=(0, 2, 3)))
        furthest = max(furthest, place - seen.min(), seen.max() - place)
    assert reach - block <= furthest <= reach


def test_an_encoder_is_for_planes_and_has_a_largest_depth():
    for wrong in ({"dims": 3}, {"depth": 6}, {"encoder": "vgg"}, {"in_turn": True}, {"channels": 2, "together": False}):
        with pytest.raises(ValueError, match="encoder"):
            architecture(**wrong)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_number_of_channels_goes_in(channels):
    network = unet(architecture(channels=channels, outputs=4))
    assert network(np.zeros((1, 32, 48, channels), "float32")).shape == (1, 32, 48, 4)


def test_it_learns_in_sixteen_bits_too():
    network = unet(architecture())
    with learner(network, "mixed_bfloat16") as copy:
        assert copy.get_layer("block_1_expand").compute_dtype == "bfloat16"
        assert copy(np.zeros((1, 32, 32, 1), "float32")).dtype == "float32"


def test_a_saved_network_opens_without_our_code(tmp_path):
    network, image = unet(architecture()), np.random.default_rng(0).random((1, 32, 32, 1)).astype("float32")
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    np.testing.assert_allclose(again(image), network(image), atol=1e-6)
    assert {type(layer).__module__.split(".")[0] for layer in again.layers} == {"keras"}


def test_a_run_with_an_encoder_opens_again_and_tiles_have_no_seams(trained):
    again = Segmenter.load(trained.run.path)
    assert again.architecture.encoder == NAME
    image = make_image("nuclei", 3, shape=(230, 190))[0][..., None]
    whole = trained.predict_probabilities(image, tile=512)
    np.testing.assert_array_equal(again.predict_probabilities(image, tile=512), whole)
    np.testing.assert_allclose(trained.predict_probabilities(image, tile=112), whole, atol=2e-5)
    assert np.ptp(whole) > 0.01


def test_a_package_for_other_programs_opens_and_says_the_same(trained, tmp_path):
    export(trained, tmp_path / "model.zip", ExportSettings(format="bioimageio"))
    image = make_image("nuclei", 4, shape=(96, 96))[0]
    np.testing.assert_array_equal(load(tmp_path / "model.zip").predict(image, "YX"), trained.predict(image, "YX"))


def test_it_becomes_a_savedmodel_that_is_tried_before_it_is_written(trained, tmp_path):
    export(trained, tmp_path / "saved.zip", ExportSettings(format="savedmodel"))
    assert (tmp_path / "saved.zip").stat().st_size > 1000


def test_a_model_with_an_encoder_can_be_trained_further_and_its_encoder_kept(trained, sample, tmp_path):
    more = {"pretrained": str(trained.run.path), "freeze": "encoder", "encoder": "none"}
    further = train_segmenter(settings(sample, tmp_path / "run", **more))
    assert further.settings.encoder == further.architecture.encoder == NAME
    layer = [model.network.get_layer("block_1_depthwise").get_weights()[0] for model in (trained, further)]
    np.testing.assert_array_equal(*layer)
    assert "block_1_depthwise" in further.run.facts()["start"]["frozen"]


def test_joint_training_cannot_start_from_it_and_says_so(trained):
    from n2seg_utils.models.transfer import open_start

    with pytest.raises(UserError, match="only segmentation can go on"):
        open_start(JointSettings(pretrained=str(trained.run.path)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"encoder": NAME, "dimensions": "3d"}, "use none, or dimensions 2d"),
        ({"encoder_weights": "imagenet"}, "no encoder"),
        ({"encoder": NAME, "encoder_weights": "imagenet", "pretrained": "a"}, "the model to start from"),
        ({"encoder": NAME, "labels": "teacher"}, "the student says"),
        ({"encoder": NAME, "freeze": "encoder"}, "no model to start from"),
        ({"encoder": NAME, "encoder_weights": "imagenet", "freeze": "all_but_last"}, "no model to start from"),
        ({"encoder": "vgg16"}, "must be one of none, mobilenet_v2"),
    ],
)
def test_settings_that_do_not_go_together_are_told(wrong, words):
    with pytest.raises(UserError, match=words):
        SegmentSettings(**wrong).check()
    SegmentSettings(encoder=NAME, encoder_weights="imagenet", freeze="encoder").check()


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """Keras finds "weights of ImageNet" on a server on this machine, and nothing in its cache."""
    from keras.src.applications import mobilenet_v2
    from keras.src.utils import file_utils

    site = tmp_path / "site"
    site.mkdir()
    keras.utils.set_random_seed(5)
    theirs = keras.applications.MobileNetV2(input_shape=(224, 224, 3), include_top=False, weights=None)
    # Keras offers them in the layout of Keras 2.
    weights.save(theirs, site / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5")
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{server.server_address[1]}/")
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    yield theirs, asked, site
    server.shutdown()
    server.server_close()


def test_weights_are_downloaded_once_only_if_asked_for_and_can_be_kept_as_they_are(photographs, sample, tmp_path):
    theirs, asked, _ = photographs
    train_segmenter(settings(sample, tmp_path / "none"))
    assert not asked
    for name in ("one", "two"):
        model = train_segmenter(
            settings(sample, tmp_path / name, encoder_weights="imagenet", freeze="encoder"), on_tuning=None
        )
    assert len(asked) == 1
    kernel = theirs.get_layer("block_2_depthwise").get_weights()[0]
    np.testing.assert_array_equal(model.network.get_layer("block_2_depthwise").get_weights()[0], kernel)
    started = model.run.facts()["start"]
    assert started["from"] == "mobilenet_v2, as it was trained with ImageNet"
    assert {"block_2_depthwise", "Conv1"} <= set(started["frozen"])
    assert "output" in started["new"]
    assert Segmenter.load(model.run.path).architecture.encoder == NAME


def test_weights_are_given_by_name_and_learn_unless_they_are_frozen(photographs):
    stored = encoders.fetch(NAME)
    for what in ("nothing", "encoder"):
        network = unet(architecture())
        told = put_encoder(network, NAME, stored, what)
        layer = network.get_layer("block_1_project")
        np.testing.assert_array_equal(layer.get_weights()[0], stored["block_1_project"][0])
        assert layer.trainable == (what == "nothing")
        assert network.get_layer("output").trainable
        assert bool(told["frozen"]) == (what == "encoder")


@pytest.mark.parametrize("how", ["missing", "damaged", "no connection"])
def test_a_download_that_fails_leaves_nothing_and_names_the_remedy(photographs, sample, tmp_path, monkeypatch, how):
    from keras.src.applications import mobilenet_v2

    [file] = photographs[2].iterdir()
    if how == "no connection":
        monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", "http://127.0.0.1:1/")
    else:
        file.unlink() if how == "missing" else file.write_bytes(b"cut short")
    with pytest.raises(UserError, match=r"weights of mobilenet_v2.*or use encoder_weights none"):
        train_segmenter(settings(sample, tmp_path / "run", encoder_weights="imagenet"))
    assert not (tmp_path / "run" / "run.json").exists()
