"""Masks of every kind are understood, belong to their images, and are split so that every class is learned."""

import json
import re

import imagecodecs
import numpy as np
import pytest
import tifffile
from skimage.measure import label

from n2seg_utils import UserError
from n2seg_utils.data import imagej_rois, pixels, supervisely
from n2seg_utils.data.check import check_images
from n2seg_utils.data.images import open_image, open_images
from n2seg_utils.data.labels import open_masks
from n2seg_utils.data.normalisation import Percentiles, fit_percentiles
from n2seg_utils.data.split import Part
from n2seg_utils.data.targets import MOST_OBJECTS, Target, recognise
from n2seg_utils.models.annotated_data import Annotator
from n2seg_utils.models.annotated_split import require_classes, split_annotated
from n2seg_utils.settings import SegmentSettings

SIDE = 48
BLACK, WHITE, RED, BLUE, GREY = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (90, 90, 90)


def discs(count=6, shape=(SIDE, SIDE), seed=0, kinds=None, radius=3):
    """Objects that lie apart, numbered from 1; or of `kinds` classes."""
    rng = np.random.default_rng(seed)
    labels, grid = np.zeros(shape, "int32"), np.indices(shape[-2:])
    pitch = 2 * radius + 2
    rows, columns = shape[-2] // pitch, shape[-1] // pitch
    for number, place in enumerate(rng.permutation(rows * columns)[:count], 1):
        middle = np.array(divmod(place, columns)) * pitch + pitch // 2
        inside = ((grid - middle[:, None, None]) ** 2).sum(0) < radius**2
        labels[..., inside] = number if kinds is None else 1 + number % kinds
    return labels


def bands(*values):
    """One piece of each value, side by side, amidst background."""
    mask = np.zeros((SIDE, SIDE), "uint8")
    for number, value in enumerate(values):
        mask[10:30, 4 + 8 * number : 12 + 8 * number] = value
    return mask


def coloured(labels, *colours):
    return np.array(colours, "uint8")[labels]


def write(path, values, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(values))
    elif path.suffix == ".jpg":
        path.write_bytes(imagecodecs.jpeg_encode(values, level=60))
    else:
        tifffile.imwrite(path, values, photometric="rgb" if values.shape[-1] in (3, 4) else "minisblack", **more)
    return path


def opened(folder, masks, ending=".tif", image_axes="YX"):
    """Images 0.tif, 1.tif ... and their masks, from the values of the masks."""
    for number, mask in enumerate(masks):
        plane = mask[..., 0] if mask.shape[-1] in (3, 4) else mask
        size = dict(zip("TZCYX"[-plane.ndim :] if len(image_axes) != plane.ndim else image_axes, plane.shape))
        shape = [size.get(axis, 2) for axis in image_axes]
        image = np.random.default_rng(number).integers(0, 200, shape).astype("uint16")
        write(folder / "images" / f"{number}.tif", image, metadata={"axes": image_axes})
        write(folder / "masks" / f"{number}{ending}", mask)
    images = open_images(folder / "images")
    return images, open_masks(folder / "masks", images)[0]


def everything(masks, target, dims=2):
    """What all masks say, frame by frame."""
    whole = (slice(None),) * dims
    return [target.encode(mask.read(frame, whole)) for mask in masks for frame in mask.image.frames(dims)]


