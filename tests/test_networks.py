"""The networks are csbdeep's and n2v's, weight for weight, and their reach is known."""

import keras
import numpy as np
import pytest
from keras import ops

from n2seg_utils.learning.networks import Architecture, _smoothed, unet


def n2v_network(dims, depth, batch_norm, **more):
    from n2v.nets.unet import build_unet

    common = {"residual": False, "batch_norm": batch_norm}
    return build_unet((None,) * dims + (2,), "linear", depth, 8, (3,) * dims, pool_size=(2,) * dims, **common, **more)


def csbdeep_network(dims, depth, batch_norm):
    from csbdeep.internals.nets import custom_unet

    shape, common = (None,) * dims + (2,), {"n_channel_out": 2, "batch_norm": batch_norm}
    return custom_unet(shape, "linear", depth, 8, (3,) * dims, pool_size=(2,) * dims, **common)


def answer(network, image):
    return ops.convert_to_numpy(network(image))


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("dims", "depth"), [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)])
@pytest.mark.parametrize(("builder", "narrow"), [(n2v_network, True), (csbdeep_network, False)])
def test_the_network_equals_that_of_n2v_and_of_csbdeep(builder, narrow, dims, depth, batch_norm):
    theirs = builder(dims, depth, batch_norm)
    ours = unet(Architecture(dims, 2, depth=depth, width=8, batch_norm=batch_norm, narrow_decoder=narrow))
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    ours.set_weights(theirs.get_weights())
    image = noise(1, *(8, 32, 48)[-dims:], 2)
    np.testing.assert_allclose(answer(ours, image), answer(theirs, image), atol=1e-6)


def test_each_of_several_networks_apart_sees_its_own_channel_and_no_other():
    network = unet(Architecture(channels=3, depth=1, width=4, together=False))
    before = answer(network, image := noise(1, 16, 16, 3))
    for channel in range(3):
        changed = image.copy()
        changed[..., channel] += 1
        moved = np.abs(answer(network, changed) - before).max(axis=(0, 1, 2)) > 1e-6
        assert moved.tolist() == [c == channel for c in range(3)]


def test_one_network_together_sees_all_channels():
    network = unet(Architecture(channels=3, depth=1, width=8))
    before = answer(network, image := noise(1, 16, 16, 3))
    for channel in range(3):
        changed = image.copy()
        changed[..., channel] += 1
        assert (np.abs(answer(network, changed) - before).max(axis=(0, 1, 2)) > 1e-6).all()


def test_blur_pooling_takes_the_largest_of_neighbours_blurs_it_and_thins_it_out():
    from scipy.ndimage import convolve

    image = noise(1, 12, 16, 1)[0, ..., 0]
    padded = np.pad(image, (0, 1), constant_values=-np.inf)
    largest = np.max([padded[i : i + 12, j : j + 16] for i in (0, 1) for j in (0, 1)], axis=0)
    line = np.array([0.25, 0.5, 0.25])
    blurred = convolve(largest, np.outer(line, line), mode="constant")[1::2, 1::2]
    network = unet(Architecture(width=1, depth=1, blur_pool=True, top_skip=False))
    pool = keras.Sequential([network.get_layer("max_0_dense"), network.get_layer("max_0")])
    np.testing.assert_allclose(answer(pool, image[None, ..., None])[0, ..., 0], blurred, atol=1e-6)


def test_blur_pooling_in_3d_is_that_of_2d_on_what_is_equal_in_depth():
    flat = noise(1, 1, 12, 16, 1)
    deep, plane = (unet(Architecture(dims, width=1, depth=1, blur_pool=True)) for dims in (3, 2))
    names = ("max_0_dense", "max_0_blur", "max_0")
    volume = keras.Sequential([deep.get_layer(name) for name in names])(np.repeat(flat, 8, axis=1))
    expected = keras.Sequential([plane.get_layer(name) for name in names if name != "max_0_blur"])(flat[:, 0])
    inner = (slice(None), slice(0, 5), slice(0, 7))  # at the far border one counts zeros in, the other does not
    for z in range(3):
        np.testing.assert_allclose(ops.convert_to_numpy(volume)[:, z][inner], np.asarray(expected)[inner], atol=1e-6)


