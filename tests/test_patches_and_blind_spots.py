"""What training draws: patches that come from the images, and blind spots that show nothing of themselves."""

import numpy as np
import pytest

from n2seg_utils.learning.blindspot import blind_spots
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.seeds import StepSeed


def sampler(images, **more):
    options = {"patch_size": 16, "batch_size": 32, "seed": 3} | more
    return PatchSampler([np.asarray(image, "float32") for image in images], **options)


def numbered(*shapes):
    """Images whose every pixel has a value of its own."""
    images, begin = [], 0
    for shape in shapes:
        images.append((begin + np.arange(np.prod(shape))).reshape(shape))
        begin += int(np.prod(shape))
    return images


def draw(source, step=0):
    return np.asarray(source.draw(StepSeed(source.seed, step, source.stream)))


def test_every_patch_is_a_piece_of_an_image():
    images = numbered((40, 30, 1), (16, 50, 1))
    windows = {
        np.ascontiguousarray(w).tobytes()
        for image in images
        for w in np.lib.stride_tricks.sliding_window_view(image[..., 0].astype("float32"), (16, 16)).reshape(-1, 16, 16)
    }
    patches = draw(sampler(images, augment=False))[..., 0]
    assert all(np.ascontiguousarray(p).tobytes() in windows for p in patches)


def test_augmentation_makes_all_eight_flips_and_turns_and_nothing_else():
    patch = numbered((16, 16, 1))[0][..., 0].astype("float32")
    turned = [np.rot90(p, k) for p in (patch, patch.T) for k in range(4)]
    wanted = {np.ascontiguousarray(t).tobytes() for t in turned}
    found = {np.ascontiguousarray(p).tobytes() for p in draw(sampler([patch[..., None]], batch_size=200))[..., 0]}
    assert len(wanted) == 8
    assert found == wanted


def test_channels_stay_together():
    image = numbered((30, 30, 1))[0]
    patches = draw(sampler([np.concatenate([image, image + 0.5], axis=-1)]))
    np.testing.assert_array_equal(patches[..., 1] - patches[..., 0], 0.5)


def test_patches_never_leave_their_region():
    image = numbered((60, 40, 1))[0]
    region = (20, 4, 24, 30)
    allowed = set(image[20:44, 4:34].ravel().tolist())
    drawn = {v for step in range(20) for v in draw(sampler([image], regions=[region]), step).ravel().tolist()}
    assert drawn <= allowed
    assert len(drawn) == len(allowed), "every pixel of the region is drawn sooner or later"


def test_all_images_are_drawn_in_proportion_to_their_patch_positions():
    small, large = np.zeros((20, 20, 1)), np.ones((50, 80, 1))
    share = np.mean([draw(sampler([small, large], batch_size=256), step).mean() for step in range(20)])
    positions = 5 * 5, 35 * 65
    assert share == pytest.approx(positions[1] / sum(positions), abs=0.01)


def test_a_batch_depends_on_seed_and_step_only():
    images = numbered((40, 40, 1))
    first = draw(sampler(images), step=7)
    other = sampler(images)
    for step in (0, 3, 99):
        draw(other, step)
    np.testing.assert_array_equal(first, draw(other, step=7))
    assert not np.array_equal(first, draw(sampler(images), step=8))
    assert not np.array_equal(first, draw(sampler(images, seed=4), step=7))
    assert not np.array_equal(first, draw(sampler(images, stream=1), step=7)), "validation sees other numbers"


def test_a_region_smaller_than_the_patch_is_refused():
    with pytest.raises(ValueError, match="smaller than the patch"):
        sampler([np.zeros((10, 40, 1))])


def test_new_pixels_replace_the_old_ones():
    source = sampler([np.zeros((20, 20, 1))])
    source.refill([np.ones((20, 20, 1))])
    assert draw(source).min() == 1


def hide(patches, percent=8.0, radius=5, step=0):
    masked, hidden = blind_spots(patches.astype("float32"), StepSeed(1, step), percent, radius)
    return np.asarray(masked), np.asarray(hidden).astype(bool)


