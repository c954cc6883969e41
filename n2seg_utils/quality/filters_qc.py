"""Is the prediction better than a simple filter, and are faint structures lost? On the same images, with truth."""

from dataclasses import asdict

import numpy as np

from . import faint
from .baselines import METHODS, ORACLE, calibrate
from .image_scores import SCORES, image_scores

_IMAGES = 8  # that are filtered; each takes about half a second
_SAME = {"psnr": 0.2, "si_psnr": 0.2}  # decibels that nobody sees


def compare_with_filters(judged, score="psnr", on_progress=None):
    """Filter raw images as one would without a network, and score them beside the prediction.

    Settings of the filters are found on the raw images alone, for each channel, on up to four of them. All is done on
    the middle planes of up to eight images.

    Parameters
    ----------
    judged : list of Judged
        With raw images.
    score : str
        "psnr", or "si_psnr" where the prediction has other grey values than the truth.
    on_progress : callable, optional
        ``on_progress(share, name)``.

    Returns
    -------
    dict
        ``images``: names; ``score``; ``values``: "raw", "prediction" and names of filters -> a number an image;
        ``ssim`` likewise; ``labels`` and ``settings``: name -> words; ``verdict``: a sentence; ``faint``: name ->
        numbers, or None where there are too few structures; ``faint_verdict``: a sentence.
    """
    chosen = [judged[i] for i in spread_out(len(judged), _IMAGES)]
    channels = range(chosen[0].truth.size["C"])
    planes = [[one.planes(channel=channel) for channel in channels] for one in chosen]
    filters = [
        calibrate([image[c]["raw"] for image in planes], [image[c]["truth"] for image in planes]) for c in channels
    ]
    names = ("raw", "prediction", *METHODS, ORACLE)
    values, similar, kept = ({name: [] for name in names} for _ in range(3))
    for number, (one, image) in enumerate(zip(chosen, planes)):
        truth = np.stack([image[c]["truth"] for c in channels], -1)
        for name in names:
            found = [image[c][name] if name in image[c] else filters[c][name](image[c]["raw"]) for c in channels]
            scores = image_scores([truth], [np.stack(found, -1)], one.truth.path)
            values[name].append(scores[score])
            similar[name].append(scores["ssim"])
            kept[name].append(found[0])
        if on_progress:
            on_progress((number + 1) / len(chosen), one.name)
    settings = {name: _settings([filters[c][name] for c in channels]) for name in (*METHODS, ORACLE)}
    labels = {name: filters[0][name].label for name in settings} | {"raw": "raw", "prediction": "prediction"}
    summary = {
        "images": [one.name for one in chosen], "score": score, "values": values, "ssim": similar, "labels": labels,
        "settings": settings,
    }  # fmt: skip
    return summary | {"verdict": _verdict(summary)} | _faint([image[0]["truth"] for image in planes], kept, score)


def sentences(found):
    """What :func:`compare_with_filters` found, in words; none if nothing was compared."""
    return [words for words in (found["verdict"], found["faint_verdict"]) if words] if found else []


def spread_out(total, count):
    """At most so many of the numbers below a total, evenly spread."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()


def _faint(truth, kept, score):
    if score != "psnr":  # contrast cannot be compared on another grey scale
        return {"faint": None, "faint_verdict": ""}
    scores = faint.faint_scores(truth, {name: kept[name] for name in ("raw", "prediction", "gaussian")})
    words = faint.verdict(*(scores[name] for name in ("raw", "prediction"))) if scores else faint.verdict(None, None)
    return {
        "faint": scores and {name: asdict(one) for name, one in scores.items()},
        "faint_verdict": f"{words}.",
    }


def _verdict(summary):
    """Whether the prediction is better than a Gaussian blur, and than the best simple filter."""
    score, settings, labels = summary["score"], summary["settings"], summary["labels"]
    mean = {name: float(np.mean(values)) for name, values in summary["values"].items()}
    ahead = mean["prediction"] - mean["gaussian"]
    if abs(ahead) < _SAME[score]:
        compared = "as good as"
    else:
        compared = "better than" if ahead > 0 else "worse than"
    words = (
        f"The prediction ({SCORES[score].label} {mean['prediction']:.1f} dB) is {compared} a Gaussian blur set without "
        f"the truth ({settings['gaussian']}: {mean['gaussian']:.1f} dB; the best possible, {settings[ORACLE]}: "
        f"{mean[ORACLE]:.1f} dB)."
    )
    best = max((name for name in METHODS if name != "gaussian"), key=mean.get)
    if mean[best] > max(mean["gaussian"], mean["prediction"] - 1):
        words += f" The best simple filter is {labels[best].lower()} ({settings[best]}: {mean[best]:.1f} dB)."
    return words


def _settings(filters):
    """In words; of several channels each."""
    words = [one.setting for one in filters]
    return words[0] if len(set(words)) == 1 else "; ".join(words)
