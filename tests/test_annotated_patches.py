"""Patches of annotated images: drawn, warped and learned from without ever telling the network something false."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.ndimage import binary_dilation, distance_transform_edt
from skimage.segmentation import find_boundaries

from n2seg_utils.learning import device
from n2seg_utils.learning.annotated_patches import AnnotatedSampler, Variation
from n2seg_utils.learning.annotations import (
    BACKGROUND,
    BORDER,
    INSIDE,
    UNKNOWN,
    border_classes,
    border_classes_of,
    normalised_distance,
)
from n2seg_utils.learning.lessons import Lessons
from n2seg_utils.learning.losses import cross_entropy, dice_loss, distance_loss, overlaps
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.patches import PatchSampler
from n2seg_utils.learning.plan import Plan, plan_for_minutes
from n2seg_utils.learning.seeds import StepSeed
from n2seg_utils.learning.segmentation import Score, SegmentationLoss, SegmentationTraining
from n2seg_utils.learning.training import train
from n2seg_utils.models.supply import Refill

WARPS = {
    "rotated": Variation(rotation=45),
    "zoomed": Variation(zoom=1.5),
    "bent": Variation(elastic=2),
    "all": Variation(rotation=45, zoom=1.25, elastic=2),
}
COLOURS = Variation(brightness=0.3, contrast=1.5, noise=0.1, blur=0.8)


def places(*shape):
    """An image whose channels say where each pixel is, and annotations that say the same in one number."""
    image = np.stack(np.indices(shape), axis=-1).astype("float32")
    number = np.arange(np.prod(shape)).reshape(*shape, 1).astype("float32")
    return image, number, np.ones(shape, "int8")


def where(known, *shape):
    """Where in the image annotations of :func:`places` come from."""
    return np.stack(np.unravel_index(known[..., 0].astype(int), shape), axis=-1)


def coloured(classes, channels=1):
    """A frame whose image shows the classes, each in a colour of its own that is no mixture of others."""
    colours = np.array([0, 1, 7, 40, 300])
    image = np.repeat(colours[classes][..., None], channels, axis=-1) * (1 + np.arange(channels))
    return image.astype("float32"), classes[..., None].astype("float32"), classes.astype("int8")


def sampler(frames, **more):
    options = {"patch_shape": (16, 16), "batch_size": 32, "seed": 3} | more
    return AnnotatedSampler(frames, **options)


def draw(source, step=0):
    image, known = source.draw(StepSeed(source.seed, step, source.stream))
    return ops.convert_to_numpy(image), ops.convert_to_numpy(known)


def blobs(shape, seed=0, kinds=3):
    """Classes or objects in rectangular pieces, many of which touch each other and the border."""
    rng = np.random.default_rng(seed)
    found = np.zeros(shape, int)
    for _ in range(12):
        begin = [rng.integers(-2, side) for side in shape]
        piece = tuple(slice(max(0, b), b + rng.integers(2, 9)) for b in begin)
        found[piece] = rng.integers(1, kinds + 1)
    return found


# Drawing


def test_without_variation_patches_are_those_of_the_plain_sampler_and_annotations_lie_on_them():
    frames = [places(40, 50)] * 2
    patches, known = draw(sampler(frames, favoured=0, stream=1))
    plain = PatchSampler([image for image, _, _ in frames], (16, 16), 32, 3, stream=1)
    np.testing.assert_array_equal(patches, ops.convert_to_numpy(plain.draw(StepSeed(3, 0, 1))))
    np.testing.assert_array_equal(patches, where(known, 40, 50))


@pytest.mark.parametrize("shape", [(40, 50), (9, 30, 40)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_variation_of_nothing_leaves_every_value_as_it_is(shape, turned):
    patch = (4, 16, 16)[-len(shape) :]
    source = sampler([places(*shape)], patch_shape=patch, variation=Variation(), flip=turned, turn=turned)
    for step in range(3):
        patches, known = draw(source, step)
        np.testing.assert_array_equal(patches, where(known, *shape))
        steps = np.abs(np.diff(patches, axis=-3)).sum(axis=-1)
        assert (steps == 1).all(), "neighbours are neighbours"


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("shape", [(40, 50), (16, 16), (9, 30, 40)])
def test_annotations_stay_on_their_pixels_under_every_warp_flip_and_turn(shape, warp):
    patch = (4, 16, 16)[-len(shape) :]
    source = sampler([places(*shape)], patch_shape=patch, variation=WARPS[warp])
    moved = 0
    for step in range(3):
        patches, known = draw(source, step)
        away = np.abs(patches - where(known, *shape))
        assert away.max() < 0.5001, "each annotation is that of the nearest pixel"
        moved = max(moved, away.max())
    assert moved > 0.3


@pytest.mark.parametrize("warp", WARPS)
def test_what_an_image_shows_is_what_its_annotations_say(warp):
    frames = [coloured(blobs((60, 50), seed), channels=3) for seed in range(3)]
    image, known = draw(sampler(frames, variation=WARPS[warp], patch_shape=(24, 24)))
    assert set(np.unique(known)) <= {0, 1, 2, 3}
    shown = np.isin(image[..., 0], [0, 1, 7, 40])
    assert 0.5 < shown.mean() < 1, "all but edges"
    for channel in range(3):
        expected = np.array([0, 1, 7, 40])[known[..., 0].astype(int)] * (channel + 1)
        np.testing.assert_allclose(image[..., channel][shown], expected[shown], rtol=1e-5)


def test_a_rotation_turns_up_to_the_angle_asked_for_and_keeps_distances():
    source = sampler([places(80, 80)], variation=Variation(rotation=30), flip=False, turn=False, batch_size=200)
    patches, _ = draw(source)
    inside = patches[(patches.min(axis=(1, 2, 3)) > 1) & (patches.max(axis=(1, 2, 3)) < 78)]
    right = inside[:, 8, 15] - inside[:, 8, 0]
    np.testing.assert_allclose(np.linalg.norm(right, axis=-1), 15, atol=1e-3)
    angles = np.degrees(np.arctan2(right[:, 0], right[:, 1]))
    assert 27 < angles.max() <= 30.01
    assert -30.01 <= angles.min() < -27
    assert abs(angles.mean()) < 4


def test_a_zoom_goes_both_ways_alike_and_around_the_middle():
    shared = {"flip": False, "turn": False, "batch_size": 300, "favoured": 0}
    plain, _ = draw(sampler([places(90, 90)], **shared))
    zoomed, _ = draw(sampler([places(90, 90)], variation=Variation(zoom=1.5), **shared))
    within = (zoomed.min(axis=(1, 2, 3)) > 1) & (zoomed.max(axis=(1, 2, 3)) < 88)
    plain, zoomed = plain[within], zoomed[within]
    np.testing.assert_allclose(plain.mean(axis=(1, 2)), zoomed.mean(axis=(1, 2)), atol=1e-3)
    factor = (zoomed[:, 15, 15] - zoomed[:, 0, 0]) / 15
    np.testing.assert_allclose(factor[:, 0], factor[:, 1], atol=1e-4)
    assert 1 / 1.5 - 0.001 < factor.min() < 0.7
    assert 1.4 < factor.max() < 1.501
    assert abs(np.log(factor).mean()) < 0.06


def shifts(elastic, side):
    """How far an elastic warp moves the pixels of many patches."""
    shared = {"flip": False, "turn": False, "batch_size": 30, "favoured": 0, "patch_shape": (side, side)}
    plain, bent = (
        draw(sampler([places(300, 300)], variation=v, **shared))[0] for v in (None, Variation(elastic=elastic))
    )
    return (bent - plain)[(bent.min(axis=(1, 2, 3)) > 1) & (bent.max(axis=(1, 2, 3)) < 298)]


def test_an_elastic_warp_moves_pixels_as_far_as_asked_and_smoothly():
    shift = shifts(2, 64)
    assert 1.4 < shift.std() < 2.1
    assert abs(shift.mean()) < 0.2
    assert np.abs(np.diff(shift, axis=1)).mean() < 0.3
    assert abs(np.corrcoef(shift[..., 0].ravel(), shift[..., 1].ravel())[0, 1]) < 0.15
    assert 0.8 < shifts(1, 64).std() / shift.std() * 2 < 1.2


def test_an_elastic_warp_folds_hardly_anything_however_strong_it_is_and_small_the_patch():
    for side in (16, 64):
        shift = shifts(50, side)
        assert shift.std() > 0.02 * side
        for axis in (1, 2):
            assert (np.diff(shift[..., axis - 1], axis=axis) < -1).mean() < 0.01


def test_planes_of_a_volume_are_warped_alike_and_stay_in_their_order():
    patches, known = draw(sampler([places(9, 40, 40)], patch_shape=(4, 16, 16), variation=WARPS["all"]))
    depth = patches[..., 0]
    np.testing.assert_allclose(depth - depth[:, :1], np.arange(4)[None, :, None, None] + 0 * depth, atol=1e-4)
    np.testing.assert_allclose(patches[..., 1:] - patches[:, :1, ..., 1:], 0, atol=1e-3)
    assert (np.diff(where(known, 9, 40, 40)[..., 0], axis=1) == 1).all()


def test_past_its_edge_an_image_is_mirrored():
    """Rotation and zoom reach out of a patch as large as its image."""
    source = sampler([places(24, 24)], patch_shape=(24, 24), variation=WARPS["all"], flip=False, turn=False)
    patches, _ = draw(source)
    assert patches.min() >= 0
    assert patches.max() <= 23
    assert max(np.abs(np.diff(patches, axis=axis)).max() for axis in (1, 2)) < 2.5, "there is no seam at the edge"
    line = draw(sampler([places(24, 24)], patch_shape=(24, 24), variation=Variation(zoom=1.8), favoured=0, flip=False,
                        turn=False))[0][:, :, 12, 0]  # fmt: skip
    widest = line[np.abs(np.diff(line[:, 8:16], axis=1)).mean(axis=1).argmax()]
    step = widest[12] - widest[11]
    out = 11.5 + step * (np.arange(24) - 11.5)
    assert out[0] < -5
    assert step > 1.5
    np.testing.assert_allclose(widest, np.where(out < 0, -out, np.where(out > 23, 46 - out, out)), atol=0.01)


def test_a_batch_depends_on_seed_and_step_only():
    frames = [coloured(blobs((50, 50)))]
    everything = {"variation": Variation(45, 1.25, 2, 0.1, 1.3, 0.05, 0.5)}
    first = draw(sampler(frames, **everything), step=7)
    other = sampler(frames, **everything)
    for step in (0, 3, 99):
        draw(other, step)
    for one, again in zip(first, draw(other, step=7)):
        np.testing.assert_array_equal(one, again)
    for changed in (draw(other, step=8), draw(sampler(frames, **everything | {"seed": 4}), step=7)):
        assert not np.allclose(first[0], changed[0])
        assert not np.array_equal(first[1], changed[1])


def test_no_two_patches_of_a_batch_are_varied_alike():
    image = np.broadcast_to(np.random.default_rng(0).normal(size=(16, 16, 1)), (16, 16, 1)).astype("float32")
    frame = (image, np.zeros((16, 16, 1), "float32"), np.zeros((16, 16), "int8"))
    for variation in (*WARPS.values(), COLOURS):
        patches, _ = draw(sampler([frame], variation=variation, flip=False, turn=False))
        distance = np.abs(patches[:, None] - patches[None]).mean(axis=(2, 3, 4)) + np.eye(32)
        assert distance.min() > 1e-4


# Rare classes


@pytest.mark.parametrize("shape", [(200, 200), (20, 60, 60)])
@pytest.mark.parametrize("favoured", [0.5, 1.0])
def test_a_rare_class_is_in_as_many_patches_as_asked_for(shape, favoured):
    classes = np.zeros(shape, int)
    corner = tuple(slice(5, 9) for _ in shape)
    classes[corner] = 2  # one small object
    classes[..., 40:60] = 1
    source = sampler([coloured(classes)], patch_shape=(4, 16, 16)[-len(shape) :], favoured=favoured, batch_size=64)
    known = np.concatenate([draw(source, step)[1] for step in range(8)])
    axes = tuple(range(1, known.ndim))
    for kind in (1, 2):
        assert (known == kind).any(axis=axes).mean() > favoured / 2 - 0.05, "all classes alike"
    assert (known > 0).any(axis=axes).mean() >= favoured - 0.05


def test_no_patch_favours_anything_if_none_is_asked_for():
    classes = np.zeros((200, 200), int)
    classes[100, 100] = 1
    known = np.concatenate([draw(sampler([coloured(classes)], favoured=0), step)[1] for step in range(10)])
    assert (known > 0).any(axis=(1, 2, 3)).mean() < 0.03


def test_a_thousandth_of_the_pixels_is_in_half_of_the_patches_even_if_only_one_of_many_images_shows_it():
    empty = np.zeros((64, 64), int)
    classes = empty.copy()
    classes[60:, 60:] = 1
    frames = [coloured(empty)] * 3 + [coloured(classes)] + [coloured(empty)]
    known = np.concatenate([draw(sampler(frames), step)[1] for step in range(10)])
    assert 0.44 < (known > 0).any(axis=(1, 2, 3)).mean() < 0.6


def test_a_favoured_pixel_may_lie_anywhere_in_its_patch():
    classes = np.zeros((100, 100), int)
    classes[50, 50] = 1
    source = sampler([coloured(classes)], favoured=1, batch_size=256)
    often = np.mean([draw(source, step)[1][..., 0] for step in range(20)], axis=(0, 1))
    assert often.sum() == pytest.approx(1), "in every patch"
    assert often.min() > 0.2 / 256
    assert often.max() < 2.5 / 256


def test_warped_patches_still_show_what_they_were_drawn_around():
    classes = np.zeros((100, 100), int)
    classes[49:52, 49:52] = 1
    source = sampler([coloured(classes)], favoured=1, variation=WARPS["all"], patch_shape=(32, 32), batch_size=64)
    known = np.concatenate([draw(source, step)[1] for step in range(4)])
    assert (known > 0).any(axis=(1, 2, 3)).mean() > 0.85


def test_every_pixel_can_be_drawn_next_to_favoured_ones():
    image, known, classes = places(30, 40)
    classes[:] = 0
    classes[3, 3] = 1
    source = sampler([(image, known, classes)])
    seen = {v for step in range(100) for v in draw(source, step)[1].ravel().tolist()}
    assert len(seen) == classes.size


def test_images_without_any_object_are_drawn_like_others():
    frames = [coloured(np.zeros((30, 40), int)), coloured(np.full((20, 20), -1))]
    _, known = draw(sampler(frames, batch_size=256))
    assert set(np.unique(known)) == {-1, 0}


def test_a_class_that_is_missing_from_one_block_returns_with_the_next():
    many, none = blobs((60, 60), kinds=3), np.zeros((60, 60), int)
    rare = none.copy()
    rare[30, 30] = 3
    for first in (many, none, np.minimum(many, 1)):
        source = sampler([coloured(first)], favoured=1, batch_size=64)
        source.refill([coloured(none)])
        assert (draw(source)[1] == 0).all()
        source.refill([coloured(rare)])
        image, known = draw(source)
        assert (known == 3).any(axis=(1, 2, 3)).mean() > 0.95
        np.testing.assert_array_equal(image[known == 3], 40)


# Colours


def test_colours_change_as_far_as_asked_for_and_annotations_never():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(16, 16, 2)).astype("float32")
    frame = (image, np.arange(256).reshape(16, 16, 1).astype("float32"), np.ones((16, 16), "int8"))

    def varied(**more):
        source = sampler([frame], variation=Variation(**more), flip=False, turn=False, batch_size=400)
        patches, known = draw(source)
        np.testing.assert_array_equal(known, np.broadcast_to(frame[1], known.shape))
        return patches

    added = varied(brightness=0.3) - image
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-5
    assert -0.3001 < added.min() < -0.28
    assert 0.28 < added.max() < 0.3001

    stretched = varied(contrast=1.5)
    np.testing.assert_allclose(stretched.mean(axis=(1, 2)), np.tile(image.mean(axis=(0, 1)), (400, 1)), atol=1e-5)
    factor = stretched.std(axis=(1, 2)) / image.std(axis=(0, 1))
    np.testing.assert_allclose(factor[:, 0], factor[:, 1], rtol=1e-4)
    assert 1 / 1.501 < factor.min() < 0.69
    assert 1.45 < factor.max() < 1.501

    noise = varied(noise=0.2) - image
    assert 0.18 < noise.std(axis=(1, 2, 3)).max() < 0.23
    assert noise.std(axis=(1, 2, 3)).min() < 0.02
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("shape", [(12, 16), (3, 12, 16)])
def test_blur_mixes_in_a_binomial_filter_of_the_planes_and_keeps_what_is_flat(shape):
    from scipy.ndimage import correlate1d

    rng = np.random.default_rng(0)
    image = np.stack([rng.normal(size=shape), np.full(shape, 5.0)], axis=-1).astype("float32")
    frame = (image, np.zeros((*shape, 1), "float32"), np.zeros(shape, "int8"))
    source = sampler([frame], patch_shape=shape, variation=Variation(blur=1), flip=False, turn=False)
    patches, _ = draw(source)
    blurred = image
    for axis in (-3, -2):
        blurred = correlate1d(blurred, np.array([1, 4, 6, 4, 1]) / 16, axis=axis)
    inner = (..., slice(2, -2), slice(2, -2), 0)
    change, whole = (patches - image)[inner], (blurred - image)[inner]
    part = (change * whole).sum(axis=tuple(range(1, change.ndim))) / (whole**2).sum()
    np.testing.assert_allclose(change, part.reshape(-1, *[1] * whole.ndim) * whole, atol=1e-5)
    assert part.min() >= 0
    assert 0.8 < part.max() <= 1
    np.testing.assert_allclose(patches[..., 1], 5, atol=1e-5)


# Borders and distances


def objects_of(seed, dims):
    """Objects that touch each other and the border of the image, single pixels, and pixels nobody knows."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(5, 24, 2) if dims == 2 else rng.integers(3, 10, 3)
    found = blobs(shape, seed, kinds=6)
    if seed % 2:
        found[rng.random(shape) < 0.1] = 0
        found[rng.random(shape) < 0.1] = 60_000
    return found.astype("int32"), rng.random(shape) < (0.1 if seed % 3 else 0)


