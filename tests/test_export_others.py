"""Models for Fiji's CSBDeep, for n2v, and from the notebooks; and what a run folder says of the packages it needs."""

import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from n2seg_utils import UserError
from n2seg_utils.about import INSTALL
from n2seg_utils.cli import main
from n2seg_utils.exchange import trial
from n2seg_utils.exchange.export import export, free_file
from n2seg_utils.models.weights import BEST
from n2seg_utils.settings import ExportSettings
from n2seg_utils.versions import direct, requirements

from .test_export_bioimageio import KINDS, image, made, require_same

CSBDEEP, N2V = ExportSettings(format="savedmodel"), ExportSettings(format="n2v")
# Of TensorFlow 1.15.
OLD_OPERATIONS = {
    "AddV2", "Any", "AvgPool", "AvgPool3D", "BiasAdd", "Cast", "Ceil", "ConcatV2", "Const", "Conv2D", "Conv3D",
    "DepthwiseConv2dNative", "ExpandDims", "GatherV2", "Greater", "Identity", "IsNan", "MaxPool", "MaxPool3D",
    "Maximum", "Mean", "MergeV2Checkpoints", "Minimum", "Mul", "Neg", "NoOp", "Pack", "PadV2", "PartitionedCall",
    "Placeholder", "Prod", "ReadVariableOp", "RealDiv", "Relu", "Reshape", "ResizeNearestNeighbor", "RestoreV2",
    "Rsqrt", "SaveV2", "Select", "SelectV2", "Shape", "ShardedFilename", "Softmax", "Split", "Sqrt", "Square",
    "Squeeze", "StatefulPartitionedCall", "StaticRegexFullMatch", "StridedSlice", "StringJoin", "Sub", "Sum",
    "Tile", "TopKV2", "Transpose",
}  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["denoise", "n2v2", "denoise, each image by itself", "segment volumes", "joint, each image by itself", "joint"],
)
def test_a_savedmodel_is_laid_out_as_csbdeep_does_and_gives_the_same_pixels(kind, tmp_path):
    import tensorflow as tf

    model = made(tmp_path, **KINDS[kind])
    a = model.architecture
    package = export(model, tmp_path / "model.zip", CSBDEEP)
    with zipfile.ZipFile(package) as files:
        assert {"saved_model.pb", "variables/", "meta.json"} <= set(files.namelist())
        files.extractall(tmp_path / "model")
    meta = json.loads((tmp_path / "model" / "meta.json").read_text())
    assert meta["axes"] == "ZYXC"[-a.dims - 1 :]
    assert meta["axes_div_by"] == [*a.block, 1]
    assert meta["tile_overlap"] == [*a.reach, 0]
    opened = tf.saved_model.load(tmp_path / "model").signatures["serving_default"]
    assert list(opened.structured_input_signature[1]) == ["input"]
    pixels = image(a.dims, a.channels)
    expected = trial.answers(model, pixels)
    found = opened(input=tf.constant(pixels[None]))["output"].numpy()[0]
    for channel in range(expected.shape[-1]):
        require_same(found[..., channel], expected[..., channel])


@pytest.mark.parametrize("format", ["savedmodel", "n2v"])
def test_what_is_said_of_a_model_is_in_the_package(format, trained, tmp_path):
    said = {"name": "Nuclei without noise", "authors": "Ada Lovelace", "licence": "MIT", "cite": "10.1234/abcd.5678"}
    with zipfile.ZipFile(export(trained, tmp_path / "m.zip", ExportSettings(format=format, **said))) as files:
        text = files.read(next(name for name in files.namelist() if name.endswith("README.txt"))).decode()
    assert text.startswith("Name: Nuclei without noise\n")
    assert "Authors: Ada Lovelace\nLicence: MIT\nTo be cited: https://doi.org/10.1234/abcd.5678\n" in text
    with pytest.raises(UserError, match="tiles is for the format bioimageio"):
        export(trained, tmp_path / "other.zip", ExportSettings(format=format, tiles=True))
    with pytest.raises(UserError, match="licence"):
        export(trained, tmp_path / "other.zip", ExportSettings(format=format, licence="mine"))


def test_a_savedmodel_says_how_to_use_it_in_fiji(tmp_path):
    own = made(tmp_path, "segment", kind="image")
    with zipfile.ZipFile(export(own, tmp_path / "own.zip", CSBDEEP)) as files:
        text = files.read("README.txt").decode()
    assert "without 'Normalize image'" in text
    assert "give whole images" in text
    assert "background, inside, border" in text


