"""Splits, merges, threshold curves, counts, sizes and confused classes are what one counts by hand, and are drawn."""

import csv
import json
import shutil

import numpy as np
import pytest
import tifffile
from scipy.sparse import coo_array

from n2seg_utils import UserError
from n2seg_utils.cli import main
from n2seg_utils.data.samples import write_sample
from n2seg_utils.data.targets import Target
from n2seg_utils.models.known_images import known_images, warning
from n2seg_utils.quality import label_plots, overlays, plots
from n2seg_utils.quality.label_qc import _worth_seeing, judge_labels
from n2seg_utils.quality.overlap import THRESHOLDS, overlap


def write(folder, name, labels, axes=None):
    folder.mkdir(exist_ok=True)
    metadata = {"axes": axes} if axes else {}
    tifffile.imwrite(folder / name, labels, photometric="minisblack", imagej=axes is not None, metadata=metadata)


def drawn(*rows):
    """A label image from rows of digits, one digit a pixel."""
    return np.array([[int(pixel) for pixel in row] for row in rows], "uint16")


def split_and_merged(truth, prediction):
    found = overlap(truth, prediction)
    return found.true_labels[found.splits()].tolist(), found.predicted_labels[found.merges()].tolist()


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ("1111110222", "1112220333", ([1], [])),  # two halves
        ("1111110222", "1111120333", ([1], [])),  # found all the same, and a piece beside
        ("1112220333", "7777770333", ([], [7])),
        ("1111120333", "7777770333", ([], [7])),  # found as 1, with 2 in it
        ("1111111111", "7000000008", ([], [])),  # two specks are no pieces of what they hardly cover
        ("1111110000", "0000778888", ([], [])),  # 8 lies outside for the most part
        ("1111001111", "1111001111", ([], [])),
        ("1111222200", "1100333300", ([], [])),  # half of an object is not most of it
        ("1112223330", "7777777770", ([], [7])),  # three in one are one merged object
        ("7777777770", "1112223330", ([7], [])),
        ("1111222200", "3344555500", ([1], [])),
        ("0000000000", "1111222200", ([], [])),
        ("0000000000", "0000000000", ([], [])),
    ],
)
def test_splits_and_merges_are_those_one_sees(truth, prediction, expected):
    assert split_and_merged(drawn(truth), drawn(prediction)) == expected


def random_pairs():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth, prediction = np.zeros((2, 40, 40), int)
        for labels in (truth, prediction):
            for number in range(1, rng.integers(1, 25)):
                y, x, height, width = rng.integers(0, 36, 2).tolist() + rng.integers(2, 16, 2).tolist()
                labels[y : y + height, x : x + width] = number
        yield truth, prediction


def test_splits_and_merges_agree_with_a_count_object_by_object():
    seen = np.zeros(2, int)
    for truth, prediction in random_pairs():
        true, predicted = (sorted(set(labels.ravel().tolist()) - {0}) for labels in (truth, prediction))
        splits, merges = [], []
        for label in true:
            here = truth == label
            pieces = [p for p in predicted if np.mean(here[prediction == p]) > 0.5]
            if len(pieces) > 1 and np.mean(np.isin(prediction[here], pieces)) > 0.5:
                splits.append(label)
        for label in predicted:
            here = prediction == label
            if sum(np.mean(here[truth == t]) > 0.5 for t in true) > 1:
                merges.append(label)
        assert split_and_merged(truth, prediction) == (splits, merges)
        seen += len(splits), len(merges)
    assert min(seen) > 10


# An object found, one split, two merged, one missed; and one false.
TRUTH = drawn("1112222200", "1112222200", "0000000000", "3330444055", "3330444055", "0000000000")
FOUND = drawn("1118809900", "1118809900", "0000000000", "7777777000", "7777777000", "0000000660")


@pytest.fixture
def folders(tmp_path):
    """Five images, from perfect to nothing found."""
    far = np.roll(TRUTH * (TRUTH == 5), 2, 0)
    predictions = {"a": TRUTH, "b": FOUND, "c": far, "d": TRUTH * (TRUTH != 5), "e": TRUTH * (TRUTH < 4)}
    for name, prediction in predictions.items():
        write(tmp_path / "truth", f"{name}.tif", TRUTH)
        write(tmp_path / "prediction", f"{name}.tif", prediction)
    return tmp_path


