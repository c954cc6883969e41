"""Trains on one device and on several, in a process of its own: devices are divided before TensorFlow begins.

python several_devices.py SAMPLE OUT SIZES      leaves runs in OUT: denoise_1, denoise_2, segment_1 ...; SIZES are
                                                settings as JSON, of small networks
"""

import json
import sys
from pathlib import Path

import tensorflow as tf

_processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_processor, [tf.config.LogicalDeviceConfiguration()] * 2)

from n2seg_utils import DenoiseSettings, JointSettings, SegmentSettings  # noqa: E402
from n2seg_utils.errors import Terminated  # noqa: E402
from n2seg_utils.learning import distribution  # noqa: E402
from n2seg_utils.learning.watching import Watcher  # noqa: E402
from n2seg_utils.models.denoise_training import DenoiseWork  # noqa: E402
from n2seg_utils.models.joint_training import JointWork  # noqa: E402
from n2seg_utils.models.past import Past  # noqa: E402
from n2seg_utils.models.resume import resume  # noqa: E402
from n2seg_utils.models.segment_training import SegmentWork  # noqa: E402

DEVICES = 2


class _Stop(Watcher):
    """Ends the training as a cluster does."""

    def step(self, step, plan, seconds):
        if step == 5:
            raise Terminated


def use(count):
    """Let that many devices share what follows."""
    distribution.device_names = lambda: [f"CPU:{number}" for number in range(count)]


def main(sample, out, sizes):
    """See the module's text."""
    common = {"images": str(sample / "images"), "batch_size": 5} | sizes
    masks = {"masks": str(sample / "masks")} | common
    works = {
        "denoise": (DenoiseWork, DenoiseSettings(**common)),
        "segment": (SegmentWork, SegmentSettings(batch_norm=True, **masks)),
        "joint": (JointWork, JointSettings(schedule="teacher", **masks)),
        "mixed": (DenoiseWork, DenoiseSettings(precision="mixed", **common)),
    }
    for kind, (work, settings) in works.items():
        for count in (DEVICES,) if kind == "mixed" else (1, DEVICES):
            use(count)
            work(settings.replace(run=str(out / f"{kind}_{count}"))).train()
    try:
        DenoiseWork(works["denoise"][1].replace(run=str(out / "fewer"))).train(_Stop())
    except Terminated:
        use(1)
        resume(Past(out / "fewer"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), json.loads(sys.argv[3]))
