"""The command: what it makes, and that whatever is wrong ends with status 2, one message, and nothing lost."""

import contextlib
import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile

from n2seg_utils import DenoiseSettings, __version__
from n2seg_utils.cli import main
from n2seg_utils.data.files import list_images

from .conftest import TINY
from .refusals import contents, noise, write

QUICK = [f"--set={name}={value}" for name, value in (TINY | {"epochs": 1}).items()]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def n2seg(capfd):
    """Run the command; it must do well. Returns what it prints."""

    def run(*arguments):
        capfd.readouterr()
        status = main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        assert (status, err) == (0, "")
        return out

    return run


def with_nan(folder):
    pixels = noise(64, 64, dtype="float32")
    pixels[3, 4] = np.nan
    write(folder / "bad.tif", pixels)


def truncated(folder):
    path = write(folder / "bad.tif", noise(64, 64))
    path.write_bytes(path.read_bytes()[:-3000])


def mixed(folder):
    write(folder / "bad.tif", noise(64, 64), imagej=True, metadata={"axes": "YX"})
    write(folder / "other.tif", noise(3, 64, 64), imagej=True, metadata={"axes": "TYX"})


def only_subfolders(folder):
    write(folder / "inside" / "bad.tif", noise(64, 64))


# What makes a folder unfit -> what the message names
UNFIT = {
    "an empty folder": (lambda folder: folder.mkdir(), "images"),
    "no folder": (lambda folder: None, "images"),
    "only subfolders": (only_subfolders, "inside"),
    "no images": (lambda folder: write(folder / "bad.csv", noise(4, 4)), "bad.csv"),
    "not an image": (lambda folder: folder.mkdir() or (folder / "bad.tif").write_text("<html>"), "bad.tif"),
    "an empty file": (lambda folder: folder.mkdir() or (folder / "bad.tif").write_bytes(b""), "bad.tif"),
    "a truncated TIFF": (truncated, "bad.tif"),
    "text in pixels": (lambda folder: folder.mkdir() or (folder / "bad.png").write_text("no"), "bad.png"),
    "NaN": (with_nan, "bad.tif"),
    "infinity": (lambda folder: write(folder / "bad.tif", np.full((64, 64), np.inf, "float32")), "bad.tif"),
    "mixed axes": (mixed, "other.tif"),
    "a constant image": (lambda folder: write(folder / "bad.tif", np.full((64, 64), 7, "uint16")), "bad.tif"),
    "a tiny image": (lambda folder: write(folder / "bad.tif", noise(9, 7)), "bad.tif"),
}
FINE_FOR_PREDICTION = ("mixed axes", "a constant image", "a tiny image")


@pytest.fixture(params=UNFIT)
def unfit(request, tmp_path):
    """A folder of images with a fault, and what the message about it has to name."""
    make, named = UNFIT[request.param]
    make(tmp_path / "images")
    return request.param, tmp_path / "images", named


@pytest.fixture
def run_copy(trained, tmp_path):
    """A run folder to damage."""
    return Path(shutil.copytree(trained.run.path, tmp_path / "model"))


# sample


def test_a_sample_is_made_and_is_the_same_for_the_same_seed(n2seg, tmp_path):
    for out, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert f"Written to {out}" in n2seg("sample", "spots", "--out", out, "--count", 2, "--seed", seed)
        for kind in ("images", "clean", "masks"):
            assert [f.name for f in list_images(tmp_path / out / kind)] == ["spots_01.tif", "spots_02.tif"]
    a, b, c = (tifffile.imread(tmp_path / out / "images" / "spots_02.tif") for out in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_levels_differ_in_noise(n2seg, tmp_path):
    brightest = []
    for level in ("easy", "hard"):
        n2seg("sample", "nuclei", "--out", level, "--count", 1, "--level", level)
        brightest.append(tifffile.imread(tmp_path / level / "clean" / "nuclei_01.tif").max())
    assert brightest[0] > 3 * brightest[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nuclear"], "choose one of nuclei, spots"),
        (["nuclei", "--level", "insane"], "easy, medium or hard|easy, medium, hard"),
        (["nuclei", "--count", "0"], "--count"),
        (["nuclei", "--count", "-3"], "--count"),
        (["nuclei", "--count", "few"], "--count"),
        (["nuclei", "--seed", "-1"], "--seed"),
    ],
)
def test_a_sample_that_cannot_be_made_is_refused(arguments, named, refused, tmp_path):
    said = refused("sample", *arguments, "--out", "new")
    assert any(part in said for part in named.split("|"))
    assert not (tmp_path / "new").exists()


