"""Seconds of an import, or of the way to the first training step."""

import time

import say

asked = say.request()

if "module" in asked:
    begun = time.perf_counter()
    __import__(asked["module"])
    say.tell(values={"seconds": time.perf_counter() - begun})
    say.tell_versions(asked["package"])
else:
    from pathlib import Path

    from n2seg_utils import DenoiseSettings
    from n2seg_utils.learning.watching import Watcher

    class First(Watcher):
        """Ends the training when its first step is done."""

        def step(self, step, plan, seconds):
            raise KeyboardInterrupt

    say.tell_versions("tensorflow", "keras")
    clock = say.Clock(asked)
    from n2seg_utils import UserError, train_denoiser

    settings = DenoiseSettings(images=asked["images"], run=str(Path(asked["work"]) / "run"), **asked["settings"])
    try:
        train_denoiser(settings, First())
    except UserError:  # it was stopped before an epoch ended, as it should be
        say.tell(values=clock.facts())
