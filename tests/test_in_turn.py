"""Joint training by two networks in turn: one denoises, and another segments what the first makes of the images."""

import re

import keras
import numpy as np
import pytest
import tifffile
from keras import ops

from n2seg_utils import UserError
from n2seg_utils.learning.in_turn import InTurnTraining
from n2seg_utils.learning.networks import FIRST, SECOND, Architecture, in_turn, unet
from n2seg_utils.learning.plan import Plan, plan_for_minutes
from n2seg_utils.learning.rates import cosine, successive
from n2seg_utils.learning.training import train
from n2seg_utils.models import methods
from n2seg_utils.models.joint import JointModel
from n2seg_utils.models.joint_training import JointWork, train_joint
from n2seg_utils.settings import JointSettings

from .conftest import TINY
from .test_joint_training import nuclei, settings, written


@pytest.fixture
def work(tmp_path):
    """A training on four images, two of them annotated."""
    images, masks = nuclei(4)
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})
    return JointWork(settings(folder, tmp_path / "run", schedule="in_turn"))


@pytest.fixture
def training(work):
    """The same, as Keras knows it."""
    return work.training(unet(work.model.architecture), work.model.settings)


def weights(network, of):
    """The weights of one of the two networks."""
    return [w.copy() for layer in network.layers if layer.name.startswith(of) for w in layer.get_weights()]


def require_equal(one, other):
    for now, then in zip(one, other, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_second_network_sees_nothing_but_what_the_first_makes_of_the_image():
    network = unet(Architecture(channels=2, outputs=5, depth=1, width=4, in_turn=True, batch_norm=True))
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 2)).astype("float32")
    both = ops.convert_to_numpy(network(image))
    denoiser, segmenter = in_turn(network)
    np.testing.assert_array_equal(both[..., :2], denoiser(image))
    np.testing.assert_allclose(both[..., 2:], segmenter(both[..., :2]), atol=1e-6)
    assert {id(v) for v in (*denoiser.variables, *segmenter.variables)} == {id(v) for v in network.variables}


def test_each_part_of_the_training_teaches_one_network_and_leaves_the_other_as_it_is(training):
    begun, seen = [weights(training.network, of) for of in (FIRST, SECOND)], []
    outcome = train(
        training, Plan(4, 3, 0.01), refills=[lambda training, epoch: seen.append(training.network.get_weights())],
        on_epoch=lambda row, best: seen.append([weights(training.network, of) for of in (FIRST, SECOND)]),
    )  # fmt: skip
    first, second = ([parts[n] for parts in seen if len(parts) == 2] for n in (0, 1))
    require_equal(second[1], begun[1])
    assert (first[1][0] != begun[0][0]).any()
    require_equal(first[3], first[1])
    assert (second[3][0] != second[1][0]).any()
    assert [row["score"] for row in outcome.history[:2]] == [0, 0]
    assert outcome.best_epoch in (3, 4), "before, scores mean nothing"


def test_the_second_network_takes_steps_as_large_as_if_none_had_been_taken_before():
    """Adam counts all steps, but its means of the second network's gradients begin when that is taught."""
    rate = cosine(0.01, 40)
    rates = successive(cosine(0.01, 500), 500, rate, others=True)
    first, second, alone = (keras.Variable([3.0, -1.0]) for _ in range(3))
    both, single = keras.optimizers.Adam(), keras.optimizers.Adam()
    both.build([first, second])
    single.build([alone])
    for step in range(500):
        both.learning_rate = rates(step)
        both.apply([ops.convert_to_tensor([0.3, 0.1])], [first])
    for step in range(40):
        both.learning_rate, single.learning_rate = rates(500 + step), rate(step)
        for optimizer, value in ((both, second), (single, alone)):
            optimizer.apply([2 * value - 1 + 0.1 * np.sin(step)], [value])
        np.testing.assert_allclose(ops.convert_to_numpy(second), ops.convert_to_numpy(alone), rtol=1e-5)
    assert InTurnTraining.others


def test_annotated_images_are_denoised_whole_before_patches_are_drawn_and_only_once(training, work):
    before = np.array(training.patches.pixels)
    shown = []
    training.restore = lambda network, image: (shown.append(image.shape), image + 1)[1]
    train(training, Plan(4, 3, 0.01))
    after = np.array(training.patches.pixels)
    np.testing.assert_allclose(after[:, 0], before[:, 0] + 1, rtol=1e-6)
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:], "annotations stay what they are")
    assert shown == [(96, 96, 1)] * 2, "the one that trains and the one that validates"


def test_other_blocks_of_large_images_are_denoised_too(training, work):
    frames, shown = work.pools["train"], []
    training.restore = lambda network, image: (shown.append(1), image)[1]
    train(training, Plan(4, 3, 0.01), refills=[lambda training, epoch: training.patches.refill(frames)])
    assert len(shown) == 3, "each of the two epochs that segment brings others; validation stays"


