"""Folders that n2v wrote open, predict what n2v predicted, and can be trained further."""

import json
import shutil

import numpy as np
import pytest
import tifffile

from n2seg_utils import DenoiseSettings, UserError, train_denoiser
from n2seg_utils.cli import main
from n2seg_utils.data.samples import write_sample
from n2seg_utils.learning.networks import Architecture, unet
from n2seg_utils.models import n2v_format, weights
from n2seg_utils.models.denoiser import Denoiser

from .conftest import TINY

N2V_MODELS = ["n2v_2d", "n2v2_2d", "n2v_2d_3channels_joint", "n2v_3d"]


@pytest.fixture
def old(real_images, tmp_path):
    """A function that copies a folder made by the original software and gives it, its input and its prediction."""

    def copy(name):
        folder = tmp_path / name
        shutil.copytree(real_images / "old_models" / name, folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        image, expected = (tifffile.imread(folder / "io" / f"{what}.tif") for what in ("input", "expected"))
        return folder, image, expected

    return copy


def last(image, axes):
    return image if "C" in axes else image[..., None]


@pytest.mark.parametrize("name", N2V_MODELS)
def test_an_old_folder_predicts_the_pixels_that_n2v_predicted(old, name):
    folder, image, expected = old(name)
    axes = json.loads((folder / "io" / "about.json").read_text())["axes"]
    found = Denoiser.load(folder).predict_pixels(last(image.astype("float32"), axes))
    np.testing.assert_allclose(found, last(expected, axes), atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("name", ["n2v2_2d", "n2v_3d"])
def test_the_command_applies_an_old_folder_and_writes_nothing_into_it(old, name, tmp_path):
    folder, image, expected = old(name)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    axes = "ZYX"[-image.ndim :]
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "one.tif", image, imagej=True, metadata={"axes": axes})
    arguments = ["predict", "--run", folder, "--images", tmp_path / "images", "--out", tmp_path / "out"]
    assert main([str(a) for a in arguments]) == 0
    found = tifffile.imread(tmp_path / "out" / "one.tif")
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["n2v_2d", "n2v2_2d", "n2v_3d"])
def test_an_old_model_is_trained_further_from_where_it_was(old, name, tmp_path):
    folder, image, _ = old(name)
    start = Denoiser.load(folder)
    axes = "ZYX"[-image.ndim :]
    noisy = np.concatenate([image] * 2) if image.ndim == 3 else image
    (tmp_path / "in").mkdir()
    for number in range(2):
        turned = np.roll(noisy, 40 * number, axis=-1)
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", turned, imagej=True, metadata={"axes": axes})
    small = {"epochs": 3, "steps_per_epoch": 20, "learning_rate": 5e-4, "batch_size": 4, "patch_size": 32}
    settings = DenoiseSettings(
        images=str(tmp_path / "in"), run=str(tmp_path / "run"), pretrained=str(folder), minutes=0, **small
    )
    model = train_denoiser(settings)
    assert model.architecture == start.architecture
    assert model.normalisation == start.normalisation, "its weights know this scale"
    again = Denoiser.load(tmp_path / "run")
    values = image[..., None].astype("float32")
    before, after, loaded = (m.predict_pixels(values) for m in (start, model, again))
    np.testing.assert_array_equal(after, loaded)
    losses = [row["loss"] for row in model.run.history()]
    assert losses[-1] < losses[0], "it learns"
    assert (model.run.facts()["best_epoch"] == 0) == (after == before).all(), "and is kept if it got no better"
    written = DenoiseSettings.load(tmp_path / "run" / "settings.yaml")
    assert (written.network_width, written.batch_norm, written.dimensions) == (16, True, f"{image.ndim}d")


def test_a_run_of_ours_is_trained_further_too(trained, sample, tmp_path):
    settings = DenoiseSettings(
        images=str(sample / "images"), run=str(tmp_path / "run"), pretrained=str(trained.run.path), **TINY
    )
    more = train_denoiser(settings)
    assert more.run.history()[0]["val_loss"] < trained.run.history()[0]["val_loss"], "it does not begin anew"


