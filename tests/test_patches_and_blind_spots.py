"""What training draws: patches that come from the images, and blind spots that show nothing of themselves."""

import numpy as np
import pytest

from n2seg_utils.learning.blindspot import BlindSpots
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.seeds import StepSeed
from n2seg_utils.models.hiding import line_mask
from n2seg_utils.settings.hiding import MANIPULATORS


def sampler(images, **more):
    options = {"patch_shape": (16, 16), "batch_size": 32, "seed": 3} | more
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
    patches = draw(sampler(images, flip=False, turn=False))[..., 0]
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


def test_every_pixel_is_drawn_sooner_or_later():
    image = numbered((24, 30, 1))[0]
    drawn = {v for step in range(20) for v in draw(sampler([image]), step).ravel().tolist()}
    assert len(drawn) == image.size


@pytest.mark.parametrize("flip", [False, True])
def test_every_patch_of_a_volume_is_a_piece_of_it_with_planes_in_their_order(flip):
    shape, size = (9, 20, 30), (4, 8, 8)
    volume = numbered((*shape, 1))[0]
    source = sampler([volume], patch_shape=size, flip=flip, turn=flip)
    seen = set()
    for patch in draw(source)[..., 0].astype(int):
        z, y, x = np.unravel_index(patch, shape)
        np.testing.assert_array_equal(z - z[:1], np.broadcast_to(np.arange(4)[:, None, None], size))
        assert {np.ptp(y), np.ptp(x)} == {7}
        seen.add((y[0, 0, 0] < y[0, -1, 0], x[0, 0, 0] < x[0, 0, -1], y[0, 0, 0] == y[0, -1, 0]))
    assert len(seen) == (1 if not flip else len(seen))
    assert len(seen) > 3 or not flip


def test_patches_that_are_not_square_are_not_turned():
    with pytest.raises(ValueError, match="not square"):
        sampler(numbered((40, 40, 1)), patch_shape=(16, 24))
    assert draw(sampler(numbered((40, 40, 1)), patch_shape=(16, 24), turn=False)).shape == (32, 16, 24, 1)


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


def test_an_image_smaller_than_the_patch_is_refused():
    with pytest.raises(ValueError, match="smaller than the patch"):
        sampler([np.zeros((10, 40, 1))])


def test_new_pixels_replace_the_old_ones():
    source = sampler([np.zeros((20, 20, 1))])
    source.refill([np.ones((20, 20, 1))])
    assert draw(source).min() == 1


def hide(patches, percent=8.0, radius=5, step=0, **more):
    shape = patches.shape[1:-1]
    spots = BlindSpots(shape, percent, (radius,) * len(shape), **more)
    masked, hidden = spots(patches.astype("float32"), StepSeed(1, step))
    return np.asarray(masked), np.asarray(hidden).astype(bool)


@pytest.mark.parametrize("percent", [0.198, 1, 1.5, 5, 8, 12.5, 30, 50])
def test_the_share_asked_for_is_the_share_masked(percent):
    patches = np.zeros((32, 96, 96, 1))
    shares = [hide(patches, percent, step=step)[1].mean() for step in range(12)]
    assert 100 * np.mean(shares) == pytest.approx(percent, rel=0.05)


