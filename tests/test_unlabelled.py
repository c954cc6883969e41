"""Without labels: a first guess, spoiled labels in rounds, and what is said of it."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from keras import Model
from scipy.ndimage import gaussian_filter
from skimage.draw import ellipse, line
from skimage.filters import threshold_li, threshold_otsu
from skimage.restoration import calibrate_denoiser

from n2seg_utils import SegmentSettings, UserError, train_segmenter
from n2seg_utils.cli import main
from n2seg_utils.data.arrays import open_array
from n2seg_utils.data.files import list_images, stem
from n2seg_utils.data.images import open_image
from n2seg_utils.data.normalisation import percentiles
from n2seg_utils.data.smoothing import means, smoothed
from n2seg_utils.data.tables import read_table
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models.guesses import guess_folder, mask_folder
from n2seg_utils.models.objects import Rule
from n2seg_utils.models.segment_report import example_figure, judge_segmenter, judged_on, write_segment_report
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.models.unlabelled import UnlabelledWork, mean_width, spoiled
from n2seg_utils.quality.dmi import threshold_by_dmi
from n2seg_utils.quality.first_guess import blurred, choose_blur, cut, li
from n2seg_utils.ui.label_viewer import _Explorer

from .conftest import SMALL

LEARNS = SMALL | {"epochs": 6, "steps_per_epoch": 40, "batch_norm": False}


@pytest.fixture(autouse=True)
def guesses(tmp_path_factory, monkeypatch):
    """Where first guesses are kept."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.getbasetemp()))


def wanted(sample, run, **more):
    """Settings of a training without labels that takes seconds."""
    return SegmentSettings(**({"images": str(sample / "images"), "labels": "none", "run": str(run)} | LEARNS | more))


def noisy_disc(rng, noise=20.0):
    """A bright ellipse in noise, and where it is."""
    truth = np.zeros((96, 96), bool)
    truth[ellipse(48, 40, 22, 14)] = True
    return 60.0 * gaussian_filter(truth.astype(float), 1.5) + noise * rng.standard_normal(truth.shape), truth


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


# The first guess


def test_the_blur_is_the_one_that_scikit_image_calibrates():
    image, _ = noisy_disc(np.random.default_rng(0))
    ours = choose_blur([image])
    sigmas = np.geomspace(0.5, 6, 16)
    denoise = calibrate_denoiser(
        image, lambda x, sigma=1.0: gaussian_filter(x, sigma, mode="mirror"), {"sigma": sigmas}
    )
    theirs = denoise.keywords["denoiser_kwargs"]["sigma"]
    assert ours == pytest.approx(theirs, rel=0.4)
    assert choose_blur([gaussian_filter(image, 3)]) < ours


def test_the_cut_is_where_grey_values_and_foreground_know_most_of_each_other():
    """The share of mutual information is the correlation of grey values and what is above."""
    rng = np.random.default_rng(1)
    image = np.concatenate([rng.normal(10, 3, 4000), rng.normal(30, 4, 900)])
    shares = {level: np.corrcoef(image, image > level)[0, 1] for level in np.linspace(12, 28, 161)}
    assert cut(image).threshold == pytest.approx(max(shares, key=shares.get), abs=0.3)
    assert cut(image).threshold == threshold_otsu(image)


def test_the_threshold_by_li_is_found_in_noise_too():
    image = np.concatenate([np.random.default_rng(1).normal(10, 3, 4000), np.random.default_rng(2).normal(30, 4, 900)])
    assert li(image) == pytest.approx(threshold_li(image), abs=np.ptp(image) / 500)
    assert li(image.astype("float32")) == pytest.approx(li(image), abs=1e-3)


def test_the_smaller_part_is_foreground_and_nothing_is_where_all_is_alike():
    image, truth = noisy_disc(np.random.default_rng(2), noise=2.0)
    for pixels in (image, 100 - image):
        assert dice(cut(pixels)(pixels), truth) > 0.95
    flat = np.full((8, 8), 7)
    assert not cut(flat)(flat).any()


