"""From a folder of noisy images to a run folder, and from there to denoised images."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from n2seg_utils import DenoiseSettings, UserError, train_denoiser
from n2seg_utils.data.images import open_image, open_images
from n2seg_utils.data.samples import make_image
from n2seg_utils.learning import device
from n2seg_utils.models.denoise_suggestions import settle
from n2seg_utils.models.denoise_training import DenoiseWork
from n2seg_utils.models.denoiser import Denoiser

from .conftest import TINY


def settings(folder, run, **more):
    return DenoiseSettings(images=str(folder), run=str(run), **(TINY | more))


def test_the_run_folder_answers_how_the_model_was_made(trained, sample):
    run = trained.run.path
    written = DenoiseSettings.load(run / "settings.yaml")
    assert (written.images, written.patch_size, written.epochs) == (str(sample / "images"), 32, 2)
    open_values = {name for name, value in written.to_dict().items() if value in (None, "auto") and name != "axes"}
    assert open_values == {"patch_depth", "struct_axis", "struct_length"}, "the effective ones but what does not apply"
    assert written.normalisation in ("dataset", "image")
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    assert {"versions", "device", "seed", "steps", "normalisation", "images", "training_seconds"} <= set(facts)
    rows = list(csv.DictReader((run / "history.csv").open()))
    assert next(iter(rows[0])) == "epoch"
    assert [row["epoch"] for row in rows] == ["1", "2"]
    split = list(csv.DictReader((run / "split.csv").open()))
    assert sorted(row["use"] for row in split) == ["train", "train", "train", "validate"]
    assert not [p for p in run.iterdir() if p.name.startswith(".")], "no temporary files are left"


def test_a_run_is_recreated_by_its_settings(trained, tmp_path):
    again = DenoiseSettings.load(trained.run / "settings.yaml").replace(run=str(tmp_path / "again"))
    for one, other in zip(train_denoiser(again).network.get_weights(), trained.network.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_timed_run_writes_down_the_steps_it_took(sample, tmp_path):
    run = train_denoiser(settings(sample / "images", tmp_path / "run", minutes=0.03)).run
    written, facts = DenoiseSettings.load(run / "settings.yaml"), run.facts()
    assert written.epochs * written.steps_per_epoch == facts["steps"]
    assert len(run.history()) == written.epochs == facts["epochs_done"]


def test_a_timed_run_is_recreated_by_its_settings_too(sample, tmp_path):
    timed = train_denoiser(settings(sample / "images", tmp_path / "run", minutes=0.03))
    again = DenoiseSettings.load(timed.run / "settings.yaml").replace(run=str(tmp_path / "again"))
    for one, other in zip(train_denoiser(again).network.get_weights(), timed.network.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert timed.run.facts()["minutes"] == 0.03


def test_a_number_of_epochs_that_was_asked_for_is_not_overruled_by_a_time(sample, tmp_path):
    run = train_denoiser(settings(sample / "images", tmp_path / "run", minutes=None, epochs=3)).run
    assert run.facts()["epochs_done"] == 3


@pytest.mark.parametrize(
    ("gpu", "more", "batch"),
    [
        (False, {}, 4), (True, {}, 16), (False, {"epochs": 5}, 16), (False, {"minutes": 0}, 16),
        (False, {"minutes": 2, "epochs": 5}, 4), (False, {"batch_size": 7}, 7),
    ],
)  # fmt: skip
def test_without_a_gpu_steps_are_small_and_many_where_the_time_is_what_is_set(sample, tmp_path, gpu, more, batch):
    asked = DenoiseSettings(images=str(sample / "images"), run=str(tmp_path / "run"), **more)
    assert settle(asked, open_images(asked.images), gpu).batch_size == batch


@pytest.mark.parametrize("batch", [1, 4, 7, 16, 32])
def test_validation_sees_enough_patches_however_small_a_batch_is(sample, tmp_path, batch):
    work = DenoiseWork(settings(sample / "images", tmp_path / "run", batch_size=batch))
    validated = work.training(work.model.settings, work.model.network).validation_steps * batch
    assert 64 <= validated < 64 + batch or validated == 4 * batch


def test_a_model_of_stacks_denoises_single_images_too(sample, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([make_image("nuclei", i)[0] for i in range(3)]))
    model = train_denoiser(settings(tmp_path / "stack.tif", tmp_path / "run", axes="TYX"))
    assert len(model.predict_folder(sample / "images", tmp_path / "out")) == 4


def test_a_failing_disk_in_the_middle_does_not_end_the_training(sample, tmp_path, monkeypatch):
    from n2seg_utils.models.run_folder import RunFolder

    write, calls = RunFolder.write_table, []

    def flaky(run, name, rows):
        calls.append(name)
        if calls.count("history.csv") == 1 and name == "history.csv":
            raise UserError("Cannot write history.csv: Transport endpoint is not connected")
        write(run, name, rows)

    monkeypatch.setattr(RunFolder, "write_table", flaky)
    model = train_denoiser(settings(sample / "images", tmp_path / "run"))
    assert model.run.facts()["status"] == "finished"
    assert [row["epoch"] for row in model.run.history()] == [1, 2]
    np.testing.assert_array_equal(
        Denoiser.load(model.run.path).network.get_weights()[0], model.network.get_weights()[0]
    )


def test_a_finished_run_is_never_overwritten(trained, sample):
    before = {p.name: p.read_bytes() for p in trained.run.path.iterdir() if p.is_file()}
    with pytest.raises(UserError, match=r"run_2"):
        train_denoiser(settings(sample / "images", trained.run.path))
    assert before == {p.name: p.read_bytes() for p in trained.run.path.iterdir() if p.is_file()}


def test_a_run_folder_opens_and_predicts_as_before(trained, sample):
    image = np.asarray(open_image(sample / "images" / "nuclei_01.tif").plane(0))
    opened = Denoiser.load(trained.run.path)
    np.testing.assert_array_equal(opened.predict_pixels(image), trained.predict_pixels(image))


@pytest.mark.parametrize("more", [{}, {"batch_norm": True, "network_depth": 2}])
def test_n2v_itself_opens_the_run_folder_and_predicts_the_same(sample, tmp_path, more):
    from n2v.models import N2V

    ours = train_denoiser(settings(sample / "images", tmp_path / "run", normalisation="dataset", **more))
    theirs = N2V(None, "run", str(tmp_path))
    image = tifffile.imread(sample / "images" / "nuclei_01.tif").astype("float32")
    expected = theirs.predict(image, "YX")
    result = ours.predict_pixels(image[..., None])[..., 0]
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.ptp(expected))


def test_old_keras_layout_of_the_weights_is_kept(trained):
    import h5py

    with h5py.File(trained.run / "weights_best.h5") as file:
        names = [n.decode() for n in file.attrs["layer_names"]]
        assert names[0] == "down_level_0_no_0"
        stored = [file[n][w][()] for n in names for w in file[n].attrs["weight_names"]]
    for one, other in zip(stored, trained.network.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_denoising_makes_images_better(tmp_path, sample):
    model = train_denoiser(
        settings(sample / "images", tmp_path / "run", epochs=8, steps_per_epoch=40, learning_rate=0.005)
    )
    noisy, clean, _ = make_image("nuclei", seed=99)  # an image it has never seen

    def rmse(image):
        return np.sqrt(np.mean((image - clean) ** 2))

    assert rmse(model.predict_pixels(noisy[..., None])[..., 0]) < 0.6 * rmse(noisy.astype(float))


@pytest.mark.parametrize(("axes", "shape"), [("YX", (50, 70)), ("TYX", (3, 40, 36)), ("TZYX", (2, 3, 40, 36))])
def test_results_have_the_shape_axes_and_scale_of_the_input(trained, tmp_path, axes, shape):
    source = tmp_path / "images" / "stack.tif"
    source.parent.mkdir()
    pixels = np.random.default_rng(0).integers(80, 300, shape).astype("uint16")
    metadata = {"axes": axes, "unit": "um", "spacing": 0.5}
    tifffile.imwrite(source, pixels, imagej=True, resolution=(5, 5), metadata=metadata)
    for dtype, kind in (("float32", "float32"), ("input", "uint16")):
        [written] = trained.predict_folder(source.parent, tmp_path / dtype, dtype=dtype)
        result, original = open_image(written), open_image(source)
        assert (result.shape, result.axes, str(result.dtype)) == (shape, axes, kind)
        known = {axis: size for axis, size in original.calibration.size.items() if axis in axes}
        assert result.calibration.size == pytest.approx(known)
        assert result.calibration.unit == "µm"
        plane = np.asarray(original.plane(1 if len(shape) > 2 else 0))
        expected = trained.predict_pixels(plane)
        found = np.asarray(result.plane(1 if len(shape) > 2 else 0))
        np.testing.assert_allclose(found, expected, atol=0.51 if kind == "uint16" else 1e-3)


def test_tiles_leave_no_seam_in_the_file(trained, sample, tmp_path):
    folder = sample / "images"
    whole = trained.predict_folder(folder, tmp_path / "whole", tile=1024)
    tiled = trained.predict_folder(folder, tmp_path / "tiled", tile=64)
    for one, other in zip(whole, tiled):
        one, other = tifffile.imread(one), tifffile.imread(other)
        assert np.abs(one - other).max() <= 1e-5 * np.ptp(one)


def test_results_are_never_overwritten_but_an_interrupted_folder_is_completed(trained, sample, tmp_path):
    files = trained.predict_folder(sample / "images", tmp_path)
    files[0].write_bytes(b"mine")
    files[2].unlink()
    with pytest.raises(UserError, match="not overwritten"):
        trained.predict_folder(sample / "images", tmp_path)
    assert not files[2].exists()
    trained.predict_folder(sample / "images", tmp_path, keep_existing=True)
    assert files[0].read_bytes() == b"mine"
    assert tifffile.imread(files[2]).shape == (256, 256)


def test_images_of_any_sizes_train_together(tmp_path):
    for number, side in enumerate((40, 64, 131)):
        tifffile.imwrite(tmp_path / f"{number}.tif", make_image("nuclei", number, shape=(side, side + 20))[0])
    model = train_denoiser(settings(tmp_path, tmp_path / "run"))
    assert len(model.predict_folder(tmp_path, tmp_path / "out")) == 3


def test_one_image_trains_on_one_part_and_validates_on_another(tmp_path):
    tifffile.imwrite(tmp_path / "only.tif", make_image("nuclei")[0])
    run = train_denoiser(settings(tmp_path / "only.tif", tmp_path / "run")).run
    parts = {row["use"]: row["region"] for row in csv.DictReader((run / "split.csv").open())}
    assert parts == {"train": "y0 x0 h224 w256", "validate": "y224 x0 h32 w256"}


def test_images_of_different_brightness_are_scaled_each_by_itself(tmp_path):
    for number, factor in enumerate((1, 20)):
        tifffile.imwrite(tmp_path / f"{number}.tif", make_image("nuclei", number)[0].astype("float32") * factor)
    model = train_denoiser(settings(tmp_path, tmp_path / "run"))
    assert model.settings.normalisation == "image"
    dim, bright = (tifffile.imread(p) for p in model.predict_folder(tmp_path, tmp_path / "out"))
    assert dim.mean() == pytest.approx(tifffile.imread(tmp_path / "0.tif").mean(), rel=0.2)
    assert bright.mean() == pytest.approx(tifffile.imread(tmp_path / "1.tif").mean(), rel=0.2)


def test_a_blank_image_among_those_to_denoise_stops_nothing(sample, tmp_path):
    model = train_denoiser(settings(sample / "images", tmp_path / "run", normalisation="image"))
    (tmp_path / "new").mkdir()
    tifffile.imwrite(tmp_path / "new" / "a_blank.tif", np.full((60, 60), 7, "uint16"))
    tifffile.imwrite(tmp_path / "new" / "b_cells.tif", make_image("nuclei")[0])
    blank, _ = (tifffile.imread(p) for p in model.predict_folder(tmp_path / "new", tmp_path / "out"))
    assert np.isfinite(blank).all()
    assert np.abs(blank - 7).max() < 2


def test_results_on_drive_are_made_locally_and_arrive_whole(trained, sample, tmp_path, monkeypatch):
    from n2seg_utils.data import drive

    monkeypatch.setattr(drive, "MOUNT", tmp_path / "drive")
    monkeypatch.setattr(tifffile, "memmap", not_below(tmp_path / "drive", tifffile.memmap))
    files = trained.predict_folder(sample / "images", tmp_path / "drive" / "MyDrive" / "out")
    assert sorted(p.name for p in files[0].parent.iterdir()) == [p.name for p in files]
    here = trained.predict_folder(sample / "images", tmp_path / "here")
    assert [p.read_bytes() for p in files] == [p.read_bytes() for p in here]


def not_below(folder, function):
    """A function that refuses files below a folder, as Drive refuses to be mapped into memory."""

    def refuse(path, *more, **options):
        if folder in Path(path).parents:
            raise OSError(19, "No such device")
        return function(path, *more, **options)

    return refuse


def test_every_channel_is_denoised_from_itself(tmp_path):
    """n2v with its defaults shows every channel the last one."""
    rng = np.random.default_rng(0)
    for number in range(3):
        nuclei, spots = (make_image(name, number)[0] for name in ("nuclei", "spots"))
        tifffile.imwrite(tmp_path / f"{number}.tif", np.stack([nuclei, spots]), imagej=True, metadata={"axes": "CYX"})
    model = train_denoiser(settings(tmp_path, tmp_path / "run", epochs=4, steps_per_epoch=20))
    image = np.asarray(open_image(tmp_path / "0.tif").plane(0), "float32")
    result = model.predict_pixels(image)
    assert result.shape == image.shape
    for channel in range(2):
        changed = image.copy()
        changed[..., channel] += rng.normal(0, 20, image.shape[:2])
        moved = np.abs(model.predict_pixels(changed) - result).mean(axis=(0, 1))
        assert moved[channel] > 2


def test_training_on_more_than_fits_in_memory_sees_ever_new_blocks(tmp_path, monkeypatch):
    for number in range(2):
        pixels = make_image("nuclei", number, shape=(1400, 1300))[0]
        tifffile.imwrite(tmp_path / f"{number}.tif", pixels)
    monkeypatch.setattr(device, "free_memory", lambda: 16_000_000)  # a quarter is half of one image
    streamed = train_denoiser(settings(tmp_path, tmp_path / "run"))
    again = train_denoiser(settings(tmp_path, tmp_path / "run2"))
    for one, other in zip(streamed.network.get_weights(), again.network.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert streamed.run.facts()["status"] == "finished"


def test_an_interrupted_training_leaves_a_model_that_works(sample, tmp_path):
    from n2seg_utils.learning.training import Watcher

    class Impatient(Watcher):
        def step(self, step, plan, seconds):
            if step == 9:
                raise KeyboardInterrupt

    model = train_denoiser(settings(sample / "images", tmp_path / "run", epochs=9), Impatient())
    assert model.run.facts()["status"] == "interrupted"
    assert len(model.run.history()) == 2
    opened = Denoiser.load(tmp_path / "run")
    assert opened.predict_folder(sample / "images", tmp_path / "out")


def test_an_interrupt_before_the_first_epoch_is_explained(sample, tmp_path):
    from n2seg_utils.learning.training import Watcher

    class Hasty(Watcher):
        def step(self, step, plan, seconds):
            raise KeyboardInterrupt

    with pytest.raises(UserError, match="before its first epoch"):
        train_denoiser(settings(sample / "images", tmp_path / "run"), Hasty())


@pytest.mark.parametrize("name", ["confocal", "twophoton"])
def test_real_images_are_denoised(real_images, tmp_path, name):
    """A quick check; benchmarks/fmd.py measures what two minutes of training give."""
    from n2seg_utils.quality.qc import judge

    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    for file in (real_images / "fmd" / "noisy").glob("*MICE*.tif"):
        if file.name.lower().startswith(name):
            part = "test" if file.stem.endswith("_1") else "train"
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    more = {"epochs": 5, "steps_per_epoch": 30, "patch_size": 64, "network_depth": 2, "network_width": 16}
    model = train_denoiser(settings(tmp_path / "train", tmp_path / "run", **more))
    model.predict_folder(tmp_path / "test", tmp_path / "out")
    scores = judge(tmp_path / "out", real_images / "fmd" / "clean", tmp_path / "test")
    assert scores["psnr"]["gain"] > 4


def test_settings_file_is_readable_by_any_yaml_reader(trained):
    values = yaml.safe_load((trained.run / "settings.yaml").read_text())
    assert values == trained.settings.to_dict()