def same_objects(one, other):
    """Whether two label images show the same objects, however these are numbered."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


# What masks mean

CLASSES = [discs(9, seed=s, kinds=2) for s in range(3)]
OBJECTS = [discs(count, seed=count) for count in (3, 5, 9)]

KINDS = {
    "0 and 1": ([d > 0 for d in OBJECTS], "uint8", "binary", (0, 1)),
    "0 and 255": ([255 * (d > 0) for d in OBJECTS], "uint8", "binary", (0, 255)),
    "1 and 2": ([1 + (d > 0) for d in OBJECTS], "uint8", "binary", (1, 2)),
    "0 and 1 in float": ([d > 0 for d in OBJECTS], "float32", "binary", (0, 1)),
    "0, 1 and unknown": ([np.where(d == 1, -1, d > 0) for d in OBJECTS], "int16", "binary", (0, 1)),
    "one mask is empty": ([np.zeros_like(OBJECTS[0]), OBJECTS[1] > 0], "uint8", "binary", (0, 1)),
    "classes in many pieces": (CLASSES, "uint8", "classes", (0, 1, 2)),
    "classes from 1": ([1 + c for c in CLASSES], "uint8", "classes", (1, 2, 3)),
    "classes far apart": ([100 * c for c in CLASSES], "uint8", "classes", (0, 100, 200)),
    "classes side by side": ([bands(1, 2, 3)] * 2, "uint8", "classes", (0, 1, 2, 3)),
    "few objects": (OBJECTS, "uint8", "instances", ()),
    "one image with objects": (OBJECTS[1:2], "uint16", "instances", ()),
    "as many objects in each": ([discs(4, seed=s) for s in range(3)], "uint8", "instances", ()),
    "objects with gaps in their numbers": ([13 * d for d in OBJECTS], "uint16", "instances", ()),
    "objects and empty masks": ([*OBJECTS, np.zeros_like(OBJECTS[0])], "uint16", "instances", ()),
    "many objects": ([discs(300, (160, 160), s) for s in range(2)], "uint16", "instances", ()),
    "few objects amidst unknown specks": (
        [np.where((np.indices(d.shape).sum(0) % 4 == 0) & (d == 0), -1, d) for d in OBJECTS],
        "int16",
        "instances",
        (),
    ),
    "objects with huge numbers": ([np.where(d, 2**30 + d, 0) for d in OBJECTS], "int32", "instances", ()),
}


IN_PNG = [name for name, (_, dtype, *_) in KINDS.items() if dtype.startswith("uint")]


@pytest.mark.parametrize(("name", "ending"), [(n, ".tif") for n in KINDS] + [(n, ".png") for n in IN_PNG])
def test_masks_are_recognised_and_mean_what_was_drawn(tmp_path, name, ending):
    masks, dtype, kind, values = KINDS[name]
    _, found = opened(tmp_path, [mask.astype(dtype) for mask in masks], ending)
    target = recognise(found)
    assert (target.kind, target.values) == (kind, values)
    assert target.why
    for mask, meant in zip(masks, everything(found, target)):
        if kind == "instances":
            assert same_objects(mask, meant)
            np.testing.assert_array_equal(np.sign(mask), np.sign(meant))
            assert meant.max() <= MOST_OBJECTS
        else:
            np.testing.assert_array_equal(meant, np.where(mask < 0, -1, np.searchsorted(values, mask)))


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
def test_who_gave_images_as_masks_is_told_to_exchange_the_folders(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 200, (2, *shape)).astype("uint8")
    with pytest.raises(UserError, match="exchange the two folders"):
        recognise(opened(tmp_path, list(images))[1])


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("ending", [".tif", ".png"])
@pytest.mark.parametrize(
    ("colours", "kind"),
    [
        ((BLACK, RED, BLUE), "classes"),
        ((BLACK, WHITE, RED), "classes"),
        ((WHITE, RED, BLUE), "classes"),
        ((BLACK, GREY, RED), "classes"),
        ((BLACK, RED, RED), "binary"),
        ((WHITE, RED, RED), "binary"),
        ((BLACK, WHITE, WHITE), "binary"),
        ((BLACK, GREY, WHITE), "classes"),
    ],
)
def test_flat_colours_are_classes_and_their_background_is_black_or_white(tmp_path, alpha, ending, colours, kind):
    drawn = [coloured(c, *colours) for c in CLASSES]
    if alpha:
        drawn = [np.concatenate([d, np.full_like(d[..., :1], 255)], axis=-1) for d in drawn]
    _, found = opened(tmp_path, drawn, ending)
    target = recognise(found)
    assert target.kind == kind
    for truth, meant in zip(CLASSES, everything(found, target)):
        np.testing.assert_array_equal(meant == 0, truth == 0)
        assert kind == "binary" or same_objects(truth, meant)


def test_a_colour_means_the_same_in_a_mask_where_it_is_alone(tmp_path):
    drawn = [coloured(CLASSES[0], BLACK, WHITE, BLUE), coloured(np.minimum(CLASSES[1], 1), BLACK, WHITE, BLUE)]
    _, found = opened(tmp_path, drawn)
    target = recognise(found)
    assert len(target.values) == 3
    both, alone = everything(found, target)
    assert set(both[CLASSES[0] == 1]) == set(alone[CLASSES[1] > 0])


def test_grey_masks_saved_in_colour_are_what_they_would_be_in_grey(tmp_path):
    _, found = opened(tmp_path, [np.repeat(d[..., None], 3, axis=-1).astype("uint8") for d in OBJECTS])
    target = recognise(found)
    assert (target.kind, target.colours) == ("instances", False)
    for truth, meant in zip(OBJECTS, everything(found, target)):
        np.testing.assert_array_equal(truth, meant)


def test_a_coloured_mask_says_its_classes_in_colours(tmp_path):
    _, found = opened(tmp_path, [coloured(c, BLACK, RED, BLUE) for c in CLASSES])
    target = recognise(found)
    assert target.names == ("background", "#0000ff", "#ff0000")
    assert target.describe() == "3 classes (#000000, #0000ff, #ff0000)"


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX"])
@pytest.mark.parametrize("ending", [".tif", ".zip"])
def test_masks_of_stacks_lie_on_their_planes(tmp_path, axes, ending):
    planes = np.stack([discs(count, seed=count) for count in range(2, 8)])
    image = np.zeros((2, 3, SIDE, SIDE) if axes == "TZYX" else planes.shape, "uint8")
    write(tmp_path / "images" / "a.tif", image, metadata={"axes": axes})
    images = open_images(tmp_path / "images")
    depth = images[0].size["Z"]
    if ending == ".zip":
        (tmp_path / "masks").mkdir()
        imagej_rois.write_rois(tmp_path / "masks" / "a.zip", planes, depth=depth)
    else:
        write(tmp_path / "masks" / "a.tif", planes.reshape(image.shape).astype("uint16"))
    (mask,), _ = open_masks(tmp_path / "masks", images)
    target = recognise([mask])
    assert target.kind == "instances"
    for number, plane in enumerate(planes):
        assert same_objects(target.encode(mask.plane(number)), plane)
    for frame in images[0].frames(3):
        some = slice(1, 3) if depth > 1 else slice(0, 1)
        volume = mask.read(frame, (some, slice(4, 20), slice(6, 30)))
        mine = planes[frame.number * depth : (frame.number + 1) * depth][some, 4:20, 6:30]
        np.testing.assert_array_equal(volume > 0, mine > 0)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("stated", [{}, {"metadata": {"axes": "TYX"}}, {"imagej": True}])
def test_a_mask_has_the_axes_of_its_image_whatever_it_says(tmp_path, depth, stated):
    planes = np.stack([discs(n, seed=n) for n in range(1, 1 + depth)]).astype("uint8")
    write(tmp_path / "images" / "a.tif", np.zeros(planes.shape, "uint16"), metadata={"axes": "ZYX"})
    write(tmp_path / "masks" / "a.tif", planes, **stated)
    images = open_images(tmp_path / "images")
    (mask,), _ = open_masks(tmp_path / "masks", images)
    np.testing.assert_array_equal(mask.read(images[0].frames(3)[0], (slice(None),) * 3), planes)


@pytest.mark.parametrize("axes", ["CYX", "YXC"])
def test_one_mask_serves_all_channels(tmp_path, axes):
    _, found = opened(tmp_path, [d.astype("uint8") for d in OBJECTS], image_axes=axes)
    assert [mask.image.size["C"] for mask in found] == [2, 2, 2]
    for truth, meant in zip(OBJECTS, everything(found, recognise(found))):
        np.testing.assert_array_equal(truth, meant)


def test_roi_sets_are_objects_even_where_they_touch_and_each_image_has_as_many(tmp_path):
    images = [write(tmp_path / "images" / f"{n}.tif", np.zeros((SIDE, SIDE), "uint8")) for n in range(3)]
    (tmp_path / "masks").mkdir()
    touching = bands(1, 2).astype("int32")
    for path in images:
        imagej_rois.write_rois(tmp_path / "masks" / f"{path.stem}.zip", touching[None])
    found, alone = open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
    target = recognise(found)
    assert (target.kind, alone) == ("instances", [])
    for meant in everything(found, target):
        np.testing.assert_array_equal(meant, touching)
    assert recognise(found, "binary").kind == "binary"


def test_a_supervisely_project_of_one_class_shows_objects(tmp_path):
    pictures = [(f"{n}", d.astype("uint8"), d) for n, d in enumerate(OBJECTS)]
    supervisely.write_project(tmp_path / "project", pictures)
    found, _ = open_masks(tmp_path / "project", open_images(tmp_path / "project" / "dataset" / "img"))
    target = recognise(found)
    assert target.kind == "instances"
    for truth, meant in zip(OBJECTS, everything(found, target)):
        np.testing.assert_array_equal(truth, meant)


@pytest.mark.parametrize("pieces", [1, 6])
def test_a_supervisely_project_of_several_classes_shows_them_in_their_order(tmp_path, pieces):
    truths = [discs(2 * pieces, seed=s, kinds=2) for s in range(2)]
    objects = [label(truth, connectivity=1) for truth in truths]
    supervisely.write_project(tmp_path, [(f"{n}", o.astype("uint8"), o) for n, o in enumerate(objects)])
    meta = json.loads((tmp_path / "meta.json").read_text())
    meta["classes"] = [{"title": t, "shape": "bitmap", "color": "#00C8FF"} for t in ("nucleus", "debris")]
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    for n, (truth, numbers) in enumerate(zip(truths, objects)):
        file = tmp_path / "dataset" / "ann" / f"{n}.png.json"
        notes = json.loads(file.read_text())
        for number, entry in enumerate(notes["objects"], 1):
            entry["classTitle"] = ("nucleus", "debris")[truth[numbers == number][0] - 1]
        file.write_text(json.dumps(notes))
    found, _ = open_masks(tmp_path, open_images(tmp_path / "dataset" / "img"))
    target = recognise(found)
    assert target.kind == "classes"
    for truth, meant in zip(truths, everything(found, target)):
        np.testing.assert_array_equal(truth, meant)


def test_a_changed_roi_set_is_read_anew(tmp_path):
    write(tmp_path / "images" / "a.tif", np.zeros((SIDE, SIDE), "uint8"))
    (tmp_path / "masks").mkdir()
    images = open_images(tmp_path / "images")
    for shown in OBJECTS:
        imagej_rois.write_rois(tmp_path / "masks" / "a.zip", shown[None])
        (mask,), _ = open_masks(tmp_path / "masks", images)
        np.testing.assert_array_equal(mask.plane(0), shown)


def test_the_user_may_say_what_masks_show(tmp_path):
    _, found = opened(tmp_path, [255 * (d > 0).astype("uint8") for d in OBJECTS])
    apart = recognise(found, "instances")
    assert apart.apart
    for truth, meant in zip(OBJECTS, everything(found, apart)):
        assert same_objects(truth, meant)
    assert recognise(found, "classes").values == (0, 255)
    _, found = opened(tmp_path / "other", [d.astype("uint8") for d in OBJECTS])
    assert recognise(found, "classes").values == tuple(range(10))
    for truth, meant in zip(OBJECTS, everything(found, recognise(found, "binary"))):
        np.testing.assert_array_equal(meant, truth > 0)


@pytest.mark.parametrize("background", [BLACK, WHITE])
def test_colours_number_objects_if_the_user_says_so(tmp_path, background):
    truth = bands(1, 2, 3)
    _, found = opened(tmp_path, [coloured(truth, background, RED, BLUE, GREY)])
    (meant,) = everything(found, recognise(found, "instances"))
    assert same_objects(truth, meant)
    np.testing.assert_array_equal(meant == 0, truth == 0)


@pytest.mark.parametrize("kind", ["binary", "instances", "classes"])
def test_unknown_pixels_stay_unknown_whatever_masks_show(tmp_path, kind):
    drawn = [np.where(np.arange(SIDE) < 10, -1, d > 0).astype("int8") for d in OBJECTS]
    _, found = opened(tmp_path, drawn)
    for meant in everything(found, recognise(found, kind)):
        np.testing.assert_array_equal(meant < 0, np.broadcast_to(np.arange(SIDE) < 10, meant.shape))


def test_a_value_that_no_mask_had_is_unknown():
    target = Target("classes", (0, 5, 200))
    np.testing.assert_array_equal(target.encode(np.array([[5, 0, 7], [200, 201, -1]])), [[1, 0, -1], [2, -1, -1]])


@pytest.mark.parametrize(
    ("folder", "kind"), [("dsb2018", "instances"), ("omnipose_phase", "instances"), ("em_isbi2012", "binary")]
)
def test_real_masks_are_recognised(real_images, folder, kind):
    images = open_images(real_images / folder / "images")[:3]
    masks, _ = open_masks(real_images / folder / "masks", images)
    assert None not in masks
    assert recognise(masks).kind == kind


def test_the_same_few_numbers_in_every_image_are_objects_unless_they_lie_side_by_side(tmp_path):
    apart = [discs(4, seed=s).astype("uint8") for s in range(3)]
    assert recognise(opened(tmp_path / "apart", apart)[1]).kind == "instances"
    _, found = opened(tmp_path / "layers", [bands(1, 2, 3), bands(1, 2, 3)])
    assert recognise(found).kind == "classes"
    assert recognise(found, "instances").kind == "instances"  # which the user knows
    np.testing.assert_array_equal(everything(found, recognise(found, "instances"))[0], bands(1, 2, 3))
    other = [bands(1, 2, 3), bands(1, 2)]
    assert recognise(opened(tmp_path / "touching", other)[1]).kind == "instances"


@pytest.mark.parametrize("kind", ["binary", "classes", "instances"])
def test_a_mask_of_a_stack_means_the_same_in_every_plane(tmp_path, kind):
    numbers = {"binary": lambda d: d > 0, "classes": lambda d: np.where(d, 1 + d % 2, 0), "instances": lambda d: d}
    planes = np.stack([numbers[kind](discs(n, seed=n)) for n in (0, 1, 9, 8)]).astype("uint8")
    _, found = opened(tmp_path, [planes], image_axes="TYX")
    target = recognise(found)
    assert target.kind == kind
    np.testing.assert_array_equal(np.stack(everything(found, target)), planes)


def test_masks_in_several_kinds_of_files_are_understood_together(tmp_path):
    for n in range(2):
        write(tmp_path / "images" / f"{n}.tif", np.zeros((SIDE, SIDE), "uint8"))
    write(tmp_path / "masks" / "0.tif", OBJECTS[0].astype("uint16"))
    imagej_rois.write_rois(tmp_path / "masks" / "1.zip", OBJECTS[1][None])
    found, _ = open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
    target = recognise(found)
    assert target.kind == "instances"
    for truth, meant in zip(OBJECTS, everything(found, target)):
        np.testing.assert_array_equal(truth, meant)


# Which mask belongs to which image


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("cell_1.tif", "cell_1.png"),
        ("cell_1.ome.tif", "cell_1.tif"),
        ("cell_1.tif", "cell_1_mask.tif"),
        ("cell_1.tif", "cell_1-labels.tif"),
        ("cell_1.tif", "cell_1_cp_masks.png"),
        ("cell_1.tif", "cell_1 Mask.TIF"),
        ("cell_1.tif", "cell_1_Simple Segmentation.tif"),
        ("cell_1.tif", "mask_cell_1.tif"),
        ("cell_1.tif", "masks_cell_1.tif"),
        ("cell_1.tif", "Labels-cell_1.tif"),
        ("cell_1.tif", "cell_1_seg_mask.tif"),
        ("my_mask.tif", "my_mask_mask.tif"),
        ("label-free_1.tif", "label-free_1_mask.tif"),
        ("seg_1.tif", "mask_seg_1.tif"),
        ("1.tif", "mask_1_seg.tif"),
    ],
)
def test_usual_additions_to_the_name_of_an_image_are_understood(tmp_path, image, mask):
    write(tmp_path / "images" / image, np.zeros((20, 30), "uint8"))
    write(tmp_path / "masks" / mask, np.eye(20, 30, dtype="uint8"))
    (found,), alone = open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
    assert (found.path.name, alone) == (mask, [])


@pytest.mark.parametrize("name", ["cell_1.zip", "cell_1.tif.zip", "RoiSet_cell_1.zip", "cell_1_RoiSet.zip"])
def test_roi_sets_are_found_by_their_names(tmp_path, name):
    write(tmp_path / "images" / "cell_1.tif", np.zeros((SIDE, SIDE), "uint8"))
    (tmp_path / "masks").mkdir()
    imagej_rois.write_rois(tmp_path / "masks" / name, OBJECTS[0][None])
    (found,), _ = open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
    np.testing.assert_array_equal(found.plane(0), OBJECTS[0])


def test_images_without_masks_and_masks_without_images_are_told(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / "images" / f"{name}.tif", np.zeros((20, 30), "uint8"))
    for name in ("b", "x"):
        write(tmp_path / "masks" / f"{name}.tif", np.eye(20, 30, dtype="uint8"))
    found, alone = open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
    assert [mask and mask.path.name for mask in found] == [None, "b.tif", None]
    assert [path.name for path in alone] == ["x.tif"]


# What is wrong is said in one sentence, with the file and a remedy


def refused(match):
    """A UserError whose words match, of one sentence and its remedy."""

    class Expected:
        def __enter__(self):
            self.raises = pytest.raises(UserError)
            self.info = self.raises.__enter__()

        def __exit__(self, *about):
            done = self.raises.__exit__(*about)
            words = str(self.info.value)
            assert re.search(match, words), words
            assert "\n" not in words
            assert not words.endswith(".")
            assert len(words) < 400
            return done

    return Expected()


def test_masks_that_belong_to_no_image_are_refused(tmp_path):
    write(tmp_path / "images" / "cell_1.tif", np.zeros((20, 30), "uint8"))
    write(tmp_path / "masks" / "other.tif", np.eye(20, 30, dtype="uint8"))
    with refused(r"No mask in .*masks has the name of an image.*cell_1\.tif.*other\.tif.*Give masks the names"):
        open_masks(tmp_path / "masks", open_images(tmp_path / "images"))


@pytest.mark.parametrize("shape", [(20, 31), (30, 20), (2, 20, 30)])
def test_a_mask_of_another_size_is_refused(tmp_path, shape):
    write(tmp_path / "images" / "a.tif", np.zeros((20, 30), "uint8"))
    write(tmp_path / "masks" / "a.tif", np.ones(shape, "uint8"))
    with refused(r"The mask .*a\.tif is .*but its image a\.tif is .*20 x 30.*check that they belong together"):
        open_masks(tmp_path / "masks", open_images(tmp_path / "images"))


def test_two_masks_of_one_image_are_refused(tmp_path):
    write(tmp_path / "images" / "a.tif", np.zeros((20, 30), "uint8"))
    write(tmp_path / "masks" / "a_mask.tif", np.eye(20, 30, dtype="uint8"))
    for other in ("a_mask.png", "a.tif"):
        path = write(tmp_path / "masks" / other, np.eye(20, 30, dtype="uint8"))
        with refused(r"a_mask.*Remove.* one"):
            open_masks(tmp_path / "masks", open_images(tmp_path / "images"))
        path.unlink()


def test_two_images_of_one_mask_are_refused(tmp_path):
    for name in ("a.tif", "a.png"):
        write(tmp_path / "images" / name, np.zeros((20, 30), "uint8"))
    write(tmp_path / "masks" / "a.tif", np.eye(20, 30, dtype="uint8"))
    with refused(r"a\.png and a\.tif would have the same mask\. Rename one"):
        open_masks(tmp_path / "masks", open_images(tmp_path / "images"))


def test_a_supervisely_picture_does_not_belong_to_a_stack(tmp_path):
    supervisely.write_project(tmp_path / "project", [("a", OBJECTS[0].astype("uint8"), OBJECTS[0])])
    write(tmp_path / "images" / "a.tif", np.zeros((4, SIDE, SIDE), "uint8"), metadata={"axes": "ZYX"})
    with refused(r"a\.png\.json belongs to a single picture.*4 planes.*Save the planes"):
        open_masks(tmp_path / "project", open_images(tmp_path / "images"))


def smooth(shape, top):
    y, x = np.indices(shape[:2])
    channels = [np.sin(y / 5 + c) * np.cos(x / 7 - c) for c in range(shape[2] if len(shape) > 2 else 1)]
    return np.squeeze((np.stack(channels, axis=-1) + 1) / 2 * top)


WRONG = {
    "empty": ([np.zeros((20, 30), "uint8")] * 3, r"All masks are empty, for example .*0\.tif.*Annotate some"),
    "full": ([np.full((20, 30), 255, "uint8")], r"All masks are 255 .*0\.tif.*Save masks with 0"),
    "broken numbers": ([smooth((40, 40), 1.0).astype("float32")], r"0\.tif holds fractions such as 0\.\d+.*"),
    "not a number": ([np.where(np.eye(20, 30), np.nan, 1).astype("float32")], r"0\.tif has 20 pixels that are not num"),
    "too large": ([(np.eye(20, 30) * 2**33).astype("float64")], r"0\.tif holds numbers too large.*Renumber"),
    "photograph": ([smooth((64, 64, 3), 255).astype("uint8")], r"0\.tif, have \d+ colours.*Save masks as label images"),
    "deep colours": (
        [(coloured(CLASSES[0], BLACK, RED, BLUE)).astype("uint16") * 257],
        r"The colours of .*0\.tif are uint16\. Save it as RGB of 8 bit",
    ),
    "grey image": (
        [np.random.default_rng(0).integers(0, 250, (SIDE, SIDE)).astype("uint8")],
        r"The mask .*0\.tif holds \d+ values in many pieces.*save it without smoothing",
    ),
    "too many objects": (
        [np.arange(65_537, dtype="uint32").reshape(1, -1).repeat(2, axis=0)],
        r"The mask .*0\.tif has 65,536 objects; a label image holds at most 65,535\. Cut the image",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_masks_that_cannot_be_understood_are_refused(tmp_path, name):
    masks, match = WRONG[name]
    with refused(match):
        recognise(opened(tmp_path, masks)[1])


def test_as_many_objects_as_a_label_image_holds_are_accepted(tmp_path):
    _, found = opened(tmp_path, [np.arange(MOST_OBJECTS + 1, dtype="uint16").reshape(256, 256)])
    assert recognise(found).kind == "instances"


def test_a_mask_that_jpeg_has_blurred_is_refused(tmp_path):
    drawn = [255 * (d > 0).astype("uint8") for d in OBJECTS]
    _, found = opened(tmp_path, drawn, ".jpg")
    count = len(np.unique(found[0].plane(0)))
    assert count > 2
    with refused(rf"The mask .*0\.jpg is a JPEG with {count} grey values.*Save masks as TIFF or PNG"):
        recognise(found)


# The check says all this before anything is trained


def checked(folder, masks, **more):
    """The findings about images and their masks, those about the images alone left out."""
    if masks:
        opened(folder, masks)
    alone = {str(finding) for finding in check_images(folder / "images", masks=None).findings}
    check = check_images(folder / "images", masks=folder / "masks", **more)
    return check, [finding for finding in check.findings if str(finding) not in alone]


def test_good_masks_are_described_and_nothing_else(tmp_path):
    check, findings = checked(tmp_path, [d.astype("uint8") for d in OBJECTS])
    assert check.ok
    assert check.target.kind == "instances"
    assert [f.severity for f in findings] == ["note", "note"]
    assert "The masks show objects, each with its own number: each number is one piece." in str(findings[0])
    assert "17 objects drawn, half of them larger than 5 x 5 pixels." in str(findings[1])
    check, (finding,) = checked(tmp_path, None, kind="binary")
    assert (check.target.kind, check.target.why) == ("binary", "you said so")
    assert "one class (background 0, foreground 255)" in finding.message


def test_the_check_names_images_without_masks_masks_without_images_and_empty_ones(tmp_path):
    opened(tmp_path, [d.astype("uint8") for d in (*OBJECTS, np.zeros_like(OBJECTS[0]))])
    (tmp_path / "masks" / "0.tif").rename(tmp_path / "masks" / "other.tif")
    check, findings = checked(tmp_path, None)
    assert check.ok
    assert {(f.severity, f.message) for f in findings} >= {
        ("warning", "1 image without a mask: 0.tif."),
        ("warning", "1 mask without an image: other.tif."),
        ("note", "1 mask with nothing drawn: 3.tif."),
    }


def test_the_check_warns_of_little_and_of_tiny_things(tmp_path):
    dots = np.zeros((SIDE, SIDE), "uint8")
    dots[10, 10], dots[20, 20:22] = 1, 2
    _, findings = checked(tmp_path, [dots])
    warnings = [str(f) for f in findings if f.severity == "warning"]
    assert any("hardly more than their border" in words for words in warnings)
    one = np.zeros((SIDE, SIDE), "uint8")
    one[4, 4] = 1
    _, findings = checked(tmp_path / "one", [one])
    assert any("Only 0.043 % of the pixels are drawn." in f.message for f in findings)


@pytest.mark.parametrize("name", WRONG)
def test_the_check_finds_what_training_would_refuse_and_says_the_same(tmp_path, name):
    masks, match = WRONG[name]
    check, _ = checked(tmp_path, masks)
    assert not check.ok
    assert check.target is None
    errors = [f for f in check.findings if f.severity == "error" and re.search(match, f.message)]
    assert len(errors) == 1
    assert errors[0].message.endswith(".")


def test_the_check_finds_masks_that_belong_to_nothing(tmp_path):
    opened(tmp_path, [OBJECTS[0].astype("uint8")])
    (tmp_path / "masks" / "0.tif").rename(tmp_path / "masks" / "other.tif")
    check, (finding,) = checked(tmp_path, None)
    assert (check.ok, finding.severity) == (False, "error")
    assert "has the name of an image" in finding.message
    check = check_images(tmp_path / "images", masks=tmp_path / "nowhere")
    assert any("There is no folder" in f.message for f in check.findings if f.severity == "error")


# Splitting


def annotated(folder, masks, kind="classes"):
    images, found = opened(folder, [np.asarray(mask, "uint8") for mask in masks])
    target = recognise(found, kind)
    return images, Annotator(images, found, target, False)


def settings(**more):
    return SegmentSettings(**{"images": "i", "masks": "my_masks", "patch_size": 16, "validation_fraction": 0.25} | more)


def taught(images, annotate, parts, use):
    """The classes that the images of one use show."""
    found = set()
    for part in (p for p in parts if p.use == use):
        y, x, height, width = part.region or (0, 0, *images[part.image].plane_shape[:2])
        where = slice(y, y + height), slice(x, x + width)
        found |= set(np.unique(annotate.labels(images[part.image].frames(2)[0], where)).tolist())
    return found - {0}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_class_on_one_image_only_is_always_learned(tmp_path, seed, fraction):
    rare = [bands(1), bands(1, 2), bands(1), bands(1, 3)]
    images, annotate = annotated(tmp_path, [*rare, discs(9, kinds=3)[::-1] % 2, bands(2, 1)])
    parts = split_annotated(images, annotate, settings(seed=seed, validation_fraction=fraction))
    assert sorted(part.image for part in parts) == list(range(6))
    assert taught(images, annotate, parts, "train") == {1, 2, 3}
    assert taught(images, annotate, parts, "validate")


def test_with_hardly_a_spare_image_what_shows_a_class_alone_trains(tmp_path):
    for seed in range(8):
        images, annotate = annotated(tmp_path / f"{seed}", [bands(1), bands(2), bands(3), bands(1, 1)])
        parts = split_annotated(images, annotate, settings(seed=seed, validation_fraction=0.5))
        assert taught(images, annotate, parts, "train") == {1, 2, 3}
        assert taught(images, annotate, parts, "validate") == {1}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["binary", "instances"])
def test_something_is_drawn_on_what_validates_even_where_most_images_are_empty(tmp_path, seed, kind):
    empty = np.zeros((SIDE, SIDE))
    images, annotate = annotated(tmp_path, [empty, OBJECTS[0], empty, empty, OBJECTS[1], empty], kind)
    parts = split_annotated(images, annotate, settings(seed=seed, validation_fraction=0.1))
    assert [part.use for part in parts].count("validate") == 1
    assert taught(images, annotate, parts, "validate")
    assert taught(images, annotate, parts, "train")


def test_the_split_is_left_alone_where_every_image_shows_everything(tmp_path):
    images, annotate = annotated(tmp_path, [discs(8, seed=s, kinds=2) for s in range(8)])
    from n2seg_utils.data.split import split

    for seed in range(4):
        assert split_annotated(images, annotate, settings(seed=seed)) == split(images, 0.25, seed, 16)


def test_a_class_that_can_only_be_validated_is_refused(tmp_path):
    one = np.zeros((SIDE, SIDE))
    one[2:30:6, 4:40] = 1
    one[40:46, 10:20] = 2
    one[40:46, 30:35] = 2
    images, annotate = annotated(tmp_path, [one])
    with refused(
        r"The class 'class 2' never occurs in what trains.*0\.tif \(rows 33 to 48.*Annotate it on more images"
    ):
        split_annotated(images, annotate, settings())
    images, annotate = annotated(tmp_path / "two", [bands(1, 0, 1), bands(2, 0, 2)])
    with refused(r"The class 'class [12]' never occurs in what trains.*in [01]\.tif\. Annotate it on more images"):
        split_annotated(images, annotate, settings())


def test_the_mask_that_alone_shows_a_class_is_the_one_that_is_named(tmp_path):
    masks = [bands(1), bands(2), bands(3), bands(4)]
    for seed in range(3):
        images, annotate = annotated(tmp_path / f"{seed}", masks)
        with pytest.raises(UserError, match="never occurs in what trains") as refusal:
            split_annotated(images, annotate, settings(seed=seed, validation_fraction=0.5))
        number, name = re.search(r"'class (\d)'.*in (\d)\.tif", str(refusal.value)).groups()
        assert int(number) == 1 + int(name)


def test_one_image_whose_end_is_empty_is_refused(tmp_path):
    one = discs(9)
    one[28:] = 0
    images, annotate = annotated(tmp_path, [one])
    with refused(
        r"Nothing is drawn on what is kept for validation, in 0\.tif \(rows 33 to 48, columns 1 to 48\)\. Ann"
    ):
        split_annotated(images, annotate, settings())


def test_fewer_classes_than_expected_are_refused():
    target = Target("classes", (0, 1, 2))
    require_classes(target, settings(classes=3))
    require_classes(target, settings())
    require_classes(Target("instances"), settings(classes=2))
    with refused(r"You expect 4 classes, but the masks in my_masks have 3 .*class 3 never occurs.*use classes=3"):
        require_classes(target, settings(classes=4))
    with refused(r"You expect 2 classes.*there are more.*use classes=3"):
        require_classes(target, settings(classes=2))


# Loading


@pytest.mark.parametrize("axes", ["YX", "CYX", "ZYX"])
def test_loaded_annotations_lie_on_their_pixels(tmp_path, axes):
    dims = 3 if axes == "ZYX" else 2
    masks = [np.stack([d] * 4).astype("uint8") if dims == 3 else d.astype("uint8") for d in OBJECTS]
    images, found = opened(tmp_path, masks, image_axes=axes)
    annotate = Annotator(images, found, recognise(found), True)
    scale = fit_percentiles(images, "image")
    parts = [Part(0, "train", (8, 4, 30, 40)), Part(1, "train"), Part(2, "validate")]
    sources = pixels.sources(images, parts, "train", dims)
    loaded = pixels.load(sources, scale, annotate)
    whole = (slice(None),) * (dims - 2)
    for (image, known, classes), truth, where in zip(
        loaded, masks, [(slice(8, 38), slice(4, 44)), (slice(None), slice(None))]
    ):
        np.testing.assert_array_equal(known[..., 0], truth[(*whole, *where)])
        assert image.shape[:-1] == known.shape[:-1] == classes.shape
        assert known.shape[-1] == annotate.values == 2
        assert (known[..., 1] > 0).tolist() == (known[..., 0] > 0).tolist()
        assert {0, 1, 2} >= set(np.unique(classes))
    assert pixels.nbytes(sources, annotate.values) == sum(i.nbytes + k.nbytes for i, k, _ in loaded)
    shape = (2, 16, 16)[-dims:]
    for image, known, _ in pixels.BlockStream(sources, scale, shape, 5, 0, annotate).blocks(0):
        assert image.shape[:-1] == known.shape[:-1] == shape


def grey(path, values):
    write(path, values)
    return open_image(path)


def test_percentiles_bring_each_image_between_0_and_1(tmp_path):
    rng = np.random.default_rng(0)
    made = [rng.gamma(2, s, (60, 70)).astype("float32") + 100 * s for s in (1, 30)]
    images = [grey(tmp_path / f"{n}.tif", values) for n, values in enumerate(made)]
    scale = fit_percentiles(images, "image")
    for image, values in zip(images, made):
        scaled = scale.for_image(image).apply(image.plane(0))
        assert scaled.dtype == "float32"
        np.testing.assert_allclose(np.percentile(scaled, (1, 99.8)), (0, 1), atol=1e-5)
        np.testing.assert_array_equal(np.argsort(scaled.ravel()), np.argsort(values.ravel()))
    together = fit_percentiles(images, "dataset")
    assert together.for_image(images[0]) is together


def test_the_noise_of_an_empty_image_is_not_stretched(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(100, 2, (60, 70)).astype("float32")
    full = grey(tmp_path / "full.tif", values + 500 * (discs(6, (60, 70)) > 0))
    empty = grey(tmp_path / "empty.tif", values)
    flat = grey(tmp_path / "flat.tif", np.full((60, 70), 7, "uint8"))
    scale = fit_percentiles([full], "image")
    assert np.ptp(scale.for_image(full).apply(full.plane(0))) > 0.9
    assert np.ptp(scale.for_image(empty).apply(empty.plane(0))) < 0.1
    np.testing.assert_array_equal(scale.for_image(flat).apply(flat.plane(0)), 0)
    again = Percentiles(**json.loads(json.dumps(scale.__dict__)))
    np.testing.assert_array_equal(again.apply(values[..., None]), scale.apply(values[..., None]))


def test_images_of_one_value_cannot_be_scaled(tmp_path):
    with refused(r"All images have the same value everywhere, for example .*flat\.tif\. Check"):
        fit_percentiles([grey(tmp_path / "flat.tif", np.full((60, 70), 7, "uint8"))], "image")


def test_masks_called_mask_belong_to_images_called_img(tmp_path):
    for kind, names in (("images", ("img_1", "img_2", "3_raw")), ("masks", ("mask_1", "mask_2", "3_mask"))):
        (tmp_path / kind).mkdir()
        for value, name in enumerate(names, 1):
            tifffile.imwrite(tmp_path / kind / f"{name}.tif", np.full((20, 20), value, "uint8"))
    images = open_images(tmp_path / "images")
    masks, alone = open_masks(tmp_path / "masks", images)
    assert not alone
    for image, mask in zip(images, masks):
        assert image.plane(0)[0, 0, 0] == mask.plane(0)[0, 0]