def test_a_guess_is_written_like_masks_and_found_again(sample, tmp_path):
    settings = wanted(sample, tmp_path / "run")
    folder = mask_folder(settings)
    files = sorted((sample / "images").iterdir())
    assert sorted(file.name for file in folder.iterdir()) == [f"{stem(file)}.tif" for file in files]
    sigma = float(folder.name.split("_")[1])
    image, mask = tifffile.imread(files[0]), tifffile.imread(folder / files[0].name)
    smooth = blurred(image, sigma)
    np.testing.assert_array_equal(mask, np.where(cut(smooth)(smooth), 255, 0))
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert mask_folder(settings) == folder
    assert before == {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert guess_folder(settings.replace(blur=3.0)).name == "blur_3"


# Spoiled labels


def test_spoiled_labels_are_half_of_the_foreground_near_where_it_was_or_a_tenth_of_its_middle():
    truth = np.zeros((200, 200), bool)
    truth[ellipse(100, 100, 60, 50)] = True
    some = spoiled(truth, np.random.default_rng(3)) > 0
    near = gaussian_filter(truth.astype(float), 1.0) > 0.01
    assert 0.25 < some.sum() / truth.sum() < 0.5, "moved pixels may meet"
    assert not (some & ~near).any()
    np.testing.assert_array_equal(some, spoiled(truth, np.random.default_rng(3)) > 0)
    middle = spoiled(truth, np.random.default_rng(3), lines=True) > 0
    assert 0 < middle.sum() < some.sum() / 100


def test_nuclei_are_areas_and_filaments_are_lines():
    nuclei, filaments = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    nuclei[ellipse(50, 50, 20, 15)] = True
    for start in (10, 40, 70):
        filaments[line(start, 5, start + 20, 95)] = True
    assert mean_width([nuclei]) > 10
    assert mean_width([filaments]) < 3
    assert mean_width([np.zeros((9, 9), bool)]) == np.inf


# The network


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("sigma", [0.4, 0.82, 2.2, 5.0])
def test_the_blur_is_within_the_network_and_is_that_of_the_scaling(dims, sigma):
    network = unet(Architecture(dims, depth=1, width=2, smooth=sigma))
    image = np.random.default_rng(0).random((1, *(8, 40, 56)[-dims:], 1)).astype("float32")
    first = next(layer for layer in network.layers if "conv" in type(layer).__name__.lower())
    seen = np.array(Model(network.inputs, first.input)(image))[0]
    planes = image[0].reshape(-1, *image.shape[-3:])
    expected = np.stack([smoothed(plane, sigma) for plane in planes]).reshape(seen.shape)
    np.testing.assert_allclose(seen, expected, atol=1e-5, err_msg="at margins, too")


@pytest.mark.parametrize("sigma", [1.5, 2.2, 3.0, 5.0, 12.0])
def test_three_running_means_are_nearly_a_gaussian(sigma):
    image = np.random.default_rng(0).random((120, 120)).astype("float32")
    sizes = means(sigma)
    assert np.sqrt(sum((size**2 - 1) / 12 for size in sizes)) == pytest.approx(sigma, rel=0.1)
    inside = (slice(40, -40), slice(40, -40))
    found = smoothed(image[..., None], sigma)[..., 0][inside]
    same = np.sqrt(sum((size**2 - 1) / 12 for size in sizes))
    assert np.abs(found - gaussian_filter(image, same)[inside]).max() < 0.02
    np.testing.assert_array_equal(smoothed(image[..., None], 0)[..., 0], image)


def test_noise_does_not_widen_the_scale_of_what_is_blurred_first():
    rng = np.random.default_rng(0)
    clean = gaussian_filter(noisy_disc(rng, noise=0.0)[0], 2)
    noisy = clean + 20 * rng.standard_normal(clean.shape)
    wide, near = (np.subtract(*percentiles(open_array(noisy), blur=blur)[::-1])[0] for blur in (0.0, 2.5))
    true = np.subtract(*percentiles(open_array(clean))[::-1])[0]
    assert abs(near - true) < 0.25 * true < abs(wide - true)


def test_a_network_without_labels_finds_more_than_its_first_guess(sample, trained):
    better = []
    guess = guess_folder(trained.settings)
    for file in sorted((sample / "images").iterdir()):
        truth = tifffile.imread(sample / "masks" / file.name) > 0
        found = trained.predict(tifffile.imread(file)) > 0
        better.append(dice(found, truth) - dice(tifffile.imread(guess / file.name) > 0, truth))
    assert np.mean(better) > 0.02


def test_each_image_has_a_threshold_of_its_own_where_network_and_guess_agree(sample, trained):
    low, high = trained.stored.between
    assert 0 < low < trained.stored.threshold < 1
    assert Segmenter.load(trained.run.path).rule == trained.rule
    for file in sorted((sample / "images").iterdir()):
        pixels = tifffile.imread(file)
        image = open_image(file)
        found = trained.predict_probabilities(pixels[..., None], trained.normalisation.for_image(image))[..., 1]
        smooth = blurred(pixels, trained.settings.blur)
        own = threshold_by_dmi([(found, cut(smooth)(smooth).astype(int))])[0]
        assert low <= own <= high, "all of these images are known"
        np.testing.assert_array_equal(trained.predict(pixels) > 0, found > own)


def test_an_image_of_nothing_but_noise_gets_no_threshold_that_finds_objects_in_it(sample, trained):
    noise = np.random.default_rng(0).normal(100, 10, (128, 128)).astype("float32")
    assert np.mean(trained.predict(noise) > 0) < 0.02


def test_a_threshold_that_someone_chose_is_that_of_all_images(sample, trained):
    file = sorted((sample / "images").iterdir())[0]
    chosen = Segmenter.load(trained.run.path)
    chosen.settings = chosen.settings.replace(threshold=0.2)
    assert chosen.rule.between == ()
    image = open_image(file)
    found = chosen.predict_probabilities(image.plane(0), chosen.normalisation.for_image(image))[..., 1]
    np.testing.assert_array_equal(chosen.predict(tifffile.imread(file)) > 0, found > 0.2)


def test_what_the_explorer_calls_tuned_is_what_a_folder_of_images_gets(sample, trained):
    viewer = _Explorer(trained, sample / "images")
    pixels = tifffile.imread(list_images(sample / "images")[0])
    share = 100 * np.mean(trained.predict(pixels) > 0)
    assert pixels.shape == (256, 256), "it is shown whole"
    assert f"as tuned ({share:.0f} %)" in viewer.planes()


@pytest.mark.parametrize("limits", [(0.1,), (0.3, 0.1), (0.1, float("nan")), "ab"])
def test_limits_of_thresholds_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match=r"between|convert"):
        Rule(between=limits)


