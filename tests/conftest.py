"""What several tests share: real images where there are some, small synthetic ones, a small trained model."""

import os
import signal
from pathlib import Path

import pytest
import tifffile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from n2seg_utils.data.samples import write_sample
from n2seg_utils.settings import DenoiseSettings, SegmentSettings

from .refusals import require_refusal

_ENVIRONMENT = dict(os.environ)
# A network so small that a test trains it in seconds.
TINY = {"network_width": 8, "network_depth": 1, "minutes": 0, "epochs": 2, "steps_per_epoch": 4, "patch_size": 32}


@pytest.fixture(scope="session")
def real_images():
    """The folder of real images that N2SEG_TEST_DATA names; skips where there is none."""
    folder = os.environ.get("N2SEG_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("N2SEG_TEST_DATA does not name a folder of real images")
    return Path(folder)


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """Four small synthetic images of nuclei: images/, clean/, masks/."""
    return write_sample("nuclei", tmp_path_factory.mktemp("sample") / "nuclei", count=4)


@pytest.fixture(scope="session")
def small_sample(sample, tmp_path_factory):
    """A corner of each image of the sample, for what costs time with every pixel: comparisons with filters, reports."""
    folder = tmp_path_factory.mktemp("small")
    for file in sample.rglob("*.tif"):
        corner = folder / file.relative_to(sample)
        corner.parent.mkdir(exist_ok=True)
        tifffile.imwrite(corner, tifffile.imread(file)[:96, :96])
    return folder


@pytest.fixture(scope="session")
def trained(sample, tmp_path_factory):
    """A denoiser that was trained for a moment."""
    from n2seg_utils.models.denoise_training import train_denoiser

    run = tmp_path_factory.mktemp("runs") / "run"
    return train_denoiser(
        DenoiseSettings(images=str(sample / "images"), truth=str(sample / "clean"), run=str(run), **TINY)
    )


@pytest.fixture(scope="session")
def small_run(small_sample, tmp_path_factory):
    """The run folder of a denoiser that was trained for a moment on the small sample."""
    from n2seg_utils.models.denoise_training import train_denoiser

    data = {"images": str(small_sample / "images"), "truth": str(small_sample / "clean")}
    run = tmp_path_factory.mktemp("runs") / "small"
    return train_denoiser(DenoiseSettings(**data, run=str(run), **TINY)).run.path


@pytest.fixture(autouse=True)
def _own_environment():
    _restore_environment()  # from what fixtures of modules loaded
    yield
    _restore_environment()


@pytest.fixture(autouse=True)
def _own_home(_own_environment, tmp_path_factory, monkeypatch):
    """Tests neither read nor write the values of the user's last run."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


def _restore_environment():
    """Processes that tests start compute as this one does.

    bioimageio.core would have them take torch, and TensorFlow without oneDNN, which rounds otherwise.
    """
    for name in os.environ.keys() - _ENVIRONMENT.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update(_ENVIRONMENT)


# Minutes each, though some have few tests. The last files should be short, so that no worker waits long for another.
LONG = ("large_images", "notebooks", "resume", "experiments", "kill", "containers", "workflow", "distribution")


def pytest_collection_modifyitems(items):
    """Long files come first. What no Colab session does, such as work of clusters, is tested on the other row only."""
    first = [f"test_{name}" for name in LONG]
    items.sort(key=lambda item: first.index(item.path.stem) if item.path.stem in first else len(first))
    if os.environ.get("N2SEG_COLAB_ROW"):
        for item in items:
            if item.get_closest_marker("elsewhere"):
                item.add_marker(pytest.mark.skip(reason="no Colab session does this; the other row shows it"))


def pytest_collection_finish():
    """Some modules of tests load bioimageio.core."""
    _restore_environment()


@pytest.fixture
def interruptible():
    """An interrupt is raised, as at a terminal or in a notebook: it is ignored by what a script began with "&"."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def refused(capfd, tmp_path):
    """Run the command, which must refuse: see :func:`~tests.refusals.require_refusal`. Returns what it says."""

    def run(*arguments, **more):
        return require_refusal(arguments, capfd, tmp_path, **more)

    return run


# A network that learns to find nuclei in some seconds.
SMALL = TINY | {"network_depth": 2, "epochs": 10, "steps_per_epoch": 20, "patch_size": 64, "batch_size": 4}


@pytest.fixture(scope="session")
def segmenter(sample, tmp_path_factory):
    """A segmenter that was trained for some seconds."""
    from n2seg_utils.models.segment_training import train_segmenter

    run = tmp_path_factory.mktemp("runs") / "segment"
    return train_segmenter(
        SegmentSettings(images=str(sample / "images"), masks=str(sample / "masks"), run=str(run), **SMALL)
    )
