"""3D and several channels: shapes, axes and types come back, and nothing sees what it should not."""

import numpy as np
import pytest
import tifffile

from n2seg_utils import DenoiseSettings, UserError, train_denoiser
from n2seg_utils.data import pixels
from n2seg_utils.data.check import check_images
from n2seg_utils.data.images import open_image
from n2seg_utils.data.normalisation import Normalisation
from n2seg_utils.data.samples import PIXEL, PLANE, make_image, write_sample
from n2seg_utils.data.split import Part
from n2seg_utils.models.denoise_suggestions import settle
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.hiding import blind_spots

from .conftest import TINY

AS_IT_IS = Normalisation("dataset", (0.0,), (1.0,))


def settings(images, run, **more):
    return DenoiseSettings(images=str(images), run=str(run), **(TINY | {"batch_size": 2, "patch_depth": 8} | more))


def volumes(folder, count=2, shape=(12, 48, 56), axes="ZYX", **options):
    folder.mkdir()
    for number in range(count):
        image = make_image("nuclei3d", number, shape=shape[-3:])[0]
        image = np.broadcast_to(image, shape)
        options = {"resolution": (1 / PIXEL, 1 / PIXEL)} | options
        about = {"axes": axes, "unit": "um", "spacing": PLANE}
        tifffile.imwrite(folder / f"{number}.tif", image, imagej=True, metadata=about, **options)
    return folder


@pytest.mark.parametrize("algorithm", ["n2v", "n2v2", "structn2v"])
def test_a_volume_comes_back_with_shape_axes_scale_and_type(tmp_path, algorithm):
    model = train_denoiser(settings(volumes(tmp_path / "in"), tmp_path / "run", algorithm=algorithm))
    assert model.architecture.dims == 3
    for dtype, expected in (("input", "uint16"), ("float32", "float32")):
        for result in model.predict_folder(tmp_path / "in", tmp_path / dtype, dtype=dtype):
            image, source = open_image(result), open_image(tmp_path / "in" / result.name)
            assert (image.axes, image.shape, image.dtype) == ("ZYX", source.shape, expected)
            assert image.calibration == source.calibration
    again = Denoiser.load(model.run.path)
    np.testing.assert_array_equal(again.network.get_weights()[-2], model.network.get_weights()[-2])


def test_a_time_series_of_volumes_is_denoised_volume_by_volume(tmp_path):
    folder = volumes(tmp_path / "in", 2, (3, 12, 48, 56), "TZYX")
    model = train_denoiser(settings(folder, tmp_path / "run"))
    [first, _] = model.predict_folder(folder, tmp_path / "out")
    found, image = tifffile.imread(first), tifffile.imread(folder / "0.tif")
    assert open_image(first).axes == "TZYX"
    for t in range(3):
        np.testing.assert_allclose(found[t], model.predict_pixels(image[t][..., None])[..., 0], rtol=1e-5)


def test_volumes_of_several_channels_work(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    image = np.stack([make_image("nuclei3d", c, shape=(12, 48, 48))[0] for c in range(2)], axis=1)
    tifffile.imwrite(folder / "one.tif", image, imagej=True, metadata={"axes": "ZCYX", "mode": "composite"})
    model = train_denoiser(settings(folder, tmp_path / "run"))
    [out] = model.predict_folder(folder, tmp_path / "out")
    assert (open_image(out).axes, open_image(out).shape) == ("ZCYX", image.shape)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_real_volumes_keep_shape_axes_and_type_and_lose_noise(real_images, tmp_path, compression):
    folder = tmp_path / "in"
    folder.mkdir()
    for file in sorted((real_images / "yeast3d").glob("*.tif")):
        image = tifffile.imread(file)[:, 40:120, 60:160]
        tifffile.imwrite(folder / file.name, image, compression=compression, metadata={"axes": "ZYX"}, ome=True)
    found = check_images(folder)
    assert found.ok
    model = train_denoiser(settings(folder, tmp_path / "run", epochs=3, steps_per_epoch=8, learning_rate=0.005))
    assert model.architecture.dims == 3
    results = model.predict_folder(folder, tmp_path / "out", dtype="input")
    for result in results:
        image, source = (open_image(p / result.name) for p in (tmp_path / "out", folder))
        assert (image.axes, image.shape, image.dtype) == ("ZYX", source.shape, "uint16")
        denoised, noisy = (tifffile.imread(i.path).astype("float32") for i in (image, source))
        assert np.diff(denoised, axis=-1).std() < 0.5 * np.diff(noisy, axis=-1).std()


def test_n2v_itself_opens_a_3d_run_and_predicts_the_same(tmp_path):
    from n2v.models import N2V

    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):  # without a scale, so that planes are pooled as n2v does
        tifffile.imwrite(folder / f"{number}.tif", make_image("nuclei3d", number, shape=(12, 48, 56))[0])
    ours = train_denoiser(settings(folder, tmp_path / "run", axes="ZYX", normalisation="dataset"))
    assert ours.architecture.pool_z == 2
    theirs = N2V(None, "run", str(tmp_path))
    image = tifffile.imread(folder / "0.tif").astype("float32")
    expected = theirs.predict(image, "ZYX")
    np.testing.assert_allclose(ours.predict_pixels(image[..., None])[..., 0], expected, atol=1e-4 * np.ptp(expected))