def test_the_blur_is_never_trained():
    network = unet(Architecture(width=2, depth=2, blur_pool=True, top_skip=False))
    assert [w.path for w in network.non_trainable_weights] == ["max_0/kernel", "max_1/kernel"]


def test_n2v2_has_no_skip_at_full_resolution():
    network = unet(Architecture(depth=1, width=4, blur_pool=True, top_skip=False))
    assert not [layer for layer in network.layers if isinstance(layer, keras.layers.Concatenate)]


REACHES = [
    *(Architecture(depth=depth, kernel_size=size, width=4) for depth in (1, 2, 3) for size in (3, 5)),
    *(Architecture(depth=depth, width=4, blur_pool=True, top_skip=False) for depth in (1, 2)),
    *(Architecture(3, depth=depth, width=2, pool_z=z) for depth in (1, 2) for z in (1, 2)),
    Architecture(3, depth=1, width=2, blur_pool=True),
    *(Architecture(dims, depth=1, width=2, outputs=3, in_turn=True) for dims in (2, 3)),
    *(Architecture(depth=depth, width=4, bilinear=True, even=True) for depth in (1, 2, 3)),
    Architecture(depth=2, width=4, bilinear=True, blur_pool=True),
]


@pytest.mark.parametrize("architecture", REACHES)
def test_no_pixel_looks_further_than_the_reach(architecture):
    network = unet(architecture)
    # Positive weights and inputs: ReLU passes everything on, so that every connection shows.
    network.set_weights([np.abs(np.random.default_rng(1).normal(size=w.shape)) + 0.01 for w in network.get_weights()])
    blocks = architecture.block
    shape = [2 * reach + 4 * block for reach, block in zip(architecture.reach, blocks)]
    shape = [side + -side % block for side, block in zip(shape, blocks)]
    image = np.ones((1, *shape, 1), "float32")
    before = answer(network, image)
    reach = np.zeros(architecture.dims, int)
    for step in range(max(blocks)):
        centre = [side // 2 + min(step, block - 1) for side, block in zip(shape, blocks)]
        changed = image.copy()
        changed[(0, *centre)] = 1e4
        places = np.argwhere((answer(network, changed) != before)[0].any(axis=-1))
        reach = np.maximum(reach, np.max([centre - places.min(axis=0), places.max(axis=0) - centre], axis=0))
    assert (reach <= architecture.reach).all()
    assert (reach >= np.subtract(architecture.reach, blocks)).all(), "the reach is not wasteful either"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_saved_model_opens_without_our_code(tmp_path, dims, together):
    import subprocess
    import sys

    more = {"together": together, "blur_pool": True, "top_skip": False, "last_activation": "relu"}
    network = unet(Architecture(dims, 2, depth=1, width=2, **more))
    network.save(tmp_path / "model.keras")
    image = noise(1, *(4, 8, 8)[-dims:], 2)
    np.save(tmp_path / "image.npy", image)
    code = "import keras, numpy, sys; m = keras.models.load_model('model.keras'); "
    code += "numpy.save('out.npy', m(numpy.load('image.npy'))); assert 'n2seg_utils' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), answer(network, image), atol=1e-6)


def test_smoothed_upsampling_is_bilinear():
    pixels = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    image = keras.Input((None, None, 3))
    ours = keras.Model(image, _smoothed(keras.layers.UpSampling2D(2)(image)))
    expected = keras.layers.UpSampling2D(2, interpolation="bilinear")(pixels)
    np.testing.assert_allclose(ours(pixels), expected, atol=1e-6)
