"""Whatever is wrong with a model, a disk or a folder of results: said in one message, and no half file is left."""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from n2seg_utils.cli import main

from .refusals import contents, noise, write


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        write(tmp_path / "images" / f"cell_{number}.tif", noise(64, 64, seed=number))


@pytest.fixture
def model(trained, tmp_path):
    """A run folder to damage."""
    return Path(shutil.copytree(trained.run.path, tmp_path / "model"))


@pytest.fixture
def predicting(refused):
    """Predict, which must be refused with all of some words."""

    def predict(words, run="model", out="out", more=(), files=None):
        said = refused("predict", "--run", run, "--images", "images", "--out", out, *more, out=files)
        assert all(word in said for word in words), said

    return predict


def no(name):
    return lambda run: (run / name).unlink()


def instead(name, data):
    """A file of other bytes."""
    return lambda run: (run / name).write_bytes(data)


def fact(path, value, name="run.json"):
    """Another value in a JSON file."""

    def change(run):
        facts = json.loads((run / name).read_text())
        *above, last = path.split(".")
        place = facts
        for key in above:
            place = place[key]
        place[last] = value
        (run / name).write_text(json.dumps(facts))

    return change


def weights(change):
    def damage(run):
        with h5py.File(run / "weights_best.h5", "r+") as file:
            change(file)

    return damage


def no_layer_names(file):
    del file.attrs["layer_names"]


def no_output(file):
    del file["output"]


def not_a_number(file):
    file["middle_0/middle_0/kernel:0"][0, 0, 0, 0] = np.nan


def without_ours(damage):
    """Only what n2v itself would have written, damaged."""

    def change(run):
        for name in ("settings.yaml", "run.json"):
            (run / name).unlink()
        damage(run)

    return change


# What is wrong with a run folder -> how it is made, and what the message says.
MODELS = {
    "no settings": (lambda run: [(run / n).unlink() for n in ("settings.yaml", "config.json")], "no settings.yaml"),
    "no facts": (no("run.json"), "no run.json", "Give a run folder"),
    "no weights": (no("weights_best.h5"), "no weights_best.h5"),
    "facts that are no JSON": (instead("run.json", b"{'status': 'done'}"), "run.json is damaged"),
    "facts that are a number": (instead("run.json", b"3"), "run.json is damaged"),
    "facts of no encoding": (instead("run.json", b"\xff\xfe{"), "run.json is damaged"),
    "a workflow that is none": (fact("workflow", "knit"), "run.json is damaged"),
    "a list for a workflow": (fact("workflow", ["denoise"]), "run.json is damaged"),
    "another workflow": (fact("workflow", "segment"), "model"),
    "a network that is text": (fact("network", "unet"), "run.json is damaged"),
    "a network of two halves": (fact("network.depth", "two"), "run.json is damaged"),
    "a network of no filters": (fact("network.width", 0), "run.json is damaged"),
    "a network of five dimensions": (fact("network.dims", 5), "run.json is damaged"),
    "an unknown part of the network": (fact("network.attention", True), "run.json is damaged"),
    "no mean": (fact("normalisation.mean", []), "run.json is damaged"),
    "a mean that is text": (fact("normalisation.mean", ["grey"]), "run.json is damaged"),
    "no standard deviation": (fact("normalisation.std", None), "run.json is damaged"),
    "a standard deviation of zero": (fact("normalisation.std", [0]), "run.json is damaged"),
    "weights of other layers": (weights(no_output), "weights_best.h5 is damaged"),
    "weights without a list of layers": (weights(no_layer_names), "weights_best.h5 is damaged"),
    "weights that are no numbers": (weights(not_a_number), "weights_best.h5 is damaged"),
    "a folder for weights": (lambda run: no("weights_best.h5")(run) or (run / "weights_best.h5").mkdir(), "no weights"),
    "settings that run code": (
        instead("settings.yaml", b"epochs: !!python/object/apply:os.mkdir [harm]"),
        "settings.yaml is not a settings file",
    ),
    "settings out of range": (instead("settings.yaml", b"orientations: perhaps"), "settings.yaml", "orientations"),
    "an n2v model without weights": (without_ours(no("weights_best.h5")), "no weights_best.h5", "Copy that file"),
    "an n2v model of broken JSON": (without_ours(instead("config.json", b"{")), "config.json is damaged"),
    "an n2v model of a list": (without_ours(instead("config.json", b"[]")), "config.json is damaged"),
    "an n2v model of no names": (without_ours(instead("config.json", b"{}")), "model"),
    "an n2v model without depth": (without_ours(fact("unet_n_depth", None, "config.json")), "config.json is damaged"),
    "an n2v model of text for means": (without_ours(fact("means", ["grey"], "config.json")), "config.json is damaged"),
    "an n2v model of zero for stds": (without_ours(fact("stds", ["0"], "config.json")), "config.json is damaged"),
    "an n2v model of no means": (without_ours(fact("means", [], "config.json")), "config.json is damaged"),
    "an n2v model of five dimensions": (without_ours(fact("n_dim", 5, "config.json")), "config.json is damaged"),
    "an n2v model of another width": (without_ours(fact("unet_n_first", 9, "config.json")), "weights_best.h5"),
    "a CARE model": (without_ours(lambda run: (run / "config.json").write_text('{"n_dim": 2}')), "model"),
}