# Anisotropic data


def test_planes_that_lie_far_apart_are_not_pooled_and_lend_fewer_neighbours(tmp_path):
    near = volumes(tmp_path / "near", resolution=(1 / PLANE, 1 / PLANE))
    far = volumes(tmp_path / "far", resolution=(6 / PLANE, 6 / PLANE))
    for folder, pool, radius in ((near, 2, (3, 5, 5)), (far, 1, (1, 5, 5))):
        wanted = settings(folder, tmp_path / f"run_{pool}")
        images = [open_image(file) for file in sorted(folder.glob("*.tif"))]
        assert blind_spots(settle(wanted, images, False), images).radius == radius
        model = train_denoiser(wanted)
        assert model.architecture.pool_z == pool
        assert (model.run / "config.json").exists() == (pool == 2), "n2v cannot build the other"


# 2D or 3D


def test_stacks_with_depth_are_volumes_and_time_series_are_not(tmp_path):
    for axes, dims in (("ZYX", 3), ("TYX", 2)):
        folder = volumes(tmp_path / axes, 1, axes=axes)
        assert settle(settings(folder, "x"), [open_image(folder / "0.tif")], False).dimensions == f"{dims}d"
    shallow = volumes(tmp_path / "shallow", 1, (5, 48, 56))
    assert settle(settings(shallow, "x"), [open_image(shallow / "0.tif")], False).dimensions == "2d"


def test_a_volume_can_be_looked_at_plane_by_plane(tmp_path):
    folder = volumes(tmp_path / "in")
    model = train_denoiser(settings(folder, tmp_path / "run", dimensions="2d"))
    assert model.architecture.dims == 2
    image = tifffile.imread(folder / "0.tif")
    found = tifffile.imread(model.predict_folder(folder, tmp_path / "out")[0])
    np.testing.assert_allclose(found[5], model.predict_pixels(image[5][..., None])[..., 0], rtol=1e-5)


