"""No pixel both trains and validates, brightness scaling can be undone, and blocks never leave their region."""

import numpy as np
import pytest
import tifffile

from n2seg_utils.data import normalisation as scaling
from n2seg_utils.data import pixels
from n2seg_utils.data.images import open_image, open_images
from n2seg_utils.data.normalisation import Normalisation
from n2seg_utils.data.split import Part, split
from n2seg_utils.errors import UserError

AS_IT_IS = Normalisation("dataset", (0.0,), (1.0,))
RNG = np.random.default_rng(0)


def image(path, values, **options):
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    return open_image(path)


def folder_of(folder, *arrays, **options):
    return [image(folder / f"{i:02d}.tif", values, **options) for i, values in enumerate(arrays)]


def numbered(*shape):
    """An array whose every value tells its place."""
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


def uses(images, parts):
    """How often each pixel of each image trains, and validates."""
    counts = {use: [np.zeros(i.plane_shape[:2], int) for i in images] for use in ("train", "validate")}
    for part in parts:
        y, x, height, width = part.region or (0, 0, *images[part.image].plane_shape[:2])
        assert min(y, x) >= 0
        counted = counts[part.use][part.image][y : y + height, x : x + width]
        assert counted.shape == (height, width), "the region lies within its image"
        counted += 1
    return counts["train"], counts["validate"]


# Splitting


@pytest.mark.parametrize("count", [2, 3, 10, 31])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_image_either_trains_or_validates(tmp_path, count, fraction, seed):
    images = [image(tmp_path / "a.tif", np.zeros((64, 64), "uint8"))] * count
    parts = split(images, fraction, seed, 32)
    assert sorted(p.image for p in parts) == list(range(count))
    assert all(p.region is None for p in parts)
    validating = sum(p.use == "validate" for p in parts)
    assert validating == min(count - 1, max(1, round(fraction * count)))
    assert 0 < validating < count


@pytest.mark.parametrize("shape", [(128, 128), (200, 64), (64, 200), (129, 128), (64, 128), (1000, 7)])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99])
def test_one_image_is_cut_so_that_every_pixel_is_used_once(tmp_path, shape, fraction):
    images = [image(tmp_path / "a.tif", np.zeros(shape, "uint8"))]
    parts = split(images, fraction, 0, 64)
    (train,), (validate,) = uses(images, parts)
    np.testing.assert_array_equal(train + validate, np.ones(shape))
    for part in parts:
        assert max(part.region[2:]) >= 64, "a patch fits along the side that was cut"
    assert len(parts) == 2


def test_an_image_too_small_to_cut_is_used_for_both(tmp_path):
    images = [image(tmp_path / "a.tif", np.zeros((127, 100), "uint8"))]
    assert split(images, 0.1, 0, 64) == [Part(0, "train"), Part(0, "validate")]


def test_the_split_follows_from_the_seed(tmp_path):
    images = [image(tmp_path / "a.tif", np.zeros((64, 64), "uint8"))] * 20
    splits = [tuple(split(images, 0.2, seed, 32)) for seed in (0, 0, 1, 2, 3)]
    assert splits[0] == splits[1]
    assert len(set(splits)) > 2


@pytest.mark.parametrize("folder", ["dsb2018/images", "ecoli_fluorescence/images", "yeast3d"])
def test_real_images_are_split_without_overlap(real_images, folder):
    images = open_images(real_images / folder)
    parts = split(images, 0.1, 1, 64)
    for train, validate in zip(*uses(images, parts)):
        assert (train + validate == 1).all()
    assert {p.use for p in parts} == {"train", "validate"}


# Scaling


def test_scaled_pixels_have_mean_0_and_deviation_1_and_come_back(tmp_path):
    values = RNG.normal([100, 2000], [5, 300], (200, 300, 2)).astype("float32")
    found = image(tmp_path / "a.tif", values.transpose(2, 0, 1).copy(), metadata={"axes": "CYX"})
    scale = scaling.fit([found], "dataset")
    scaled = scale.apply(found.plane(0))
    assert scaled.dtype == "float32"
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=(0, 1)), 1, atol=1e-3)
    np.testing.assert_allclose(scale.undo(scaled), values, rtol=1e-5)


