"""Notebook 4 says what it compares, and what is mistaken, before anything is judged."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from n2seg_utils.data.samples import write_sample
from n2seg_utils.errors import UserError
from n2seg_utils.quality.baselines import METHODS, Filter
from n2seg_utils.quality.pairs import like_labels
from n2seg_utils.quality.qc import judge
from n2seg_utils.settings import QualitySettings
from n2seg_utils.ui.judging import Judging
from n2seg_utils.ui.scores import labels_in_words


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample("nuclei", tmp_path_factory.mktemp("sample"), count=3)


@pytest.fixture
def said(capsys):
    def check(**wanted):
        work = Judging()
        settings = QualitySettings(**{name: str(value) for name, value in wanted.items()})
        work.form = SimpleNamespace(settings=lambda: settings)
        work.check_data()
        return work, capsys.readouterr().out

    return check


def moved(folder, target, keep=None, change=lambda pixels: pixels, name=lambda file: file.name):
    """Some images of a folder in another."""
    target.mkdir()
    for file in sorted(folder.iterdir())[:keep]:
        tifffile.imwrite(target / name(file), change(tifffile.imread(file)))
    return target


def test_labels_are_matched_by_name_and_what_the_truth_shows_is_said(sample, said, tmp_path):
    truth = moved(sample / "masks", tmp_path / "truth", keep=1)
    work, words = said(what="labels", prediction=sample / "masks", truth=truth, raw=sample / "images")
    assert "The truth shows objects, each with its own number" in words
    assert "1 image to judge" in words
    assert "Not judged, for they have no partner: nuclei_02.tif, nuclei_03.tif." in words
    assert work.names == ["nuclei_01"]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"change": lambda pixels: pixels[:50, :50]}, "Both must have the same size"),
        ({"name": lambda file: f"drawing {file.name}"}, "has the name of an image"),
        ({"change": lambda pixels: pixels + 0.37}, "holds fractions"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_they_are_judged(mistake, message, sample, said, tmp_path):
    wrong = moved(sample / "masks", tmp_path / "wrong", **mistake)
    with pytest.raises(UserError, match=message):
        said(what="labels", prediction=sample / "masks", truth=wrong)
    if "change" in mistake:
        with pytest.raises(UserError, match=message):
            said(what="labels", prediction=wrong, truth=sample / "masks")


def test_labels_and_their_truth_are_shown_on_the_raw_image_or_on_black(sample, said):
    for raw in (sample / "images", ""):
        work, _ = said(what="labels", prediction=sample / "masks", truth=sample / "masks", raw=raw)
        versions, labels = work._versions()
        assert list(versions) == ["raw" if raw else "prediction"]
        assert list(labels) == ["prediction", "truth"]


@pytest.mark.parametrize(("which", "names"), [("prediction", ["prediction"]), ("truth", ["truth"])])
def test_label_images_that_are_judged_as_restored_ones_are_doubted(which, names, sample, said):
    folders = {"prediction": sample / "images", "truth": sample / "clean", which: sample / "masks"}
    _, words = said(what="restored", **folders)
    for name in names:
        assert f"The {name} nuclei_01.tif looks like a label image" in words


def test_images_are_not_taken_for_labels(sample, tmp_path):
    from n2seg_utils.data.images import open_image

    for kind in ("images", "clean"):
        assert not like_labels(open_image(sample / kind / "nuclei_01.tif"))
    empty = tmp_path / "empty.tif"
    tifffile.imwrite(empty, np.zeros((30, 30), "uint8"))
    assert not like_labels(open_image(empty))
    assert like_labels(open_image(sample / "masks" / "nuclei_01.tif"))


def test_folders_that_were_confused_are_told_by_their_scores(sample):
    images, clean = sample / "images", sample / "clean"
    [words] = judge(images, clean, images, filters=False)["warnings"]
    assert "Exactly the scores of the raw image: 3 images (for example nuclei_01.tif)" in words
    [words] = judge(images, clean, clean, filters=False)["warnings"]
    assert "Raw image and truth with the same pixels: 3 images (for example nuclei_01.tif)" in words
    assert not judge(images, clean, None, filters=False)["warnings"]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("gaussian", (1.1, 2.2), "sigma 1.1 to 2.2 pixels"),
        ("gaussian", (1.1, 1.1), "sigma 1.1 pixels"),
        ("gaussian", (0, 1.1), "none to sigma 1.1 pixels"),
        ("median", (3, 5), "3 x 3 to 5 x 5 pixels"),
        ("nlm", (14.2, 19.8), "strength 14.2 to 19.8 grey values"),
    ],
)
def test_a_range_of_settings_names_its_unit_once(name, values, words):
    method = METHODS[name]
    weak, strong = (Filter(name, method.label, method.function, value, method.wording) for value in values)
    assert weak.up_to(strong) == words


@pytest.mark.parametrize(
    ("ratio", "words"), [(1.5, "1.5 times larger than"), (0.5, "2.0 times smaller than"), (1.1, ""), (None, "")]
)
def test_outlines_that_are_all_too_wide_or_too_narrow_are_said_so(ratio, words):
    scores = {"per_image": [{}] * 3, "f1": 0.5, "splits": 0, "sizes": {"ratio": ratio}}
    assert words in labels_in_words(scores)
    assert ("times" in labels_in_words(scores)) == bool(words)


def test_scores_of_one_image_are_said_to_be_chance():
    assert "partly chance" in labels_in_words({"per_image": [{}], "iou": 0.9})
    assert "partly chance" not in labels_in_words({"per_image": [{}] * 3, "iou": 0.9})
