"""Large sets: memory stays flat, parts do the same as one call, and Snakemake does all of them."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from n2seg_utils.cli import main
from n2seg_utils.data.tables import read_table, write_table
from n2seg_utils.models.segment_training import train_segmenter
from n2seg_utils.settings import SegmentSettings

from .conftest import TINY
from .test_large_images import STATUS, run
from .test_workflow import own, snakemake  # noqa: F401

WORKFLOW = Path(__file__).resolve().parent.parent / "workflow" / "predict.smk"


@pytest.fixture(scope="module")
def segmenter(sample, tmp_path_factory):
    """A run of a segmenter that was trained for a moment."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = {"images": str(sample / "images"), "masks": str(sample / "masks"), "run": str(folder), **TINY}
    train_segmenter(SegmentSettings(**settings))
    return folder


def write_images(folder, count):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        tifffile.imwrite(folder / f"cell_{number + 1}.tif", rng.integers(0, 500, (32, 32)).astype("uint16"))
    return folder


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell a process' peak memory")
def test_memory_does_not_grow_with_the_number_of_images(trained, tmp_path):
    """Of what Python holds after the first fifty images and after two hundred and fifty, hardly anything is new."""
    images = write_images(tmp_path / "in", 250)
    code = """
import gc, json, sys, tracemalloc
from n2seg_utils.models.denoiser import Denoiser
model, held, seen = Denoiser.load(sys.argv[1]), [], []
def told(share, name):
    seen.append(name) if len(seen) < 2 else None
    number = round(share * 250)
    if number in (50, 250) and len(held) < (1 if number == 50 else 2):
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
tracemalloc.start()
model.predict_folder(sys.argv[2], sys.argv[3], on_progress=told)
print(json.dumps(held))"""
    _, (early, late) = run(code, trained.run.path, images, tmp_path / "out")
    assert (late - early) / 200 < 1500, "bytes an image"


def test_a_table_of_any_length_takes_no_memory_and_has_all_columns(tmp_path):
    code = """
import json, sys, tracemalloc
from n2seg_utils.data.tables import write_table
tracemalloc.start()
write_table(sys.argv[1], ({"image": f"cell_{n}", "n": n} | ({"late": 1} if n == 19_999 else {}) for n in range(20_000)))
print(json.dumps(tracemalloc.get_traced_memory()[1]))"""
    _, peak = run(code, tmp_path / "t.csv")
    assert peak < 1_000_000
    rows = read_table(tmp_path / "t.csv")
    assert (len(rows), rows[0], rows[-1]["late"]) == (20_000, {"image": "cell_0", "n": "0", "late": ""}, "1")
    write_table(tmp_path / "none.csv", iter(()))
    assert read_table(tmp_path / "none.csv") == []


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and "parts" not in p.parts}


def test_parts_do_what_one_call_does_and_a_part_that_is_done_is_not_done_again(segmenter, tmp_path, capsys):
    images = write_images(tmp_path / "in", 7)
    common = ["--run", str(segmenter), "--images", str(images)]
    assert main(["predict", *common, "--out", str(tmp_path / "whole")]) == 0
    out = tmp_path / "parts of it"
    assert main(["predict", "--out", str(out), "--join", "3"]) == 2
    for number in (2, 1):
        assert main(["predict", *common, "--out", str(out), "--part", f"{number}/3"]) == 0
    assert main(["predict", "--out", str(out), "--join", "3"]) == 2
    assert "1 part of 3" in capsys.readouterr().err
    assert main(["predict", *common, "--out", str(out), "--part", "1/3"]) == 0
    assert "done already" in capsys.readouterr().out
    assert main(["predict", *common, "--out", str(out), "--part", "3/3", "--threshold", "0.9"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert main(["predict", *common, "--out", str(out), "--part", "3/3"]) == 0
    assert main(["predict", "--out", str(out), "--join", "3"]) == 0
    assert files(out) == files(tmp_path / "whole")


def test_a_part_that_was_stopped_goes_on(trained, tmp_path, monkeypatch):
    images = write_images(tmp_path / "in", 6)
    command = ["predict", "--run", str(trained.run.path), "--images", str(images), "--out", str(tmp_path / "out")]
    from n2seg_utils.models.denoiser import Denoiser

    usual, done = Denoiser.predict_file, []

    def stop_after_one(self, image, out, **more):
        if len(done) == 1:
            done.append(None)
            raise KeyboardInterrupt
        done.append(image.path.name)
        usual(self, image, out, **more)

    monkeypatch.setattr(Denoiser, "predict_file", stop_after_one)
    assert main([*command, "--part", "2/2"]) == 130
    assert main([*command, "--part", "2/2"]) == 0
    assert done == ["cell_2.tif", None, "cell_4.tif", "cell_6.tif"]


def test_snakemake_does_all_parts_and_joins_their_tables(snakemake, segmenter, tmp_path):  # noqa: F811
    write_images(tmp_path / "in", 5)
    given = [f"run={segmenter}", "images=in", "out=out", "parts=2"]
    call = [snakemake, "--snakefile", str(WORKFLOW), "--cores", "1", "--config", *given]
    space = own(tmp_path / "bin")
    done = subprocess.run(call, cwd=tmp_path, env=space, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out" / "counts.csv", newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [f"cell_{n}.tif" for n in range(1, 6)]
    again = subprocess.run(call, cwd=tmp_path, env=space, capture_output=True, text=True)
    assert "Nothing to be done" in again.stderr
    wrong = subprocess.run(call[:-1], cwd=tmp_path, env=space, capture_output=True, text=True)
    assert "Say parts" in wrong.stderr
    shutil.rmtree(tmp_path / "out")
