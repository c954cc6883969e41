"""The steps of notebook 1, one method a cell."""

import json
import shutil
import tempfile
from html import escape
from pathlib import Path

import numpy as np

from ..data import check as data_check
from ..data import drive
from ..data.files import list_images, write_text
from ..data.public_sets import DESCRIPTIONS, write_public_set
from ..data.samples import sample_folder
from ..errors import UserError
from ..quality import plots
from ..settings import DenoiseSettings
from . import forms, progress, runtime
from .boxes import say, show_errors_plainly, show_figure, warn
from .viewer import browse

_SHOWN = 4  # thumbnails


class Denoising:
    """From images to a denoised folder; remembers what one cell finds for the next."""

    def __init__(self):
        show_errors_plainly()
        self.form = self.images = self.truth = self.denoiser = self.scores = self.results = None

    def _forget(self, *names):
        """Forget what earlier cells found, so that a failure never leaves the next cells with something old."""
        for name in names:
            setattr(self, name, None)

    def ask_data(self):
        """Show the form for the images."""
        self.form = forms.ask(DenoiseSettings, "data")

    def check_data(self):
        """Read the form, fetch the images, say what they are, and show some.

        Raises
        ------
        UserError
            When something must change first.
        """
        self._require("form", "section 2")
        self._forget("images", "truth")
        wanted = self.form.settings()
        images, truth = (wanted.images, wanted.truth) if wanted.images else _sample(wanted.sample)
        found = data_check.check_images(_fetch(images), _fetch(truth), wanted.axes)
        found.require_ok()
        self.images, self.truth = images, truth
        for finding in found.findings:
            (say if finding.severity == data_check.NOTE else warn)(escape(str(finding)))
        first = found.images[0]
        say(f"{len(found.images)} images; {escape(first.path.name)} is {escape(first.describe())}, axes {first.axes}.")
        show_figure(plots.side_by_side(_thumbnails(found.images), size=2.6, own_scale=True))

    def ask_settings(self):
        """Show the form for the training, with values suggested from the images."""
        from ..data.images import open_images
        from ..learning import device
        from ..models.denoise_suggestions import suggest

        self._require("images", "section 2")
        images = open_images(drive.bring(self.images), self.form.settings().axes)
        self.form = forms.ask(DenoiseSettings, "training", suggest(self.form.settings(), images, device.has_gpu()))

    def train(self):
        """Train; the stop button of the notebook ends the training early and keeps the best weights."""
        from ..models.denoise_training import train_denoiser
        from ..models.run_folder import RunFolder

        self._require("images", "section 2")
        self._forget("denoiser", "scores", "results")
        settings = self.form.settings()
        wanted = Path(settings.run).expanduser()
        run = RunFolder(wanted if wanted.is_absolute() else runtime.output_root() / wanted)
        if run.taken():
            run, taken = run.free_name(), run
            say(
                f"{escape(str(taken.path))} holds an earlier run, and is kept: this one goes to <b>{run.path.name}</b>."
            )
        settings = settings.replace(images=self.images, truth=self.truth, run=str(run.path))
        self.form.remember()
        self.denoiser = train_denoiser(settings, progress.watcher())
        say(f"The model is in {escape(str(run.path))}.")

    def judge(self):
        """Show noisy, denoised and, if there is one, the truth; with scores."""
        from ..models.denoise_report import example_figures, judge_denoiser

        self._require("denoiser", "section 4")
        if self.denoiser.settings.truth:
            update = progress.bar("Quality control")
            self.scores = judge_denoiser(self.denoiser, update)
            update.close(f"{len(self.scores['per_image'])} images judged")
            say(_scores_in_words(self.scores))
        else:
            say("You gave no clean images, so there are no scores. Look closely: is noise gone, and is structure kept?")
        for number in range(min(2, len(list_images(self.denoiser.settings.images)))):
            for words, figure in example_figures(self.denoiser, number).items():
                say(escape(words))
                show_figure(figure)

    def preview(self):
        """Show a viewer that denoises the piece of an image that is looked at."""
        from IPython.display import display

        from .preview import preview

        self._require("denoiser", "section 4")
        display(preview(self.denoiser, _fetch(self.images)))

    def ask_result(self):
        """Show the form for the results."""
        self._require("denoiser", "section 4")
        self.form = forms.ask(DenoiseSettings, "result")

    def predict(self, images=None):
        """Denoise all images, file by file, into the run folder; what is there already is kept.

        Parameters
        ----------
        images : path, optional
            Another folder than the one trained on.
        """
        self._require("denoiser", "section 4")
        source = _fetch(images or self.images)
        wanted = self.form.settings()
        dtype = wanted.dtype
        self.denoiser.settings = self.denoiser.settings.replace(orientations=wanted.orientations)
        folder = _result_folder(self.denoiser.run.path, source, dtype, wanted.orientations)
        self.results = (source, folder)
        for words in self.denoiser.doubts(source):
            warn(escape(words))
        update = progress.bar("Denoising")
        files = self.denoiser.predict_folder(source, folder, dtype=dtype, on_progress=update, keep_existing=True)
        update.close(f"{len(files)} images are in {folder}")

    def browse(self):
        """Show a viewer of noisy and denoised images."""
        from IPython.display import display

        self._require("results", "section 6")
        source, folder = self.results
        display(browse({"noisy": source, "denoised": folder}, self.denoiser.open))

    def report(self):
        """Write the report into the run folder."""
        from ..models.denoise_report import write_denoise_report

        self._require("denoiser", "section 4")
        path = write_denoise_report(self.denoiser, self.scores)
        say(f"The report is {escape(str(path))}. Everything of this run is in {escape(str(path.parent))}.")

    def download(self):
        """In Colab, download the run folder as a zip; elsewhere say where it is."""
        self._require("denoiser", "section 4")
        folder = self.denoiser.run.path
        if runtime.place() != "colab":
            say(f"Your model, results and report are in {escape(str(folder))}.")
            return
        from google.colab import files

        archive = Path(tempfile.mkdtemp()) / folder.name
        files.download(shutil.make_archive(str(archive), "zip", folder))

    def _require(self, what, where):
        if getattr(self, what) is None:
            raise UserError(f"This step needs an earlier one: run the cells of {where} first")


