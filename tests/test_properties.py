"""Promises that hold for any image, name, label or setting: hypothesis looks for one for which they do not."""

import itertools
import math
import string
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hypothesis")

import tifffile
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from skimage.draw import polygon, polygon_perimeter

from n2seg_utils.data import supervisely
from n2seg_utils.data.axes import ORDER
from n2seg_utils.data.calibration import Calibration
from n2seg_utils.data.files import pair_by_name, stem
from n2seg_utils.data.imagej_rois import read_rois, write_rois
from n2seg_utils.data.images import ImageFile, open_image
from n2seg_utils.data.labels import open_masks
from n2seg_utils.data.tables import read_table, write_table
from n2seg_utils.data.targets import Target, recognise
from n2seg_utils.data.writing import image_writer
from n2seg_utils.learning.networks import Architecture
from n2seg_utils.learning.prediction import TiledPredictor
from n2seg_utils.quality.label_scores import label_scores, match
from n2seg_utils.quality.overlap import joined, overlap
from n2seg_utils.settings import DenoiseSettings, JointSettings, QualitySettings, SegmentSettings

PACKING = {"plain": {}, "zlib": {"compression": "zlib"}, "tiles": {"tile": (16, 16)}, "big": {"bigtiff": True}}
any_case = settings(
    deadline=None, derandomize=True, max_examples=30, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "float16", "uint64", "int64")