@pytest.mark.parametrize("axes", ["YX", "TYX", "CYX", "TZCYX"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_statistics_are_those_of_all_pixels_where_there_are_few(tmp_path, axes, dtype):
    shape = [{"T": 4, "Z": 3, "C": 2, "Y": 40, "X": 50}[a] for a in axes]
    values = RNG.integers(0, 250, shape).astype(dtype)
    mean, std = scaling.statistics(image(tmp_path / "a.tif", values, metadata={"axes": axes}))
    by_channel = np.moveaxis(values, axes.index("C"), 0).reshape(2, -1) if "C" in axes else values.reshape(1, -1)
    np.testing.assert_allclose(mean, by_channel.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(std, by_channel.std(axis=1), rtol=1e-6)


def test_statistics_of_a_large_image_come_from_a_sample_that_is_good_enough(tmp_path):
    values = RNG.normal(500, 40, (2500, 2500)).astype("float32")
    values[:, 1250:] += 200
    (mean,), (std,) = scaling.statistics(image(tmp_path / "a.tif", values))
    assert mean == pytest.approx(values.mean(), rel=0.01)
    assert std == pytest.approx(values.std(), rel=0.01)


def test_one_scale_for_the_set_weighs_every_pixel_the_same(tmp_path):
    arrays = [RNG.normal(100, 5, (50, 60)), RNG.normal(130, 8, (200, 100)), RNG.normal(90, 5, (30, 300))]
    images = folder_of(tmp_path, *(a.astype("float32") for a in arrays))
    scale = scaling.fit(images, "dataset")
    together = np.concatenate([i.plane(0).ravel() for i in images])
    assert scale.mean[0] == pytest.approx(together.mean(), rel=1e-5)
    assert scale.std[0] == pytest.approx(together.std(), rel=1e-5)
    assert scale.for_image(images[0]) is scale


def test_each_image_gets_its_own_scale_if_asked_or_if_contrasts_differ_threefold(tmp_path):
    images = folder_of(tmp_path, *(RNG.normal(100, s, (100, 100)).astype("float32") for s in (10, 25, 40)))
    assert scaling.fit(images[:2], "auto").kind == "dataset"
    assert scaling.fit(images, "auto").kind == "image"
    assert scaling.fit(images, "dataset").kind == "dataset"
    scale = scaling.fit(images[:2], "image")
    for one in images:
        scaled = scale.for_image(one).apply(one.plane(0))
        assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-3)


def test_a_dead_channel_is_left_as_it_is(tmp_path):
    values = np.stack([RNG.normal(100, 5, (50, 60)), np.full((50, 60), 7.0)]).astype("float32")
    found = image(tmp_path / "a.tif", values, metadata={"axes": "CYX"})
    scaled = scaling.fit([found], "auto").apply(found.plane(0))
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled[..., 1], 0, atol=1e-6)


def test_a_constant_image_cannot_be_scaled_and_is_named(tmp_path):
    with pytest.raises(UserError, match=r"All pixels of .*flat\.tif are equal \(42\)\. Remove it"):
        scaling.fit([image(tmp_path / "flat.tif", np.full((50, 60), 42, "uint8"))], "auto")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_numbers_are_counted_and_named_wherever_they_are_met(tmp_path, value):
    values = RNG.normal(100, 5, (50, 60)).astype("float32")
    values[7, 8:11] = value
    bad = image(tmp_path / "bad.tif", values)
    match = r"bad\.tif has 3 pixels that are not numbers.*Replace them in Fiji.*or remove the file"
    with pytest.raises(UserError, match=match):
        scaling.statistics(bad)
    with pytest.raises(UserError, match=match):
        pixels.load(pixels.sources([bad], [Part(0, "train")], "train", 2), AS_IT_IS)
    with pytest.raises(UserError, match=match):
        pixels.BlockStream(pixels.sources([bad], [Part(0, "train")], "train", 2), AS_IT_IS, (60, 60), 1, 0).blocks(0)


# Loading


def test_loading_gives_each_part_its_own_pixels_scaled(tmp_path):
    values = numbered(3, 40, 50)
    images = [image(tmp_path / "a.tif", values, metadata={"axes": "TYX"})]
    parts = [Part(0, "train", (0, 0, 40, 30)), Part(0, "validate", (0, 30, 40, 20))]
    scale = Normalisation("dataset", (10.0,), (2.0,))
    for use, expected in (("train", values[:, :, :30]), ("validate", values[:, :, 30:])):
        planes = pixels.load(pixels.sources(images, parts, use, 2), scale)
        assert {p.dtype for p in planes} == {np.dtype("float32")}
        np.testing.assert_array_equal(np.stack(planes)[..., 0], (expected - 10) / 2)
        assert pixels.nbytes(pixels.sources(images, parts, use, 2)) == sum(p.nbytes for p in planes)


def test_loading_many_images_keeps_train_and_validate_apart(tmp_path):
    images = folder_of(tmp_path, *(np.full((40, 50), i, "uint8") for i in range(8)))
    parts = split(images, 0.25, 3, 16)
    found = {
        u: {int(p.mean()) for p in pixels.load(pixels.sources(images, parts, u, 2), AS_IT_IS)}
        for u in ("train", "validate")
    }
    assert len(found["validate"]) == 2
    assert found["train"] | found["validate"] == set(range(8))
    assert not found["train"] & found["validate"]


def test_each_loaded_image_has_its_own_scale_if_the_set_has_none(tmp_path):
    images = folder_of(tmp_path, *(RNG.normal(100 * s, s, (60, 60)).astype("float32") for s in (1, 50)))
    for plane in pixels.load(
        pixels.sources(images, [Part(0, "train"), Part(1, "train")], "train", 2), scaling.fit(images, "auto")
    ):
        assert (plane.mean(), plane.std()) == pytest.approx((0, 1), abs=1e-2)


@pytest.mark.parametrize("folder", ["fmd/noisy", "yeast3d"])
def test_real_images_are_loaded_whole_and_with_unit_contrast(real_images, folder):
    images = open_images(real_images / folder)[:4]
    parts = split(images, 0.25, 1, 64)
    scale = scaling.fit(images, "image")
    planes = {use: pixels.load(pixels.sources(images, parts, use, 2), scale) for use in ("train", "validate")}
    assert sum(p.size for ps in planes.values() for p in ps) == sum(np.prod(i.shape) for i in images)
    assert np.concatenate([p.ravel() for p in planes["train"]]).std() == pytest.approx(1, abs=0.1)
    for use, loaded in planes.items():
        assert pixels.nbytes(pixels.sources(images, parts, use, 2)) == sum(p.nbytes for p in loaded)


# Blocks of what does not fit into memory


def stream(images, parts, use="train", side=16, count=50, seed=0, scale=AS_IT_IS):
    return pixels.BlockStream(pixels.sources(images, parts, use, 2), scale, (side, side), count, seed)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("use", ["train", "validate"])
def test_blocks_are_pieces_of_the_image_that_never_leave_their_region(tmp_path, compression, use):
    values = numbered(3, 60, 80)
    images = [image(tmp_path / "a.tif", values, metadata={"axes": "ZYX"}, compression=compression)]
    parts = split(images, 0.3, 0, 20)
    region = next(p.region for p in parts if p.use == use)
    places = set()
    for epoch in range(4):
        blocks = stream(images, parts, use).blocks(epoch)
        assert len(blocks) == 50
        for block in blocks:
            assert (block.shape, block.dtype) == ((16, 16, 1), "float32")
            z, y, x = np.unravel_index(int(block[0, 0, 0]), values.shape)
            np.testing.assert_array_equal(block[..., 0], values[z, y : y + 16, x : x + 16])
            assert region[0] <= y <= region[0] + region[2] - 16
            assert region[1] <= x <= region[1] + region[3] - 16
            places.add((z, y, x))
    assert {z for z, _, _ in places} == {0, 1, 2}
    for axis, (start, length) in ((1, region[::2]), (2, region[1::2])):
        found = {place[axis] for place in places}
        assert {start, start + length - 16} <= found, "the edges of the region are reached"


def test_blocks_are_a_function_of_seed_and_epoch_alone(tmp_path):
    images = folder_of(tmp_path, numbered(60, 80), numbered(90, 50))
    parts = [Part(0, "train"), Part(1, "train")]
    first, other = stream(images, parts), stream(images, parts)
    expected = [np.stack(first.blocks(epoch)) for epoch in range(3)]
    for epoch in (2, 0, 1, 2):  # any order, any number of times, any object
        np.testing.assert_array_equal(np.stack(other.blocks(epoch)), expected[epoch])
    assert (expected[0] != expected[1]).any()
    assert (np.stack(stream(images, parts, seed=1).blocks(0)) != expected[0]).any()


def test_images_give_blocks_as_they_have_pixels(tmp_path):
    images = folder_of(tmp_path, np.zeros((300, 300), "uint8"), np.ones((100, 100), "uint8"))
    blocks = stream(images, [Part(0, "train"), Part(1, "train")], count=4000, side=8).blocks(0)
    share = np.mean([b.mean() for b in blocks])
    assert share == pytest.approx(0.1, abs=5 * np.sqrt(0.1 * 0.9 / 4000))


def test_blocks_are_as_small_as_the_smallest_part_along_each_axis(tmp_path):
    images = folder_of(tmp_path, numbered(60, 80), numbered(20, 90))
    blocks = stream(images, [Part(0, "train"), Part(1, "train")], side=64).blocks(0)
    assert {b.shape for b in blocks} == {(20, 64, 1)}


def test_blocks_are_scaled_as_loaded_planes_are(tmp_path):
    images = folder_of(tmp_path, *(RNG.normal(100 * s, s, (64, 64)).astype("float32") for s in (1, 50)))
    parts = [Part(0, "train"), Part(1, "train")]
    scale = scaling.fit(images, "image")
    loaded = {p.tobytes() for p in pixels.load(pixels.sources(images, parts, "train", 2), scale)}
    blocks = stream(images, parts, side=64, count=20, scale=scale).blocks(0)
    assert {b.tobytes() for b in blocks} == loaded
