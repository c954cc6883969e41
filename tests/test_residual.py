"""A denoised image is judged without the truth: each fault is found, named and placed, and a perfect one has none."""

import re
import time

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import lfilter

from n2seg_utils.data.samples import make_image
from n2seg_utils.quality.noise_model import correlation_of, fit_noise, inflation
from n2seg_utils.quality.residual import FINE, LOOK, PROBLEM, judge_blind, residual
from n2seg_utils.settings import DenoiseSettings


def scene(seed=0, shape=(256, 256), low=20.0, high=200.0):
    """Smooth-edged blobs of many brightnesses, float."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter((gaussian_filter(rng.normal(size=shape), 3) > 0.02).astype(float), 1.0)
    shade = gaussian_filter(rng.normal(size=shape), 20)
    shade = (shade - shade.min()) / np.ptp(shade)
    return low + (high - low) * image * (0.2 + 0.8 * shade)


def white(shape=(256, 256), sigma=12.0, seed=1):
    return np.random.default_rng(seed).normal(0, sigma, shape)


def spots(places, height, sigma=2.0, shape=(256, 256)):
    y, x = np.indices(shape)
    return height * sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * sigma**2)) for a, b in places)


def worries(verdict):
    return {f.about for f in verdict.findings if f.severity != FINE}


def places(sentence):
    """(y, x) that a sentence names."""
    return [(int(y), int(x)) for x, y in re.findall(r"x=(\d+), y=(\d+)", sentence)]


TRUTH = scene()


# Perfect predictions


@pytest.mark.parametrize("sigma", [2, 12, 60])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_perfect_prediction_raises_no_worry(sigma, seed):
    verdict = judge_blind(TRUTH + white(sigma=sigma, seed=seed), TRUTH)
    assert worries(verdict) == set()
    assert verdict.severity == FINE
    assert verdict.about("correlation").sentence == (
        "The noise is independent from pixel to pixel, as Noise2Void assumes."
    )
    assert not verdict.invented.any()
    assert not verdict.lost.any()


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
@pytest.mark.parametrize("name", ["nuclei", "spots"])
def test_a_perfect_prediction_of_a_camera_image_raises_no_worry(name, level):
    for seed in (1, 2, 3):
        noisy, clean, _ = make_image(name, seed, level)
        assert worries(judge_blind(noisy, clean)) == set()


def test_real_perfect_predictions_raise_no_worry_but_of_noise_that_is_shared(real_images):
    files = sorted((real_images / "fmd" / "noisy").glob("*_1.tif"))
    assert len(files) > 10
    for file in files:
        verdict = judge_blind(tifffile.imread(file), tifffile.imread(real_images / "fmd" / "clean" / file.name))
        # The widefield images were resampled: neighbouring pixels share noise.
        assert worries(verdict) == ({"correlation"} if file.name.startswith("WideField") else set()), file.name


# Shared noise


@pytest.mark.parametrize(
    ("axis", "along"), [("horizontal", "along x"), ("vertical", "along y"), ("square", "in all directions")]
)
def test_noise_that_pixels_share_is_named_with_the_settings_that_fit(axis, along):
    noise = white(seed=3)
    for number in {"horizontal": [1], "vertical": [0], "square": [0, 1]}[axis]:
        noise = gaussian_filter1d(noise, 0.9, axis=number)
    verdict = judge_blind(TRUTH + 12 * noise / noise.std(), TRUTH)
    assert worries(verdict) == {"correlation"}
    sentence = verdict.about("correlation").sentence
    assert along in sentence
    algorithm, found, length = re.search(
        r"algorithm (\w+), struct_axis (\w+), struct_length (\d+)\.", sentence
    ).groups()
    assert found == axis
    assert 5 <= int(length) <= 11
    settings = DenoiseSettings(images="i", run="r", algorithm=algorithm, struct_axis=found, struct_length=int(length))
    assert not {"algorithm", "struct_axis", "struct_length"} & set(settings.problems())


def test_noise_shared_along_a_cross_is_both():
    rng = np.random.default_rng(4)
    across, down = (gaussian_filter1d(rng.normal(size=(256, 256)), 2.0, axis=a) for a in (1, 0))
    verdict = judge_blind(TRUTH + 20 * (across + down), TRUTH)
    assert verdict.correlation.axis in ("both", "square")
    assert min(verdict.correlation.horizontal[0], verdict.correlation.vertical[0]) > 0.3


@pytest.mark.parametrize(("number", "axis"), [(1, "horizontal"), (0, "vertical")])
def test_a_prediction_that_learned_shared_noise_is_found_out_by_opposite_neighbours(number, axis):
    noise = lfilter([1], [1, -0.6], np.random.default_rng(5).normal(0, 10, (256, 256)), axis=number)
    # The best guess of a pixel of such noise from its neighbours.
    guessed = (np.roll(noise, 1, number) + np.roll(noise, -1, number)) * 0.6 / (1 + 0.6**2)
    finding = judge_blind(TRUTH + noise, TRUTH + guessed).about("correlation")
    assert finding.severity == PROBLEM
    assert "the prediction kept noise that pixels share" in finding.sentence
    assert finding.sentence.endswith(f"struct_axis {axis}.")


def test_noise_that_was_only_blurred_is_found_out():
    noise = white()
    finding = judge_blind(TRUTH + noise, TRUTH + gaussian_filter(noise, 0.7)).about("correlation")
    assert finding.severity == LOOK
    assert "the prediction kept noise." in finding.sentence


def test_correlations_have_known_values():
    noise = white((512, 512), seed=6)
    shared = noise + np.roll(noise, 1, 1)  # 0.5 at distance 1 along x, 0 elsewhere
    found = correlation_of(shared)
    assert found.horizontal[0] == pytest.approx(0.5, abs=0.06)
    assert np.abs([*found.horizontal[1:], *found.vertical, found.diagonal]).max() < 0.1
    assert inflation(found) == pytest.approx(2, rel=0.1)
    assert inflation(correlation_of(noise)) == 1


# The kind of noise


@pytest.mark.parametrize("sigma", [3, 12, 40])
def test_constant_noise_is_gaussian(sigma):
    noise = fit_noise(TRUTH + white(sigma=sigma), TRUTH)
    assert noise.kind == "gaussian"
    assert noise.sigma == pytest.approx(sigma, rel=0.05)
    assert noise.describe() == f"Gaussian (sigma {noise.sigma:.3g} grey values at all brightnesses)"
    np.testing.assert_allclose(noise.variance(np.array([0, 500])), sigma**2, rtol=0.1)


@pytest.mark.parametrize("gain", [0.5, 2.1, 8])
def test_photon_noise_is_poisson_with_its_gain(gain):
    raw = gain * np.random.default_rng(7).poisson(TRUTH / gain)
    noise = fit_noise(raw, TRUTH)
    assert noise.kind == "poisson"
    assert noise.gain == pytest.approx(gain, rel=0.1)
    assert f"gain {noise.gain:.2g} grey values per photon" in noise.describe()
    assert noise.variance(150.0) == pytest.approx(150 * gain, rel=0.1)


def test_photons_and_reading_noise_are_both():
    raw = 2 * np.random.default_rng(8).poisson(TRUTH / 2) + white(sigma=15)
    noise = fit_noise(raw, TRUTH)
    assert noise.kind == "both"
    assert noise.gain == pytest.approx(2, rel=0.15)
    assert np.sqrt(noise.offset) == pytest.approx(15, rel=0.1)
    assert "sigma 15" in noise.describe() or "sigma 14" in noise.describe()


def test_the_camera_of_the_samples_is_measured():
    noisy, clean, _ = make_image("nuclei", 4, "medium")
    assert fit_noise(noisy.astype(float), clean.astype(float)).gain == pytest.approx(2.0, rel=0.15)


def test_of_one_brightness_the_kind_is_not_told():
    flat = np.full((128, 128), 50.0) + 0.5 * gaussian_filter(white((128, 128), 1), 3)
    noise = fit_noise(flat + white((128, 128), 12), flat)
    assert noise.kind is None
    assert noise.sigma == pytest.approx(12, rel=0.05)
    assert "Gaussian or Poisson-like cannot be told" in noise.describe()


def test_spots_that_were_lost_are_no_noise():
    lost = spots([(60, 60), (190, 130)], 300)
    noise = fit_noise(TRUTH + lost + white(), TRUTH)
    assert (noise.kind, noise.sigma) == ("gaussian", pytest.approx(12, rel=0.1))


# Over-smoothing


@pytest.mark.parametrize(("blur", "severity"), [(1, LOOK), (2, PROBLEM), (3, PROBLEM)])
@pytest.mark.parametrize("sigma", [4, 12, 30])
def test_a_blurred_prediction_is_over_smoothed_and_its_structure_is_not_taken_for_shared_noise(blur, severity, sigma):
    verdict = judge_blind(TRUTH + white(sigma=sigma), gaussian_filter(TRUTH, blur))
    finding = verdict.about("smoothing")
    assert finding.severity == severity
    assert finding.sentence.startswith("Over-smoothing: the residual shows structure")
    assert not {"scale", "correlation"} & worries(verdict)
    assert verdict.smoothing > judge_blind(TRUTH + white(sigma=sigma), gaussian_filter(TRUTH, blur / 2)).smoothing


def test_blurred_nuclei_share_no_noise():
    noisy, clean, _ = make_image("nuclei", 1)
    verdict = judge_blind(noisy, gaussian_filter(clean, 3))
    assert verdict.about("smoothing").severity == PROBLEM
    assert verdict.about("correlation").severity == FINE


@pytest.mark.parametrize("blur", [1, 3])
def test_shared_noise_is_found_beside_over_smoothing(blur):
    noise = gaussian_filter1d(white(sigma=20, seed=9), 0.9, axis=1)
    verdict = judge_blind(TRUTH + noise, gaussian_filter(TRUTH, blur))
    assert "struct_axis horizontal" in verdict.about("correlation").sentence
    assert "smoothing" in worries(verdict) or blur == 1


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_noise_that_is_left_in_the_prediction_is_no_over_smoothing(share):
    noisy, clean, _ = make_image("nuclei", 1, "hard")
    for truth, noise in ((TRUTH, white()), (clean, noisy - clean)):
        assert judge_blind(truth + noise, truth + share * noise).about("smoothing") is None


def test_spots_that_were_removed_are_placed():
    made = [(40, 60), (200, 150)]
    verdict = judge_blind(TRUTH + spots(made, 80) + white(), TRUTH)
    assert worries(verdict) == {"lost"}
    found = places(verdict.about("lost").sentence)
    assert sorted(found) == [pytest.approx(place, abs=2) for place in made]
    assert all(verdict.lost[y - 2 : y + 3, x - 2 : x + 3].any() for y, x in made)
    assert verdict.lost_share < 0.01


# Invented structure


def test_invented_spots_are_found_and_placed():
    dark = 20 + gaussian_filter(scene(3) - 20, 1) * (np.indices((256, 256))[1] < 128)  # structure on the left only
    made = [(60, 180), (150, 220), (200, 160)]
    verdict = judge_blind(dark + white(), dark + spots(made, 50))
    finding = verdict.about("invented")
    assert worries(verdict) == {"invented"}
    assert sorted(places(finding.sentence)) == [pytest.approx(place, abs=2) for place in made]
    assert all(verdict.invented[place] for place in made)
    assert not verdict.invented[:, :128].any()
    assert all(verdict.support[place] < 0.3 for place in made)
    assert np.nanmedian(verdict.support[:, :128]) == pytest.approx(1, abs=0.05)
    assert verdict.invented_share == verdict.invented.sum() / np.isfinite(verdict.support).sum()


def test_a_spot_on_top_of_structure_is_found():
    verdict = judge_blind(TRUTH + white(), TRUTH + spots([(128, 128)], 150))
    assert places(verdict.about("invented").sentence) == [pytest.approx((128, 128), abs=4)]


def test_hot_pixels_are_neither_lost_nor_do_they_contradict_the_prediction():
    raw = TRUTH + white()
    raw[np.random.default_rng(3).random(raw.shape) < 0.002] += 400
    verdict = judge_blind(raw, TRUTH)
    assert worries(verdict) == set()
    assert verdict.noise.sigma == pytest.approx(12, rel=0.05)


def test_where_nothing_is_predicted_support_is_not_told():
    flat = np.full((64, 64), 50.0)
    flat[:8] += 1
    verdict = judge_blind(flat + white((64, 64)), flat)
    assert np.isnan(verdict.support).all()
    assert worries(verdict) == set()


# Grey scales


def test_another_grey_scale_is_named_and_the_rest_is_judged_all_the_same():
    raw = TRUTH + white()
    verdict = judge_blind(raw, (TRUTH - 12) / 220)
    assert worries(verdict) == {"scale"}
    assert (verdict.slope, verdict.offset) == (pytest.approx(220, rel=0.02), pytest.approx(12, abs=2))
    assert re.search(r"raw = 2[12]\d x prediction \+1\d", verdict.about("scale").sentence)
    assert verdict.noise.sigma == pytest.approx(12, rel=0.05)
    assert judge_blind(raw, gaussian_filter((TRUTH - 12) / 220, 3)).about("smoothing").severity == PROBLEM


@pytest.mark.parametrize("shift", [-20, 20])
def test_a_shift_is_named(shift):
    verdict = judge_blind(TRUTH + white(), TRUTH + shift)
    assert worries(verdict) == {"scale"}
    assert verdict.shift == pytest.approx(-shift / 12, rel=0.05)


@pytest.mark.parametrize("change", [0.9, 1.1])
def test_a_little_bleaching_is_no_other_scale(change):
    assert judge_blind(TRUTH + white(sigma=40), change * TRUTH).about("scale") is None


# Nothing removed, odd images


def test_a_prediction_that_is_the_raw_image_removed_nothing():
    raw = TRUTH + white()
    for prediction in (raw, raw / 255):
        verdict = judge_blind(raw, prediction)
        assert worries(verdict) == {"removed"}
        assert verdict.about("removed").sentence.startswith("Nothing was removed")
    little = judge_blind(raw, TRUTH + 0.8 * white())
    assert little.about("removed").severity == LOOK


@pytest.mark.parametrize("prediction", [np.zeros((64, 64)), np.full((64, 64), 7), scene(1, (64, 64))])
def test_an_empty_raw_image_cannot_be_judged(prediction):
    verdict = judge_blind(np.full((64, 64), 7, "uint8"), prediction)
    assert worries(verdict) == {"image"}


def test_an_empty_prediction_shows_nothing():
    assert worries(judge_blind(TRUTH + white(), np.zeros_like(TRUTH))) == {"image"}


def test_a_tiny_image_is_judged_as_far_as_it_goes():
    truth = scene(2, (16, 16))
    verdict = judge_blind(truth + white((16, 16)), truth)
    assert verdict.correlation is None
    assert "too small" in verdict.about("correlation").sentence
    assert worries(verdict) == set()


def test_saturated_images_of_eight_bits_raise_no_worry():
    truth = scene(low=-10, high=300)
    raw = np.clip(np.rint(truth + white()), 0, 255).astype("uint8")
    assert (raw == 255).sum() > 500
    verdict = judge_blind(raw, truth)
    assert worries(verdict) == set()
    assert verdict.noise.sigma == pytest.approx(12, rel=0.15)


def test_what_the_camera_could_not_show_is_not_invented():
    truth = TRUTH + spots([(60, 60), (128, 200)], 900, sigma=4)
    raw = np.clip(np.rint(truth + white()), 0, 255).astype("uint8")
    assert judge_blind(raw, truth).about("invented") is None


def test_unsigned_images_do_not_wrap_around():
    raw, prediction = np.full((16, 16), 3, "uint8"), np.full((16, 16), 5, "uint8")
    np.testing.assert_array_equal(residual(raw, prediction), -2.0)


@pytest.mark.parametrize(
    ("raw", "prediction"),
    [
        (np.zeros((32, 32)), np.zeros((32, 33))),
        (np.zeros((8, 32)), np.zeros((8, 32))),
        (np.zeros((32, 32, 1)), np.zeros((32, 32, 1))),
        (np.full((32, 32), np.nan), np.zeros((32, 32))),
        (np.zeros((32, 32)), np.full((32, 32), np.inf)),
    ],
)
def test_what_is_no_pair_of_planes_is_refused(raw, prediction):
    with pytest.raises(ValueError, match=r"raw .*and prediction .*must"):
        judge_blind(raw, prediction)


def test_a_plane_of_512_pixels_is_judged_in_about_a_second():
    truth = scene(5, (512, 512))
    raw = truth + white((512, 512))
    begun = time.process_time()
    judge_blind(raw, truth)
    assert time.process_time() - begun < 2  # 0.4 s on one idle core
