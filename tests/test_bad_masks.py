"""Whatever is wrong with masks: named, with a remedy, before anything is trained."""

import json
import zipfile

import imagecodecs
import numpy as np
import pytest
from roifile import ImagejRoi

from .refusals import noise, write

SIDE = 64


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Two images to annotate."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        write(tmp_path / "images" / f"cell_{number}.tif", noise(SIDE, SIDE, seed=number))


def drawn(value=1, side=SIDE, dtype="uint8"):
    pixels = np.zeros((side, side), dtype)
    pixels[8:24, 8:24] = value
    return pixels


def masks(*pixels, name="cell_{}.tif", **options):
    """A folder of masks, one for each image."""

    def make(folder):
        for number, mask in enumerate(pixels, 1):
            write(folder / name.format(number), mask, **options)

    return make


def files(**data):
    """A folder of files of some bytes; their names have - in place of the dot."""

    def make(folder):
        folder.mkdir()
        for name, content in data.items():
            (folder / name.replace("-", ".")).write_bytes(content)

    return make


def jpeg(folder):
    smooth = np.clip(np.arange(SIDE)[None] * 4 + np.zeros((SIDE, 1)), 0, 255).astype("uint8")
    files(**{"cell_1-jpg": imagecodecs.jpeg_encode(smooth)})(folder)


def rois(*outlines, keep=1.0, **options):
    """A set of ROIs, of which a part is kept."""

    def make(folder):
        folder.mkdir()
        path = folder / "cell_1.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number, outline in enumerate(outlines):
                roi = ImagejRoi.frompoints(np.array(outline, "float32"))
                archive.writestr(f"{number}.roi", roi.tobytes())
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return make


def archive(**entries):
    def make(folder):
        folder.mkdir()
        with zipfile.ZipFile(folder / "cell_1.zip", "w") as file:
            for name, data in entries.items():
                file.writestr(name.replace("-", "."), data)

    return make


def project(meta=None, annotation=None):
    """A Supervisely project; texts are written as they are."""
    found = {
        "meta.json": {"classes": [{"title": "cell", "shape": "polygon"}]} if meta is None else meta,
        "set/ann/cell_1.tif.json": {"size": {"height": SIDE, "width": SIDE}, "objects": [outlined()]}
        if annotation is None
        else annotation,
    }

    def make(folder):
        for name, content in found.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))

    return make


def outlined(kind="polygon", start=4):
    corners = [[start, start], [start + 20, start], [start + 20, start + 20]]
    return {"classTitle": "cell", "geometryType": kind, "points": {"exterior": corners, "interior": []}}


def annotated(side=SIDE, **entry):
    return {"size": {"height": side, "width": side}, "objects": [outlined(**entry)]}