def pixels_like(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@st.composite
def axes_and_shapes(draw):
    front = [axis for axis in "TZC" if draw(st.booleans())]
    axes = "".join(front) + "YX"
    return axes, tuple(draw(st.integers(1 if axis in "YX" else 2, 4 if axis in "TZC" else 20)) for axis in axes)


# Images


@any_case
@given(
    about=axes_and_shapes(), dtype=st.sampled_from(TYPES), seed=st.integers(0, 99), order=st.sampled_from("<>"),
    packing=st.sampled_from(sorted(PACKING)), order_of_axes=st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_tiff_gives_its_pixels_whatever_its_axes_type_and_packing(
    about, dtype, seed, order, packing, order_of_axes, tmp_path
):
    axes, shape = about
    letters = list(zip(axes, shape))
    order_of_axes.shuffle(letters)
    axes, shape = "".join(a for a, _ in letters), tuple(n for _, n in letters)
    pixels = pixels_like(shape, dtype, seed)
    more = {"byteorder": order, "photometric": "minisblack", "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **more, **PACKING[packing])
    image = open_image(tmp_path / "a.tif", axes)
    expected = pixels[(...,) + (None,) * (5 - len(axes))]
    every = axes + "".join(a for a in ORDER if a not in axes)
    expected = expected.transpose([every.index(a) for a in "TZYXC"])
    assert image.dtype == dtype
    assert image.size == dict(zip("TZYXC", expected.shape))
    for number, (t, z) in enumerate(itertools.product(*map(range, expected.shape[:2]))):
        np.testing.assert_array_equal(image.plane(number), expected[t, z])


lengths = st.floats(1e-3, 1e3, allow_nan=False)


@any_case
@given(
    about=axes_and_shapes(), dtype=st.sampled_from(TYPES), seed=st.integers(0, 99),
    scale=st.fixed_dictionaries({}, optional={"Z": lengths, "T": lengths}), yx=st.none() | lengths,
    unit=st.sampled_from(["µm", "nm", "mm"]), names=st.booleans(),
)  # fmt: skip
def test_what_is_written_comes_back_with_its_axes_scale_and_names(about, dtype, seed, scale, yx, unit, names, tmp_path):
    axes, shape = about
    size = {a: v for a, v in scale.items() if a in axes} | ({"Y": yx, "X": yx} if yx else {})
    channels = tuple(f"dye {n}" for n in range(dict(zip(axes, shape)).get("C", 0))) if names else ()
    calibration = Calibration(size if yx else {}, unit if yx else "", channels)
    like = ImageFile(Path("like.tif"), shape, np.dtype(dtype), axes, False, calibration)
    pixels = pixels_like((like.planes, *like.plane_shape), dtype, seed)
    if np.dtype(dtype).itemsize == 8 and np.dtype(dtype).kind != "f":
        pixels = pixels >> np.array(16, dtype)  # numbers pass through double precision
    with image_writer(tmp_path / "b.tif", like, dtype) as write:
        for number in np.random.default_rng(seed).permutation(like.planes):
            write(int(number), (slice(None), slice(None)), pixels[number])
    back = open_image(tmp_path / "b.tif")
    assert (back.dtype, back.size) == (np.dtype(dtype), like.size)
    for number in range(like.planes):
        np.testing.assert_array_equal(back.plane(number), pixels[number])
    if np.dtype(dtype).name not in ("int64", "uint64", "float16"):  # which no format with a scale can hold
        assert back.axes == axes
        assert set(back.calibration.size) == set(calibration.size)
        for axis, value in calibration.size.items():
            assert math.isclose(back.calibration.size[axis], value, rel_tol=1e-4), axis
        assert back.calibration.channels == channels


# Names


names = st.text(string.ascii_letters + string.digits + " ._-()äß細胞=+'", min_size=1, max_size=12)
endings = st.sampled_from([".tif", ".tiff", ".png", ".TIF", ".ome.tif", ".jpg"])


@any_case
@given(
    first=st.lists(st.tuples(names, endings), unique_by=lambda n: stem("".join(n)), max_size=8),
    ending=endings, kept=st.randoms(use_true_random=False),
)  # fmt: skip
def test_pairs_do_not_hang_on_the_order_of_files_and_nothing_is_paired_twice(first, ending, kept):
    images = [Path("images") / "".join(name) for name in first]
    partners = [Path("masks") / f"{stem(image)}{ending}" for image in images if kept.random() < 0.7]
    assume(len({stem(path) for path in partners}) == len(partners))
    pairs, alone = pair_by_name(images, partners)
    shuffled, others = list(images), list(partners)
    kept.shuffle(shuffled)
    kept.shuffle(others)
    again, alone_again = pair_by_name(shuffled, others)
    assert set(pairs) == set(again)
    assert set(alone) == set(alone_again)
    assert sorted([one for one, _ in pairs] + alone) == sorted(images), "each image is in a pair or alone"
    assert len({other for _, other in pairs}) == len(pairs), "no partner serves twice"
    assert all(stem(one) == stem(other) for one, other in pairs)


cells = st.text(max_size=8).filter(lambda text: "\x00" not in text and "\r" not in text)


@any_case
@given(rows=st.lists(st.fixed_dictionaries({"image": cells, "=x": cells}), min_size=1, max_size=5))
def test_any_text_comes_back_from_a_table(rows, tmp_path):
    write_table(tmp_path / "t.csv", rows)
    assert read_table(tmp_path / "t.csv") == rows


# Tiles


def shifted_sum(image, reach):
    """A local function: of each pixel, the weighted sum of those within reach; zeros beyond the border."""
    padded = np.pad(image, [(r, r) for r in reach] + [(0, 0)])
    total = np.zeros(image.shape, "float64")
    for number, place in enumerate(itertools.product(*[(0, r, 2 * r) for r in reach])):
        total += (number + 1) * padded[tuple(slice(p, p + n) for p, n in zip(place, image.shape))]
    return total


@any_case
@given(
    dims=st.sampled_from([2, 3]), depth=st.integers(0, 2), kernel=st.sampled_from([1, 3]), tile=st.integers(1, 90),
    data=st.data(), pool_z=st.sampled_from([1, 2]),
)  # fmt: skip
def test_tiles_of_any_size_give_what_the_whole_image_gives(dims, depth, kernel, tile, data, pool_z):
    architecture = Architecture(dims=dims, depth=depth, kernel_size=kernel, pool_z=pool_z)
    shape = data.draw(st.tuples(*[st.integers(1, 12 if dims == 3 else 130)] * dims))
    image = np.random.default_rng(1).integers(0, 100, (*shape, 1)).astype("float64")

    class Local:
        def __call__(self, batch, training):
            return shifted_sum(np.asarray(batch[0], "float64"), architecture.reach)[None]

    def predicted(side):
        found = np.full(image.shape, np.nan)

        def write(where, values):
            assert np.isnan(found[where]).all(), "no pixel is written twice"
            found[where] = values

        def read(*where):
            return image[np.ix_(*where)]

        TiledPredictor(Local(), architecture, side).predict(shape, read, write, np.asarray, np.asarray)
        return found

    np.testing.assert_allclose(predicted(tile), predicted(10**4), rtol=1e-6)


# Labels


def label_image(seed, shape, most=6):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, most, [-(-n // 4) for n in shape])
    for axis in range(len(shape)):
        coarse = coarse.repeat(4, axis)
    return coarse[tuple(map(slice, shape))].astype("int32")


def renumbered(labels, seed, most=10**6):
    numbers = np.unique(labels[labels > 0])
    new = np.random.default_rng(seed).choice(np.arange(1, most), len(numbers), replace=False)
    table = dict(zip(numbers.tolist(), new.tolist())) | {0: 0}
    return np.vectorize(table.get, otypes=[np.int64])(labels)


def in_order(labels):
    numbers = np.unique(labels[labels > 0])
    return np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0)


sides = st.integers(1, 30)


@any_case
@given(seed=st.integers(0, 999), shape=st.tuples(sides, sides), far=st.booleans())
def test_labels_come_back_from_a_roi_set_and_from_a_project(seed, shape, far, tmp_path):
    labels = label_image(seed, shape)
    labels = renumbered(labels, seed, 60_000).astype("int32") if far else labels
    write_rois(tmp_path / "set.zip", labels)
    np.testing.assert_array_equal(read_rois(tmp_path / "set.zip", 1, shape)[0], in_order(labels))
    project = tmp_path / f"p{seed}_{shape}_{far}_{len(list(tmp_path.iterdir()))}"
    supervisely.write_project(project, [("a", labels.astype("uint8"), labels)])
    [note] = supervisely.annotations(project).values()
    np.testing.assert_array_equal(supervisely.read_annotation(note, shape)[0], in_order(labels))


@any_case
@given(points=st.lists(st.tuples(st.integers(-20, 50), st.integers(-20, 40)), min_size=3, max_size=7))
@example(points=[(2, 2), (8, 2), (8, 8), (2, 8)])
def test_a_polygon_of_a_project_holds_what_scikit_image_draws(points):
    rows, columns = supervisely._inside([np.array(points, "float64")], (20, 30))
    inside = supervisely._within(rows, columns, (20, 30))
    found, drawn = np.zeros((20, 30), bool), np.zeros((70, 80), bool)
    found[rows[inside], columns[inside]] = True
    x, y = np.array(points).T + 25
    for place in (polygon(y, x, drawn.shape), polygon_perimeter(y, x, drawn.shape)):
        drawn[place] = True
    np.testing.assert_array_equal(found, drawn[25:45, 25:55])
    assert len(rows), "what lies outside is known to lie there"


@any_case
@given(
    seed=st.integers(0, 999),
    kind=st.sampled_from(["binary", "grey", "colours", "instances"]),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32"]),
)
def test_masks_of_any_kind_become_what_was_drawn(seed, kind, dtype, tmp_path):
    shape, rng = (24, 28), np.random.default_rng(seed)
    if kind == "instances":
        truth = np.zeros(shape, int)
        for number in range(12):
            row, column = divmod(number, 4)
            truth[8 * row + 1 : 8 * row + 6, 7 * column + 1 : 7 * column + 5] = number + 1
        values, target = np.r_[0, 1 + rng.permutation(200)[:12]][truth], Target("instances")
    else:
        count = 2 if kind == "binary" else 4
        truth = rng.integers(0, count, shape)
        truth.flat[:count] = range(count)
        values = np.r_[0, np.sort(1 + rng.permutation(255)[: count - 1])][truth]
        target = Target("binary" if kind == "binary" else "classes", tuple(np.unique(values).tolist()))
    pixels = values.astype(dtype)
    if kind == "colours":
        table = np.r_[0, np.sort(1 + rng.permutation(2**24 - 2)[:3])]
        assume(not any(len({v >> 16, v >> 8 & 255, v & 255}) == 1 for v in table[1:].tolist()))
        coded = table[truth]
        pixels = np.stack([coded >> 16, coded >> 8 & 255, coded & 255], axis=-1).astype("uint8")
        target = Target("classes", tuple(table.tolist()), colours=True)
    more = {"photometric": "rgb"} if kind == "colours" else {}
    tifffile.imwrite(tmp_path / "mask.tif", pixels, **more)
    tifffile.imwrite(tmp_path / "image.tif", np.zeros(shape, "uint8"))
    (tmp_path / "masks").mkdir(exist_ok=True)
    (tmp_path / "mask.tif").replace(tmp_path / "masks" / "image.tif")
    [mask], _ = open_masks(tmp_path / "masks", [open_image(tmp_path / "image.tif")])
    found = recognise([mask])
    assert (found.kind, found.colours) == (target.kind, target.colours)
    encoded = found.encode(mask.plane(0))
    np.testing.assert_array_equal(in_order(encoded), in_order(values if kind == "instances" else truth))
    if kind != "instances":
        np.testing.assert_array_equal(encoded, truth)
        np.testing.assert_array_equal(np.array(found.values)[encoded], mask.plane(0), "and back")


# Scores


two_seeds = st.tuples(st.integers(0, 999), st.integers(0, 999))


@any_case
@given(
    seeds=two_seeds,
    shape=st.tuples(sides, sides) | st.tuples(st.integers(1, 6), sides, sides),
    seed=st.integers(0, 99),
)
def test_scores_do_not_hang_on_numbers_and_trade_sides_as_they_should(seeds, shape, seed):
    truth, found = (label_image(one, shape) for one in seeds)
    found = np.where(np.random.default_rng(seed).random(shape) < 0.6, truth, found)
    scores, back = label_scores(truth, found), label_scores(found, truth)
    again = label_scores(renumbered(truth, seed), renumbered(found, seed + 1))
    assert scores.keys() == again.keys()
    for name, value in scores.items():
        assert math.isclose(value, again[name], abs_tol=1e-12), name
        assert name.endswith("objects") or 0 <= value <= 1 + 1e-12, name
    for name in ("iou", "dice", "f1", "ap50", "ap", "pq"):
        assert math.isclose(scores[name], back[name], abs_tol=1e-12), name
    assert math.isclose(scores["precision"], back["recall"], abs_tol=1e-12)
    assert all(value == 1 for name, value in label_scores(truth, truth).items() if not name.endswith("objects"))
    for threshold in (0.1, 0.5, 0.9):
        one, other = match(truth, found, threshold), match(found, truth, threshold)
        assert (one.tp, one.fp, one.fn) == (other.tp, other.fn, other.fp)


@any_case
@given(seeds=two_seeds, shape=st.tuples(sides, sides), cut=st.integers(1, 5))
def test_images_joined_score_as_one_image_of_separate_objects(seeds, shape, cut):
    images = [(label_image(seed, shape), label_image(seed + cut, shape)) for seed in seeds]
    together = joined([overlap(*pair) for pair in images])
    apart = [np.concatenate([first, np.where(second > 0, second + 100, 0)]) for first, second in zip(*images)]
    assert together.match() == overlap(*apart).match()
    assert math.isclose(together.seg(), overlap(*apart).seg(), abs_tol=1e-12)


# Settings


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30).map(str.strip)


def values_of(about, field):
    if about.choices:
        return st.sampled_from(about.choices)
    if isinstance(field.default, bool):
        return st.booleans()
    if about.low is None and about.high is None:
        return printable
    optional = st.none() if field.default is None else st.nothing()
    low, high = about.low or 0, about.high if about.high is not None else 10**6
    if "float" in str(field.type):
        return optional | st.floats(low, high)
    return optional | st.integers(-(-low // about.multiple), high // about.multiple).map(lambda n: n * about.multiple)


@pytest.mark.parametrize("kind", [DenoiseSettings, SegmentSettings, JointSettings, QualitySettings])
@any_case
@given(data=st.data())
def test_any_settings_come_back_from_yaml(kind, data, tmp_path):
    known = kind.knobs()
    chosen = {field.name: data.draw(values_of(known[field.name], field), field.name) for field in fields(kind)}
    made = kind(**chosen)
    (tmp_path / "settings.yaml").write_text(made.to_yaml(), encoding="utf-8")
    assert kind.load(tmp_path / "settings.yaml") == made
    assert kind.from_mapping(made.to_dict()) == made