REFUSED = {
    "no depth": ({"dimensions": "3d"}, "nuclei", r"nuclei_01\.tif is .*too few planes for 3D.*dimensions 2d"),
    "a patch too deep": ({"patch_depth": 16}, (12, 48, 56), "has only 12 planes: use patch_depth 12 or less"),
    "too few planes": ({"dimensions": "3d"}, (3, 48, 56), "too few planes for 3D.*Use dimensions 2d"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_a_volume_is_refused_with_what_would_work(tmp_path, what):
    more, shape, message = REFUSED[what]
    if shape == "nuclei":
        write_sample("nuclei", tmp_path / "s", count=2)
        folder = tmp_path / "s" / "images"
    else:
        folder = volumes(tmp_path / "in", shape=shape)
    with pytest.raises(UserError, match=message):
        train_denoiser(settings(folder, tmp_path / "run", **more))
    assert not (tmp_path / "run").exists()


def test_a_model_of_volumes_refuses_flat_images(tmp_path):
    model = train_denoiser(settings(volumes(tmp_path / "in"), tmp_path / "run"))
    write_sample("nuclei", tmp_path / "s", count=1)
    with pytest.raises(UserError, match=r"nuclei_01\.tif is one image.*was trained with volumes.*give their axes"):
        model.predict_folder(tmp_path / "s" / "images", tmp_path / "out")


# Pieces of volumes


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pieces_of_volumes_are_read_where_they_are(tmp_path, compression):
    values = np.arange(2 * 6 * 20 * 30, dtype="float32").reshape(2, 6, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", values, metadata={"axes": "TZYX"}, ome=True, compression=compression)
    frames = open_image(tmp_path / "a.tif").frames(3)
    assert [f.shape for f in frames] == [(6, 20, 30)] * 2
    np.testing.assert_array_equal(frames[1].read()[..., 0], values[1])
    where = np.array([2, 1, 0, 1]), slice(3, 9), np.array([5, 5, 29])
    np.testing.assert_array_equal(frames[1].read(*where)[..., 0], values[1][np.ix_(where[0], range(3, 9), where[2])])


def test_blocks_of_volumes_are_pieces_of_them_that_stay_in_their_region(tmp_path):
    values = np.arange(10 * 30 * 40, dtype="float32").reshape(10, 30, 40)
    tifffile.imwrite(tmp_path / "a.tif", values, metadata={"axes": "ZYX"}, ome=True)
    images, part = [open_image(tmp_path / "a.tif")], Part(0, "train", (0, 0, 30, 25))
    found = pixels.sources(images, [part], "train", 3)
    assert found[0].shape == (10, 30, 25)
    stream = pixels.BlockStream(found, AS_IT_IS, (4, 16, 64), 40, 0)
    assert stream.shape == (4, 16, 25)
    for block in stream.blocks(0):
        z, y, x = np.unravel_index(int(block[0, 0, 0, 0]), values.shape)
        np.testing.assert_array_equal(block[..., 0], values[z : z + 4, y : y + 16, x : x + 25])


def test_a_folder_of_volumes_larger_than_memory_is_trained_from_blocks(tmp_path, monkeypatch):
    from n2seg_utils.learning import device

    monkeypatch.setattr(device, "free_memory", lambda: 2_000_000)
    model = train_denoiser(settings(volumes(tmp_path / "in", 3, (40, 80, 90)), tmp_path / "run"))
    assert model.run.facts()["status"] == "finished"


# Channels


@pytest.fixture(scope="module")
def two_channels(tmp_path_factory):
    """A folder of two-channel images."""
    return write_sample("two_channels", tmp_path_factory.mktemp("two") / "sample", count=3)


def test_channels_are_apart_unless_together_is_wanted(two_channels, tmp_path):
    image = tifffile.imread(two_channels / "images" / "two_channels_01.tif")
    values = np.moveaxis(image, 0, -1).astype("float32")
    changed = values.copy()
    changed[..., 1] = np.random.default_rng(0).permutation(changed[..., 1].ravel()).reshape(changed.shape[:2])
    for channels, sees in (("apart", False), ("together", True)):
        model = train_denoiser(settings(two_channels / "images", tmp_path / channels, channels=channels))
        one, other = (model.predict_pixels(v)[..., 0] for v in (values, changed))
        assert (np.abs(one - other).max() > 0) == sees
        assert Denoiser.load(model.run.path).architecture.together == sees
        np.testing.assert_allclose(Denoiser.load(model.run.path).predict_pixels(values)[..., 0], one, rtol=1e-5)


def test_each_channel_learns_its_own_noise_and_structure(two_channels, tmp_path):
    """n2v's default shows every channel the last one: here the first is learned although the second is noise only."""
    folder = tmp_path / "in"
    folder.mkdir()
    truth = []
    for number in range(3):
        noisy, clean, _ = make_image("nuclei", number, shape=(96, 96))
        nothing = np.random.default_rng(number).integers(100, 120, noisy.shape).astype("uint16")
        image = np.stack([noisy, nothing])
        tifffile.imwrite(folder / f"{number}.tif", image, imagej=True, metadata={"axes": "CYX", "mode": "composite"})
        truth.append(clean)
    model = train_denoiser(settings(folder, tmp_path / "run", epochs=3, steps_per_epoch=30, learning_rate=0.005))
    found = tifffile.imread(model.predict_folder(folder, tmp_path / "out")[0])
    noisy = tifffile.imread(folder / "0.tif")[0]
    error, before = (np.square(image - truth[0]).mean() for image in (found[0], noisy.astype("float32")))
    assert error < 0.7 * before


@pytest.mark.parametrize("channels", ["apart", "together"])
def test_rgb_images_come_back_as_they_were(tmp_path, channels):
    (tmp_path / "in").mkdir()
    for number in range(2):
        image = np.stack([make_image("nuclei", (number, c), shape=(64, 80))[0] for c in range(3)], axis=-1)
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", (image // 4).astype("uint8"), photometric="rgb")
    model = train_denoiser(settings(tmp_path / "in", tmp_path / "run", channels=channels))
    for result in model.predict_folder(tmp_path / "in", tmp_path / "out", dtype="input"):
        source = open_image(tmp_path / "in" / result.name)
        assert (open_image(result).plane_shape, open_image(result).dtype) == (source.plane_shape, "uint8")


@pytest.mark.parametrize(("names", "expected"), [((), ["channel 1", "channel 2", "channel 3"]), (("DAPI",), None)])
def test_every_channel_has_a_name_whatever_the_file_says(tmp_path, names, expected):
    image = np.zeros((3, 20, 20), "uint16")
    about = {"axes": "CYX", "mode": "composite"} | ({"Labels": [*names, "", ""]} if names else {})
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata=about)
    assert open_image(tmp_path / "a.tif").channel_names == (expected or ["DAPI", "channel 2", "channel 3"])


def test_a_channel_without_a_name_does_not_move_the_names_of_the_others(tmp_path):
    about = {"axes": "CYX", "Channel": {"Name": ["DAPI", "", "GFP"]}}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 20, 20), "uint16"), metadata=about, ome=True)
    assert open_image(tmp_path / "a.tif").channel_names == ["DAPI", "channel 2", "GFP"]


