"""The check tells independent noise from noise that neighbouring pixels share, and says what to do."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import convolve1d, gaussian_filter

from n2seg_utils.data.check import WARNING, check_images
from n2seg_utils.data.images import open_image
from n2seg_utils.data.noise import correlations, measure_noise
from n2seg_utils.data.samples import LEVELS, NAMES, make_image

RNG = np.random.default_rng(0)


def saved(folder, *images):
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        tifffile.imwrite(folder / f"{number}.tif", image.astype("float32"))
    return [open_image(file) for file in sorted(folder.glob("*.tif"))]


def shared_noise(shape, length, axis):
    """White noise averaged along one axis; its correlation falls linearly to zero over `length` pixels."""
    return convolve1d(RNG.normal(size=shape), np.ones(length) / np.sqrt(length), axis=axis)


def test_independent_noise_is_called_independent(tmp_path):
    for name in NAMES:
        for level in LEVELS:
            noisy = make_image(name, 3, level)[0]
            planes = noisy if noisy.ndim == 3 else noisy[None]
            measured = measure_noise(saved(tmp_path / f"{name}_{level}", *planes[:6]))
            assert measured.axis is None
            assert abs(measured.horizontal[0]) < 0.1


@pytest.mark.parametrize("length", [2, 3, 4])
@pytest.mark.parametrize(("axis", "name"), [(0, "vertical"), (1, "horizontal")])
def test_noise_shared_along_a_line_is_measured_with_direction_and_reach(tmp_path, length, axis, name):
    clean = make_image("nuclei", 5)[1]
    image = clean + 20 * shared_noise(clean.shape, length, axis) + RNG.normal(0, 4, clean.shape)
    measured = measure_noise(saved(tmp_path / "images", image))
    line, other = (measured.vertical, measured.horizontal)[:: 1 if axis == 0 else -1]
    assert measured.axis == name
    assert line[0] == pytest.approx((1 - 1 / length) * 400 / 416, abs=0.12)
    assert abs(other[0]) < 0.12
    # All pixels that share noise, those next to them, and at most one pixel too many on either side.
    assert 2 * length - 1 <= measured.length <= 2 * length + 3


def test_noise_that_spreads_all_around_is_told_from_a_cross(tmp_path):
    flat = np.full((256, 256), 100.0)
    around = flat + 30 * gaussian_filter(RNG.normal(size=flat.shape), 0.8)
    cross = flat + 5 * (shared_noise(flat.shape, 9, 0) + shared_noise(flat.shape, 9, 1))
    assert measure_noise(saved(tmp_path / "around", around)).axis == "square"
    assert measure_noise(saved(tmp_path / "cross", cross)).axis == "both"


def test_smooth_structure_is_not_taken_for_shared_noise(tmp_path):
    smooth = 1000 * gaussian_filter(RNG.normal(size=(256, 256)), 12) + RNG.normal(0, 1, (256, 256))
    assert measure_noise(saved(tmp_path / "smooth", smooth)).axis is None


def test_what_the_camera_cut_off_does_not_count(tmp_path):
    clean = gaussian_filter(RNG.normal(size=(256, 256)), 12)
    image = np.clip(40 * clean / clean.std() + RNG.normal(0, 20, clean.shape), 0, None)
    assert measure_noise(saved(tmp_path / "clipped", image)).axis is None


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.full((64, 64), np.nan), RNG.normal(size=(10, 40))])
def test_where_there_is_nothing_to_measure_nothing_is_said(tmp_path, image):
    assert correlations(image) is None
    assert measure_noise(saved(tmp_path / "images", image)) is None


def test_real_widefield_images_are_told_apart_from_confocal_and_two_photon_ones(real_images):
    for file in sorted((real_images / "fmd" / "noisy").glob("*.tif")):
        measured = measure_noise([open_image(file)])
        assert (measured.axis == "square") == file.name.startswith("WideField"), file.name


@pytest.mark.parametrize("folder", ["yeast3d", "dsb2018/images", "ecoli_fluorescence/images"])
def test_real_images_of_independent_noise_are_called_so(real_images, folder):
    files = sorted((real_images / folder).glob("*.tif"))[:30]
    assert measure_noise([open_image(file) for file in files]).axis is None


@pytest.fixture
def fmd(real_images, tmp_path):
    """A function that gives a folder with the real images of one kind of microscope."""

    def folder(kind):
        (tmp_path / kind).mkdir()
        for file in (real_images / "fmd" / "noisy").glob(f"{kind}*.tif"):
            (tmp_path / kind / file.name).symlink_to(file)
        return tmp_path / kind

    return folder


def test_the_check_advises_structn2v_for_widefield_and_says_nothing_for_confocal(fmd):
    found = check_images(fmd("WideField"))
    [advice] = [f for f in found.findings if "share their noise" in f.message]
    assert advice.severity == WARNING
    assert "structn2v (square, 5 pixels)" in advice.remedy
    assert "bin the images 2 x 2" in advice.remedy
    assert not [f for f in check_images(fmd("Confocal")).findings if "noise" in f.message]
