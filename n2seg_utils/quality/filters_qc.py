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

    Settings of the filters are found on the raw images alone, for each image and channel. All is done on the middle
    planes of up to eight images; structures are looked for in the first channel.

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
        ``images``: names; ``of``: what part of all that is, in words; ``score``; ``values``: "raw", "prediction" and
        names of filters -> a number an image; ``ssim`` likewise; ``labels`` and ``settings``: name -> words;
        ``verdict``: a sentence; ``faint``: name -> numbers, or None where there are too few structures;
        ``faint_verdict``: a sentence.
    """
    chosen = [judged[i] for i in spread_out(len(judged), _IMAGES)]
    names = ("raw", "prediction", *METHODS, ORACLE)
    values, similar, kept = ({name: [] for name in names} for _ in range(3))
    used, first = {name: [] for name in (*METHODS, ORACLE)}, []
    for number, one in enumerate(chosen):
        image = [one.planes(channel=channel) for channel in range(one.truth.size["C"])]
        filters = [calibrate([planes["raw"]], [planes["truth"]]) for planes in image]
        truth = np.stack([planes["truth"] for planes in image], -1)
        first.append(image[0]["truth"])
        for name in names:
            found = [
                planes[name] if name in planes else some[name](planes["raw"]) for planes, some in zip(image, filters)
            ]
            scores = image_scores([truth], [np.stack(found, -1)], one.truth.path)
            values[name].append(scores[score])
            similar[name].append(scores["ssim"])
            kept[name].append(found[0])
        for name, some in used.items():
            some += [of_channel[name] for of_channel in filters]
        if on_progress:
            on_progress((number + 1) / len(chosen), one.name)
    settings = {name: _settings(some) for name, some in used.items()}
    labels = {name: some[0].label for name, some in used.items()} | {"raw": "raw", "prediction": "prediction"}
    summary = {
        "images": [one.name for one in chosen], "score": score, "values": values, "ssim": similar, "labels": labels,
        "settings": settings,
    }  # fmt: skip
    parts = [f"{len(chosen)} of {len(judged)} images"] if len(chosen) < len(judged) else []
    parts += ["the middle planes"] if any(one.truth.planes > 1 for one in chosen) else []
    summary["of"] = " and ".join(parts)
    return summary | {"verdict": _verdict(summary)} | _faint(first, kept, score)


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
    if not np.isfinite(list(mean.values())).all():
        return ""
    ahead = mean["prediction"] - mean["gaussian"]
    if abs(ahead) < _SAME[score]:
        compared = "as good as"
    else:
        compared = "better than" if ahead > 0 else "worse than"
    words = (
        f"The prediction ({SCORES[score].label} {mean['prediction']:.1f} dB) is {compared} a Gaussian blur whose "
        f"strength is chosen from the raw images alone ({mean['gaussian']:.1f} dB; {settings['gaussian']}). If the "
        f"truth chooses it, the blur reaches {mean[ORACLE]:.1f} dB ({settings[ORACLE]})."
    )
    if summary["of"]:
        words = f"On {summary['of']}: {words[0].lower()}{words[1:]}"
    best = max((name for name in METHODS if name != "gaussian"), key=mean.get)
    if mean[best] > max(mean["gaussian"], mean["prediction"] - 1):
        words += f" The best simple filter is {labels[best].lower()} ({settings[best]}: {mean[best]:.1f} dB)."
    return words


def _settings(filters):
    """In words: the weakest and the strongest."""
    weakest, strongest = (some(filters, key=lambda one: one.value) for some in (min, max))
    return weakest.up_to(strongest)