@pytest.mark.parametrize("percent", [0.198, 1.5, 5, 8, 12.5, 50])
def test_the_share_asked_for_is_the_share_masked_in_3d_too(percent):
    shares = [hide(np.zeros((8, 12, 48, 48, 1)), percent, step=step)[1].mean() for step in range(12)]
    assert 100 * np.mean(shares) == pytest.approx(percent, rel=0.06)


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
    assert np.abs(value // 100 - rows).max() == 3
    assert np.abs(value % 100 - columns).max() == 3


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


def test_a_hidden_voxel_never_shows_its_own_value():
    patches = np.broadcast_to(np.arange(6 * 20 * 20).reshape(1, 6, 20, 20, 1), (8, 6, 20, 20, 1))
    for step in range(5):
        masked, hidden = hide(patches, 20, radius=3, step=step)
        assert hidden[:, [0, -1]].any()
        assert (masked[hidden] != patches[hidden]).all()


def test_neighbours_in_depth_may_be_nearer_than_in_the_plane():
    z, y, x = np.meshgrid(np.arange(12), np.arange(20), np.arange(20), indexing="ij")
    patches = (z * 10_000 + y * 100 + x)[None, ..., None]
    masked, hidden = (
        np.asarray(a) for a in BlindSpots((12, 20, 20), 20, (1, 4, 4))(patches.astype("float32"), StepSeed(1, 0))
    )
    moved = np.abs(masked.astype(int) - patches)[hidden > 0]
    before, after = patches[hidden > 0], masked.astype(int)[hidden > 0]
    assert np.abs(after // 10_000 - before // 10_000).max() == 1
    assert np.abs(after % 100 - before % 100).max() == 4
    assert moved.min() > 0


def spots(masked, hidden):
    return masked[hidden], np.argwhere(hidden)


@pytest.mark.parametrize(("manipulator", "statistic"), [("median", np.median), ("mean", np.mean)])
@pytest.mark.parametrize(("shape", "radius"), [((24, 24), 2), ((8, 16, 16), 1)])
def test_mean_and_median_are_those_of_the_neighbours_without_the_pixel(manipulator, statistic, shape, radius):
    image = np.random.default_rng(0).normal(size=shape)
    masked, hidden = hide(image[None, ..., None], 5, radius=2, manipulator=manipulator)
    checked = 0
    for value, place in zip(*spots(masked[0, ..., 0], hidden[0, ..., 0])):
        if (place >= radius).all() and (place < np.subtract(shape, radius)).all():
            window = image[tuple(slice(p - radius, p + radius + 1) for p in place)].ravel()
            around = np.delete(window, window.size // 2)
            assert value == pytest.approx(statistic(around), abs=1e-5)
            checked += 1
    assert checked > 10


def test_normal_fitted_draws_from_the_spread_of_the_neighbours():
    patches = np.random.default_rng(0).normal(5, 2, (64, 32, 32, 1))
    masked, hidden = hide(patches, manipulator="normal_fitted")
    assert masked[hidden].mean() == pytest.approx(5, abs=0.1)
    assert masked[hidden].std() == pytest.approx(2, abs=0.1)
    assert abs(np.corrcoef(masked[hidden], patches[hidden])[0, 1]) < 0.05


def test_normal_additive_keeps_the_pixel_under_much_noise():
    patches = np.random.default_rng(0).normal(0, 1, (64, 32, 32, 1))
    masked, hidden = hide(patches, manipulator="normal_additive")
    assert (masked - patches)[hidden].std() == pytest.approx(1, abs=0.05)


def test_normal_without_centre_prefers_near_neighbours_and_never_shows_the_pixel():
    y, x = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    patches = np.broadcast_to((y * 32 + x)[None, ..., None], (64, 32, 32, 1))
    distance = []
    for manipulator in ("normal_withoutCP", "uniform_withoutCP"):
        masked, hidden = hide(patches, radius=5, manipulator=manipulator)
        offset = np.stack([(masked - patches)[hidden] // 32, masked[hidden] % 32 - patches[hidden] % 32])
        assert (masked[hidden] != patches[hidden]).all()
        distance.append(np.abs(masked[hidden] // 32 - patches[hidden] // 32).mean())
        assert offset.shape[1] > 1000
    assert distance[0] < 0.9 * distance[1]


def test_uniform_with_centre_shows_the_pixel_now_and_then_as_n2v_does():
    patches = np.broadcast_to(np.arange(1024).reshape(1, 32, 32, 1), (64, 32, 32, 1))
    masked, hidden = hide(patches, radius=1, manipulator="uniform_withCP")
    assert (masked == patches)[hidden].mean() == pytest.approx(1 / 9, abs=0.02)


def test_an_unknown_manipulator_is_refused():
    with pytest.raises(ValueError, match=r"'unifrom'.*uniform_withoutCP"):
        BlindSpots((16, 16), 8, (5, 5), "unifrom")


# structN2V

MASKS = {
    "horizontal": line_mask("horizontal", 5),
    "vertical": line_mask("vertical", 5),
    "cross": line_mask("both", 5),
    "square": line_mask("square", 3),
    "lopsided": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
}


def test_line_masks_have_the_shape_they_are_named_for():
    shapes = {axis: line_mask(axis, 5).shape for axis in ("horizontal", "vertical", "both", "square")}
    assert shapes == {"horizontal": (1, 5), "vertical": (5, 1), "both": (5, 5), "square": (5, 5)}
    assert [int(line_mask(axis, 5).sum()) for axis in shapes] == [5, 5, 9, 25]


@pytest.mark.parametrize("manipulator", MANIPULATORS)
@pytest.mark.parametrize("mask", MASKS)
def test_all_pixels_that_share_noise_with_a_hidden_one_are_replaced_by_others(mask, manipulator):
    mask = MASKS[mask]
    patches = np.broadcast_to(np.arange(40 * 40).reshape(1, 40, 40, 1), (4, 40, 40, 1)).astype("float64")
    masked, hidden = hide(patches, 0.5, manipulator=manipulator, struct_mask=mask)
    expected = np.zeros_like(hidden)
    offsets = np.argwhere(mask) - np.array(mask.shape) // 2
    for b, y, x, c in np.argwhere(hidden):
        for dy, dx in offsets:
            if 0 <= y + dy < 40 and 0 <= x + dx < 40:
                expected[b, y + dy, x + dx, c] = True
    changed = masked != patches
    assert (changed <= expected | hidden).all()
    assert changed[expected & ~hidden].all()


@pytest.mark.parametrize("mask", ["horizontal", "square"])
def test_no_replacement_carries_shared_noise_back(mask):
    mask = MASKS[mask]
    y, x = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    patches = np.broadcast_to((y * 100 + x)[None, ..., None], (16, 40, 40, 1))
    masked, hidden = hide(patches, 0.3, struct_mask=mask)
    half = np.array(mask.shape) // 2
    for b, row, column, _ in np.argwhere(hidden):
        for dy in range(-half[0], half[0] + 1):
            for dx in range(-half[1], half[1] + 1):
                if 0 <= row + dy < 40 and 0 <= column + dx < 40:
                    value = int(masked[b, row + dy, column + dx, 0])
                    away = abs(value // 100 - row), abs(value % 100 - column)
                    assert away[0] > half[0] or away[1] > half[1]


def test_a_struct_mask_in_3d_lies_in_one_plane():
    patches = np.broadcast_to(np.arange(8 * 20 * 20).reshape(1, 8, 20, 20, 1), (4, 8, 20, 20, 1))
    masked, hidden = hide(patches, 0.2, struct_mask=line_mask("horizontal", 7))
    changed = np.argwhere((masked != patches)[0, ..., 0])
    places = np.argwhere(hidden[0, ..., 0])
    assert len(changed) > len(places)
    for z, y, x in changed:
        assert any(z == p[0] and y == p[1] and abs(x - p[2]) <= 3 for p in places)


def test_a_mask_wider_than_the_neighbourhood_widens_it():
    masked, hidden = hide(
        np.random.default_rng(0).normal(size=(4, 64, 64, 1)), 0.2, radius=2, struct_mask=np.ones((7, 7))
    )
    assert hidden.any()
    assert np.isfinite(masked).all()


def test_a_mask_that_leaves_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="smaller mask, or larger patches"):
        BlindSpots((16, 16), 1, (5, 5), struct_mask=np.ones((15, 15)))
    with pytest.raises(ValueError, match="odd sizes"):
        BlindSpots((16, 16), 1, (5, 5), struct_mask=np.ones((2, 3)))


@pytest.mark.parametrize(
    ("mask", "flip", "turn"),
    [
        ("horizontal", True, False),
        ("vertical", True, False),
        ("cross", True, True),
        ("square", True, True),
        ("lopsided", False, True),
    ],
)
def test_patches_are_only_turned_as_far_as_the_noise_keeps_its_direction(mask, flip, turn):
    spots = BlindSpots((16, 16), 1, (5, 5), struct_mask=MASKS[mask])
    assert (spots.may_flip, spots.may_turn) == (flip, turn)
    assert BlindSpots((16, 16), 1, (5, 5)).may_turn