def test_images_of_quite_another_brightness_get_their_own_scaling(trained, sample, tmp_path):
    (tmp_path / "bright").mkdir()
    for file in (sample / "images").glob("*.tif"):
        tifffile.imwrite(tmp_path / "bright" / file.name, tifffile.imread(file).astype("float32") * 100)
    settings = DenoiseSettings(
        images=str(tmp_path / "bright"), run=str(tmp_path / "run"), pretrained=str(trained.run.path), **TINY
    )
    found = train_denoiser(settings).normalisation
    assert found.std[0] == pytest.approx(100 * trained.normalisation.std[0], rel=0.1)


def test_a_model_for_other_channels_is_refused_before_anything_is_written(trained, tmp_path):
    write_sample("two_channels", tmp_path / "s", count=2)
    settings = DenoiseSettings(
        images=str(tmp_path / "s" / "images"), run=str(tmp_path / "run"), pretrained=str(trained.run.path), **TINY
    )
    with pytest.raises(UserError, match=r"two_channels_01\.tif has 2 channels, but the model in .* was trained with 1"):
        train_denoiser(settings)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def n2v_of_three_channels(tmp_path):
    """A folder as n2v 0.3 makes by default for several channels: a network for each, which all see the last one."""
    from n2v.models import N2V, N2VConfig

    config = N2VConfig(
        np.random.default_rng(0).normal(5, 2, (4, 64, 64, 3)).astype("float32"),
        unet_kern_size=3,
        unet_n_first=4,
        n2v_patch_shape=(32, 32),
    )
    model = N2V(config, "theirs", str(tmp_path))
    rng = np.random.default_rng(1)
    model.keras_model.set_weights([np.abs(rng.normal(0, 0.3, w.shape)) for w in model.keras_model.get_weights()])
    weights.save(model.keras_model, tmp_path / "theirs" / "weights_best.h5")
    return tmp_path / "theirs", model


def test_a_network_per_channel_of_n2v_predicts_as_there_where_all_see_the_last_channel(n2v_of_three_channels):
    folder, theirs = n2v_of_three_channels
    image = np.random.default_rng(2).normal(5, 2, (40, 48, 3)).astype("float32")
    expected = theirs.predict(image, "YXC")
    found = Denoiser.load(folder)
    np.testing.assert_allclose(found.predict_pixels(image), expected, atol=1e-4 * np.ptp(expected))


def test_such_a_model_is_not_trained_further(n2v_of_three_channels, tmp_path):
    folder, _ = n2v_of_three_channels
    tifffile.imwrite(tmp_path / "rgb.tif", np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype("uint8"))
    with pytest.raises(UserError, match=r"see the last channel only.*Leave 'pretrained' empty"):
        train_denoiser(
            DenoiseSettings(images=str(tmp_path / "rgb.tif"), run=str(tmp_path / "run"), pretrained=str(folder), **TINY)
        )


@pytest.mark.parametrize(("name", "kind"), [("care_2d", "CARE"), ("denoiseg_2d", "DenoiSeg")])
def test_models_of_other_software_are_named_for_what_they_are(old, name, kind):
    folder, _, _ = old(name)
    with pytest.raises(UserError, match=f"{name} holds a {kind} model.*Give the folder of an n2v model"):
        Denoiser.load(folder)


DAMAGE = {
    "no weights": (lambda f: [p.unlink() for p in f.glob("*.h5")], r"has no weights_best\.h5"),
    "weights cut short": (lambda f: _cut(f / "weights_best.h5"), r"weights_best\.h5 is damaged"),
    "a configuration cut short": (lambda f: _cut(f / "config.json"), r"config\.json is damaged"),
    "a list": (lambda f: (f / "config.json").write_text("[1]"), r"config\.json is damaged"),
    "another size": (lambda f: _change(f, unet_n_first=8), r"weights_best\.h5 is damaged, or not of this"),
    "another depth": (lambda f: _change(f, unet_n_depth=3), r"weights_best\.h5 is damaged, or not of this"),
    "a missing key": (lambda f: _change(f, unet_residual=None), r"config\.json is damaged"),
    "probabilistic": (lambda f: _change(f, probabilistic=True), "probabilistic"),
}


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _change(folder, **keys):
    config = json.loads((folder / "config.json").read_text()) | keys
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_folder_is_named_with_its_file(old, what):
    folder, _, _ = old("n2v_2d")
    damage, message = DAMAGE[what]
    damage(folder)
    with pytest.raises(UserError, match=message):
        Denoiser.load(folder)


