"""What is said of joint training follows from the published numbers, and the figure shows these and ours."""

import pytest

from n2seg_utils.quality import few_annotations
from n2seg_utils.quality.few_annotations import ANNOTATED, OURS, PUBLISHED, in_words, joint_ahead, when_joint_pays


def published(noise, count):
    """AP of a U-Net alone, of Noise2Void and then a U-Net, and of joint training."""
    return tuple(PUBLISHED[noise][method][ANNOTATED.index(count)] for method in ("alone", "sequential", "joint"))


@pytest.mark.parametrize(
    ("noise", "count", "scores"),
    [
        (0, 10, (0.579, 0.577, 0.625)),
        (0, 76, (0.707, 0.689, 0.679)),
        (10, 19, (0.640, 0.648, 0.698)),
        (10, 3800, (0.791, 0.798, 0.779)),
        (20, 10, (0.549, 0.609, 0.678)),
        (20, 152, (0.723, 0.740, 0.723)),
    ],
)
def test_the_table_holds_the_published_numbers(noise, count, scores):
    assert published(noise, count) == scores


def test_the_table_is_complete():
    assert all(len(scores) == len(ANNOTATED) == 10 for rows in PUBLISHED.values() for scores in rows.values())


def test_joint_training_pays_with_few_annotations_and_longer_the_noisier():
    assert [joint_ahead(noise) for noise in (0, 10, 20)] == [[10, 19], [10, 19, 38], [10, 19, 38, 76]]


def test_the_words_follow_from_the_table(monkeypatch):
    for words in ("up to 38 annotated images at noise 10", "up to 76 annotated images at noise 20", "from about 76 on"):
        assert words in in_words()
    changed = PUBLISHED[20] | {
        "alone": tuple(0.4 if n <= 304 else score for n, score in zip(ANNOTATED, PUBLISHED[20]["alone"]))
    }
    monkeypatch.setitem(PUBLISHED, 20, changed)
    assert "up to 304 annotated images at noise 20" in in_words()


def test_no_number_contradicts_the_advice():
    for noise in PUBLISHED:
        few = max(joint_ahead(noise))
        assert joint_ahead(noise) == [count for count in ANNOTATED if count <= few]
    after = [count for count in ANNOTATED if count >= min(few_annotations.joint_behind(0))]
    assert not set(after) & set(joint_ahead(0))


def test_the_figure_has_a_panel_for_each_noise_with_the_published_lines(monkeypatch):
    monkeypatch.setattr(few_annotations, "OURS", {})
    axes = when_joint_pays().axes
    assert [axis.get_title() for axis in axes] == ["no noise", "noise 10", "noise 20"]
    for axis, rows in zip(axes, PUBLISHED.values()):
        assert [tuple(line.get_ydata()) for line in axis.lines] == list(rows.values())


def test_the_figure_shows_our_points_with_their_spread(monkeypatch):
    ours = {20: {10: {"joint": (0.7, 0.02)}, 152: {"joint": (0.75, 0.01)}}}
    monkeypatch.setattr(few_annotations, "OURS", ours)
    (bars,) = when_joint_pays().axes[2].containers
    assert list(bars.lines[0].get_xdata()) == pytest.approx([10, 152], rel=0.1)
    assert list(bars.lines[0].get_ydata()) == [0.7, 0.75]
    assert bars.lines[2][0].get_segments()[0][:, 1] == pytest.approx([0.68, 0.72])


def test_our_own_numbers_are_told_as_they_are(monkeypatch):
    monkeypatch.setattr(few_annotations, "OURS", {20: {10: {"alone": (0.79, 0.02), "joint": (0.8, 0.01)}}})
    alike = "AP 0.79 alone and 0.80 jointly, so joint training is as good, and gives denoised images as well."
    assert in_words().endswith(alike)
    monkeypatch.setattr(few_annotations, "OURS", {0: {38: {"alone": (0.8, 0.01), "joint": (0.7, 0.01)}}})
    behind = "(38 whole images, noise 0): AP 0.80 alone and 0.70 jointly, so joint training is behind by 0.10."
    assert in_words().endswith(behind)


def test_our_points_name_methods_that_the_figure_knows():
    for counts in OURS.values():
        for methods in counts.values():
            assert set(methods) <= set(few_annotations.NAMES)
            assert all(0 <= mean <= 1 and spread >= 0 for mean, spread in methods.values())