def in_graph(objects):
    return ops.convert_to_numpy(border_classes(ops.convert_to_tensor(objects[None, ..., None], "float32")))[0, ..., 0]


@pytest.mark.parametrize("dims", [2, 3])
def test_borders_are_those_of_scikit_image(dims):
    touching = 0
    for seed in range(30):
        objects, _ = objects_of(seed, dims)
        classes = in_graph(objects)
        np.testing.assert_array_equal(classes == BORDER, find_boundaries(objects, mode="outer"))
        np.testing.assert_array_equal(classes == INSIDE, (objects > 0) & ~find_boundaries(objects, mode="outer"))
        np.testing.assert_array_equal(classes, border_classes_of(objects))
        touching += ((classes == BORDER) & (objects > 0)).sum()
    assert touching > 100


@pytest.mark.parametrize("dims", [2, 3])
def test_what_is_unknown_stays_so_and_makes_no_border_of_its_own(dims):
    for seed in range(20):
        objects, unknown = objects_of(seed, dims)
        hidden = np.where(unknown, -1, objects)
        classes = in_graph(hidden)
        np.testing.assert_array_equal(classes, border_classes_of(hidden))
        np.testing.assert_array_equal(classes == UNKNOWN, unknown)
        far = ~binary_dilation(unknown, np.ones((3,) * dims))
        np.testing.assert_array_equal(classes[far], border_classes_of(objects)[far])


