"""How well a student agrees with its teacher, and both with what people drew, on what was kept out."""

import numpy as np

from ..data import drive
from ..data.files import stem
from ..data.labels import bring_masks
from ..data.tables import read_table
from ..data.writing import image_writer
from ..quality.label_qc import judge_labels
from .distillation import correct_masks

_SCORES = ("dice", "iou", "f1", "f1_70", "f1_90", "ap50", "ap")


def regions_of(segmenter):
    """Which region of each image was kept out, where that is not all of it: image -> (y, x, height, width)."""
    rows = [row for row in read_table(segmenter.run / "split.csv") if row["use"] == "validate"]
    return {
        stem(row["image"]): tuple(int(word[1:]) for word in row["region"].split())
        for row in rows
        if row["region"] != "all"
    }


def judge_by_people(segmenter, pairs):
    """Score student and teacher by the correct masks of what was kept out, if there are some.

    Parameters
    ----------
    segmenter : Segmenter
        That has segmented these images into the run's ``quality/labels``.
    pairs : list of (ImageFile, Mask)
        The images that were kept out, in part at least, and the teacher's masks.

    Returns
    -------
    dict or None
        "student" and "teacher": dice, iou and, of objects, f1, f1_70, f1_90, ap50, ap; and "images", how many. Also in
        run.json.
    """
    correct = correct_masks(segmenter.settings, [image for image, _ in pairs])
    known = [pair for pair, mask in zip(pairs, correct) if mask]
    if not known:
        return None
    quality, found = segmenter.run / "quality", {"images": len(known)}
    folders = {"student": quality / "labels", "teacher": quality / "teacher"}
    for image, mask in known:
        _write_labels(segmenter, image, mask, folders["teacher"] / f"{stem(image.path)}.tif")
    for who, folder in folders.items():
        out = quality / f"{who}_by_correct_masks"
        scores = judge_labels(
            folder, bring_masks(segmenter.settings.clean_masks), None if out.exists() else out,
            target=segmenter.target, image_axes=segmenter.settings.axes, dims=segmenter.architecture.dims,
            images=drive.bring(segmenter.settings.images), regions=regions_of(segmenter),
        )  # fmt: skip
        found[who] = {name: scores[name] for name in _SCORES if name in scores}
    segmenter.run.note(by_correct_masks=found)
    return found


def about_student(facts):
    """Sentences about size and speed of a student, and what correct masks say of it and its teacher.

    Parameters
    ----------
    facts : dict
        Those of run.json.

    Returns
    -------
    list of str
    """
    found, student, judged = [], facts.get("student"), facts.get("by_correct_masks")
    if student:
        found.append(
            f"The student has {student['weights']:,} weights, and looks at {student['megapixels_per_second']:g} "
            f"megapixels a second on this {student['device']}."
        )
    if judged:
        number = f"{judged['images']} image" + "s" * (judged["images"] != 1)
        found.append(
            f"By your correct masks of {number} that were kept out: the student's {_in_words(judged['student'])}; "
            f"the teacher's {_in_words(judged['teacher'])}."
        )
    return found


def _in_words(scores):
    names = {"dice": "Dice", "ap50": "average precision at IoU 0.5"}
    return ", ".join(f"{words} {scores[name]:.3f}" for name, words in names.items() if name in scores)


def _write_labels(segmenter, image, mask, target):
    """Write what a teacher says as labels that can be judged like those of its student."""
    if target.exists():
        return
    values = np.array(segmenter.values)
    with image_writer(target, image, segmenter.dtype, channels=1) as write:
        for frame in image.frames(2):
            everything = (slice(None), slice(None))
            labels = np.maximum(segmenter.target.encode(mask.read(frame, everything)), 0)
            labels = labels if segmenter.target.kind == "instances" else values[labels]
            write(frame.number, everything, labels[..., None])
