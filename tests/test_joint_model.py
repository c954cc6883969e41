"""What a joint model makes of images: denoised ones and labels, of our runs and of DenoiSeg's folders."""

import json
import shutil

import numpy as np
import pytest
import roifile
import tifffile

from n2seg_utils import UserError, judge_labels
from n2seg_utils.data.images import open_image
from n2seg_utils.learning import device
from n2seg_utils.learning.networks import unet
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.joint import JointModel
from n2seg_utils.models.joint_training import JointWork, train_joint
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.settings import JointSettings

from .conftest import SMALL
from .test_joint_training import BRIEF, nuclei, of_kind, written

NAMES = [f"nuclei_0{number}" for number in (1, 2, 3, 4)]


@pytest.fixture(scope="session")
def few(sample, tmp_path_factory):
    """The sample with masks for two of its four images."""
    folder = tmp_path_factory.mktemp("few")
    shutil.copytree(sample / "images", folder / "images")
    (folder / "masks").mkdir()
    for name in (NAMES[0], NAMES[2]):
        shutil.copy(sample / "masks" / f"{name}.tif", folder / "masks")
    return folder


def settings(folder, run, **more):
    chosen = SMALL | {"schedule": "constant"} | more  # one network for both; of two in turn, see test_in_turn.py
    return JointSettings(images=str(folder / "images"), masks=str(folder / "masks"), run=str(run), **chosen)


@pytest.fixture(scope="session")
def joint(few, tmp_path_factory):
    """A joint model that was trained for some seconds."""
    more = {"batch_size": 8, "patch_size": 48, "learning_rate": 0.002}
    return train_joint(settings(few, tmp_path_factory.mktemp("runs") / "joint", **more))


@pytest.fixture(scope="session")
def predicted(joint, few, tmp_path_factory):
    """What that model makes of all images of the sample."""
    out = tmp_path_factory.mktemp("out") / "all"
    return out, joint.predict_folder(few / "images", out)


def test_two_masks_are_enough_to_find_nuclei_and_noise_becomes_less(predicted, sample):
    out, _ = predicted
    scores = judge_labels(out / "labels", sample / "masks")
    assert (scores["kind"], len(scores["per_image"])) == ("instances", 4)
    assert scores["iou"] > 0.5
    for name in NAMES:
        noisy = tifffile.imread(sample / "images" / f"{name}.tif").astype(float)
        denoised = tifffile.imread(out / "denoised" / f"{name}.tif")
        dark = tifffile.imread(sample / "masks" / f"{name}.tif")[:, 1:] == 0
        assert np.diff(denoised)[dark].std() < 0.6 * np.diff(noisy)[dark].std()


def test_denoised_images_have_the_brightness_and_contrast_of_theirs(predicted, few):
    for name in NAMES:
        noisy = tifffile.imread(few / "images" / f"{name}.tif").astype(float)
        denoised = tifffile.imread(predicted[0] / "denoised" / f"{name}.tif")
        assert abs(denoised.mean() - noisy.mean()) < 0.15 * noisy.std()
        slope = np.polyfit(noisy.ravel(), denoised.ravel(), 1)[0]
        assert 0.5 < slope < 1.1


def test_both_results_have_names_axes_and_scale_of_their_image(predicted, few):
    out, results = predicted
    assert results == [out / "labels" / f"{name}.tif" for name in NAMES]
    assert sorted(p.name for p in out.iterdir()) == ["denoised", "labels"]
    for kind, dtype in (("denoised", "float32"), ("labels", "uint16")):
        assert sorted(p.name for p in (out / kind).iterdir()) == [f"{name}.tif" for name in NAMES]
        for name in NAMES:
            one, first = open_image(out / kind / f"{name}.tif"), open_image(few / "images" / f"{name}.tif")
            assert (one.axes, one.shape, one.dtype) == (first.axes, first.shape, dtype)
            assert one.calibration == first.calibration