@pytest.mark.parametrize(
    ("about", "flatness"),
    [
        ({"PhysicalSizeX": 0.1, "PhysicalSizeZ": 0.4}, 4),
        ({"PhysicalSizeX": 100, "PhysicalSizeXUnit": "nm", "PhysicalSizeZ": 0.5}, 5),
        ({"PhysicalSizeX": 0, "PhysicalSizeZ": 0.5}, 1),
        ({"PhysicalSizeX": 0.1, "PhysicalSizeZ": -0.3}, 3),
        ({"PhysicalSizeX": 0.1}, 1),
    ],
)
def test_the_distance_of_planes_is_understood_in_any_unit_and_nonsense_is_ignored(tmp_path, about, flatness):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 20, 20), "uint16"), metadata={"axes": "ZYX"} | about, ome=True)
    assert open_image(tmp_path / "a.tif").calibration.flatness == pytest.approx(flatness)


# What does not fit together is refused before anything is written


@pytest.mark.parametrize("depth", [8, 12])
def test_a_patch_depth_that_the_network_cannot_halve_is_refused_with_one_it_can(tmp_path, depth):
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", np.random.default_rng(0).integers(0, 99, (40, 48, 48)).astype("uint16"))
    more = {"axes": "ZYX", "network_depth": 4, "patch_depth": depth, "patch_size": 32}
    with pytest.raises(UserError, match="must be a multiple of 16: use patch_depth 16"):
        train_denoiser(settings(folder, tmp_path / "run", **more))
    assert not (tmp_path / "run").exists()
    train_denoiser(settings(folder, tmp_path / "run", **(more | {"patch_depth": None, "network_width": 4})))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"struct_axis": "square", "struct_length": 33}, "use struct_length 15 or less, or a larger patch_size"),
        ({"struct_axis": "both", "struct_length": 63}, "use struct_length 15 or less"),
        ({"struct_mask": "111; 111; 111 | 111; 111; 111 | 111; 111; 111"}, "has planes, but the training is 2D"),
    ],
)
def test_a_struct_mask_that_does_not_fit_is_refused_with_one_that_does(tmp_path, more, message):
    write_sample("nuclei", tmp_path / "s", count=2)
    with pytest.raises(UserError, match=message):
        train_denoiser(settings(tmp_path / "s" / "images", tmp_path / "run", algorithm="structn2v", **more))
    assert not (tmp_path / "run").exists()
    fits = {"struct_axis": "square", "struct_length": 15, "patch_depth": None}
    train_denoiser(settings(tmp_path / "s" / "images", tmp_path / "run", algorithm="structn2v", **fits))


