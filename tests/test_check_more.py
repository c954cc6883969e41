"""The check sees what spoils a training or a score without being an error in any one file, and is silent otherwise."""

import shutil

import numpy as np
import pytest
import tifffile

from n2seg_utils.data import cost
from n2seg_utils.data.check import check_images
from n2seg_utils.data.findings import ERROR, NOTE, WARNING
from n2seg_utils.data.mask_check import USUAL_PATCH, USUAL_REACH, VOLUME
from n2seg_utils.data.near_names import near_names
from n2seg_utils.data.samples import NAMES, write_sample
from n2seg_utils.errors import UserError

RNG = np.random.default_rng(0)


def noise(*shape, top=200, dtype="uint16"):
    return RNG.integers(10, top, shape).astype(dtype)


def save(folder, **images):
    folder.mkdir(exist_ok=True, parents=True)
    for name, values in images.items():
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


def squares(side, shape=(512, 512), gap=3):
    """A label image of squares."""
    labels, pitch = np.zeros(shape, "uint16"), side + gap
    corners = [(y, x) for y in range(0, shape[0] - side, pitch) for x in range(0, shape[1] - side, pitch)]
    for number, (y, x) in enumerate(corners, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def said(check, words, severity=None):
    """The findings that say so."""
    return [f for f in check.findings if words in str(f) and severity in (None, f.severity)]


def alarms(check):
    return [str(f) for f in check.findings if f.severity != NOTE]


# How strong the noise is


@pytest.mark.parametrize("sigma", [2, 10, 40])
def test_the_level_of_the_noise_is_measured(tmp_path, sigma):
    spots = 1000.0 + 300 * (squares(20, gap=20) > 0)
    noisy = spots + np.random.default_rng(1).normal(0, sigma, spots.shape)
    check = check_images(save(tmp_path / "images", a=noisy.astype("float32")))
    low, high = np.percentile(noisy, (1, 99.8))
    assert check.noise.level == pytest.approx(sigma / (high - low), rel=0.1)
    assert f"noise of about {100 * check.noise.level:.2g} % of the brightness range" in check.describe()
    assert check.to_dict()["noise"]["level"] == check.noise.level


def test_images_without_noise_need_no_denoising(tmp_path):
    spots = 1000.0 + 300 * (squares(20, gap=20) > 0) + np.random.default_rng(1).normal(0, 0.5, (512, 512))
    folder = save(tmp_path / "images", a=spots.astype("float32"))
    assert said(check_images(folder), "hardly any noise: 0.16 % of the brightness range", NOTE)
    masks = save(tmp_path / "masks", a=squares(20, gap=20))
    assert not said(check_images(folder, masks=masks), "noise")


# Planes at the ends of stacks


def test_a_grey_image_that_was_saved_in_colour_is_told(tmp_path):
    grey = np.repeat(noise(300, 300, 1, dtype="uint8"), 3, axis=-1)
    for name, pixels in (("grey", grey), ("colour", noise(300, 300, 3, dtype="uint8"))):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="rgb")
    told = [one for one in check_images(tmp_path).findings if "channels that are all the same" in one.message]
    assert [one.file for one in told] == ["grey.tif"]
    assert "8-bit" in told[0].remedy


def test_the_ends_of_a_stack_are_looked_at_too(tmp_path):
    stack = noise(9, 64, 64, dtype="float32")
    empty, broken, bright = stack.copy(), stack.copy(), stack.astype("uint16")
    empty[0] = 0
    broken[-1, 5, 5] = np.nan
    bright[-1, :20] = 65535
    check = check_images(save(tmp_path / "images", bright=bright, broken=broken, empty=empty), axes="ZYX")
    assert said(check, "empty.tif: has the same value everywhere in plane 1 of 9", NOTE)
    assert said(check, "broken.tif: has pixels that are not numbers", ERROR)
    assert said(check, "bright.tif: is overexposed", WARNING)


