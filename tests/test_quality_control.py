"""Quality control of folders, from a shell: what is written and said, with truth, without, and of bad input."""

import csv
import json
import re

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from n2seg_utils.cli import main
from n2seg_utils.quality.blind_qc import judge_without_truth
from n2seg_utils.quality.qc import better_in_words, judge
from n2seg_utils.quality.restoration_plots import interesting

SSIM = {"gaussian_weights": True, "use_sample_covariance": False, "sigma": 1.5}


@pytest.fixture(scope="module")
def restored(small_sample, tmp_path_factory):
    """The small sample's noisy images after a blur of one pixel."""
    folder = tmp_path_factory.mktemp("restored")
    for file in sorted((small_sample / "images").glob("*.tif")):
        tifffile.imwrite(folder / file.name, gaussian_filter(tifffile.imread(file).astype("float32"), 1))
    return folder


@pytest.fixture
def qc(tmp_path, capfd):
    """Runs the command into a folder; returns the exit status, what was printed, and the folder."""

    def run(*arguments):
        status = main(["qc", *map(str, arguments), "--out", str(tmp_path / "out")])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.err
        return status, printed.out + printed.err, tmp_path / "out"

    return run


def test_restored_images_are_scored_drawn_mapped_and_reported(qc, restored, small_sample):
    status, words, out = qc(
        "--prediction", restored, "--truth", small_sample / "clean", "--raw", small_sample / "images"
    )
    assert status == 0
    assert "PSNR" in words
    assert re.search(r"The prediction \(PSNR [\d.]+ dB\) is (better than|as good as|worse than) a Gaussian blur", words)
    assert {"metrics.csv", "summary.json", "filters.png", "report.html", "report.pdf", "maps"} <= {
        path.name for path in out.iterdir()
    }
    summary = json.loads((out / "summary.json").read_text())
    assert all((out / name).is_file() for name in summary["figures"])
    for name in summary["figures"]:
        assert name.removesuffix(".png") in (out / "report.html").read_text(encoding="utf-8")
    file = sorted(restored.iterdir())[0]
    truth, image = (tifffile.imread(folder / file.name).astype(float) for folder in (small_sample / "clean", restored))
    error, similar = (tifffile.imread(out / "maps" / f"{file.stem}_{kind}.tif") for kind in ("error", "ssim"))
    assert error.dtype == similar.dtype == np.float32
    np.testing.assert_allclose(error, abs(truth - image) / np.ptp(truth), atol=1e-6)
    expected = structural_similarity(truth, image, data_range=np.ptp(truth), full=True, **SSIM)[1]
    np.testing.assert_allclose(similar, expected, atol=1e-6)