def test_a_sample_overwrites_nothing(n2seg, refused):
    n2seg("sample", "nuclei", "--out", "there", "--count", 1)
    assert "nuclei_01.tif exists already" in refused("sample", "nuclei", "--out", "there", "--count", 1)


# check


def test_check_says_how_images_were_understood(n2seg, sample):
    said = n2seg("check", "--images", sample / "images", "--truth", sample / "clean")
    assert "nuclei_01.tif: one image of 256 x 256, uint16, axes YX" in said
    assert "4 images read; nothing must change" in said


def test_check_can_speak_json(n2seg, sample):
    found = json.loads(n2seg("check", "--images", sample / "images", "--json"))
    assert found["ok"] is True
    assert [image["name"] for image in found["images"]] == [f"nuclei_0{i}.tif" for i in (1, 2, 3, 4)]
    assert found["images"][0] == {"name": "nuclei_01.tif", "axes": "YX", "shape": [256, 256], "dtype": "uint16"}


def test_check_finds_what_is_unfit(unfit, refused):
    _, folder, named = unfit
    assert named in refused("check", "--images", folder)


def test_check_finds_what_is_unfit_in_json_too(unfit, tmp_path, capfd):
    _, folder, named = unfit
    assert main(["check", "--images", str(folder), "--json"]) == 2
    out, err = capfd.readouterr()
    found = json.loads(out)
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert found["ok"] is False
    assert any(named in f["file"] + f["message"] for f in errors)
    assert err.startswith("n2seg: ")


def test_check_believes_the_axes_it_is_given(n2seg, refused, tmp_path):
    write(tmp_path / "images" / "stack.tif", noise(5, 64, 64))
    assert "axes ZYX" in n2seg("check", "--images", "images", "--axes", "zyx")
    said = refused("check", "--images", "images", "--axes", "YX")
    assert "stack.tif" in said
    assert "TYX" in said, "axes that would work"


def test_check_finds_truth_that_does_not_belong(refused, sample, tmp_path):
    write(tmp_path / "clean" / "other.tif", noise(64, 64))
    assert "nuclei_01.tif" in refused("check", "--images", sample / "images", "--truth", "clean")
    assert "nowhere" in refused("check", "--images", sample / "images", "--truth", "nowhere")


# train


def test_training_follows_the_file_and_the_command_line_wins(n2seg, sample, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(
        DenoiseSettings(images=str(sample / "images"), run="from_file", **TINY).to_yaml(), encoding="utf-8"
    )
    said = n2seg("train", "denoise", "--config", config, "--run", "Läufe/1", "--set", "epochs=1", "--set", "seed = 7")
    assert "epoch   1 of 1" in said
    assert f"The model is in {Path('Läufe/1')}" in said
    written = DenoiseSettings.load(tmp_path / "Läufe" / "1" / "settings.yaml")
    assert (written.epochs, written.seed, written.network_width, written.steps_per_epoch) == (1, 7, 8, 4)
    with open(tmp_path / "Läufe" / "1" / "history.csv") as file:
        assert len(list(csv.DictReader(file))) == 1
    assert not (tmp_path / "from_file").exists()


def test_the_settings_of_a_run_train_it_again(n2seg, small_run, tmp_path):
    n2seg("train", "denoise", "--config", small_run / "settings.yaml", "--run", "again")
    losses = []
    for run in (small_run, tmp_path / "again"):
        with open(run / "history.csv") as file:
            losses.append([(row["loss"], row["val_loss"]) for row in csv.DictReader(file)])
    assert losses[0] == losses[1]


def test_training_with_a_single_image(n2seg, tmp_path):
    write(tmp_path / "one.tif", noise(96, 96))
    n2seg("train", "denoise", "--images", "one.tif", "--run", "run", *QUICK)
    assert (tmp_path / "run" / "weights_best.h5").is_file()


def test_training_refuses_unfit_images(unfit, refused, tmp_path):
    _, folder, named = unfit
    assert named in refused("train", "denoise", "--images", folder, "--run", "run", *QUICK)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "epoch=5"], "did you mean 'epochs'"),
        (["--set", "zzz=5"], "use one of images, axes"),
        (["--set", "epochs=many"], "epochs is 'many'"),
        (["--set", "epochs=0"], "use 1"),
        (["--set", "epochs=0", "--set", "dtype=half"], "dtype is 'half'"),
        (["--set", "patch_size=33"], "use 32"),
        (["--set", "epochs"], "key=value"),
        (["--set", "=5"], "There is no setting ''"),
        (["--set", "axes=TYX"], "nuclei_01.tif"),
        (["--set", "patch_size=512"], "nuclei_01.tif is only 256 pixels wide"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--config", "broken.yaml"], "broken.yaml"),
        (["--config", "unknown.yaml"], "unknown.yaml: There is no setting 'epoch'"),
        (["--images", ""], "--images"),
    ],
)
def test_training_refuses_wrong_settings(arguments, named, refused, sample, tmp_path):
    (tmp_path / "broken.yaml").write_text("epochs: [")
    (tmp_path / "unknown.yaml").write_text("epoch: 5")
    said = refused("train", "denoise", "--images", sample / "images", "--run", "run", *QUICK, *arguments)
    assert named in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("missing", ["images", "run"])
