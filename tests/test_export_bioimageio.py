"""A model in a BioImage.IO package passes that project's own test, and gives the pixels that it gives here."""

import shutil
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest

from n2seg_utils import DenoiseSettings, JointSettings, SegmentSettings, UserError, train_denoiser
from n2seg_utils.cli import main
from n2seg_utils.data.images import open_image
from n2seg_utils.data.normalisation import Normalisation, Percentiles
from n2seg_utils.data.targets import Target
from n2seg_utils.exchange import about as descriptions
from n2seg_utils.exchange import trial
from n2seg_utils.exchange.bioimageio import person, write_bioimageio
from n2seg_utils.exchange.export import export
from n2seg_utils.exchange.opening import load
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models.denoiser import Denoiser
from n2seg_utils.models.joint import JointModel
from n2seg_utils.models.run_folder import RunFolder
from n2seg_utils.models.segmenter import Segmenter
from n2seg_utils.settings import ExportSettings

from .conftest import TINY

core = pytest.importorskip("bioimageio.core")

NAMED = ExportSettings(name="A test model", authors="Ada Lovelace (London); Max Perutz", licence="cc0-1.0")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """BioImage.IO unzips weights into the working folder, and sets the backend of Keras for all that follows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")


def scale(kind, workflow, channels):
    """Scalings whose numbers differ from channel to channel."""
    typical = np.arange(1, channels + 1) * 40.0
    if workflow == "denoise":
        return Normalisation(kind, tuple(2 * typical), tuple(typical))
    zero, one = (0.2, 0.7) if workflow == "joint" else (0.0, 1.0)
    return Percentiles(kind, tuple(typical), tuple(5 * typical), tuple(0.5 * typical), zero, one)


def made(tmp_path, workflow, dims=2, channels=1, kind="dataset", target="instances", method="border", **network):
    """A model with weights that no one has trained, in a folder of its own."""
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.note(workflow=workflow, epochs_done=1, best_epoch=1)
    run.write_table("split.csv", [{"image": "a", "use": "train", "region": "all"}])
    common = {"dimensions": f"{dims}d", "patch_depth": 8 if dims == 3 else None, "patch_size": 16, "batch_size": 4}
    common |= {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-3}
    common |= {"masked_percent": 8, "manipulator": "uniform_withCP"} if workflow != "segment" else {}
    target = Target(target, values=(0, 1, 2) if target == "classes" else ())
    kinds = {"denoise": None, "instances": 3 + (method == "distance"), "classes": 3}
    outputs = kinds["denoise" if workflow == "denoise" else target.kind]
    if workflow == "joint":
        outputs += channels
    network = {"depth": 2, "width": 4, **network}
    architecture = Architecture(dims=dims, channels=channels, outputs=outputs, **network)
    keras.utils.set_random_seed(1)
    arguments = (unet(architecture), architecture)
    normalisation = scale(kind, workflow, channels)
    if architecture.smooth:
        normalisation = replace(normalisation, blur=architecture.smooth)
    if workflow == "denoise":
        return Denoiser(*arguments, DenoiseSettings(**common), normalisation, run)
    if workflow == "segment":
        return Segmenter(*arguments, SegmentSettings(method=method, **common), normalisation, run, target)
    schedule = "in_turn" if architecture.in_turn else "constant"
    return JointModel(*arguments, JointSettings(method=method, schedule=schedule, **common), normalisation, run, target)


def image(dims, channels, seed=0):
    """Noise with bright spots, brighter from channel to channel, (Y, X, C) or (Z, Y, X, C)."""
    shape = (8, 32, 48)[-dims:]
    pixels = np.random.default_rng(seed).gamma(2, 40, (*shape, channels)) * np.arange(1, channels + 1)
    return pixels.astype("float32")


def predicted(package, pixels, weights=None):
    """What BioImage.IO's own library makes of an image."""
    pipeline = core.create_prediction_pipeline(core.load_model_description(package), weight_format=weights)
    sample = core.predict(model=pipeline, inputs={"input": pixels[None]})
    [found] = sample.members.values()
    return found.data.to_numpy()[0]


