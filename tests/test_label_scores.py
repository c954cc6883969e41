"""Scores of label images equal counts made by hand, folders of them are judged, and the figures show what is wrong."""

import csv
import json

import numpy as np
import pytest
import tifffile
from scipy.ndimage import binary_dilation
from scipy.optimize import linear_sum_assignment

from n2seg_utils import UserError
from n2seg_utils.quality import overlays, plots
from n2seg_utils.quality.label_qc import judge_labels
from n2seg_utils.quality.label_scores import label_scores, match, match_many, object_scores, seg
from n2seg_utils.quality.overlap import THRESHOLDS, joined, overlap
from n2seg_utils.quality.pixel_scores import class_scores


def blobs(rng, shape, count):
    """A label image of boxes that cut into each other, numbered with gaps."""
    labels = np.zeros(shape, "int64")
    for label in rng.choice(60_000, count, replace=False) + 1:
        corner = [rng.integers(0, size) for size in shape]
        labels[tuple(slice(c, c + rng.integers(1, 7)) for c in corner)] = label
    return labels


def random_pairs(number=60):
    """Random truths and predictions: alike, unlike, with exact ties, 2D and 3D, huge numbers, or nothing in them."""
    for seed in range(number):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(3, 9, 3)) if seed % 4 == 3 else tuple(rng.integers(2, 30, 2))
        truth = blobs(rng, shape, rng.integers(0, 20))
        if seed % 3 == 0:
            prediction = blobs(rng, shape, rng.integers(0, 20))
        elif seed % 3 == 1:
            prediction = np.where(rng.random(shape) < 0.15, 0, np.roll(truth, rng.integers(0, 2), 0)) * 3
        else:
            truth, prediction = (np.repeat(rng.integers(0, 4, shape), 2, axis=0) for _ in range(2))
        if seed % 10 == 0:
            truth = np.zeros_like(prediction)
        if seed % 20 == 5:
            prediction = np.zeros_like(truth)
        yield truth, prediction.astype("uint64") * (2**40 if seed % 7 == 0 else 1)


def objects_of(labels):
    return [labels == number for number in set(labels.ravel().tolist()) - {0}]


def iou_by_hand(truth, prediction):
    """IoU of every true with every predicted object, object by object."""
    table = np.zeros((len(objects_of(truth)), len(objects_of(prediction))))
    for i, one in enumerate(objects_of(truth)):
        for j, other in enumerate(objects_of(prediction)):
            table[i, j] = (one & other).sum() / (one | other).sum()
    return table


def matched_by_hand(table, threshold):
    """Number of pairs and sum of their IoU: most pairs first, then the largest sum."""
    allowed = table >= threshold
    value = np.where(allowed, 1 + table / (table.size + 1), 0)
    chosen = linear_sum_assignment(value, maximize=True)
    return int(allowed[chosen].sum()), float(table[chosen][allowed[chosen]].sum())


def test_objects_are_matched_as_counted_by_hand_at_every_threshold():
    for truth, prediction in random_pairs():
        table = iou_by_hand(truth, prediction)
        for threshold, found in zip((0.1, 0.3, *THRESHOLDS), match_many(truth, prediction, (0.1, 0.3, *THRESHOLDS))):
            tp, total = matched_by_hand(table, threshold)
            fn, fp = table.shape[0] - tp, table.shape[1] - tp
            assert (found.tp, found.fp, found.fn) == (tp, fp, fn)
            if tp:
                assert found.precision == pytest.approx(tp / (tp + fp))
                assert found.recall == pytest.approx(tp / (tp + fn))
                assert found.f1 == pytest.approx(2 / (1 / found.precision + 1 / found.recall))
                assert found.ap == pytest.approx(tp / (tp + fp + fn))
                assert found.mean_iou == pytest.approx(total / tp)
                assert found.panoptic_quality == pytest.approx(found.mean_iou * found.f1)


def test_counts_equal_those_of_stardist():
    reference = pytest.importorskip("stardist.matching")
    for truth, prediction in random_pairs():
        # stardist makes a table as large as the largest numbers.
        truth, prediction = (np.unique(i, return_inverse=True)[1].reshape(i.shape) for i in (truth, prediction))
        for threshold in (0.1, 0.3, *THRESHOLDS):
            found, theirs = match(truth, prediction, threshold), reference.matching(truth, prediction, threshold)
            assert (found.tp, found.fp, found.fn) == (theirs.tp, theirs.fp, theirs.fn)


