"""Noise2Void by n2v, with the settings of its 2D notebooks.

juglab/n2v, examples/2D: patches of 64 pixels in batches of 128, 0.198 % of the pixels masked, kernel 3, mse, batch
normalisation, 20 epochs, each of which sees every patch once; patches of 96 pixels are cut and turned in eight ways.
"""

import say

asked = say.request()

import numpy as np  # noqa: E402
from n2v.internals.N2V_DataGenerator import N2V_DataGenerator  # noqa: E402
from n2v.models import N2V, N2VConfig  # noqa: E402

say.tell_versions("n2v", "csbdeep", "tensorflow", "numpy", device=say.tensorflow_device(), backend="tensorflow")
train, test = say.images(asked["train"]), say.images(asked["test"])
held = max(1, len(train) // 10)
clock = say.Clock(asked)
cut = N2V_DataGenerator().generate_patches_from_list
X, X_val = (
    cut([pixels[None, ..., None] for _, pixels in part], shape=(96, 96)) for part in (train[held:], train[:held])
)
chosen = {
    "unet_kern_size": 3, "train_steps_per_epoch": max(1, len(X) // asked.get("batch", 128)), "train_epochs": 20,
    "train_loss": "mse", "batch_norm": True, "train_batch_size": asked.get("batch", 128), "n2v_perc_pix": 0.198,
    "n2v_patch_shape": (64, 64), "n2v_manipulator": "uniform_withCP", "n2v_neighborhood_radius": 5,
}  # fmt: skip
say.tell(settings=chosen)
model = N2V(N2VConfig(X, **chosen), "model", basedir=asked["work"])


def predict(folder):
    """Denoise what is judged."""
    for name, pixels in test:
        say.write(folder, name, model.predict(pixels, axes="YX").astype(np.float32))


looks = say.Checkpoints(asked, clock, predict)
model.prepare_for_training()
look = say.keras_checkpoints(looks, model.keras_model)
model.callbacks.append(look)
model.train(X, X_val)
looks.take(look.step, "weights that validated best")
