"""Containers are made of the same files and versions, and a job of a cluster that is stopped goes on by itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from n2seg_utils import DenoiseSettings
from n2seg_utils.about import TESTED
from n2seg_utils.models.run_folder import RunFolder

from .conftest import TINY
from .test_resume import courses

pytestmark = pytest.mark.elsewhere

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "containers"


def dockerfile():
    """(instruction, rest) of the Dockerfile's lines."""
    text = re.sub(r"\\\n", " ", (FOLDER / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def definition():
    """Section -> lines of the Apptainer definition; "" is its head."""
    sections, name = {"": []}, ""
    for line in (FOLDER / "Apptainer.def").read_text(encoding="utf-8").splitlines():
        if line.startswith("%"):
            name = line[1:].split()[0]
            sections[name] = []
        elif line.strip():
            sections[name].append(line.strip())
    return sections


def lock():
    """Name -> version of the packages in requirements.txt."""
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_both_containers_begin_with_the_same_python_that_the_suite_is_tested_with():
    image = next(rest for word, rest in dockerfile() if word == "FROM")
    head = dict(line.split(": ") for line in definition()[""])
    assert head == {"Bootstrap": "docker", "From": image}
    assert re.fullmatch(rf"python:{re.escape(TESTED['local']['python'])}-slim-[a-z]+", image)
    made_for = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()[0]
    assert f"Python {TESTED['local']['python']}" in made_for


def test_both_containers_install_the_same_in_the_same_way():
    installs = [rest for word, rest in dockerfile() if word == "RUN" and rest.startswith("pip ")]
    assert installs == definition()["post"]
    assert "--requirement /opt/n2seg/requirements.txt" in installs[0]
    assert all("--no-deps" in line for line in installs), "nothing but what is in the lock"


def test_both_containers_copy_the_same_files_which_exist():
    copied = set()
    for rest in (rest for word, rest in dockerfile() if word == "COPY"):
        *sources, target = rest.split()
        copied |= {(one, target + Path(one).name if target.endswith("/") else target) for one in sources}
    assert copied == {tuple(line.split()) for line in definition()["files"]}
    assert all((ROOT / source).exists() for source, _ in copied)


def test_both_containers_start_in_the_same_way_and_not_as_root():
    lines = dockerfile()
    assert ("ENTRYPOINT", '["/opt/n2seg/start.sh"]') in lines
    assert definition()["runscript"] == ['exec /opt/n2seg/start.sh "$@"']
    user = next(number for number, line in enumerate(lines) if line == ("USER", "1000"))
    assert all(word != "RUN" for word, _ in lines[user:])
    assert ("WORKDIR", "/work") in lines


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_the_lock_has_a_version_that_fits_for_all_that_the_package_wants():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    more = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *more["jupyter"],
        *more["export"],
        *more["zarr"],
        *project["build-system"]["requires"],
    ]
    locked = lock()
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement
    assert any(name.startswith("nvidia-cudnn") for name in locked), "a GPU computes where there is one"
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in locked)


def test_the_shell_scripts_are_understood():
    for script in ("start.sh", "slurm_train.sh"):
        assert subprocess.run(["bash", "-n", FOLDER / script]).returncode == 0
        assert os.access(FOLDER / script, os.X_OK)


@pytest.fixture
def programs(tmp_path):
    """A folder in the path with stand-ins for what a cluster has; they note how they were called in called.txt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "n2seg": f'exec {sys.executable} -m n2seg_utils.cli "$@"',
        "jupyter": 'echo "jupyter $@" >> called.txt',
        "scontrol": 'echo "scontrol $@" >> called.txt',
        "python": f'exec {sys.executable} "$@"',
    }
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


def environment(programs, **more):
    """For a shell that finds these programs, and the package that is tested."""
    path = os.pathsep.join([*sys.path[1:], str(ROOT)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return kept | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": path} | more


def test_a_container_runs_the_command_or_the_notebooks(programs, tmp_path):
    def start(*words):
        return subprocess.run(
            [FOLDER / "start.sh", *words], cwd=tmp_path, env=environment(programs), capture_output=True, text=True
        )

    assert start("--version").stdout.startswith("n2seg ")
    assert start("check", "--images", "nowhere").returncode == 2
    (tmp_path / "notebooks").mkdir()
    mine = tmp_path / "notebooks" / "1_Noise2Void_denoising.ipynb"
    mine.write_text("mine")
    done = start("lab", "--port=8889")
    assert done.returncode == 0, done.stderr
    assert "jupyter lab --ip=0.0.0.0 --no-browser notebooks --port=8889" in (tmp_path / "called.txt").read_text()
    assert mine.read_text() == "mine", "nothing is overwritten"
    assert len(list((tmp_path / "notebooks").glob("*.ipynb"))) > 3


def test_the_job_script_asks_for_a_gpu_a_warning_and_to_be_begun_again():
    asked = re.findall(r"^#SBATCH (\S+)", (FOLDER / "slurm_train.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"--gres=gpu:1", "--signal=TERM@120", "--requeue", "--open-mode=append"} <= set(asked)


def test_a_job_that_is_stopped_or_killed_goes_on_when_it_is_begun_again(programs, sample, tmp_path):
    """Second of an array: the signal of the time limit, then a node that fails, then to the end."""
    common = {"images": str(sample / "images")} | TINY | {"epochs": 40, "steps_per_epoch": 10}
    for name in ("whole", "run"):
        text = DenoiseSettings(run=str(tmp_path / name), **common).to_yaml()
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    job = ["bash", FOLDER / "slurm_train.sh", "denoise"]
    whole = subprocess.run(
        [*job, "whole.yaml"], cwd=tmp_path, env=environment(programs), capture_output=True, text=True
    )
    assert whole.returncode == 0, whole.stderr

    def begin():
        slurm = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_JOB_ID": "15", "SLURM_ARRAY_TASK_ID": "2"}
        return subprocess.Popen(
            [*job, "whole.yaml", "run.yaml"], cwd=tmp_path, env=environment(programs, **slurm), start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def epochs():
        history = tmp_path / "run" / "history.csv"
        return len(history.read_text().splitlines()) - 1 if history.exists() else 0

    def until_it_trains(process, more=3):
        first, end = epochs(), time.monotonic() + 400
        while epochs() < first + more and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert process.poll() is None, process.stdout.read()

    stopped = begin()
    until_it_trains(stopped)
    os.kill(stopped.pid, signal.SIGTERM)
    said, _ = stopped.communicate(timeout=300)
    assert stopped.returncode == 143, said
    assert "stopped by the system. What was done is kept" in said
    assert (tmp_path / "called.txt").read_text() == "scontrol requeue 17\n"
    assert not (tmp_path / "run" / "report.html").exists(), "no time is spent on what follows the training"
    kept = epochs()

    killed = begin()
    until_it_trains(killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert epochs() > kept

    last = begin()
    said, _ = last.communicate(timeout=400)
    assert last.returncode == 0, said
    assert "stopped in epoch" in said
    found, expected = (courses(RunFolder(tmp_path / name).history()) for name in ("run", "whole"))
    assert found == expected
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.skipif(
    not (shutil.which("apptainer") and os.environ.get("N2SEG_BUILD_CONTAINERS")),
    reason="needs Apptainer, the internet, and N2SEG_BUILD_CONTAINERS=1: it takes long",
)
def test_the_apptainer_container_is_built(tmp_path):
    built = tmp_path / "n2seg.sif"
    subprocess.run(["apptainer", "build", built, "containers/Apptainer.def"], cwd=ROOT, check=True)
    assert subprocess.run(["apptainer", "run", built, "--version"]).returncode == 0
