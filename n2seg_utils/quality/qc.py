"""Quality control of a folder of restored images against a folder of clean ones."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.files import require_absent, stem, write_text
from ..data.images import ImageFile, open_image
from ..data.tables import write_table
from ..data.writing import image_writer
from ..progress import halves
from ..words import counted
from . import plots, restoration_plots
from .filters_qc import compare_with_filters, spread_out
from .image_scores import SCORES as ALL_SCORES
from .image_scores import Comparison, image_scores, ssim_map
from .pairs import described, for_json, like, matched, partners, pixels
from .statistics import in_words, interval, paired_test

SCORES = ("ssim", "nrmse", "psnr")
_MAPS = ("error", "ssim")
# Decibels that a line through the grey values would bring: noise and blur alone bring 1 to 3, another scale far more.
_OTHER_SCALE = 6.0


def judge(prediction, truth, raw=None, out=None, axes="auto", on_progress=None, figures=3, maps=False, filters=False):
    """Score restored images against the truth, and the raw ones too if given.

    Images are matched by name, whatever their endings.

    Parameters
    ----------
    prediction, truth, raw : path
        Folders or single files.
    out : path, optional
        Where ``metrics.csv``, ``planes.csv`` (if there are several planes or channels), ``summary.json`` and figures
        go; nothing is written without it.
    axes : str
        Of raw and truth; "auto" believes the files.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    figures : int
        Number of images to draw: the worst, the best, and some between, by PSNR.
    maps : bool
        Write ``maps/NAME_error.tif`` (absolute error as a share of the range) and ``maps/NAME_ssim.tif`` too, 32 bits.
    filters : bool
        Compare with simple filters of the raw images too, and draw ``filters.png``.

    Returns
    -------
    dict
        What :func:`summarise` returns, and ``unmatched``: names without a partner; ``warnings``: sentences; ``data``:
        what is known of each file; ``filters``: what
        :func:`~n2seg_utils.quality.filters_qc.compare_with_filters` returns, or None; ``figures``: names of the files
        with figures, the worst image first.

    Raises
    ------
    UserError
        When nothing matches, or two images differ in size, axes or are not numbers.
    """
    pairs, unmatched = matched(prediction, truth)
    raws = partners(pairs, raw) if raw else {}
    if out is not None:
        require_absent(_outputs(Path(out), pairs, maps))
    judged = [Judged.open(predicted, true, raws.get(predicted), axes) for predicted, true in pairs]
    per_image, by_plane = [], []
    sooner, later = halves(on_progress) if raw and filters else (on_progress, None)
    for number, one in enumerate(judged):
        row, planes = one.rows()
        per_image.append(row)
        by_plane += planes
        if sooner:
            sooner((number + 1) / len(judged), one.name)
    summary = summarise(per_image) | {"unmatched": unmatched, "warnings": _warnings(per_image)}
    shown = worth_seeing(per_image, figures) if out is not None else []
    summary["figures"] = [_picture(judged[number].prediction.path) for number in shown]
    summary |= {"filters": None, "data": [described(one.prediction) for one in judged]}
    if raw and filters:
        score = "si_psnr" if _scaled(per_image) else "psnr"
        summary["filters"] = compare_with_filters(judged, score, later)
    if out is not None:
        write_table(Path(out) / "metrics.csv", per_image)
        if len(by_plane) > len(per_image):
            write_table(Path(out) / "planes.csv", by_plane)
        write_text(Path(out) / "summary.json", json.dumps(for_json(summary), indent=2, ensure_ascii=False))
        for number, name in zip(shown, summary["figures"]):
            plots.save(judged[number].figure(), Path(out) / name)
        for one in judged if maps else ():
            one.write_maps(Path(out) / "maps")
        if summary["filters"]:
            plots.save(restoration_plots.compared(summary["filters"]), Path(out) / "filters.png")
    return summary


def summarise(per_image):
    """Means over images.

    Returns
    -------
    dict
        For each score ``{prediction, raw, gain}`` (the gain is prediction minus raw; raw and gain are None without raw
        images), with ``interval`` and ``gain_interval``, the 95 % intervals of the means, ``better``, in how many
        images the prediction is better, and ``p`` of Wilcoxon's signed-rank test, each None where it cannot be told;
        ``per_image``; ``ranges``.
    """
    summary = {}
    for name, score in ALL_SCORES.items():
        predicted, raw = ([row[column] for row in per_image] for column in (name, f"{name}_raw"))
        known, both = None not in predicted, None not in raw and None not in predicted
        gains = np.array([0.0 if p == r else p - r for p, r in zip(predicted, raw)]) if both else None
        summary[name] = {
            "prediction": float(np.mean(predicted)) if known else None,
            "raw": float(np.mean(raw)) if both else None,
            "gain": float(np.mean(gains)) if both else None,
            "interval": interval(predicted) if known else None,
            "gain_interval": interval(gains) if both else None,
            "better": int(np.sum(gains > 0 if score.more_is_better else gains < 0)) if both else None,
            "p": paired_test(predicted, raw) if both else None,
        }
    summary["per_image"] = per_image
    summary["ranges"] = {row["image"]: row["range"] for row in per_image}
    return summary


def better_in_words(summary, name="psnr"):
    """Whether the prediction is better than the raw images, in a sentence; "" where there are none."""
    found, count = summary[name], len(summary["per_image"])
    if found["better"] is None:
        return ""
    p = "too few images to test" if found["p"] is None else f"Wilcoxon signed-rank test, {in_words(found['p'])}"
    return f"{ALL_SCORES[name].label} is better than that of the raw image in {found['better']} of {count} ({p})."


@dataclass(frozen=True)
class Judged:
    """An image that is judged, its truth, and the raw image if there is one."""

    prediction: ImageFile
    truth: ImageFile
    raw: ImageFile | None

    @classmethod
    def open(cls, prediction, truth, raw=None, axes="auto"):
        """Open the files.

        Raises
        ------
        UserError
            When they differ in size.
        """
        true = open_image(truth, axes)
        return cls(like(open_image(prediction), true), true, raw and like(open_image(raw, axes), true))

    @property
    def name(self):
        return self.prediction.path.name

    def rows(self):
        """A row of scores of the image, and one of each plane and channel."""
        truth = pixels(self.truth)
        found = Comparison(truth, pixels(self.prediction), self.truth.path)
        raw = Comparison(truth, pixels(self.raw), self.truth.path) if self.raw else None
        before = raw.scores() if raw else {}
        row = {"image": self.name, **found.scores(), **{f"{name}_raw": before.get(name) for name in ALL_SCORES}}
        names, planes = self.truth.channel_names, found.rows()
        for number, one in enumerate(planes):
            one["channel"] = names[one["channel"] - 1]
            if raw:
                one |= {f"{name}_raw": value for name, value in raw.rows()[number].items() if name in ALL_SCORES}
        return row, [{"image": self.name, **one} for one in planes]

    def planes(self, plane=None, channel=0):
        """title -> pixels (Y, X) of a plane, float32, of the raw image, the prediction and the truth."""
        number = self.truth.planes // 2 if plane is None else plane
        images = {"raw": self.raw, "prediction": self.prediction, "truth": self.truth}
        return {
            title: np.asarray(image.plane(number)[..., channel], "float32") for title, image in images.items() if image
        }

    def figure(self, plane=None, channel=0):
        """The :func:`~n2seg_utils.quality.restoration_plots.judged` of a plane; default: the middle one."""
        planes = self.planes(plane, channel)
        return restoration_plots.judged(planes, score_lines(planes, self.truth.path), self.truth.calibration)

    def write_maps(self, folder):
        """Write the maps of absolute error and SSIM, see :func:`judge`."""
        truth, found = pixels(self.truth), pixels(self.prediction)
        low, high = min(t.min() for t in truth), max(t.max() for t in truth)
        span = float(high) - float(low)
        for kind in _MAPS:
            path = folder / f"{stem(self.prediction.path)}_{kind}.tif"
            with image_writer(path, self.truth, np.dtype("float32"), display=(0, 1)) as write:
                for frame in self.truth.frames(2):
                    t, i = (np.asarray(planes[frame.number], "float64") for planes in (truth, found))
                    if kind == "error":
                        values = np.abs(i - t) / span
                    else:
                        values = np.stack([ssim_map(t[..., c], i[..., c], span) for c in range(t.shape[-1])], -1)
                    write(frame.number, (slice(None),) * 2, values.astype("float32"))


def score_lines(planes, name):
    """The scores of some planes (Y, X), title -> a line of text, against the one titled "truth"."""
    lines = {}
    for title in planes:
        if title != "truth":
            found = image_scores([planes["truth"][..., None]], [planes[title][..., None]], name)
            lines[title] = f"SSIM {found['ssim']:.3f}   NRMSE {found['nrmse']:.3f}   PSNR {found['psnr']:.1f} dB"
    return lines


def worth_seeing(rows, count):
    """The numbers of the images with the lowest, the middle and the highest PSNR, worst first."""
    ordered = np.argsort([row["psnr"] for row in rows], kind="stable")
    return [int(ordered[i]) for i in spread_out(len(ordered), count)]


def _picture(path):
    """The file name of an image's figure, which is not that of the figure of all images."""
    return f"{stem(path)}.png" if stem(path).lower() != "filters" else f"{stem(path)}_image.png"


