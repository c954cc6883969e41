"""Scores that equal independent computations, folders that are matched by name, and a report that opens anywhere."""

import csv
import json
import re

import numpy as np
import pytest
import tifffile
from scipy.ndimage import convolve1d
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity

from n2seg_utils import UserError
from n2seg_utils.quality import plots
from n2seg_utils.quality.image_scores import image_scores, nrmse, psnr, ssim, ssim_map
from n2seg_utils.quality.qc import judge
from n2seg_utils.quality.report import write_report


def pair(shape=(60, 80), scale=100.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random(shape) * scale
    return truth, truth + rng.normal(0, 0.1 * scale, shape)


def test_nrmse_is_the_root_of_the_mean_square_not_of_the_mean_absolute_error():
    rng = np.random.default_rng(0)
    truth = np.linspace(0, 1, 10_000).reshape(100, 100)
    noisy = truth + rng.normal(0, 0.1, truth.shape)
    assert nrmse(truth, noisy, 1) == pytest.approx(0.1, abs=0.002)
    assert nrmse(truth, noisy, 1) == pytest.approx(
        normalized_root_mse(truth, noisy, normalization="min-max"), abs=1e-12
    )


def test_psnr_equals_scikit_image_and_the_definition():
    truth, image = pair()
    span = np.ptp(truth)
    assert psnr(truth, image, span) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=span), abs=1e-9)
    assert psnr(truth, image, span) == pytest.approx(10 * np.log10(span**2 / np.mean((truth - image) ** 2)), abs=1e-9)


def test_ssim_equals_its_definition_with_a_gaussian_window():
    """Formula 13 of Wang et al. 2004, written out with a window of 11 pixels, sigma 1.5."""
    truth, image = pair()
    span = np.ptp(truth)
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()

    def mean(values):
        return convolve1d(convolve1d(values, window, axis=0), window, axis=1)

    mx, my = mean(truth), mean(image)
    vx, vy, cov = mean(truth**2) - mx**2, mean(image**2) - my**2, mean(truth * image) - mx * my
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    inner = (slice(5, -5), slice(5, -5))
    np.testing.assert_allclose(ssim_map(truth, image, span)[inner], expected[inner], atol=1e-9)
    assert ssim(truth, image, span) == pytest.approx(expected[inner].mean(), abs=1e-9)


def test_the_range_is_that_of_the_whole_truth_over_all_planes():
    planes = [pair(seed=s, scale=scale) for s, scale in ((0, 10), (1, 200))]
    truth, image = ([p[i][..., None] for p in planes] for i in range(2))
    found = image_scores(truth, image)
    all_truth, all_image = np.stack(truth), np.stack(image)
    assert found["range"] == pytest.approx(np.ptp(all_truth))
    assert found["psnr"] == pytest.approx(psnr(all_truth, all_image, np.ptp(all_truth)))
    assert found["ssim"] == pytest.approx(np.mean([ssim(*p, np.ptp(all_truth)) for p in planes]))


def test_perfect_images_score_perfectly():
    truth, _ = pair()
    found = image_scores([truth[..., None]], [truth[..., None]])
    assert (found["ssim"], found["nrmse"], found["psnr"]) == (pytest.approx(1), 0, float("inf"))


@pytest.mark.parametrize(
    ("truth", "words"), [(np.ones((20, 20, 1)), "same value everywhere"), (pair((8, 30))[0][..., None], "too small")]
)
def test_a_truth_that_cannot_serve_is_refused(truth, words):
    with pytest.raises(UserError, match=words):
        image_scores([truth], [truth + 1.0], "truth.tif")


@pytest.fixture
def folders(tmp_path):
    """Three images as prediction, truth and raw, with three kinds of endings."""
    for kind in ("prediction", "truth", "raw"):
        (tmp_path / kind).mkdir()
    for number in range(3):
        truth, noisy = pair(seed=number)
        tifffile.imwrite(tmp_path / "truth" / f"{number}.tif", truth.astype("float32"))
        tifffile.imwrite(tmp_path / "raw" / f"{number}.tiff", noisy.astype("float32"))
        tifffile.imwrite(tmp_path / "prediction" / f"{number}.TIF", ((truth + noisy) / 2).astype("float32"))
    return tmp_path


