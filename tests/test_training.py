"""The training loop: planned, watched, stopped without loss, and the same each time."""

import signal
import sys

import keras
import numpy as np
import pytest

from n2seg_utils.errors import UserError
from n2seg_utils.learning import device
from n2seg_utils.learning import training as loop
from n2seg_utils.learning.blindspot import BlindSpots
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.noise2void import Noise2VoidTraining
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.plan import Plan, plan_for_minutes, take_step, validate
from n2seg_utils.learning.rates import cosine
from n2seg_utils.learning.training import Watcher, train
from n2seg_utils.models.supply import Refill


def noisy_images(count=3, side=64):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / 6
    clean = np.sin(y) * np.cos(x)
    return [(clean + rng.normal(0, 0.5, clean.shape))[..., None].astype("float32") for _ in range(count)]


def training(seed=1, images=None, **network):
    images = images or noisy_images()
    device.seed_weights(seed)
    common = {"patch_shape": (32, 32), "batch_size": 4, "seed": seed}
    patches = PatchSampler(images[:-1], **common)
    validation = PatchSampler(images[-1:], flip=False, turn=False, stream=1, **common)
    hide = BlindSpots((32, 32), 8.0, (5, 5))
    return Noise2VoidTraining(unet(Architecture(width=4, depth=1, **network)), patches, validation, hide, seed)


def test_the_loss_falls_to_the_level_of_the_noise():
    model = training()
    outcome = train(model, Plan(epochs=30, steps_per_epoch=8, learning_rate=0.01))
    losses = [row["val_loss"] for row in outcome.history]
    assert outcome.stopped == "finished"
    # Signal and noise have a variance of 0.25 each: the signal can be guessed, the noise cannot.
    assert losses[0] > 0.4
    assert 0.22 < losses[-1] < 0.32


def test_same_seed_and_steps_give_the_same_weights_and_history():
    runs = []
    for _ in range(2):
        model = training()
        outcome = train(model, Plan(2, 5, 0.01))
        runs.append((model.network.get_weights(), [(r["loss"], r["val_loss"]) for r in outcome.history]))
    for one, other in zip(*(weights for weights, _ in runs)):
        np.testing.assert_array_equal(one, other)
    assert runs[0][1] == runs[1][1]
    other_seed = training(seed=2)
    train(other_seed, Plan(2, 5, 0.01))
    assert not np.allclose(other_seed.network.get_weights()[0], runs[0][0][0])


def test_the_loss_in_the_history_is_the_mean_over_the_epoch(monkeypatch):
    outcome, apart = train(training(), Plan(2, 5, 0.01)), []

    def alone(model, number):
        model.reset_metrics()
        apart.append(take_step(model, number)["loss"])
        return {"loss": apart[-1]}

    monkeypatch.setattr(loop, "take_step", alone)
    train(training(), Plan(2, 5, 0.01))
    means = [np.mean(apart[:5]), np.mean(apart[5:])]
    assert [row["loss"] for row in outcome.history] == pytest.approx(means, rel=1e-5)
    assert np.std(apart) > 0.01


def test_validation_looks_at_the_same_pixels_every_time():
    model = training()
    model.compile(jit_compile=False)
    one, other = (validate(model) for _ in range(2))
    assert one == other


def test_validation_finds_what_keras_does_when_asked_for_all_batches():
    model = training()
    model.compile(jit_compile=False)
    expected = model.evaluate(np.arange(model.validation_steps, dtype="int32"), batch_size=1, verbose=0)
    assert validate(model) == {"loss": pytest.approx(expected, rel=1e-6)}


def test_the_best_weights_are_kept_even_when_training_gets_worse():
    model = training()
    spoil = {"after": 3}

    def on_epoch(row, is_best):
        kept.append((row["val_loss"], [w.copy() for w in model.network.get_weights()]))
        if row["epoch"] == spoil["after"]:
            model.network.set_weights([1.5 * w for w in model.network.get_weights()])

    kept = []
    outcome = train(model, Plan(5, 10, 0.01), on_epoch=on_epoch)
    best = int(np.argmin([loss for loss, _ in kept]))
    assert kept[3][0] > kept[2][0], "the training did get worse"
    assert outcome.best_epoch == best + 1
    for now, then in zip(model.network.get_weights(), kept[best][1]):
        np.testing.assert_array_equal(now, then)


