"""What was exported here opens again, and predicts what its run predicts."""

import json
import shutil
import zipfile

import pytest
import tifffile

import n2seg_utils as n2s
from n2seg_utils import UserError
from n2seg_utils.cli import main
from n2seg_utils.exchange.export import export
from n2seg_utils.models.objects import Rule
from n2seg_utils.settings import DenoiseSettings, ExportSettings, SegmentSettings

from .conftest import TINY
from .test_export_bioimageio import KINDS, image, made, require_same

PACKAGE, SAVEDMODEL = ExportSettings(name="A test model"), ExportSettings(format="savedmodel")
ONE_SCALE = [kind for kind, about in KINDS.items() if about.get("kind") != "image"]


def ready(tmp_path, **kind):
    """An untrained model whose labels are not the usual ones."""
    model = made(tmp_path, **kind)
    model.stored = Rule(threshold=0.4, seed=0.35, min_size=2, largest_hole=3)
    return model


def require_as(opened, model):
    """That one model predicts what the other does, in arrays, whole and in tiles."""
    assert type(opened) is type(model)
    pixels = image(model.architecture.dims, model.architecture.channels)
    axes = "ZYXC"[-model.architecture.dims - 1 :]
    for tile in ("auto", 64):
        found, expected = opened.predict(pixels, axes, tile), model.predict(pixels, axes, tile)
        if model.workflow == "joint":
            require_same(found.denoised, expected.denoised)
        if model.workflow == "denoise":
            require_same(found, expected)
        else:
            found, expected = (getattr(one, "labels", one) for one in (found, expected))
            assert (found == expected).mean() > 0.999
            require_same(opened.predict_probabilities(pixels), model.predict_probabilities(pixels))


@pytest.mark.parametrize("kind", KINDS)
def test_our_packages_predict_what_the_run_predicts(kind, tmp_path):
    model = ready(tmp_path, **KINDS[kind])
    opened = n2s.load(export(model, tmp_path / "model.zip", PACKAGE))
    require_as(opened, model)
    assert opened.architecture == model.architecture
    assert opened.normalisation == model.normalisation


@pytest.mark.parametrize("kind", ONE_SCALE)
def test_our_savedmodels_predict_what_the_run_predicts(kind, tmp_path):
    model = ready(tmp_path, **KINDS[kind])
    require_as(n2s.load(export(model, tmp_path / "model.zip", SAVEDMODEL)), model)


def test_a_savedmodel_with_a_scale_for_each_image_says_what_to_give(tmp_path):
    file = export(made(tmp_path, "segment", kind="image"), tmp_path / "model.zip", SAVEDMODEL)
    with pytest.raises(UserError, match="Give the run folder that it was made from, or its BioImage"):
        n2s.load(file)


def test_a_savedmodel_of_the_time_before_it_told_all_opens_by_its_graph(tmp_path):
    model = made(tmp_path, "denoise")
    file = export(model, tmp_path / "model.zip", SAVEDMODEL)
    changed(file, "meta.json", lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "n2seg"}))
    opened, pixels = n2s.load(file), image(2, 1)
    expected = model.predict(pixels, "YXC")
    require_same(opened.predict(pixels, "YXC"), expected)
    require_same(opened.predict(pixels, "YXC", tile=64), expected)


def changed(file, name, change):
    """Change one file of a zip."""
    with zipfile.ZipFile(file) as archive:
        parts = {one: archive.read(one) for one in archive.namelist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(file, "w") as archive:
        for one, data in parts.items():
            archive.writestr(one, data)


def test_the_command_applies_our_exports_as_the_run(segmenter, sample, tmp_path):
    package = export(segmenter, tmp_path / "model.zip", PACKAGE)
    for number, run in enumerate((segmenter.run.path, package)):
        arguments = ("predict", "--run", run, "--images", sample / "images", "--out", tmp_path / str(number))
        assert main([*map(str, arguments)]) == 0
    for file in (tmp_path / "0").glob("*.tif"):
        expected = tifffile.imread(file)
        assert expected.any()
        assert (tifffile.imread(tmp_path / "1" / file.name) == expected).mean() > 0.999
    assert (tmp_path / "1" / "counts.csv").exists()


def test_each_image_is_seen_in_eight_orientations_if_the_run_does_so(tmp_path):
    model = made(tmp_path, "denoise")
    model.settings = model.settings.replace(orientations=True)
    require_as(n2s.load(export(model, tmp_path / "model.zip", PACKAGE)), model)


def test_a_zip_of_a_folder_of_n2v_or_of_a_run_says_what_to_give(trained, tmp_path):
    file = export(trained, tmp_path / "noisy.zip", ExportSettings(format="n2v"))
    with pytest.raises(UserError, match="Unpack it, and give the folder noisy that was in it"):
        n2s.load(file)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    pixels = image(2, 1)
    require_same(n2s.load(tmp_path / "noisy").predict(pixels, "YXC"), trained.predict(pixels, "YXC"))
    packed = shutil.make_archive(str(tmp_path / "run"), "zip", trained.run.path)
    with pytest.raises(UserError, match="Unpack it, and give the folder that was in it"):
        n2s.load(packed)


DAMAGE = {
    "another network": lambda about: about["network"].update(depth=3),
    "a huge network": lambda about: about["network"].update(width=512, depth=8),
    "no such option": lambda about: about["network"].update(size=3),
    "no workflow": lambda about: about.update(workflow="other"),
    "other outputs": lambda about: about.update(target={"kind": "classes", "values": [0, 1, 2, 3]}),
    "a scale that is no number": lambda about: about["normalisation"].update(low=["much"]),
    "a list": lambda about: about.update(network=[1, 2]),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_package_of_ours_that_was_changed_is_refused_in_a_sentence(what, tmp_path):
    import yaml

    file = export(made(tmp_path, "segment"), tmp_path / "model.zip", PACKAGE)

    def change(text):
        described = yaml.safe_load(text)
        DAMAGE[what](described["config"]["n2seg"])
        return yaml.safe_dump(described)

    names = zipfile.ZipFile(file).namelist()
    changed(file, next(name for name in ("rdf.yaml", "bioimageio.yaml") if name in names), change)
    with pytest.raises(UserError, match="exported by n2seg, but is damaged"):
        n2s.load(file)


@pytest.mark.parametrize("train", ["denoise", "segment"])
def test_a_training_says_that_it_starts_from_folders_only(train, sample, tmp_path):
    package = export(made(tmp_path, "denoise"), tmp_path / "model.zip", PACKAGE)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "package")
        (tmp_path / "weights.keras").write_bytes(archive.read("weights.keras"))
    start, settings = {
        "denoise": (n2s.train_denoiser, DenoiseSettings(images=str(sample / "images"))),
        "segment": (
            n2s.train_segmenter,
            SegmentSettings(images=str(sample / "images"), masks=str(sample / "masks")),
        ),
    }[train]
    for number, path in enumerate((package, tmp_path / "package", tmp_path / "weights.keras")):
        given = settings.replace(run=str(tmp_path / f"new_{number}"), pretrained=str(path), **TINY)
        with pytest.raises(UserError, match=r"can be applied, but not trained further\. Give the run folder"):
            start(given)