def test_training_needs_images_and_a_place(missing, refused, sample):
    given = {"images": sample / "images", "run": "run"}
    arguments = [f"--{name}={value}" for name, value in given.items() if name != missing]
    assert f"Give --{missing}" in refused("train", "denoise", *arguments)


def test_a_patch_larger_than_the_image_is_refused_with_one_that_fits(refused, n2seg, tmp_path):
    write(tmp_path / "images" / "small.tif", noise(50, 70))
    said = refused("train", "denoise", "--images", "images", "--run", "run", *QUICK, "--set=patch_size=64")
    assert "small.tif" in said
    works = said.partition("use patch_size ")[2].split()[0]
    n2seg("train", "denoise", "--images", "images", "--run", "run", *QUICK, f"--set=patch_size={works}")


def test_a_run_folder_that_is_taken_is_refused_with_one_that_is_free(refused, n2seg, sample, run_copy, tmp_path):
    said = refused("train", "denoise", "--images", sample / "images", "--run", run_copy, *QUICK)
    assert "is not empty" in said
    assert said.strip().endswith(f"for example {tmp_path / 'model_2'}")
    n2seg("train", "denoise", "--images", sample / "images", "--run", tmp_path / "model_2", *QUICK)


@pytest.mark.parametrize("run", ["file", "file/below", "file/far/below"])
def test_a_run_folder_below_a_file_is_refused(run, refused, sample, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "file" in refused("train", "denoise", "--images", sample / "images", "--run", run, *QUICK)


# predict


def test_prediction_writes_an_image_for_each(n2seg, trained, sample, tmp_path):
    assert "4 images written to out" in n2seg(
        "predict", "--run", trained.run.path, "--images", sample / "images", "--out", "out"
    )
    files = list_images(tmp_path / "out")
    assert [f.name for f in files] == [f"nuclei_0{i}.tif" for i in (1, 2, 3, 4)]
    for file in files:
        noisy, result = tifffile.imread(sample / "images" / file.name), tifffile.imread(file)
        assert (result.shape, result.dtype) == (noisy.shape, "float32")
        assert np.corrcoef(noisy.ravel(), result.ravel())[0, 1] > 0.5


def test_tiles_change_nothing_and_the_type_can_be_that_of_the_input(n2seg, trained, sample, tmp_path):
    image = sample / "images" / "nuclei_01.tif"
    for out, more in (("whole", []), ("tiles", ["--tile", 64]), ("typed", ["--dtype", "input"])):
        n2seg("predict", "--run", trained.run.path, "--images", image, "--out", out, *more)
    whole, tiles, typed = (tifffile.imread(tmp_path / out / image.name) for out in ("whole", "tiles", "typed"))
    np.testing.assert_allclose(tiles, whole, atol=1e-3 * np.ptp(whole))
    assert typed.dtype == "uint16"
    np.testing.assert_allclose(typed, whole, atol=0.51)


def test_prediction_keeps_what_is_in_the_folder_already(n2seg, refused, trained, sample, tmp_path):
    write(tmp_path / "out" / "mine.tif", noise(8, 8))
    before = contents(tmp_path)
    arguments = ["predict", "--run", trained.run.path, "--images", sample / "images", "--out", "out"]
    n2seg(*arguments)
    assert before.items() <= contents(tmp_path).items()
    assert "nuclei_01.tif exists already (and 3 more) and is not overwritten" in refused(*arguments)


def test_prediction_never_replaces_its_own_input(refused, trained, sample, tmp_path):
    shutil.copytree(sample / "images", tmp_path / "images")
    assert "nuclei_01.tif" in refused("predict", "--run", trained.run.path, "--images", "images", "--out", "images")


def test_prediction_refuses_unfit_images(unfit, refused, n2seg, trained):
    what, folder, named = unfit
    arguments = ["predict", "--run", trained.run.path, "--images", folder, "--out", "out"]
    if what in FINE_FOR_PREDICTION:
        assert "written to out" in n2seg(*arguments)
    else:
        assert named in refused(*arguments)


@pytest.mark.parametrize("tile", ["0", "31", "-64", "64.5", "many", "²", ""])
def test_tiles_that_do_not_work_are_refused(tile, refused, trained, sample):
    said = refused(
        "predict", "--run", trained.run.path, "--images", sample / "images", "--out", "out", f"--tile={tile}"
    )
    assert f"--tile is '{tile}'" in said


def test_images_with_other_channels_are_refused(refused, trained, tmp_path):
    write(tmp_path / "images" / "two.tif", noise(2, 64, 64), imagej=True, metadata={"axes": "CYX"})
    said = refused("predict", "--run", trained.run.path, "--images", "images", "--out", "out")
    assert "two.tif has 2 channels" in said


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_output_folder_below_a_file_is_refused(out, refused, trained, sample, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "file" in refused("predict", "--run", trained.run.path, "--images", sample / "images", "--out", out)


@pytest.mark.parametrize("run", ["nowhere", "empty", "file"])
def test_a_folder_that_is_no_run_is_refused(run, refused, sample, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    said = refused("predict", "--run", run, "--images", sample / "images", "--out", "out")
    assert f"{run} is not the folder of a trained model" in said


DAMAGE = {
    "weights cut short": ("weights_best.h5", lambda data: data[: len(data) // 2]),
    "empty weights": ("weights_best.h5", lambda data: b""),
    "no weights at all": ("weights_best.h5", lambda data: b"<html>not found</html>"),
    "weights of another network": (
        "run.json",
        lambda data: data.replace(b'"width": 8', b'"width": 9'),
    ),
    "facts cut short": ("run.json", lambda data: data[: len(data) // 2]),
    "no facts": ("run.json", lambda data: b""),
    "facts of another program": ("run.json", lambda data: b"[1, 2]"),
    "facts without what is needed": ("run.json", lambda data: b"{}"),
    "settings that are no YAML": ("settings.yaml", lambda data: data + b"\nepochs: ["),
    "settings with an unknown name": ("settings.yaml", lambda data: data + b"\nepoch: 3"),
    "settings of the wrong kind": (
        "settings.yaml",
        lambda data: data.replace(b"kernel_size: 3", b"kernel_size: round"),
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_run_folder_is_refused(what, refused, run_copy, sample):
    name, damage = DAMAGE[what]
    intact = (run_copy / name).read_bytes()
    (run_copy / name).write_bytes(damage(intact))
    assert (run_copy / name).read_bytes() != intact
    said = refused("predict", "--run", run_copy, "--images", sample / "images", "--out", "out")
    assert ("weights_best.h5" if "weights" in what else name) in said


# qc


@pytest.fixture
def restored(small_sample, tmp_path):
    """Images that are better than the noisy ones, in a format of their own."""
    for file in list_images(small_sample / "images"):
        noisy, clean = (
            tifffile.imread(small_sample / kind / file.name).astype("float32") for kind in ("images", "clean")
        )
        write(tmp_path / "restored" / f"{file.stem}.tiff", (noisy + 3 * clean) / 4)
    return tmp_path / "restored"


def test_qc_tells_scores_and_the_gain(n2seg, restored, small_sample, tmp_path):
    said = n2seg(
        "qc",
        "--prediction",
        restored,
        "--truth",
        small_sample / "clean",
        "--raw",
        small_sample / "images",
        "--out",
        "qc",
    )
    for score in ("SSIM", "NRMSE", "PSNR"):
        assert any(line.startswith(score) and "change" in line for line in said.splitlines())
    summary = json.loads((tmp_path / "qc" / "summary.json").read_text())
    assert summary["psnr"]["gain"] == pytest.approx(20 * np.log10(4), abs=0.1), "a quarter of the error is left"
    with open(tmp_path / "qc" / "metrics.csv") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [f"nuclei_0{i}.tiff" for i in (1, 2, 3, 4)]


def test_qc_without_noisy_images_tells_no_gain(n2seg, restored, small_sample, tmp_path):
    (restored / "nuclei_04.tiff").rename(restored / "alone.tiff")
    said = n2seg("qc", "--prediction", restored, "--truth", small_sample / "clean", "--out", "qc")
    assert "gain" not in said
    assert "Not judged, for it has no partner: alone.tiff" in said
    assert json.loads((tmp_path / "qc" / "summary.json").read_text())["psnr"]["gain"] is None


def test_qc_refuses_images_without_partners(refused, sample, tmp_path):
    write(tmp_path / "restored" / "other.tif", noise(256, 256))
    said = refused("qc", "--prediction", "restored", "--truth", sample / "clean", "--out", "qc")
    assert "other.tif" in said


def test_qc_refuses_images_of_different_sizes(refused, sample, tmp_path):
    write(tmp_path / "restored" / "nuclei_01.tif", noise(256, 255))
    said = refused("qc", "--prediction", "restored", "--truth", sample / "clean", "--out", "qc")
    assert "nuclei_01.tif is one image of 256 x 255" in said


@pytest.mark.parametrize("missing", ["--prediction", "--truth", "--raw"])
def test_qc_refuses_folders_that_are_not_there(missing, refused, restored, small_sample):
    given = {
        "--prediction": restored,
        "--truth": small_sample / "clean",
        "--raw": small_sample / "images",
        "--out": "qc",
    }
    assert "nowhere" in refused("qc", *(part for pair in (given | {missing: "nowhere"}).items() for part in pair))


def test_qc_refuses_values_that_are_not_numbers(refused, sample, tmp_path):
    pixels = tifffile.imread(sample / "clean" / "nuclei_01.tif")
    pixels[0, 0] = np.nan
    write(tmp_path / "restored" / "nuclei_01.tif", pixels)
    assert "nuclei_01.tif" in refused("qc", "--prediction", "restored", "--truth", sample / "clean", "--out", "qc")


def test_qc_overwrites_nothing(n2seg, refused, restored, small_sample, tmp_path):
    arguments = ["qc", "--prediction", restored, "--truth", small_sample / "clean", "--out", "qc"]
    n2seg(*arguments)
    assert "report.html exists already" in refused(*arguments)


# A full disk, and an interrupt


@contextlib.contextmanager
def full_disk(how, folder):
    """The disk of a folder has no room: none is reported, none can be claimed, or none is left when a file is done."""
    usage = namedtuple("usage", "total used free")

    def replace(source, target, kept=os.replace):
        if folder in Path(target).absolute().parents:
            raise OSError(errno.ENOSPC, "No space left on device")
        kept(source, target)

    def claim(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        if how == "reported":
            patch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 0))
        elif how == "claimed":
            patch.setattr(os, "posix_fallocate", claim, raising=False)
        else:
            patch.setattr(os, "replace", replace)
        yield


@pytest.mark.parametrize("how", ["reported", "claimed", "done"])
def test_a_full_disk_stops_a_prediction_without_half_a_file(how, refused, trained, sample, tmp_path):
    with full_disk(how, tmp_path):
        said = refused("predict", "--run", trained.run.path, "--images", sample / "images", "--out", "out")
    assert "Make room, or choose a folder on another disk" in said
    assert str(Path("out")) in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "nuclei", "--count=1", "--out=out"],
        ["train", "denoise", "--run=out", "--images={sample}/images", *QUICK],
        ["qc", "--out=out", "--prediction={sample}/images", "--truth={sample}/clean"],
    ],
)
def test_a_full_disk_stops_other_commands_too(arguments, refused, sample, tmp_path):
    with full_disk("done", tmp_path):
        said = refused(*(argument.format(sample=sample) for argument in arguments))
    assert "No space left on device. Make room" in said


def test_a_disk_that_fills_up_while_training_keeps_what_is_there(sample, tmp_path, capfd, monkeypatch):
    replace, written = os.replace, []

    def fills_up(source, target):
        if Path(target).name == "weights_best.h5":
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fills_up)
    assert main(["train", "denoise", "--images", str(sample / "images"), "--run", "run", *QUICK]) == 2
    err = capfd.readouterr().err
    assert err.startswith("n2seg: Cannot write")
    assert "weights_best.h5" in err
    there = {p.name for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert there == {Path(p).name for p in written}, "no half files"


def test_an_interrupt_says_so_and_nothing_more(trained, sample, capfd, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("n2seg_utils.models.denoiser.Denoiser.predict_folder", interrupt)
    arguments = ["predict", "--run", str(trained.run.path), "--images", str(sample / "images"), "--out", "out"]
    assert main(arguments) == 130
    assert capfd.readouterr().err == "n2seg: stopped\n"


# The command itself


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tran"],
        ["train"],
        ["predict"],
        ["predict", "--run=a", "--images=b", "--out=c", "--dtype=int8"],
        ["check", "--images", "a", "--jsn"],
        ["demo", "--minutes=soon"],
        ["demo", "--minutes=-1"],
        ["notebook", "99"],
        ["notebook", "1", "--set", "epochs"],
    ],
)
def test_a_command_that_makes_no_sense_is_refused_in_the_same_way(arguments, refused):
    refused(*arguments)


def test_help_and_version(capfd):
    for arguments in (["--help"], ["train", "denoise", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    out = capfd.readouterr().out
    assert f"n2seg {__version__}" in out
    assert all(word in out for word in ("sample", "check", "train", "predict", "qc", "--set KEY=VALUE"))


def test_the_command_from_a_shell(sample, tmp_path):
    def shell(*arguments):
        command = [sys.executable, "-m", "n2seg_utils.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    done = shell("train", "denoise", "--images", sample / "images", "--run", "run", *QUICK)
    assert (done.returncode, done.stderr) == (0, ""), "TensorFlow's own messages are kept from the user"
    assert "The model is in run" in done.stdout
    wrong = shell("predict", "--run", "run", "--images", "nowhere", "--out", "out")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("n2seg: There is no folder or file nowhere")
    assert len(wrong.stderr.splitlines()) == 1


def test_nothing_loads_tensorflow_before_it_is_needed(sample, tmp_path):
    code = """
import contextlib, io, sys
def heavy(): return {"tensorflow", "keras", "torch", "jax"} & set(sys.modules)
def say(what): print(what, sorted(heavy()))
import n2seg_utils
say("import")
assert not {"scipy", "skimage", "matplotlib", "ipywidgets"} & set(sys.modules), "quick to import"
from n2seg_utils.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(["--help"])
say("help")
for arguments in (["sample", "nuclei", "--count=1", "--out=new"], ["check", "--images", sys.argv[1]],
                  ["check", "--json", "--images", sys.argv[1]], ["predict", "--run=no", "--images=no", "--out=no"],
                  ["train", "denoise", "--set", "epochs=0"]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()): status = main(arguments)
    say(f"{arguments[0]} {status}")
n2seg_utils.train_denoiser
say("train_denoiser")
"""
    images = str(sample / "images")
    done = subprocess.run([sys.executable, "-c", code, images], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:-1] == [
        "import []",
        "help []",
        "sample 0 []",
        "check 0 []",
        "check 0 []",
        "predict 2 []",
        "train 2 []",
    ]
    assert "keras" in lines[-1], "loaded when it is needed"
