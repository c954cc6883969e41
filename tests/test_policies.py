"""Named ways to change patches do what they say, to the image only, and the same for a seed and a step."""

import numpy as np
import pytest
from keras import ops
from scipy import ndimage
from skimage import exposure

from n2seg_utils import UserError
from n2seg_utils.learning import policies
from n2seg_utils.learning.annotated_patches import AnnotatedSampler, Variation
from n2seg_utils.learning.seeds import StepSeed
from n2seg_utils.models.annotated_data import variation
from n2seg_utils.settings import JointSettings, SegmentSettings

NIH = Variation(policy="nih")


def smooth(*shape, seed=0):
    """A picture from 0 to 1 in which neighbours are alike, (..., Y, X)."""
    noise = np.random.default_rng(seed).random(shape)
    found = ndimage.gaussian_filter(noise, (0,) * (len(shape) - 2) + (3, 3))
    return ((found - found.min()) / np.ptp(found)).astype("float32")


def column(*values):
    return np.array(values, "float32").reshape(-1, 1, 1)


def changed(image, step=0, seed=1):
    return ops.convert_to_numpy(policies.nuclei(image, StepSeed(seed, step)))


def sampler(shape, patch, seed=3):
    image = smooth(*shape)[..., None]
    known = np.arange(np.prod(shape), dtype="float32").reshape(*shape, 1)
    return AnnotatedSampler([(image, known, np.ones(shape, "int8"))], patch, 8, seed, variation=NIH)


@pytest.mark.parametrize(("shape", "patch"), [((60, 50), (32, 32)), ((9, 40, 40), (4, 16, 16))])
def test_patches_change_by_seed_and_step_alone_and_annotations_stay(shape, patch):
    def draw(step, seed=3):
        return [ops.convert_to_numpy(found) for found in sampler(shape, patch, seed).draw(StepSeed(seed, step))]

    image, known = draw(5)
    np.testing.assert_array_equal(image, draw(5)[0])
    assert abs(image - draw(6)[0]).max() > 0.1
    assert abs(image - draw(5, seed=4)[0]).max() > 0.1
    assert image.shape == (8, *patch, 1)
    assert 0 <= image.min() < image.max() <= 1
    true = smooth(*shape).ravel()[known.astype(int)]
    assert abs(image - true).max() > 0.2
    same = known[..., 0].reshape(8, -1)
    assert all(len(set(one.tolist())) == one.size for one in same), "no annotation is drawn twice"


def test_values_beyond_the_range_are_cut_off_and_nothing_becomes_infinite():
    image = np.stack([np.zeros((32, 32, 1)), np.ones((32, 32, 1)), 40 * smooth(32, 32)[..., None] - 20])
    for step in range(20):
        found = changed(image.astype("float32"), step)
        assert np.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1


def test_planes_and_channels_of_a_patch_are_changed_alike_but_for_the_noise(monkeypatch):
    monkeypatch.setattr(policies, "_GAUSSIAN", (0, 0))
    monkeypatch.setattr(policies, "_POISSON", (0, 0))
    monkeypatch.setattr(policies, "_IMPULSES", (0, 0))
    monkeypatch.setattr(policies, "_DROPPED", (0, 0))
    image = np.repeat(np.repeat(smooth(6, 32, 32)[:, None, ..., None], 3, axis=1), 2, axis=-1)
    found = changed(image)
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, ..., :1], found.shape), atol=1e-6)
    assert abs(found - image).max() > 0.1


def test_local_contrast_is_that_of_scikit_image():
    image = 0.6 * smooth(2, 64, 64)
    found = ops.convert_to_numpy(policies.equalised(image, column(5, 50)))
    for one, plane, clip in zip(found, image, (5, 50)):
        expected = exposure.equalize_adapthist(plane, kernel_size=16, clip_limit=clip / 256)
        assert np.corrcoef(one.ravel(), expected.ravel())[0, 1] > 0.98
    assert found.std() > 1.5 * image.std()
    flat = ops.convert_to_numpy(policies.equalised(np.full((1, 32, 32), 0.5, "float32"), column(1)))
    assert np.ptp(flat) == 0, "there is no contrast to raise"