def test_an_object_is_not_cut_at_the_border_of_the_image():
    assert (in_graph(np.full((6, 7), 4)) == INSIDE).all()
    half = np.zeros((6, 8), int)
    half[:, :4] = 1
    assert in_graph(half)[0].tolist() == [INSIDE] * 4 + [BORDER] + [BACKGROUND] * 3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "int64"])
def test_borders_are_the_same_for_all_types_of_numbers(dtype):
    objects = np.minimum(objects_of(4, 2)[0], 255)
    np.testing.assert_array_equal(border_classes_of(objects.astype(dtype)), in_graph(objects))
    np.testing.assert_array_equal(normalised_distance(objects.astype(dtype)), normalised_distance(objects))


@pytest.mark.parametrize("dims", [2, 3])
def test_distances_are_those_to_the_nearest_pixel_outside_in_units_of_the_deepest(dims):
    for seed in range(6):
        objects, unknown = objects_of(seed, dims)
        objects[unknown] = -1
        found = normalised_distance(objects)
        assert found.dtype == "float32"
        assert (found[objects <= 0] == 0).all()
        for number in np.unique(objects[objects > 0]):
            inside = objects == number
            depth = distance_transform_edt(np.pad(inside, 1))[(slice(1, -1),) * dims]
            np.testing.assert_allclose(found[inside], (depth / depth.max())[inside], rtol=1e-6)


