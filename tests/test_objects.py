"""Objects come back from what a network says of them, are measured rightly, and networks start from older ones."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.measure import regionprops

from n2seg_utils import SegmentSettings, UserError
from n2seg_utils.data.tables import write_table
from n2seg_utils.learning.annotations import BACKGROUND, INSIDE, border_classes_of, normalised_distance
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models import transfer, tuning, weights
from n2seg_utils.models.objects import EVERY_HOLE, Rule, find_classes, find_objects
from n2seg_utils.quality.measurements import measure
from n2seg_utils.quality.overlap import overlap
from n2seg_utils.quality.painting import painted


def one_hot(classes, kinds=3):
    return np.eye(kinds, dtype="float32")[classes]


def perfect(labels, blur=0.5):
    """What a network would say that knows the truth and is a little unsure."""
    sure = one_hot(border_classes_of(labels))
    return np.stack([gaussian_filter(sure[..., k], blur) for k in range(3)], axis=-1) if blur else sure


def with_distance(labels, blur=0.5):
    return np.concatenate([perfect(labels, blur), normalised_distance(labels)[..., None]], axis=-1)


def balls(shape, centres, radius):
    """Each pixel within the radius belongs to the nearest centre: balls touch where they are near."""
    grid = np.indices(shape)
    far = np.stack([sum((g - c) ** 2 for g, c in zip(grid, centre)) for centre in centres])
    return np.where(far.min(0) <= radius**2, 1 + far.argmin(0), 0).astype("int32")


APART_2D = balls((64, 64), [(14, 14), (14, 46), (46, 14), (46, 46)], 10)
TOUCHING_2D = balls((64, 64), [(22, 20), (22, 38), (40, 28), (44, 46)], 11)
TOUCHING_3D = balls((24, 40, 40), [(12, 12, 12), (12, 12, 27), (12, 28, 19)], 9)
AT_THE_EDGE = balls((48, 48), [(0, 0), (24, 0), (47, 30), (24, 24)], 10)
MADE = {"apart": APART_2D, "touching": TOUCHING_2D, "in 3D": TOUCHING_3D, "at the edge": AT_THE_EDGE}


def real_labels(folder):
    """Small crops of labels that people drew."""
    labels = [tifffile.imread(path)[:160, :160] for path in sorted((folder / "dsb2018" / "masks").iterdir())[:3]]
    labels.append(tifffile.imread(folder / "stardist" / "mask2d.tif")[100:292, 100:292])
    phase = sorted((folder / "omnipose_phase" / "masks").iterdir())[0]
    return [*labels, tifffile.imread(phase)[:160, :160]]


# Objects


@pytest.mark.parametrize("distance", [False, True])
@pytest.mark.parametrize("blur", [0, 0.5])
@pytest.mark.parametrize("name", MADE)
def test_true_objects_come_back_from_perfect_probabilities(name, blur, distance):
    truth = MADE[name]
    found = find_objects((with_distance if distance else perfect)(truth, blur), Rule(seed=0.4), distance)
    assert (found.dtype, found.shape) == ("int32", truth.shape)
    scores = overlap(truth, found).match(0.9)
    assert (scores.tp, scores.fp, scores.fn) == (truth.max(), 0, 0)
    assert scores.mean_iou > 0.97


@pytest.mark.parametrize(("distance", "seed", "least"), [(False, 0.4, 0.99), (False, 0.7, 0.99), (True, 0.5, 0.97)])
def test_real_objects_come_back_from_perfect_probabilities(real_images, distance, seed, least):
    for truth in real_labels(real_images):
        big = np.flatnonzero(np.bincount(truth.ravel()) >= 30)  # what the crop cut off is hardly more than border
        truth = np.where(np.isin(truth, big), truth, 0)
        found = find_objects((with_distance if distance else perfect)(truth), Rule(seed=seed), distance)
        assert overlap(truth, found).match(0.75).f1 == 1
        assert tuning.object_score(truth, found) > least


@pytest.mark.parametrize(("distance", "seed", "least"), [(False, 0.7, 0.95), (True, 0.5, 0.9)])
def test_real_volumes_come_back_from_perfect_probabilities(real_images, distance, seed, least):
    truth = tifffile.imread(real_images / "stardist" / "mask3d.tif")[:, :48, :48].astype("int32")
    truth[np.isin(truth, np.flatnonzero(np.bincount(truth.ravel()) < 100))] = 0  # what the crop cut off
    found = find_objects((with_distance if distance else perfect)(truth), Rule(seed=seed), distance)
    assert overlap(truth, found).match(0.5).f1 > least
    assert tuning.object_score(truth, found) > least


def test_touching_objects_share_no_pixel_and_no_gap():
    found = find_objects(perfect(TOUCHING_2D), Rule())
    np.testing.assert_array_equal(found[22, 16:44] > 0, True)
    assert len(np.unique(found[22, 16:44])) == 2


def test_without_a_border_between_them_two_objects_are_one():
    classes = (TOUCHING_2D > 0).astype(int)
    assert find_objects(one_hot(classes), Rule()).max() == 1


def test_objects_grow_over_no_pixel_that_is_surely_background():
    given = perfect(APART_2D)
    found = find_objects(given, Rule(threshold=0.3))
    assert not found[given[..., BACKGROUND] > 0.7].any()
    assert found[given[..., INSIDE] > 0.5].all()


def test_no_objects_are_found_where_there_are_none():
    for shape in ((20, 30), (5, 20, 30)):
        empty = np.zeros((*shape, 4), "float32")
        empty[..., BACKGROUND] = 1
        for distance in (False, True):
            found = find_objects(empty, Rule(min_size=9, largest_hole=EVERY_HOLE), distance)
            assert (found.shape, found.max()) == (shape, 0)
        assert not find_classes(empty, Rule(min_size=9, largest_hole=EVERY_HOLE)).any()


def test_objects_below_the_smallest_size_are_left_out_and_the_others_renumbered():
    truth = balls((64, 64), [(8, 8), (20, 50)], 4) + 3 * (balls((64, 64), [(45, 30)], 12) > 0)
    sizes = np.bincount(truth.ravel())[1:]
    some = find_objects(perfect(truth), Rule(min_size=int(sizes.min()) + 10))
    assert find_objects(perfect(truth), Rule()).max() == 3
    assert some.max() == 1
    np.testing.assert_array_equal(some > 0, balls((64, 64), [(45, 30)], 12) > 0)


@pytest.mark.parametrize("largest", [0, 3, 8, 9, EVERY_HOLE])
def test_holes_up_to_the_largest_are_filled_and_bays_are_not(largest):
    mask = np.zeros((40, 40), int)
    mask[5:35, 5:35] = 1
    mask[10:13, 10:13] = 0  # a hole of nine pixels
    mask[20, 5:15] = 0  # a bay
    mask[0:4, 38:] = 1  # cuts off nothing: the corner lies at the edge of the image
    for found in (find_objects(one_hot(mask), Rule(largest_hole=largest)),
                  find_classes(one_hot(mask, 2), Rule(largest_hole=largest))):  # fmt: skip
        assert found[10:13, 10:13].all() == (largest >= 9)
        assert found[10:13, 10:13].any() == (largest >= 9)
        assert not found[20, 5:15].any()


def test_a_hole_in_a_volume_is_one_that_is_closed_on_all_sides():
    mask = np.zeros((9, 20, 20), int)
    mask[1:8, 3:17, 3:17] = 1
    closed, open_ = mask.copy(), mask.copy()
    closed[4, 8:12, 8:12] = 0
    open_[4:, 8:12, 8:12] = 0  # in each plane a hole, in the volume a pit
    rule = Rule(largest_hole=EVERY_HOLE)
    np.testing.assert_array_equal(find_objects(one_hot(closed), rule) > 0, mask > 0)
    np.testing.assert_array_equal(find_objects(one_hot(open_), rule) > 0, open_ > 0)
    np.testing.assert_array_equal(find_classes(one_hot(open_, 2), rule) > 0, open_ > 0)


# Classes


def test_classes_come_back_from_their_probabilities():
    truth = np.random.default_rng(0).integers(0, 4, (30, 40))
    np.testing.assert_array_equal(find_classes(one_hot(truth, 4), Rule()), truth)


def test_the_threshold_decides_between_background_and_the_likeliest_class():
    given = np.array([[[0.45, 0.3, 0.25], [0.6, 0.1, 0.3], [0.1, 0.45, 0.45]]])
    np.testing.assert_array_equal(find_classes(given, Rule(threshold=0.5)), [[1, 0, 1]])
    np.testing.assert_array_equal(find_classes(given, Rule(threshold=0.3)), [[1, 2, 1]])
    np.testing.assert_array_equal(find_classes(given, Rule(threshold=0.8)), [[0, 0, 1]])


def test_small_pieces_of_a_class_are_left_out_and_a_class_in_a_hole_of_another_is_kept():
    truth = np.zeros((40, 40), int)
    truth[5:35, 5:35] = 1
    truth[10:20, 10:20] = 2
    truth[12:14, 12:14] = 0  # a hole in class 2
    truth[28:30, 28:30] = 0  # a hole in class 1
    truth[37:39, 37:39] = 2  # a crumb
    found = find_classes(one_hot(truth), Rule(min_size=9, largest_hole=4))
    expected = np.zeros((40, 40), int)
    expected[5:35, 5:35] = 1
    expected[10:20, 10:20] = 2
    np.testing.assert_array_equal(found, expected)


# Tuning


def noisy_examples(seed=0, count=3):
    rng = np.random.default_rng(seed)
    made = []
    for n in range(count):
        truth = balls((48, 48), rng.uniform(6, 42, (5, 2)), 7)
        given = perfect(truth, 1.0) + rng.normal(0, 0.15, (48, 48, 3)).clip(-0.4, 0.4)
        made.append((given, truth if n else np.where(np.arange(48) < 5, -1, truth)))
    return made


def counting(find):
    """A finder that remembers what it was asked."""
    asked = []

    def counted(probabilities, rule):
        asked.append((id(probabilities), rule))
        return find(probabilities, rule)

    return counted, asked


@pytest.mark.parametrize("seed", range(2))
def test_tuning_ends_no_worse_than_it_began_and_asks_nothing_twice(seed):
    examples = noisy_examples(seed)
    sizes = [n for _, truth in examples for n in np.bincount(np.maximum(truth, 0).ravel())[1:]]
    start, choices, margin = tuning.plan("instances", "border", sizes)
    find, asked = counting(find_objects)
    shares = []
    tuned = tuning.tune(
        examples, find, tuning.object_score, start, choices, margin, lambda share, words: shares.append(share)
    )

    def mean(rule):
        return np.mean([tuning.object_score(truth, find_objects(given, rule)) for given, truth in examples])

    assert len(asked) == len(set(asked))
    assert tuned.score == pytest.approx(mean(tuned.rule))
    assert tuned.score >= mean(start)
    assert tuned.score > mean(start) or tuned.rule == start
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    curve = {row["threshold"]: row["score"] for row in tuned.curve}
    assert set(curve) == set(tuning.THRESHOLDS)
    for threshold in (0.2, 0.7):
        assert curve[threshold] == pytest.approx(mean(replace(tuned.rule, threshold=threshold)))


@pytest.mark.parametrize(("gain", "moved"), [(0.009, False), (0.02, True)])
def test_what_gains_less_than_the_margin_changes_nothing(gain, moved):
    start = Rule(threshold=0.5)

    def score(truth, found):
        return 0.5 + gain * (found == 0.6)

    tuned = tuning.tune([(None, None)], lambda _, rule: rule.threshold, score, start, {"threshold": (0.4, 0.6)}, 0.01)
    assert tuned.rule.threshold == (0.6 if moved else 0.5)
    assert tuned.score == pytest.approx(0.5 + gain * moved)


def test_tuning_finds_the_number_that_matters_though_it_begins_far_from_it():
    given = perfect(TOUCHING_2D)
    given[::6, ::6] = one_hot(np.array(INSIDE))  # crumbs
    _, choices, margin = tuning.plan("instances", "border", np.bincount(TOUCHING_2D.ravel())[1:])
    tuned = tuning.tune([(given, TOUCHING_2D)], find_objects, tuning.object_score, Rule(), choices, margin)
    assert tuned.rule.min_size > 1
    assert tuned.score > tuning.object_score(TOUCHING_2D, find_objects(given, Rule())) + 0.2


@pytest.mark.parametrize("kind", ["binary", "classes", "instances"])
@pytest.mark.parametrize("sizes", [[], [1], [0, 0, 3], [40, 50, 60] * 30, np.arange(1, 500)])
@pytest.mark.parametrize("method", ["border", "distance"])
def test_a_plan_begins_among_what_it_tries_and_never_leaves_out_what_was_drawn(kind, sizes, method):
    start, choices, margin = tuning.plan(kind, method, sizes)
    assert ("seed" in choices) == (kind == "instances")
    assert margin > 0
    for name, values in choices.items():
        assert getattr(start, name) in values
        assert len(set(values)) == len(values)
    drawn = np.sort([size for size in sizes if size])
    if len(drawn):
        assert max(choices["min_size"]) <= np.percentile(drawn, 1)


def test_scores_pass_over_what_is_unknown_and_an_empty_image_is_no_riddle():
    truth = np.where(np.arange(64) < 32, -1, APART_2D)
    wrong_there = np.where(np.arange(64) < 32, 99, APART_2D)
    assert tuning.object_score(truth, wrong_there) == tuning.pixel_score(np.sign(truth), np.sign(wrong_there)) == 1
    empty = np.zeros((20, 20), "int32")
    for score in (tuning.object_score, tuning.pixel_score):
        assert score(empty, empty) == 1
        assert score(empty, balls((20, 20), [(10, 10)], 4)) == 0
        assert score(np.full((20, 20), -1), empty) == 1


def test_a_rule_is_said_in_words():
    words = Rule(0.4, 0.6, 30, EVERY_HOLE).describe()
    assert words == "threshold 0.4, seeds from 0.6, at least 30 pixels, all holes are filled"


# Measuring


def save(path, values, micron=None, **metadata):
    """An ImageJ TIFF; `micron` are the sizes of a pixel along X, Y and Z."""
    path.parent.mkdir(exist_ok=True, parents=True)
    options = {}
    if micron:
        options["resolution"] = (1 / micron[0], 1 / micron[1])
        metadata |= {"unit": "um"} | ({"spacing": micron[2]} if len(micron) > 2 else {})
    tifffile.imwrite(path, values, imagej=True, metadata=metadata, **options)
    return path


def test_sizes_and_places_are_what_one_counts_by_hand(tmp_path):
    labels = np.zeros((30, 40), "uint16")
    labels[2:6, 3:13] = 5  # 4 x 10 pixels
    labels[20, 30] = 9
    save(tmp_path / "l" / "a.tif", labels, (0.5, 0.5))
    (first, second), (count,) = measure(tmp_path / "l")
    assert {name: first[name] for name in ("image", "object", "pixels", "y", "x")} == {
        "image": "a.tif", "object": 5, "pixels": 40, "y": 3.5, "x": 7.5
    }  # fmt: skip
    assert [first[n] for n in ("y_from", "y_to", "x_from", "x_to")] == [2, 5, 3, 12]
    assert first["area_um2"] == pytest.approx(10)
    assert first["perimeter"] == pytest.approx(24)  # around the centres of its outermost pixels
    assert first["perimeter_um"] == pytest.approx(12)
    assert first["equivalent_diameter"] == pytest.approx(2 * np.sqrt(40 / np.pi), rel=1e-5)
    assert first["equivalent_diameter_um"] == pytest.approx(first["equivalent_diameter"] / 2, rel=1e-5)
    assert (second["object"], second["pixels"], second["area_um2"]) == (9, 1, 0.25)
    assert count == {
        "image": "a.tif", "objects": 2, "mean_pixels": 20.5, "median_pixels": 20.5,
        "covered": pytest.approx(41 / 1200, rel=1e-5),
    }  # fmt: skip


def test_measurements_are_those_of_scikit_image(tmp_path, real_images):
    labels = tifffile.imread(real_images / "stardist" / "mask2d.tif")[:128, :128]
    grey = tifffile.imread(real_images / "stardist" / "img2d.tif")[:128, :128]
    save(tmp_path / "labels" / "a.tif", labels, (0.25, 0.25))
    save(tmp_path / "images" / "a.tif", grey)
    rows, _ = measure(tmp_path / "labels", tmp_path / "images")
    expected, microns = regionprops(labels.astype(int), grey), regionprops(labels.astype(int), spacing=(0.25, 0.25))
    assert len(rows) == len(expected) > 10
    for row, one, in_um in zip(rows, expected, microns):
        assert (row["object"], row["pixels"]) == (one.label, one.area)
        for name in ("perimeter", "eccentricity", "orientation", "solidity", "extent", "axis_major_length",
                     "intensity_mean", "intensity_max", "intensity_min"):  # fmt: skip
            assert row[name] == pytest.approx(getattr(one, name), rel=1e-5), name
        assert row["area_um2"] == pytest.approx(in_um.area, rel=1e-4)
        for name in ("perimeter", "axis_major_length", "axis_minor_length"):
            assert row[f"{name}_um"] == pytest.approx(getattr(in_um, name), rel=1e-4), name


def test_pixels_that_are_not_square_are_measured_too(tmp_path):
    labels = np.zeros((30, 40), "uint16")
    labels[10:20, 10:20] = 1
    save(tmp_path / "l" / "a.tif", labels, (0.5, 0.25))
    (row,), _ = measure(tmp_path / "l")
    assert row["area_um2"] == pytest.approx(100 * 0.125, rel=1e-4)
    assert row["axis_major_length_um"] == pytest.approx(2 * row["axis_minor_length_um"], rel=1e-4)


def test_volumes_are_measured_in_all_three_directions(tmp_path):
    labels = np.zeros((8, 30, 40), "uint16")
    labels[2:5, 10:14, 20:30] = 3
    labels[7, 0, 0] = 4
    save(tmp_path / "l" / "a.tif", labels, (0.2, 0.2, 1.5), axes="ZYX")
    (row, _), (count,) = measure(tmp_path / "l")
    assert (row["object"], row["pixels"], row["z"], row["y"], row["x"]) == (3, 120, 3, 11.5, 24.5)
    assert [row[n] for n in ("z_from", "z_to", "x_from", "x_to")] == [2, 4, 20, 29]
    assert row["volume_um3"] == pytest.approx(120 * 0.2 * 0.2 * 1.5, rel=1e-4)
    assert row["equivalent_diameter_um"] == pytest.approx((6 * row["volume_um3"] / np.pi) ** (1 / 3), rel=1e-4)
    assert (count["objects"], count["median_pixels"]) == (2, 60.5)


@pytest.mark.parametrize("axes", ["ZYX", "TZYX"])
def test_objects_that_are_numbered_plane_by_plane_are_measured_so(tmp_path, axes):
    planes = [np.where(n < APART_2D, 0, APART_2D) for n in (2, 0, 4, 1)]
    stack = np.stack(planes).astype("uint16").reshape((2, 2, 64, 64) if axes == "TZYX" else (4, 64, 64))
    for folder in ("labels", "images"):
        save(tmp_path / folder / "a.tif", stack, (0.5, 0.5, 2), axes=axes)
    rows, counts = measure(tmp_path / "labels", tmp_path / "images", dims=2)
    assert [count["objects"] for count in counts] == [2, 0, 4, 1]
    places = [(1, 1), (1, 2), (2, 1), (2, 2)] if axes == "TZYX" else [(None, n) for n in range(1, 5)]
    assert [(count.get("time_point"), count["plane"]) for count in counts] == places
    assert [row["intensity_mean"] for row in rows] == [1, 2, 1, 2, 3, 4, 1]
    assert rows[0]["area_um2"] == pytest.approx(rows[0]["pixels"] / 4)


def test_each_time_point_is_counted_for_itself_with_its_own_brightness(tmp_path):
    labels = np.stack([np.where(n < APART_2D, 0, APART_2D) for n in (2, 0, 4)]).astype("uint16")
    grey = np.stack([np.full((64, 64), 10 * n, "uint16") for n in (1, 2, 3)])
    save(tmp_path / "labels" / "a.tif", labels, axes="TYX")
    save(tmp_path / "images" / "a.tif", grey, axes="TYX")
    rows, counts = measure(tmp_path / "labels", tmp_path / "images")
    assert [(c["time_point"], c["objects"]) for c in counts] == [(1, 2), (2, 0), (3, 4)]
    assert [(r["time_point"], r["object"], r["intensity_mean"]) for r in rows] == [
        (1, 1, 10), (1, 2, 10), (3, 1, 30), (3, 2, 30), (3, 3, 30), (3, 4, 30)
    ]  # fmt: skip


def test_brightness_is_measured_though_image_and_labels_call_an_axis_differently(tmp_path):
    save(tmp_path / "labels" / "a.tif", TOUCHING_3D.astype("uint16"), axes="ZYX")
    save(tmp_path / "images" / "a.tif", np.where(TOUCHING_3D == 2, 70, 30).astype("uint16"), axes="TYX")
    rows, _ = measure(tmp_path / "labels", tmp_path / "images")
    assert [row["intensity_mean"] for row in rows] == [30, 70, 30]


def test_the_pieces_of_classes_are_their_objects(tmp_path):
    classes = np.zeros((30, 40), "uint8")
    classes[2:6, 2:6] = classes[10:12, 10:12] = 1
    classes[6:9, 2:6] = 2  # touches class 1
    save(tmp_path / "l" / "a.tif", classes)
    rows, (count,) = measure(tmp_path / "l", classes=True)
    assert [(r["class"], r["object"], r["pixels"]) for r in rows] == [(1, 1, 16), (1, 2, 4), (2, 1, 12)]
    assert count["objects"] == 3


def test_unlike_images_share_a_table(tmp_path):
    save(tmp_path / "labels" / "a.tif", APART_2D.astype("uint16"))
    save(tmp_path / "labels" / "b.tif", APART_2D.astype("uint16"), (0.5, 0.5))
    save(tmp_path / "labels" / "c.tif", np.stack([APART_2D] * 2).astype("uint16"), axes="TYX")
    save(tmp_path / "labels" / "d.tif", np.zeros((64, 64), "uint16"))
    save(tmp_path / "images" / "b.tif", APART_2D.astype("uint16"))
    rows, counts = measure(tmp_path / "labels", tmp_path / "images")
    for name, table in (("objects", rows), ("counts", counts)):
        write_table(tmp_path / f"{name}.csv", table)
        lines = (tmp_path / f"{name}.csv").read_text().splitlines()
        assert len(lines) == 1 + len(table)
        assert {line.count(",") for line in lines} == {lines[0].count(",")}
    assert (len(rows), len(counts)) == (16, 5)
    assert [row["intensity_mean"] for row in rows if row["image"] == "b.tif"] == [1, 2, 3, 4]


def test_numbers_of_objects_may_be_huge_and_unknown_pixels_are_no_objects(tmp_path):
    labels = np.where(APART_2D == 1, -1, APART_2D * 400_000_000).astype("int64").clip(-1, 2**31 - 1).astype("int32")
    (tmp_path / "l").mkdir()
    tifffile.imwrite(tmp_path / "l" / "a.tif", labels)
    rows, (count,) = measure(tmp_path / "l")
    assert [row["object"] for row in rows] == sorted({int(v) for v in np.unique(labels) if v > 0})
    assert sum(row["pixels"] for row in rows) == (labels > 0).sum()
    assert count["covered"] == pytest.approx((labels > 0).mean(), rel=1e-5)


# Painting


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "bool"])
def test_painted_pictures_are_grey_where_nothing_is_and_coloured_where_something_is(dtype):
    plane = np.random.default_rng(0).integers(0, 4000, (64, 64)).astype("uint16")
    labels = (TOUCHING_2D > 0 if dtype == "bool" else TOUCHING_2D).astype(dtype)
    for classes in (False, True):
        picture = painted(plane, labels, classes)
        assert picture.shape == (64, 64, 3)
        assert picture.min() >= 0
        assert picture.max() <= 1
        grey = np.ptp(picture, axis=-1) == 0
        assert grey[labels == 0].all()
        assert not grey[labels > 0].any()


def test_touching_objects_are_painted_in_different_colours_and_unknown_is_left_alone():
    plane = np.zeros((64, 64), "uint16")
    picture = painted(plane, np.where(TOUCHING_2D == 0, -1, TOUCHING_2D))
    colours = [{tuple(c) for c in picture[n == TOUCHING_2D].tolist()} for n in range(1, 5)]
    for first, second in ((0, 1), (0, 2), (1, 2), (2, 3)):
        assert not colours[first] & colours[second]
    np.testing.assert_array_equal(picture[TOUCHING_2D == 0], 0)


# Starting from other networks


@pytest.fixture
def old(real_images, tmp_path):
    """A function that copies a folder that another software wrote."""

    def copy(name):
        folder = shutil.copytree(real_images / "old_models" / name, tmp_path / name)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        return folder

    return copy


def settings(folder, **more):
    return SegmentSettings(images="i", masks="m", run="r", pretrained=str(folder), **more)


def stored(path):
    return weights.read(path)


OLD = {"care_2d": (2, False), "denoiseg_2d": (4, True), "n2v_2d": (2, True), "n2v2_2d": (2, True)}


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_layers_of_an_old_network_are_loaded_but_those_of_another_shape(old, name, channels):
    start = transfer.open_start(settings(old(name)))
    depth, batch_norm = OLD[name]
    assert (start.architecture.depth, start.architecture.batch_norm, start.workflow) == (
        depth,
        batch_norm,
        "joint" if name == "denoiseg_2d" else "denoise",
    )
    design = start.design(Architecture(channels=channels, outputs=3))
    network = unet(design)
    assert (network.input_shape[-1], network.output_shape[-1]) == (channels, 3)
    before = {layer.name: [np.array(w) for w in layer.get_weights()] for layer in network.layers}
    about = start.put_into(network, "nothing", "segment")
    assert set(about["new"]) == {"output"} | ({"down_level_0_no_0"} if channels == 3 else set())
    assert sorted(about["loaded"] + about["new"]) == sorted(x.name for x in network.layers if x.weights)
    assert about["frozen"] == []
    assert network.predict(np.zeros((1, 32, 32, channels), "float32"), verbose=0).shape == (1, 32, 32, 3)
    arrays = stored(start.file)
    for layer in network.layers:
        if layer.name in about["new"]:
            for one, other in zip(layer.get_weights(), before[layer.name]):
                np.testing.assert_array_equal(one, other)
        elif layer.weights and not layer.name.startswith("batch"):
            mine = next(a for key, a in arrays.items() if key.removeprefix("channel_0") == layer.name)
            for one, other in zip(layer.get_weights(), mine):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["care_2d", "denoiseg_2d"])
def test_a_network_that_is_loaded_whole_computes_what_the_old_software_did(old, name):
    folder = old(name)
    start = transfer.open_start(settings(folder))
    config = json.loads((folder / "config.json").read_text())
    network = unet(replace(start.architecture, outputs=config["n_channel_out"]))
    loaded, new = weights.load_fitting(network, start.file)
    assert loaded
    assert new == []
    given, expected = (
        tifffile.imread(folder / "io" / f"{what}.tif").astype("float32") for what in ("input", "expected")
    )
    mean, std = (float(config.get(name, [d])[0]) for name, d in (("means", 0), ("stds", 1)))
    found = network.predict(((given - mean) / std)[None, ..., None], verbose=0)[0, ..., 0] * std + mean
    expected = expected if expected.ndim == 2 else expected[..., 0]  # beside it, the objects
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected))


def test_of_another_network_what_fits_is_loaded_and_the_rest_is_told(tmp_path):
    made = unet(Architecture(depth=2, width=4))
    weights.save(made, tmp_path / "w.h5")
    deeper = unet(Architecture(depth=3, width=4, outputs=3))
    loaded, new = weights.load_fitting(deeper, tmp_path / "w.h5")
    assert {"down_level_0_no_0", "down_level_1_no_1", "up_level_0_no_0"} <= set(loaded)
    assert {"output", "middle_0", "middle_2", "down_level_2_no_0", "up_level_2_no_0"} <= set(new)
    for name in loaded:
        for one, other in zip(deeper.get_layer(name).get_weights(), made.get_layer(name).get_weights()):
            np.testing.assert_array_equal(one, other)
    assert weights.load_fitting(unet(Architecture(depth=2, width=6)), tmp_path / "w.h5")[0] == []


@pytest.mark.parametrize("freeze", ["nothing", "encoder", "all_but_last"])
def test_frozen_layers_do_not_learn_and_the_others_do(old, freeze):
    start = transfer.open_start(settings(old("care_2d")))
    network = unet(start.design(Architecture(channels=1, outputs=3)))
    about = start.put_into(network, freeze, "segment")
    before = {layer.name: [np.array(w) for w in layer.get_weights()] for layer in network.layers if layer.weights}
    network.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    given = rng.normal(size=(2, 16, 16, 1)).astype("float32"), rng.normal(size=(2, 16, 16, 3)).astype("float32")
    network.fit(*given, epochs=1, verbose=0)
    still = [name for name, w in before.items() if (w[0] == network.get_layer(name).get_weights()[0]).all()]
    assert still == about["frozen"]
    down = [name for name in before if name.startswith(("down", "middle"))]
    rest = [name for name in before if name != "output"]
    assert about["frozen"] == {"nothing": [], "encoder": down, "all_but_last": rest}[freeze]


def test_a_layer_that_could_not_be_loaded_is_not_frozen(old):
    start = transfer.open_start(settings(old("n2v2_2d")))
    network = unet(start.design(Architecture(channels=3, outputs=2)))
    about = start.put_into(network, "encoder", "segment")
    assert "down_level_0_no_0" not in about["frozen"]
    assert "down_level_0_no_1" in about["frozen"]
    assert network.get_layer("down_level_0_no_0").trainable


def test_what_is_no_model_to_start_from_is_refused(old, tmp_path):
    assert transfer.open_start(settings("")) is None
    with pytest.raises(UserError, match=r"holds a 2d model, but dimensions is 3d: use auto"):
        transfer.open_start(settings(old("n2v_2d"), dimensions="3d"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match="nothing"):
        transfer.open_start(settings(tmp_path / "nothing"))
    folder = old("care_2d")
    start = transfer.open_start(settings(folder))
    (folder / "weights_best.h5").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"weights_best\.h5"):
        transfer.open_start(settings(folder))
    with pytest.raises(UserError, match=r"weights_best\.h5"):
        start.put_into(unet(start.design(Architecture(outputs=3))), "nothing", "segment")
    weights.save(unet(Architecture(depth=1, width=6)), folder / "weights_best.h5")
    with pytest.raises(UserError, match=r"No layer of the model in .*care_2d fits.*or leave 'pretrained' empty"):
        start.put_into(unet(start.design(Architecture(outputs=3))), "nothing", "segment")
