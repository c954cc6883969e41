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
from ..quality.label_pairs import match_labels
from ..quality.pairs import like_labels, matched
from ..quality.qc_report import OF_ALL, without_partner
from ..quality.residual import FINE
from ..settings import QualitySettings
from ..words import counted
from . import forms, progress
from .boxes import say, show_figure, show_png, warn
from .comparison import curtain, profile
from .layers import drawn_in, found_in
from .links import linked
from .scores import labels_in_words, scores_in_words
from .viewer import Versions, browse
from .workflow import Workflow, fetch, free_folder, hand_over, sample

_SHOWN = 3  # pictures


class Judging(Workflow):
    """From folders to scores, pictures and a report; remembers what one cell finds for the next."""

    settings_class = QualitySettings

    def __init__(self):
        super().__init__()
        self.folders = self.names = self.target = self.out = self.path = None
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
            names, alone = self._match_labels(folders, wanted)
        else:
            pairs, alone = matched(fetch(folders["prediction"]), fetch(other))
            names = [prediction.name for prediction, _ in pairs]
            _doubt_labels({"prediction": pairs[0][0], "truth" if folders["truth"] else "raw": pairs[0][1]})
        say(f"{counted(len(names), 'image')} to judge, matched by name.")
        for words in without_partner(alone):
            warn(escape(words))
        self.folders, self.known, self.names = folders, wanted.model, [stem(name) for name in names]
        self._show_first()

    def _match_labels(self, folders, wanted):
        """Names of label images that have a partner, and of files that have none; says what the truth shows."""
        names, alone, self.target = match_labels(
            fetch(folders["prediction"]), fetch(folders["truth"], bring_masks), wanted.axes, wanted.kind,
            _dims(wanted), fetch(folders["raw"]), wanted.axes,
        )  # fmt: skip
        why = f": {self.target.why}" if self.target.why else ""
        say(f"The truth shows {escape(self.target.describe() + why)}.")
        return names, alone

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
            self.scores, self.path = judge_label_images(
                local["prediction"], fetch(self.folders["truth"], bring_masks), self.out, local["raw"],
                self.known or None, axes=wanted.axes, image_axes=wanted.axes, kind=wanted.kind, dims=_dims(wanted),
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
        for name, words in OF_ALL.items():
            if (self.out / name).exists():
                say(escape(words))
                show_png(self.out / name)
        for name in self.scores["figures"][:_SHOWN]:
            say(f"<b>{escape(Path(name).stem)}</b>")
            show_png(self.out / name)

    def browse(self):
        """Show a viewer of all versions of the images side by side."""
        from IPython.display import display

        versions, labels = self._versions()
        display(browse(versions, self._open, labels, names=self.names))

    def curtain(self):
        """Show a viewer in which a slider uncovers one version of an image over another."""
        from IPython.display import display

        versions, labels = self._versions()
        display(curtain(versions, self._open, labels, self.names))

    def profile(self):
        """Show a viewer of grey values along a line that is chosen with sliders."""
        from IPython.display import display

        versions, labels = self._versions()
        if labels:
            say("Numbers of labels are no grey values, so there is nothing to show along a line.")
            return
        display(profile(versions, self._open))

    def report(self):
        """Say where the report is."""
        self.require("path", "section 4")
        pdf = self.path.with_suffix(".pdf")
        say(f"The report is {linked(self.path)}, and {linked(pdf)} beside it. Everything else is there too.")

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
        """The folders of what is looked at: title -> path, and of what is painted on it: title -> Labels."""
        self.require("folders", "section 2")
        if self.form.settings().what != "labels":
            named = [title for title in ("raw", "prediction", "truth") if self.folders[title]]
            return {title: drive.bring(self.folders[title]) for title in named}, {}
        found, below = drive.bring(self.folders["prediction"]), self.folders["raw"]
        truth = drawn_in(bring_masks(self.folders["truth"]), self.target)
        versions = {"raw": drive.bring(below)} if below else {"prediction": found}
        return versions, {"prediction": found_in(found, self.target), "truth": truth}

    def _open(self, file):
        return open_image(file, self.form.settings().axes)

    def _show_first(self):
        """The middle plane of the first image, in all versions."""
        folders, labels = self._versions()
        if labels:
            show_figure(Versions(folders, self._open, labels, names=self.names[:1]).figure())
            return
        versions = {title: {stem(f): f for f in list_images(path)} for title, path in folders.items()}
        name = self.names[0]
        planes = {}
        for title, files in versions.items():
            if name in files:
                image = self._open(files[name]) if title != "prediction" else open_image(files[name])
                planes[title] = np.asarray(plots.thumbnail(image.plane(image.planes // 2)[..., 0]), "float32")
        show_figure(plots.side_by_side(planes, size=2.6, own_scale=True))

    def _tell(self):
        """The scores and verdicts, in words."""
        scores = self.scores
        for words in [*without_partner(scores["unmatched"]), *scores.get("warnings", ())]:
            warn(escape(words))
        if "ssim" in scores:
            say(scores_in_words(scores))
        elif "findings" in scores:
            for one in scores["findings"]:
                words = f"{escape(one['sentence'])} ({counted(len(one['images']), 'image')})"
                (say if one["severity"] == FINE else warn)(words)
        else:
            say(labels_in_words(scores))


def _dims(wanted):
    return None if wanted.dimensions == "auto" else int(wanted.dimensions[0])


def _doubt_labels(files):
    """Warn of label images among restored ones; title -> file."""
    for title, file in files.items():
        if like_labels(open_image(file)):
            warn(
                f"The {title} {escape(file.name)} looks like a label image. If it is one, choose <b>labels</b> under "
                "<b>What to judge</b>, and run both cells again; if not, look at the picture below."
            )


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