@pytest.fixture(scope="module")
def trained(sample, tmp_path_factory):
    """A segmenter that nobody drew anything for."""
    import tempfile

    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.getbasetemp())
    try:
        return train_segmenter(wanted(sample, tmp_path_factory.mktemp("runs") / "none"))
    finally:
        tempfile.tempdir = before


def test_a_first_guess_is_not_called_the_truth(trained):
    titles = [axis.get_title() for axis in example_figure(trained)[1].axes[:2]]
    assert titles == ["first guess", "found"]


def test_each_round_learns_what_the_network_of_the_last_one_finds_and_spoils_it(sample, tmp_path):
    work = UnlabelledWork(wanted(sample, tmp_path / "run", epochs=3))
    work._begin()
    training = work.training(unet(work.model.architecture), work.model.settings)
    from n2seg_utils.learning.plan import Plan

    plan, seen, rng = Plan(3, 2, 0.01), [], np.random.default_rng(0)
    training.begin(plan)
    guess = work.pools["train"][0][2] > 0

    def labels():
        known = training.patches._at(*whole(guess.shape))
        return np.array(known)[0, ..., 1], np.array(known)[0, ..., 2]

    for epoch in range(3):
        for weight in training.network.trainable_weights:
            weight.assign(weight + 0.02 * rng.standard_normal(weight.shape))
        training.begin_epoch(epoch, 0, fresh=True)
        label, kept = labels()
        np.testing.assert_array_equal(kept > 0, guess)
        assert 0 < label.sum() <= 0.5 * guess.size + 1
        seen.append(label)
        training.begin_epoch(epoch, 0, fresh=False)
        np.testing.assert_array_equal(labels()[0], label, err_msg="only once")
    assert not (seen[0] > 0)[~gaussian_filter(guess.astype(float), 1.0).astype(bool)].any()
    image = work.pools["train"][0][0]
    found = work.model.probabilities_of(training.teacher, image)[..., 1]
    expected = found > threshold_by_dmi([(found, guess)])[0]
    np.testing.assert_array_equal(seen[2], spoiled(expected, np.random.default_rng((training.seed, 2, 0))))


