"""Make the pictures of good and bad, and of what the notebooks are about, that they show: of the built-in sample.

    python docs/good_and_bad.py [FOLDER]      writes PNG files beside this file, or into a folder

It takes some minutes: networks are trained, well and badly.
"""

import io
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import tifffile
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import ideas  # noqa: E402

from n2seg_utils.data.images import open_image  # noqa: E402
from n2seg_utils.data.samples import write_sample  # noqa: E402
from n2seg_utils.models.denoise_training import train_denoiser  # noqa: E402
from n2seg_utils.models.objects import Rule  # noqa: E402
from n2seg_utils.models.segment_training import train_segmenter  # noqa: E402
from n2seg_utils.quality import overlays, plots  # noqa: E402
from n2seg_utils.settings import DenoiseSettings, SegmentSettings  # noqa: E402

_DPI, _COLOURS, _LARGEST = 70, (128, 64, 32), 60_000  # dots per inch; shades, most first; bytes
_PIECE, _CLOSE = slice(32, 192), slice(40, 136)  # rows and columns of an image that are shown
_PIXELS = (slice(112, 136), slice(88, 112))  # some that can be told from one another: rows, columns
_WELL = {"minutes": 0, "epochs": 30, "steps_per_epoch": 40, "batch_size": 8, "network_width": 16}
_SHORT = {**_WELL, "epochs": 4, "steps_per_epoch": 5}
_LOW = Rule(threshold=0.03, seed=0.03)
# Nothing is varied, and there is one image to learn from: it is learned by heart.
_BY_HEART = {**_WELL, "epochs": 20, "steps_per_epoch": 20, "augment": False, "warp": 0, "recolour": 0, "patience": 100}


def main(out):
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sample = write_sample("nuclei", folder / "sample")
        models = {name: denoiser(sample, folder / name, how) for name, how in (("well", _WELL), ("short", _SHORT))}
        segmenter = train_segmenter(
            SegmentSettings(images=sample / "images", masks=sample / "masks", run=folder / "objects", **_WELL)
        )
        heart = by_heart(sample, folder)
        curves = {
            "good: falls, then levels off": models["well"],
            "too short: still falls": models["short"],
            "overfitting: validation stays behind": heart,
        }
        row = [titled(plots.loss_curve(model.run.history(), (3.6, 2.6)), words) for words, model in curves.items()]
        save([row], out / "good_curve.png")
        save(denoised(sample, models), out / "good_denoised.png")
        save([segmented(sample, segmenter)], out / "good_segmented.png")
        for name, figure in of_ideas(sample, models["well"], segmenter).items():
            save([[figure]], out / f"idea_{name}.png")


def denoiser(sample, run, how):
    """A model that denoises."""
    return train_denoiser(DenoiseSettings(images=sample / "images", run=run, **how))


def by_heart(sample, folder):
    """A model that has learned the only image it was given by heart."""
    for kind in ("images", "masks"):
        (folder / "few" / kind).mkdir(parents=True)
        for file in sorted((sample / kind).iterdir())[:2]:
            shutil.copy(file, folder / "few" / kind)
    few = {"images": folder / "few" / "images", "masks": folder / "few" / "masks", "validation_fraction": 0.5}
    return train_segmenter(SegmentSettings(**few, run=folder / "heart", **_BY_HEART))


def denoised(sample, models):
    """Pictures of a piece that was denoised well, too much and too little, each above what was taken away."""
    noisy = tifffile.imread(sorted((sample / "images").iterdir())[2]).astype("float32")
    well, short = (models[name].predict(noisy, "YX") for name in ("well", "short"))
    # What copies half of the noise looks like this, whatever the reason.
    shown = {"noisy": noisy, "good": well, "trained too briefly": short, "noise is left": (well + noisy) / 2}
    words = {"good": "taken away: noise", "trained too briefly": "structure, too", "noise is left": "too little"}
    taken = {said: noisy - shown[name] for name, said in words.items()}
    rows = [{words: plane[_CLOSE, _CLOSE] for words, plane in some.items()} for some in (shown, taken)]
    return [[plots.side_by_side(row, size=2.4)] for row in rows]


def segmented(sample, segmenter):
    """Figures of objects that were found rightly, merged and missed."""
    rules = {
        "good: mostly green": segmenter.stored,
        "threshold too low": _LOW,
        "smallest object too large": replace(segmenter.stored, min_size=350),
    }
    pixels, truth, *found = objects(sample, segmenter, rules.values())
    return [titled(overlays.mistakes(pixels, truth, labels, size=3), words) for words, labels in zip(rules, found)]


def objects(sample, segmenter, rules):
    """A piece of an image, its true objects, and what each rule finds."""
    file = sorted((sample / "images").iterdir())[2]
    image, truth = open_image(file), tifffile.imread(sample / "masks" / file.name)[_PIECE, _PIECE]
    pixels, probabilities = segmenter.predict_crop(image, 0, _PIECE, _PIECE)
    return pixels[..., 0], truth, *(segmenter.find_in_plane(probabilities, rule) for rule in rules)


def of_ideas(sample, denoiser, segmenter):
    """Figures of what Noise2Void, a U-Net, joint training, SSIM and average precision are."""
    name = sorted((sample / "images").iterdir())[2].name
    noisy, clean = (tifffile.imread(sample / kind / name).astype("float32") for kind in ("images", "clean"))
    denoised, piece = denoiser.predict(noisy, "YX"), (_PIECE, _PIECE)
    _, truth, good, merged = objects(sample, segmenter, (segmenter.stored, _LOW))
    return {
        "noise2void": ideas.noise2void(noisy[_PIXELS], denoised[_PIXELS], denoiser.settings.masked_percent),
        "unet": ideas.unet(noisy[piece], good),
        "joint": ideas.joint(noisy[piece], denoised[piece], good),
        "ssim": ideas.ssim(clean[piece]),
        "ap": ideas.average_precision(noisy[piece], truth, merged),
    }


def titled(figure, words):
    """A figure with another title."""
    figure.axes[0].set_title(words, fontsize=11)
    return figure


def save(rows, file):
    """Write rows of figures as a small PNG."""
    drawn = [[Image.open(io.BytesIO(plots.to_png(figure, _DPI))).convert("RGB") for figure in row] for row in rows]
    heights, widths = (
        [max(one.height for one in row) for row in drawn],
        [sum(one.width for one in row) for row in drawn],
    )
    whole = Image.new("RGB", (max(widths), sum(heights)), "white")
    for number, row in enumerate(drawn):
        x = max(widths) - widths[number]  # below what they belong to
        for one in row:
            whole.paste(one, (x, sum(heights[:number])))
            x += one.width
    for colours in _COLOURS:
        whole.quantize(colours, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < _LARGEST:
            break
    print(f"{file}: {whole.width} x {whole.height}, {file.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