def test_of_mixed_images_the_fewer_are_named(tmp_path):
    folder = save(tmp_path / "images", a=noise(64, 64), b=noise(5, 64, 64), c=noise(5, 64, 64))
    found = said(check_images(folder), "Move one kind to another folder", ERROR)
    assert [finding.file for finding in found] == ["a.tif"]


# Nothing to complain about


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("also", ["clean", "masks"])
def test_the_built_in_samples_cause_no_alarm(tmp_path, name, also):
    folder = write_sample(name, tmp_path / name, count=3 if name.endswith("3d") else 4)
    check = check_images(folder / "images", **{{"clean": "truth"}.get(also, also): folder / also})
    assert alarms(check) == []


OVEREXPOSED, COPY, TYPES = "is overexposed", "is a copy of another", "of different types"
REAL = {
    "dsb2018/images": [OVEREXPOSED],
    "ecoli_fluorescence/images": [],
    "em_isbi2012/images": [OVEREXPOSED],
    "omnipose_phase/images": [OVEREXPOSED, TYPES],
    "fmd/noisy": [OVEREXPOSED, COPY],
    "yeast3d": [],
    "stardist/img2d.tif": [],
}


@pytest.mark.parametrize("name", REAL)
def test_of_real_images_only_is_said_what_is_true(real_images, name):
    path = real_images / name
    masks = path.parent / "masks"
    found = alarms(check_images(path, masks=masks if masks.is_dir() else None))
    assert [words for words in found if not any(known in words for known in REAL[name])] == []
    for known in REAL[name]:
        assert any(known in words for words in found)


def test_the_copy_among_real_images_is_one(real_images):
    [finding] = said(check_images(real_images / "fmd/noisy"), "copy of another")
    one, other = (real_images / "fmd/noisy" / f"WideField_BPAE_B_{number}.tif" for number in (1, 2))
    assert "WideField_BPAE_B_2.tif (of WideField_BPAE_B_1.tif)" in finding.message
    np.testing.assert_array_equal(tifffile.imread(one), tifffile.imread(other))


# Names


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("cell_01.tif", "cell_1_mask.tif"),
        ("Cell 7.tif", "cell-07.png"),
        ("img12_raw.tif", "img12_clean.tif"),
        ("control_3.tif", "contrl_3.tif"),
        ("t1_z10.tif", "t001_z010_labels.tif"),
    ],
)
def test_names_that_nearly_agree_are_found(tmp_path, name, other):
    assert near_names([tmp_path / name], [tmp_path / "x_99.tif", tmp_path / other]) == {
        tmp_path / name: tmp_path / other
    }


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("cell_1.tif", ["cell_2.tif"]),
        ("cell_1.tif", ["cell_11.tif", "cell.tif"]),
        ("control_1.tif", ["treated_1.tif"]),
        ("cell_1.tif", ["cell_01.tif", "cell_001.tif"]),
    ],
)
def test_other_names_and_doubtful_ones_are_not_proposed(tmp_path, name, others):
    assert near_names([tmp_path / name], [tmp_path / other for other in others]) == {}


def test_one_partner_is_not_proposed_for_two(tmp_path):
    assert near_names([tmp_path / "a_1.tif", tmp_path / "a_01.tif"], [tmp_path / "a_001.tif"]) == {}


def test_a_mask_with_nearly_the_right_name_is_proposed(tmp_path):
    images = save(tmp_path / "images", cell_01=noise(512, 512), cell_02=noise(512, 512))
    masks = save(tmp_path / "masks", cell_1_mask=squares(20), cell_2_mask=squares(20))
    check = check_images(images, masks=masks)
    assert not check.ok
    [finding] = said(check, "Did you mean cell_1_mask.tif for cell_01.tif?")
    assert finding.severity == ERROR
    (masks / "cell_2_mask.tif").rename(masks / "cell_02.tif")
    check = check_images(images, masks=masks)
    assert check.ok
    assert said(check, "Did you mean cell_1_mask.tif for cell_01.tif?", WARNING)
    (masks / "cell_1_mask.tif").rename(masks / "cell_01_mask.tif")
    assert not said(check_images(images, masks=masks), "Did you mean")


