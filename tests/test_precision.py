"""Training in 16 bits: chosen where it helps, written down, and nothing of it left in what is predicted."""

import json

import keras
import numpy as np
import pytest
import tifffile

from n2seg_utils import DenoiseSettings, SegmentSettings
from n2seg_utils.errors import UserError
from n2seg_utils.learning import device, distribution, networks, precision
from n2seg_utils.learning.plan import prepare
from n2seg_utils.models.denoise_training import DenoiseWork, train_denoiser
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.segment_training import train_segmenter
from n2seg_utils.settings import JointSettings

from .conftest import TINY
from .test_resume import Impatient, courses, require_same

MIXED = TINY | {"precision": "mixed", "batch_size": 4}


@pytest.mark.parametrize(
    ("capability", "setting", "policy"),
    [
        (None, "auto", "float32"),
        (None, "mixed", "mixed_bfloat16"),
        (None, "float32", "float32"),
        ((6, 1), "auto", "float32"),
        ((6, 1), "mixed", "mixed_float16"),
        ((7, 5), "auto", "mixed_float16"),
        ((9, 0), "auto", "mixed_float16"),
        ((9, 0), "float32", "float32"),
    ],
)
def test_auto_is_mixed_on_gpus_that_gain_from_it_and_nowhere_else(capability, setting, policy, monkeypatch):
    monkeypatch.setattr(distribution, "compute_capability", lambda: capability)
    monkeypatch.setattr(device, "has_gpu", lambda: capability is not None)
    assert precision.chosen(setting) == policy


def test_precision_is_a_setting_of_all_trainings():
    for kind in (DenoiseSettings, SegmentSettings, JointSettings):
        about = kind.knobs()["precision"]
        assert about.advanced
        assert about.choices == ("auto", "float32", "mixed")
        assert kind().precision == "auto"
    assert "use mixed" in DenoiseSettings(precision="mixd").problems()["precision"]


@pytest.mark.parametrize(
    "architecture",
    [
        networks.Architecture(width=4, depth=1, batch_norm=True, residual=True),
        networks.Architecture(width=4, depth=2, channels=2, together=False, narrow_decoder=True),
        networks.Architecture(dims=3, width=4, depth=1, blur_pool=True, top_skip=False, last_activation="softmax"),
        networks.Architecture(width=4, depth=1, outputs=4, batch_norm=True, in_turn=True),
    ],
)
def test_a_learner_computes_in_16_bits_but_ends_in_float32_and_keeps_float32_weights(architecture):
    network, half = networks.unet(architecture), architecture.dims == 2  # processors pool no volumes in float16
    with precision.learner(network, precision.HALF if half else precision.BRAIN) as learner:
        assert learner is not network
        require_same(learner.get_weights(), network.get_weights())
        assert precision.computes_in(learner) == ("float16" if half else "bfloat16")
        assert {weight.dtype for weight in learner.weights} == {"float32"}
        last = [layer for layer in learner.layers if layer.name.endswith("output")]
        assert {layer.compute_dtype for layer in [*last, learner.layers[-1]]} == {"float32"}
        image = np.random.default_rng(1).normal(size=(1, *(8,) * architecture.dims, architecture.channels))
        answer = keras.ops.convert_to_numpy(learner(image.astype("float32")))
        assert answer.dtype == "float32"
        np.testing.assert_allclose(answer, network(image.astype("float32")), atol=0.02 if half else 0.1)
        learner.layers[1].set_weights([weight + 1 for weight in learner.layers[1].get_weights()])
    require_same(network.get_weights(), learner.get_weights())
    assert precision.computes_in(network) == "float32"


def test_float32_on_one_device_learns_with_the_network_itself():
    network = networks.unet(networks.Architecture(width=4, depth=1))
    with precision.learner(network, precision.FLOAT32) as learner:
        assert learner is network


