"""Experiments on Snakemake, which is in an environment of its own: N2SEG_SNAKEMAKE names it, if not the path."""

import ast
import csv
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from n2seg_utils.cli_experiments import snakefile
from n2seg_utils.data.samples import write_sample

from .conftest import TINY
from .test_containers import environment

pytestmark = pytest.mark.elsewhere

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def snakemake():
    """The command of Snakemake 9; skips without it."""
    found = os.environ.get("N2SEG_SNAKEMAKE") or shutil.which("snakemake")
    if not found:
        pytest.skip("there is no snakemake: name it in N2SEG_SNAKEMAKE")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("9."):
        pytest.skip(f"this is Snakemake {version.strip()}, not 9")
    return found


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def own(programs, **more):
    """An environment for Snakemake, which must not see the packages of this Python; only our command does."""
    script(
        programs / "n2seg",
        f'#!/bin/sh\nPYTHONPATH={environment(programs)["PYTHONPATH"]} exec {sys.executable} -m n2seg_utils.cli "$@"\n',
    )
    kept = {name: value for name, value in environment(programs).items() if name != "PYTHONPATH"}
    return kept | {"TF_NUM_INTRAOP_THREADS": "1"} | more


def rows(path):
    """A table without what differs from time to time."""
    with open(path, newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_snakemake_and_plain_python_come_to_the_same_table(snakemake, tmp_path):
    """With a job that is killed in the middle of its training, and goes on when Snakemake is called again."""
    write_sample("nuclei", tmp_path / "sample", count=4)
    values = {
        "images": "sample/images", "truth": "sample/clean", "retries": 0,
        "settings": TINY | {"epochs": 12, "steps_per_epoch": 5, "batch_size": 2},
        "grid": {"method": ["denoise"], "seed": [1, 2]},
    }  # fmt: skip
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(values))
    space = own(tmp_path / "bin")

    def call(*words, **more):
        return subprocess.run([*words], cwd=tmp_path, env=space, capture_output=True, text=True, **more)

    by_snakemake = [
        snakemake, "--snakefile", snakefile(), "--config", "file=small.yaml", "out=by_snakemake", "--cores", "1"
    ]  # fmt: skip
    begun = subprocess.Popen(
        by_snakemake, cwd=tmp_path, env=space, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    end, lines = time.monotonic() + 120, 0
    while lines < 4 and time.monotonic() < end and begun.poll() is None:
        lines = max(
            (len(f.read_text().splitlines()) for f in tmp_path.glob("by_*/runs/*/denoiser/history.csv")), default=0
        )
        time.sleep(0.005)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    assert lines >= 4
    assert not list(tmp_path.glob("by_snakemake/runs/*/result.json"))
    assert call(*by_snakemake, "--unlock").returncode == 0
    done = call(*by_snakemake)
    assert done.returncode == 0, done.stderr
    assert "stopped in epoch" in done.stdout + done.stderr, "it goes on from its checkpoint"
    plain = call(tmp_path / "bin" / "n2seg", "experiment", "run", "small.yaml", "--out", "plain")
    assert plain.returncode == 0, plain.stderr
    for name in ("runs.csv", "means.csv"):
        assert rows(tmp_path / "by_snakemake" / name) == rows(tmp_path / "plain" / name)
    assert len(rows(tmp_path / "plain" / "runs.csv")) == 2
    summaries = [(tmp_path / name / "summary.md").read_text() for name in ("by_snakemake", "plain")]
    assert summaries[0] == summaries[1]
    by_snakemake[by_snakemake.index("out=by_snakemake")] = "out=plain"
    assert "Nothing to be done" in call(*by_snakemake).stderr, "what plain Python has done is not done again"


@pytest.mark.parametrize(
    ("config", "words"), [((), "Name the file"), (("--config", "file=bad.yaml"), "did you mean 'joint'")]
)
def test_what_is_wrong_is_said_by_snakemake_in_our_words(config, words, snakemake, tmp_path):
    (tmp_path / "bad.yaml").write_text("images: images\nmasks: masks\ngrid:\n  method: jiont\n")
    call = [snakemake, "--snakefile", snakefile(), "--cores", "1", *config]
    done = subprocess.run(call, cwd=tmp_path, env=own(tmp_path / "bin"), capture_output=True, text=True)
    assert done.returncode
    assert words in done.stderr
    assert "Traceback" not in done.stderr


PLAN = {
    "exit_status": 0,
    "out": "out",
    "runs": [{"run": "joint_denoise_weight=0.7_seed1"}],
    "longest_seconds": 600,
    "cpus": 2,
    "gpus": 1,
    "memory_gb": 8.0,
    "retries": 1,
}
SBATCH = f"""#!{sys.executable}
import os, subprocess, sys
with open("sbatch.txt", "a") as file:
    file.write(repr(sys.argv[1:]) + "\\n")
number = str(len(open("sbatch.txt").readlines()))
wrapped = next(word for word in sys.argv if word.startswith("--wrap=")).removeprefix("--wrap=")
done = subprocess.run(wrapped, shell=True, stdout=subprocess.DEVNULL, stderr=open(number + ".log", "w"),
                      env=os.environ | {{"SLURM_JOB_ID": number}})
with open("sacct.txt", "a") as file:
    file.write(number + "|" + ("FAILED" if done.returncode else "COMPLETED") + "\\n")
print(number)
"""
# The first attempt of each job fails.
COMMAND = """#!/bin/sh
echo "$@" >> n2seg.txt
case "$2" in
plan) cat plan.json ;;
prepare) mkdir -p out/data && touch out/data/ready.json ;;
job) mkdir "tried_$4" 2>/dev/null && exit 143; touch "out/runs/$4/result.json" ;;
table) touch out/summary.md out/runs.csv out/means.csv ;;
esac
"""


def test_what_is_sent_to_slurm_asks_for_what_a_run_needs(snakemake, tmp_path):
    """A stand-in for sbatch does at once what it is given; the file and the profile are those we ship."""
    plugin = [str(Path(snakemake).with_name("python")), "-c", "import snakemake_executor_plugin_slurm"]
    if subprocess.run(plugin, capture_output=True).returncode:
        pytest.skip("snakemake-executor-plugin-slurm is not installed beside snakemake")
    programs = tmp_path / "bin"
    space = own(programs)
    script(programs / "n2seg", COMMAND)
    script(programs / "sbatch", SBATCH)
    script(programs / "sacct", "#!/bin/sh\ncat sacct.txt\n")
    script(programs / "sshare", "#!/bin/sh\necho lab\n")
    script(programs / "srun", '#!/bin/sh\nwhile case "$1" in -*) true;; *) false;; esac; do shift; done\nexec "$@"\n')
    for name in ("scontrol", "sinfo", "sacctmgr", "squeue", "scancel"):
        script(programs / name, "#!/bin/sh\n")
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    profile = snakefile().with_name("slurm")
    call = [snakemake, "--snakefile", snakefile(), "--profile", profile, "--config", "file=e.yaml"]
    cluster = ["--default-resources", "slurm_account=lab", "slurm_partition=gpu"]
    dry = subprocess.run([*call, *cluster, "--dry-run"], cwd=tmp_path, env=space, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr
    assert not (tmp_path / "sbatch.txt").exists()
    soon = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]
    done = subprocess.run(
        [*call, *cluster, *soon], cwd=tmp_path, env=space, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    sent = [ast.literal_eval(line) for line in (tmp_path / "sbatch.txt").read_text().splitlines()]
    runs = [words for words in sent if any("rule_run" in word for word in words)]
    assert len(runs) == 2, "it is tried a second time after it was stopped"
    options = [dict(itertools.pairwise(words)) for words in runs]
    assert all({"--cpus-per-task=2", "--gpus=1"} <= set(words) for words in runs)
    asked = sorted((found["-t"], found["--mem"]) for found in options)
    assert asked == [("30", "8000"), ("60", "12000")]
    called = (tmp_path / "n2seg.txt").read_text().splitlines()
    for run in PLAN["runs"]:
        assert called.count(f"experiment job e.yaml {run['run']} --out out") == 2
