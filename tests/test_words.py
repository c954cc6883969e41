"""Every word of the field that a form or a table shows is explained, and each main step says what to look for."""

import re
from pathlib import Path

import pytest

from n2seg_utils import settings
from n2seg_utils.quality.image_scores import SCORES
from n2seg_utils.ui import scores

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]_*.py"))
EVERY = [getattr(settings, name) for name in settings.__all__]
# Words of the field that people may not know, as they are written in forms, tables and notebooks.
_TERMS = """
axes stack volume plane channel field-of-view float32 percentile normalisation overexposed noise Noise2Void n2v
n2v2 structn2v blind-spot hidden checkerboard residual Gaussian-blur median-filter non-local-means
total-variation truth segment mask label-image annotated binary class instance foreground background ROI-set
Supervisely U-Net probability threshold border distance split merge teacher student joint Noise2Seg pseudo-label
network model weights patch batch batch-size step epoch loss mse mae cross-entropy Dice-loss validation
augmentation learning-rate patience depth width filter kernel-size batch-normalisation dropout seed pretrained
ImageNet encoder GPU tile SSIM RMSE MAE NRMSE PSNR SNR scale-invariant-PSNR Pearson-correlation IoU Dice
precision recall F1 AP average-precision run-folder BioImage-Model-Zoo deepImageJ CSBDeep SavedModel
SPDX-identifier correlation grey-value Otsu
"""
TERMS = _TERMS.split()


def shown():
    """Everything that forms, tables of scores and notebooks say."""
    words = [text for cls in EVERY for one in cls.knobs().values() for text in (one.label, one.help, *one.choices)]
    words += [score.head for score in SCORES.values()] + list(scores._LABELS.values())
    return " ".join([*words, *(path.read_text(encoding="utf-8") for path in NOTEBOOKS)])


def holds(text, term):
    """Whether a word is in a text, in the singular or the plural, however it is joined."""
    pattern = r"[\s_-]+".join(map(re.escape, term.split("-")))
    return re.search(rf"(?<!\w){pattern}(s|es|ed|ing|ation)?(?!\w)", text, re.IGNORECASE)


def entries():
    """The head of each entry -> what it says."""
    found = re.findall(r"^\*\*(.+?)\.\*\* (.+?)(?=\n\n|\Z)", GLOSSARY, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.mark.parametrize("term", [term for term in TERMS if holds(shown(), term)])
def test_each_word_that_is_shown_is_explained(term):
    assert any(holds(head, term) or holds(text, f"*{term}*") for head, text in entries().items()) or holds(
        " ".join(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", GLOSSARY)), term
    ), f"{term} has no entry in docs/GLOSSARY.md"


def test_nearly_all_of_these_words_are_shown_indeed():
    unused = [term for term in TERMS if not holds(shown(), term)]
    assert len(unused) < 12, unused


@pytest.mark.parametrize("head", [score.head for score in SCORES.values()])
def test_each_score_of_a_table_is_explained(head):
    name = re.split(r",| \(", head)[0]
    assert any(holds(entry, name) for entry in entries()), f"{name} has no entry in docs/GLOSSARY.md"


def test_explanations_are_short():
    assert len(entries()) > 60
    for head, text in entries().items():
        assert len(re.sub(r"\(\S+\)", "", text).split()) < 65, head


def test_the_glossary_is_one_click_away():
    assert "](docs/GLOSSARY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 5
    for path in NOTEBOOKS:
        head = path.read_text(encoding="utf-8").partition("## 1 ")[0]
        assert "](DOCS/GLOSSARY.md)" in head, path.name


def test_pictures_in_notebooks_are_there_small_and_said_in_words():
    found = 0
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8").replace("\n# ", " ")
        for words, name in re.findall(r"!\[([^\]]+)\]\(PICTURES/([^)]+)\)", text):
            assert len(words) > 40, "what people read who see no pictures"
            assert (ROOT / "docs" / name).stat().st_size < 60_000
            found += 1
    assert found >= 4


@pytest.mark.parametrize("number", range(1, 5))
def test_each_main_step_says_what_good_looks_like(number):
    [path] = [path for path in NOTEBOOKS if path.name.startswith(str(number))]
    text = path.read_text(encoding="utf-8")
    assert text.count("**What should I see?**") >= (3 if number == 4 else 4)