def test_denoised_images_come_in_the_type_of_theirs_if_asked_for(predicted, joint, few, tmp_path):
    joint.predict_folder(few / "images" / "nuclei_02.tif", tmp_path / "out", dtype="input")
    whole = tifffile.imread(tmp_path / "out" / "denoised" / "nuclei_02.tif")
    assert whole.dtype == "uint16"
    exact = tifffile.imread(predicted[0] / "denoised" / "nuclei_02.tif")
    np.testing.assert_allclose(whole, exact, atol=0.5001)


def test_a_stack_is_done_plane_by_plane_in_both_results(joint, predicted, few, tmp_path):
    planes = [tifffile.imread(few / "images" / f"{name}.tif") for name in NAMES[:3]]
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "a.tif", np.stack(planes), imagej=True, metadata={"axes": "TYX"})
    [result] = joint.predict_folder(tmp_path / "in", tmp_path / "out", outlines=True)
    assert result.with_suffix(".zip").is_file()
    for kind in ("labels", "denoised"):
        stack = open_image(tmp_path / "out" / kind / "a.tif")
        assert (stack.axes, stack.shape) == ("TYX", (3, 256, 256))
    model, scale = joint, joint.normalisation.for_image(open_image(tmp_path / "in" / "a.tif"))
    for plane, denoised in zip(planes, tifffile.imread(tmp_path / "out" / "denoised" / "a.tif")):
        expected, _ = model.predict_both(plane[..., None], scale)
        np.testing.assert_allclose(denoised, expected[..., 0], rtol=1e-4)


def test_several_channels_are_denoised_each_at_its_own_brightness_and_labels_have_one(tmp_path):
    folder = of_kind(tmp_path / "in", "two_channels", (64, 64))
    model = knows(
        JointWork(settings(folder, tmp_path / "run", **(BRIEF | {"target": "instances"}))), [0.25, 0.75, -9, 9, -9]
    )
    [result] = model.predict_folder(folder / "images" / "1.tif", tmp_path / "out")
    image, denoised = open_image(folder / "images" / "1.tif"), open_image(tmp_path / "out" / "denoised" / "1.tif")
    assert (denoised.axes, denoised.shape) == ("CYX", (2, 64, 64))
    scale = model.normalisation.for_image(image)
    for channel, (low, high, share) in enumerate(zip(*scale.limits, (0.25, 0.75))):
        np.testing.assert_allclose(tifffile.imread(denoised.path)[channel], low + (high - low) * share, rtol=1e-5)
    np.testing.assert_array_equal(tifffile.imread(result), np.ones((64, 64)), "one object, which is the whole image")


# What comes out of the network


def knows(work, answers):
    """The model of a work, with a network that answers the same everywhere."""
    device.seed_weights(1)
    model = work.model
    model.network = unet(model.architecture)
    kernel, bias = model.network.get_layer("output").get_weights()
    assert len(bias) == len(answers)
    model.network.get_layer("output").set_weights([kernel * 0, np.array(answers, "float32")])
    return model


KINDS = {
    "objects": ("nuclei", {}, 3),
    "distances": ("nuclei", {"method": "distance"}, 4),
    "two channels": ("two_channels", {}, 3),
    "two channels with distances": ("two_channels", {"method": "distance"}, 4),
    "classes": ("nuclei", {}, 4),
    "classes in two channels": ("two_channels", {}, 4),
    "volumes": ("nuclei3d", {}, 3),
    "volumes with distances": ("nuclei3d", {"method": "distance", "patch_depth": 8}, 4),
}


