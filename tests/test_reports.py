"""Reports of runs: methods that say what was done, and what is said of a model without the truth."""

import re

import numpy as np
import pytest

from n2seg_utils import UserError
from n2seg_utils.models.blind_report import judge_blindly
from n2seg_utils.models.denoise_report import write_denoise_report
from n2seg_utils.models.joint_training import train_joint
from n2seg_utils.models.methods import methods
from n2seg_utils.models.segment_report import write_segment_report
from n2seg_utils.settings import JointSettings
from n2seg_utils.ui.denoising import Denoising
from n2seg_utils.ui.joint import Joint
from n2seg_utils.ui.judging import Judging
from n2seg_utils.ui.segmenting import Segmenting

from .conftest import TINY


@pytest.fixture(scope="module")
def joint(sample, tmp_path_factory):
    """A joint model that was trained for a moment, with masks for two of four images."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "masks").mkdir()
    for name in ("nuclei_01.tif", "nuclei_03.tif"):
        (folder / "masks" / name).write_bytes((sample / "masks" / name).read_bytes())
    settings = {"images": str(sample / "images"), "masks": str(folder / "masks"), "run": str(folder / "run")}
    return train_joint(JointSettings(**settings, **TINY, schedule="constant"))


SAYS = {
    "trained": ("denoised with Noise2Void [1]", "mean 0 and standard deviation 1", "8 steps of", "32 x 32 pixels"),
    "segmenter": ("segmented with a U-Net [1, 2]", "percentiles", "200 steps of 4 patches of 64 x 64 pixels"),
    "joint": ("denoised and segmented by one network", "0.5 times the squared error", "(1 of them annotated)"),
}


@pytest.mark.parametrize("kind", SAYS)
def test_methods_say_what_was_done_and_cite_every_reference_once(kind, request):
    model = request.getfixturevalue(kind)
    text, *references = methods(model)
    for words in SAYS[kind]:
        assert words in text, text
    cited = [int(number) for group in re.findall(r"\[([\d, ]+)\]", text) for number in group.split(",")]
    assert sorted(set(cited)) == list(range(1, len(references) + 1)), "numbered as they are cited"
    assert [int(re.match(r"\[(\d+)\]", line)[1]) for line in references] == list(range(1, len(references) + 1))
    assert list(dict.fromkeys(cited)) == sorted(set(cited)), "in the order in which they are cited"
    assert not re.search(r"None|\bnan\b|\?\?", text)
    assert model.run.facts()["versions"]["keras"] in text


def test_methods_name_the_scores_only_where_there_are_some(trained):
    assert "SSIM" not in methods(trained)[0]
    assert "SSIM (Gaussian window" in methods(trained, {"psnr": {}})[0]


def test_reports_are_html_and_pdf_with_methods_images_and_the_warnings_that_were_shown(trained, segmenter):
    for model, write in ((trained, write_denoise_report), (segmenter, write_segment_report)):
        model.run.note(warnings=["Neighbouring pixels share their noise."])
        path = write(model)
        text = path.read_text(encoding="utf-8")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        for words in ("Methods, to paste", "Neighbouring pixels share their noise.", "nuclei_03.tif", "256 x 256"):
            assert words in text
        assert text.index("<img") < text.index("Settings used"), "pictures first"


class Fake:
    """A denoising model whose answer is a function of the pixels."""

    def __init__(self, model, answer):
        self.model, self.answer = model, answer

    def __getattr__(self, name):
        return getattr(self.model, name)

    def predict_pixels(self, values, scale=None):
        return self.answer(values)


def test_a_model_that_removes_nothing_or_too_much_is_doubted(trained):
    nothing = judge_blindly(Fake(trained, lambda values: values))
    assert any("Nothing was removed" in words for words in nothing.doubtful)
    assert any("the network is worse than a Gaussian blur" in words for words in nothing.doubtful)
    flat = judge_blindly(Fake(trained, lambda values: np.full_like(values, values.mean())))
    assert flat.doubtful
    [(caption, figure)] = nothing.figures
    assert "flipped and turned" in caption
    assert float(np.max(figure.axes[1].images[0].get_array())) == 0, "the identity does not depend on how images lie"


def test_doubt_is_the_spread_over_eight_orientations(trained):
    def brighter_left(values):
        return values + 10 * (np.arange(values.shape[1])[None, :, None] < values.shape[1] / 2)

    [(_, figure)] = judge_blindly(Fake(trained, brighter_left)).figures
    np.testing.assert_allclose(figure.axes[1].images[0].get_array(), 5, atol=1e-3)


class Refusing:
    """A form with a wrong value."""

    def settings(self):
        raise UserError("Some fields need a change")


@pytest.mark.parametrize("kind", [Denoising, Segmenting, Joint])
def test_a_training_that_fails_leaves_nothing_that_was_said_of_an_earlier_model(kind):
    work = kind()
    work.images, work.form, work.model, work.scores, work.blind = "images", Refusing(), "model", "scores", "said"
    with pytest.raises(UserError):
        work.train()
    assert (work.model, work.scores, work.blind) == (None, None, None)


def test_a_quality_control_that_fails_leaves_no_report_of_an_earlier_one():
    work = Judging()
    work.folders, work.form, work.scores, work.out, work.path = {}, Refusing(), "scores", "out", "report.html"
    with pytest.raises(UserError):
        work.judge()
    with pytest.raises(UserError, match="run the cells of section 4 first"):
        work.report()
