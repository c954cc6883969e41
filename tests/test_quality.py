"""Scores that equal independent computations, folders that are matched by name, and a report that opens anywhere."""

import csv
import json
import re

import numpy as np
import pytest
import tifffile
from scipy.ndimage import convolve1d
from scipy.stats import wilcoxon
from skimage.measure import pearson_corr_coeff
from skimage.metrics import mean_squared_error, normalized_root_mse, peak_signal_noise_ratio, structural_similarity

from n2seg_utils import UserError
from n2seg_utils.quality import plots
from n2seg_utils.quality.image_scores import Comparison, image_scores, ssim, ssim_map
from n2seg_utils.quality.qc import judge
from n2seg_utils.quality.report import write_report
from n2seg_utils.quality.statistics import interval, paired_test


def pair(shape=(60, 80), scale=100.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random(shape) * scale
    return truth, truth + rng.normal(0, 0.1 * scale, shape)


def scores(truth, image):
    """The scores of one plane."""
    return image_scores([truth[..., None]], [image[..., None]])


@pytest.mark.parametrize(
    ("titles", "words"), [(("noisy", "denoised", "found"), "denoise"), (("image",), "is found yet")]
)
def test_a_score_of_nothing_is_no_flat_line_without_words(titles, words):
    preview = dict.fromkeys(titles, np.eye(9))
    row = {"epoch": 1, "loss": 1, "val_loss": 1, "score": 0.0, "val_score": 0.0}
    texts = [text.get_text() for text in plots.progress_picture([row], preview).axes[0].texts]
    assert len(texts) == 1
    assert words in texts[0]
    assert not plots.progress_picture([row, row | {"epoch": 2, "val_score": 0.3}], preview).axes[0].texts


def test_nrmse_is_the_root_of_the_mean_square_not_of_the_mean_absolute_error():
    rng = np.random.default_rng(0)
    truth = np.linspace(0, 1, 10_000).reshape(100, 100)
    noisy = truth + rng.normal(0, 0.1, truth.shape)
    assert scores(truth, noisy)["nrmse"] == pytest.approx(0.1, abs=0.002)
    assert scores(truth, noisy)["nrmse"] == pytest.approx(
        normalized_root_mse(truth, noisy, normalization="min-max"), abs=1e-12
    )


def test_psnr_equals_scikit_image_and_the_definition():
    truth, image = pair()
    span = np.ptp(truth)
    found = scores(truth, image)["psnr"]
    assert found == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=span), abs=1e-9)
    assert found == pytest.approx(10 * np.log10(span**2 / np.mean((truth - image) ** 2)), abs=1e-9)


def test_the_other_scores_equal_their_definitions():
    """The first four as Sage and Unser's ImageJ plugin SNR has them: r is the reference, t the test image."""
    truth, image = pair(seed=4)
    r, t, found = truth, 0.7 * image + 20, scores(truth, 0.7 * image + 20)
    assert found["snr"] == pytest.approx(10 * np.log10((r**2).sum() / ((r - t) ** 2).sum()), abs=1e-9)
    assert found["psnr_peak"] == pytest.approx(10 * np.log10(r.max() ** 2 / ((r - t) ** 2).mean()), abs=1e-9)
    assert found["rmse"] == pytest.approx(np.sqrt(mean_squared_error(r, t)), abs=1e-9)
    assert found["mae"] == pytest.approx(np.abs(r - t).mean(), abs=1e-9)
    assert found["pearson"] == pytest.approx(pearson_corr_coeff(r, t)[0], abs=1e-9)
    slope, offset = np.polyfit(t.ravel(), r.ravel(), 1)
    best = peak_signal_noise_ratio(r, slope * t + offset, data_range=np.ptp(r))
    assert found["si_psnr"] == pytest.approx(best, abs=1e-6), "the PSNR after the best line has been fitted"
    assert scores(truth, 3 * image - 5)["si_psnr"] == pytest.approx(scores(truth, image)["si_psnr"], abs=1e-9)


def test_scores_of_many_planes_are_those_of_all_their_pixels_and_each_plane_has_its_own():
    planes = [pair(seed=s, scale=scale) for s, scale in ((0, 10), (1, 200), (2, 90))]
    truth, image = (np.stack([p[i] for p in planes], -1) for i in range(2))
    both = Comparison([truth[..., :2], truth[..., 1:]], [image[..., :2], image[..., 1:]])
    flat = [np.concatenate([a[..., :2], a[..., 1:]], -1).reshape(60, -1) for a in (truth, image)]
    whole, found = scores(*flat), both.scores()
    for name in ("nrmse", "psnr", "si_psnr", "pearson", "rmse", "mae", "snr", "psnr_peak", "range"):
        assert found[name] == pytest.approx(whole[name], rel=1e-9), name
    rows = both.rows()
    assert [(row["plane"], row["channel"]) for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    expected = peak_signal_noise_ratio(truth[..., 2], image[..., 2], data_range=np.ptp(truth))
    assert rows[3]["psnr"] == pytest.approx(expected, abs=1e-9), "with the range of the whole image"
    assert found["ssim"] == pytest.approx(np.mean([row["ssim"] for row in rows]), abs=1e-12)


def test_what_cannot_be_computed_is_none():
    truth, _ = pair()
    found = scores(truth, truth * 0 + 7)
    assert (found["pearson"], scores(-1 - truth, -truth)["psnr_peak"]) == (None, None)
    assert found["si_psnr"] == pytest.approx(10 * np.log10(np.ptp(truth) ** 2 / truth.var()))


def test_the_interval_of_a_mean_holds_it_in_95_of_100_cases():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(300):
        low, high = interval(rng.exponential(1, 40))
        inside.append(low < 1 < high)
    assert 0.88 < np.mean(inside) < 0.98, "a little below 0.95, as the percentile bootstrap of skewed values is"
    assert interval([1.0, 2.0]) is None
    assert interval([1.0, 2.0, float("inf")]) is None


def test_the_paired_test_is_that_of_scipy_and_knows_when_it_cannot_tell():
    rng = np.random.default_rng(2)
    one, other = rng.normal(0.4, 1, 20), rng.normal(0, 1, 20)
    assert paired_test(one, other) == wilcoxon(one, other).pvalue
    assert paired_test(one, one) == 1
    assert paired_test(one[:5], other[:5]) is None


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
    expected = peak_signal_noise_ratio(all_truth, all_image, data_range=np.ptp(all_truth))
    assert found["psnr"] == pytest.approx(expected)
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


def test_the_report_is_a_pdf_with_the_same_words_too(tmp_path, folders):
    scores = judge(folders / "prediction", folders / "truth", folders / "raw")
    figures = [
        (f"picture {n}", plots.side_by_side({"noisy": pair()[0]}, size=size)) for n, size in enumerate((3, 12, 2))
    ]
    long = "/content/drive/" + "a_very_long_name" * 20
    path = write_report(
        tmp_path / "report.html", "Zellkerne µ 日本", figures, scores, {"images": long}, {"device": "CPU"}, ["A note"],
        ["Look at this"], [{"image": f"{n}.tif", "shape": [60, 80]} for n in range(100)],
        ["It was done [1]", "[1] Krull"],
    )  # fmt: skip
    data = path.with_suffix(".pdf").read_bytes()
    assert data.startswith(b"%PDF")
    pages = int(re.search(rb"/Count (\d+)", data)[1])
    assert 4 <= pages <= 9
    html = path.read_text(encoding="utf-8")
    for words in ("Look at this", "It was done [1]", "99.tif", "60 x 80", long, "日本"):
        assert words in html
