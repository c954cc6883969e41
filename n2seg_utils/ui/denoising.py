"""The steps of notebook 1, one method a cell."""

from html import escape
from pathlib import Path

import numpy as np

from ..data import drive
from ..data.check import check_images
from ..data.files import list_images
from ..quality import plots
from ..settings import DenoiseSettings
from ..words import counted
from . import forms, progress
from .boxes import say, show_figure
from .links import linked
from .scores import scores_in_words, show_blind
from .viewer import browse
from .workflow import Workflow, fetch, sample, show_findings

_SHOWN = 4  # thumbnails


class Denoising(Workflow):
    """From images to a denoised folder; remembers what one cell finds for the next."""

    settings_class = DenoiseSettings
    applied, folder = "Denoising", "denoised"

    def __init__(self):
        super().__init__()
        self.truth = None

    def check_data(self):
        """Read the form, fetch the images, say what they are, and show some.

        Raises
        ------
        UserError
            When something must change first.
        """
        self.require("form", "section 2")
        self.forget("images", "truth")
        wanted = self.form.settings()
        images, truth = (wanted.images, wanted.truth) if wanted.images else sample(wanted.sample, "clean")
        found = check_images(fetch(images), fetch(truth), wanted.axes)
        show_findings(found)
        self.warnings = found.warnings
        self.images, self.truth = images, truth
        show_figure(plots.side_by_side(_thumbnails(found.images), size=2.6, own_scale=True))

    def ask_settings(self):
        """Show the form for the training, with values suggested from the images."""
        from ..data.images import open_images
        from ..learning import device
        from ..models.denoise_suggestions import suggest

        self.require("images", "section 2")
        images = open_images(drive.bring(self.images), self.form.settings().axes)
        self.form = forms.ask(DenoiseSettings, "training", suggest(self.form.settings(), images, device.has_gpu()))
        self.mention_stopped()

    def train(self):
        """Train; the stop button of the notebook ends the training early and keeps the best weights."""
        from ..models.denoise_training import DenoiseWork

        self.require("images", "section 2")
        self.forget("model", "scores", "results", "blind")
        self.model = self.trained(DenoiseWork, images=self.images, truth=self.truth)

    def judge(self):
        """Show noisy, denoised and, if there is one, the truth; with scores."""
        from ..models.denoise_report import example_figures, judge_denoiser

        self.require("model", "section 4")
        if self.model.settings.truth:
            update = progress.bar("Quality control")
            self.scores = judge_denoiser(self.model, update)
            update.close(f"{counted(len(self.scores['per_image']), 'image')} judged")
            say(scores_in_words(self.scores))
        else:
            say("You gave no clean images, so there are no scores. Look closely: is noise gone, and is structure kept?")
        for number in range(min(2, len(list_images(self.model.settings.images)))):
            for words, figure in example_figures(self.model, number).items():
                say(escape(words))
                show_figure(figure)
        self.blind = show_blind(self.model)

    def preview(self):
        """Show a viewer that denoises the piece of an image that is looked at."""
        from IPython.display import display

        from .preview import preview

        self.require("model", "section 4")
        display(preview(self.model, fetch(self.images)))

    def predict(self, images=None):
        """Denoise all images, file by file, into the run folder; what is there already is kept.

        Parameters
        ----------
        images : path, optional
            Another folder than the one trained on.
        """
        self.require("model", "section 4")
        wanted = self.form.settings()
        self.model.settings = self.model.settings.replace(orientations=wanted.orientations)
        self.apply(images, {"dtype": wanted.dtype, "orientations": wanted.orientations}, dtype=wanted.dtype)

    def viewer(self, source, folder):
        """See :meth:`Workflow.viewer`."""
        versions = {"noisy": source, "denoised": folder}
        if self.truth and Path(source) == Path(drive.bring(self.images)):
            versions["truth"] = drive.bring(self.truth)
        return browse(versions, self.model.open)

    def report(self):
        """Write the report into the run folder."""
        from ..models.denoise_report import write_denoise_report

        self.require("model", "section 4")
        path = write_denoise_report(self.model, self.scores, self.blind)
        say(f"The report is {linked(path)}. Everything of this run is in {escape(str(path.parent))}.")


def _thumbnails(images):
    """The middle planes of the first images, all channels of each."""
    planes = {}
    for image in images[:_SHOWN]:
        for c, name in enumerate(image.channel_names):
            title = image.path.name + (f", {name}" if image.size["C"] > 1 else "")
            planes[title] = np.asarray(plots.thumbnail(image.plane(image.planes // 2)[..., c]))
    return dict(list(planes.items())[:_SHOWN])
