"""Quality control of a folder of restored images against a folder of clean ones."""

import json
from pathlib import Path

import numpy as np

from ..data.files import list_images, pair_by_name, require_absent, stem, write_table, write_text
from ..data.images import open_image, require_finite
from ..errors import UserError
from . import plots
from .image_scores import image_scores

SCORES = ("ssim", "nrmse", "psnr")


def judge(prediction, truth, raw=None, out=None, axes="auto", on_progress=None, figures=3):
    """Score restored images against the truth, and the raw ones too if given.

    Images are matched by name, whatever their endings.

    Parameters
    ----------
    prediction, truth, raw : path
        Folders or single files.
    out : path, optional
        Where ``metrics.csv``, ``summary.json`` and figures go; nothing is written without it.
    axes : str
        Of raw and truth; "auto" believes the files.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    figures : int
        Number of images to draw: the first, the one with the least gain, and so on.

    Returns
    -------
    dict
        For each of ssim, nrmse, psnr ``{prediction, raw, gain}``, means over the images (raw and gain are None without
        raw images); ``per_image``; ``ranges``; ``unmatched``: names without a partner.

    Raises
    ------
    UserError
        When nothing matches, or two images differ in size, axes or are not numbers.
    """
    predictions = list_images(prediction)
    pairs, alone = pair_by_name(predictions, list_images(truth))
    if not pairs:
        raise UserError(
            f"No image of {prediction} has a partner of the same name in {truth} "
            f"(for example {predictions[0].name}). Give the files the same names"
        )
    raws = _partners(pairs, raw) if raw else {}
    if out is not None:
        pictures = [f"{stem(p)}.png" for p, _ in pairs]
        require_absent([Path(out) / name for name in ("metrics.csv", "summary.json", *pictures)])
    per_image = []
    for number, (predicted, true) in enumerate(pairs):
        per_image.append(_score(predicted, true, raws.get(predicted), axes))
        if on_progress:
            on_progress((number + 1) / len(pairs), predicted.name)
    summary = summarise(per_image) | {"unmatched": [p.name for p in alone]}
    if out is not None:
        write_table(Path(out) / "metrics.csv", per_image)
        write_text(Path(out) / "summary.json", json.dumps(_for_json(summary), indent=2, ensure_ascii=False))
        for name in _worth_seeing(per_image, figures):
            predicted, true = next(p for p in pairs if p[0].name == name)
            plots.save(comparison(predicted, true, raws.get(predicted), axes), Path(out) / f"{stem(predicted)}.png")
    return summary


def summarise(per_image):
    """Means over images: score -> {prediction, raw, gain}. The gain is prediction minus raw."""
    summary = {}
    for score in SCORES:
        predicted = [row[score] for row in per_image]
        raw = [row[f"{score}_raw"] for row in per_image if row[f"{score}_raw"] is not None]
        both = len(raw) == len(per_image)
        summary[score] = {
            "prediction": float(np.mean(predicted)),
            "raw": float(np.mean(raw)) if both else None,
            "gain": float(np.mean(predicted) - np.mean(raw)) if both else None,
        }
    summary["per_image"] = per_image
    summary["ranges"] = {row["image"]: row["range"] for row in per_image}
    return summary


def comparison(predicted, true, raw=None, axes="auto"):
    """A figure of one image: raw, prediction and truth side by side with their scores."""
    images = {"noisy": raw, "denoised": predicted, "truth": true}
    opened = {
        title: open_image(path, axes if title != "denoised" else "auto") for title, path in images.items() if path
    }
    middle = opened["truth"].planes // 2
    planes = {title: np.asarray(image.plane(middle)[..., 0], "float32") for title, image in opened.items()}
    return plots.side_by_side(planes, score_lines(planes, true), reference="truth")


def score_lines(planes, name):
    """The scores of some planes (Y, X), title -> a line of text, against the one titled "truth"."""
    lines = {}
    for title in planes:
        if title != "truth":
            found = image_scores([planes["truth"][..., None]], [planes[title][..., None]], name)
            lines[title] = f"SSIM {found['ssim']:.3f}   NRMSE {found['nrmse']:.3f}   PSNR {found['psnr']:.1f} dB"
    return lines


def _partners(pairs, raw):
    found, alone = pair_by_name([predicted for predicted, _ in pairs], list_images(raw))
    if alone:
        raise UserError(f"{alone[0]} has no partner of the same name in {raw}. Give the folder of its raw images")
    return dict(found)


def _score(predicted, true, raw, axes):
    truth, image = open_image(true, axes), open_image(predicted)
    found = _compare(truth, image)
    row = {"image": predicted.name, **found}
    raw_scores = _compare(truth, open_image(raw, axes)) if raw else {}
    return row | {f"{score}_raw": raw_scores.get(score) for score in SCORES}


def _compare(truth, image):
    if (truth.planes, truth.plane_shape) != (image.planes, image.plane_shape):
        raise UserError(
            f"{image.path} is {image.describe()} but {truth.path} is {truth.describe()}. "
            "Images can only be compared at the same size: check that they belong together"
        )
    planes = [], []
    for number in range(truth.planes):
        for one, kept in zip((truth, image), planes):
            values = np.asarray(one.plane(number))
            require_finite(values, one.path)
            kept.append(values)
    return image_scores(*planes, truth.path)


def _for_json(value):
    """Numbers that JSON does not know (the PSNR of equal images is infinite) become null."""
    if isinstance(value, dict):
        return {key: _for_json(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_for_json(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _worth_seeing(rows, count):
    """The images with the lowest, the middle and the highest PSNR, by name."""
    ordered = sorted(rows, key=lambda row: row["psnr"])
    chosen = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
    return [ordered[i]["image"] for i in chosen]
