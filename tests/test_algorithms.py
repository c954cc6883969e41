"""What each algorithm is for, it does: N2V2 leaves no checkerboard, structN2V removes shared noise."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import convolve1d, gaussian_filter

from n2seg_utils import DenoiseSettings, judge, train_denoiser
from n2seg_utils.data.images import open_image
from n2seg_utils.data.samples import make_image
from n2seg_utils.models.denoiser import Denoiser

from .conftest import TINY

LEARNS = {"network_width": 12, "network_depth": 2, "epochs": 3, "steps_per_epoch": 40, "batch_size": 8}


def train(folder, run, **more):
    return train_denoiser(DenoiseSettings(images=str(folder), run=str(run), **(TINY | LEARNS | more)))


def highest_frequencies(image):
    """Mean power of the upper eighth of the frequencies, where a checkerboard is; a window keeps the borders out."""
    window = np.hanning(len(image))
    power = np.abs(np.fft.fft2((image - image.mean()) * np.outer(window, window))) ** 2
    high = np.abs(np.fft.fftfreq(len(image))) > 7 / 16
    return power[high].mean() + power[:, high].mean()


@pytest.fixture
def hot_pixels(tmp_path):
    """Smooth structure under strong noise with hot pixels, which N2V turns into a checkerboard; and the truth."""
    rng, truth = np.random.default_rng(0), []
    (tmp_path / "images").mkdir()
    for number in range(3):
        smooth = gaussian_filter(rng.normal(size=(192, 192)), 8)
        truth.append(smooth / smooth.std() * 20 + 100)
        noisy = truth[-1] + rng.normal(0, 30, smooth.shape)
        hot = rng.random(smooth.shape) < 0.01
        noisy[hot] += rng.exponential(300, hot.sum())
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", noisy.astype("float32"))
    return tmp_path / "images", truth


def test_n2v2_leaves_less_of_a_checkerboard_than_n2v(hot_pixels, tmp_path):
    folder, truth = hot_pixels
    power, error = {}, {}
    for algorithm in ("n2v", "n2v2"):
        model = train(folder, tmp_path / algorithm, algorithm=algorithm)
        found = [model.predict_pixels(open_image(f).frames(2)[0].read())[..., 0] for f in sorted(folder.iterdir())]
        power[algorithm] = np.mean([highest_frequencies(image) for image in found])
        error[algorithm] = np.mean([np.square(image - t).mean() for image, t in zip(found, truth)])
    assert power["n2v2"] < 0.4 * power["n2v"]
    assert error["n2v2"] < error["n2v"]


def test_n2v2_is_the_network_and_the_median_that_n2v_means_by_it(hot_pixels, tmp_path):
    import json

    folder, _ = hot_pixels
    model = train(folder, tmp_path / "run", algorithm="n2v2", epochs=1, steps_per_epoch=1)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["blurpool"], config["skip_skipone"], config["unet_residual"]) == (True, True, False)
    assert config["n2v_manipulator"] == model.settings.manipulator == "median"
    assert Denoiser.load(tmp_path / "run").architecture == model.architecture


@pytest.fixture
def striped(tmp_path):
    """Nuclei whose noise is shared by seven pixels in a row; and the truth."""
    rng = np.random.default_rng(0)
    for number in range(3):
        clean = make_image("nuclei", number, shape=(192, 192))[1]
        noise = 8 * convolve1d(rng.normal(size=clean.shape), np.ones(7) / np.sqrt(7), axis=1)
        for kind, image in (("images", clean + noise), ("clean", clean)):
            (tmp_path / kind).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / kind / f"{number}.tif", image.astype("float32"))
    return tmp_path


def test_structn2v_finds_how_noise_is_shared_and_removes_what_n2v_cannot(striped):
    gain = {}
    for algorithm in ("n2v", "structn2v"):
        more = {"epochs": 5, "network_width": 16, "patch_size": 64}
        model = train(striped / "images", striped / algorithm, algorithm=algorithm, **more)
        model.predict_folder(striped / "images", striped / f"out_{algorithm}")
        gain[algorithm] = judge(striped / f"out_{algorithm}", striped / "clean", striped / "images")["psnr"]["gain"]
    assert model.settings.struct_axis == "horizontal"
    assert model.settings.struct_length >= 11
    assert gain["structn2v"] > gain["n2v"] + 1


def test_real_widefield_images_gain_from_structn2v_what_n2v_cannot_give(real_images, tmp_path):
    (tmp_path / "images").mkdir()
    for file in (real_images / "fmd" / "noisy").glob("WideField_BPAE_B*.tif"):
        tifffile.imwrite(tmp_path / "images" / file.name, tifffile.imread(file)[128:384, 128:384])
    (tmp_path / "clean").mkdir()
    for file in (tmp_path / "images").iterdir():
        clean = tifffile.imread(real_images / "fmd" / "clean" / file.name)
        tifffile.imwrite(tmp_path / "clean" / file.name, clean[128:384, 128:384])
    gain = {}
    for algorithm in ("n2v", "structn2v"):
        model = train(tmp_path / "images", tmp_path / algorithm, algorithm=algorithm)
        model.predict_folder(tmp_path / "images", tmp_path / f"out_{algorithm}")
        scores = judge(tmp_path / f"out_{algorithm}", tmp_path / "clean", tmp_path / "images")
        gain[algorithm] = scores["psnr"]["gain"]
    assert gain["structn2v"] > gain["n2v"] + 2


def test_any_mask_can_be_given(striped, tmp_path):
    model = train(striped / "images", tmp_path / "run", algorithm="structn2v", struct_mask="010; 111; 010", epochs=1)
    written = DenoiseSettings.load(tmp_path / "run" / "settings.yaml")
    assert written.struct_mask == "010; 111; 010"
    assert model.run.facts()["status"] == "finished"


def test_the_loss_can_be_the_absolute_error_which_outliers_move_less(hot_pixels, tmp_path):
    folder, truth = hot_pixels
    error = {}
    for loss in ("mse", "mae"):
        model = train(folder, tmp_path / loss, loss=loss, algorithm="n2v2")
        found = model.predict_pixels(open_image(folder / "0.tif").frames(2)[0].read())[..., 0]
        error[loss] = abs(np.mean(found - truth[0]))
    assert error["mae"] < error["mse"], "hot pixels lift the mean, but hardly the median"


def test_hiding_pixels_needs_no_python_while_training():
    """n2v hides pixel by pixel in Python, which takes longer than the network."""
    import tensorflow as tf

    from n2seg_utils.learning.blindspot import BlindSpots
    from n2seg_utils.learning.patches import PatchSampler
    from n2seg_utils.learning.seeds import StepSeed
    from n2seg_utils.settings.hiding import MANIPULATORS

    patches = PatchSampler([np.zeros((40, 40, 1))], (16, 16), 4, 1)
    for manipulator in MANIPULATORS:
        hide = BlindSpots((16, 16), 2, (5, 5), manipulator, np.ones((3, 3)))

        def step(number, hide=hide):
            seeds = StepSeed(1, number)
            return hide(patches.draw(seeds), seeds)

        graph = tf.function(step).get_concrete_function(tf.constant(0)).graph
        assert not [op.type for op in graph.get_operations() if "PyFunc" in op.type]