def test_a_small_clip_limit_raises_contrast_less():
    image = 0.5 + 0.02 * smooth(1, 64, 64)
    spreads = [ops.convert_to_numpy(policies.equalised(image, column(clip))).std() for clip in (1, 5, 50)]
    assert spreads[0] < spreads[1] < spreads[2]


def test_gaussian_blur_is_that_of_scipy_away_from_margins():
    image = np.random.default_rng(0).random((2, 100, 90)).astype("float32")
    found = ops.convert_to_numpy(policies.smoothed(image, column(1, 5)))
    for one, plane, sigma in zip(found, image, (1, 5)):
        expected = ndimage.gaussian_filter(plane, sigma, truncate=8)
        np.testing.assert_allclose(one[40:60, 40:50], expected[40:60, 40:50], atol=1e-5)


@pytest.mark.parametrize("size", [3, 5])
def test_the_median_is_that_of_medians(size):
    image = np.random.default_rng(0).random((2, 20, 31)).astype("float32")
    expected = [ndimage.median_filter(ndimage.median_filter(one, (1, size)), (size, 1)) for one in image]
    np.testing.assert_array_equal(ops.convert_to_numpy(policies.median(image, size)), expected)


def plain(monkeypatch):
    """Leave local contrast, gamma and brightness out, so that the one of six is seen alone."""
    monkeypatch.setattr(policies, "equalised", lambda planes, clip: planes)
    monkeypatch.setattr(policies, "_GAMMA", (1, 1))
    monkeypatch.setattr(policies, "_BRIGHTNESS", (1, 1))


def test_each_patch_has_one_of_six_kinds_of_noise_or_blur_as_strong_as_the_policy_says(monkeypatch):
    plain(monkeypatch)
    image = np.full((400, 32, 32, 1), 0.5, "float32")
    image[:, :, 16:] = 0.25
    found = changed(image) - image
    touched = (found != 0).mean(axis=(1, 2, 3))
    away = found[:, :, 2:14], found[:, :, 18:-2]  # from the edge, which blur moves
    black = ((found + image) == 0).mean(axis=(1, 2, 3))
    dropped = (black > 0.005) & (abs(black - touched) < 1e-6)
    assert 0.08 < black[dropped].max() < 0.13
    added = np.stack([one.mean(axis=(1, 2, 3)) for one in away]).mean(axis=0)
    poisson = (found.min(axis=(1, 2, 3)) >= 0) & (touched > 0.3) & (added > 1 / 255)
    assert 17 < 255 * added[poisson].max() < 21
    steps = 255 * away[0][poisson]
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    spread = away[0].std(axis=1).mean(axis=(1, 2))  # along the edge, where blur changes all alike
    gaussian = (touched > 0.95) & ~poisson & (abs(added) < 0.02) & (spread > 1e-4)
    assert 0.08 < spread[gaussian].max() < 0.105
    for kind in (dropped, poisson, gaussian):
        assert 0.08 < kind.mean() < 0.24, "one patch in six"


def test_brightness_falls_as_often_as_it_rises(monkeypatch):
    monkeypatch.setattr(policies, "equalised", lambda planes, clip: planes)
    monkeypatch.setattr(policies, "_GAMMA", (1, 1))
    found = changed(np.full((500, 8, 8, 1), 0.05, "float32")).mean(axis=(1, 2, 3)) / 0.05
    assert 0.4 < (found < 1).mean() < 0.6
    assert found.min() < 0.13
    assert found.max() > 8


def test_the_setting_chooses_the_policy_and_joint_training_has_none():
    assert variation(SegmentSettings(augmentation="nih", warp=2)) == NIH
    assert variation(SegmentSettings()) == variation(JointSettings())
    assert not variation(SegmentSettings()).policy
    with pytest.raises(UserError, match=r"augmentation is 'nihh'.*use nih"):
        SegmentSettings(augmentation="nihh").check()
