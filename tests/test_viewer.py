"""The viewer: stacks, time, channels, versions and labels in one, regions, and pictures of the size of a screen."""

import io

import ipywidgets as widgets
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import map_coordinates

from n2seg_utils.data.images import open_image
from n2seg_utils.data.targets import Target
from n2seg_utils.errors import UserError
from n2seg_utils.quality import restoration_plots
from n2seg_utils.ui.comparing import Comparing
from n2seg_utils.ui.comparison import curtain, profile
from n2seg_utils.ui.layers import drawn_in, found_in
from n2seg_utils.ui.region import Region, thinned
from n2seg_utils.ui.viewer import Versions, browse

SCREEN = 1100  # pixels that there is room for in a notebook
OBJECTS = Target("instances", why="for a test")


def write(path, pixels, axes):
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, pixels, metadata={"axes": axes}, imagej=True)
    return path


def field(box, name):
    """The field of a viewer with a description."""
    if getattr(box, "description", None) == name:
        return box
    return next(filter(None, (field(part, name) for part in getattr(box, "children", ()))), None)


def picture(box):
    [found] = [part for part in box.children if isinstance(part, widgets.Image)]
    return bytes(found.value)


@pytest.fixture
def hyperstack(tmp_path):
    """Two versions of three time points of four planes of two channels; each plane has a value of its own."""
    values = np.arange(24, dtype="uint16").reshape(3, 4, 2, 1, 1) * np.ones((20, 30), "uint16")
    return {
        title: write(tmp_path / title / "a.tif", values + k, "TZCYX").parent for k, title in enumerate(("one", "two"))
    }


def test_time_planes_and_channels_have_a_slider_each(hyperstack):
    viewer = Versions(hyperstack)
    for name, count in (("Time point", 3), ("Plane", 4)):
        slider = field(viewer.box, name)
        assert (slider.min, slider.max, slider.layout.display) == (1, count, None)
    channel = field(viewer.box, "Channel")
    assert isinstance(channel, widgets.SelectionSlider)
    assert channel.layout.display is None
    for time, plane, c in ((1, 1, 0), (2, 4, 1), (3, 2, 0)):
        viewer.time.value, viewer.plane.value, channel.index = time, plane, c
        value = (time - 1) * 8 + (plane - 1) * 2 + c
        assert {title: int(seen.max()) for title, seen in viewer.planes().items()} == {"one": value, "two": value + 1}


def test_every_field_can_be_reached_and_moved_with_the_keyboard(hyperstack):
    kinds = (widgets.Dropdown, widgets.IntSlider, widgets.SelectionSlider, widgets.FloatRangeSlider)
    name, rows, *_ = browse(hyperstack).children
    assert len(rows.children) == 7
    assert all(isinstance(field, kinds) for field in (name, *rows.children))


def test_a_region_is_seen_pixel_by_pixel_in_the_contrast_of_the_whole(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (2000, 1600)).astype("uint16")
    viewer = Versions({"image": write(tmp_path / "big" / "a.tif", pixels, "YX").parent})
    assert viewer.planes()["image"].shape == (500, 400)
    assert "Every 4th pixel is shown" in viewer.note.value
    limits, before = viewer.limits(), bytes(viewer.picture.value)
    assert viewer.region.down.layout.display == "none", "of all of an image there is no piece to choose"
    viewer.region.zoom.value = 4
    assert viewer.region.down.layout.display is None
    viewer.region.down.value, viewer.region.across.value = 100, 0
    np.testing.assert_array_equal(viewer.planes()["image"], pixels[1500:, :400])
    assert "Every" not in viewer.note.value
    assert viewer.limits() == limits
    assert bytes(viewer.picture.value) != before


@pytest.mark.parametrize(("shape", "zoom"), [((7, 5), 32), ((300, 20), 8), ((4096, 4096), 1), ((1, 9000), 2)])
def test_a_region_lies_in_the_image_and_fits_on_the_screen(shape, zoom):
    region = Region()
    region.zoom.value = zoom
    for percent in (0, 37, 100):
        region.down.value = region.across.value = percent
        seen = np.empty(shape, "uint8")[region.where(shape, 585)]
        assert min(seen.shape) > 0
        assert max(seen.shape) <= 585
        assert all(side.stop <= length for side, length in zip(region.where(shape, 585), shape))


@pytest.mark.parametrize(
    ("step", "word"), [(2, "2nd"), (3, "3rd"), (7, "7th"), (11, "11th"), (12, "12th"), (21, "21st")]
)
def test_what_is_left_out_is_said_in_english(step, word):
    assert thinned((slice(0, 99, step),) * 2) == f"Every {word} pixel is shown: zoom in to see more."


@pytest.mark.parametrize("make", [browse, curtain, profile])
def test_what_a_browser_gets_of_a_large_stack_has_the_size_of_a_screen(make, tmp_path):
    stack = np.random.default_rng(0).integers(0, 4000, (3, 2048, 2048)).astype("uint16")
    versions = {title: write(tmp_path / title / "a.tif", stack, "ZYX").parent for title in ("noisy", "denoised")}
    box = make(versions, open_image)
    for zoom in (1, 4):
        field(box, "Zoom").value = zoom
        assert max(Image.open(io.BytesIO(picture(box))).size) <= SCREEN
        assert len(picture(box)) < 2_000_000 < stack[0].nbytes


def test_of_a_mapped_file_no_more_is_read_than_is_seen(tmp_path, monkeypatch):
    stack = np.zeros((2, 3000, 3000), "uint16")
    viewer = Versions({"noisy": write(tmp_path / "noisy" / "a.tif", stack, "ZYX").parent})
    copied, asarray = [], np.asarray

    def counting(values, *more, **named):
        copied.append(np.size(values))
        return asarray(values, *more, **named)

    monkeypatch.setattr(np, "asarray", counting)
    viewer.plane.value = 1
    assert 0 < max(copied) <= viewer.side**2


