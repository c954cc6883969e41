"""The benchmark beside the rivals works, in its smallest form and without installing any rival; it times nothing."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from n2seg_utils.quality.label_scores import match

pytestmark = pytest.mark.elsewhere

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
RUN = BENCHMARKS / "rivals" / "run.py"


@pytest.fixture
def rivals(monkeypatch):
    """Imports a module of the benchmark."""
    if not RUN.exists():
        pytest.skip("there are no benchmarks beside the tests")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return lambda name: importlib.import_module(f"rivals.{name}")


def run(out, *questions):
    """The command, in its smallest form; returns the table and the measurements."""
    command = [sys.executable, str(RUN), "--out", str(out), "--small", "--no-environments", "--only", *questions]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return (out / "table.md").read_text(), (out / "measurements.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("question", "known"), [("labels", 1), ("step", 1), ("denoise", 1)], ids=["labels", "step", "denoise"]
)
def test_ours_is_measured_and_a_rival_that_is_not_there_is_said_to_be_missing(tmp_path, rivals, question, known):
    table, lines = run(tmp_path / "out", question)
    measured = [json.loads(line) for line in lines]
    ours = [one for one in measured if one["who"].startswith("ours")]
    assert len(ours) == known
    assert not [one["failed"] for one in ours if "failed" in one]
    assert all(one["versions"] and one["machine"]["cores"] for one in ours)
    assert "- not run: " in table
    assert "environments are not made" in table


def test_what_was_measured_is_not_measured_again_but_what_failed_is_tried_again(tmp_path, rivals):
    out = tmp_path / "out"
    first = run(out, "labels")[1]
    again = run(out, "labels")[1]
    assert again[: len(first)] == first
    assert {json.loads(line)["who"] for line in again[len(first) :]} == {"stardist", "denoiseg"}


def test_a_worker_that_fails_is_a_line_of_the_table_with_its_last_words(tmp_path, rivals):
    bench = rivals("measurements").Bench(tmp_path, rivals("environments").Environments(tmp_path, make=False))
    found = bench.measure("labels", "a case", "ours", 0, "labels", subject="ours", pairs="nowhere.npz")
    assert "nowhere.npz" in found["failed"]
    lines = rivals("tables").text("Title", [], bench.records())
    assert any(line.startswith("- not run: labels, a case, ours: exit status 1") for line in lines)


def test_time_to_quality_is_that_of_the_shortest_training_that_is_as_good(rivals):
    def record(who, *points):
        looks = [{"seconds": s, "seconds_from_start": s + 5, "psnr": psnr, "step": step} for s, psnr, step in points]
        return {"case": "set", "who": who, "repeat": 0, "checkpoints": looks}

    records = [
        record("rival", (100, 30.0, 400), (200, 31.0, 800), (400, 32.0, 1600)),
        record("ours, 5 s", (10, 30.5, 50)),
        record("ours, 10 s", (16, 31.2, 90)),
        record("ours, 80 s", (90, 33.0, 700)),
    ]
    times = rivals("times")
    first, since_start = times.rows(records, "set", "rival", "psnr", "dB", 0.1, times.after(800), "its 800 steps")
    assert first.met
    assert first.ratio.startswith("0.080")
    assert since_start.ratio.startswith("0.102")  # 21 of 205 seconds
    assert not since_start.met
    better = times.at_equal_time(records, "set", "rival", "psnr", "dB", 1.0, times.best, "PSNR")
    assert better.ratio.startswith("1.00")
    never = times.rows(records[:2], "set", "rival", "psnr", "dB", 0.1, times.best, "its best")[0]
    assert (never.ours, never.met) == ("never as good", False)


def test_growth_above_linear_is_found_out(rivals):
    power = rivals("growth")._power
    assert power([(10, 1.0), (100, 100.0)]) == pytest.approx(2)
    assert power([(10, 5.0), (100, 1.0), (1000, 10.0)]) == pytest.approx(1)
    assert power([(10, 1.0)]) is None


def test_label_images_of_the_benchmark_have_found_missed_and_merged_objects(rivals, tmp_path):
    import numpy as np

    rivals("labels").write_pairs(tmp_path / "pairs", 1, 100)
    with np.load(tmp_path / "pairs" / "pairs.npz") as stored:
        truth, found = stored["truth"][0], stored["found"][0]
    assert len(np.unique(truth)) == 101
    counts = match(truth, found)
    assert counts.tp > 60
    assert counts.fn > 3


def test_every_list_of_a_rival_names_its_python_and_exact_versions(rivals):
    for file in sorted((RUN.parent / "requirements").glob("*.txt")):
        lines = file.read_text().splitlines()
        assert lines[0].startswith("# Python 3."), file
        if file.stem != "colab":
            assert all("==" in line for line in lines[1:]), file