def test_an_interrupt_keeps_the_best_weights_and_is_no_error():
    class Impatient(Watcher):
        def step(self, step, plan, seconds):
            if step == 23:
                raise KeyboardInterrupt

    model, seen = training(), []
    outcome = train(
        model, Plan(10, 10, 0.01), Impatient(), lambda row, is_best: seen.append(model.network.get_weights())
    )
    assert outcome.stopped == "interrupted"
    assert [row["epoch"] for row in outcome.history] == [1, 2]
    for now, then in zip(model.network.get_weights(), seen[outcome.best_epoch - 1]):
        np.testing.assert_array_equal(now, then)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_python_prints_and_loses_ends_a_training_all_the_same(monkeypatch):
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)

    class Finaliser:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    class Unlucky(Watcher):
        def step(self, step, plan, seconds):
            if step == 23:
                Finaliser()

    before = signal.getsignal(signal.SIGINT)
    outcome = train(training(), Plan(10, 10, 0.01), Unlucky())
    assert isinstance(lost[0].exc_value, KeyboardInterrupt)
    assert outcome.stopped == "interrupted"
    assert [row["epoch"] for row in outcome.history] == [1, 2]
    assert signal.getsignal(signal.SIGINT) == before


class Heard(Watcher):
    def __init__(self):
        self.words = []

    def again(self, words):
        self.words.append(words)


def spoiling(times, epoch=2):
    """Makes weights no numbers at the beginning of an epoch, so many times."""
    left = [times]

    def spoil(training, number):
        if number == epoch and left[0]:
            left[0] -= 1
            training.network.set_weights([w * np.nan for w in training.network.get_weights()])

    return spoil


def test_a_loss_that_is_not_a_number_is_taken_back_and_the_training_goes_on_at_half_the_rate():
    heard, model = Heard(), training()
    outcome = train(model, Plan(6, 5, 0.01), heard, refills=[spoiling(2)])
    assert (outcome.stopped, [row["epoch"] for row in outcome.history]) == ("finished", [1, 2, 3, 4, 5, 6])
    assert len(heard.words) == 2
    assert "after epoch 2, with half the learning rate (0.005)" in heard.words[0]
    assert all(np.isfinite(w).all() for w in model.network.get_weights())
    usual = train(training(), Plan(6, 5, 0.01))
    assert outcome.history[1]["loss"] == usual.history[1]["loss"]
    assert outcome.history[5]["learning_rate"] == pytest.approx(usual.history[5]["learning_rate"] / 4)


def test_a_training_that_is_unstable_again_and_again_is_stopped_and_keeps_what_was_good():
    heard, model = Heard(), training()
    outcome = train(model, Plan(10, 5, 0.01), heard, refills=[spoiling(9)])
    assert (outcome.stopped, len(outcome.history), len(heard.words)) == ("diverged", 2, 3)
    assert all(np.isfinite(w).all() for w in model.network.get_weights())


def test_a_training_whose_first_loss_is_no_number_begins_again_before_it_gives_up():
    heard, model = Heard(), training()
    model.network.set_weights([w * np.nan for w in model.network.get_weights()])
    outcome = train(model, Plan(4, 5, 0.01), heard)
    assert (outcome.stopped, outcome.history) == ("diverged", [])
    assert "where it was at its beginning" in heard.words[0]


def test_the_learning_rate_falls_to_almost_nothing_over_exactly_the_planned_steps():
    plan = Plan(epochs=10, steps_per_epoch=20, learning_rate=0.01)
    rates = [row["learning_rate"] for row in train(training(), plan).history]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.0095
    assert rates[-1] == pytest.approx(0.0001, rel=0.1)


