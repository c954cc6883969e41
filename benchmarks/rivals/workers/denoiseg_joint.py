"""Joint training by denoiseg, with the settings of its DSB2018 notebook.

juglab/DenoiSeg, examples/DenoiSeg_2D: patches of 128 pixels, turned in eight ways, batches of 128, depth 4, width 32,
alpha 0.5, weights of the classes 1, 1, 5; the threshold that scores best on the images that validate.
"""

import say

asked = say.request()

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import tifffile  # noqa: E402
from denoiseg.models import DenoiSeg, DenoiSegConfig  # noqa: E402
from denoiseg.utils.compute_precision_threshold import measure_precision  # noqa: E402
from denoiseg.utils.misc_utils import augment_data  # noqa: E402
from denoiseg.utils.seg_utils import convert_to_oneHot  # noqa: E402
from scipy import ndimage  # noqa: E402

say.tell_versions(
    "denoiseg", "n2v", "csbdeep", "tensorflow", "numpy", device=say.tensorflow_device(), backend="tensorflow"
)
SIDE = 128
train, test = say.images(asked["train"]), say.images(asked["test"])
masks = {file.name: tifffile.imread(file) for file in sorted(Path(asked["masks"]).glob("*.tif"))}
# As with us, a fifth of the annotated images validates.
named = sorted(masks)
validating = set(named[: max(1, len(named) // 5)])


def patches(chosen):
    """Squares of images and of their masks; without masks, zeros."""
    found = []
    for name, pixels in chosen:
        labels = masks.get(name, np.zeros(pixels.shape, "uint16"))
        for y in range(0, pixels.shape[0] - SIDE + 1, SIDE):
            for x in range(0, pixels.shape[1] - SIDE + 1, SIDE):
                found.append((pixels[y : y + SIDE, x : x + SIDE], labels[y : y + SIDE, x : x + SIDE]))
    return np.stack([one for one, _ in found]), np.stack([labels for _, labels in found])


clock = say.Clock(asked)
X, Y = patches([(name, pixels) for name, pixels in train if name not in validating])
X_val, Y_val = patches([(name, pixels) for name, pixels in train if name in validating])
X, Y = augment_data(X, "SYX")[..., None], convert_to_oneHot(augment_data(Y, "SYX"))
batch = asked.get("batch", 128)
chosen = {
    "unet_kern_size": 3, "n_channel_out": 4, "n_channel_in": 1, "relative_weights": [1.0, 1.0, 5.0],
    "train_steps_per_epoch": max(asked.get("steps_per_epoch", 100), min(len(X) // batch, 400)), "train_epochs": 200,
    "batch_norm": True, "train_batch_size": batch, "unet_n_first": 32, "unet_n_depth": 4, "denoiseg_alpha": 0.5,
    "train_tensorboard": False,
}  # fmt: skip
say.tell(settings=chosen)
model = DenoiSeg(DenoiSegConfig(X, **chosen), "model", basedir=asked["work"])


def predict(folder):
    """Find objects and denoise in what is judged, at the threshold that scores best on what validates.

    denoiseg's own search asks the network again for each threshold; here the answers are kept, which is not timed.
    """
    known = [(masks[name].astype("int64"), answer_to(pixels)) for name, pixels in train if name in validating]
    precision = measure_precision()
    best = max(np.linspace(0.1, 0.9, 17), key=lambda t: np.mean([precision(truth, labels(a, t)) for truth, a in known]))
    for name, pixels in test:
        answer = answer_to(pixels)
        say.write(folder / "labels", name, labels(answer, best).astype("uint16"))
        say.write(folder / "denoised", name, answer[..., 0].astype("float32"))


def answer_to(pixels):
    """Denoised pixels and the probabilities of background, foreground and border."""
    return model.predict(pixels, axes="YX", softmax=True)


def labels(answer, threshold):
    """Objects as denoiseg's compute_labels finds them: connected pixels whose foreground is above the threshold."""
    return ndimage.label(answer[..., 2] > threshold)[0]


looks = say.Checkpoints(asked, clock, predict)
model.prepare_for_training()
look = say.keras_checkpoints(looks, model.keras_model)
model.callbacks.append(look)
model.train(X, Y, (X_val[..., None], convert_to_oneHot(Y_val)))
looks.take(look.step, "weights that validated best")