@pytest.mark.parametrize("what", KINDS)
def test_denoised_channels_and_classes_are_never_mixed_up(tmp_path, what):
    name, more, count = KINDS[what]
    classes = "classes" in what
    folder = of_kind(tmp_path / "in", name, (8, 40, 40) if "3d" in name else (64, 64), 4 if classes else 0)
    more = {"target": "classes" if classes else "instances"} | more
    work = JointWork(settings(folder, tmp_path / "run", **(BRIEF | more)))
    channels = 2 if name == "two_channels" else 1
    denoised, logits = [0.25, 0.75][:channels], np.array([3.0, -1, 1, 0.5][:count])
    model = knows(work, [*denoised, *logits])
    assert (model.architecture.outputs, len(model.outputs)) == (channels + count, count)
    image = open_image(folder / "images" / "0.tif")
    scale, frame = model.normalisation.for_image(image), image.frames(model.architecture.dims)[0]
    values = frame.read(*(slice(None),) * frame.dims)
    restored, found = model.predict_both(values, scale)
    low, high = scale.limits
    expected = low + (high - low) * denoised
    assert restored.shape == values.shape
    np.testing.assert_allclose(restored, np.broadcast_to(expected, values.shape), rtol=1e-5)
    kinds = count - ("distances" in what)
    chances = np.exp(logits[:kinds]) / np.exp(logits[:kinds]).sum()
    np.testing.assert_allclose(found, np.broadcast_to([*chances, *logits[kinds:]], found.shape), rtol=1e-5)
    np.testing.assert_array_equal(model.predict_probabilities(values, scale), found)


@pytest.mark.parametrize("method", ["border", "distance"])
def test_probabilities_are_finite_however_sure_the_network_is(tmp_path, method):
    folder = of_kind(tmp_path / "in", "nuclei", (64, 64))
    work = JointWork(settings(folder, tmp_path / "run", **(BRIEF | {"target": "instances", "method": method})))
    model = knows(work, [0.5, -1000, 1000, 0, *[0.5] * (method == "distance")])
    _, found = model.predict_both(tifffile.imread(folder / "images" / "0.tif")[..., None])
    np.testing.assert_array_equal(found[0, 0, :3], [0, 1, 0])
    assert np.isfinite(found).all()
    assert np.isfinite(
        float(work.loss(work.model.settings)(np.ones((1, 8, 8, 2), "float32"), found[None, :8, :8] * 1e3))
    )


# Nothing is overwritten, and what was cut off goes on


@pytest.mark.parametrize("kind", ["labels", "denoised"])
def test_nothing_that_is_there_is_overwritten(joint, few, tmp_path, kind):
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "nuclei_02.tif").write_text("mine")
    with pytest.raises(UserError, match=rf"{kind}.nuclei_02\.tif exists already"):
        joint.predict_folder(few / "images", tmp_path)
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")] == [f"{kind}/nuclei_02.tif"]
    assert (tmp_path / kind / "nuclei_02.tif").read_text() == "mine"


def test_what_was_cut_off_is_gone_on_with_until_both_results_are_there(joint, predicted, few, tmp_path):
    """Of the first image all is done, of the second only the denoised one, which is written first."""
    done = {"labels": NAMES[:1], "denoised": NAMES[:2]}
    for kind, names in done.items():
        (tmp_path / kind).mkdir()
        for name in names:
            shutil.copy(predicted[0] / kind / f"{name}.tif", tmp_path / kind)
    first = tmp_path / "labels" / "nuclei_01.tif"
    before = first.stat().st_mtime_ns
    joint.predict_folder(few / "images", tmp_path, keep_existing=True)
    assert first.stat().st_mtime_ns == before, "not done again"
    for kind in done:
        assert sorted(p.name for p in (tmp_path / kind).iterdir()) == [f"{name}.tif" for name in NAMES]
        for name in NAMES:
            one, other = (tifffile.imread(folder / kind / f"{name}.tif") for folder in (tmp_path, predicted[0]))
            np.testing.assert_allclose(one, other, rtol=1e-5)


def test_what_was_taken_away_is_made_again_and_what_is_there_is_left_alone(joint, predicted, few, tmp_path):
    for kind in ("labels", "denoised"):
        shutil.copytree(predicted[0] / kind, tmp_path / kind)
    (tmp_path / "denoised" / "nuclei_02.tif").unlink()
    (tmp_path / "labels" / "nuclei_03.tif").unlink()
    left = [p for p in sorted(tmp_path.rglob("*.tif")) if p.stem != "nuclei_04"]
    corrected = tmp_path / "labels" / "nuclei_02.tif"
    tifffile.imwrite(corrected, np.ones((256, 256), "uint16"))
    before = {path: path.read_bytes() for path in left}
    joint.predict_folder(few / "images", tmp_path, keep_existing=True, outlines=True)
    for kind in ("labels", "denoised"):
        assert sorted(p.stem for p in (tmp_path / kind).glob("*.tif")) == NAMES
    assert {path: path.read_bytes() for path in left} == before
    assert len(roifile.roiread(corrected.with_suffix(".zip"))) == 1, "outlines are of the labels that are there"