# Losses and scores, against plain numpy


def guess(seed=0, shape=(2, 5, 6), kinds=3):
    rng = np.random.default_rng(seed)
    return rng.integers(-1, kinds, shape), rng.normal(0, 3, (*shape, kinds)).astype("float32")


def softmax(logits):
    powers = np.exp(logits.astype(float) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 3, 5, 6)])
def test_cross_entropy_is_the_weighted_mean_over_known_pixels(shape):
    classes, logits = guess(0, shape)
    weights = [0.5, 1.0, 4.0]
    known = classes >= 0
    surprise = -np.log(softmax(logits)[known][np.arange(known.sum()), classes[known]])
    expected = np.average(surprise, weights=np.array(weights)[classes[known]])
    assert number(cross_entropy(classes, logits, weights)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 3, 5, 6)])
def test_dice_loss_is_that_of_the_classes_that_occur_other_than_background(shape):
    classes, logits = guess(1, shape)
    for there in (classes, np.where(classes == 2, 0, classes)):
        known, chance = there >= 0, softmax(logits)
        dice = [
            2 * chance[there == k][:, k].sum() / (chance[known][:, k].sum() + (there == k).sum())
            for k in (1, 2)
            if (there == k).any()
        ]
        assert number(dice_loss(there, logits)) == pytest.approx(1 - np.mean(dice), rel=1e-5)


