"""Wrong labels made on purpose: shares and distances are what they promise, and nothing else changes."""

import numpy as np
import pytest
import tifffile
from skimage.morphology import disk
from skimage.morphology import skeletonize as thinned

from n2seg_utils import UserError
from n2seg_utils.data import label_noise
from n2seg_utils.data.samples import make_image


@pytest.fixture(scope="module")
def mask():
    """Nuclei of the sample: numbered objects, of which what is not 0 is foreground."""
    return make_image("nuclei", 3)[2]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_sampling_keeps_exactly_a_share_of_the_foreground_and_adds_nothing(mask):
    kept = label_noise.sampled(mask, rng(), 0.1)
    assert kept.sum() == round(0.1 * np.count_nonzero(mask))
    assert not kept[mask == 0].any()
    # They come from everywhere: no object is left out.
    assert set(np.unique(mask[kept])) == set(np.unique(mask[mask > 0]))


@pytest.mark.parametrize(("share", "foreground", "background"), [(0.3, 0.3, 0.3), ((0.2, 0.05), 0.2, 0.05)])
def test_flips_change_a_share_of_each_side(mask, share, foreground, background):
    found, there = label_noise.flipped(mask, rng(), share), mask > 0
    assert (~found[there]).sum() == round(foreground * there.sum())
    assert found[~there].sum() == round(background * (~there).sum())


def test_flipping_everything_inverts_and_nothing_changes_nothing(mask):
    np.testing.assert_array_equal(label_noise.flipped(mask, rng(), 1), mask == 0)
    np.testing.assert_array_equal(label_noise.flipped(mask, rng(), 0), mask > 0)


@pytest.mark.parametrize("pixels", [1, 2, 3, 5])
def test_dilation_and_erosion_are_those_of_a_disk(mask, pixels):
    from scipy.ndimage import binary_dilation, binary_erosion

    there, by = mask > 0, disk(pixels)
    np.testing.assert_array_equal(label_noise.dilated(mask, rng(), pixels), binary_dilation(there, by))
    np.testing.assert_array_equal(label_noise.eroded(mask, rng(), pixels), binary_erosion(there, by, border_value=1))


def test_a_skeleton_is_thin_lies_within_and_keeps_every_piece(mask):
    from skimage.measure import label

    found = label_noise.skeleton(mask, rng())
    np.testing.assert_array_equal(found, thinned(mask > 0))
    assert not found[mask == 0].any()
    pieces = label(mask > 0)
    assert set(np.unique(pieces[found])) == set(range(1, pieces.max() + 1))
    wider = label_noise.skeleton(mask, rng(), 2)
    np.testing.assert_array_equal(wider, label_noise.dilated(found, rng(), 2))


def test_shifted_pixels_stay_within_the_radius_and_the_image(mask):
    there = mask > 0
    found = label_noise.shifted(mask, rng(), 3)
    from scipy.ndimage import maximum_filter

    assert not (found & ~maximum_filter(there, 7)).any()  # a square of 7 x 7 pixels around each
    assert 0.5 * there.sum() < found.sum() <= there.sum()
    assert (found & ~there).any()
    one = np.zeros((9, 9), bool)
    one[0, 8] = True
    places = {tuple(np.argwhere(label_noise.shifted(one, rng(seed), 2))[0]) for seed in range(200)}
    assert places == {(y, x) for y in (0, 1, 2) for x in (6, 7, 8)}
    np.testing.assert_array_equal(label_noise.shifted(mask, rng(), 0), there)


def test_random_labels_know_nothing_of_the_mask(mask):
    found = label_noise.random_labels(mask, rng(), 0.4)
    assert found.sum() == round(0.4 * mask.size)
    assert abs(found[mask > 0].mean() - found[mask == 0].mean()) < 0.02
    np.testing.assert_array_equal(found, label_noise.random_labels(np.zeros_like(mask), rng(), 0.4))


@pytest.mark.parametrize("kind", label_noise.KINDS)
def test_each_kind_is_settled_by_its_seed_leaves_its_input_alone_and_takes_stacks(mask, kind):
    before = mask.copy()
    found = label_noise.degraded(mask, kind, rng(5))
    np.testing.assert_array_equal(mask, before)
    assert found.dtype == bool
    assert found.shape == mask.shape
    np.testing.assert_array_equal(found, label_noise.degraded(mask, kind, rng(5)))
    drawn = kind in ("sampled", "flipped", "shifted", "random")
    assert drawn != np.array_equal(found, label_noise.degraded(mask, kind, rng(6)))
    stack = label_noise.degraded(np.stack([mask, mask]), kind, rng(5))
    assert stack.shape == (2, *mask.shape)
    if not drawn:
        np.testing.assert_array_equal(stack, [found, found])
    nothing = label_noise.degraded(np.zeros((8, 8)), kind, rng())
    assert nothing.any() == (kind in ("flipped", "random"))


def test_a_folder_of_wrong_masks_depends_on_names_and_seed_only(sample, tmp_path):
    written = label_noise.degrade_folder(sample / "masks", tmp_path / "wrong", "sampled", 0.2, seed=4)
    assert [file.name for file in written] == sorted(file.name for file in (sample / "masks").iterdir())
    for file in written:
        wrong, right = tifffile.imread(file), tifffile.imread(sample / "masks" / file.name)
        assert wrong.dtype == "uint8"
        assert set(np.unique(wrong)) == {0, 255}
        assert np.count_nonzero(wrong) == round(0.2 * np.count_nonzero(right))
    [alone] = label_noise.degrade_folder(sample / "masks" / written[2].name, tmp_path / "one", "sampled", 0.2, seed=4)
    np.testing.assert_array_equal(tifffile.imread(alone), tifffile.imread(written[2]))
    with pytest.raises(UserError, match="exists already"):
        label_noise.degrade_folder(sample / "masks", tmp_path / "wrong", "sampled")


def test_an_unknown_kind_or_share_is_refused(mask):
    with pytest.raises(UserError, match="no label noise 'blurred': use one of sampled, "):
        label_noise.degraded(mask, "blurred", rng())
    with pytest.raises(ValueError, match="between 0 and 1"):
        label_noise.sampled(mask, rng(), 10)