def test_a_prediction_that_fails_leaves_neither_result(joint, few, tmp_path, monkeypatch):
    monkeypatch.setattr(type(joint), "find", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        joint.predict_folder(few / "images" / "nuclei_01.tif", tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


# The model


def test_a_model_predicts_the_same_when_it_is_loaded_again(joint, predicted, few):
    again = JointModel.load(joint.run.path)
    assert (again.stored, again.target, again.outputs) == (joint.stored, joint.target, joint.outputs)
    assert (again.normalisation.kind, again.architecture) == (joint.normalisation.kind, joint.architecture)
    image = open_image(few / "images" / "nuclei_04.tif")
    frame, scale = image.frames(2)[0], again.normalisation.for_image(image)
    values = frame.read(slice(None), slice(None))
    for one, other in zip(again.predict_both(values, scale), joint.predict_both(values, scale)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        again.frame_labels(frame, scale), tifffile.imread(predicted[0] / "labels" / "nuclei_04.tif")
    )


def test_a_piece_is_predicted_as_in_the_whole_image_and_so_are_tiles(joint, predicted, few):
    image = open_image(few / "images" / "nuclei_03.tif")
    values, scale = image.plane(0), joint.normalisation.for_image(image)
    whole = joint.predict_both(values, scale)
    span = np.ptp(whole[0])
    np.testing.assert_allclose(
        whole[0][..., 0], tifffile.imread(predicted[0] / "denoised" / "nuclei_03.tif"), rtol=1e-5
    )
    for rows, columns in ((slice(70, 131), slice(101, 160)), (slice(0, 40), slice(200, 256))):
        noisy, denoised, found = joint.predict_crop_both(image, 0, rows, columns)
        np.testing.assert_array_equal(noisy, values[rows, columns])
        np.testing.assert_allclose(denoised, whole[0][rows, columns], atol=1e-4 * span)
        np.testing.assert_allclose(found, whole[1][rows, columns], atol=1e-4)
    tiled = joint.predict_both(values, scale, tile=96)
    np.testing.assert_allclose(tiled[0], whole[0], atol=1e-4 * span)
    np.testing.assert_allclose(tiled[1], whole[1], atol=1e-4)


def test_images_may_be_denoised_alone(joint, predicted, few, tmp_path):
    joint.denoise_file(open_image(few / "images" / "nuclei_01.tif"), tmp_path / "one.tif")
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "one.tif"), tifffile.imread(predicted[0] / "denoised" / "nuclei_01.tif")
    )
    assert [p.name for p in tmp_path.iterdir()] == ["one.tif"]


def test_only_annotated_images_tune_the_labels(joint):
    """Of what validates, one image has a mask: what is found on the other is neither right nor wrong."""
    facts = joint.run.facts()
    assert facts["tuned_on"] == 1
    assert facts["tuning_score"] > 0.05


def test_models_of_another_kind_are_refused_with_what_they_are(joint, trained, segmenter):
    for kind in (Segmenter, Denoiser):
        with pytest.raises(UserError, match="was trained to"):
            kind.load(joint.run.path)
    for other in (trained, segmenter):
        with pytest.raises(UserError, match="was trained to"):
            JointModel.load(other.run.path)


# Folders of DenoiSeg


