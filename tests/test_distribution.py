"""Several devices that share a training do what one does: on processors divided in two, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from n2seg_utils.learning import distribution
from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.run_folder import RunFolder

from .conftest import TINY
from .test_resume import courses

SCRIPT = Path(__file__).resolve().parent / "apart" / "several_devices.py"


@pytest.fixture(scope="module")
def runs(sample, tmp_path_factory):
    """The runs that tests/apart/several_devices.py leaves, on one device and on two."""
    out = tmp_path_factory.mktemp("devices")
    done = subprocess.run(
        [sys.executable, SCRIPT, sample, out, json.dumps(TINY)], cwd=out, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def require_alike(one, other, rounding):
    """The same losses of training and, within a rounding of their own, the same weights and validation."""
    for now, then in zip(*(courses(RunFolder(run).history()) for run in (one, other)), strict=True):
        assert now["loss"] == pytest.approx(then["loss"], rel=min(rounding, 1e-5))
        assert now == pytest.approx(then, rel=rounding, abs=rounding)
    for now, then in zip(*(resume(Past(run)).network.get_weights() for run in (one, other)), strict=True):
        np.testing.assert_allclose(now, then, atol=rounding)


# Biases before batch normalisation have no gradient but rounding errors, which Adam makes steps of.
@pytest.mark.parametrize(("kind", "rounding"), [("denoise", 1e-5), ("segment", 2e-2), ("joint", 1e-5)])
def test_two_devices_do_what_one_does(kind, rounding, runs):
    """Five patches are shared by two; batch normalisation sees all of them; the joint one has a teacher."""
    assert [json.loads((runs / f"{kind}_{n}" / "run.json").read_text())["devices"] for n in (1, 2)] == [1, 2]
    require_alike(runs / f"{kind}_2", runs / f"{kind}_1", rounding)


def test_two_devices_do_what_one_does_in_16_bits_as_far_as_these_go(runs):
    for now, then in zip(
        *(courses(RunFolder(runs / name).history()) for name in ("mixed_2", "denoise_1")), strict=True
    ):
        assert now == pytest.approx(then, rel=1e-2)


def test_a_training_that_is_stopped_goes_on_with_fewer_devices(runs):
    require_alike(runs / "fewer", runs / "denoise_1", 1e-5)


def test_one_device_or_more_devices_than_patches_share_nothing(monkeypatch):
    assert distribution.strategy(16) is None, "no GPUs, or one"
    monkeypatch.setattr(distribution, "device_names", lambda: ["GPU:0", "GPU:1", "GPU:2"])
    assert distribution.strategy(2) is None
    assert distribution.share("a", "b") == ["a", "b"]
    assert distribution.total(3) == distribution.shared_loss(3) == 3
    assert distribution.count(None) == distribution.devices() == 1