def _outputs(out, pairs, maps):
    """All files that judging these pairs may write."""
    names = [stem(predicted) for predicted, _ in pairs]
    drawn = [_picture(predicted) for predicted, _ in pairs]
    files = [out / name for name in ("metrics.csv", "planes.csv", "summary.json", "filters.png", *drawn)]
    return files + [out / "maps" / f"{name}_{kind}.tif" for name in names for kind in _MAPS if maps]


def _scaled(rows):
    """The rows of images that have another grey scale than their truth."""
    known = [row for row in rows if row["si_psnr"] is not None and np.isfinite(row["psnr"])]
    return [row for row in known if row["si_psnr"] - row["psnr"] > _OTHER_SCALE]


def _warnings(rows):
    """Sentences about scores that do not mean what they seem to."""
    found = []
    same = [row["image"] for row in rows if row["rmse"] == 0]
    if same:
        found.append(
            f"The same pixels as the truth has: {counted(len(same), 'image')} (for example {same[0]}). Are these the "
            "right folders? Give that of the results, and that of the truth."
        )
    untouched = [row["image"] for row in rows if row["rmse_raw"] == row["rmse"] and row["ssim_raw"] == row["ssim"]]
    if untouched:
        found.append(
            f"Exactly the scores of the raw image: {counted(len(untouched), 'image')} (for example {untouched[0]}). Is "
            "this the folder of the results?"
        )
    clean = [row["image"] for row in rows if row["rmse_raw"] == 0 and row["rmse"] != 0]
    if clean:
        found.append(
            f"Raw image and truth with the same pixels: {counted(len(clean), 'image')} (for example {clean[0]}). The "
            "scores do not say how good the results are. Give the folder of clean images."
        )
    other = _scaled(rows)
    if not other:
        return found
    return [
        *found,
        f"{counted(len(other), 'image')} on a different grey scale than the truth: stretching {other[0]['image']} "
        f"would raise its PSNR from {other[0]['psnr']:.1f} to {other[0]['si_psnr']:.1f} dB. Judge such images by the "
        "scale-invariant PSNR and by Pearson's correlation, or save them in the grey values of the truth.",
    ]