@pytest.fixture
def old(real_images, tmp_path):
    """A copy of a folder that DenoiSeg wrote."""
    folder = tmp_path / "old"
    shutil.copytree(real_images / "old_models" / "denoiseg_2d", folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def test_a_folder_of_denoiseg_predicts_what_denoiseg_predicted(old, tmp_path):
    image, expected = (tifffile.imread(old / "io" / f"{what}.tif") for what in ("input", "expected"))
    before = {p: p.read_bytes() for p in old.rglob("*") if p.is_file()}
    model = JointModel.load(old)
    assert model.outputs == ("background", "inside", "border")
    denoised, found = model.predict_both(image[..., None])
    np.testing.assert_allclose(denoised[..., 0], expected[..., 0], atol=1e-4 * np.ptp(expected[..., 0]))
    chances = np.exp(expected[..., 1:].astype(float))
    chances /= chances.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, chances, atol=1e-4)
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in" / "one.tif", image)
    assert model.doubts(tmp_path / "in") == []
    [result] = model.predict_folder(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(tifffile.imread(result), model.find(found))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out" / "denoised" / "one.tif"), denoised[..., 0], atol=1e-3)
    assert {p: p.read_bytes() for p in old.rglob("*") if p.is_file()} == before, "and nothing is written into it"


def test_a_folder_of_denoiseg_is_still_no_denoiser_and_one_of_n2v_no_joint_model(old, real_images):
    with pytest.raises(UserError, match=r"old holds a DenoiSeg model"):
        Denoiser.load(old)
    with pytest.raises(UserError, match="was trained to denoise"):
        JointModel.load(real_images / "old_models" / "n2v_2d")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(folder, **keys):
    config = json.loads((folder / "config.json").read_text()) | keys
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


DAMAGE = {
    "no weights": (lambda f: [p.unlink() for p in f.glob("*.h5")], r"has no weights_best\.h5"),
    "weights cut short": (lambda f: cut(f / "weights_best.h5"), r"weights_best\.h5 is damaged"),
    "a configuration cut short": (lambda f: cut(f / "config.json"), "damaged|not the folder|was trained to"),
    "another depth": (lambda f: change(f, unet_n_depth=3), r"weights_best\.h5 is damaged"),
    "other outputs": (lambda f: change(f, n_channel_out=3), r"weights_best\.h5 is damaged"),
    "no means": (lambda f: change(f, means=None), r"config\.json is damaged"),
    "a missing key": (lambda f: change(f, unet_n_first=None), r"config\.json is damaged"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_folder_of_denoiseg_is_named_with_its_file(old, what):
    damage, words = DAMAGE[what]
    damage(old)
    with pytest.raises(UserError, match=words):
        JointModel.load(old)


def test_a_damaged_run_is_named_with_its_file(joint, tmp_path):
    for name in ("weights_best.h5", "run.json"):
        run = tmp_path / name
        shutil.copytree(joint.run.path, run)
        cut(run / name)
        with pytest.raises(UserError, match=rf"{name} is damaged"):
            JointModel.load(run)


# Starting from a model


@pytest.mark.parametrize("start", ["denoiser", "segmenter", "joint", "DenoiSeg"])
def test_a_training_starts_from_models_of_any_kind_and_says_what_was_loaded(start, request, tmp_path):
    """Only a joint model lends its last layer: that of others says something else."""
    fixture = {"denoiser": "trained", "segmenter": "segmenter", "joint": "joint"}.get(start)
    source = request.getfixturevalue(fixture) if fixture else JointModel.load(request.getfixturevalue("old"))
    folder = written(tmp_path / "in", *nuclei(2, (64, 64)))
    more = {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-6, "target": "instances", "patch_size": 32}
    model = train_joint(settings(folder, tmp_path / "run", pretrained=str(source.run.path), **more))
    told = model.run.facts()["start"]
    assert told["new"] == ([] if start in ("joint", "DenoiSeg") else ["output"])
    assert model.architecture.outputs == 4
    assert (model.architecture.depth, model.architecture.width) == (
        source.architecture.depth,
        source.architecture.width,
    )
    for layer in told["loaded"]:
        if "batch_norm" not in layer:
            one, other = (some.network.get_layer(layer).get_weights()[0] for some in (model, source))
            np.testing.assert_allclose(one, other, atol=1e-5, err_msg=layer)
    kept = JointModel.load(model.run.path).network.get_weights()
    for one, other in zip(kept, model.network.get_weights()):
        np.testing.assert_array_equal(one, other)
