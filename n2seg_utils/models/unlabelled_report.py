"""What training without labels brought: beside what thresholds alone find, by correct masks if there are some."""

import numpy as np
from skimage.filters import threshold_otsu

from ..data.files import stem
from ..data.images import open_image
from ..quality.first_guess import blurred, li
from ..quality.pixel_scores import class_pixels, mean_class_scores
from .annotated_data import clean_masks
from .guesses import cut_of, first_channel

_WAYS = {"otsu": threshold_otsu, "li": li}
_NAMES = {"network": "the network", "otsu": "Otsu's threshold", "li": "Li's threshold"}


def judge_by_correct_masks(segmenter, pairs):
    """Score the network, and thresholds after the same blur, by correct masks, if there are some.

    Parameters
    ----------
    segmenter : Segmenter
        That has segmented these images into the run's ``quality/labels``.
    pairs : list of (ImageFile, Mask)
        The images that are judged, and what they are judged by.

    Returns
    -------
    dict or None
        "network", "otsu", "li": the mean Dice (F1 of pixels) over the images; and "images", how many. Also in run.json.
    """
    correct = clean_masks(segmenter.settings, [image for image, _ in pairs])
    known = [(image, mask) for (image, _), mask in zip(pairs, correct) if mask]
    if not known:
        return None
    sigma, scores = segmenter.settings.blur, {name: [] for name in _NAMES}
    for image, mask in known:
        truth = [np.maximum(segmenter.target.encode(mask.plane(number)), 0) for number in range(image.planes)]
        labels = open_image(segmenter.run / "quality" / "labels" / f"{stem(image.path)}.tif")
        ways = {"network": lambda number, labels=labels: first_channel(labels.plane(number)) > 0}
        for name, threshold in _WAYS.items():
            told = cut_of(image, sigma, threshold)
            ways[name] = lambda number, told=told, image=image: told(blurred(first_channel(image.plane(number)), sigma))
        for name, way in ways.items():
            found = np.stack([way(number) for number in range(image.planes)]).astype("int32")
            scores[name].append(mean_class_scores(class_pixels(np.stack(truth), found), [1])["dice"])
    found = {name: float(np.mean(values)) for name, values in scores.items()} | {"images": len(known)}
    segmenter.run.note(by_correct_masks=found)
    return found


def about_thresholds(facts):
    """Sentences about a training without labels, from the facts of run.json: a list of str."""
    judged = facts.get("by_correct_masks")
    if "lines" not in facts:
        return []
    what = "lines, of which the middle was kept" if facts["lines"] else "areas"
    found = [f"Structures were taken for {what}. The first guess was a blur and Otsu's threshold for each image."]
    if judged:
        number = f"{judged['images']} image" + "s" * (judged["images"] != 1)
        words = ", ".join(f"{_NAMES[name]} {judged[name]:.3f}" for name in _NAMES)
        found.append(f"Dice by your correct masks of {number}: {words} (thresholds after the same blur).")
    return found