def test_a_folder_of_n2v_0_2_without_the_newer_keys_opens(old):
    folder, image, expected = old("n2v_2d")
    newer = ("blurpool", "skip_skipone", "structN2Vmask", "single_net_per_channel")
    _change(folder, **dict.fromkeys(newer))
    found = Denoiser.load(folder).predict_pixels(image[..., None].astype("float32"))
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("more", [{}, {"together": False}, {"batch_norm": True, "together": False}])
def test_weights_come_back_to_where_they_were(tmp_path, more):
    one, other = (unet(Architecture(channels=2, depth=1, width=4, **more)) for _ in range(2))
    weights.save(one, tmp_path / "weights.h5")
    weights.load(other, tmp_path / "weights.h5")
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


NOT_FOR_N2V = [{"channels": 2, "together": False}, {"dims": 3, "pool_z": 1}, {"dims": 3, "blur_pool": True}]


@pytest.mark.parametrize("more", NOT_FOR_N2V)
def test_what_n2v_would_build_wrongly_gets_no_configuration_for_it(trained, tmp_path, more):
    written = n2v_format.save_config(
        tmp_path / "config.json", trained.settings, trained.normalisation, Architecture(**more)
    )
    assert not written
    assert not list(tmp_path.iterdir())


CONTRADICTIONS = {
    "n2v2 from a plain network": ("2d", {"algorithm": "n2v2"}, "does not hold a model of n2v2: use the algorithm n2v"),
    "3d from a 2d model": ("2d", {"dimensions": "3d"}, "holds a 2d model, but dimensions is 3d: use auto"),
    "flat images for a 3d model": ("3d", {}, r"nuclei_01\.tif is one image.*was trained with volumes"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_settings_that_contradict_the_model_to_start_from_are_refused(old, sample, tmp_path, what):
    name, more, message = CONTRADICTIONS[what]
    folder, _, _ = old(f"n2v_{name}")
    settings = DenoiseSettings(
        images=str(sample / "images"), run=str(tmp_path / "run"), pretrained=str(folder), **(TINY | more)
    )
    with pytest.raises(UserError, match=message):
        train_denoiser(settings)
    assert not (tmp_path / "run").exists()


def test_a_run_from_an_n2v2_model_is_one_of_n2v2(old, sample, tmp_path):
    folder, _, _ = old("n2v2_2d")
    settings = DenoiseSettings(images=str(sample / "images"), run=str(tmp_path / "run"), pretrained=str(folder), **TINY)
    assert train_denoiser(settings).settings.algorithm == "n2v2"


@pytest.mark.parametrize("path", ["nothing", "images", "file"])
def test_what_is_no_model_is_refused_with_what_would_be(sample, tmp_path, path):
    paths = {
        "nothing": tmp_path / "nonsense",
        "images": sample / "images",
        "file": next((sample / "images").iterdir()),
    }
    hints = {"nothing": "Check its path", "images": "or the folder of an n2v model", "file": "Give the run folder"}
    with pytest.raises(UserError, match=hints[path]):
        Denoiser.load(paths[path])


def test_a_struct_mask_is_written_for_n2v_too(sample, tmp_path):
    model = train_denoiser(
        DenoiseSettings(
            images=str(sample / "images"), run=str(tmp_path / "run"), algorithm="structn2v", struct_mask="111", **TINY
        )
    )
    assert json.loads((model.run / "config.json").read_text())["structN2Vmask"] == [[1, 1, 1]]


def test_images_that_are_quite_unlike_those_of_the_training_are_doubted(trained, sample, tmp_path):
    assert trained.doubts(sample / "images") == []
    tifffile.imwrite(tmp_path / "bright.tif", np.random.default_rng(0).integers(20_000, 60_000, (64, 64)).astype("u2"))
    [words] = trained.doubts(tmp_path / "bright.tif")
    assert words.startswith("bright.tif: brightness or contrast is very different")