def test_a_clean_image_with_nearly_the_right_name_is_proposed(tmp_path):
    images = save(tmp_path / "images", cell_01=noise(512, 512), cell_02=noise(512, 512))
    clean = save(tmp_path / "clean", cell_1=noise(512, 512))
    assert said(check_images(images, clean), "Did you mean cell_1.tif for cell_01.tif?", ERROR)
    save(clean, cell_02=noise(512, 512))
    assert said(check_images(images, clean), "Did you mean cell_1.tif for cell_01.tif?", WARNING)


# Grey values


def exposed(bits, share, dtype="uint16", factor=1.0):
    """A Gaussian histogram of which so much was cut off by the camera."""
    values = np.sort(RNG.normal(0.5, 0.1, 512 * 512))
    values = values / values[int((1 - share) * values.size)] * (2**bits - 1)
    return (RNG.permutation(values).clip(0, 2**bits - 1).round() * factor).astype(dtype).reshape(512, 512)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "float32"])
def test_saturation_is_seen_whatever_bits_the_camera_has(tmp_path, bits, dtype):
    images = save(tmp_path / "i", a=exposed(bits, 0.01, dtype), b=noise(512, 512, dtype=dtype))
    [finding] = said(check_images(images), "overexposed")
    words = f"is overexposed: 1.0 % of its pixels have the value {2**bits - 1}, the largest of {bits} bits."
    assert (finding.severity, finding.file, finding.message) == (WARNING, "a.tif", words)


def test_saturation_is_seen_in_images_between_0_and_1(tmp_path):
    images = save(tmp_path / "i", a=exposed(12, 0.01, "float32", 1 / 4095), b=exposed(12, 0.0001, "float32", 1 / 4095))
    [finding] = check_images(images).findings
    assert finding.file == "a.tif"
    assert "have the largest value, 1." in finding.message


def test_a_largest_value_that_happens_to_be_one_of_a_camera_is_no_saturation(tmp_path):
    spread = noise(512, 512, top=256)  # as many pixels with 255 as with any other value
    assert spread.max() == 255
    other = np.minimum(exposed(12, 0.01), 4000)  # cut off by somebody, at no limit of a camera
    images = save(tmp_path / "i", a=spread, b=exposed(12, 0.0005), c=other)
    assert not said(check_images(images), "overexposed")


def test_contrasts_far_apart_are_a_note_and_other_units_a_warning(tmp_path):
    usual = {f"u{number}": noise(512, 512, dtype="float32") for number in range(4)}
    images = save(tmp_path / "a", **usual, dim=noise(512, 512, dtype="float32") / 3)
    assert check_images(images).findings == []
    images = save(tmp_path / "b", **usual, dim=noise(512, 512, dtype="float32") / 30)
    [finding] = check_images(images).findings
    assert finding.severity == NOTE
    assert "1 image with more than 10 times more, or less, contrast than most: dim.tif (6." in finding.message
    images = save(tmp_path / "c", **usual, unit=noise(512, 512, dtype="float32") / 65535)
    [finding] = check_images(images).findings
    assert finding.severity == WARNING
    assert "unit.tif" in finding.message


def test_clean_images_in_other_units_are_a_warning_and_noise_is_none(tmp_path):
    light = np.repeat(RNG.uniform(100, 130, (64, 64)), 8, 0).repeat(8, 1)
    images = save(tmp_path / "i", **{name: RNG.normal(light, 200).astype("float32") for name in "ab"})
    clean = save(tmp_path / "c", **{name: light.astype("float32") for name in "ab"})
    assert not said(check_images(images, clean), "other grey values")
    scaled = save(tmp_path / "s", **{name: (light / 65535).astype("float32") for name in "ab"})
    assert said(check_images(images, scaled), "other grey values than the noisy ones", WARNING)