def test_seg_is_the_mean_iou_with_the_object_that_covers_more_than_half():
    for truth, prediction in random_pairs():
        found = []
        for one in objects_of(truth):
            covering = [other for other in objects_of(prediction) if 2 * (one & other).sum() > one.sum()]
            found.append((one & covering[0]).sum() / (one | covering[0]).sum() if covering else 0)
        if found:
            assert seg(truth, prediction) == pytest.approx(np.mean(found))


def test_covering_exactly_half_of_an_object_is_not_enough_for_seg_but_an_iou_of_half_is_a_match():
    truth, half = np.array([[5, 5, 5, 5]]), np.array([[9, 9, 0, 0]])
    assert seg(truth, half) == 0
    assert match(truth, half, 0.5).tp == 1


def test_an_object_cut_in_half_is_found_once():
    truth, halves = np.array([[5, 5, 5, 5]]), np.array([[8, 8, 9, 9]])
    found = match(truth, halves, 0.5)
    assert (found.tp, found.fp, found.fn) == (1, 1, 0)


def test_below_half_as_many_objects_as_possible_are_paired():
    """Two pairs of IoU 20/24 would leave an object of each image alone; three of hardly any overlap do not."""
    truth = np.repeat([1, 2, 3], [22, 22, 2])
    prediction = np.repeat([4, 5, 6], [2, 22, 22])
    found = match(truth, prediction, 0.04)
    assert (found.tp, found.fp, found.fn) == (3, 0, 0)
    assert found.mean_iou == pytest.approx((2 / 22 + 2 / 42 + 2 / 22) / 3)


def test_an_iou_of_exactly_the_threshold_reaches_it():
    for tenths in range(5, 10):
        truth, prediction = np.ones(10, int), np.ones(10, int)
        prediction[tenths:] = 0
        assert match(truth, prediction, THRESHOLDS[2 * (tenths - 5)]).tp == 1


def test_average_precision_is_that_of_denoiseg():
    """TP / (TP + FP + FN) at an IoU above 0.5, image by image, then the mean over the images with objects."""
    ours, theirs = [], []
    for truth, prediction in random_pairs():
        table = iou_by_hand(truth, prediction)
        if table.shape[0] and not (table == 0.5).any():
            tp = (table > 0.5).sum()
            theirs.append(tp / (sum(table.shape) - tp))
            ours.append(label_scores(truth, prediction)["ap50"])
    assert len(ours) > 20
    assert np.mean(ours) == pytest.approx(np.mean(theirs))


def test_f1_at_strict_thresholds_is_counted_object_by_object():
    """TP / (TP + (FN + FP) / 2), as in papers about nuclei; and equal to that of stardist's ``matching``."""
    seen = set()
    for truth, prediction in random_pairs():
        found = label_scores(truth, prediction)
        for name, least in (("f1_70", 0.7), ("f1_90", 0.9)):
            true, predicted = objects_of(truth), objects_of(prediction)
            # Above a half no object has two partners.
            tp = sum((one & other).sum() >= least * (one | other).sum() for one in true for other in predicted)
            fn, fp = len(true) - tp, len(predicted) - tp
            assert found[name] == (pytest.approx(tp / (tp + (fn + fp) / 2)) if true or predicted else 1)
        seen.add(found["f1_90"] < found["f1_70"] < found["f1"])
    assert seen == {False, True}


def test_all_scores_of_an_image_agree_with_each_other():
    for truth, prediction in random_pairs(20):
        found = label_scores(truth, prediction)
        there, said = truth != 0, prediction != 0
        if there.any() and said.any():
            assert found["iou"] == pytest.approx((there & said).sum() / (there | said).sum())
            assert found["dice"] == pytest.approx(2 * (there & said).sum() / (there.sum() + said.sum()))
        half = match(truth, prediction)
        assert (found["ap50"], found["f1"], found["pq"]) == (half.ap, half.f1, half.panoptic_quality)
        assert found["ap"] == pytest.approx(np.mean([one.ap for one in match_many(truth, prediction)]))
        assert (found["true_objects"], found["predicted_objects"]) == iou_by_hand(truth, prediction).shape


