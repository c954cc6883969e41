"""Tiling cannot be seen, and prediction survives a full memory."""

import gc
import weakref

import numpy as np
import pytest

from n2seg_utils.learning.graphs import applied
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.learning.prediction import ORIENTATIONS, SMALLEST_TILE, TiledPredictor, tile_for_memory

FLAT = Architecture(depth=2, width=6)


def network(architecture=FLAT, seed=0):
    net = unet(architecture)
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 0.3, w.shape) if w.shape else w for w in net.get_weights()])
    return net


def same(values):
    return values


def predict(net, image, tile, architecture=FLAT, **more):
    result = np.full(image.shape, np.nan, "float32")

    def read(*where):
        return image[np.ix_(*where)]

    def write(where, values):
        assert np.isnan(result[where]).all(), "no pixel is written twice"
        result[where] = values

    TiledPredictor(net, architecture, tile, **more).predict(image.shape[:-1], read, write, same, same)
    return result


def noise(*shape):
    return np.random.default_rng(1).normal(size=(*shape, 1)).astype("float32")


@pytest.mark.parametrize("shape", [(200, 300), (131, 257), (64, 64), (512, 40), (7, 9), (1, 33), (97, 1)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tiled_and_untiled_agree(shape, depth):
    architecture = Architecture(depth=depth, width=6)
    net, image = network(architecture), noise(*shape)
    whole = predict(net, image, 4096, architecture)
    assert np.isfinite(whole).all()
    for tile in (64, 96, 160):
        np.testing.assert_allclose(predict(net, image, tile, architecture), whole, atol=1e-5 * np.ptp(whole))


def test_tiled_and_untiled_agree_with_blur_pooling():
    architecture = Architecture(depth=2, width=6, blur_pool=True, top_skip=False)
    net, image = network(architecture), noise(260, 300)
    whole = predict(net, image, 4096, architecture)
    np.testing.assert_allclose(predict(net, image, 128, architecture), whole, atol=1e-5 * np.ptp(whole))


@pytest.mark.parametrize("pool_z", [1, 2])
@pytest.mark.parametrize("shape", [(17, 90, 70), (50, 40, 60), (1, 40, 40), (3, 33, 100)])
def test_tiled_and_untiled_volumes_agree(shape, pool_z):
    architecture = Architecture(3, depth=1, width=4, pool_z=pool_z)
    net, image = network(architecture), noise(*shape)
    whole = predict(net, image, 4096, architecture)
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(predict(net, image, 32, architecture), whole, atol=1e-5 * np.ptp(whole))


@pytest.mark.parametrize(("shape", "architecture"), [((230, 340), FLAT), ((40, 60, 70), Architecture(3, depth=1))])
def test_tiles_cover_every_pixel_once(shape, architecture):
    covered = np.zeros(shape, int)
    for read, inner, write in TiledPredictor(None, architecture, 32).tiles(shape):
        covered[write] += 1
        for piece, part, whole in zip(read, inner, write):
            assert piece.start + part.start == whole.start
            assert part.stop - part.start == whole.stop - whole.start
    assert (covered == 1).all()


def test_all_tiles_of_an_image_have_one_size_so_that_nothing_is_compiled_twice():
    tiles = TiledPredictor(None, FLAT, 96).tiles((230, 340))
    assert len({(r.stop - r.start, c.stop - c.start) for (r, c), _, _ in tiles}) == 1


@pytest.mark.parametrize("length", [900, 1024, 1500, 2048, 16384])
def test_overlap_is_an_eighth_of_the_image_at_most_whatever_its_size(length):
    tiles = TiledPredictor(None, Architecture(), 880).tiles((length, length))
    seen = sum((rows.stop - rows.start) * (columns.stop - columns.start) for (rows, columns), _, _ in tiles)
    assert seen <= 1.125 * length**2


def test_a_full_memory_halves_the_tile_and_the_result_is_the_same():
    class ResourceExhaustedError(Exception):
        pass

    net, asked = network(), []

    def full_above_100_pixels(image, training):
        asked.append(image.shape[1])
        if image.shape[1] > 100:
            raise ResourceExhaustedError
        return net(image, training=training)

    image, result = noise(300, 300), np.empty((300, 300, 1), "float32")

    def write(where, values):
        result[where] = values

    told = []
    predictor = TiledPredictor(full_above_100_pixels, FLAT, 256, on_smaller=told.append)
    predictor.predict((300, 300), lambda *where: image[np.ix_(*where)], write, same, same)
    assert max(asked) > 100
    assert told == [128, 64] or told == [128]
    assert predictor.tile == told[-1]
    whole = predict(net, image, 4096)
    np.testing.assert_allclose(result, whole, atol=1e-5 * np.ptp(whole))


# The network as one graph


@pytest.mark.parametrize("architecture", [FLAT, Architecture(3, depth=1, width=4), Architecture(batch_norm=True)])
def test_the_graph_says_what_the_network_says_of_images_of_any_size_with_the_weights_of_now(architecture):
    net = network(architecture)
    for side in (16, 40):
        batch = noise(*(8, side, 2 * side)[-architecture.dims :])[None]
        expected = net(batch, training=False).numpy()
        np.testing.assert_allclose(applied(net)(batch), expected, atol=1e-5 * np.ptp(expected))
        net.set_weights([weight * 1.1 for weight in net.get_weights()])


def test_a_network_is_traced_once_and_forgotten_with_its_graph():
    net = network()
    assert applied(net) is applied(net)
    for side in (16, 24, 40):
        applied(net)(noise(side, side)[None])
    assert applied(net).experimental_get_tracing_count() == 1
    known = weakref.ref(net)
    del net
    gc.collect()
    assert known() is None


# The mean over orientations. n2v turns volumes about the wrong axis, so that Z and Y change places.


@pytest.mark.parametrize("shape", [(6, 8), (4, 6, 8)])
def test_the_eight_orientations_are_all_different_keep_depth_apart_and_are_undone(shape):
    image = np.arange(np.prod(shape), dtype="float32").reshape(*shape, 1)
    seen = set()
    for there, back in ORIENTATIONS:
        turned = there(image)
        assert turned.shape[:-3] == image.shape[:-3]
        if len(shape) == 3:
            np.testing.assert_array_equal(turned.reshape(4, -1).min(axis=1), image.reshape(4, -1).min(axis=1))
        seen.add((turned.shape, turned.tobytes()))
        np.testing.assert_array_equal(back(turned), image)
    assert len(seen) == 8


@pytest.mark.parametrize("architecture", [FLAT, Architecture(3, depth=1, width=4)])
def test_the_mean_over_orientations_is_that_of_eight_predictions(architecture):
    net, image = network(architecture), noise(*(8, 40, 48)[-architecture.dims :])
    eight = [back(predict(net, np.ascontiguousarray(there(image)), 4096, architecture)) for there, back in ORIENTATIONS]
    found = predict(net, image, 64, architecture, orientations=True)
    np.testing.assert_allclose(found, np.mean(eight, axis=0), atol=1e-5 * np.ptp(found))
    assert np.abs(found - eight[0]).max() > 0.01 * np.ptp(found)


def test_an_error_that_is_not_about_memory_is_not_swallowed():
    def broken(image, training):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        predict(broken, np.zeros((64, 64, 1), "float32"), 64)


def test_the_tile_follows_the_free_memory():
    usual, wide = Architecture(), Architecture(width=64)
    assert tile_for_memory(1e6, usual) == SMALLEST_TILE
    assert tile_for_memory(1e9, usual) < tile_for_memory(4e9, usual)
    assert tile_for_memory(4e9, wide) < tile_for_memory(4e9, usual)
    assert tile_for_memory(4e9, usual) ** 2 * 48 * 32 <= 1e9


def test_the_tile_of_a_volume_counts_its_depth():
    deep = Architecture(3)
    assert tile_for_memory(8e9, deep, 500) ** 3 * 40 * 32 <= 2e9
    assert tile_for_memory(8e9, deep, 8) ** 2 * 8 * 40 * 32 <= 2e9
    assert tile_for_memory(8e9, deep, 8) > tile_for_memory(8e9, deep, 500)
