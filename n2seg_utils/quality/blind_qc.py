"""Quality control of a folder of restored images without clean ones: by what was taken away from the raw images."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.files import require_absent, stem, write_text
from ..data.images import ImageFile, open_image, require_finite
from ..data.tables import write_table
from ..errors import UserError
from . import blind_plots, plots
from .pairs import described, for_json, like, matched
from .residual import SEVERITIES, SMALLEST, BlindVerdict, judge_blind


def judge_without_truth(prediction, raw, out=None, axes="auto", on_progress=None, figures=3):
    """Judge restored images by the raw ones: the middle plane of each, channel by channel.

    Images are matched by name, whatever their endings.

    Parameters
    ----------
    prediction, raw : path
        Folders or single files.
    out : path, optional
        Where ``metrics.csv``, ``summary.json`` and figures go; nothing is written without it.
    axes : str
        Of the raw images; "auto" believes the files.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    figures : int
        Number of images to draw, the worst first.

    Returns
    -------
    dict
        ``per_image``: a row of numbers an image and channel, see :class:`~n2seg_utils.quality.residual.BlindVerdict`;
        ``findings``: of each kind ``severity``, a ``sentence`` of the image it is most said of, and ``images``, their
        names, the worst kind first; ``severity``: the worst of all; ``unmatched``; ``data``: what is known of each
        file; ``figures``: names of their files.

    Raises
    ------
    UserError
        When nothing matches, or two images differ in size, axes or are not numbers.
    """
    pairs, unmatched = matched(prediction, raw)
    if out is not None:
        require_absent([Path(out) / name for name in ("metrics.csv", "summary.json")])
    judged = []
    for number, (restored, noisy) in enumerate(pairs):
        judged += judge_pair(restored, noisy, axes)
        if on_progress:
            on_progress((number + 1) / len(pairs), restored.name)
    worst = sorted(judged, key=lambda one: one.badness, reverse=True)
    if out is not None:
        require_absent([Path(out) / one.figure_name for one in worst[:figures]])
    summary = {
        "per_image": [one.row() for one in judged],
        "findings": _together(worst),
        "severity": worst[0].verdict.severity,
        "unmatched": unmatched,
        "data": [described(one.prediction) for one in judged if one.channel == 0],
        "figures": [one.figure_name for one in worst[:figures]] if out is not None else [],
    }
    if out is not None:
        write_table(Path(out) / "metrics.csv", summary["per_image"])
        write_text(Path(out) / "summary.json", json.dumps(for_json(summary), indent=2, ensure_ascii=False))
        for one in worst[:figures]:
            plots.save(one.figure(), Path(out) / one.figure_name)
    return summary


@dataclass(frozen=True)
class Judged:
    """One channel of the middle plane of a restored image, and what is to be said of it."""

    raw: ImageFile
    prediction: ImageFile
    channel: int
    verdict: BlindVerdict

    @property
    def badness(self):
        """The larger, the worse."""
        verdict = self.verdict
        parts = verdict.lost_share + verdict.invented_share + max(0.0, verdict.smoothing)
        return SEVERITIES.index(verdict.severity), parts

    @property
    def figure_name(self):
        """Name of the file with its figure."""
        channel = f"_channel_{self.channel + 1}" if self.raw.size["C"] > 1 else ""
        return f"{stem(self.prediction.path)}{channel}.png"

    def row(self):
        """The numbers, and what they mean."""
        verdict, noise, shared = self.verdict, self.verdict.noise, self.verdict.correlation
        return {
            "image": self.prediction.path.name,
            "channel": self.raw.channel_names[self.channel],
            "severity": verdict.severity,
            "removed": verdict.removed,
            "smoothing": verdict.smoothing,
            "invented_share": verdict.invented_share,
            "lost_share": verdict.lost_share,
            "noise": noise.kind,
            "noise_sigma": noise.sigma,
            "noise_gain": noise.gain,
            "correlation_x": shared and shared.horizontal[0],
            "correlation_y": shared and shared.vertical[0],
            "slope": verdict.slope,
            "offset": verdict.offset,
            "words": " ".join(map(str, verdict.findings)),
        }

    def figure(self):
        """See :func:`~n2seg_utils.quality.blind_plots.judged`."""
        planes = _planes(self.raw, self.prediction, self.channel)
        return blind_plots.judged(planes, self.verdict, self.raw.calibration)


def judge_pair(restored, noisy, axes="auto"):
    """Judge one image file by its raw one: a list of Judged, one a channel."""
    raw = open_image(noisy, axes)
    image = like(open_image(restored), raw)
    if min(raw.plane_shape[:2]) < SMALLEST:
        raise UserError(f"{raw.path} is smaller than {SMALLEST} pixels, too small to judge. Remove the file")
    return [
        Judged(raw, image, channel, judge_blind(*_planes(raw, image, channel).values()))
        for channel in range(raw.size["C"])
    ]


def _planes(raw, image, channel):
    """The middle planes, as they are in the files: title -> (Y, X)."""
    found = {}
    for title, one in (("raw", raw), ("prediction", image)):
        plane = np.asarray(one.plane(raw.planes // 2)[..., channel])
        require_finite(plane, one.path)
        found[title] = plane
    return found


def _together(worst):
    """Each kind of finding once."""
    found = {}
    for one in worst:
        for remark in one.verdict.findings:
            new = {"severity": remark.severity, "about": remark.about, "sentence": str(remark), "images": []}
            images = found.setdefault((remark.severity, remark.about), new)["images"]
            if one.prediction.path.name not in images:
                images.append(one.prediction.path.name)
    return sorted(found.values(), key=lambda one: -SEVERITIES.index(one["severity"]))