# The same pixels twice


def test_a_copy_is_found_whatever_its_name_and_type(tmp_path):
    one = noise(512, 512)
    images = save(tmp_path / "i", a=one, b=noise(512, 512), z=one)
    tifffile.imwrite(images / "m.tif", one, compression="zlib", byteorder=">")
    check = check_images(images)
    [finding] = check.findings
    assert check.ok
    assert finding.severity == WARNING
    assert "2 images are copies of others, pixel by pixel: m.tif (of a.tif), z.tif (of a.tif)." in finding.message
    tifffile.imwrite(images / "m.tif", one.astype("float32"))
    assert said(check_images(images), "m.tif (of a.tif), z.tif (of a.tif)")


def test_images_that_differ_in_one_pixel_or_plane_are_no_copies(tmp_path):
    one = noise(512, 512)
    other = one.copy()
    other[255, 257] += 1
    assert check_images(save(tmp_path / "i", a=one, b=other)).findings == []
    stack = noise(5, 256, 256)
    changed = stack.copy()
    changed[4, 9, 9] += 1
    assert not said(check_images(save(tmp_path / "s", a=stack, b=changed), axes="TYX"), "cop")
    assert said(check_images(save(tmp_path / "t", a=stack, b=stack), axes="TYX"), "b.tif (of a.tif)")


def test_damage_that_only_a_comparison_meets_is_an_error_and_no_crash(tmp_path):
    images = tmp_path / "i"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", noise(5, 256, 256), compression="zlib", metadata={"axes": "TYX"})
    with tifffile.TiffFile(images / "a.tif") as file:
        place = file.pages[4].dataoffsets[0]
    with open(images / "a.tif", "r+b") as file:
        file.seek(place)
        file.write(b"junk" * 20)
    shutil.copyfile(images / "a.tif", images / "b.tif")
    assert said(check_images(images), "is damaged", ERROR)
    assert said(check_images(images, images), "is damaged", ERROR)


def test_noisy_images_given_as_truth_are_found(tmp_path):
    pixels = {name: noise(512, 512) for name in "abc"}
    images = save(tmp_path / "i", **pixels)
    check = check_images(images, images)
    [finding] = check.findings
    assert "3 clean images with the very pixels of the noisy one: a.tif, b.tif, c.tif." in finding.message
    mixed = save(tmp_path / "m", a=noise(512, 512), b=pixels["c"], c=noise(512, 512))
    [finding] = check_images(images, mixed).findings
    assert "b.tif (is the noisy c.tif)" in finding.message
    assert finding.severity == WARNING


def test_noisy_images_may_share_one_clean_image(tmp_path):
    clean = noise(512, 512)
    images = save(tmp_path / "i", a=noise(512, 512), b=noise(512, 512))
    assert check_images(images, save(tmp_path / "c", a=clean, b=clean)).findings == []


# Masks


def test_images_given_as_masks_are_an_error(tmp_path):
    images = save(tmp_path / "i", a=noise(512, 512), b=noise(512, 512))
    check = check_images(images, masks=images)
    assert [f.file for f in check.findings if f.severity == ERROR] == ["mask a.tif", "mask b.tif"]
    assert "its pixels are those of the image a.tif" in check.findings[0].message
    many = save(tmp_path / "many", **{f"image_{number}": noise(64, 64) for number in range(9)})
    with pytest.raises(UserError) as raised:
        check_images(many, masks=many).require_ok()
    assert str(raised.value).splitlines()[-1] == "And 4 more like these."
    assert len(str(raised.value).splitlines()) == 6, "what is wrong with a thousand files can still be read"
    masks = save(tmp_path / "m", a=squares(20), b=squares(20))
    shutil.copyfile(images / "b.tif", masks / "b.tif")
    assert [f.file for f in check_images(images, masks=masks).findings if f.severity == ERROR] == ["mask b.tif"]