def test_noisy_denoised_truth_and_labels_are_seen_in_one(tmp_path):
    rng = np.random.default_rng(0)
    drawn = np.zeros((40, 40), "uint8")
    drawn[5:15, 5:15], drawn[20:30, 20:35] = 1, 2
    for title in ("noisy", "denoised", "truth"):
        for name in ("a", "b"):
            write(tmp_path / title / f"{name}.tif", rng.integers(0, 99, (40, 40)).astype("uint8"), "YX")
        write(tmp_path / "found" / "a.tif", drawn, "YX")
        write(tmp_path / "found" / "b.tif", drawn, "YX")
    write(tmp_path / "drawn" / "a_mask.tif", drawn, "YX")
    versions = {title: tmp_path / title for title in ("noisy", "denoised", "truth")}
    labels = {"drawn by you": drawn_in(tmp_path / "drawn", OBJECTS), "found": found_in(tmp_path / "found", OBJECTS)}
    viewer = Versions(versions, labels=labels, on="denoised")
    seen = viewer.planes()
    assert list(seen) == ["noisy", "denoised", "truth", "drawn by you", "found"]
    inside, outside = seen["found"][10, 10], seen["found"][2, 2]
    assert np.ptp(inside) > 0.1, "objects are in colour"
    assert np.ptp(outside) == 0, "what is around them is grey"
    np.testing.assert_array_equal(seen["found"], seen["drawn by you"])
    viewer.name.value = "b"
    assert list(viewer.planes()) == ["noisy", "denoised", "truth", "found"], "b has no mask"
    viewer.region.zoom.value = 2
    assert {plane.shape[:2] for plane in viewer.planes().values()} == {(20, 20)}


def test_labels_without_an_image_are_seen_on_black(tmp_path):
    labels = np.zeros((30, 30), "uint16")
    labels[4:9, 4:9] = 700
    folder = write(tmp_path / "found" / "a.tif", labels, "YX").parent
    viewer = Versions({"prediction": folder}, labels={"prediction": found_in(folder, OBJECTS)})
    [seen] = viewer.planes().values()
    assert seen[0, 0].tolist() == [0, 0, 0]
    assert seen[6, 6].max() > 0.1


def test_labels_of_another_size_are_named_in_place_of_a_picture(tmp_path):
    image = write(tmp_path / "image" / "a.tif", np.ones((30, 30), "uint8"), "YX").parent
    found = write(tmp_path / "found" / "a.tif", np.ones((20, 30), "uint8"), "YX").parent
    viewer = Versions({"image": image}, labels={"found": found_in(found, OBJECTS)})
    assert not viewer.picture.value
    assert "Give the images that were segmented" in viewer.note.value
    with pytest.raises(UserError, match="20 x 30"):
        found_in(found, OBJECTS).of(open_image(image / "a.tif"))


@pytest.mark.parametrize("kind", ["labels", "denoised", "both"])
def test_the_best_of_a_comparison_is_shown_as_what_it_is(kind, tmp_path, monkeypatch):
    labels = np.zeros((30, 30), "uint16")
    labels[4:9, 4:9] = 7
    grey = np.random.default_rng(0).integers(0, 99, (30, 30)).astype("uint16")
    source, out = write(tmp_path / "source" / "a.tif", grey, "YX").parent, tmp_path / "out"
    out.mkdir()
    if kind == "both":
        write(out / "denoised" / "a.tif", grey, "YX")
        write(out / "labels" / "a.tif", labels, "YX")
    else:
        write(out / "a.tif", labels if kind == "labels" else grey, "YX")
    shown = []
    monkeypatch.setattr(
        "n2seg_utils.ui.comparing.browse", lambda *given, **more: shown.append(Versions(*given, **more))
    )
    Comparing().viewer(source, out)
    titles = {"labels": ["image", "found"], "denoised": ["noisy", "denoised"], "both": ["image", "denoised", "found"]}
    assert list(shown[0].planes()) == titles[kind]


def test_a_curtain_uncovers_labels_over_grey_values(tmp_path):
    image = write(tmp_path / "image" / "a.tif", np.full((30, 30), 9, "uint8"), "YX").parent
    found = write(tmp_path / "found" / "a.tif", np.ones((30, 30), "uint8"), "YX").parent
    box = curtain({"image": image}, open_image, {"found": found_in(found, OBJECTS)})
    assert field(box, "Right").options == ("image", "found")
    assert picture(box).startswith(b"\x89PNG")


def test_grey_values_along_a_line_are_those_between_the_pixels():
    plane = np.random.default_rng(0).normal(size=(40, 50))
    line = (3.2, 4.9), (38.7, 48.1)
    figure = restoration_plots.line_on({"raw": plane}, line)
    drawn = figure.axes[-1].lines[0].get_ydata()
    steps = np.linspace(0, 1, len(drawn))
    places = [a + (b - a) * steps for a, b in zip(*line)]
    np.testing.assert_allclose(drawn, map_coordinates(plane, places, order=1, mode="nearest"))


def test_the_line_lies_where_it_is_in_a_region():
    plane = np.zeros((40, 50))
    where = slice(10, 30, 2), slice(20, 40, 2)
    figure = restoration_plots.line_on({"raw": plane[where]}, ((10, 20), (30, 40)), planes={"raw": plane}, where=where)
    line = figure.axes[0].lines[0]
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([0, 10], [0, 10])