def test_folders_are_matched_by_name_and_scored(folders):
    found = judge(folders / "prediction", folders / "truth", folders / "raw", folders / "out")
    summary = json.loads((folders / "out" / "summary.json").read_text())
    assert summary == found
    assert len(summary["per_image"]) == 3
    rows = list(csv.DictReader((folders / "out" / "metrics.csv").open()))
    for row in rows:
        number = row["image"].split(".")[0]
        truth = tifffile.imread(folders / "truth" / f"{number}.tif")
        image = tifffile.imread(folders / "prediction" / f"{number}.TIF")
        span = float(np.ptp(truth))
        assert float(row["psnr"]) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=span), abs=1e-6)
        assert float(row["nrmse"]) == pytest.approx(
            normalized_root_mse(truth, image, normalization="min-max"), abs=1e-6
        )
        options = {"gaussian_weights": True, "use_sample_covariance": False, "sigma": 1.5}
        assert float(row["ssim"]) == pytest.approx(
            structural_similarity(truth.astype(float), image.astype(float), data_range=span, **options), abs=1e-6
        )
        assert summary["ranges"][row["image"]] == pytest.approx(span)
    for score in ("ssim", "nrmse", "psnr"):
        means = summary[score]
        assert means["gain"] == pytest.approx(means["prediction"] - means["raw"])
    assert summary["psnr"]["gain"] == pytest.approx(20 * np.log10(2), abs=1e-3), "half the error"
    assert len(list((folders / "out").glob("*.png"))) == 3


def test_without_raw_images_there_is_no_gain(folders):
    found = judge(folders / "prediction", folders / "truth")
    assert found["psnr"]["gain"] is None
    assert found["psnr"]["raw"] is None


def test_perfect_results_still_give_json_that_every_program_reads(folders):
    judge(folders / "truth", folders / "truth", folders / "raw", folders / "out")
    text = (folders / "out" / "summary.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_what_has_no_partner_is_listed(folders):
    (folders / "truth" / "1.tif").unlink()
    found = judge(folders / "prediction", folders / "truth", folders / "raw")
    assert found["unmatched"] == ["1.TIF"]
    assert len(found["per_image"]) == 2


def test_results_of_an_earlier_quality_control_are_not_overwritten(folders):
    judge(folders / "prediction", folders / "truth", out=folders / "out")
    before = (folders / "out" / "metrics.csv").read_bytes()
    with pytest.raises(UserError, match="not overwritten"):
        judge(folders / "raw", folders / "truth", out=folders / "out")
    assert (folders / "out" / "metrics.csv").read_bytes() == before


def test_images_that_do_not_belong_together_are_named(folders):
    tifffile.imwrite(folders / "prediction" / "1.TIF", np.zeros((30, 30), "float32"))
    with pytest.raises(UserError, match=r"1\.TIF.*30 x 30.*60 x 80"):
        judge(folders / "prediction", folders / "truth")
    (folders / "other").mkdir()
    tifffile.imwrite(folders / "other" / "x.tif", np.zeros((30, 30), "float32"))
    with pytest.raises(UserError, match="same names"):
        judge(folders / "other", folders / "truth")


def test_pixels_that_are_not_numbers_are_named(folders):
    image = tifffile.imread(folders / "prediction" / "2.TIF")
    image[3, 4] = np.nan
    tifffile.imwrite(folders / "prediction" / "2.TIF", image)
    with pytest.raises(UserError, match=r"2\.TIF has 1 pixel.*NaN"):
        judge(folders / "prediction", folders / "truth")


def test_real_pairs_are_scored_like_scikit_image_does(real_images):
    fmd = real_images / "fmd"
    found = judge(fmd / "noisy" / "Confocal_FISH_1.tif", fmd / "clean" / "Confocal_FISH_1.tif")
    noisy, clean = (tifffile.imread(fmd / kind / "Confocal_FISH_1.tif").astype(float) for kind in ("noisy", "clean"))
    expected = peak_signal_noise_ratio(clean, noisy, data_range=np.ptp(clean))
    assert found["psnr"]["prediction"] == pytest.approx(expected, abs=1e-6)


def test_the_report_needs_no_other_file_and_shows_names_as_text(tmp_path, folders):
    scores = judge(folders / "prediction", folders / "truth", folders / "raw")
    planes = {"noisy": pair()[0], "denoised": pair()[1]}
    history = [{"epoch": e, "loss": 1 / e, "val_loss": 1.1 / e} for e in (1, 2, 3)]
    figures = [("one", plots.side_by_side(planes)), ("two", plots.loss_curve(history))]
    path = write_report(
        tmp_path / "report.html",
        "<b>run</b>",
        figures,
        scores,
        {"images": "a<script>b"},
        {"status": "finished"},
        ["A note"],
    )
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 2
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "<script" not in text
    assert "&lt;b&gt;run&lt;/b&gt;" in text
    assert f"{scores['psnr']['prediction']:.2f}" in text


def test_figures_show_their_planes_in_one_grey_scale():
    figure = plots.side_by_side({"noisy": pair()[1], "truth": pair()[0]}, {"noisy": "PSNR 20"}, reference="truth")
    images = [axis.images[0] for axis in figure.axes]
    assert len({image.get_clim() for image in images}) == 1
    assert figure.axes[0].get_xlabel() == "PSNR 20"
    assert plots.to_png(figure).startswith(b"\x89PNG")


def test_large_planes_are_thinned_out_for_the_screen():
    assert max(plots.thumbnail(np.zeros((5000, 300))).shape) <= 1024