def test_stacks_and_channels_have_scores_of_each_plane(qc, tmp_path):
    for kind, noise in (("truth", 0), ("prediction", 5)):
        (tmp_path / kind).mkdir()
        ramp = np.linspace(0, 200, 3 * 2 * 40 * 50).reshape(3, 2, 40, 50)
        pixels = (ramp + noise * np.random.default_rng(1).normal(size=ramp.shape)).astype("float32")

        tifffile.imwrite(tmp_path / kind / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    status, _, out = qc("--prediction", tmp_path / "prediction", "--truth", tmp_path / "truth")
    assert status == 0
    rows = list(csv.DictReader((out / "planes.csv").open()))
    assert [(row["plane"], row["channel"]) for row in rows] == [
        (str(z), f"channel {c}") for z in (1, 2, 3) for c in (1, 2)
    ]
    truth, image = (tifffile.imread(tmp_path / kind / "a.tif") for kind in ("truth", "prediction"))
    expected = peak_signal_noise_ratio(truth[1, 1], image[1, 1], data_range=np.ptp(truth))
    assert float(rows[3]["psnr"]) == pytest.approx(expected, abs=1e-5)


def test_a_file_that_says_nothing_of_its_axes_is_read_as_its_truth(qc, tmp_path):
    for kind in ("truth", "prediction"):
        (tmp_path / kind).mkdir()
    pixels = np.random.default_rng(0).random((4, 2, 32, 32)).astype("float32")
    tifffile.imwrite(tmp_path / "truth" / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    tifffile.imwrite(tmp_path / "prediction" / "a.tif", pixels + 0.1)
    status, words, _ = qc("--prediction", tmp_path / "prediction", "--truth", tmp_path / "truth")
    assert status == 0, words


def test_the_gain_has_an_interval_and_a_test(restored, small_sample):
    found = judge(restored, small_sample / "clean", small_sample / "images")
    for name in ("ssim", "psnr", "nrmse"):
        low, high = found[name]["gain_interval"]
        assert low <= found[name]["gain"] <= high
        assert found[name]["better"] == 4
        assert found[name]["p"] is None, "four images cannot tell"
    assert better_in_words(found) == ("PSNR is better than that of the raw image in 4 of 4 (too few images to test).")


def test_another_grey_scale_is_noticed_and_judged_by_the_scores_that_do_not_mind(qc, restored, small_sample, tmp_path):
    (tmp_path / "scaled").mkdir()
    for file in restored.iterdir():
        tifffile.imwrite(tmp_path / "scaled" / file.name, tifffile.imread(file) / 255)
    arguments = ("--truth", small_sample / "clean", "--raw", small_sample / "images", "--no-maps")
    status, words, out = qc("--prediction", tmp_path / "scaled", *arguments)
    assert status == 0
    assert "on a different grey scale than the truth" in words
    assert not (out / "maps").exists()
    scaled, plain = json.loads((out / "summary.json").read_text()), judge(restored, small_sample / "clean")
    assert scaled["si_psnr"]["prediction"] == pytest.approx(plain["si_psnr"]["prediction"], abs=1e-4)
    assert scaled["filters"]["score"] == "si_psnr"
    assert "on a different grey scale than the truth" in (out / "report.html").read_text(encoding="utf-8")


def test_without_truth_the_raw_images_judge(qc, restored, small_sample):
    status, words, out = qc("--prediction", restored, "--raw", small_sample / "images")
    assert status == 0
    assert "The noise that was removed" in words
    summary = json.loads((out / "summary.json").read_text())
    assert len(summary["per_image"]) == 4
    assert all((out / name).is_file() for name in (*summary["figures"], "report.html", "report.pdf", "metrics.csv"))
    assert "nothing here proves a prediction right" in (out / "report.html").read_text(encoding="utf-8")


def test_the_worst_kind_of_finding_comes_first_and_names_its_images(sample, tmp_path):
    """Perfect predictions, one of which shows three spots too many."""
    for file in sorted((sample / "clean").glob("*.tif")):
        image = tifffile.imread(file).astype("float32")
        if file.stem.endswith("2"):
            y, x = np.mgrid[: image.shape[0], : image.shape[1]]
            for row, column in ((30, 40), (120, 200), (220, 60)):
                image += np.ptp(image) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18)
        tifffile.imwrite(tmp_path / file.name, image)
    found = judge_without_truth(tmp_path, sample / "images")
    first = found["findings"][0]
    assert (first["about"], [name[-5:] for name in first["images"]]) == ("invented", ["2.tif"])
    assert first["severity"] != "fine"
    assert found["severity"] == first["severity"]


def test_what_is_magnified_is_where_there_is_structure():
    plane = np.zeros((200, 300))
    plane[150:160, 220:230] = 1
    rows, columns = interesting(plane, 64)
    assert rows.start <= 150 < 160 <= rows.stop
    assert columns.start <= 220 < 230 <= columns.stop
    assert (rows.stop - rows.start, columns.stop - columns.start) == (64, 64)


def constant(folder):
    for file in folder.glob("*.tif"):
        tifffile.imwrite(file, np.full_like(tifffile.imread(file), 7, "float32"))


def nan(folder):
    file = sorted(folder.glob("*.tif"))[0]
    image = tifffile.imread(file).astype("float32")
    image[0, 0] = np.nan
    tifffile.imwrite(file, image)


def smaller(folder):
    file = sorted(folder.glob("*.tif"))[0]
    tifffile.imwrite(file, tifffile.imread(file)[:50])


def renamed(folder):
    for file in folder.glob("*.tif"):
        file.rename(file.with_name(f"other_{file.name}"))


def emptied(folder):
    for file in folder.glob("*.tif"):
        file.unlink()


def more_planes(folder):
    file = sorted(folder.glob("*.tif"))[0]
    tifffile.imwrite(file, np.stack([tifffile.imread(file)] * 3), imagej=True, metadata={"axes": "ZYX"})


BAD = {
    "sizes differ": ("prediction", smaller, r"nuclei_01.tif is one image of 50 x 96.*96 x 96.*same size"),
    "axes differ": ("prediction", more_planes, r"nuclei_01.tif is .*3 planes.*same size"),
    "no number": ("prediction", nan, r"nuclei_01.tif has 1 pixel"),
    "no number in the truth": ("truth", nan, r"nuclei_01.tif has 1 pixel"),
    "constant truth": ("truth", constant, r"nuclei_01.tif has the same value everywhere"),
    "no partner": ("truth", renamed, r"No image of .* has a partner of the same name in .*for example nuclei_01.tif"),
    "no raw partner": ("raw", renamed, r"nuclei_01.tif has no partner of the same name in"),
    "an empty folder": ("prediction", emptied, r"(no|empty)"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_ends_in_one_clear_sentence(qc, restored, small_sample, tmp_path, what):
    kind, spoil, words = BAD[what]
    folders = {"prediction": restored, "truth": small_sample / "clean", "raw": small_sample / "images"}
    copy = tmp_path / kind
    copy.mkdir()
    for file in folders[kind].glob("*.tif"):
        (copy / file.name).write_bytes(file.read_bytes())
    spoil(copy)
    folders[kind] = copy
    status, said, out = qc(*(part for name, folder in folders.items() for part in (f"--{name}", folder)))
    assert status == 2
    assert re.search(words, said), said
    assert not (out / "report.html").exists()


def test_with_nothing_to_compare_with_the_remedy_is_said(qc, restored):
    status, words, _ = qc("--prediction", restored)
    assert status == 2
    assert "Give the folder of the raw images" in words
    status, words, _ = qc("--labels", restored)
    assert status == 2
    assert "Give --truth" in words


def test_all_real_pairs_equal_scikit_image(qc, real_images):
    status, _, out = qc(
        "--prediction", real_images / "fmd" / "noisy", "--truth", real_images / "fmd" / "clean", "--no-maps"
    )
    assert status == 0
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert len(rows) == 36
    for row in rows[::5]:
        noisy, clean = (
            tifffile.imread(real_images / "fmd" / k / row["image"]).astype(float) for k in ("noisy", "clean")
        )
        span = np.ptp(clean)
        assert float(row["psnr"]) == pytest.approx(peak_signal_noise_ratio(clean, noisy, data_range=span), abs=1e-6)
        assert float(row["nrmse"]) == pytest.approx(np.sqrt(np.mean((clean - noisy) ** 2)) / span, abs=1e-6)
        assert float(row["ssim"]) == pytest.approx(
            structural_similarity(clean, noisy, data_range=span, **SSIM), abs=1e-6
        )


def test_equal_images_are_suspected_to_be_the_wrong_folders(qc, small_sample):
    status, words, _ = qc(
        "--prediction", small_sample / "clean", "--truth", small_sample / "clean", "--raw", small_sample / "clean"
    )
    assert status == 0
    assert (
        "The same pixels as the truth has: 4 images (for example nuclei_01.tif). Are these the right folders?" in words
    )
    assert "nan" not in words
    assert "worse than" not in words


def test_results_never_go_among_what_is_judged(restored, small_sample, capfd):
    before = sorted(restored.iterdir())
    status = main(["qc", "--prediction", str(restored), "--truth", str(small_sample / "clean"), "--out", str(restored)])
    assert status == 2
    assert "holds what is to be judged" in capfd.readouterr().err
    assert sorted(restored.iterdir()) == before


def test_two_predictions_of_one_name_are_refused(qc, restored, small_sample, tmp_path):
    (tmp_path / "twice").mkdir()
    for file in restored.iterdir():
        for end in (".tif", ".TIFF"):
            (tmp_path / "twice" / f"{file.stem}{end}").write_bytes(file.read_bytes())
    status, words, _ = qc("--prediction", tmp_path / "twice", "--truth", small_sample / "clean")
    assert status == 2
    assert "are both called 'nuclei_01'" in words


def test_what_failed_leaves_nothing_that_stands_in_the_way_of_the_corrected_run(qc, restored, small_sample, tmp_path):
    (tmp_path / "p").mkdir()
    for file in restored.iterdir():
        (tmp_path / "p" / file.name).write_bytes(file.read_bytes())
    last = tmp_path / "p" / "nuclei_04.tif"
    image = tifffile.imread(last)
    tifffile.imwrite(last, np.full_like(image, np.nan))
    assert qc("--prediction", tmp_path / "p", "--truth", small_sample / "clean")[0] == 2
    tifffile.imwrite(last, image)
    assert qc("--prediction", tmp_path / "p", "--truth", small_sample / "clean")[0] == 0


def test_true_masks_without_a_prediction_are_listed(qc, sample, tmp_path):
    (tmp_path / "labels").mkdir()
    for name in ("nuclei_01.tif", "nuclei_02.tif"):
        (tmp_path / "labels" / name).write_bytes((sample / "masks" / name).read_bytes())
    status, words, _ = qc("--labels", tmp_path / "labels", "--truth", sample / "masks")
    assert status == 0
    assert "Not judged, for it has no partner: nuclei_03.tif" in words


def test_filters_are_set_on_each_image_and_channels_may_differ_in_number(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("prediction", "truth", "raw"):
        (tmp_path / kind).mkdir()
    for name, channels, noise in (("a", 2, 5), ("b", 1, 40)):
        truth = gaussian_filter(rng.normal(size=(channels, 96, 96)), (0, 4, 4)) * 2000
        raw = truth + noise * rng.normal(size=truth.shape)
        for kind, pixels in (("truth", truth), ("raw", raw), ("prediction", gaussian_filter(raw, (0, 1, 1)))):
            axes = {"axes": "CYX" if channels > 1 else "YX"}
            tifffile.imwrite(
                tmp_path / kind / f"{name}.tif", np.squeeze(pixels).astype("f4"), imagej=True, metadata=axes
            )
    found = judge(tmp_path / "prediction", tmp_path / "truth", tmp_path / "raw", filters=True)["filters"]
    assert [len(values) for values in found["values"].values()] == [2] * 7
    assert re.fullmatch(r"sigma [\d.]+ to [\d.]+ pixels", found["settings"]["gaussian"])
    for blind, oracle in zip(found["values"]["gaussian"], found["values"]["gaussian_with_truth"]):
        assert oracle >= blind - 1e-6
