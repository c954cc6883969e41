"""Make the pictures of the notebooks that the README shows, of the built-in sample, in JupyterLab.

    python -m tests.browser.pictures [FOLDER]      writes PNG files into docs, or into a folder

It takes some minutes: networks are trained until there is something to see.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops, ImageOps
from playwright.sync_api import sync_playwright

from .notebook_page import LabPage
from .servers import ROOT, serve

_WIDTHS = (1000, 900, 800, 700, 600)  # pixels; the first with which a file is small enough
_LARGEST, _COLOURS = 150_000, 256  # bytes of a file, shades in it
_MARGIN = 10  # pixels
_WINDOW = {"width": 1500, "height": 2000}  # higher than what any cell shows
_LEARNS = {"minutes": 0, "epochs": 16, "steps_per_epoch": 25, "batch_size": 8, "network_width": 16, "seed": 1}


def main(out):
    """Make all pictures."""
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for make in (denoising, segmentation, joint, quality):
            with tempfile.TemporaryDirectory() as folder:
                make(browser.new_page(viewport=_WINDOW), Path(folder), out)
        browser.close()


def denoising(page, folder, out):
    """The form of notebook 1, and its progress."""
    with serve(folder / "asked") as server:
        notebook = LabPage(page, server, "1")
        notebook.run_to("How to train?")
        save(notebook, "How to train?", out / "form.png")
    with serve(folder / "trained", **_LEARNS) as server:
        notebook = LabPage(page, server, "1")
        notebook.run_all()
        notebook.shows("Train", "epoch 12 of 16")
        notebook.wait_for_pictures("Train")
        save(notebook, "Train", out / "progress.png")


def segmentation(page, folder, out):
    """Thresholds that are tried in notebook 2."""
    with serve(folder, **_LEARNS) as server:
        notebook = LabPage(page, server, "2")
        notebook.run_all()
        cell = "Try thresholds on an image"
        notebook.wait_for_end_of(cell)
        notebook.wait_for_pictures(cell)
        before = notebook.source_of(cell)
        notebook.move_slider("Threshold", cell, "ArrowLeft", 8)
        notebook.wait_for_other_picture(cell, before)
        save(notebook, cell, out / "thresholds.png")


def joint(page, folder, out):
    """The result of notebook 3."""
    with serve(folder, **_LEARNS) as server:
        notebook = LabPage(page, server, "3")
        notebook.run_all()
        notebook.wait_for_end()
        notebook.wait_for_pictures("Look at the results")
        save(notebook, "Look at the results", out / "joint.png")


def quality(page, folder, out):
    """Quality control in notebook 4."""
    with serve(folder) as server:
        notebook = LabPage(page, server, "4")
        notebook.run_all()
        notebook.wait_for_end_of("The pictures")
        save(notebook, "Judge all images", out / "quality.png")


def save(notebook, title, file):
    """Write what a cell shows, without its code, as a small PNG."""
    notebook.page.mouse.move(0, 0)
    area = notebook.at(title).locator(".jp-Cell-outputArea")
    picture = Image.open(io.BytesIO(area.screenshot())).convert("RGB")
    seen = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
    picture = ImageOps.expand(picture.crop(seen), _MARGIN, "white")
    for width in _WIDTHS:
        size = (width, round(picture.height * width / picture.width)) if picture.width > width else picture.size
        small = picture.resize(size, Image.Resampling.LANCZOS)
        small.quantize(_COLOURS, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < _LARGEST:
            break
    print(f"{file}: {small.width} x {small.height}, {file.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