def test_counts_of_splits_and_merges_stand_behind_the_other_columns_and_in_the_summary(folders):
    found = judge_labels(folders / "prediction", folders / "truth", folders / "out", kind="instances")
    assert (found["splits"], found["merges"]) == (1, 1)
    rows = list(csv.DictReader((folders / "out" / "metrics.csv").open()))
    assert [(row["splits"], row["merges"]) for row in rows] == [("0", "0"), ("1", "1"), *[("0", "0")] * 3]
    expected = "image iou dice f1 f1_70 f1_90 precision recall ap50 ap seg pq true_objects predicted_objects"
    assert list(rows[0]) == [*expected.split(), "splits", "merges"]
    assert json.loads((folders / "out" / "summary.json").read_text()) == found


def test_the_curve_is_that_of_all_objects_together(folders):
    found = judge_labels(folders / "prediction", folders / "truth", kind="instances")
    assert [row["iou"] for row in found["curve"]] == list(THRESHOLDS)
    counts = np.zeros((len(THRESHOLDS), 3), int)
    for file in (folders / "prediction").iterdir():
        true, predicted = ([labels == n for n in np.unique(labels) if n] for labels in (TRUTH, tifffile.imread(file)))
        iou = np.array([[(one & other).sum() / (one | other).sum() for other in predicted] for one in true])
        for number, threshold in enumerate(THRESHOLDS):
            tp = (iou >= threshold).sum()  # here no object reaches a half with two others
            counts[number] += tp, len(predicted) - tp, len(true) - tp
    for row, (tp, fp, fn) in zip(found["curve"], counts):
        assert row["precision"] == pytest.approx(tp / (tp + fp))
        assert row["recall"] == pytest.approx(tp / (tp + fn))
        assert row["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
        assert row["ap"] == pytest.approx(tp / (tp + fp + fn))
    first = found["curve"][0]
    assert (first["precision"], first["ap"]) == (found["pooled"]["precision"], found["pooled"]["ap50"])


def test_sizes_of_found_objects_are_compared(folders):
    found = judge_labels(folders / "prediction", folders / "truth", folders / "out", kind="instances")
    with (folders / "out" / "objects.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["found"] == "True"]
    true, predicted = (np.array([int(row[name]) for row in rows]) for name in ("size", "predicted_size"))
    assert found["sizes"] == {
        "found": len(rows),
        "true": np.median(true),
        "predicted": np.median(predicted),
        "ratio": np.median(predicted / true),
    }
    axis = label_plots.agreement(found, [[1] * 10], np.stack([true, predicted], 1)).axes[2]
    assert "predicted / true: 1.00" in axis.get_title()
    np.testing.assert_array_equal(axis.lines[1].get_xydata(), np.stack([true, predicted], 1))
    empty = judge_labels(folders / "truth" / "a.tif", folders / "truth" / "a.tif", kind="instances")
    assert empty["sizes"]["ratio"] == 1


def test_the_figure_of_scores_shows_curves_counts_and_sizes_with_their_units(folders):
    found = judge_labels(folders / "prediction", folders / "truth", folders / "out", kind="instances")
    assert (folders / "out" / "scores.png").read_bytes().startswith(b"\x89PNG")
    each = [[row["ap50"]] * 10 for row in found["per_image"]]
    curves, counts, sizes = label_plots.agreement(found, each, np.ones((0, 2), int)).axes
    lines = {line.get_label(): line.get_ydata() for line in curves.lines}
    for name, label in (("ap", "AP"), ("f1", "F1"), ("precision", "precision"), ("recall", "recall")):
        np.testing.assert_allclose(lines[label], [row[name] for row in found["curve"]])
    assert len(curves.lines) == 4 + 5
    np.testing.assert_array_equal(counts.lines[1].get_xydata(), [[5, 5], [5, 5], [5, 1], [5, 4], [5, 3]])
    assert "25 true, 18 predicted" in counts.get_title()
    assert "(pixels)" in sizes.get_xlabel()
    assert "none was found" in sizes.get_title()


def test_worst_images_come_first_and_a_middle_and_the_best_one_are_drawn_too(folders):
    for count, worst, drawn_too in ((0, "", ""), (1, "c", "c"), (2, "cb", "cb"), (3, "c", "cea"), (4, "cb", "cbea")):
        out = folders / f"out{count}"
        found = judge_labels(folders / "prediction", folders / "truth", out, kind="instances", figures=count)
        assert found["worst"] == [f"{name}.tif" for name in worst]
        assert found["figures"] == [f"{name}.png" for name in drawn_too]
        assert {p.name for p in out.glob("*.png")} == {*found["figures"], "scores.png"}
    assert "figures" not in judge_labels(folders / "prediction", folders / "truth", kind="instances")


@pytest.mark.parametrize("total", range(1, 9))
@pytest.mark.parametrize("count", range(8))
def test_as_many_images_are_drawn_as_asked_for_and_none_twice(total, count):
    scores = [(score,) for score in np.random.default_rng(total).permutation(total)]
    worst, others = _worth_seeing(scores, count)
    ranks = [scores[number][0] for number in (*worst, *others)]
    assert len(set(ranks)) == len(ranks) == min(total, count)
    assert ranks == sorted(ranks)
    assert ranks[:1] == [0][:count]
    if count >= 3:
        assert ranks[-1] == total - 1


def test_earlier_figures_are_not_overwritten_and_an_image_may_be_called_scores(folders):
    (folders / "out").mkdir()
    for name in ("scores.png", "confusion.png"):
        (folders / "out" / name).write_bytes(b"mine")
        with pytest.raises(UserError, match=f"{name} exists"):
            judge_labels(folders / "prediction", folders / "truth", folders / "out", kind="instances")
        (folders / "out" / name).unlink()
    for folder in ("truth", "prediction"):
        (folders / folder / "c.tif").rename(folders / folder / "scores.tif")
    found = judge_labels(folders / "prediction", folders / "truth", folders / "out", kind="instances")
    assert found["figures"][0] == "scores_labels.png"
    assert {p.name for p in (folders / "out").glob("*.png")} == {*found["figures"], "scores.png"}


def test_classes_are_confused_as_a_sparse_count_says(tmp_path):
    rng = np.random.default_rng(0)
    truths, predictions = (rng.choice([0, 10, 20, 30], (3, 30, 40)).astype("uint8") for _ in range(2))
    for number, (truth, prediction) in enumerate(zip(truths, predictions)):
        write(tmp_path / "truth", f"{number}.tif", truth)
        write(tmp_path / "prediction", f"{number}.tif", prediction)
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", tmp_path / "out", kind="classes")
    true, predicted = truths.ravel() // 10, predictions.ravel() // 10
    expected = coo_array((np.ones(true.size, int), (true, predicted)), shape=(4, 4)).toarray()
    assert found["confusion"] == {
        "classes": ["background", "class 10", "class 20", "class 30"],
        "pixels": expected.tolist(),
    }
    for number, value in enumerate(("0", "10", "20", "30")):
        assert found["per_class"][value]["recall"] == pytest.approx(expected[number, number] / expected[number].sum())
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {*found["figures"], "confusion.png"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == found


def test_the_confusion_matrix_is_in_percent_of_the_true_class():
    figure = label_plots.confusion(
        ["background", "nucleus", "gone", "other"], [[99999, 1, 0, 0], [5, 15, 0, 0], [0] * 4, [0] * 4]
    )
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == [">99.9", "<0.1", "25.0", "75.0"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["background", "nucleus"]
    predicted_only = label_plots.confusion(["background", "a"], [[1, 1], [0, 0]])
    assert [text.get_text() for text in predicted_only.axes[0].texts] == ["50.0", "50.0", "–", "–"]
    assert plots.to_png(label_plots.confusion([str(number) for number in range(60)], np.eye(60)))


def test_unknown_pixels_count_for_no_class(tmp_path):
    truth = np.array([[-1, -1, 0, 0, 1, 1, 2, 2]] * 4, "int16")
    write(tmp_path / "truth", "a.tif", truth)
    write(tmp_path / "prediction", "a.tif", np.array([[2, 0, 0, 0, 1, 2, 2, 2]] * 4, "uint8"))
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", kind="classes")
    assert found["confusion"]["pixels"] == [[8, 0, 0], [0, 4, 4], [0, 0, 8]]
    assert found["per_class"]["0"]["iou"] == 1


def test_a_predicted_class_that_masks_in_colour_do_not_have_is_background(tmp_path):
    colours = np.zeros((4, 6, 3), "uint8")
    colours[:, 2:4, 0], colours[:, 4:, 1] = 255, 255
    (tmp_path / "truth").mkdir()
    tifffile.imwrite(tmp_path / "truth" / "a.tif", colours, photometric="rgb")
    write(tmp_path / "prediction", "a.tif", np.array([[0, 0, 1, 1, 2, 9]] * 4, "uint8"))
    target = Target("classes", (0, 0xFF0000, 0x00FF00), True)
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", target=target)
    assert found["confusion"] == {
        "classes": ["background", "#ff0000", "#00ff00"],
        "pixels": [[8, 0, 0], [0, 8, 0], [4, 0, 4]],
    }


def test_axes_may_be_those_of_the_images_with_channels(tmp_path):
    """Neither file says what its dimensions mean; the axes do, of labels and of images with one dimension more."""
    volume = np.stack([TRUTH, TRUTH])
    for folder in ("truth", "prediction"):
        write(tmp_path / folder, "a.tif", volume)
    write(tmp_path / "images", "a.tif", np.zeros((2, 2, *TRUTH.shape), "uint16"))
    for axes in ("ZYX", "ZCYX", "zcyx"):
        found = judge_labels(tmp_path / "prediction", tmp_path / "truth", kind="instances", axes=axes)
        assert found["per_image"][0]["true_objects"] == 5
    more = {"images": tmp_path / "images", "axes": "ZCYX", "image_axes": "ZCYX", "kind": "instances"}
    judge_labels(tmp_path / "prediction", tmp_path / "truth", tmp_path / "out", **more)
    with pytest.raises(UserError, match="do not fit"):
        judge_labels(tmp_path / "prediction", tmp_path / "truth", axes="YX")


def test_axes_of_another_number_of_dimensions_are_passed_over_where_the_file_knows_better(tmp_path):
    for folder in ("truth", "prediction"):
        write(tmp_path / folder, "a.tif", np.stack([TRUTH, TRUTH]), "ZYX")
    found = judge_labels(tmp_path / "prediction", tmp_path / "truth", kind="instances", axes="TZCYX")
    assert found["per_image"][0]["true_objects"] == 5


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_split_and_merged_objects_are_drawn_and_counted_where_there_are_some():
    plane = np.random.default_rng(0).random(TRUTH.shape)
    figure = overlays.mistakes(plane, TRUTH, FOUND)
    # Column by column: what became of objects above, splits and merges below.
    assert legend(figure) == ["1 found", "1 split", "4 missed", "1 merged", "4 false"]
    assert plots.to_png(overlays.mistakes(None, TRUTH, FOUND)).startswith(b"\x89PNG")
    assert legend(overlays.mistakes(plane, TRUTH, TRUTH)) == ["5 found", "0 missed", "0 false"]
    drawn_lines = {tuple(np.round(c.get_edgecolor()[0], 3)) for c in figure.axes[0].collections}
    pink, yellow = (0.8, 0.475, 0.655, 1.0), (0.941, 0.894, 0.259, 1.0)
    assert {pink, yellow} <= drawn_lines


# Images that the model knows


def test_images_that_the_model_was_trained_with_are_named(sample, segmenter, tmp_path, capsys):
    other = write_sample("nuclei", tmp_path / "other", count=2, seed=7)
    mixed = tmp_path / "mixed"
    for kind in ("images", "masks"):
        shutil.copytree(other / kind, mixed / kind)
        shutil.copy(sorted((sample / kind).iterdir())[1], mixed / kind / "renamed.tif")
    qc = ["qc", "--labels", str(mixed / "masks"), "--truth", str(mixed / "masks"), "--model", str(segmenter.run)]
    assert main([*qc, "--raw", str(mixed / "images"), "--out", str(tmp_path / "qc")]) == 0
    words = "was trained with 1 image of these (renamed.tif)"
    assert words in capsys.readouterr().out
    assert words in (tmp_path / "qc" / "report.html").read_text()
    assert words in json.loads((tmp_path / "qc" / "summary.json").read_text())["warnings"][0]


def test_without_the_images_they_are_known_by_their_names(sample, segmenter, tmp_path):
    assert known_images(segmenter.run, ["nobody.tif"]) == []
    names = [file.name for file in sorted((sample / "masks").iterdir())]
    assert known_images(segmenter.run, names) == names
    assert "4 images of these" in warning(segmenter.run, names)
    assert warning(segmenter.run, ["nobody.tif"]) == ""


def test_for_restored_images_no_model_is_asked_for(refused, segmenter, sample):
    pair = ["--prediction", str(sample / "images"), "--truth", str(sample / "clean")]
    assert "--model is for labels" in refused("qc", *pair, "--model", str(segmenter.run), "--out", "qc")
