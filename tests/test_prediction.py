"""Tiling cannot be seen, and prediction survives a full memory."""

import numpy as np
import pytest

from n2seg_utils.learning.networks import unet
from n2seg_utils.learning.prediction import SMALLEST_TILE, TiledPredictor, tile_for_memory


def network(depth=2, seed=0):
    net = unet(1, depth=depth, width=6)
    rng = np.random.default_rng(seed)
    net.set_weights([rng.normal(0, 0.3, w.shape) for w in net.get_weights()])
    return net


def predict(net, image, tile, depth=2):
    result = np.full(image.shape, np.nan, "float32")

    def write(rows, columns, values):
        assert np.isnan(result[rows, columns]).all(), "no pixel is written twice"
        result[rows, columns] = values

    TiledPredictor(net, depth, 3, tile).predict(image, write, lambda x: x, lambda x: x)
    return result


@pytest.mark.parametrize("shape", [(200, 300), (131, 257), (64, 64), (512, 40), (7, 9), (1, 33), (97, 1)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tiled_and_untiled_agree(shape, depth):
    net = network(depth)
    image = np.random.default_rng(1).normal(size=(*shape, 1)).astype("float32")
    whole = predict(net, image, 4096, depth)
    assert np.isfinite(whole).all()
    for tile in (64, 96, 160):
        np.testing.assert_allclose(predict(net, image, tile, depth), whole, atol=1e-5 * np.ptp(whole))


def test_tiles_cover_every_pixel_once():
    predictor = TiledPredictor(None, 2, 3, 96)
    covered = np.zeros((230, 340), int)
    for read, inner, write in predictor.tiles(230, 340):
        covered[write] += 1
        for piece, part, whole in zip(read, inner, write):
            assert piece.start + part.start == whole.start
            assert part.stop - part.start == whole.stop - whole.start
    assert (covered == 1).all()


def test_all_tiles_of_an_image_have_one_size_so_that_nothing_is_compiled_twice():
    tiles = TiledPredictor(None, 2, 3, 96).tiles(230, 340)
    assert len({(r.stop - r.start, c.stop - c.start) for (r, c), _, _ in tiles}) == 1


def test_a_full_memory_halves_the_tile_and_the_result_is_the_same():
    class ResourceExhaustedError(Exception):
        pass

    net, asked = network(), []

    def full_above_100_pixels(image, training):
        asked.append(image.shape[1])
        if image.shape[1] > 100:
            raise ResourceExhaustedError
        return net(image, training=training)

    image = np.random.default_rng(2).normal(size=(300, 300, 1)).astype("float32")
    result = np.empty_like(image)

    def write(rows, columns, values):
        result[rows, columns] = values

    predictor = TiledPredictor(full_above_100_pixels, 2, 3, 256)
    predictor.predict(image, write, lambda x: x, lambda x: x)
    assert max(asked) > 100
    assert predictor.tile < 256
    whole = predict(net, image, 4096)
    np.testing.assert_allclose(result, whole, atol=1e-5 * np.ptp(whole))


def test_an_error_that_is_not_about_memory_is_not_swallowed():
    def broken(image, training):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        predict(broken, np.zeros((64, 64, 1), "float32"), 64)


def test_the_tile_follows_the_free_memory():
    assert tile_for_memory(1e6, 32) == SMALLEST_TILE
    assert tile_for_memory(2e9, 32) < tile_for_memory(8e9, 32)
    assert tile_for_memory(8e9, 64) < tile_for_memory(8e9, 32)
    side = tile_for_memory(4e9, 32)
    assert side**2 * 48 * 32 <= 1e9