def test_numbering_objects_anew_changes_no_score():
    for truth, prediction in random_pairs(12):
        numbers = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
        if (truth == 0).any():
            assert label_scores(numbers.astype("uint8"), prediction) == label_scores(truth, prediction)


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (0, 8)])
def test_nothing_in_either_image_scores_one_everywhere(shape):
    empty = np.zeros(shape, "uint16")
    found = label_scores(empty, empty)
    assert (found.pop("true_objects"), found.pop("predicted_objects")) == (0, 0)
    assert set(found.values()) == {1.0}
    assert set(match(empty, empty)[4:]) == {1.0}
    assert object_scores(empty, empty) == []


def test_objects_in_one_image_only_score_zero_everywhere():
    empty, some = np.zeros((8, 8), int), np.eye(8, dtype=int)
    for pair, counts in (((empty, some), (0, 1)), ((some, empty), (1, 0))):
        found = label_scores(*pair)
        assert (found.pop("true_objects"), found.pop("predicted_objects")) == counts
        assert set(found.values()) == {0.0}


def test_perfect_labels_score_one():
    truth = blobs(np.random.default_rng(0), (40, 40), 12)
    found = label_scores(truth, truth * 2)
    assert {v for k, v in found.items() if not k.endswith("objects")} == {1.0}