@pytest.mark.parametrize("steps", [0, 1, 9, 10, 150, 400])
def test_the_learning_rate_is_that_of_keras(steps):
    warmup = min(20, steps // 10)
    rising = {"warmup_target": 0.01, "warmup_steps": warmup} if warmup else {}
    start, falling = 0.001 if warmup else 0.01, max(1, steps - warmup)
    schedule, rates = keras.optimizers.schedules.CosineDecay(start, falling, alpha=0.01, **rising), cosine(0.01, steps)
    for step in range(0, steps + 3, 3):
        assert rates(step) == pytest.approx(float(schedule(step)), rel=1e-4)


def test_planning_by_time_takes_nothing_away_from_the_training():
    model = training()
    before = model.network.get_weights()
    plan = plan_for_minutes(model, 0.5, 0.01)
    for one, other in zip(before, model.network.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert plan.steps >= 30
    assert plan.step_seconds > 0
    # The time is used: what the steps need is neither above nor far below the wish, which validation shares.
    assert 0.3 * 30 < plan.steps * plan.step_seconds <= 1.1 * 30 + 30 * plan.step_seconds


@pytest.mark.parametrize(
    ("minutes", "epochs", "steps"), [(0.1, 5, 10), (1, 6, 540), (2, 12, 1080), (5, 30, 2700), (60, 30, 35700)]
)
def test_validation_takes_a_tenth_of_the_time_at_most_if_that_leaves_five_epochs(monkeypatch, minutes, epochs, steps):
    monkeypatch.setattr("n2seg_utils.learning.plan._measured", lambda training, limit: (0.1, 1.0))
    plan = plan_for_minutes(training(), minutes, 0.01)
    assert plan.epochs == epochs
    assert plan.steps == pytest.approx(steps, rel=0.01)


def test_a_run_planned_by_time_equals_one_of_the_same_number_of_steps():
    timed = training()
    plan = plan_for_minutes(timed, 0.02, 0.01)
    train(timed, plan)
    counted = training()
    train(counted, Plan(plan.epochs, plan.steps_per_epoch, 0.01))
    for one, other in zip(timed.network.get_weights(), counted.network.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_what_was_compiled_to_plan_a_run_by_time_trains_it():
    timed = training()
    plan = plan_for_minutes(timed, 0.02, 0.01)
    compiled = timed.train_function, timed.test_function
    train(timed, plan)
    assert (timed.train_function, timed.test_function) == compiled
    train(timed, plan)
    assert timed.train_function is not compiled[0], "a second training begins with an optimiser of its own"


def test_the_watcher_is_told_every_step_and_epoch():
    class Witness(Watcher):
        def __init__(self):
            self.steps, self.epochs, self.pictures, self.ended = [], [], [], None

        def step(self, step, plan, seconds):
            self.steps.append(step)

        def epoch(self, row, plan, preview):
            self.epochs.append(row["epoch"])
            self.pictures.append(preview())

        def end(self, outcome):
            self.ended = outcome

    witness = Witness()
    outcome = train(training(), Plan(3, 4, 0.01), witness, preview=lambda: {"noisy": 1})
    assert witness.steps == list(range(1, 13))
    assert witness.epochs == [1, 2, 3]
    assert witness.pictures == [{"noisy": 1}] * 3
    assert witness.ended is outcome


def test_each_epoch_trains_on_other_blocks_when_not_all_images_fit_in_memory():
    asked = []

    class Stream:
        def blocks(self, epoch):
            asked.append(epoch)
            return [np.full((64, 64, 1), epoch, "float32")] * 2

    model = training()
    train(model, Plan(3, 2, 0.01), refills=[Refill(Stream())])
    assert asked == [1, 2]
    assert np.unique(model.patches.pixels.numpy()).tolist() == [2.0]


def test_a_trained_network_is_never_left_worse_than_it_was():
    model = training()
    train(model, Plan(epochs=20, steps_per_epoch=8, learning_rate=0.01))
    before = [w.copy() for w in model.network.get_weights()]
    outcome = train(model, Plan(epochs=2, steps_per_epoch=8, learning_rate=0.5), trained=True)
    assert outcome.best_epoch == 0
    assert len(outcome.history) == 2
    for one, other in zip(model.network.get_weights(), before):
        np.testing.assert_array_equal(one, other)


def test_images_that_can_no_longer_be_read_end_the_training_and_leave_the_best_weights():
    class Failing:
        def blocks(self, epoch):
            if epoch == 3:
                raise UserError("a.tif has pixels that are not numbers")
            return noisy_images()[:-1]

    model = training()
    outcome = train(model, Plan(6, 4, 0.01), refills=[Refill(Failing())])
    assert outcome.stopped == "failed"
    assert "a.tif" in str(outcome.error)
    assert len(outcome.history) == 3
    assert outcome.best_epoch in (1, 2, 3)