def test_volumes_in_float16_are_not_gone_on_with_without_a_gpu():
    flat, deep = (networks.unet(networks.Architecture(dims=dims, width=4, depth=1)) for dims in (2, 3))
    precision.require_able(precision.HALF, flat)
    precision.require_able(precision.BRAIN, deep)
    with pytest.raises(UserError, match="with a GPU"):
        precision.require_able(precision.HALF, deep)


def test_small_gradients_are_kept_by_scaling_the_loss_in_float16_only():
    network = networks.unet(networks.Architecture(width=4, depth=1))
    for policy, scaled in ((precision.HALF, True), (precision.BRAIN, False), (precision.FLOAT32, False)):
        with precision.learner(network, policy) as learner:
            training = keras.Model()
            training.network = learner
            prepare(training)
        assert isinstance(training.optimizer, keras.optimizers.LossScaleOptimizer) is scaled


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_trained_in_16_bits_says_so_and_predicts_in_float32(policy, sample, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "BRAIN", policy)
    settings = DenoiseSettings(images=str(sample / "images"), run=str(tmp_path / "run"), **MIXED)
    shown = []

    class Looking(Impatient):
        def epoch(self, row, plan, preview):
            shown.append(preview()["denoised"])

    model = train_denoiser(settings, Looking())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["precision"] == policy
    assert all(np.isfinite(plane).all() for plane in shown)
    assert not np.array_equal(*shown), "what is shown is what was learned by then"
    assert precision.computes_in(model.network) == "float32"
    loaded = Denoiser.load(tmp_path / "run")
    assert precision.computes_in(loaded.network) == "float32"
    require_same(model.network.get_weights(), loaded.network.get_weights())
    for number, one in enumerate((model, loaded)):
        one.predict_folder(sample / "images", tmp_path / str(number))
    for file in sorted((tmp_path / "0").glob("*.tif")):
        np.testing.assert_array_equal(tifffile.imread(file), tifffile.imread(tmp_path / "1" / file.name))


def test_16_bits_learn_what_float32_learns(sample, tmp_path):
    losses = {}
    for setting in ("float32", "mixed"):
        run = tmp_path / setting
        changed = {"precision": setting, "steps_per_epoch": 15, "images": str(sample / "images"), "run": str(run)}
        losses[setting] = train_denoiser(DenoiseSettings(**MIXED | changed)).run.history()[-1]["val_loss"]
    assert losses["mixed"] == pytest.approx(losses["float32"], rel=0.1)


def test_a_training_in_16_bits_that_is_stopped_goes_on_to_the_same_end_in_the_same_precision(
    sample, tmp_path, monkeypatch
):
    monkeypatch.setattr(precision, "BRAIN", precision.HALF)  # with the scale of the loss, which is kept too
    common = MIXED | {"images": str(sample / "images"), "epochs": 3}
    whole = train_denoiser(DenoiseSettings(run=str(tmp_path / "whole"), **common))
    DenoiseWork(DenoiseSettings(run=str(tmp_path / "run"), **common)).train(Impatient(step=6))
    monkeypatch.setattr(precision, "BRAIN", "mixed_bfloat16")  # another machine, which would choose otherwise
    again = resume(Past(tmp_path / "run"))
    assert again.run.facts()["precision"] == precision.HALF
    assert courses(again.run.history()) == courses(whole.run.history())
    require_same(again.network.get_weights(), whole.network.get_weights())


def test_a_frozen_model_to_start_from_stays_frozen_in_16_bits(segmenter, sample, tmp_path):
    settings = SegmentSettings(
        images=str(sample / "images"), masks=str(sample / "masks"), run=str(tmp_path / "run"),
        pretrained=str(segmenter.run.path), freeze="encoder", **MIXED,
    )  # fmt: skip
    model = train_segmenter(settings)
    name = "down_level_0_no_0"
    require_same(model.network.get_layer(name).get_weights(), segmenter.network.get_layer(name).get_weights())