def require_same(found, expected):
    """Equal to 1e-4 of the range."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.ptp(expected))


KINDS = {
    "denoise": {"workflow": "denoise"},
    "denoise, each image by itself": {"workflow": "denoise", "kind": "image", "channels": 2},
    "denoise, channels apart": {"workflow": "denoise", "channels": 2, "together": False, "narrow_decoder": True},
    "n2v2": {"workflow": "denoise", "blur_pool": True, "top_skip": False, "narrow_decoder": True, "batch_norm": True},
    "denoise volumes": {"workflow": "denoise", "dims": 3, "channels": 2, "pool_z": 1},
    "n2v2 volumes": {"workflow": "denoise", "dims": 3, "blur_pool": True, "top_skip": False},
    "segment": {"workflow": "segment"},
    "segment, each image by itself": {"workflow": "segment", "kind": "image", "method": "distance"},
    "segment classes in channels": {"workflow": "segment", "target": "classes", "channels": 3, "batch_norm": True},
    "segment, a student": {"workflow": "segment", "even": True, "bilinear": True, "batch_norm": True},
    "segment, without labels": {"workflow": "segment", "kind": "image", "smooth": 2.2},
    "segment volumes, without labels": {"workflow": "segment", "dims": 3, "kind": "image", "smooth": 1.5},
    "segment volumes": {"workflow": "segment", "dims": 3, "kind": "image"},
    "joint": {"workflow": "joint", "channels": 2},
    "joint, each image by itself": {"workflow": "joint", "kind": "image", "method": "distance"},
    "joint, in turn": {"workflow": "joint", "in_turn": True, "batch_norm": True},
    "joint volumes": {"workflow": "joint", "dims": 3, "kind": "image", "channels": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_passes_and_gives_the_pixels_that_the_model_gives(kind, tmp_path):
    model = made(tmp_path, **KINDS[kind])
    package = export(model, tmp_path / "model.zip", NAMED)
    summary = core.test_model(package)
    assert summary.status == "passed", summary.format()
    pixels = image(model.architecture.dims, model.architecture.channels)
    expected = trial.answers(model, pixels)
    for weights in ("keras_v3", "tensorflow_saved_model_bundle"):
        found = predicted(package, pixels, weights)
        for channel in range(expected.shape[-1]):
            require_same(found[..., channel], expected[..., channel])


def test_an_image_emptier_than_all_training_images_is_not_stretched_by_the_package_either(tmp_path):
    model = made(tmp_path, "segment", kind="image")
    pixels = 40 + 0.01 * image(2, 1)
    found = predicted(export(model, tmp_path / "model.zip", NAMED), pixels)
    require_same(found, trial.answers(model, pixels))


def test_grey_values_between_zero_and_one_come_back_as_exactly(tmp_path):
    model = made(tmp_path, "denoise")
    model.normalisation = Normalisation("dataset", (0.02,), (0.004,))
    pixels = image(2, 1) / 1e4
    found = predicted(export(model, tmp_path / "model.zip", NAMED), pixels)
    require_same(found, model.predict_pixels(pixels))


@pytest.mark.parametrize("dims", [2, 3])
def test_tiles_that_overlap_as_the_package_says_show_no_seams(tmp_path, dims):
    model = made(tmp_path, "denoise", dims=dims, depth=1)
    package = export(model, tmp_path / "model.zip", NAMED.replace(tiles=True))
    assert core.test_model(package).status == "passed"
    pixels = np.concatenate([image(dims, 1), image(dims, 1, seed=1)], axis=-2)
    whole = predicted(package, pixels)
    pipeline = core.create_prediction_pipeline(core.load_model_description(package))
    with pipeline:
        sample = core.digest_spec.create_sample_for_model(pipeline.model_descr, inputs={"input": pixels[None]})
        tiled = pipeline.predict_sample_with_blocking(sample, ns=3).members
    [found] = [one.data.to_numpy()[0] for one in tiled.values()]
    require_same(found, whole)
    if dims == 2:  # away from the mirrored edges the pixels are those of here
        inside = (slice(10, -10),) * 2
        require_same(whole[inside], model.predict_pixels(pixels)[inside])


def test_tiles_are_refused_where_each_image_has_its_own_scale(tmp_path):
    model = made(tmp_path, "segment", kind="image")
    with pytest.raises(UserError, match="normalisation=dataset"):
        export(model, tmp_path / "model.zip", NAMED.replace(tiles=True))
    assert not (tmp_path / "model.zip").exists()


def test_a_trained_model_is_exported_by_the_command_with_its_facts(trained, sample, tmp_path, capsys):
    out = tmp_path / "model.zip"
    said = ["--set", "name=Nuclei without noise", "--set", "authors=Ada Lovelace (London); Max Perutz"]
    said += ["--set", "licence=mit", "--set", "cite=https://doi.org/10.1234/abcd.5678"]
    arguments = ["export", "--run", str(trained.run), "--out", str(out), "--format", "bioimageio", *said]
    assert main(arguments) == 0
    assert str(out) in capsys.readouterr().out
    found = core.load_model_description(out)
    assert core.test_model(out).status == "passed"
    assert (found.name, str(found.license)) == ("Nuclei without noise", "MIT")
    assert [(one.name, one.affiliation) for one in found.authors] == [("Ada Lovelace", "London"), ("Max Perutz", None)]
    assert [str(one.doi) for one in found.cite][:2] == ["10.1234/abcd.5678", "10.48550/arXiv.1811.10980"]
    assert {"denoising", "2d", "unet", "n2v"} <= set(found.tags)
    assert found.config.bioimageio.training.training_epochs == 2
    assert found.config.n2seg["network"]["width"] == 8
    with zipfile.ZipFile(out) as package:
        text = package.read("README.md").decode()
        assert "Noise2Void [1]" in text
        assert "piece of a training image" in text
        given = np.load(package.open("test_input.npy"))[0]
    first = open_image(next(iter(sorted((sample / "images").glob("*.tif")))))
    assert np.isin(given, first.plane(0)).all(), "it is a piece of a training image"
    assert main(arguments) == 2, "nothing is overwritten"


def test_a_trained_segmenter_says_how_probabilities_become_labels(segmenter, sample, tmp_path):
    package = export(segmenter, tmp_path / "model.zip", ExportSettings())
    with zipfile.ZipFile(package) as files:
        text = files.read("README.md").decode()
    metrics = segmenter.run.facts().get("metrics", {})
    assert all(f"{name} {value:.3g}" in text for name, value in metrics.items())
    assert f"above {segmenter.rule.threshold:g}" in text
    assert "watershed" in text
    rule = core.load_model_description(package).config.n2seg["rule"]
    assert rule["seed"] == segmenter.rule.seed
    opened = open_image(sorted((sample / "images").glob("*.tif"))[-1])
    pixels = np.asarray(opened.plane(0), "float32")
    expected = segmenter.predict_probabilities(pixels, segmenter.normalisation.for_image(opened))
    require_same(predicted(package, pixels), expected)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"ap50": 0.861, "dice": 0.8639}, "it was judged: ap50 0.861, dice 0.864."),
        ({"psnr": {"prediction": 33.123, "raw": 25.0, "gain": 8.1}}, "it was judged: psnr 33.1 (raw 25)."),
        ({"labels": {"ap50": 0.5}, "denoised": {"ssim": {"prediction": 0.9}}}, "it was judged: ap50 0.5, ssim 0.9."),
    ],
    ids=["labels", "restored images", "both"],
)
def test_a_package_says_how_good_the_model_was(trained, tmp_path, metrics, words):
    run = shutil.copytree(trained.run.path, tmp_path / "run")
    model = load(run)
    model.run.note(metrics=metrics)
    with zipfile.ZipFile(export(model, tmp_path / "model.zip", NAMED)) as files:
        assert words in files.read("README.md").decode()


def test_a_folder_of_n2v_is_exported_too(real_images, tmp_path):
    folder = tmp_path / "n2v_2d"
    shutil.copytree(real_images / "old_models" / "n2v_2d", folder)
    model = load(folder)
    package = export(model, tmp_path / "model.zip", NAMED)
    pixels = image(2, 1)
    require_same(predicted(package, pixels), model.predict_pixels(pixels))
    with zipfile.ZipFile(package) as files:
        assert "By n2v" in files.read("README.md").decode()


def test_what_is_not_entered_comes_from_the_run(trained):
    found = descriptions.about(trained, ExportSettings())
    assert found.name == f"Denoising 2D - {trained.run.path.name}"
    assert "Noise2Void" in found.description
    assert found.licence == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "Müllers Zellen"}, "use 'Mullers Zellen'"),
        ({"name": "abc"}, "5 to 64"),
        ({"name": "x" * 65}, "5 to 64"),
        ({"authors": "Ada/Lovelace"}, "no /"),
        ({"licence": "CC-BY"}, "use CC-BY"),
        ({"licence": "GPL-3.0"}, "use GPL-3.0-"),
        ({"cite": "my paper"}, "DOI"),
    ],
)
def test_what_the_model_zoo_would_refuse_is_said_with_what_would_work(trained, tmp_path, wrong, says):
    with pytest.raises(UserError, match=says):
        export(trained, tmp_path / "model.zip", ExportSettings(**wrong))
    assert not (tmp_path / "model.zip").exists()


def test_a_file_that_is_no_zip_and_one_that_exists_are_refused(trained, refused, tmp_path):
    export_to = ["export", "--run", trained.run.path, "--format", "bioimageio", "--out"]
    assert "must end in .zip" in refused(*export_to, tmp_path / "model.tif")
    (tmp_path / "there.zip").write_text("mine")
    assert "not overwritten" in refused(*export_to, tmp_path / "there.zip")
    assert "licence" in refused(*export_to, tmp_path / "new.zip", "--set", "licence=free")
    assert "no setting 'author'" in refused(*export_to, tmp_path / "new.zip", "--set", "author=Ada")


def test_authors_are_read_with_their_affiliation():
    assert person("Ada Lovelace (London)") == {"name": "Ada Lovelace", "affiliation": "London"}
    assert person("Max Perutz") == {"name": "Max Perutz"}


def test_values_too_small_for_the_format_are_said(tmp_path):
    model = made(tmp_path, "denoise")
    model.normalisation = Normalisation("dataset", (1e-9,), (1e-9,))
    with pytest.raises(UserError, match="Multiply"):
        write_bioimageio(model, tmp_path / "model.zip", descriptions.about(model, NAMED))


def test_settings_of_a_run_that_was_trained_are_used(sample, tmp_path):
    """A network of another depth needs other sizes, and says so."""
    more = TINY | {"network_depth": 3, "epochs": 1, "steps_per_epoch": 2}
    model = train_denoiser(DenoiseSettings(images=str(sample / "images"), run=str(tmp_path / "run"), **more))
    package = export(model, tmp_path / "model.zip", NAMED)
    axes = {str(axis.id): axis.size for axis in core.load_model_description(package).inputs[0].axes[1:-1]}
    assert {name: (size.min, size.step) for name, size in axes.items()} == {"y": (8, 8), "x": (8, 8)}