def test_overlaps_count_common_and_all_pixels_of_each_class():
    classes = np.array([[[0, 1, 1], [2, -1, 0]]])
    decided = np.eye(3, dtype="float32")[[[[0, 1, 2], [2, 1, 1]]]]
    common, total = (ops.convert_to_numpy(values) for values in overlaps(classes, decided))
    assert common.tolist() == [1, 1, 1]
    assert total.tolist() == [[1, 2, 2], [2, 2, 1]]


def test_unknown_pixels_count_for_nothing_in_any_loss():
    classes, logits = guess(2)
    distances, found = (np.random.default_rng(n).random(classes.shape).astype("float32") for n in (0, 1))
    changed, other = logits.copy(), found.copy()
    changed[classes < 0] += np.array([50, -50, 3])
    other[classes < 0] = 1e4
    for loss in (lambda c, x: cross_entropy(c, x, [1, 2, 3]), dice_loss):
        assert number(loss(classes, changed)) == pytest.approx(number(loss(classes, logits)))
    loss = number(distance_loss(distances, found, classes))
    assert loss == pytest.approx(((distances - found)[classes >= 0] ** 2).mean(), rel=1e-5)
    assert number(distance_loss(distances, other, classes)) == pytest.approx(loss)


def test_where_nothing_is_known_every_loss_is_zero_and_a_number():
    _, logits = guess(3)
    nothing = np.full(logits.shape[:-1], -1)
    assert number(cross_entropy(nothing, logits, [1, 1, 1])) == 0
    assert number(dice_loss(nothing, logits)) == 0
    assert number(distance_loss(logits[..., 0], logits[..., 1], nothing)) == 0
    assert number(dice_loss(np.zeros_like(nothing), logits)) == 0