def _thumbnails(images):
    """The middle planes of the first images, all channels of each."""
    planes = {}
    for image in images[:_SHOWN]:
        for c, name in enumerate(image.channel_names):
            title = image.path.name + (f", {name}" if image.size["C"] > 1 else "")
            planes[title] = np.asarray(plots.thumbnail(image.plane(image.planes // 2)[..., c]))
    return dict(list(planes.items())[:_SHOWN])


def _sample(name):
    """The folders of noisy and of clean images (if there are any) of a sample, made or downloaded if need be."""
    folder = Path.cwd() / "n2seg_sample" / name
    if name in DESCRIPTIONS:
        if not folder.exists():
            say(f"Downloading {escape(DESCRIPTIONS[name])} ...")
            write_public_set(name, folder)
        say(f"You named no folder, so these are <b>{escape(DESCRIPTIONS[name])}</b>, in {escape(str(folder))}.")
        return str(folder / "images"), ""
    sample_folder(folder, name)
    say(f"You named no folder, so this is the <b>built-in sample</b>, synthetic {name} in {escape(str(folder))}.")
    return str(folder / "images"), str(folder / "clean")


def _result_folder(run, source, dtype, orientations):
    """The folder for the results of these very files: the one an earlier call began, else a new one."""
    files = {p.name: [p.stat().st_size, p.stat().st_mtime_ns] for p in list_images(source)}
    made_from = json.dumps({"images": str(source), "dtype": dtype, "orientations": orientations, "files": files})
    number, folder = 1, run / "denoised"
    while folder.exists():
        note = folder / "made_from.json"
        if note.exists() and note.read_text(encoding="utf-8") == made_from:
            return folder
        number += 1
        folder = run / f"denoised_{number}"
    write_text(folder / "made_from.json", made_from)
    return folder


def _fetch(path):
    """The images of a folder on local disk: copied from Drive, with progress, if they are there."""
    if not path or not drive.on_drive(path):
        return path
    if not drive.HOME.exists():
        runtime.mount_drive()
    update = progress.bar("Copying from Drive")
    local = drive.bring(path, update)
    update.close("your images are on the local disk")
    return local


def _scores_in_words(scores):
    rows = []
    for name, better, digits in (("ssim", "higher", 3), ("nrmse", "lower", 4), ("psnr", "higher", 2)):
        found = scores[name]
        numbers = [found["raw"], found["prediction"], found["gain"]]
        cells = "".join(f"<td style='text-align:right;padding:0 1em'>{n:.{digits}f}</td>" for n in numbers)
        rows.append(f"<tr><td>{name.upper()} ({better} is better)</td>{cells}</tr>")
    head = "<tr><th></th><th>noisy</th><th>denoised</th><th>change</th></tr>"
    return f"Mean over {len(scores['per_image'])} images with truth:<table>{head}{''.join(rows)}</table>"
