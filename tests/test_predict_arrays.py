"""A model opens in one line and predicts arrays: the same numbers that it writes for files."""

import doctest

import numpy as np
import pytest
import tifffile

import n2seg_utils as n2s
from n2seg_utils import JointSettings, UserError
from n2seg_utils.data.arrays import FilledArray, open_array
from n2seg_utils.data.samples import write_sample

from .conftest import TINY


@pytest.fixture(scope="module")
def joint(sample, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "joint"
    settings = JointSettings(images=str(sample / "images"), masks=str(sample / "masks"), run=str(run), **TINY)
    return n2s.train_joint(settings)


@pytest.fixture(scope="module")
def stack(sample):
    """Two time points of noisy nuclei."""
    files = sorted((sample / "images").glob("*.tif"))[:2]
    return np.stack([tifffile.imread(file)[:96, :80] for file in files])


def written(model, image, folder, **more):
    """What the model writes for an array as a file."""
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / "in.tif", image, imagej=True, metadata={"axes": "TYX"[-image.ndim :]})
    [out] = model.predict_folder(folder / "in.tif", folder / "out", **more)
    return out


def test_the_examples_of_the_package_run(tmp_path, monkeypatch):
    write_sample("nuclei", tmp_path / "sample", count=2)
    (tmp_path / "sample" / "images").rename(tmp_path / "my_images")
    monkeypatch.chdir(tmp_path)
    assert "+SKIP" not in n2s.__doc__
    found = doctest.testmod(n2s)
    assert found.attempted >= 8
    assert found.failed == 0


def test_a_denoiser_gives_for_an_array_what_it_writes_for_a_file(trained, stack, tmp_path):
    model = n2s.load(trained.run.path)
    found = model.predict(stack, axes="TYX")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tifffile.imread(written(model, stack, tmp_path)))


def test_a_segmenter_gives_for_an_array_what_it_writes_for_a_file(segmenter, stack, tmp_path):
    model = n2s.load(segmenter.run.path)
    found = model.predict(stack, axes="TYX")
    assert found.dtype == np.int32
    assert found.max() > 1
    np.testing.assert_array_equal(found, tifffile.imread(written(model, stack, tmp_path)))


def test_a_joint_model_gives_both(joint, stack, tmp_path):
    model = n2s.load(joint.run.path)
    denoised, labels = found = model.predict(stack, axes="TYX")
    out = written(model, stack, tmp_path)
    np.testing.assert_array_equal(labels, tifffile.imread(out))
    np.testing.assert_array_equal(found.denoised, tifffile.imread(out.parent.parent / "denoised" / out.name))
    assert (denoised.dtype, labels.dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("axes", ["TYX", "YXT", "XTY", "YTX"])
def test_axes_may_come_in_any_order(axes, trained, stack):
    turned = stack.transpose(["TYX".index(axis) for axis in axes])
    back = trained.predict(turned, axes).transpose([axes.index(axis) for axis in "TYX"])
    np.testing.assert_allclose(back, trained.predict(stack, "TYX"), rtol=1e-5)


def test_a_channel_stays_in_what_is_denoised_and_is_gone_from_labels(joint, stack):
    denoised, labels = joint.predict(stack[:, None], "TCYX")
    assert denoised.shape == (2, 1, 96, 80)
    assert labels.shape == (2, 96, 80)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_samples_are_images_of_their_own(place, segmenter, joint, stack):
    axes = list("CYX")
    axes.insert(place, "S")
    images = np.moveaxis(stack[:, None], 0, place)
    alone = [segmenter.predict(image, "YX") for image in stack]
    labels = segmenter.predict(images, "".join(axes))
    np.testing.assert_array_equal(np.moveaxis(labels, max(0, place - 1), 0), alone)
    denoised, _ = joint.predict(images, "".join(axes))
    assert denoised.shape == images.shape
    np.testing.assert_array_equal(
        np.moveaxis(denoised, place, 0)[:, 0], [joint.predict(image).denoised for image in stack]
    )


def test_arrays_of_any_kind_of_numbers_and_views_of_them_will_do(trained, stack):
    expected = trained.predict(stack[0], "YX")
    for image in (stack[0].astype("float64"), stack[0].tolist(), np.asfortranarray(stack[0])):
        np.testing.assert_allclose(trained.predict(image, "YX"), expected, rtol=1e-4)
    np.testing.assert_array_equal(trained.predict(stack[0]), expected, "axes are guessed as of a file")
    before = stack.copy()
    trained.predict(stack[:, ::-1], "TYX")
    np.testing.assert_array_equal(stack, before)


BAD = {
    "too few axes": (np.zeros((4, 8, 8)), "YX", "The axes 'YX' do not fit the array.*use for example TYX"),
    "an unknown axis": (np.zeros((8, 8)), "YQ", "The axes 'YQ' do not fit the array"),
    "no width": (np.zeros((8, 8)), "TY", "needs Y and X"),
    "two times the samples": (np.zeros((2, 2, 8, 8)), "SSYX", "do not fit the array"),
    "no samples": (np.zeros((0, 8, 8)), "SYX", "do not fit the array"),
    "two channels": (np.zeros((8, 8, 2)), "YXC", "the array has 2 channels, but the model in .* was trained with 1"),
    "no pixels": (np.zeros((0, 8)), "YX", "are no image"),
    "one number": (np.float32(3), "auto", "are no image|not an image"),
    "words": (np.array([["a", "b"]]), "YX", "are no image"),
    "objects": (np.array([[None, {}]]), "YX", "are no image"),
    "not a number": (np.full((32, 32), np.nan), "YX", "the array has 1024 pixels that are not numbers"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_image_for_the_model_is_refused_in_a_sentence(what, trained):
    image, axes, words = BAD[what]
    with pytest.raises(UserError, match=words):
        trained.predict(image, axes)


@pytest.mark.parametrize("axes", ["YX", "TZCYX", "XYC", "CZXTY"])
def test_an_array_is_filled_as_it_is_read(axes):
    shape = [{"T": 2, "Z": 3, "C": 4, "Y": 5, "X": 6}[axis] for axis in axes]
    image = open_array(np.arange(np.prod(shape)).reshape(shape), axes)
    filled = FilledArray(image, image.dtype)
    for frame in image.frames(2):
        filled.write(frame.number, (slice(None), slice(None)), frame.read())
    np.testing.assert_array_equal(filled.pixels, image.pixels)


@pytest.mark.parametrize("tile", [0, 8, -64, 31, True, 64.0, None, "big", "16", "", [64]])
def test_a_tile_that_is_no_size_is_refused_as_by_the_command(tile, trained, tmp_path):
    words = "must be 'auto' or a whole number of at least 32"
    with pytest.raises(UserError, match=words):
        trained.predict(np.ones((64, 64), "float32"), "YX", tile=tile)
    with pytest.raises(UserError, match=words):
        trained.predict(np.ones((2, 64, 64), "float32"), "SYX", tile=tile)
    with pytest.raises(UserError, match=words):
        trained.predict_folder(tmp_path, tmp_path / "out", tile=tile)


def test_tiles_are_given_as_numbers_of_any_kind(trained):
    image = np.random.default_rng(0).normal(100, 9, (96, 80)).astype("float32")
    whole = trained.predict(image, "YX")
    for tile in (64, np.int64(64), "64", "auto"):
        np.testing.assert_allclose(trained.predict(image, "YX", tile=tile), whole, atol=1e-3)
