"""What people draw in Fiji or Supervisely becomes labels pixel by pixel, and goes back without losing one."""

import base64
import json
import zipfile
import zlib

import imagecodecs
import numpy as np
import pytest
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi
from scipy.ndimage import gaussian_filter, label

from n2seg_utils.data.imagej_rois import read_rois, write_rois
from n2seg_utils.data.outlines import fill, outlines_of
from n2seg_utils.data.supervisely import (
    annotations,
    class_names,
    is_project,
    plane_name,
    read_annotation,
    write_project,
)
from n2seg_utils.errors import UserError


def numbered(labels):
    """Labels with the numbers 1, 2, ... in their old order."""
    numbers = np.unique(labels)
    return np.where(labels > 0, np.searchsorted(numbers[numbers > 0], labels) + 1, 0)


def blobs(seed, shape=(40, 50)):
    """Objects with holes, several pieces and rugged borders, touching each other and the border of the image."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=shape), rng.uniform(0.5, 2), mode="wrap")
    values = rng.choice([3, 4, 9, 300, 65535], size=shape).astype("uint16")
    if seed % 2:
        values = np.repeat(np.repeat(values, 8, 0), 8, 1)[: shape[0], : shape[1]]
    return np.where(field > rng.choice([-0.1, 0, 0.1]), values, 0).astype("uint16")


def pixels_of(mask):
    return [tuple(place) for place in np.argwhere(mask).tolist()]


# ROI sets of Fiji


def area(kind=ROI_TYPE.POLYGON, points=None, box=(0, 0, 0, 0), **fields):
    """A ROI as Fiji writes it: points (x, y) relative to the box (left, top, right, bottom)."""
    if points is not None:
        fields |= {"integer_coordinates": np.array(points, "int32"), "n_coordinates": len(points)}
    return ImagejRoi(roitype=kind, left=box[0], top=box[1], right=box[2], bottom=box[3], **{"version": 227} | fields)


def rectangle(x, y, width, height, **fields):
    return area(ROI_TYPE.RECT, box=(x, y, x + width, y + height), **fields)


def save(path, *rois):
    with zipfile.ZipFile(path, "w") as archive:
        for number, roi in enumerate(rois):
            archive.writestr(f"{roi.name or f'{number:04d}'}.roi", roi.tobytes())
    return path


def read_one(path, roi, shape=(20, 20)):
    return read_rois(save(path / "set.zip", roi), 1, shape)[0]


def refusal(path, *rois, planes=1, shape=(20, 20), depth=1):
    with pytest.raises(UserError) as caught:
        read_rois(save(path / "set.zip", *rois), planes, shape, depth)
    assert "set.zip" in str(caught.value)
    return str(caught.value)


def test_a_rectangle_of_3_x_2_pixels_holds_exactly_these(tmp_path):
    expected = [(7, 5), (7, 6), (7, 7), (8, 5), (8, 6), (8, 7)]
    assert pixels_of(read_one(tmp_path, rectangle(5, 7, 3, 2))) == expected
    corners = [(0, 0), (3, 0), (3, 2), (0, 2)]
    for kind in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        for points in (corners, corners[::-1]):
            assert pixels_of(read_one(tmp_path, area(kind, points, (5, 7, 8, 9)))) == expected


def inside_by_hand(corners, shape):
    """Centres a ray to the left from which crosses the outline an odd number of times, one after another."""
    mask = np.zeros(shape, bool)
    for row, column in np.ndindex(shape):
        x, y = column + 0.5, row + 0.5
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0)):
            if (ay < y) != (by < y) and ax + (y - ay) * (bx - ax) / (by - ay) < x:
                mask[row, column] ^= True
    return mask


@pytest.mark.parametrize("seed", range(8))
def test_any_polygon_holds_the_pixels_whose_centre_lies_inside(seed):
    corners = np.random.default_rng(seed).uniform(-5, 20, (7, 2))
    assert np.array_equal(fill([corners], (15, 12)), inside_by_hand(corners, (15, 12)))


def test_an_oval_holds_the_pixels_whose_centre_lies_inside(tmp_path):
    # Counted by hand from OvalRoi.getMask: 6 x 4 pixels, corners cut.
    drawn = read_one(tmp_path, area(ROI_TYPE.OVAL, box=(2, 3, 8, 7)))[3:7, 2:8]
    assert ["".join(".x"[v] for v in row) for row in drawn] == [".xxxx.", "xxxxxx", "xxxxxx", ".xxxx."]
    assert read_one(tmp_path, area(ROI_TYPE.OVAL, box=(4, 4, 5, 5))).sum() == 1
    assert read_one(tmp_path, area(ROI_TYPE.OVAL, box=(4, 4, 4, 9))).sum() == 0


def test_pixels_on_an_edge_belong_to_one_of_two_neighbours_only(tmp_path):
    upper = area(points=[(0, 0), (10, 0), (0, 10)], box=(0, 0, 10, 10))
    lower = area(points=[(10, 0), (10, 10), (0, 10)], box=(0, 0, 10, 10))
    both = [read_one(tmp_path, roi, (10, 10)) for roi in (upper, lower)]
    assert (both[0] + both[1] == 1).all()


def test_outlines_between_pixels_count_where_they_hold_a_centre(tmp_path):
    exact = np.array([[4.4, 4.4], [6.6, 4.4], [6.6, 5.6], [4.4, 5.6]], "float32")
    fields = {"options": ROI_OPTIONS.SUB_PIXEL_RESOLUTION, "subpixel_coordinates": exact}
    whole = np.floor(exact - 4).astype(int)
    for subtype in (ROI_SUBTYPE.UNDEFINED, ROI_SUBTYPE.ROTATED_RECT, ROI_SUBTYPE.ELLIPSE):
        roi = area(ROI_TYPE.FREEHAND, whole, (4, 4, 7, 6), subtype=subtype, **fields)
        assert pixels_of(read_one(tmp_path, roi)) == [(4, 4), (4, 5), (4, 6), (5, 4), (5, 5), (5, 6)]


def composite(*numbers):
    path = np.array(numbers, "float32")
    return rectangle(0, 0, 16, 16, shape_roi_size=len(path), multi_coordinates=path)


def test_composites_have_holes_pieces_and_curves(tmp_path):
    outer = [0, 2, 2, 1, 8, 2, 1, 8, 8, 1, 2, 8, 4]
    hole = [0, 4, 4, 1, 4, 6, 1, 6, 6, 1, 6, 4, 4]
    piece = [0, 10, 10, 1, 12, 10, 1, 12, 12, 1, 10, 12, 4]
    expected = np.zeros((20, 20), int)
    expected[2:8, 2:8] = expected[10:12, 10:12] = 1
    expected[4:6, 4:6] = 0
    assert np.array_equal(read_one(tmp_path, composite(*outer, *hole, *piece)), expected)

    k = 5 * 4 / 3 * (2**0.5 - 1)  # four Bézier curves that are a circle to a thousandth
    circle = [0, 13, 8, 3, 13, 8 + k, 8 + k, 13, 8, 13, 3, 8 - k, 13, 3, 8 + k, 3, 8]
    circle += [3, 3, 8 - k, 8 - k, 3, 8, 3, 3, 8 + k, 3, 13, 8 - k, 13, 8, 4]
    oval = read_one(tmp_path, area(ROI_TYPE.OVAL, box=(3, 3, 13, 13)))
    assert np.array_equal(read_one(tmp_path, composite(*circle)), oval)
    bowl = read_one(tmp_path, composite(0, 2, 2, 2, 8, 14, 14, 2, 4))
    assert bowl[2:8, 7:9].all()
    assert bowl[8:].sum() == 0


def test_objects_are_numbered_in_the_order_of_the_set_and_the_first_keeps_shared_pixels(tmp_path):
    rois = [rectangle(10, 0, 4, 4), rectangle(0, 0, 4, 4), rectangle(0, 0, 2, 2), rectangle(2, 2, 4, 4)]
    labels = read_rois(save(tmp_path / "a.zip", *rois), 1, (20, 20))
    assert labels.shape == (1, 20, 20)
    assert labels.dtype == np.int32
    assert np.bincount(labels.ravel()).tolist() == [400 - 44, 16, 16, 12]
    assert labels[0, 0, 10] == 1
    assert labels[0, 3, 3] == 2
    assert labels[0, 5, 5] == 3


def test_one_roi_is_a_set_of_one_and_an_empty_set_an_image_without_objects(tmp_path):
    (tmp_path / "a.roi").write_bytes(rectangle(1, 1, 2, 2).tobytes())
    assert read_rois(tmp_path / "a.roi", 1, (5, 5)).sum() == 4
    assert read_rois(save(tmp_path / "empty.zip"), 2, (5, 5)).shape == (2, 5, 5)
    assert not read_rois(tmp_path / "empty.zip", 2, (5, 5)).any()


def test_what_lies_partly_outside_is_cut_and_what_has_no_pixel_is_passed_over(tmp_path):
    labels = read_rois(save(tmp_path / "a.zip", rectangle(-3, 18, 5, 9), rectangle(4, 4, 0, 3)), 1, (20, 20))
    assert pixels_of(labels[0]) == [(18, 0), (18, 1), (19, 0), (19, 1)]


def test_the_slice_comes_from_the_position(tmp_path):
    plain = save(tmp_path / "a.zip", rectangle(0, 0, 1, 1, position=3), rectangle(0, 0, 1, 1, position=1))
    assert read_rois(plain, 3, (2, 2))[:, 0, 0].tolist() == [2, 0, 1]
    hyper = save(tmp_path / "b.zip", rectangle(0, 0, 1, 1, c_position=2, z_position=2, t_position=3))
    assert np.flatnonzero(read_rois(hyper, 6, (2, 2), depth=2)[:, 0, 0]).tolist() == [5]
    one_axis = save(
        tmp_path / "c.zip", rectangle(0, 0, 1, 1, t_position=3), rectangle(1, 0, 1, 1, z_position=1, t_position=2)
    )
    assert read_rois(one_axis, 3, (2, 2))[:, 0].tolist() == [[0, 0], [0, 2], [1, 0]]
    old = save(tmp_path / "d.zip", rectangle(0, 0, 1, 1, name="0002-0011-0012"))
    assert read_rois(old, 3, (2, 2))[:, 0, 0].tolist() == [0, 1, 0]


def test_outlines_of_neighbouring_slices_are_one_object_if_they_overlap_by_more_than_half(tmp_path):
    rois = [
        rectangle(0, 0, 8, 8, position=1),
        rectangle(12, 0, 4, 4, position=1),
        rectangle(4, 4, 2, 2, position=2),
        rectangle(14, 0, 4, 4, position=2),
        rectangle(4, 4, 2, 2, position=4),
        rectangle(0, 0, 8, 8, position=5),
    ]
    path = save(tmp_path / "a.zip", *rois)
    volume = read_rois(path, 6, (20, 20), depth=6)
    assert volume[0, 0, 0] == volume[1, 4, 4] == 1
    assert volume[0, 0, 12] == 2
    assert volume[1, 0, 17] == 3  # half is not more than half
    assert volume[3, 4, 4] == volume[4, 0, 0] == 4  # a slice lies between it and the first
    assert len(np.unique(read_rois(path, 6, (20, 20)))) == 7
    two_volumes = read_rois(path, 6, (20, 20), depth=3)
    assert two_volumes.max() == 4
    across = read_rois(
        save(tmp_path / "b.zip", *(rectangle(0, 0, 2, 2, position=p) for p in (3, 4))), 6, (4, 4), depth=3
    )
    assert across.max() == 2


@pytest.mark.parametrize("kind", [ROI_TYPE.LINE, ROI_TYPE.POINT, ROI_TYPE.ANGLE, ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE])
def test_what_is_no_area_is_refused_by_name(tmp_path, kind):
    message = refusal(tmp_path, area(kind, [(0, 0), (2, 2), (4, 0)], (5, 5, 9, 9), name="mine"))
    assert "The ROI 'mine' of" in message
    assert f"of the kind '{kind.name.lower()}', which is no area" in message


def test_texts_are_refused(tmp_path):
    roi = rectangle(2, 2, 8, 8, subtype=ROI_SUBTYPE.TEXT, text="hello", text_name="Arial", text_size=12)
    assert "kind 'text', which is no area" in refusal(tmp_path, roi)


def test_rois_of_another_image_are_refused(tmp_path):
    far = rectangle(30, 4, 3, 3, name="far")
    assert "'far'" in refusal(tmp_path, far)
    assert "outside of the image, which has 20 x 10 pixels" in refusal(tmp_path, far, shape=(10, 20))
    assert "outside" in refusal(tmp_path, area(points=[(0, 0), (4, 0), (0, 4)], box=(-9, -9, -5, -5)))
    late = rectangle(1, 1, 2, 2, position=4)
    assert "lies in slice 4, but the image has 3 planes. Give the ROI set" in refusal(tmp_path, late, planes=3)
    assert "lies in slice 4, but the image has 1 plane." in refusal(tmp_path, late)
    late = rectangle(1, 1, 2, 2, z_position=3, t_position=1)
    message = refusal(tmp_path, late, planes=6, depth=2)
    assert "lies in plane 3 of time point 1, but the image has 3 x 2 planes" in message


def test_a_roi_bound_to_no_slice_of_several_is_refused(tmp_path):
    for roi in (rectangle(1, 1, 2, 2, name="free"), rectangle(1, 1, 2, 2, name="free", t_position=1)):
        message = refusal(tmp_path, roi, planes=6, depth=3)
        assert "'free'" in message
        assert "does not say in which of the 6 planes it was drawn. Set its position" in message


def test_broken_and_foreign_files_are_refused(tmp_path):
    whole = area(points=[(0, 0), (3, 0), (3, 3)], box=(1, 1, 4, 4)).tobytes()
    (tmp_path / "cut.roi").write_bytes(whole[:70])
    (tmp_path / "text.roi").write_bytes(b"hello")
    (tmp_path / "text.zip").write_bytes(b"hello")
    save(tmp_path / "cut.zip", area(points=[(0, 0), (3, 0), (3, 3)], box=(1, 1, 4, 4)))
    (tmp_path / "cut.zip").write_bytes((tmp_path / "cut.zip").read_bytes()[:-30])
    save(tmp_path / "path.zip", composite(0, 2, 2, 7, 3, 3))
    save(tmp_path / "nan.zip", composite(0, 2, 2, 1, float("nan"), 3, 1, 3, 3))
    save(tmp_path / "void.zip", area(points=np.zeros((0, 2))))
    for name in ("cut.roi", "text.roi", "text.zip", "cut.zip", "path.zip", "nan.zip", "void.zip"):
        with pytest.raises(UserError, match=rf"{name} is not a ROI set of Fiji, or is damaged\. Save it again"):
            read_rois(tmp_path / name, 1, (9, 9))
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("a.tif", b"")
    with pytest.raises(UserError, match=r"images\.zip holds no ROIs, only a\.tif\. Save the set"):
        read_rois(tmp_path / "images.zip", 1, (9, 9))
    with pytest.raises(UserError, match=r"Cannot read .*none\.zip: No such file"):
        read_rois(tmp_path / "none.zip", 1, (9, 9))


def test_what_an_operating_system_adds_to_an_archive_is_passed_over_and_twins_are_kept(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/", b"")
        archive.writestr("set/1.roi", rectangle(0, 0, 2, 2).tobytes())
        archive.writestr("other/1.roi", rectangle(4, 4, 2, 2).tobytes())
        archive.writestr("__MACOSX/set/._1.roi", b"junk")
        archive.writestr("set/.DS_Store", b"junk")
    assert read_rois(tmp_path / "a.zip", 1, (9, 9)).max() == 2


@pytest.mark.parametrize("seed", range(40))
def test_labels_come_back_pixel_by_pixel(tmp_path, seed):
    labels = blobs(seed)
    write_rois(tmp_path / "a.zip", labels)
    assert np.array_equal(read_rois(tmp_path / "a.zip", 1, labels.shape)[0], numbered(labels))


@pytest.mark.parametrize(
    "rows",
    [
        ["x"],
        ["xxx", "x.x", "xxx"],
        ["x.", ".x"],
        [".x", "x."],
        [".x.", "x.x", ".x."],
        ["xx.", "x.x", "xxx"],
        [".xx", "x.x", "xxx"],
        ["xxxxx", "x...x", "x.x.x", "x...x", "xxxxx"],
        ["x.x.x", ".x.x.", "x.x.x"],
        ["xxx.", "x.xx", "xx.x", ".xxx"],
    ],
)
def test_every_kind_of_corner_comes_back(tmp_path, rows):
    mask = np.array([[letter == "x" for letter in row] for row in rows])
    outlines = outlines_of(mask)
    assert np.array_equal(fill(outlines, mask.shape), mask)
    # By the shoelace formula, those around the mask count as area and those around holes are subtracted.
    assert sum(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2 for x, y in (o.T for o in outlines)) == mask.sum()
    write_rois(tmp_path / "a.zip", mask.astype("uint8") * 7)
    assert np.array_equal(read_rois(tmp_path / "a.zip", 1, mask.shape)[0], mask)


def test_volumes_and_movies_come_back_object_by_object(tmp_path):
    labels = np.stack([blobs(seed) for seed in range(6)])
    write_rois(tmp_path / "a.zip", labels, depth=6)
    assert np.array_equal(read_rois(tmp_path / "a.zip", 6, labels.shape[1:], depth=6), numbered(labels))
    in_time = labels.astype(int) + np.repeat([0, 100_000], 3)[:, None, None] * (labels > 0)
    write_rois(tmp_path / "b.zip", in_time, depth=3)
    assert np.array_equal(read_rois(tmp_path / "b.zip", 6, labels.shape[1:], depth=3), numbered(in_time))
    each = label(labels > 0, np.array([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))]))[0]
    write_rois(tmp_path / "c.zip", each)
    assert np.array_equal(read_rois(tmp_path / "c.zip", 6, labels.shape[1:]), each)


def test_a_slice_redrawn_in_fiji_joins_the_object_it_belongs_to(tmp_path):
    labels = np.zeros((3, 20, 20), int)
    labels[:, 2:6, 2:6] = 1
    labels[1, 2:6, 6:10] = 2
    labels[2, 2:6, 2:6] = 0
    write_rois(tmp_path / "a.zip", labels, depth=3)
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("0003-0004-0004.roi", rectangle(3, 2, 3, 4, position=3).tobytes())
    labels[2, 2:6, 3:6] = 1
    assert np.array_equal(read_rois(tmp_path / "a.zip", 3, (20, 20), depth=3), labels)


def test_what_is_written_is_what_imagej_expects(tmp_path):
    labels = np.zeros((20, 20), int)
    labels[7:9, 5:8] = 1
    labels[10:15, 10:15] = 2
    labels[12, 12] = 0
    write_rois(tmp_path / "a.zip", labels, names=["a/b", "ring"])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["0001-a_b.roi", "0002-ring.roi"]
        simple, ring = (ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist())
    assert (simple.left, simple.top, simple.right, simple.bottom) == (5, 7, 8, 9)
    assert simple.roitype == ROI_TYPE.TRACED
    assert simple.coordinates().tolist() == [[5, 7], [8, 7], [8, 9], [5, 9]]
    assert simple.name == "0001-a/b"
    assert simple.position == 0
    assert ring.roitype == ROI_TYPE.RECT
    assert ring.composite
    assert (ring.left, ring.top, ring.right, ring.bottom) == (10, 10, 15, 15)
    outer, hole = (piece - piece.min(0) for piece in ring.coordinates(multi=True))
    turn = [np.cross(np.append(p[1] - p[0], 0), np.append(p[2] - p[1], 0))[2] for p in (outer, hole)]
    assert turn[0] > 0 > turn[1]  # so that a hole is one under either rule of filling


@pytest.mark.parametrize(
    ("planes", "depth", "names", "places"),
    [
        (3, 3, ["0007-z001", "0007-z003"], [(1, 0, 0), (3, 0, 0)]),
        (3, 1, ["0007-t001", "0007-t003"], [(1, 0, 0), (3, 0, 0)]),
        (6, 2, ["0007-t001z001", "0007-t002z001"], [(0, 1, 1), (0, 1, 2)]),
    ],
)
def test_rois_of_stacks_say_where_they_belong(tmp_path, planes, depth, names, places):
    labels = np.zeros((planes, 4, 4), "uint8")
    labels[[0, 2], 1, 1] = 7
    write_rois(tmp_path / "a.zip", labels, depth=depth)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        rois = [ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
    assert [roi.name for roi in rois] == names
    assert [(roi.position, roi.z_position, roi.t_position) for roi in rois] == places


def test_a_set_is_whole_or_absent(tmp_path):
    with pytest.raises(ValueError, match="1 names for 2 objects"):
        write_rois(tmp_path / "a.zip", np.eye(3, dtype=int) * [1, 2, 1], names=["one"])
    with pytest.raises(TypeError):
        write_rois(tmp_path / "a.zip", np.eye(3, dtype=int), names=[1], depth="x")
    assert list(tmp_path.iterdir()) == []
    write_rois(tmp_path / "a.zip", np.zeros((5, 5), int))
    assert not read_rois(tmp_path / "a.zip", 1, (5, 5)).any()


# Supervisely


def thing(kind, title="cell", **fields):
    return {"classTitle": title, "geometryType": kind, "description": "", "tags": [], **fields}


def shape_of(kind, exterior, interior=(), title="cell"):
    return thing(kind, title, points={"exterior": exterior, "interior": list(interior)})


def bitmap(png, origin):
    return thing("bitmap", bitmap={"data": base64.b64encode(zlib.compress(png)).decode(), "origin": origin})


def note(path, *objects, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"description": "", "tags": [], "size": {"height": size[0], "width": size[1]}, "objects": objects}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def drawn(path, *objects):
    return read_annotation(note(path / "a.png.json", *objects), (20, 30))


def test_a_rectangle_holds_its_two_corners(tmp_path):
    labels, kinds = drawn(tmp_path, shape_of("rectangle", [[5, 7], [7, 8]]))
    assert pixels_of(labels) == [(7, 5), (7, 6), (7, 7), (8, 5), (8, 6), (8, 7)]
    assert labels.dtype == np.int32
    assert kinds == ["cell"]
    # The example of their documentation: exact corners become the pixels 6..7 and 5..6.
    labels, _ = drawn(tmp_path, shape_of("rectangle", [[6.43, 5.43], [8.43, 7.29]]))
    assert pixels_of(labels) == [(5, 6), (5, 7), (5, 8), (6, 6), (6, 7), (6, 8)]


def test_a_polygon_holds_its_border_and_not_its_holes(tmp_path):
    square, hole = [[2, 2], [8, 2], [8, 8], [2, 8]], [[4, 4], [6, 4], [6, 6], [4, 6]]
    labels, _ = drawn(tmp_path, shape_of("polygon", square, [hole]))
    expected = np.zeros((20, 30), int)
    expected[2:9, 2:9] = 1
    expected[4:7, 4:7] = 0
    assert np.array_equal(labels, expected)
    exact = (np.array(square) + 0.8).tolist()
    assert np.array_equal(drawn(tmp_path, shape_of("polygon", exact, [hole]))[0], expected)
    slanted = drawn(tmp_path, shape_of("polygon", [[0, 0], [6, 0], [0, 6]]))[0]
    assert slanted.sum() == 28
    assert slanted[3, 3] == slanted[0, 6] == slanted[6, 0] == 1
    assert drawn(tmp_path, shape_of("polygon", [[3, 3], [3, 3], [3, 3]]))[0].sum() == 1


def test_bitmaps_of_every_kind_of_png_are_read(tmp_path):
    mask = np.array([[1, 0, 1], [0, 1, 1]], "uint8")
    opacity = np.zeros((2, 3, 4), "uint8")
    opacity[..., 3] = mask * 255
    for pixels in (mask, mask * 255, opacity, opacity[..., 2:]):
        labels, _ = drawn(tmp_path, bitmap(imagecodecs.png_encode(np.ascontiguousarray(pixels)), [4, 9]))
        assert np.array_equal(labels[9:11, 4:7], mask)
        assert labels.sum() == 4


def test_later_objects_cover_earlier_ones_and_numbers_have_no_gaps(tmp_path):
    labels, kinds = drawn(
        tmp_path,
        shape_of("rectangle", [[0, 0], [4, 4]], title="a"),
        shape_of("rectangle", [[6, 6], [7, 7]], title="hidden"),
        shape_of("rectangle", [[3, 3], [8, 8]], title="c"),
    )
    assert kinds == ["a", "c"]
    assert np.bincount(labels.ravel()).tolist() == [600 - 25 - 36 + 4, 21, 36]
    assert labels[3, 3] == 2


def test_only_the_classes_asked_for_are_read(tmp_path):
    path = note(
        tmp_path / "a.png.json",
        shape_of("polyline", [[0, 0], [5, 5]], title="axon"),
        shape_of("rectangle", [[1, 1], [2, 2]], title="nucleus"),
    )
    labels, kinds = read_annotation(path, (20, 30), ["nucleus"])
    assert labels.sum() == 4
    assert kinds == ["nucleus"]
    with pytest.raises(UserError, match=r"An object of class 'axon' in .*a\.png\.json is a polyline, which is no area"):
        read_annotation(path, (20, 30))


def test_annotations_that_do_not_fit_are_refused(tmp_path):
    path = note(tmp_path / "a.png.json", shape_of("rectangle", [[40, 2], [50, 9]]))
    with pytest.raises(UserError, match=r"'cell' in .*a\.png\.json lies outside of the image, which has 30 x 20"):
        read_annotation(path, (20, 30))
    with pytest.raises(
        UserError, match=r"a\.png\.json belongs to an image of 30 x 20 pixels, but the image has 20 x 20"
    ):
        read_annotation(path, (20, 20))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"size": {"height": 2, "width": 2}}', '{"size": 3, "objects": []}', "\ufeff{"],
)
def test_damaged_annotations_are_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.json (is not a file of a Supervisely project|belongs to)"):
        read_annotation(tmp_path / "a.json", (2, 2))


def test_damaged_objects_are_refused(tmp_path):
    broken = [
        thing("bitmap", bitmap={"data": "!!!", "origin": [0, 0]}),
        thing("bitmap", bitmap={"data": base64.b64encode(b"no").decode(), "origin": [0, 0]}),
        bitmap(b"no png", [0, 0]),
        thing("bitmap", bitmap=None),
        shape_of("rectangle", [[1, 1]]),
        shape_of("polygon", []),
        shape_of("polygon", [["a", "b"]]),
        {"classTitle": "cell"},
    ]
    for entry in broken:
        with pytest.raises(UserError, match=r"is not a file of a Supervisely project, or is damaged\. Export"):
            drawn(tmp_path, entry)
    with pytest.raises(UserError, match=r"Cannot read .*none\.json"):
        read_annotation(tmp_path / "none.json", (2, 2))


def test_annotations_of_all_data_sets_are_found_in_the_order_people_count(tmp_path):
    assert not is_project(tmp_path)
    with pytest.raises(UserError, match=r"holds no annotations of Supervisely"):
        annotations(tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"classes": [{"title": "b"}, {"title": "a"}], "tags": []}))
    assert not is_project(tmp_path)
    first = note(tmp_path / "one" / "ann" / "t10.tif.json")
    second = note(tmp_path / "two" / "ann" / "t2.png.json")
    note(tmp_path / "two" / "ann" / "._t2.png.json")
    note(tmp_path / "two" / "img_info" / "t2.png.json")
    assert is_project(tmp_path)
    assert list(annotations(tmp_path).items()) == [("t2.png", second), ("t10.tif", first)]
    assert class_names(tmp_path) == ["b", "a"]
    note(tmp_path / "one" / "ann" / "t2.png.json")
    with pytest.raises(UserError, match=r"are both annotations of 't2\.png'\. Rename the image"):
        annotations(tmp_path)
    (tmp_path / "meta.json").write_text("[]")
    with pytest.raises(UserError, match=r"meta\.json is not a file of a Supervisely project"):
        class_names(tmp_path)


def test_a_project_comes_back_pixel_by_pixel(tmp_path):
    labels = {f"cell {seed}": blobs(seed) for seed in range(20)}
    labels["empty"] = np.zeros((40, 50), "uint8")
    labels["full"] = np.full((40, 50), 9)
    labels["dot"] = np.zeros((40, 50), "uint8")
    labels["dot"][39, 49] = 1
    write_project(tmp_path / "p", ((n, np.zeros((40, 50), "uint8"), v) for n, v in labels.items()), "nucleus")
    assert is_project(tmp_path / "p")
    assert class_names(tmp_path / "p") == ["nucleus"]
    found = annotations(tmp_path / "p")
    assert set(found) == {f"{name}.png" for name in labels}
    for name, wanted in labels.items():
        objects, kinds = read_annotation(found[f"{name}.png"], (40, 50))
        assert np.array_equal(objects, numbered(wanted))
        assert kinds == ["nucleus"] * objects.max()
        assert (tmp_path / "p" / "dataset" / "img" / f"{name}.png").is_file()


def test_images_are_written_as_supervisely_shows_them(tmp_path):
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (9, 7), "uint8"), rng.integers(0, 256, (9, 7, 3), "uint8")
    deep = np.linspace(100, 5000, 10_000).reshape(100, 100).astype("uint16")
    images = {"grey": grey, "colour": colour, "one": grey[..., None], "two": colour[..., :2], "deep": deep}
    images |= {"flat": np.full((9, 7), 3.5, "float32"), "five": np.repeat(colour[..., :1], 5, 2)}
    write_project(tmp_path, ((name, image, np.zeros(image.shape[:2], int)) for name, image in images.items()))
    shown = {
        name: imagecodecs.png_decode((tmp_path / "dataset" / "img" / f"{name}.png").read_bytes()) for name in images
    }
    assert all(image.dtype == np.uint8 for image in shown.values())
    assert np.array_equal(shown["grey"], grey)
    assert np.array_equal(shown["one"], grey)
    assert np.array_equal(shown["colour"], colour)
    assert np.array_equal(shown["two"], np.dstack([colour[..., :2], np.zeros((9, 7), "uint8")]))
    assert shown["five"].shape == (9, 7, 3)
    assert not shown["flat"].any()
    assert (shown["deep"] == 0).sum() == pytest.approx(10 + 20, abs=3)  # a thousandth, and what rounds to 0
    assert (np.diff(shown["deep"].ravel().astype(int)) >= 0).all()
    assert shown["deep"].max() == 255


def test_a_project_overwrites_nothing_and_is_whole_or_absent(tmp_path):
    one = ("a", np.zeros((4, 4), "uint8"), np.zeros((4, 4), int))
    with pytest.raises(UserError, match=r"Two images are called 'a', which .* can hold only once"):
        write_project(tmp_path / "p", [one, one])
    assert list(tmp_path.iterdir()) == []
    write_project(tmp_path / "p", [one])
    with pytest.raises(UserError, match=r"meta\.json exists already \(and 1 more\) and is not overwritten"):
        write_project(tmp_path / "p", [one])


def test_planes_are_named_by_where_they_are():
    assert plane_name("cell", 0, planes=1) == "cell"
    assert plane_name("cell", 2, planes=10) == "cell_t003"
    assert plane_name("cell", 2, planes=10, depth=10) == "cell_z003"
    assert plane_name("cell", 7, planes=10, depth=5) == "cell_t002_z003"