def test_losses_stay_numbers_where_the_network_is_very_sure():
    classes, logits = guess(4)
    for scale in (1e3, 1e6):
        for loss in (cross_entropy(classes, logits * scale, [1, 1, 1]), dice_loss(classes, logits * scale)):
            assert np.isfinite(number(loss))


def test_the_score_is_the_dice_of_all_pixels_of_an_epoch_together():
    score, batches = Score(3), [guess(seed, (2, 9, 7)) for seed in range(4)]
    for classes, logits in batches:
        score.update_state(classes, logits)
    classes = np.concatenate([c for c, _ in batches])
    decided = np.concatenate([x for _, x in batches]).argmax(axis=-1)[classes >= 0]
    known = classes[classes >= 0]
    dice = [2 * ((known == k) & (decided == k)).sum() / ((known == k).sum() + (decided == k).sum()) for k in (1, 2)]
    assert number(score.result()) == pytest.approx(np.mean(dice), rel=1e-5)
    score.reset_state()
    assert number(score.result()) == 0
    score.update_state(np.where(classes == 2, 2, 0), np.eye(3, dtype="float32")[np.maximum(classes, 0)])
    assert number(score.result()) == pytest.approx(1), "a class that does not occur is not judged"


# Training


def disks(seed, side=64, objects=True):
    """A noisy image of bright disks: a frame whose annotations are object numbers and distances, or classes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), "int32")
    for n in range(1, 13):
        row, column = rng.integers(0, side, 2)
        labels[(y - row) ** 2 + (x - column) ** 2 < rng.integers(16, 60)] = n
    image = ((labels > 0) + rng.normal(0, 0.2, labels.shape))[..., None].astype("float32")
    if not objects:
        return image, (labels[..., None] > 0).astype("float32"), (labels > 0).astype("int8")
    known = np.stack([labels, normalised_distance(labels)], axis=-1).astype("float32")
    return image, known, border_classes_of(labels)


def training(objects=False, distance=False, seed=1, frames=None, loss="both", **network):
    frames = frames or [disks(n, objects=objects) for n in range(3)]
    device.seed_weights(seed)
    kinds = 3 if objects else 2
    common = {"patch_shape": (32, 32), "batch_size": 4, "seed": seed}
    patches = AnnotatedSampler(frames[:-1], variation=Variation(45, 1.25, 2, 0.1, 1.3, 0.05, 0.5), **common)
    validation = AnnotatedSampler(frames[-1:], favoured=0, flip=False, turn=False, stream=1, **common)
    built = unet(Architecture(width=4, depth=1, outputs=kinds + distance, **network))
    return SegmentationTraining(
        built, patches, validation, seed, SegmentationLoss([1.0] * kinds, objects, distance, loss)
    )


@pytest.mark.parametrize(("objects", "loss", "reached"), [(False, "dice", 0.8), (True, "both", 0.5)])
def test_thirty_steps_make_the_loss_smaller_and_the_score_larger(objects, loss, reached):
    model = training(objects, loss=loss, batch_norm=True)
    history = train(model, Plan(epochs=3, steps_per_epoch=10, learning_rate=0.03)).history
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert history[-1]["score"] > history[0]["score"] + 0.05
    assert max(row["val_score"] for row in history) > reached


def test_what_is_trained_is_the_sum_of_the_losses_of_the_drawn_patches():
    model = training(True, True)
    model.compile(jit_compile=False)
    found = model.evaluate(np.arange(1, dtype="int32"), batch_size=1, verbose=0, return_dict=True)
    image, known = draw(model.validation_patches)
    answer = ops.convert_to_numpy(model.network(image))
    classes = np.stack([in_graph(objects) for objects in known[..., 0]])
    logits = answer[..., :3]
    expected = number(cross_entropy(classes, logits, [1, 1, 1])) + number(dice_loss(classes, logits))
    expected += 4 * np.mean((known[..., 1] - answer[..., 3]) ** 2)
    assert found["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_best_weights_are_those_of_the_best_score_whatever_the_loss():
    model, kept = training(), []

    def on_epoch(row, is_best):
        kept.append((row["val_score"], row["val_loss"], [w.copy() for w in model.network.get_weights()]))
        if row["epoch"] == 4:  # surer of all that it finds: the same score or another, and a larger loss
            *rest, last, bias = model.network.get_weights()
            model.network.set_weights([*rest, 30 * last, 30 * bias])
        if row["epoch"] == 5:
            model.network.set_weights([0 * w for w in model.network.get_weights()])

    outcome = train(model, Plan(6, 8, 0.01), on_epoch=on_epoch)
    best = int(np.argmax([score for score, _, _ in kept]))
    assert outcome.best_epoch == best + 1
    assert outcome.best_score == kept[best][0]
    for now, then in zip(model.network.get_weights(), kept[best][2]):
        np.testing.assert_array_equal(now, then)


class Scripted(Lessons):
    """Learns nothing; its validation gives these scores, one an epoch, and losses that fall all the time."""

    validation_steps = 1

    def __init__(self, scores):
        super().__init__()
        device.seed_weights(1)
        layers = keras.layers.Input((1,)), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(1)
        self.network = keras.Sequential(layers)
        self.script = iter(scores)
        self.fallen, self.built = 10.0, True

    def call(self, step, training=False):
        return self.network(ops.cast(step, "float32")[:, None], training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y_pred - 1))

    def test_on_batch(self, *args, **more):
        self.fallen *= 0.9
        return {"loss": self.fallen, "score": next(self.script)}


@pytest.mark.parametrize(
    ("scores", "patience", "stopped", "epochs", "best"),
    [
        ([0.2, 0.5, 0.4, 0.5, 0.3, 0.9], 3, "settled", 5, 2),
        ([0.2, 0.5, 0.4, 0.6, 0.3, 0.5], 3, "finished", 6, 4),
        ([0.2, 0.5, 0.4, 0.4, 0.3, 0.5], None, "finished", 6, 2),
        ([0.2, 0.1, 0.1, 0.5, 0.1, 0.1], 2, "settled", 3, 1),
        ([0.5, 0.6, 0.7, 0.6, 0.6, 0.6], 3, "finished", 6, 3),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 0.0], None, "collapsed", 2, 1),
        ([0.0, 0.02, 0.0, 0.0, 0.0, 0.1], None, "finished", 6, 6),
    ],
)
def test_a_training_ends_when_no_score_gets_better_whatever_the_loss(scores, patience, stopped, epochs, best):
    outcome = train(Scripted(scores), Plan(6, 60, 1e-4), patience=patience)
    assert (outcome.stopped, len(outcome.history), outcome.best_epoch) == (stopped, epochs, best)
    assert outcome.best_score == max(scores[:epochs])


@pytest.mark.parametrize(("plan", "stopped", "epochs"), [((20, 10), "collapsed", 10), ((6, 2), "finished", 6)])
def test_a_network_is_not_called_collapsed_after_a_few_steps(plan, stopped, epochs):
    outcome = train(Scripted([0.0] * plan[0]), Plan(*plan, 1e-4))
    assert (outcome.stopped, len(outcome.history)) == (stopped, epochs)


def test_a_network_that_finds_only_background_is_called_collapsed_long_before_the_end():
    model = training(loss="cross_entropy")
    model.class_weights = (1.0, 0.0)  # finding something never pays
    *rest, _ = model.network.get_weights()
    model.network.set_weights([*rest, np.array([10.0, -10.0], "float32")])
    outcome = train(model, Plan(20, 26, 1e-4))
    assert outcome.stopped == "collapsed"
    assert len(outcome.history) == 4
    assert outcome.best_score == 0


def test_a_training_with_scores_whose_loss_is_not_a_number_diverges_and_keeps_what_was_good():
    model = Scripted([0.1, 0.2, 0.9])

    def spoil(training, epoch):
        if epoch == 2:
            model.network.set_weights([w * np.nan for w in model.network.get_weights()])

    outcome = train(model, Plan(10, 4, 0.01), refills=[spoil])
    assert (outcome.stopped, len(outcome.history), outcome.best_epoch) == ("diverged", 2, 2)
    assert all(np.isfinite(w).all() for w in model.network.get_weights())


def test_a_good_network_is_kept_if_no_epoch_scores_higher():
    model = Scripted([0.8, 0.5, 0.6])
    before = [w.copy() for w in model.network.get_weights()]
    outcome = train(model, Plan(2, 20, 0.01), trained=True)
    assert outcome.best_epoch == 0
    for now, then in zip(model.network.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_each_epoch_brings_other_blocks_with_their_annotations():
    class Stream:
        def blocks(self, epoch):
            image, known, classes = disks(epoch, objects=False)
            return [(image + 10 * epoch, known + 5 * epoch, classes)] * 2

    model, refill = training(), Refill(Stream())
    for epoch, least in ((0, 0), (1, 5), (2, 10)):
        refill(model, epoch)
        image, known = draw(model.patches)
        assert known.min() == least
        assert abs(image.mean() - 10 * epoch) < 2


def test_timing_some_steps_takes_no_draw_of_dropout_away():
    timed, counted = (Scripted([0.5] * 4) for _ in range(2))
    plan_for_minutes(timed, 0.01, 0.01)
    for model in (timed, counted):
        train(model, Plan(1, 5, 0.01))
    for one, other in zip(timed.network.get_weights(), counted.network.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_volume_of_three_channels_is_learned_too():
    rng = np.random.default_rng(0)
    labels = blobs((8, 32, 32), 1, kinds=4)
    image = ((labels > 0)[..., None] + rng.normal(0, 0.2, (*labels.shape, 3))).astype("float32")
    frame = (image, labels[..., None].astype("float32"), border_classes_of(labels))
    device.seed_weights(1)
    shared = {"patch_shape": (4, 16, 16), "batch_size": 2, "seed": 1}
    patches = AnnotatedSampler([frame], variation=Variation(45, 1.25, 2, 0.1, 1.3, 0.05, 0.5), **shared)
    validation = AnnotatedSampler([frame], favoured=0, flip=False, turn=False, stream=1, **shared)
    network = unet(Architecture(3, 3, outputs=3, width=4, depth=1, batch_norm=True))
    model = SegmentationTraining(network, patches, validation, 1, SegmentationLoss([1.0] * 3, True))
    history = train(model, Plan(4, 12, 0.02)).history
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]


# Dropout


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_dropout_is_where_csbdeep_has_it(dims, batch_norm):
    from csbdeep.internals.nets import custom_unet

    shape, pool = (None,) * dims + (1,), (2,) * dims
    theirs = custom_unet(
        shape, "linear", 2, 4, (3,) * dims, pool_size=pool, n_channel_out=2, dropout=0.3, batch_norm=batch_norm
    )
    ours = unet(Architecture(dims, outputs=2, width=4, dropout=0.3, batch_norm=batch_norm))

    def kinds(network):
        rate = [getattr(layer, "rate", None) for layer in network.layers]
        return [(type(layer).__name__, r) for layer, r in zip(network.layers, rate)]

    assert kinds(ours) == kinds(theirs)[:-1], "but the linear activation at the end"
    image = np.random.default_rng(0).normal(size=(1, *(4, 16, 16)[-dims:], 1)).astype("float32")
    ours.set_weights(theirs.get_weights())
    one, other = (ops.convert_to_numpy(network(image)) for network in (ours, theirs))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert not np.allclose(ops.convert_to_numpy(ours(image, training=True)), one), "only training drops anything"


def test_a_network_with_dropout_holds_the_weights_of_one_without():
    plain, dropping = (unet(Architecture(width=4, dropout=share)) for share in (0, 0.5))
    assert [w.path.split("/")[-2:] for w in plain.weights] == [w.path.split("/")[-2:] for w in dropping.weights]
    assert keras.backend.backend() != "tensorflow" or not any("seed" in w.path for w in dropping.weights)
