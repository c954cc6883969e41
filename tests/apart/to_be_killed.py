"""What test_kill.py does in processes that it kills: each goes on where the one before it was."""

from unittest import mock

from n2seg_utils import workflows
from n2seg_utils.exchange.export import export
from n2seg_utils.exchange.opening import load
from n2seg_utils.learning import training as loop
from n2seg_utils.models.denoise_training import DenoiseWork
from n2seg_utils.models.past import Past
from n2seg_utils.models.resume import resume
from n2seg_utils.models.segment_training import SegmentWork
from n2seg_utils.settings import DenoiseSettings, ExportSettings


def train(settings):
    """Begin a training, or go on with it; states are kept after every step."""
    with mock.patch.object(loop, "_OFTEN", 0.0):
        past = Past.of(settings.run)
        if past:
            resume(past)
        elif not Past.known(settings.run):
            work = DenoiseWork if isinstance(settings, DenoiseSettings) else SegmentWork
            work(settings).train()


def predict(run, images, out):
    """Apply a model, or go on with that."""
    workflows.predict(run, images, out, tile="32")


def judge(prediction, truth, raw, out):
    """Quality control with its report."""
    workflows.judge_restored(prediction, truth, raw, out, filters=False)


def hand_on(run, out):
    """Export a model."""
    export(load(run), out, ExportSettings(format="n2v" if out.suffix != ".zip" else "bioimageio"))