def whole(shape):
    """The first image, and the places of all of its pixels, as samplers count."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype("int32")
    return np.zeros(1, "int32"), [y[None], x[None]]


# What is said


def test_what_was_done_is_written_down_and_told(trained):
    facts = json.loads((trained.run / "run.json").read_text())
    assert facts["lines"] is False
    assert trained.architecture.smooth == trained.settings.blur == trained.normalisation.blur > 0
    scores = judge_segmenter(trained)
    assert "against a first guess, which is wrong in places" in judged_on(trained)
    report = write_segment_report(trained, scores).read_text(encoding="utf-8")
    assert "The first guess was a blur and Otsu" in report
    assert "what was guessed, what the model finds" in report


def test_correct_masks_judge_the_network_beside_thresholds_and_tune_nothing(sample, trained, tmp_path):
    clean = tmp_path / "clean"
    clean.mkdir()
    name = sorted(file.name for file in (sample / "masks").iterdir())[1]
    shutil.copyfile(sample / "masks" / name, clean / name)
    model = train_segmenter(wanted(sample, tmp_path / "run", clean_masks=str(clean), epochs=3, steps_per_epoch=20))
    assert [row["image"] for row in read_table(model.run / "split.csv") if row["use"] == "clean"] == [name]
    assert model.run.facts()["thresholds"]["clean_masks"] is None
    scores = judge_segmenter(model)
    judged = model.run.facts()["by_correct_masks"]
    assert judged["images"] == 1
    assert judged["network"] == pytest.approx(scores["dice"], abs=1e-6)
    truth, image = tifffile.imread(sample / "masks" / name) > 0, tifffile.imread(sample / "images" / name)
    smooth = blurred(image, model.settings.blur)
    assert judged["otsu"] == pytest.approx(dice(cut(smooth)(smooth), truth), abs=1e-6)
    report = write_segment_report(model, scores).read_text(encoding="utf-8")
    assert "Dice by your correct masks of 1 image: the network" in report
    assert "nothing else was done with" in report


def test_the_command_needs_no_masks(sample, tmp_path, capsys):
    chosen = [f"{name}={value}" for name, value in (LEARNS | {"epochs": 3, "steps_per_epoch": 8}).items()]
    sets = [word for pair in ["labels=none", *chosen] for word in ("--set", pair)]
    arguments = ["train", "segment", "--images", str(sample / "images"), "--run", str(tmp_path / "run"), *sets]
    assert main(arguments) == 0
    assert "Without masks, a first guess" in capsys.readouterr().out
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"labels": "none", "masks": "some"}, "masks is 'some', but with labels none there are no masks"),
        ({"labels": "none", "target": "instances"}, "target is 'instances', which must be binary with labels none"),
        ({"labels": "none", "pretrained": "some"}, "pretrained is 'some', but without labels training begins with"),
        ({"labels": "good", "blur": 2.0}, "blur is 2.0, which is for labels none: leave it open"),
        ({"labels": "noisy", "structures": "lines"}, "structures is 'lines', which is for labels none: use auto"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(chosen, says):
    with pytest.raises(UserError, match=says):
        SegmentSettings(**chosen).check()