@pytest.mark.parametrize("kind", ["instances", "binary"])
def test_masks_like_images_are_warned_of_even_if_they_are_said_to_be_masks(tmp_path, kind):
    images = save(tmp_path / "i", a=noise(512, 512), b=noise(512, 512))
    masks = save(tmp_path / "m", a=squares(20), b=noise(512, 512, top=100))
    assert said(
        check_images(images, masks=masks, kind=kind), "1 mask full of grey specks, like an image: b.tif", WARNING
    )
    masks = save(tmp_path / "n", a=squares(4), b=squares(2, gap=1))
    assert not said(check_images(images, masks=masks, kind=kind), "specks")


def test_objects_larger_than_what_the_network_sees_are_a_warning(tmp_path):
    images = save(tmp_path / "i", a=noise(512, 512), b=noise(512, 512))
    fine, large = (save(tmp_path / f"{side}", a=squares(side), b=squares(side)) for side in (90, 120))
    assert alarms(check_images(images, masks=fine)) == []
    [finding] = said(check_images(images, masks=large), "larger than the network sees", WARNING)
    assert "patches show 128 x 128 pixels, and the network decides by 103 x 103" in finding.message
    assert "Bin images and masks 2 x 2" in finding.remedy
    assert alarms(check_images(images, masks=large, patch=256, reach=107)) == []
    assert said(check_images(images, masks=fine, patch=64), "larger than the network sees")


def test_what_the_check_holds_for_usual_is_what_segmentation_uses():
    from n2seg_utils.learning.networks import Architecture
    from n2seg_utils.models import segment_suggestions, suggestions
    from n2seg_utils.settings import SegmentSettings

    settings = SegmentSettings()
    network = Architecture(depth=settings.network_depth, kernel_size=settings.kernel_size)
    assert network.reach == (USUAL_REACH,) * 2
    assert (segment_suggestions._PATCH, suggestions._VOLUME) == (USUAL_PATCH, VOLUME)


# Memory and time


def test_what_does_not_fit_is_said_and_what_fits_is_not(tmp_path, monkeypatch):
    images = save(tmp_path / "i", a=noise(512, 512), b=noise(512, 512))
    tifffile.imwrite(images / "c.tif", noise(512, 512), compression="zlib")
    check = check_images(images)
    assert check.findings == []
    assert check.cost.training_bytes == 4 * check.cost.pixels == 4 * 3 * 512 * 512
    assert (check.cost.piece_bytes, check.cost.piece) == (2 * 512 * 512, "c.tif")
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 4_000_000}))
    [finding] = check_images(images).findings
    assert finding.severity == NOTE
    assert "All pixels would take 3 MB in training, and 4 MB of memory are free" in finding.message
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 400_000}))
    check = check_images(images)
    assert check.ok
    [finding] = [f for f in check.findings if f.severity == WARNING]
    assert (finding.file, "must be unpacked" in finding.message) == ("c.tif", True)


def test_slow_reading_is_a_note():
    slow = cost.Cost(10**9, 4 * 10**9, 0, "", 10**11, 300.0)
    [finding] = slow.findings()
    assert (finding.severity, finding.message) == (NOTE, "Reading all pixels once takes about 5 min here.")
    assert slow.describe() == (
        "1,000.0 megapixels: 300 s to read, 4.0 GB of memory in training, besides the network's own"
    )


# Form


def test_a_stored_check_counts_its_findings_by_severity(tmp_path):
    one = noise(512, 512)
    images = save(tmp_path / "i", a=one, b=one, c=np.zeros((64, 64), "uint16"))
    stored = check_images(images).to_dict()
    assert stored["severities"] == {"error": 1, "warning": 1, "note": 0}
    assert set(stored) == {"ok", "findings", "images", "severities", "cost", "noise"}
    assert stored["cost"]["pixels"] == 2 * 512 * 512 + 64 * 64
    assert check_images(tmp_path / "nowhere").to_dict()["cost"] is None
