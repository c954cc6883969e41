"""Lost faint structures are told, kept ones are not, and noise alone is not mistaken for a loss."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, uniform_filter

from n2seg_utils.quality.faint import FEWEST, FaintScores, contrast_map, faint_scores, find_structures, verdict

SIZE, EACH = 256, 12
DIM, MIDDLE, BRIGHT = 20.0, 60.0, 200.0
PLACES = [(y, x) for y in range(24, SIZE - 20, 36) for x in range(24, SIZE - 20, 36)][: 3 * EACH]
HEIGHTS = np.random.default_rng(0).permutation(np.repeat([DIM, MIDDLE, BRIGHT], EACH))


def spots(heights=HEIGHTS, sigma=1.5, background=100.0):
    """Gaussian spots of known heights, wide apart."""
    plane = np.zeros((SIZE, SIZE))
    for (y, x), height in zip(PLACES, heights):
        plane[y, x] = height
    return background + 2 * np.pi * sigma**2 * gaussian_filter(plane, sigma)


def without_dim():
    return spots(np.where(HEIGHTS == DIM, 0, HEIGHTS))


def noisy(plane, std, seed=1):
    return plane + np.random.default_rng(seed).normal(0, std, plane.shape)


def scores(image, truth=None):
    return faint_scores([spots() if truth is None else truth], {"image": [image]})["image"]


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_every_spot_is_found_once_where_it_is_and_as_large_as_it_is(sigma):
    found = find_structures(noisy(spots(sigma=sigma), 0.3))
    assert sorted(zip(found.y.tolist(), found.x.tolist())) == sorted(PLACES)
    assert 1.2 * sigma < np.median(found.radius) < 2.5 * sigma
    by_place = dict(zip(zip(found.y.tolist(), found.x.tolist()), found.contrast))
    for height in (DIM, MIDDLE, BRIGHT):
        contrasts = [by_place[place] for place, h in zip(PLACES, HEIGHTS) if h == height]
        assert 0.4 * height < min(contrasts) <= max(contrasts) < height


def test_contrast_is_the_mean_of_the_disk_minus_that_of_the_ring():
    plane = np.random.default_rng(0).random((40, 50))
    y, x = np.mgrid[:40, :50]
    far = np.hypot(y - 20, x - 30)
    expected = plane[far <= 3].mean() - plane[(far > 5.5) & (far <= 7.5)].mean()
    assert contrast_map(plane, 3)[20, 30] == pytest.approx(expected)
    assert contrast_map(plane, 3).shape == plane.shape
    np.testing.assert_allclose(contrast_map(3 * plane + 1000, 3), 3 * contrast_map(plane, 3), atol=1e-9)


def test_noise_edges_and_lines_are_no_structures():
    step = np.where(np.arange(SIZE) < 128, 100.0, 200.0) * np.ones((SIZE, 1))
    line = 100 + 100 * np.exp(-((np.arange(SIZE) - 128) ** 2) / 4.0) * np.ones((SIZE, 1))
    for plane in (np.full((SIZE, SIZE), 100.0), step, line):
        assert len(find_structures(noisy(plane, 2))) <= 2
    assert len(find_structures(np.full((40, 40), 7, "uint8"))) == 0
    assert len(find_structures(np.random.default_rng(0).random((11, 11)))) == 0


# Scores


def test_the_truth_itself_keeps_everything():
    found = scores(spots())
    assert found == FaintScores(EACH, 1.0, 1.0, 1.0, 1.0)
    assert verdict(None, found).startswith("Faint structures are kept (recall 1.00; 1.00 of bright ones")


def test_removed_dim_spots_are_lost():
    found = scores(without_dim())
    assert (found.recall_dim, found.recall_bright, found.contrast_bright) == (0, 1, 1)
    assert found.contrast_dim == pytest.approx(0, abs=0.01)
    raw = scores(noisy(spots(), 1))
    assert verdict(raw, found) == (
        "Of 12 dim spots 12 are lost (recall 0.00; 1.00 of bright ones): compare with the raw images before you count"
    )


@pytest.mark.parametrize(("share", "recall"), [(0.3, 0), (0.45, 0), (0.55, 1), (0.9, 1)])
def test_a_spot_is_kept_down_to_half_its_contrast(share, recall):
    found = scores(spots(np.where(HEIGHTS == DIM, share * DIM, HEIGHTS)))
    assert (found.recall_dim, found.recall_bright) == (recall, 1)
    assert found.contrast_dim == pytest.approx(share, abs=0.01)
    if share == 0.55:
        assert verdict(None, found).startswith("Faint structures are kept but pale (contrast 0.55;")


def test_a_blur_makes_all_spots_pale():
    found = scores(gaussian_filter(spots(), 4))
    assert found.recall_dim == found.recall_bright == 0
    assert found.contrast_dim < 0.3
    assert found.contrast_bright < 0.3


def test_brightness_offset_is_no_contrast():
    found = scores(spots() + 500)
    assert (found.recall_dim, found.recall_bright) == (1, 1)
    assert (found.contrast_dim, found.contrast_bright) == pytest.approx((1, 1))


@pytest.mark.parametrize("std", [2, 4])
def test_noise_that_hides_nothing_costs_a_raw_image_nothing(std):
    found = scores(noisy(spots(), std))
    assert found.recall_dim >= 0.9
    assert found.recall_bright == 1
    assert found.contrast_dim == pytest.approx(1, abs=0.2)


def test_what_noise_hides_is_not_kept_though_its_mean_contrast_is_right():
    truth = spots()
    planes = [noisy(truth, 30, seed=k) for k in range(6)]
    found = faint_scores([truth] * 6, {"raw": planes})["raw"]
    assert found.count == 6 * EACH
    assert found.recall_dim < 0.5
    assert found.recall_bright > 0.95
    assert found.contrast_dim == pytest.approx(1, abs=0.4)
    assert found.contrast_bright == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("smooth", [0, 3], ids=["raw", "smoothed"])
def test_noise_is_rarely_mistaken_for_a_spot(smooth):
    truth, gone = spots(), without_dim()
    planes = [noisy(gone, 30, seed=k) for k in range(8)]
    planes = [uniform_filter(p, smooth) if smooth else p for p in planes]
    assert faint_scores([truth] * 8, {"image": planes})["image"].recall_dim < 0.08


def test_few_spots_say_nothing():
    heights = np.zeros(len(PLACES))
    heights[: 3 * FEWEST - 1] = 100 + np.arange(3 * FEWEST - 1)
    assert faint_scores([spots(heights)], {"image": [spots(heights)]}) is None
    heights[3 * FEWEST - 1] = 90
    assert scores(spots(heights), spots(heights)).count == FEWEST
    assert verdict(None, None) == "There are too few small bright structures to tell whether faint ones are lost"


def test_the_verdict_blames_a_denoiser_for_no_more_than_it_lost():
    raw, same = FaintScores(24, 0.6, 1.0, 1.0, 1.0), FaintScores(24, 0.625, 0.9, 1.0, 1.0)
    assert verdict(raw, same) == (
        "Of 24 dim spots 9 are lost (recall 0.62; 1.00 of bright ones): "
        "noise hides as many in the raw images (recall 0.60)"
    )
    better = FaintScores(24, 0.95, 1.0, 1.0, 1.0)
    assert "compare with the raw images" in verdict(better, same)
    assert "23 are lost" in verdict(None, FaintScores(24, 1 / 24, 0.1, 1.0, 1.0))
    assert "1 is lost" in verdict(None, FaintScores(8, 7 / 8, 0.9, 1.0, 1.0))


def test_real_faint_structures_are_kept_by_the_truth_and_lost_by_a_strong_blur(real_images):
    for name in ("Confocal_MICE_1", "Confocal_FISH_1", "TwoPhoton_BPAE_B_1"):
        raw, truth = (tifffile.imread(real_images / "fmd" / kind / f"{name}.tif") for kind in ("noisy", "clean"))
        blurred = gaussian_filter(raw.astype(float), 4)
        found = faint_scores([truth], {"raw": [raw], "truth": [truth], "blurred": [blurred]})
        assert found["truth"].recall_dim == found["truth"].recall_bright == 1
        assert found["raw"].recall_bright > 0.75
        assert found["raw"].recall_dim < found["raw"].recall_bright
        assert found["raw"].contrast_bright == pytest.approx(1, abs=0.25)
        assert found["blurred"].recall_dim < 0.15
        assert found["blurred"].contrast_bright < 0.4
        assert "are lost" in verdict(found["raw"], found["blurred"])