def test_a_savedmodel_holds_only_operations_that_old_tensorflow_knows(tmp_path):
    """All of these are in TensorFlow 1.15, which Fiji has: it opened a file of each kind, and gave the same pixels."""
    from tensorflow.core.protobuf import saved_model_pb2

    for number, kind in enumerate(["n2v2", "denoise, each image by itself", "joint volumes"]):
        (tmp_path / str(number)).mkdir()
        model = made(tmp_path / str(number), **KINDS[kind])
        with zipfile.ZipFile(export(model, tmp_path / str(number) / "model.zip", CSBDEEP)) as files:
            graph = saved_model_pb2.SavedModel.FromString(files.read("saved_model.pb")).meta_graphs[0].graph_def
        used = {node.op for node in graph.node}
        used |= {node.op for function in graph.library.function for node in function.node_def}
        assert used <= OLD_OPERATIONS


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_n2v_itself_opens_an_exported_model_and_predicts_the_same(trained, sample, tmp_path, packed):
    from n2v import models

    from n2seg_utils.data.images import open_image

    out = tmp_path / ("noisy_nuclei.zip" if packed else "noisy_nuclei")
    assert main(["export", "--run", str(trained.run), "--out", str(out), "--format", "n2v"]) == 0
    if packed:
        with zipfile.ZipFile(out) as files:
            files.extractall(tmp_path)
    opened = models.N2V(None, "noisy_nuclei", basedir=str(tmp_path))
    noisy = np.asarray(open_image(sorted((sample / "images").glob("*.tif"))[-1]).plane(0), "float32")
    require_same(opened.predict(noisy[..., 0], axes="YX"), trained.predict_pixels(noisy)[..., 0])


def test_volumes_are_exported_to_n2v_too(tmp_path):
    from n2v import models

    model = made(tmp_path, "denoise", dims=3, narrow_decoder=True)
    export(model, tmp_path / "volumes", N2V)
    opened = models.N2V(None, "volumes", basedir=str(tmp_path))
    pixels = image(3, 1)
    require_same(opened.predict(pixels[..., 0], axes="ZYX"), model.predict_pixels(pixels)[..., 0])


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("denoise, channels apart", "the last channel. Use the format bioimageio, or train with channels=together"),
        ("denoise, each image by itself", "which n2v cannot. Train with normalisation=dataset"),
        ("denoise volumes", "does not merge planes"),
        ("n2v2 volumes", "N2V2 in 3D"),
        ("segment", "n2v only denoises. Use the format bioimageio"),
        ("joint", "n2v only denoises"),
    ],
)
def test_what_n2v_cannot_do_is_said_with_what_to_do_instead(kind, says, tmp_path):
    model = made(tmp_path, **KINDS[kind])
    with pytest.raises(UserError, match=re.escape(says)):
        export(model, tmp_path / "folder", N2V)
    assert not (tmp_path / "folder").exists()


def test_existing_files_and_folders_are_never_overwritten(trained, refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / BEST).write_text("mine")
    (tmp_path / "mine.zip").write_text("mine")
    for format in ("n2v", "savedmodel"):
        for name in ("mine", "mine.zip"):
            said = refused("export", "--run", trained.run.path, "--format", format, "--out", tmp_path / name)
            assert "not overwritten" in said


def test_what_is_no_model_is_refused(refused, tmp_path):
    out = tmp_path / "out.zip"
    assert "it does not exist" in refused("export", "--run", tmp_path / "no", "--format", "savedmodel", "--out", out)
    assert "invalid choice" in refused("export", "--run", tmp_path, "--format", "onnx", "--out", out)


def test_a_free_name_is_found_in_the_run_folder(tmp_path):
    model = made(tmp_path, "denoise")
    first = free_file(model.run, "savedmodel")
    assert first.name == "run_savedmodel.zip"
    first.write_text("there")
    assert free_file(model.run, "savedmodel").name == "run_savedmodel_2.zip"


def test_the_run_folder_says_which_packages_install_the_same_again(trained):
    lines = (trained.run / "requirements.txt").read_text().splitlines()
    assert lines[0].startswith("# Python 3.")
    assert f"n2seg-utils @ {INSTALL}" in lines
    import keras
    import tensorflow as tf

    assert f"tensorflow=={tf.__version__}" in lines
    assert f"keras=={keras.__version__}" in lines
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+|n2seg-utils @ .+", line) for line in lines)


def test_requirements_name_what_the_package_depends_on():
    text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    assert sorted(direct()) == sorted(re.findall(r'^\s*"([\w.-]+)', block, re.MULTILINE))
    assert requirements().count("==") == len(direct())


def test_the_notebook_exports_a_model_and_downloads_nothing_twice(trained, tmp_path, monkeypatch, capsys):
    from n2seg_utils.ui import forms
    from n2seg_utils.ui.denoising import Denoising

    monkeypatch.setattr(forms, "_forms", {})
    monkeypatch.setenv("N2SEG_SET", '{"export_format": "savedmodel", "export_authors": "Ada"}')
    work = Denoising()
    work.model = trained
    work.ask_share()
    work.share()
    work.share()
    names = sorted(path.name for path in trained.run.path.glob("*_savedmodel*"))
    try:
        assert names == [f"{trained.run.path.name}_savedmodel.zip", f"{trained.run.path.name}_savedmodel_2.zip"]
        assert "n2seg" not in os.environ.get("N2SEG_SET")
    finally:
        for name in names:
            (trained.run / name).unlink()
    assert names[0] in capsys.readouterr().out


def test_no_export_is_asked_for_with_none(trained, monkeypatch):
    from n2seg_utils.ui import forms
    from n2seg_utils.ui.denoising import Denoising

    monkeypatch.setattr(forms, "_forms", {})
    monkeypatch.setenv("N2SEG_SET", '{"export_format": "none"}')
    work = Denoising()
    work.model, before = trained, sorted(trained.run.path.iterdir())
    work.ask_share()
    work.share()
    assert sorted(trained.run.path.iterdir()) == before