@pytest.mark.parametrize("what", MODELS)
def test_a_model_that_cannot_be_used_is_named(what, model, predicting, tmp_path):
    damage, *words = MODELS[what]
    damage(model)
    predicting(["model", *words])
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "what",
    [
        "no weights",
        "facts that are no JSON",
        "a network that is text",
        "a network of two halves",
        "weights of other layers",
    ],
)
@pytest.mark.parametrize("workflow", ["denoise", "segment"])
def test_a_model_that_cannot_be_started_from_is_named(what, workflow, model, refused, tmp_path):
    MODELS[what][0](model)
    mask = noise(64, 64) > 200
    for number in (1, 2):
        write(tmp_path / "masks" / f"cell_{number}.tif", mask.astype("uint8"))
    masks = ["--masks", "masks"] if workflow == "segment" else []
    said = refused(
        "train",
        workflow,
        "--images",
        "images",
        *masks,
        "--run",
        "run",
        "--set",
        "pretrained=model",
        "--set=minutes=0",
        "--set=epochs=1",
    )
    assert "model" in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--threshold", "0.5"], ["denoise", "threshold", "Leave"]),
        (["--outlines", "imagej"], ["denoise", "outlines", "Leave"]),
        (["--min-size", "3"], ["denoise", "min_size", "Leave"]),
        (["--min-size", "-3"], ["--min-size"]),
        (["--threshold", "half"], ["--threshold"]),
        (["--tile", "1e3"], ["--tile is '1e3'"]),
        (["--dtype", "uint8"], ["--dtype", "float32"]),
    ],
)
def test_options_that_a_model_does_not_know(more, words, model, predicting):
    predicting(words, more=more)


# Folders of results


def test_results_are_not_written_among_the_images(model, predicting, tmp_path):
    (tmp_path / "images" / "cell_1.tif").rename(tmp_path / "images" / "cell_1.tiff")
    (tmp_path / "images" / "cell_2.tif").rename(tmp_path / "images" / "cell_2.tiff")
    predicting(["images", "Choose another folder"], out="images")
    (tmp_path / "link").symlink_to(tmp_path / "images")
    predicting(["images", "Choose another folder"], out="link")


def test_results_that_are_there_are_named_and_kept(model, predicting):
    assert main(["predict", "--run=model", "--images=images", "--out=out"]) == 0
    predicting(["cell_1.tif exists already (and 1 more)", "Choose another folder"])


def test_a_result_of_another_kind_is_kept_too(model, predicting, tmp_path):
    (tmp_path / "out" / "cell_2.tif").mkdir(parents=True)
    predicting(["cell_2.tif exists already", "Choose another folder"])


def test_scores_are_not_written_among_what_is_judged(refused, tmp_path):
    shutil.copytree("images", "truth")
    for out in ("images", "truth"):
        assert f"{out} holds what is to be judged" in refused(
            "qc", "--prediction=images", "--truth=truth", f"--out={out}"
        )


def test_a_training_is_not_started_among_the_images(refused):
    said = refused("train", "denoise", "--images=images", "--run=images")
    assert "images is not empty" in said
    assert "images_2" in said


@pytest.mark.parametrize("out", ["images/cell_1.tif", "images/cell_1.tif/below", "x" * 300])
@pytest.mark.parametrize(
    "command",
    [
        ["predict", "--run=model", "--images=images"],
        ["qc", "--prediction=images", "--truth=truth"],
        ["sample", "nuclei", "--count=1"],
        ["train", "denoise", "--images=images", "--set=minutes=0", "--set=epochs=1"],
    ],
)
def test_a_folder_of_results_that_cannot_be(out, command, model, refused):
    shutil.copytree("images", "truth")
    said = refused(*command, "--run" if command[0] == "train" else "--out", out)
    assert "cell_1.tif" in said or (out in said and "File name too long" in said and "shorter name" in said)


# Disks


@contextlib.contextmanager
def failing(number, call, tmp_path, kept=0):
    """A disk on which something fails with an error, below a folder, after it went well so many times."""
    original, seen = getattr(*call), []

    def fail(*arguments, **options):
        if any(
            "out" in Path(str(a)).absolute().relative_to("/").parts
            for a in arguments
            if isinstance(a, (str, os.PathLike))
        ):
            seen.append(arguments)
            if len(seen) > kept:
                raise OSError(number, os.strerror(number), str(arguments[0]))
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*call, fail)
        yield
    assert len(seen) > kept, "the fault was met"


