"""What notebooks 2 and 3 say of masks and of what was counted."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from n2seg_utils.data.samples import write_sample
from n2seg_utils.settings import SegmentSettings
from n2seg_utils.ui.segmenting import Segmenting, _counts_in_words


def test_of_objects_given_as_noisy_labels_patches_are_shown_as_one_class(tmp_path, monkeypatch):
    sample = write_sample("nuclei", tmp_path / "sample", count=3)
    settings = SegmentSettings(images=str(sample / "images"), masks=str(sample / "masks"), labels="noisy")
    work, shown = Segmenting(), []
    work.form = SimpleNamespace(settings=lambda: settings)
    monkeypatch.setattr("n2seg_utils.ui.segmenting.show_figure", shown.append)
    work.check_data()
    assert work.target.kind == "binary"
    work.show_patches()
    assert len(shown) == 2


@pytest.mark.parametrize(("median", "said"), [("2.0", True), (3.5, True), ("88.0", False)])
def test_specks_are_not_passed_off_as_objects(median, said):
    rows = [{"image": "a.tif", "objects": 120, "median_pixels": median}]
    rows.append({"image": "b.tif", "objects": 0, "median_pixels": ""})
    words = _counts_in_words(rows, Path("labels"))
    assert ("these are specks" in words) == said
    assert "120 objects" in words
