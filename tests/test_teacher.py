"""Joint training that learns to denoise first: a copy of the network keeps what was learned."""

import numpy as np
import pytest
from keras import ops

from n2seg_utils.learning import device
from n2seg_utils.learning import training as loop
from n2seg_utils.learning.networks import unet
from n2seg_utils.learning.plan import Plan, plan_for_minutes
from n2seg_utils.learning.rates import cosine, successive
from n2seg_utils.learning.training import train
from n2seg_utils.models.joint_training import JointWork

from .test_joint_training import nuclei, settings, written


@pytest.fixture
def work(tmp_path):
    """A training on four images, two of them annotated."""
    images, masks = nuclei(4)
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})
    return JointWork(settings(folder, tmp_path / "run", schedule="teacher"))


@pytest.fixture
def training(work):
    """The same, as Keras knows it."""
    return work.training(unet(work.model.architecture), work.model.settings)


def weights(network):
    return [values.copy() for values in network.get_weights()]


def of_classes(network, channels=1):
    """The weights of the last layer that make classes."""
    return np.concatenate([w.reshape(-1, w.shape[-1])[:, channels:] for w in network.get_layer("output").get_weights()])


def test_the_first_half_of_the_steps_teaches_to_denoise_and_nothing_else(training):
    before, seen = of_classes(training.network), []

    def look(training, epoch):
        seen.append(of_classes(training.network))

    outcome = train(training, Plan(4, 3, 0.01), refills=[look])
    np.testing.assert_array_equal(seen[0], before)
    np.testing.assert_array_equal(seen[1], before)
    assert (seen[2] != before).any()
    assert [row["score"] for row in outcome.history[:2]] == [0, 0]
    assert outcome.best_epoch in (3, 4), "before, scores mean nothing"


def test_the_teacher_is_the_network_at_the_end_of_the_first_half_and_never_changes(training):
    seen = []

    def look(training, epoch):
        seen.append((weights(training.network), weights(training.teacher)))

    train(training, Plan(4, 3, 0.01), refills=[look])
    network, _ = seen[1]
    for now, then in zip(training.teacher.get_weights(), network):
        np.testing.assert_array_equal(now, then)
    assert any((a != b).any() for a, b in zip(training.network.get_weights(), network))


def test_what_the_teacher_says_is_turned_back(training):
    """A teacher that copies its input says of any patch, however turned, that patch."""
    training._hire()
    training.teacher = lambda patches, training: ops.concatenate([patches, patches * 0], axis=-1)
    patches = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype("float32")
    turned = []
    for number in range(12):
        seeds = loop.keras.random.SeedGenerator(number)
        copy = training._lesson(patches, seeds)
        np.testing.assert_array_equal(ops.convert_to_numpy(copy), patches)
        training.teacher, usual = lambda p, training: (turned.append(np.array(p)), p)[1], training.teacher
        training._lesson(patches, loop.keras.random.SeedGenerator(number))
        training.teacher = usual
    assert len({values.tobytes() for values in turned}) > 4, "it is shown them in many ways"


def test_a_network_that_knows_both_is_its_own_teacher_from_the_beginning(training):
    before = weights(training.network)
    assert training.begin(Plan(4, 3, 0.01), worth=True) == 0
    training.begin_epoch(0, 0, fresh=True)
    for now, then in zip(training.teacher.get_weights(), before):
        np.testing.assert_array_equal(now, then)
    assert (training.leading, training.taught) == (False, True)


def test_one_epoch_is_too_short_for_a_teacher(training):
    outcome = train(training, Plan(1, 3, 0.01))
    assert training.teacher is None
    assert outcome.best_epoch == 1


def test_the_other_schedules_and_the_published_recipe_have_no_teacher(tmp_path):
    images, masks = nuclei(4)
    folder = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]})
    for number, more in enumerate(({"schedule": "constant"}, {"schedule": "ramp"}, {"recipe": "published"})):
        work = JointWork(settings(folder, tmp_path / f"run{number}", **more))
        assert work.model.settings.schedule != "teacher"
        training = work.training(unet(work.model.architecture), work.model.settings)
        assert training.begin(Plan(4, 3, 0.01)) is None


def test_planning_by_time_measures_both_halves_and_takes_nothing_away(training):
    before = weights(training.network)
    plan = plan_for_minutes(training, 0.05, 0.01)
    for now, then in zip(training.network.get_weights(), before):
        np.testing.assert_array_equal(now, then)
    assert plan.steps >= 30
    outcome = train(training, Plan(2, 2, 0.01))
    assert outcome.history[0]["score"] == 0, "it begins with denoising all the same"


@pytest.mark.parametrize(
    "more", [{"schedule": name} for name in ("teacher", "in_turn", "ramp", "constant")] + [{"recipe": "published"}]
)
def test_a_run_planned_by_time_equals_one_of_the_same_number_of_steps(tmp_path, more):
    images, masks = nuclei(4)
    folder, trained = written(tmp_path / "in", images, {0: masks[0], 1: masks[1]}), []
    for planned in (True, False):
        work = JointWork(settings(folder, tmp_path / f"run{planned}", **more))
        device.seed_weights(1)
        training = work.training(unet(work.model.architecture), work.model.settings)
        if planned:
            plan = plan_for_minutes(training, 0.02, 0.01)
        train(training, plan)
        trained.append(weights(training.network))
    for one, other in zip(*trained):
        np.testing.assert_array_equal(one, other)


def test_a_training_is_not_called_collapsed_while_it_learns_to_denoise(training):
    outcome = train(training, Plan(24, 10, 1e-6), patience=3)
    assert len(outcome.history) > 12


def test_each_half_has_a_rate_that_falls_to_almost_nothing():
    rates = successive(cosine(0.01, 100), 100, cosine(0.01, 300))
    found = [rates(step) for step in (10, 99, 110, 399)]
    assert found[0] > 0.005
    assert found[1] < 0.0002
    assert found[2] > 0.005
    assert found[3] < 0.0002


def test_images_are_scaled_to_a_mean_of_zero_and_a_variance_of_one_on_average(work):
    frames = [*work.pools["train", "noisy"], *work.pools["validate", "noisy"]]
    assert np.mean([frame.mean() for frame in frames]) == pytest.approx(0, abs=0.1)
    assert np.mean([frame.var() for frame in frames]) == pytest.approx(1, abs=0.2)


def test_annotated_patches_are_varied_as_much_as_in_segmentation_alone(work, training):
    """The noise and brightness that are added are shares of the range of an image."""
    usual = JointWork.varied(work.model.settings, work.images)["variation"]
    assert training.patches.variation.noise == pytest.approx(usual.noise * work.model.normalisation.range)
    assert work.model.normalisation.range > 2
