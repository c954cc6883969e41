"""Segmentation from masks to objects: what is trained, kept, tuned, applied, and said when something is wrong."""

import csv
import json
import re
import shutil
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
from skimage.filters import threshold_otsu

from n2seg_utils import SegmentSettings, UserError, judge_labels, train_segmenter
from n2seg_utils.cli import main
from n2seg_utils.data.imagej_rois import read_rois, write_rois
from n2seg_utils.data.images import open_image, open_images
from n2seg_utils.data.labels import open_masks
from n2seg_utils.data.samples import make_image, write_sample
from n2seg_utils.data.split import split
from n2seg_utils.data.supervisely import write_project
from n2seg_utils.learning import device
from n2seg_utils.learning.networks import unet
from n2seg_utils.learning.training import Outcome, Watcher
from n2seg_utils.models import supply, training_run, weights
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.segment_report import example_figure, judge_segmenter, write_segment_report
from n2seg_utils.models.segmenter import Segmenter

from .conftest import SMALL

BRIEF = SMALL | {"epochs": 2, "steps_per_epoch": 2}


def settings(folder, run, **more):
    return SegmentSettings(images=str(folder / "images"), masks=str(folder / "masks"), run=str(run), **(BRIEF | more))


def pairs(folder, images, masks, **options):
    """Write images and masks, 0.tif, 1.tif ..."""
    for kind, arrays in (("images", images), ("masks", masks)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number, array in enumerate(arrays):
            tifffile.imwrite(folder / kind / f"{number}.tif", array, **options)
    return folder


def nuclei(count, shape=(96, 96), name="nuclei"):
    made = [make_image(name, number, shape=shape) for number in range(count)]
    return [image for image, _, _ in made], [labels for _, _, labels in made]


def test_nuclei_are_found_and_told_apart(segmenter, sample, tmp_path):
    segmenter.predict_folder(sample / "images", tmp_path / "labels")
    scores = judge_labels(tmp_path / "labels", sample / "masks")
    assert scores["kind"] == "instances"
    assert scores["ap50"] > 0.6
    assert scores["iou"] > 0.8


def test_a_run_folder_holds_everything_and_gives_the_same_labels_again(segmenter, sample):
    run = segmenter.run
    for name in ("settings.yaml", "run.json", "weights_best.h5", "history.csv", "split.csv", "tuning.csv"):
        assert (run / name).is_file()
    facts = json.loads((run / "run.json").read_text())
    assert (facts["workflow"], facts["target"]["kind"], facts["normalisation"]["kind"]) == (
        "segment",
        "instances",
        "image",
    )
    assert next(csv.DictReader((run / "history.csv").open())).keys() >= {"epoch", "val_loss", "val_score"}
    again, image = Segmenter.load(run.path), open_image(sample / "images" / "nuclei_01.tif")
    assert again.stored == segmenter.stored
    frame, scale = image.frames(2)[0], segmenter.normalisation.for_image(image)
    np.testing.assert_array_equal(again.frame_labels(frame, scale), segmenter.frame_labels(frame, scale))


def test_the_best_epoch_is_the_one_with_the_best_score(segmenter):
    rows = segmenter.run.history()
    best = max(rows, key=lambda row: row["val_score"])
    assert segmenter.run.facts()["best_epoch"] == best["epoch"]


def test_label_images_keep_axes_and_scale_and_outlines_say_the_same(segmenter, sample, tmp_path):
    source = sample / "images" / "nuclei_02.tif"
    [result] = segmenter.predict_folder(source, tmp_path / "out", outlines=True)
    image, first = open_image(result), open_image(source)
    assert (image.axes, image.shape, image.dtype, image.calibration) == (
        first.axes,
        first.shape,
        "uint16",
        first.calibration,
    )
    labels = tifffile.imread(result)
    np.testing.assert_array_equal(read_rois(tmp_path / "out" / "nuclei_02.zip", 1, labels.shape)[0], labels)
    with pytest.raises(UserError, match="exists already"):
        segmenter.predict_folder(source, tmp_path / "out")


def test_large_images_are_segmented_by_tiles_as_if_at_once(segmenter):
    image = make_image("nuclei", 3, shape=(300, 270))[0][..., None]
    whole = segmenter.predict_probabilities(image)
    tiled = segmenter.predict_probabilities(image, tile=96)
    np.testing.assert_allclose(whole, tiled, atol=2e-5)
    np.testing.assert_allclose(whole.sum(axis=-1), 1, atol=1e-5)


def test_a_threshold_of_ones_own_is_used_and_the_tuned_one_is_kept(segmenter, sample, tmp_path):
    mine = Segmenter.load(segmenter.run.path)
    stored = mine.stored
    mine.settings = mine.settings.replace(threshold=0.99, min_size=300)
    assert mine.rule == replace(stored, threshold=0.99, min_size=300)
    [result] = mine.predict_folder(sample / "images" / "nuclei_01.tif", tmp_path / "out")
    sizes = np.bincount(tifffile.imread(result).ravel())[1:]
    assert sizes.min() >= 300
    assert Segmenter.load(segmenter.run.path).rule == stored


def test_three_classes_come_back_with_the_values_of_the_masks(tmp_path):
    images, masks = [], []
    for number in range(4):
        values = np.random.default_rng(number).normal(10, 1, (96, 96))
        mask = np.zeros((96, 96), "uint8")
        for column, value in ((8, 100), (40, 200), (72, 100)):
            mask[10 + 8 * number : 40 + 8 * number, column : column + 16] = value
        images.append((values + mask).astype("float32"))
        masks.append(mask)
    folder = pairs(tmp_path / "in", images, masks)
    model = train_segmenter(settings(folder, tmp_path / "run", epochs=6, steps_per_epoch=15))
    assert model.target.values == (0, 100, 200)
    assert model.outputs == ("background", "class 100", "class 200")
    results = model.predict_folder(folder / "images", tmp_path / "out")
    assert {tifffile.imread(result).dtype.name for result in results} == {"uint8"}
    scores = judge_labels(tmp_path / "out", folder / "masks")
    assert scores["kind"] == "classes"
    assert scores["per_class"]["100"]["iou"] > 0.8
    assert scores["per_class"]["200"]["iou"] > 0.8


def test_colour_masks_and_rgb_images_are_classes_by_number(tmp_path):
    grey, labels = nuclei(3)
    images = [np.repeat((image // 4).clip(max=255).astype("uint8")[..., None], 3, axis=-1) for image in grey]
    for number, mask in enumerate(labels):
        colours = np.zeros((*mask.shape, 3), "uint8")
        colours[mask > 0] = (255, 0, 0)
        colours[:10] = (0, 0, 255)
        (tmp_path / "in" / "masks").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / "masks" / f"{number}.png").write_bytes(imagecodecs.png_encode(colours))
    (tmp_path / "in" / "images").mkdir()
    for number, image in enumerate(images):
        tifffile.imwrite(tmp_path / "in" / "images" / f"{number}.tif", image, photometric="rgb")
    model = train_segmenter(settings(tmp_path / "in", tmp_path / "run"))
    assert model.target.names == ("background", "#0000ff", "#ff0000")
    assert model.architecture.channels == 3
    [result] = model.predict_folder(tmp_path / "in" / "images" / "1.tif", tmp_path / "out")
    assert tifffile.imread(result).shape == (96, 96)
    assert set(np.unique(tifffile.imread(result))) <= {0, 1, 2}


@pytest.mark.parametrize("method", ["border", "distance"])
def test_volumes_train_end_to_end(real_images, tmp_path, method):
    image, mask = (tifffile.imread(real_images / "stardist" / f"{kind}3d.tif") for kind in ("img", "mask"))
    assert image.ndim == 3
    cuts = [(slice(0, 24), slice(0, 32)), (slice(0, 24), slice(29, 61))]  # of 31 x 61 x 57 pixels
    folder = pairs(
        tmp_path / "in", [image[c] for c in cuts], [mask[c] for c in cuts], metadata={"axes": "ZYX"}, imagej=True
    )
    small = {"network_depth": 1, "patch_size": 32, "patch_depth": 8, "batch_size": 2, "method": method}
    model = train_segmenter(settings(folder, tmp_path / "run", epochs=4, steps_per_epoch=20, **small))
    assert (model.architecture.dims, model.architecture.outputs) == (3, 3 + (method == "distance"))
    [result] = model.predict_folder(folder / "images" / "0.tif", tmp_path / "out")
    assert (open_image(result).axes, tifffile.imread(result).shape) == ("ZYX", (24, 32, 57))
    found = judge_labels(tmp_path / "out", folder / "masks" / "0.tif")
    assert found["iou"] > 0.3
    judge_segmenter(model)
    assert write_segment_report(model).is_file()


def test_dark_membranes_are_found_better_than_by_brightness(real_images, tmp_path):
    """Otsu's threshold sees all that is dark."""
    files = sorted((real_images / "em_isbi2012" / "images").iterdir())[:8]
    images = [tifffile.imread(file) for file in files]
    masks = [tifffile.imread(file.parent.parent / "masks" / file.name) for file in files]
    folder = pairs(tmp_path / "in", [i[:256, :256] for i in images[:6]], [m[:256, :256] for m in masks[:6]])
    model = train_segmenter(
        settings(folder, tmp_path / "run", network_width=12, epochs=10, steps_per_epoch=15, patch_size=96)
    )
    assert model.target.kind == "binary"

    def iou(found, mask):
        return (found & mask).sum() / (found | mask).sum()

    ours, otsu = [], []
    for image, mask in zip(images[6:], masks[6:]):
        tifffile.imwrite(tmp_path / "one.tif", image)
        one = open_image(tmp_path / "one.tif")
        found = model.frame_labels(one.frames(2)[0], model.normalisation.for_image(one))
        ours.append(iou(found > 0, mask > 0))
        otsu.append(iou(image < threshold_otsu(image), mask > 0))
    assert np.mean(ours) > np.mean(otsu) + 0.05


def test_the_same_seed_and_steps_give_the_same_weights(tmp_path):
    folder = pairs(tmp_path / "in", *nuclei(3))
    one, two = (train_segmenter(settings(folder, tmp_path / name)) for name in ("one", "two"))
    for a, b in zip(one.network.get_weights(), two.network.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_images_without_a_mask_are_left_out_and_segmented_all_the_same(tmp_path, capsys):
    images, masks = nuclei(4)
    folder = pairs(tmp_path / "in", images, masks[:3])
    run = tmp_path / "run"
    arguments = ["train", "segment", "--images", folder / "images", "--masks", folder / "masks", "--run", run]
    arguments += [word for name, value in BRIEF.items() for word in ("--set", f"{name}={value}")]
    assert main([str(word) for word in arguments]) == 0
    said = capsys.readouterr().out
    assert "1 image without a mask: 3.tif. They are left out." in said
    assert "The masks show objects, each with its own number" in said
    assert [row["image"] for row in csv.DictReader((run / "split.csv").open())] == ["0.tif", "1.tif", "2.tif"]
    out = tmp_path / "out"
    assert (
        main(
            [*map(str, ("predict", "--run", run, "--images", folder / "images", "--out", out, "--outlines", "imagej"))]
        )
        == 0
    )
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [*(f"{n}.tif" for n in range(4)), *(f"{n}.zip" for n in range(4)), "counts.csv", "objects.csv"]
    )
    counts = list(csv.DictReader((out / "counts.csv").open()))
    for number, row in enumerate(counts):
        assert int(row["objects"]) == tifffile.imread(out / f"{number}.tif").max()
    qc = ["qc", "--labels", out, "--truth", folder / "masks", "--raw", folder / "images", "--out", tmp_path / "qc"]
    assert main([str(word) for word in qc]) == 0
    summary = json.loads((tmp_path / "qc" / "summary.json").read_text())
    assert summary["unmatched"] == ["3.tif"]
    assert {"iou", "dice", "f1", "precision", "recall", "ap50", "ap", "seg", "per_image"} <= summary.keys()


def test_a_model_that_denoises_does_not_segment_and_the_other_way_round(trained, segmenter):
    with pytest.raises(UserError, match=r"was trained to denoise, not to segment"):
        Segmenter.load(trained.run.path)
    with pytest.raises(UserError, match=r"was trained to segment, not to denoise"):
        Denoiser.load(segmenter.run.path)


def test_images_too_large_for_memory_are_learned_from_block_by_block(tmp_path, monkeypatch):
    folder = pairs(tmp_path / "in", *nuclei(3, (256, 256)))
    monkeypatch.setattr(device, "free_memory", lambda: 3_000_000)
    monkeypatch.setattr(supply, "_BLOCK", 64)
    filled = []
    stream = supply.Refill.__call__
    monkeypatch.setattr(
        supply.Refill,
        "__call__",
        lambda self, training, epoch: (filled.append(epoch), stream(self, training, epoch)),
    )
    train_segmenter(settings(folder, tmp_path / "run"))
    assert filled == [1]


# Trainings that fail


class Heard(Watcher):
    def __init__(self):
        self.words = []

    def again(self, words):
        self.words.append(words)


def collapsing(times, monkeypatch):
    """Let the first trainings find nothing but background."""
    learn, calls = training_run.learn, []

    def first_collapse(run, make, settings, *rest, **more):
        calls.append(settings)
        if len(calls) <= times:
            nothing = [{"epoch": 1, "loss": 1.0, "val_loss": 1.0, "val_score": 0.0}]
            return settings, None, Outcome(nothing, 1, "collapsed")
        return learn(run, make, settings, *rest, **more)

    monkeypatch.setattr(training_run, "learn", first_collapse)
    return calls


def test_a_training_that_finds_only_background_starts_again_more_gently_and_says_so(tmp_path, monkeypatch):
    folder, watcher = pairs(tmp_path / "in", *nuclei(3)), Heard()
    calls = collapsing(1, monkeypatch)
    wanted = settings(folder, tmp_path / "run", batch_norm=False, learning_rate=0.003, seed=5)
    model = train_segmenter(wanted, watcher)
    assert [asked.learning_rate for asked in calls] == [0.003, pytest.approx(0.001)]
    assert "found nothing but background. It starts again from another seed (6)" in watcher.words[0]
    facts = model.run.facts()
    assert facts["restarts"] == watcher.words
    assert (facts["status"], facts["network"]["batch_norm"]) == ("finished", True)
    kept = SegmentSettings.load(model.run / "settings.yaml")
    assert (kept.seed, kept.batch_norm, kept.learning_rate) == (6, True, pytest.approx(0.001))
    assert Segmenter.load(model.run.path).architecture.batch_norm


def test_a_training_that_never_finds_anything_says_so_and_leaves_no_model(tmp_path, monkeypatch):
    folder = pairs(tmp_path / "in", *nuclei(3))
    calls = collapsing(9, monkeypatch)
    with pytest.raises(UserError, match=r"nothing but background, 3 times.*in/masks"):
        train_segmenter(settings(folder, tmp_path / "run"))
    assert len(calls) == 3
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "collapsed"


def test_a_training_that_gets_no_better_ends_early(tmp_path):
    folder = pairs(tmp_path / "in", *nuclei(3))
    model = train_segmenter(settings(folder, tmp_path / "run", epochs=60, patience=1, learning_rate=1e-6))
    facts = model.run.facts()
    assert facts["status"] == "settled"
    assert facts["epochs_done"] == facts["best_epoch"] + 1 < 60


# Starting from a model


@pytest.mark.parametrize("name", ["n2v_2d", "n2v2_2d", "care_2d", "denoiseg_2d"])
def test_a_training_starts_from_old_models_and_says_what_was_loaded(real_images, tmp_path, name):
    shutil.copytree(real_images / "old_models" / name, tmp_path / "old", copy_function=shutil.copyfile)
    folder = pairs(tmp_path / "in", *nuclei(3))
    model = train_segmenter(settings(folder, tmp_path / "run", pretrained=str(tmp_path / "old"), freeze="encoder"))
    start = model.run.facts()["start"]
    assert start["new"] == ["output"], "all but the last layer fits"
    assert "down_level_0_no_0" in start["frozen"]
    assert "up_level_0_no_0" not in start["frozen"]
    first = Segmenter.load(model.run.path).network.get_layer("down_level_0_no_0").get_weights()[0]
    fresh = unet(model.architecture)
    weights.load_fitting(fresh, tmp_path / "old" / "weights_best.h5")
    np.testing.assert_array_equal(first, fresh.get_layer("down_level_0_no_0").get_weights()[0])


def test_a_training_goes_on_from_a_run_and_is_never_worse_than_it(segmenter, sample, tmp_path):
    more = {"pretrained": str(segmenter.run.path), "epochs": 1, "learning_rate": 1e-6, "patch_size": 64}
    model = train_segmenter(settings(sample, tmp_path / "run", **more))
    assert model.run.facts()["start"]["new"] == []
    score = judge_segmenter(model)["ap50"]
    assert score >= judge_segmenter(segmenter)["ap50"] - 0.1


# What is wrong is said in one sentence, and nothing is left behind


def jpeg(path, mask):
    values = np.linspace(0, 255, 37).astype("uint8")
    image = values[np.random.default_rng(0).integers(0, 37, mask.shape)]
    path.with_suffix(".jpg").write_bytes(imagecodecs.jpeg_encode(image, level=95))
    path.unlink()


BAD = {
    "another name": (
        lambda p, m: p.rename(p.parent / "other.tif"),
        r"No mask in .*masks.*0\.tif.*names of their images",
    ),
    "another size": (lambda p, m: tifffile.imwrite(p, m[:50]), r"masks/0\.tif is .*50 x 96.*same size"),
    "lossy": (jpeg, r"0\.jpg is a JPEG with \d+ grey values.*TIFF or PNG"),
    "empty": (lambda p, m: tifffile.imwrite(p, m * 0), r"All masks are empty, for example .*0\.tif.*Annotate"),
    "broken numbers": (
        lambda p, m: tifffile.imwrite(p, m * np.float32(0.3)),
        r"0\.tif holds fractions.*threshold",
    ),
    "too many objects": (
        lambda p, m: tifffile.imwrite(p, np.arange(1, 90_001, dtype="uint32").reshape(300, 300)),
        r"0\.tif has 90,000 objects.*65,535.*pieces",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_masks_are_refused_before_anything_is_trained(tmp_path, what, capsys):
    spoil, words = BAD[what]
    shape = (300, 300) if what == "too many objects" else (96, 96)
    folder = pairs(tmp_path / "in", *nuclei(1, shape))
    path = folder / "masks" / "0.tif"
    spoil(path, tifffile.imread(path))
    arguments = ["--images", str(folder / "images"), "--masks", str(folder / "masks")]
    assert main(["train", "segment", *arguments, "--run", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert re.search(words, message), message
    assert message.count("\n") == 1
    assert not (tmp_path / "run").exists()
    assert main(["check", *arguments]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_class_that_is_expected_but_never_drawn_is_named(tmp_path):
    masks = [np.where(labels > 0, 1 + labels % 2, 0).astype("uint8") for labels in nuclei(3)[1]]
    folder = pairs(tmp_path / "in", nuclei(3)[0], masks)
    with pytest.raises(UserError, match=r"expect 4 classes.*have 3.*never occurs.*classes=3"):
        train_segmenter(settings(folder, tmp_path / "run", classes=4))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"class_weights": "1, 2"}, r"class_weights has 2 numbers, but there are 3 classes"),
        ({"class_weights": "much"}, r"class_weights is 'much'.*use auto"),
        ({"freeze": "encoder"}, r"no model to start from"),
        ({"patch_size": 512}, r"patch_size is 512.*only 96 pixels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path, more, words):
    folder = pairs(tmp_path / "in", *nuclei(2))
    with pytest.raises(UserError, match=words):
        train_segmenter(settings(folder, tmp_path / "run", **more))
    assert not (tmp_path / "run").exists()


def test_an_empty_image_is_not_stretched_until_noise_looks_like_nuclei(segmenter, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "empty.tif", rng.poisson(100, (128, 128)).astype("uint16"))
    assert "empty.tif: much less contrast" in segmenter.doubts(tmp_path / "in")[0]
    [result] = segmenter.predict_folder(tmp_path / "in", tmp_path / "out")
    assert tifffile.imread(result).max() <= 2


# Pictures


def test_the_example_shows_what_was_drawn_and_what_is_found(segmenter):
    words, figure = example_figure(segmenter)
    assert words.startswith("nuclei_0")
    assert [axis.get_title() for axis in figure.axes] == ["drawn by you", "found", "right and wrong"]


def test_the_explorer_tries_thresholds_and_changes_nothing(segmenter, sample):
    from n2seg_utils.ui.label_viewer import _Explorer, browse_results

    before = {p: p.stat().st_mtime_ns for p in segmenter.run.path.rglob("*")}
    viewer = _Explorer(segmenter, sample / "images")
    first = bytes(viewer.picture.value)
    assert first.startswith(b"\x89PNG")
    assert any(title.startswith("as tuned") for title in viewer.planes())
    viewer.size.value = viewer.size.max
    assert bytes(viewer.picture.value) != first
    assert segmenter.rule == segmenter.stored
    assert {p: p.stat().st_mtime_ns for p in segmenter.run.path.rglob("*")} == before
    assert browse_results(sample / "images", sample / "masks", segmenter)


def test_a_sample_of_volumes_is_segmented_and_measured_in_micrometres(tmp_path):
    sample = write_sample("nuclei3d", tmp_path / "sample", count=2)
    from n2seg_utils.quality.measurements import measure

    objects, counts = measure(sample / "masks", sample / "images")
    assert len(objects) == sum(row["objects"] for row in counts)
    first = objects[0]
    assert first["volume_um3"] == pytest.approx(first["pixels"] * 0.2 * 0.2 * 0.6, rel=1e-4)


@pytest.mark.parametrize("target", ["instances", "binary"])
def test_results_become_masks_for_the_next_training_as_a_supervisely_project(tmp_path, target):
    images, masks = nuclei(3)
    folder = pairs(tmp_path / "in", images, masks)
    model = train_segmenter(settings(folder, tmp_path / "run", target=target, epochs=4, steps_per_epoch=10))
    out = tmp_path / "out"
    arguments = ["predict", "--run", tmp_path / "run", "--images", folder / "images", "--out", out]
    assert main([*map(str, arguments), "--outlines", "supervisely"]) == 0
    pictures = open_images(out / "supervisely" / "dataset" / "img")
    for image, mask in zip(pictures, open_masks(out / "supervisely", pictures)[0]):
        labels = tifffile.imread(out / f"{image.path.stem}.tif")
        np.testing.assert_array_equal(mask.plane(0), labels if target == "instances" else labels // 255)
    places = {"images": str(out / "supervisely" / "dataset" / "img"), "masks": str(out / "supervisely")}
    again = train_segmenter(SegmentSettings(run=str(tmp_path / "again"), **places, **BRIEF))
    assert again.target.kind == model.target.kind


def test_whoever_stops_the_tuning_keeps_the_model(tmp_path):
    def stop(share, words):
        raise KeyboardInterrupt

    folder = pairs(tmp_path / "in", *nuclei(3))
    model = train_segmenter(settings(folder, tmp_path / "run"), on_tuning=stop)
    assert Segmenter.load(model.run.path).stored == model.stored
    assert write_segment_report(model).is_file()


def test_a_2d_model_never_numbers_two_objects_of_a_stack_alike(segmenter, sample, tmp_path):
    """Nothing says that objects of different planes are one."""
    planes = [tifffile.imread(sample / "images" / f"nuclei_0{n}.tif")[:96, :96] for n in (1, 2, 3)]
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "a.tif", np.stack(planes), imagej=True, metadata={"axes": "ZYX"})
    [result] = segmenter.predict_folder(tmp_path / "in", tmp_path / "out", outlines=True)
    labels = tifffile.imread(result)
    numbers = [set(np.unique(plane[plane > 0]).tolist()) for plane in labels]
    assert all(numbers)
    assert len(set.union(*numbers)) == sum(map(len, numbers)) == labels.max()
    np.testing.assert_array_equal(read_rois(tmp_path / "out" / "a.zip", 3, (96, 96), 3), labels)


def test_masks_of_one_bit_are_read(tmp_path):
    images, masks = nuclei(3)
    folder = pairs(tmp_path / "in", images, [mask > 0 for mask in masks])
    assert tifffile.TiffFile(folder / "masks" / "0.tif").pages[0].bitspersample == 1
    assert train_segmenter(settings(folder, tmp_path / "run")).target.kind == "binary"


def test_nothing_of_a_user_is_overwritten_by_outlines_and_tables(segmenter, sample, tmp_path):
    image = sample / "images" / "nuclei_01.tif"
    for name, more in (("nuclei_01.zip", ["--outlines", "imagej"]), ("objects.csv", []), ("counts.csv", [])):
        out = tmp_path / name
        out.mkdir()
        (out / name).write_text("mine")
        arguments = ["predict", "--run", segmenter.run.path, "--images", image, "--out", out, *more]
        assert main([str(word) for word in arguments]) == 2
        assert (out / name).read_text() == "mine"
        assert [p.name for p in out.iterdir()] == [name]


def test_validation_is_judged_by_what_was_trained_even_where_its_masks_show_less(tmp_path):
    """A class that is missing from the validation masks is wrong there, not background; colours keep their numbers."""
    colours = {1: (255, 0, 0), 2: (0, 0, 255)}
    for kind in ("images", "masks"):
        (tmp_path / "in" / kind).mkdir(parents=True)
    for number in range(4):
        mask = np.zeros((96, 96), "uint8")
        mask[8:40, 8:88] = 2
        if number < 3:
            mask[56:88, 8:88] = 1
        rgb = np.zeros((96, 96, 3), "uint8")
        for value, colour in colours.items():
            rgb[mask == value] = colour
        (tmp_path / "in" / "masks" / f"{number}.png").write_bytes(imagecodecs.png_encode(rgb))
        tifffile.imwrite(tmp_path / "in" / "images" / f"{number}.tif", (100.0 * mask + number).astype("float32"))
    images = open_images(tmp_path / "in" / "images")
    seed = next(s for s in range(99) if split(images, 0.15, s, 64)[3].use == "validate")
    model = train_segmenter(settings(tmp_path / "in", tmp_path / "run", seed=seed))
    (model.run / "quality" / "labels").mkdir(parents=True)
    said = np.zeros((96, 96), "uint8")
    said[8:40, 8:88], said[56:88, 8:88] = model.target.names.index("#0000ff"), model.target.names.index("#ff0000")
    tifffile.imwrite(model.run / "quality" / "labels" / "3.tif", said)
    scores = judge_segmenter(model)
    assert scores["per_class"]["#0000ff"]["iou"] == 1
    assert scores["per_class"]["#ff0000"]["iou"] == 0


def test_a_background_of_one_is_written_as_zero_and_neither_counted_nor_scored(tmp_path):
    images, labels = nuclei(3)
    folder = pairs(tmp_path / "in", images, [1 + (mask > 0).astype("uint8") for mask in labels])
    model = train_segmenter(settings(folder, tmp_path / "run", epochs=6, steps_per_epoch=15))
    assert model.target.values == (1, 2)
    results = model.predict_folder(folder / "images", tmp_path / "out")
    assert set(np.unique(tifffile.imread(results[0]))) == {0, 2}
    assert judge_labels(tmp_path / "out", folder / "masks")["iou"] > 0.6
    assert judge_labels(folder / "masks", folder / "masks")["iou"] == 1


def test_only_one_of_images_and_masks_is_not_enough(tmp_path, monkeypatch):
    from n2seg_utils.ui.segmenting import Segmenting

    monkeypatch.chdir(tmp_path)
    folder = pairs(tmp_path / "in", *nuclei(2))
    work = Segmenting()
    work.ask_data()
    work.form.fields["images"].widget.value = str(folder / "images")
    with pytest.raises(UserError, match="but no masks"):
        work.check_data()
    work.form.fields["images"].widget.value = ""
    work.form.fields["masks"].widget.value = str(folder / "masks")
    with pytest.raises(UserError, match="but no images"):
        work.check_data()
    work.form.fields["masks"].widget.value = ""


def test_options_of_the_other_kind_of_model_are_refused(segmenter, trained, sample, tmp_path, capsys):
    for model, option in ((trained, "--threshold"), (segmenter, "--dtype")):
        value = "0.5" if option == "--threshold" else "input"
        arguments = ["predict", "--run", model.run.path, "--images", sample / "images", "--out", tmp_path / "out"]
        assert main([*map(str, arguments), option, value]) == 2
        assert f"knows no {option[2:]}" in capsys.readouterr().err


def test_outlines_and_projects_on_drive_are_copied_whole(tmp_path, monkeypatch):
    from n2seg_utils.data import drive
    from n2seg_utils.data.labels import bring_masks

    monkeypatch.setattr(drive, "MOUNT", tmp_path / "drive")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "local"))
    images, masks = nuclei(2)
    folder = pairs(tmp_path / "drive" / "mine", images, masks)
    opened = open_images(folder / "images")
    (folder / "rois").mkdir()
    for number, mask in enumerate(masks):
        write_rois(folder / "rois" / f"{number}.zip", mask)
    pictures = [(str(number), image, mask) for number, (image, mask) in enumerate(zip(images, masks))]
    write_project(folder / "project", iter(pictures))
    for kind in ("masks", "rois", "project"):
        local = bring_masks(folder / kind)
        assert tmp_path / "local" in local.parents
        for mask, expected in zip(open_masks(local, opened)[0], masks):
            np.testing.assert_array_equal(mask.plane(0) > 0, expected > 0)
    (folder / "rois" / "1.zip").unlink()
    assert [p.name for p in bring_masks(folder / "rois").iterdir()] == ["0.zip"]
