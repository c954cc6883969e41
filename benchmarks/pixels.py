"""How well a model tells foreground from background on images that nothing else is done with."""

import numpy as np
import tifffile

from n2seg_utils.quality.pixel_scores import class_scores

SCORES = ("f1", "iou", "auc", "accuracy")


def judge(model, images, masks):
    """Means over the images of F1, IoU, AUC and accuracy of pixels, at the threshold that the training chose."""
    scores = []
    for file in sorted(images.iterdir()):
        image = model.open(file, "auto")
        truth = tifffile.imread(masks / file.name) > 0
        pixels = tifffile.imread(file)[..., None]
        found = model.predict_probabilities(pixels, model.normalisation.for_image(image))
        scores.append(scores_of(truth, model.find(found) > 0) | {"auc": auc(truth, found[..., 1])})
    return {name: float(np.nanmean([one[name] for one in scores])) for name in SCORES}


def scores_of(truth, found):
    """Of one image."""
    both = class_scores(truth.astype("int32"), found.astype("int32"), [1])
    return {"f1": both["dice"], "iou": both["iou"], "accuracy": float((truth == found).mean())}


def auc(truth, values):
    """Area under the curve of true against false positives, from ranks; not a number where there is one class only."""
    from scipy.stats import rankdata

    ranks, drawn = rankdata(values), truth.ravel()
    positive, negative = drawn.sum(), (~drawn).sum()
    if not positive or not negative:
        return np.nan
    return float((ranks.ravel()[drawn].sum() - positive * (positive + 1) / 2) / (positive * negative))


def table(rows, title):
    """Lines of a Markdown table: name -> scores."""
    lines = [f"| {title} | {' | '.join(SCORES)} |", "|---" * (1 + len(SCORES)) + "|"]
    return lines + [f"| {name} | {' | '.join(f'{found[score]:.3f}' for score in SCORES)} |"
                    for name, found in rows.items()]  # fmt: skip
