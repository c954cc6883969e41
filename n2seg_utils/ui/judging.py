"""The steps of notebook 4, one method a cell: the quality of results of any program."""

from html import escape
from pathlib import Path

import numpy as np
import tifffile
from skimage.filters import threshold_otsu
from skimage.measure import label

from ..data import drive
from ..data.files import list_images, stem
from ..data.images import open_image
from ..data.labels import bring_masks
from ..errors import UserError
from ..quality import plots
from ..quality.baselines import calibrate
from ..quality.pairs import matched
from ..quality.residual import FINE
from ..settings import QualitySettings
from ..words import counted
from . import forms, progress
from .boxes import say, show_figure, show_png, warn
from .comparison import curtain, profile
from .scores import labels_in_words, scores_in_words
from .viewer import browse
from .workflow import Workflow, fetch, free_folder, hand_over, sample

_SHOWN = 3  # pictures


class Judging(Workflow):
    """From folders to scores, pictures and a report; remembers what one cell finds for the next."""

    settings_class = QualitySettings

    def __init__(self):
        super().__init__()
        self.folders = self.out = self.path = None
        self.known = ""  # the run folder of the model

    def check_data(self):
        """Read the form, match the images, say what is compared with what, and show one.

        Raises
        ------
        UserError
            When nothing belongs together, or two images differ in size.
        """
        self.require("form", "section 2")
        self.folders = None
        wanted = self.form.settings()
        if not wanted.prediction and (wanted.truth or wanted.raw):
            raise UserError("Name the folder of the results that are to be judged, too")
        folders = self._sample(wanted.what) if not wanted.prediction else self._named(wanted)
        if wanted.what == "labels" and not folders["truth"]:
            raise UserError("Name the folder of the truth: labels are judged by label images or masks")
        other = folders["truth"] or folders["raw"]
        if not other:
            raise UserError("Name the folder of the truth, or of the raw images: there is nothing to compare with")
        if wanted.what == "labels":
            say(f"{counted(len(list_images(fetch(folders['prediction']))), 'label image')} to judge.")
        else:
            pairs, unmatched = matched(fetch(folders["prediction"]), fetch(other))
            say(f"{counted(len(pairs), 'image')} to judge, matched by name.")
            if unmatched:
                warn(f"Without a partner, so not judged: {escape(', '.join(unmatched[:5]))}.")
        self.folders, self.known = folders, wanted.model
        self._show_first()

    def ask_settings(self):
        """Show the form for what is made of them."""
        self.require("folders", "section 2")
        self.form = forms.ask(QualitySettings, "training")

    def judge(self):
        """Judge all images, show what was found, and write scores, pictures and the report."""
        from ..workflows import judge_label_images, judge_restored

        self.require("folders", "section 2")
        self.forget("scores", "out", "path")
        wanted, update = self.form.settings(), progress.bar("Quality control")
        self.out = free_folder(wanted.run)
        local = {title: fetch(path) for title, path in self.folders.items()}
        if wanted.what == "labels":
            dims = None if wanted.dimensions == "auto" else int(wanted.dimensions[0])
            self.scores, self.path = judge_label_images(
                local["prediction"], fetch(self.folders["truth"], bring_masks), self.out, local["raw"],
                self.known or None, axes=wanted.axes, image_axes=wanted.axes, kind=wanted.kind, dims=dims,
                figures=wanted.figures, on_progress=update,
            )  # fmt: skip
            count = len(self.scores["per_image"])
        else:
            self.scores, self.path = judge_restored(
                local["prediction"], local["truth"], local["raw"], self.out, wanted.axes, wanted.maps, wanted.filters,
                update, figures=wanted.figures,
            )  # fmt: skip
            count = len({row["image"] for row in self.scores["per_image"]})
        update.close(f"{counted(count, 'image')} judged")
        self.form.remember()
        self._tell()

    def look(self):
        """Show the pictures that were made, the worst image first."""
        self.require("scores", "section 4")
        there = [name for name in ("filters.png", "scores.png", "confusion.png") if (self.out / name).exists()]
        for name in [*there, *self.scores["figures"][:_SHOWN]]:
            say(escape(name))
            show_png(self.out / name)

    def browse(self):
        """Show a viewer of all versions of the images side by side."""
        from IPython.display import display

        display(browse(self._versions(), self._open))

    def curtain(self):
        """Show a viewer in which a slider uncovers one version of an image over another."""
        from IPython.display import display

        display(curtain(self._versions(), self._open))

    def profile(self):
        """Show a viewer of grey values along a line that is chosen with sliders."""
        from IPython.display import display

        display(profile(self._versions(), self._open))

    def report(self):
        """Say where the report is."""
        self.require("path", "section 4")
        pdf = self.path.with_suffix(".pdf")
        say(f"The report is {escape(str(self.path))}, and {escape(pdf.name)} beside it. Everything else is there too.")

    def download(self):
        """In Colab, download scores, pictures and report as a zip; elsewhere say where they are."""
        self.require("out", "section 4")
        hand_over(self.out, "Scores, pictures and report are")

    def _named(self, wanted):
        return {title: getattr(wanted, title) for title in ("prediction", "truth", "raw")}

    def _sample(self, what):
        """The folders of the built-in sample, with results of a simple filter."""
        raw, clean = sample("nuclei", "clean")
        made = _filtered(Path(raw), "labels" if what == "labels" else "restored")
        if what == "labels":
            say("Its nuclei were found by thresholding, without a network.")
            return {"prediction": str(made), "truth": str(Path(clean).with_name("masks")), "raw": raw}
        say("It was denoised by non-local means, without a network.")
        return {"prediction": str(made), "truth": clean, "raw": raw}

    def _versions(self):
        self.require("folders", "section 2")
        order = ("raw", "prediction", "truth")
        labels = self.form.settings().what == "labels"
        named = [title for title in order if self.folders[title] and not (labels and title == "truth")]
        return {title: drive.bring(self.folders[title]) for title in named}

    def _open(self, file):
        return open_image(file, self.form.settings().axes)

    def _show_first(self):
        """The middle plane of the first image, in all versions."""
        versions = {title: {stem(f): f for f in list_images(path)} for title, path in self._versions().items()}
        name = next(iter(versions["prediction"]))
        planes = {}
        for title, files in versions.items():
            if name in files:
                image = self._open(files[name]) if title != "prediction" else open_image(files[name])
                planes[title] = np.asarray(plots.thumbnail(image.plane(image.planes // 2)[..., 0]), "float32")
        show_figure(plots.side_by_side(planes, size=2.6, own_scale=True))

    def _tell(self):
        """The scores and verdicts, in words."""
        scores = self.scores
        for name in scores["unmatched"][:5]:
            warn(f"Not judged, for it has no partner: {escape(name)}")
        for words in scores.get("warnings", ()):
            warn(escape(words))
        if "ssim" in scores:
            say(scores_in_words(scores))
        elif "findings" in scores:
            for one in scores["findings"]:
                words = f"{escape(one['sentence'])} ({counted(len(one['images']), 'image')})"
                (say if one["severity"] == FINE else warn)(words)
        else:
            say(labels_in_words(scores))


def _filtered(images, kind):
    """The folder of the sample's images filtered, or of what is brighter in them; made if need be."""
    folder = images.with_name(f"filtered_{kind}")
    if folder.is_dir():
        return folder
    files = list_images(images)
    planes = [tifffile.imread(file) for file in files]
    denoise = calibrate(planes, methods=("nlm",))["nlm"]
    temporary = folder.with_name(f"{folder.name}.part")
    temporary.mkdir(parents=True, exist_ok=True)
    for file, plane in zip(files, planes):
        result = denoise(plane)
        if kind == "labels":
            result = label(result > threshold_otsu(result)).astype("uint16")
        tifffile.imwrite(temporary / file.name, result)
    temporary.rename(folder)
    return folder