SQUARE = [(4, 4), (20, 4), (20, 20), (4, 20)]
MASKS = {
    "a missing folder": (lambda folder: None, "no folder or file masks"),
    "an empty folder": (lambda folder: folder.mkdir(), "masks is empty"),
    "masks of other images": (masks(drawn(), name="other_{}.tif"), "No mask in masks", "cell_1.tif", "other_1.tif"),
    "two masks of one image": (
        lambda f: masks(drawn())(f) or masks(drawn(), name="cell_{}_mask.tif")(f),
        "cell_1.tif",
        "cell_1_mask.tif",
        "Remove one",
    ),
    "two masks of one name": (
        lambda f: masks(drawn())(f) or (f / "cell_1.png").write_bytes(imagecodecs.png_encode(drawn())),
        "cell_1.png",
        "cell_1.tif",
        "Remove one",
    ),
    "a mask of another size": (masks(drawn(side=63)), "cell_1.tif", "63 x 63", "64 x 64"),
    "a mask with more planes": (masks(np.stack([drawn()] * 5)), "cell_1.tif", "64 x 64"),
    "masks in which nothing is drawn": (masks(drawn(0), drawn(0)), "cell_1.tif", "nothing is drawn"),
    "masks without background": (masks(drawn(0) + 3, drawn(0) + 3), "cell_1.tif", "there is no background"),
    "broken numbers": (masks(drawn(0.5, dtype="float32")), "cell_1.tif", "0.5", "Apply a threshold"),
    "values that are no numbers": (masks(drawn(np.nan, dtype="float32")), "cell_1.tif", "NaN"),
    "numbers that are too large": (masks(drawn(2**40, dtype="uint64")), "cell_1.tif", "Renumber"),
    "complex numbers": (masks(drawn(1, dtype="complex64")), "cell_1.tif", "complex64"),
    "two channels": (masks(np.stack([drawn()] * 2), imagej=True, metadata={"axes": "CYX"}), "cell_1.tif", "2 channels"),
    "a photo in colours": (
        masks(noise(SIDE, SIDE, 3, dtype="uint8"), photometric="rgb"),
        "cell_1.tif",
        "colours",
    ),
    "colours of 16 bit": (masks(noise(SIDE, SIDE, 3), photometric="rgb"), "cell_1.tif", "RGB of 8 bit"),
    "a JPEG": (jpeg, "cell_1.jpg is a JPEG", "TIFF or PNG"),
    "an image given as mask": (masks(noise(SIDE, SIDE, seed=1)), "cell_1.tif"),
    "the images given as masks": (
        masks(noise(SIDE, SIDE, seed=1), noise(SIDE, SIDE, seed=2)),
        "its pixels are those of the image cell_1.tif",
    ),
    "an empty file": (files(**{"cell_1-tif": b""}), "cell_1.tif is damaged: it is empty"),
    "a mask that was cut short": (files(**{"cell_1-tif": b"II*\0\x08\0\0\0"}), "cell_1.tif"),
    "a ROI set that was cut short": (rois(SQUARE, keep=0.6), "cell_1.zip"),
    "a ROI set that is a web page": (files(**{"cell_1-zip": b"<html>"}), "cell_1.zip"),
    "an empty file as ROI set": (files(**{"cell_1-zip": b""}), "cell_1.zip"),
    "an archive of other things": (archive(**{"notes-txt": b"x"}), "cell_1.zip", "notes.txt", "ROI Manager"),
    "a ROI that is none": (archive(**{"0001-roi": b"Iout"}), "cell_1.zip"),
    "a ROI beside the image": (rois([(900, 900), (920, 900), (920, 920)]), "cell_1.zip"),
    "a project whose meta.json is broken": (project(meta='{"classes": ['), "meta.json", "Export the project again"),
    "a project whose meta.json is a list": (project(meta="[]"), "meta.json", "Export the project again"),
    "a project whose annotation is broken": (project(annotation="{"), "cell_1.tif.json", "Export the project again"),
    "an annotation without a size": (project(annotation='{"objects": []}'), "cell_1.tif.json", "Export"),
    "an annotation of another size": (project(annotation=annotated(side=50)), "cell_1.tif.json", "50 x 50"),
    "an annotation that is no area": (project(annotation=annotated(kind="point")), "cell_1.tif.json", "no area"),
    "an annotation beside the image": (project(annotation=annotated(start=900)), "cell_1.tif.json", "outside"),
    "an annotation that is text": (project(annotation='"cell"'), "cell_1.tif.json", "Export"),
}


@pytest.mark.parametrize("what", MASKS)
def test_masks_that_cannot_be_used_are_named(what, refused, tmp_path):
    make, *words = MASKS[what]
    make(tmp_path / "masks")
    said = refused("check", "--images", "images", "--masks", "masks")
    assert all(word in said for word in words), said


@pytest.mark.parametrize("what", ["masks of other images", "a ROI set that was cut short", "a mask of another size"])
@pytest.mark.parametrize("workflow", ["segment", "joint"])
def test_masks_that_cannot_be_used_stop_training_before_it_begins(what, workflow, refused, tmp_path):
    make, *words = MASKS[what]
    make(tmp_path / "masks")
    said = refused("train", workflow, "--images", "images", "--masks", "masks", "--run", "run")
    assert all(word in said for word in words), said


@pytest.mark.parametrize("what", ["a missing folder", "masks of other images", "a mask of another size", "a JPEG"])
def test_masks_that_cannot_be_used_judge_no_labels(what, refused, tmp_path):
    MASKS[what][0](tmp_path / "masks")
    masks(drawn(), drawn())(tmp_path / "labels")
    refused("qc", "--labels", "labels", "--truth", "masks", "--out", "qc")


@pytest.mark.parametrize("command", [["check"], ["train", "segment", "--run", "run"]])
def test_a_kind_of_mask_that_there_is_not(command, refused, tmp_path):
    masks(drawn(), drawn())(tmp_path / "masks")
    flag = ["--target", "shapes"] if command[0] == "check" else ["--set", "target=shapes"]
    said = refused(*command, "--images", "images", "--masks", "masks", *flag)
    assert "shapes" in said
    assert all(kind in said for kind in ("binary", "classes", "instances"))
