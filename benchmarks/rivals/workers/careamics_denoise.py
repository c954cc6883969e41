"""Noise2Void by CAREamics, as create_n2v_config makes it: 30 epochs, each of which sees every patch once.

Its models are kept while it trains and applied afterwards, so that nothing of its trainer is disturbed.
"""

import say

asked = say.request()

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from careamics import CAREamist  # noqa: E402
from careamics.config.factories import create_n2v_config  # noqa: E402
from lightning.pytorch.callbacks import Callback  # noqa: E402

say.tell_versions(
    "careamics", "torch", "lightning", "numpy", device="GPU" if torch.cuda.is_available() else "CPU", backend="torch"
)
train, test = say.images(asked["train"]), say.images(asked["test"])
batch = asked.get("batch", 16)
config = create_n2v_config("n2v", "array", "YX", [64, 64], batch)
say.tell(settings=config.model_dump())
clock, kept = say.Clock(asked), []


def keep(folder):
    """Keep the model of now, to be applied later."""
    kept.append(folder)
    careamist.trainer.save_checkpoint(folder / "model.ckpt")


class Look(Callback):
    """Counts steps."""

    def on_train_batch_end(self, trainer, *about):
        looks.look(trainer.global_step)
        if looks.over():
            trainer.should_stop = True
            trainer.limit_val_batches = 0


looks = say.Checkpoints(asked, clock, keep)
careamist = CAREamist(config, work_dir=asked["work"], callbacks=[Look()], enable_progress_bar=False)
careamist.train(train_data=[pixels for _, pixels in train])
looks.take(careamist.trainer.global_step, "the last model, which it uses")
for folder in kept:
    found = careamist.predict([pixels for _, pixels in test], checkpoint=folder / "model.ckpt")[0]
    Path(folder / "model.ckpt").unlink()
    for (name, pixels), denoised in zip(test, found):
        say.write(folder, name, np.asarray(denoised, "float32").reshape(pixels.shape))