@pytest.mark.parametrize("percent", [0.198, 1, 1.5, 5, 8, 12.5, 30, 50])
def test_the_share_asked_for_is_the_share_masked(percent):
    patches = np.zeros((32, 96, 96, 1))
    shares = [hide(patches, percent, step=step)[1].mean() for step in range(12)]
    assert 100 * np.mean(shares) == pytest.approx(percent, rel=0.05)


def test_blind_spots_are_everywhere_equally_likely_and_never_crowded():
    hidden = np.concatenate([hide(np.zeros((64, 16, 16, 1)), 6.25, step=s)[1] for s in range(60)])[..., 0]
    often = hidden.mean(axis=0)
    assert often.min() > 0.04
    assert often.max() < 0.09
    cells = hidden.reshape(-1, 4, 4, 4, 4).sum(axis=(2, 4))
    assert cells.max() == 1, "one blind spot in each cell of 4 x 4 pixels"


def test_a_hidden_pixel_never_shows_its_own_value_not_even_at_the_border():
    patches = np.broadcast_to(np.arange(24 * 24).reshape(1, 24, 24, 1), (64, 24, 24, 1))
    for step in range(10):
        masked, hidden = hide(patches, 25, radius=2, step=step)
        assert hidden[:, [0, -1]].any()
        assert hidden[:, :, [0, -1]].any()
        assert (masked[hidden] != patches[hidden]).all()


def test_pixels_that_are_not_hidden_stay_as_they_are():
    patches = np.random.default_rng(0).normal(size=(8, 32, 32, 2)).astype("float32")
    masked, hidden = hide(patches)
    np.testing.assert_array_equal(masked[~hidden], patches[~hidden])


def test_the_replacement_comes_from_the_neighbourhood_of_the_same_image_and_channel():
    y, x, c = np.meshgrid(np.arange(40), np.arange(40), np.arange(2), indexing="ij")
    patches = np.stack([y * 100 + x + 10_000 * c + 100_000 * b for b in range(6)])
    masked, hidden = hide(patches, 20, radius=3)
    b, rows, columns, channel = np.nonzero(hidden)
    value = masked[hidden].astype(int)
    np.testing.assert_array_equal(value // 100_000, b)
    np.testing.assert_array_equal(value // 10_000 % 10, channel)
    value %= 10_000
    # Near a border the window is moved inwards, so that a replacement may be up to twice the radius away.
    inner = (rows >= 3) & (rows < 37) & (columns >= 3) & (columns < 37)
    assert np.abs(value // 100 - rows)[inner].max() == 3
    assert np.abs(value % 100 - columns)[inner].max() == 3


def test_all_neighbours_are_equally_likely():
    y, x = np.meshgrid(np.arange(21), np.arange(21), indexing="ij")
    patches = np.broadcast_to((y * 21 + x)[None, :, :, None], (512, 21, 21, 1))
    found = np.concatenate([hide(patches, 20, radius=1, step=s)[0][:, 10, 10, 0] for s in range(30)]).astype(int)
    offsets = [(v // 21 - 10, v % 21 - 10) for v in found if v != 10 * 21 + 10]
    counts = np.array([offsets.count((i, j)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)])
    assert counts.sum() == len(offsets)
    assert counts.min() > 0.8 * counts.mean()


def test_patches_smaller_than_the_window_work():
    masked, hidden = hide(np.arange(8 * 6 * 6).reshape(8, 6, 6, 1), 30, radius=5)
    assert hidden.any()
    assert (masked[hidden] != np.arange(8 * 6 * 6).reshape(8, 6, 6, 1)[hidden]).all()


def test_channels_are_masked_independently():
    _, hidden = hide(np.zeros((64, 32, 32, 2)), 10)
    together = (hidden[..., 0] & hidden[..., 1]).mean()
    assert together == pytest.approx(0.01, abs=0.002)