FAULTS = {
    "a folder on a read-only disk": ((os, "mkdir"), errno.EROFS, 0, "Choose a folder you may write to"),
    "a file on a read-only disk": ((tifffile, "memmap"), errno.EROFS, 0, "Choose a folder you may write to"),
    "a disk that fills up when a file is begun": ((tifffile, "memmap"), errno.ENOSPC, 0, "Make room"),
    "a disk that fills up when the second file is begun": ((tifffile, "memmap"), errno.ENOSPC, 1, "Make room"),
    "a quota that is used up": ((tifffile, "memmap"), errno.EDQUOT, 1, "Make room"),
    "a disk that fills up when the second file is done": ((os, "replace"), errno.ENOSPC, 2, "Make room"),
    "a Drive that goes away when a file is done": ((os, "replace"), errno.ENOENT, 0, "still connected"),
    "a Drive that is not connected any more": ((os, "replace"), errno.ENOTCONN, 2, "still connected"),
    "a disk with a fault": ((tifffile, "memmap"), errno.EIO, 1, "still connected"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_disk_that_fails_leaves_whole_files_only(what, model, predicting, tmp_path):
    call, number, kept, remedy = FAULTS[what]
    with failing(number, call, tmp_path, kept):
        predicting(["Cannot write out", os.strerror(number), remedy], out="out", files=tmp_path / "out")
    found = sorted((tmp_path / "out").glob("*.tif"))
    assert [path.name for path in found] == ["cell_1.tif"][:kept]
    for path in found:
        assert tifffile.imread(path).shape == (64, 64)
    assert main(["predict", "--run=model", "--images=images", "--out=out"]) == 0, "the same command goes on"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cell_1.tif", "cell_2.tif"]


@pytest.mark.parametrize("command", [["qc", "--prediction=images", "--truth=truth"], ["sample", "nuclei", "--count=2"]])
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_disk_that_fails_other_commands_leaves_whole_files_only(command, kept, refused, tmp_path):
    shutil.copytree("images", "truth")
    with failing(errno.ENOSPC, (os, "replace"), tmp_path, kept):
        said = refused(*command, "--out", "out", out=tmp_path / "out")
    assert "Cannot write out" in said
    assert "Make room" in said


def test_a_folder_that_vanishes_in_mid_write_is_named(model, predicting, monkeypatch, tmp_path):
    replace = os.replace

    def vanish(source, target):
        if Path(target).suffix == ".tif":
            shutil.rmtree(tmp_path / "out")
        replace(source, target)

    monkeypatch.setattr(os, "replace", vanish)
    predicting(["Cannot write out", "cell_1.tif"])
    assert not (tmp_path / "out").exists()


def test_an_image_that_vanishes_in_mid_work_is_named_and_the_others_are_kept(trained, tmp_path, monkeypatch, capfd):
    replace = os.replace

    def vanish(source, target):
        replace(source, target)
        if Path(target).suffix == ".tif":
            (tmp_path / "images" / "cell_2.tif").unlink()

    monkeypatch.setattr(os, "replace", vanish)
    assert main(["predict", "--run", str(trained.run.path), "--images=images", "--out=out"]) == 2
    err = capfd.readouterr().err
    assert err.startswith("n2seg: Cannot read images/cell_2.tif: No such file or directory. Check that it is there")
    assert [path.name for path in (tmp_path / "out").glob("*.tif")] == ["cell_1.tif"]


@pytest.mark.parametrize("kept", [0, 1])
def test_an_interrupt_leaves_whole_files_only(kept, model, refused, monkeypatch, tmp_path):
    from n2seg_utils.learning.prediction import TiledPredictor

    predict, seen = TiledPredictor.predict, []

    def interrupted(*arguments):
        seen.append(arguments)
        predict(*arguments)
        if len(seen) > kept:
            raise KeyboardInterrupt

    monkeypatch.setattr(TiledPredictor, "predict", interrupted)
    said = refused("predict", "--run=model", "--images=images", "--out=out", status=130, out=tmp_path / "out")
    assert said == "n2seg: stopped\n"
    assert [path.name for path in (tmp_path / "out").glob("*.tif")] == ["cell_1.tif"][:kept]


def test_two_trainings_in_one_folder_are_refused_with_a_free_name(model, refused):
    before = contents(model)
    said = refused("train", "denoise", "--images=images", "--run=model")
    assert "model is not empty" in said
    assert "model_2" in said
    assert contents(model) == before


def test_a_name_too_long_for_the_maps_of_errors_says_so(refused, tmp_path):
    name = "x" * 248 + ".tif"
    for folder in ("restored", "truth"):
        write(tmp_path / folder / name, noise(64, 64, seed=len(folder)))
    said = refused("qc", "--prediction=restored", "--truth=truth", "--out=out", out=tmp_path / "out")
    assert "File name too long" in said
    assert "shorter" in said
