"""Make what is generated: the .ipynb files, colab_badges.md and the tables in the README.

python notebooks/build.py           write the files
python notebooks/build.py --check   say which are out of date, and end with status 1 if any is
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from n2seg_utils.about import ADDRESS, INSTALL, PICTURES, TAG, TESTED  # noqa: E402
from n2seg_utils.settings import (  # noqa: E402
    CompareSettings,
    DenoiseSettings,
    ExportSettings,
    JointSettings,
    QualitySettings,
    SegmentSettings,
)

PURPOSES = {
    "1_Noise2Void_denoising": ("Denoise images without clean examples (Noise2Void)", "synthetic nuclei, built in"),
    "2_UNet_segmentation": (
        "Segment images, and count what is in them (U-Net)",
        "synthetic nuclei, built in",
    ),
    "3_Noise2Seg_joint": (
        "Denoise and segment together, from few annotations (Noise2Seg)",
        "synthetic nuclei, a third annotated, built in",
    ),
    "4_Quality_control": ("Judge results of any program, with or without truth", "synthetic nuclei, built in"),
    "5_Compare_strategies": (
        "Find out which method, how many annotations and which settings suit your images",
        "synthetic nuclei, built in",
    ),
}
METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": [], "toc_visible": True},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def sources():
    """The notebooks' sources, in order."""
    return sorted((ROOT / "notebooks").glob("[0-9]_*.py"))


def colab_link(name):
    """Where a notebook opens in Colab."""
    repository = ADDRESS.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{repository}/blob/{TAG}/notebooks/{name}.ipynb"


def badge(name):
    """The "Open in Colab" badge of a notebook, in Markdown."""
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab_link(name)})"


def notebook(source):
    """The text of the .ipynb that belongs to a source."""
    text = (
        source.read_text(encoding="utf-8")
        .replace("# BADGE", f"# {badge(source.stem)}")
        .replace('"INSTALL"', f'"{INSTALL}"')
        .replace("(DOCS/", f"({ADDRESS}/blob/{TAG}/docs/")
        .replace("(PICTURES/", f"({PICTURES}/")
    )
    made = jupytext.reads(text, fmt="py:percent")
    made.metadata = METADATA
    made.nbformat, made.nbformat_minor = 4, 5
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def badge_table():
    """One row a notebook."""
    tested = "; ".join(
        f"{row.capitalize()}: Python {v['python']}, TensorFlow {v['tensorflow']}, Keras {v['keras']}, "
        f"ipywidgets {v['ipywidgets']}"
        for row, v in TESTED.items()
    )
    lines = ["| notebook | what for | sample data | last tested with |", "|---|---|---|---|"]
    for source in sources():
        purpose, sample = PURPOSES[source.stem]
        lines.append(f"| {badge(source.stem)} `{source.stem}` | {purpose} | {sample} | {tested} |")
    return "\n".join(lines)


def settings_table(cls):
    """One row a setting."""
    lines = ["| setting | default | what it does |", "|---|---|---|"]
    for name, about in cls.knobs().items():
        default = getattr(cls(), name)
        shown = "from your data" if default is None else f"`{default}`" if default != "" else ""
        unit = f" ({about.unit})" if about.unit else ""
        words = about.help.replace("|", "\\|")
        lines.append(f"| `{name}` | {shown} | {words}{unit} |")
    return "\n".join(lines)


def generated():
    """Path -> text of every generated file."""
    files = {source.with_suffix(".ipynb"): notebook(source) for source in sources()}
    files[ROOT / "colab_badges.md"] = f"# The notebooks\n\n{badge_table()}\n"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tables = {
        "badges": badge_table(),
        "settings": settings_table(DenoiseSettings),
        "segment settings": settings_table(SegmentSettings),
        "joint settings": settings_table(JointSettings),
        "quality settings": settings_table(QualitySettings),
        "compare settings": settings_table(CompareSettings),
        "export settings": settings_table(ExportSettings),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        readme = re.sub(
            f"{begin}.*?{end}", lambda _, t=table, b=begin, e=end: f"{b}\n{t}\n{e}", readme, flags=re.DOTALL
        )
    files[ROOT / "README.md"] = readme
    return files


def draw_picture():
    """The picture in the README: the third image of the sample, denoised."""
    from n2seg_utils.data.samples import write_sample
    from n2seg_utils.models.denoise_report import example_figures
    from n2seg_utils.models.denoise_training import train_denoiser
    from n2seg_utils.quality import plots

    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample("nuclei", Path(folder) / "sample")
        settings = DenoiseSettings(
            images=sample / "images", truth=sample / "clean", run=Path(folder) / "run", minutes=2
        )
        [figure] = example_figures(train_denoiser(settings), 2).values()
        plots.save(figure, ROOT / "docs" / "sample.png", dpi=80)


def draw_labels():
    """The picture in docs/LABELS.md: a piece of the sample with labels of each kind."""
    import numpy as np
    import tifffile
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label

    from n2seg_utils.data.label_noise import sampled
    from n2seg_utils.data.samples import write_sample
    from n2seg_utils.quality import plots
    from n2seg_utils.quality.first_guess import cut
    from n2seg_utils.quality.painting import painted

    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample("nuclei", Path(folder) / "sample", count=1)
        image, good = (tifffile.imread(next((sample / kind).iterdir())) for kind in ("images", "masks"))
    smooth = gaussian(image.astype(float), 2)
    noisy, teacher = sampled(good, np.random.default_rng(1), 0.1).astype(int), label(smooth > threshold_otsu(smooth))
    guess = (cut(smooth)(smooth)).astype(int)
    kinds = {"good": (good, False), "noisy: a tenth of the pixels": (noisy, True), "a teacher's": (teacher, False),
             "none: a first guess": (guess, True)}  # fmt: skip
    planes = {"image": image.astype("float32")[:160, :160]}
    drawn = {name: painted(planes["image"], some[:160, :160], classes) for name, (some, classes) in kinds.items()}
    plots.save(plots.side_by_side(planes | drawn, size=2.6), ROOT / "docs" / "labels.png", dpi=80)


def main():
    """Write or check; see the module's text."""
    if "--picture" in sys.argv:
        draw_picture()
        draw_labels()
    stale = []
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    print(f"out of date: {', '.join(stale)}" if stale else "everything is up to date")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