def test_images_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        label_scores(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(6,\)"):
        class_scores(np.zeros((2, 3), int), np.zeros(6, int), [1])
    with pytest.raises(ValueError, match="-1 is negative"):
        match(np.array([0, -1]), np.array([0, 1]))
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        match(np.array([0, 1]), np.array([0, 1]), 50)


def test_a_large_image_of_65_thousand_objects_takes_seconds_and_no_table_of_all_pairs():
    numbers = np.arange(1, 256 * 256 + 1).reshape(256, 256)
    truth = np.kron(numbers, np.pad(np.ones((4, 4), int), ((0, 1), (0, 1))))
    found = label_scores(truth, truth[::-1])
    assert found["true_objects"] == 65536
    assert found["ap"] == pytest.approx(0.3), "each reaches 12 / 20 with its mirror image: 0.5, 0.55 and 0.6"
    assert match(truth, np.roll(truth, 1, 0)).tp == 65536


def test_every_object_has_a_row_that_says_what_became_of_it():
    truth = np.array([[1, 1, 1, 1, 0, 7, 7, 7, 7, 0, 0, 0], [4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    prediction = np.array([[3, 3, 3, 0, 0, 0, 0, 0, 5, 5, 0, 8], [0] * 12])
    rows = object_scores(truth, prediction)
    assert [tuple(row.values()) for row in rows] == [
        (1, 4, 3, 3, 0.75, True),
        (4, 2, None, None, 0.0, False),
        (7, 4, 5, 2, 0.2, False),
        (None, None, 5, 2, 0.2, False),
        (None, None, 8, 1, 0.0, False),
    ]


def test_rows_of_objects_agree_with_the_counts():
    for truth, prediction in random_pairs():
        rows, half = object_scores(truth, prediction), match(truth, prediction)
        true = [row for row in rows if row["label"] is not None]
        assert sum(row["found"] for row in true) == half.tp
        assert len(true) == half.tp + half.fn
        assert len(rows) - len(true) == half.fp
        table = iou_by_hand(truth, prediction)
        if table.size:
            assert sorted(row["iou"] for row in true) == pytest.approx(sorted(table.max(1)))


def test_equal_numbers_at_different_time_points_are_different_objects():
    first, second = np.array([[1, 1, 0]]), np.array([[0, 1, 1]])
    both = joined([overlap(first, first), overlap(second, first), overlap(first, first * 0)])
    assert (both.scores()["true_objects"], both.scores()["predicted_objects"]) == (3, 2)
    beside = np.array([[1, 1, 0, 0, 2, 2, 3, 3, 0]]), np.array([[1, 1, 0, 2, 2, 0, 0, 0, 0]])
    assert both.scores() == label_scores(*beside)


def test_classes_are_scored_each_for_itself_and_absent_ones_left_out():
    truth = np.array([[0, 0, 1, 1, 1, 2]])
    prediction = np.array([[0, 1, 1, 1, 0, 3]], "uint8")
    found = class_scores(truth, prediction, range(5))
    for value in range(4):
        there, said = truth == value, prediction == value
        both = (there & said).sum()
        scores = found["per_class"][value]
        assert scores["iou"] == pytest.approx(both / (there | said).sum())
        assert scores["dice"] == pytest.approx(2 * both / (there.sum() + said.sum()))
        assert scores["precision"] == pytest.approx(both / said.sum() if said.any() else 0)
        assert scores["recall"] == pytest.approx(both / there.sum() if there.any() else 0)
    assert found["per_class"][4] is None
    assert found["iou"] == pytest.approx(np.mean([found["per_class"][value]["iou"] for value in range(4)]))
    assert class_scores(truth, prediction, [4])["iou"] == 1


def write(folder, name, labels, axes=None):
    folder.mkdir(exist_ok=True)
    # tifffile takes small images of three or four planes for colours, unless told what they are.
    tifffile.imwrite(
        folder / name,
        labels,
        photometric="minisblack",
        imagej=axes is not None,
        metadata={"axes": axes} if axes else {},
    )


def boxes(count, shift=0, missing=0):
    """Objects of 6 x 6 pixels in a row, some left out, all moved to the right."""
    labels = np.zeros((20, 10 * count + 10), "uint16")
    for number in range(missing, count):
        labels[5:11, 10 * number + 2 + shift : 10 * number + 8 + shift] = number + 1
    return labels


@pytest.fixture
def folders(tmp_path):
    """Three images of five objects: all found, one missed, all at another place."""
    for name, prediction in (("1", boxes(5, 1)), ("2", boxes(5, 1, missing=1)), ("10", boxes(5, 5))):
        write(tmp_path / "truth", f"{name}.tif", boxes(5))
        write(tmp_path / "prediction", f"{name}.tiff", prediction)
        write(tmp_path / "images", f"{name}.tif", (boxes(5) > 0).astype("float32"))
    return tmp_path


def test_folders_of_label_images_are_matched_and_scored(folders):
    seen = []
    found = judge_labels(
        folders / "prediction", folders / "truth", folders / "out", on_progress=lambda *now: seen.append(now)
    )
    assert json.loads((folders / "out" / "summary.json").read_text()) == found
    assert found["kind"] == "instances"
    assert [name for _, name in seen] == ["1.tiff", "2.tiff", "10.tiff"]
    assert seen[-1][0] == 1
    rows = list(csv.DictReader((folders / "out" / "metrics.csv").open()))
    assert [float(row["ap50"]) for row in rows] == [1, 0.8, 0]
    for row in rows:
        truth = tifffile.imread(folders / "truth" / row["image"].replace("tiff", "tif"))
        expected = label_scores(truth, tifffile.imread(folders / "prediction" / row["image"]))
        assert {name: float(row[name]) for name in expected} == pytest.approx(expected)
    for score in ("iou", "dice", "f1", "f1_70", "f1_90", "precision", "recall", "ap50", "ap", "seg", "pq"):
        assert found[score] == pytest.approx(np.mean([float(row[score]) for row in rows]))
    quality = 9 * (30 / 42) / (9 + 5 / 2 + 6 / 2)
    expected = {"precision": 9 / 14, "recall": 9 / 15, "f1": 18 / 29, "ap50": 9 / 20, "pq": quality}
    expected |= {"f1_70": 18 / 29, "f1_90": 0}  # they overlap by 30 of 42 pixels
    assert found["pooled"] == pytest.approx(expected)


def test_the_table_of_objects_names_the_image_first(folders):
    judge_labels(folders / "prediction", folders / "truth", folders / "out")
    rows = list(csv.DictReader((folders / "out" / "objects.csv").open()))
    assert next(iter(rows[0])) == "image"
    assert len(rows) == 5 + 5 + (5 + 5)
    missed = [row for row in rows if row["image"] == "2.tiff" and row["found"] == "False"]
    assert [(row["label"], row["size"], row["predicted_label"]) for row in missed] == [("1", "36", "")]


def test_worst_middle_and_best_image_are_drawn(folders):
    judge_labels(folders / "prediction", folders / "truth", folders / "out", images=folders / "images")
    assert {p.name for p in (folders / "out").glob("*.png")} == {"1.png", "2.png", "10.png", "scores.png"}
    judge_labels(folders / "prediction", folders / "truth", folders / "worst", figures=1)
    assert {p.name for p in (folders / "worst").glob("*.png")} == {"10.png", "scores.png"}


def test_a_time_series_is_scored_frame_by_frame_and_a_volume_as_a_whole(tmp_path):
    """An object that stays is one object in a volume, and two in a time series."""
    truth = np.stack([boxes(2), boxes(2)])
    prediction = np.stack([boxes(2), boxes(2, missing=1)])
    for axes, objects, ap in (("TYX", 4, 3 / 4), ("ZYX", 2, 2 / 2)):
        write(tmp_path / f"t{axes}", "a.tif", truth, axes)
        write(tmp_path / f"p{axes}", "a.tif", prediction, axes)
        found = judge_labels(tmp_path / f"p{axes}", tmp_path / f"t{axes}", tmp_path / f"out{axes}", kind="instances")
        assert found["per_image"][0]["true_objects"] == objects
        assert found["ap50"] == pytest.approx(ap)
    rows = list(csv.DictReader((tmp_path / "outTYX" / "objects.csv").open()))
    assert [row["time_point"] for row in rows] == ["1", "1", "2", "2"]


def test_dimensions_mean_what_the_file_that_knows_them_says(tmp_path):
    volume = np.stack([boxes(2), boxes(2)])
    write(tmp_path / "known", "a.tif", volume, "ZYX")
    write(tmp_path / "unknown", "a.tif", volume)
    for prediction, truth in (("known", "unknown"), ("unknown", "known")):
        found = judge_labels(tmp_path / prediction, tmp_path / truth)
        assert found["per_image"][0]["true_objects"] == 2
    found = judge_labels(tmp_path / "unknown", tmp_path / "unknown", axes="ZYX")
    assert found["per_image"][0]["true_objects"] == 2
    assert judge_labels(tmp_path / "unknown", tmp_path / "unknown")["per_image"][0]["true_objects"] == 4


def test_masks_of_one_value_are_compared_as_pixels_whatever_the_value(tmp_path):
    truth, prediction = boxes(3) > 0, boxes(3, 2)
    write(tmp_path / "truth", "a.tif", truth.astype("uint8") * 255)
    write(tmp_path / "prediction", "a.tif", prediction)
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", tmp_path / "out")
    both = (truth & (prediction > 0)).sum()
    assert found["kind"] == "binary"
    assert found["iou"] == pytest.approx(both / (truth | (prediction > 0)).sum())
    assert found["recall"] == found["pooled"]["recall"] == pytest.approx(both / truth.sum())
    assert "ap50" not in found
    assert not (tmp_path / "out" / "objects.csv").exists()


def test_classes_have_scores_each_and_background_stays_out_of_the_means(tmp_path):
    truths = [np.minimum(boxes(6), 2), np.minimum(boxes(6), 3)]
    predictions = [np.minimum(boxes(6, 1), 2), np.minimum(boxes(6, 2), 3)]
    for number in range(2):
        write(tmp_path / "truth", f"{number}.tif", truths[number])
        write(tmp_path / "prediction", f"{number}.tif", predictions[number])
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", tmp_path / "out", kind="classes")
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == found
    means = [class_scores(*pair, [1, 2, 3]) for pair in zip(truths, predictions)]
    together = class_scores(np.stack(truths), np.stack(predictions), range(4))
    for score in ("iou", "dice", "precision", "recall"):
        assert found[score] == pytest.approx(np.mean([one[score] for one in means]))
        for value in range(4):
            assert found["per_class"][str(value)][score] == pytest.approx(together["per_class"][value][score])
    assert found["per_image"][0]["iou_3"] is None
    assert next(csv.DictReader((tmp_path / "out" / "metrics.csv").open()))["iou_3"] == ""


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full((20, 60), 0.25, "float32"), r"a\.tif holds fractions such as 0\.25.*threshold"),
        (np.full((20, 60), -1, "int16"), r"a\.tif holds negative numbers, such as -1.*0 for background"),
        (np.zeros((20, 30), "uint8"), r"a\.tif is one image of 20 x 60.*20 x 30.*belong together"),
        (np.zeros((2, 20, 60), "uint8"), r"a\.tif is one image of 20 x 60.*2 time points of 20 x 60"),
        (np.zeros((20, 60), "complex64"), r"a\.tif holds complex64"),
    ],
)
def test_what_is_no_label_image_is_named_with_a_remedy(tmp_path, labels, words):
    write(tmp_path / "truth", "a.tif", boxes(5))
    write(tmp_path / "prediction", "a.tif", labels)
    with pytest.raises(UserError, match=words):
        judge_labels(tmp_path / "prediction", tmp_path / "truth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_colour_pictures_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 60, 3), "uint8"), photometric="rgb")
    with pytest.raises(UserError, match=r"a\.tif has 3 channels.*8-bit"):
        judge_labels(tmp_path / "a.tif", tmp_path / "a.tif")


def test_labels_stored_as_whole_floats_are_welcome(folders):
    for path in (folders / "prediction").iterdir():
        tifffile.imwrite(path, tifffile.imread(path).astype("float32"))
    assert judge_labels(folders / "prediction", folders / "truth")["ap50"] == pytest.approx(0.6)


def test_names_kinds_and_images_that_do_not_fit_are_named(folders):
    write(folders / "other", "x.tif", boxes(5))
    with pytest.raises(UserError, match=r"x\.tif.*names of their images"):
        judge_labels(folders / "other", folders / "truth")
    with pytest.raises(UserError, match="no partner of the same name"):
        judge_labels(folders / "prediction", folders / "truth", images=folders / "other")
    write(folders / "images", "2.tif", boxes(7))
    with pytest.raises(UserError, match=r"2\.tif is one image of 20 x 80, uint16, but its labels"):
        judge_labels(folders / "prediction", folders / "truth", folders / "out", images=folders / "images")
    with pytest.raises(UserError, match=r"'cells'.*binary, classes, instances"):
        judge_labels(folders / "prediction", folders / "truth", kind="cells")
    (folders / "truth" / "2.tif").unlink()
    assert judge_labels(folders / "prediction", folders / "truth")["unmatched"] == ["2.tiff"]


def test_results_of_an_earlier_judgement_are_not_overwritten(folders):
    judge_labels(folders / "prediction", folders / "truth", folders / "out")
    with pytest.raises(UserError, match="not overwritten"):
        judge_labels(folders / "truth", folders / "truth", folders / "out")


def test_real_labels_score_one_against_themselves(real_images):
    masks = real_images / "stardist" / "mask3d.tif"
    found = judge_labels(masks, masks, axes="ZYX")
    assert (found["kind"], found["ap"], found["seg"], found["dice"]) == ("instances", 1, 1, 1)


def test_neighbours_have_different_colours_and_the_same_ones_every_time(real_images):
    for name in ("Sample000033", "Sample000193"):
        labels = tifffile.imread(real_images / "omnipose_phase" / "masks" / f"{name}.tif")[:300, :300]
        colours = overlays.object_colours(labels)
        assert colours == overlays.object_colours(labels)
        assert set(colours) == set(np.unique(labels).tolist()) - {0}
        for label, colour in colours.items():
            nearby = np.unique(labels[binary_dilation(labels == label, iterations=2)])
            assert all(colours[other] != colour for other in nearby.tolist() if other not in (0, label))


def test_the_figure_of_mistakes_counts_what_it_shows():
    plane = np.random.default_rng(0).random((20, 60))
    prediction = boxes(5, 1, missing=2)
    prediction[15:18, 40:50] = 99
    figure = overlays.mistakes(plane, boxes(5), prediction)
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["3 found", "2 missed", "1 false"]
    assert plots.to_png(figure).startswith(b"\x89PNG")
    # Of a volume the objects are compared as a whole, though one plane is drawn.
    figure = overlays.mistakes(plane, np.stack([boxes(5)] * 3), np.stack([boxes(5), boxes(5), boxes(5) * 0]))
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "5 found"


def test_labels_are_drawn_with_and_without_an_image_and_with_nothing_in_them():
    plane = np.random.default_rng(0).random((20, 60))
    for below in (plane, None):
        for labels in (boxes(5), boxes(5) * 0, boxes(5) * 0 + 1):
            figure = overlays.side_by_side_overlays({"truth": (below, labels)}, {"truth": "AP 1.00"})
            assert figure.axes[0].get_xlabel() == "AP 1.00"
            assert plots.to_png(figure).startswith(b"\x89PNG")
            assert plots.to_png(overlays.mistakes(below, labels, boxes(5), classes=True)).startswith(b"\x89PNG")
    figure = overlays.overlay(plane, np.minimum(boxes(5), 2), "classes", classes=True)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["class 1", "class 2"]