def test_images_are_denoised_in_training_as_they_are_when_all_is_done(work):
    model = work.train()
    image = work.images[0]
    scale = model.normalisation.for_image(image)
    [pixels] = [frame.read(slice(0, 96), slice(0, 96)) for frame in image.frames(2)]
    known = model.restore(in_turn(model.network)[0], scale.apply(pixels))
    np.testing.assert_allclose(scale.undo(known), model.predict_both(pixels, scale)[0], rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(
    ("side", "algorithm", "noisy"),
    [
        (32, "n2v", (4, 32)),
        (64, "n2v", (4, 64)),
        (96, "n2v", (9, 64)),
        (128, "n2v", (16, 64)),
        (96, "structn2v", (4, 96)),
    ],
)
def test_a_step_that_denoises_sees_as_many_pixels_in_smaller_patches_of_more_places(side, algorithm, noisy, tmp_path):
    images, masks = nuclei(4, (128, 160))
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})
    more = {"patch_size": side, "batch_size": 8, "algorithm": algorithm, "struct_axis": "vertical", "struct_length": 63}
    work = JointWork(settings(folder, tmp_path / "run", schedule="in_turn", **more))
    training = work.training(unet(work.model.architecture), work.model.settings)
    for use, leading, expected in ((True, True, noisy), (False, True, noisy), (True, False, (8, side))):
        training.begin_epoch(0, int(leading), fresh=True)
        answer, _ = training(np.array([1]), training=use)
        assert answer.shape[:3] == (expected[0], expected[1], expected[1])


def test_planning_by_time_measures_both_parts_and_takes_nothing_away(training):
    before, pixels = training.network.get_weights(), np.array(training.patches.pixels)
    plan = plan_for_minutes(training, 0.05, 0.01)
    require_equal(training.network.get_weights(), before)
    np.testing.assert_array_equal(training.patches.pixels, pixels)
    assert plan.steps >= 30
    outcome = train(training, Plan(2, 2, 0.01))
    assert outcome.history[0]["score"] == 0, "it begins with denoising all the same"


@pytest.mark.parametrize("dimensions", ["2d", "3d"])
def test_a_run_denoises_and_segments_when_it_is_opened_again(dimensions, tmp_path):
    shape = (8, 48, 48) if dimensions == "3d" else (96, 96)
    rng = np.random.default_rng(0)
    images, masks = [rng.normal(100, 20, shape).astype("float32") for _ in range(3)], {}
    for number in (0, 1):
        masks[number] = np.zeros(shape, "uint16")
        masks[number][..., 8:24, 8:24] = 1
        images[number][masks[number] > 0] += 200
    axes = "ZYX" if dimensions == "3d" else "YX"
    folder = written(tmp_path / "in", images, masks)
    chosen = settings(folder, tmp_path / "run", schedule="in_turn", axes=axes, dimensions=dimensions, patch_size=16)
    model = train_joint(chosen)
    again = JointModel.load(tmp_path / "run")
    assert again.architecture == model.architecture
    pixels = images[0][..., None]
    for one, other in zip(again.predict_both(pixels), model.predict_both(pixels)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    again.predict_folder(folder / "images", tmp_path / "out")
    for kind in ("denoised", "labels"):
        assert tifffile.imread(tmp_path / "out" / kind / "0.tif").shape == shape


def test_tiles_that_overlap_by_the_reach_of_both_networks_show_no_seams(work):
    model = work.train()
    pixels = np.random.default_rng(1).normal(100, 30, (400, 300, 1)).astype("float32")
    whole, tiled = (model.predict_both(pixels, tile=tile) for tile in (1024, 192))
    for one, other in zip(whole, tiled):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_the_methods_paragraph_says_that_two_networks_learned_one_after_the_other(work):
    words = methods.methods(work.train())[0].lower()
    assert "images were denoised by one u-net and segmented by another" in words
    assert "in steps of 2 patches of 32 x 32 pixels, by noise2void" in words
    assert "in steps of 4 patches of 32 x 32 pixels, " in words
    assert "the loss was" not in words


USUAL = {
    "nothing is said": ({}, "in_turn"),
    "a weight": ({"denoise_weight": 0.7}, "constant"),
    "the published recipe": ({"recipe": "published"}, "constant"),
    "one epoch": ({"minutes": 0, "epochs": 1}, "constant"),
    "a schedule": ({"schedule": "ramp"}, "ramp"),
}


@pytest.mark.parametrize("what", USUAL)
def test_two_networks_are_usual_unless_what_is_asked_for_needs_one(what, tmp_path):
    more, expected = USUAL[what]
    images, masks = nuclei(3)
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})
    work = JointWork(settings(folder, tmp_path / "run", **more))
    assert work.model.settings.schedule == expected
    assert work.model.architecture.in_turn == (expected == "in_turn")


BAD = {
    "a weight": ({"denoise_weight": 0.7}, r"denoise_weight has no effect with schedule in_turn: use 0\.5, or schedule"),
    "the published recipe": ({"recipe": "published"}, r"knows no schedule 'in_turn': use constant, or recipe ours"),
    "one epoch": ({"minutes": 0, "epochs": 1}, r"an epoch for each network at least: use 2 or more"),
    "a beginning": ({"pretrained": "somewhere"}, r"start from none: leave pretrained empty, or use schedule constant"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_two_networks_cannot_do_is_said(what):
    more, words = BAD[what]
    with pytest.raises(UserError) as caught:
        JointSettings(**TINY, schedule="in_turn").replace(**more).check()
    assert re.search(words, str(caught.value)), str(caught.value)


def test_no_training_starts_from_two_networks(work, tmp_path):
    model = work.train()
    again = work.asked.replace(run=str(tmp_path / "again"), pretrained=str(model.run.path), schedule="constant")
    with pytest.raises(UserError, match=r"holds two networks in turn.*Give a model of one network"):
        JointWork(again)