def test_the_shallowest_volume_decides_between_2d_and_3d(tmp_path):
    folder = volumes(tmp_path / "in", 1, (16, 48, 56))
    tifffile.imwrite(folder / "shallow.tif", np.zeros((3, 48, 56), "uint16"), imagej=True, metadata={"axes": "ZYX"})
    images = [open_image(file) for file in sorted(folder.glob("*.tif"))]
    assert settle(settings(folder, "x"), images, False).dimensions == "2d"


# Files that do not say what they are


def test_a_model_of_volumes_takes_the_planes_of_a_file_that_says_nothing_for_depth(tmp_path):
    model = train_denoiser(settings(volumes(tmp_path / "in"), tmp_path / "run"))
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, tifffile.imread(tmp_path / "in" / "0.tif"))
    assert open_image(plain).axes == "TYX"
    [out] = model.predict_folder(plain, tmp_path / "out")
    assert open_image(out).axes == "ZYX"
    np.testing.assert_array_equal(
        tifffile.imread(out), tifffile.imread(model.predict_folder(tmp_path / "in", tmp_path / "all")[0])
    )


def test_the_command_takes_axes_for_prediction(tmp_path):
    from n2seg_utils.cli import main

    model = train_denoiser(settings(volumes(tmp_path / "in"), tmp_path / "run"))
    values = np.moveaxis(tifffile.imread(tmp_path / "in" / "0.tif"), 0, -1)
    tifffile.imwrite(tmp_path / "turned.tif", values)
    arguments = ["predict", "--run", model.run.path, "--images", tmp_path / "turned.tif", "--out", tmp_path / "out"]
    assert main([str(a) for a in (*arguments, "--axes", "YXZ")]) == 0
    assert open_image(tmp_path / "out" / "turned.tif").size["Z"] == 12


def test_a_compressed_volume_is_decoded_once_however_many_tiles_it_is_cut_into(tmp_path, monkeypatch):
    from n2seg_utils.data.images import quick_to_read

    values = np.random.default_rng(0).integers(0, 99, (6, 40, 50)).astype("uint16")
    tifffile.imwrite(tmp_path / "a.tif", values, compression="zlib", metadata={"axes": "ZYX"}, ome=True)
    decoded = []
    decode = tifffile.TiffPage.asarray
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: decoded.append(page.index) or decode(page))
    [frame] = open_image(tmp_path / "a.tif").frames(3)
    assert frame.image.in_pages
    with quick_to_read(frame) as read:
        for x in range(0, 50, 10):
            piece = read(np.array([5, 0, 1]), slice(3, 9), slice(x, x + 10))
            np.testing.assert_array_equal(piece[..., 0], values[[5, 0, 1], 3:9, x : x + 10])
    assert sorted(decoded) == list(range(6))


def test_blocks_of_volumes_keep_within_the_memory_there_is():
    from n2seg_utils.models.supply import _block

    for most in (1e4, 1e5, 1e6, 1e9):
        block = _block((8, 32, 32), most)
        assert np.prod(block) <= max(most, 8 * 32 * 32)
        assert all(side >= size for side, size in zip(block, (8, 32, 32)))
    assert _block((8, 32, 32), 1e9) == (32, 512, 512)


def test_a_training_whose_images_fail_before_the_first_epoch_says_so_in_its_run(tmp_path, monkeypatch):
    """Whoever looks at the run folder later must not take it for one that is still training."""
    import json

    from n2seg_utils.learning.training import Outcome
    from n2seg_utils.models import training_run

    outcome = Outcome(stopped="failed", error=UserError("a.tif is gone"))
    monkeypatch.setattr(training_run, "train", lambda *_, **__: outcome)
    with pytest.raises(UserError, match=r"a\.tif is gone"):
        train_denoiser(settings(volumes(tmp_path / "in"), tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
