"""The network is csbdeep's and n2v's, weight for weight, and its reach is known."""

import numpy as np
import pytest
from keras import ops

from n2seg_utils.learning.networks import receptive_radius, unet


def n2v_network(depth, batch_norm):
    from n2v.nets.unet import build_unet

    return build_unet(
        (None, None, 2), "linear", depth, 8, (3, 3), pool_size=(2, 2), residual=False, batch_norm=batch_norm
    )


def csbdeep_network(depth, batch_norm):
    from csbdeep.internals.nets import custom_unet

    return custom_unet(
        (None, None, 2), "linear", depth, 8, (3, 3), pool_size=(2, 2), n_channel_out=2, batch_norm=batch_norm
    )


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("builder", "narrow"), [(n2v_network, True), (csbdeep_network, False)])
def test_the_network_equals_that_of_n2v_and_of_csbdeep(builder, narrow, depth, batch_norm):
    theirs = builder(depth, batch_norm)
    ours = unet(2, depth=depth, width=8, batch_norm=batch_norm, narrow_decoder=narrow)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    ours.set_weights(theirs.get_weights())
    image = np.random.default_rng(0).normal(size=(1, 32, 48, 2)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(ours(image)), ops.convert_to_numpy(theirs(image)), atol=1e-6)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_pixel_looks_further_than_the_receptive_radius(depth, kernel_size):
    network = unet(1, depth=depth, width=4, kernel_size=kernel_size)
    # Positive weights and inputs: ReLU passes everything on, so that every connection shows.
    network.set_weights([np.abs(np.random.default_rng(1).normal(size=w.shape)) + 0.01 for w in network.get_weights()])
    side = 2 * receptive_radius(depth, kernel_size) + 4 * 2**depth
    side += -side % 2**depth
    image = np.ones((1, side, side, 1), "float32")
    before = ops.convert_to_numpy(network(image))
    reach = 0
    for centre in range(side // 2, side // 2 + 2**depth):
        changed = image.copy()
        changed[0, centre, centre] = 1e4
        rows = np.nonzero((ops.convert_to_numpy(network(changed)) != before).any(axis=(0, 2, 3)))[0]
        reach = max(reach, centre - rows.min(), rows.max() - centre)
    assert reach <= receptive_radius(depth, kernel_size)
    assert reach >= receptive_radius(depth, kernel_size) - 2**depth, "the radius is not wasteful either"
