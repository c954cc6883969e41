"""The steps of notebook 3, one method a cell."""

from html import escape
from pathlib import Path

from ..data.samples import annotate_few
from ..quality import few_annotations
from ..settings import JointSettings
from ..words import counted
from . import progress
from .boxes import say, show_figure
from .links import linked
from .preview import preview_both
from .scores import scores_in_words, show_blind
from .segmenting import Segmenting
from .workflow import fetch


class Joint(Segmenting):
    """From images, some of them annotated, to denoised images, label images and counts."""

    settings_class = JointSettings
    applied, folder, kept_as = "Denoising and segmenting", "results", ("dtype",)
    joint = True

    def work(self):
        """See :meth:`Segmenting.work`."""
        from ..models.joint_training import JointWork

        return JointWork

    def when(self):
        """Show when joint training pays, and when a plain U-Net is better."""
        say(escape(few_annotations.in_words()))
        show_figure(few_annotations.when_joint_pays())

    def given(self, wanted):
        """See :meth:`Segmenting.given`; of the sample a third is annotated."""
        images, masks, _ = super().given(wanted)
        if wanted.images:
            return images, masks, wanted.truth
        clean = Path(images).with_name("clean")
        return images, str(annotate_few(Path(masks).parent)), str(clean) if clean.is_dir() else ""

    def also(self):
        """See :meth:`Segmenting.also`."""
        return {"truth": self.truth}

    def judge(self):
        """Score labels and, if there are clean images, what was denoised; show both."""
        from ..models.joint_report import denoised_figure, judge_joint

        self.require("model", "section 4")
        update = progress.bar("Quality control")
        self.scores = labels, denoised = judge_joint(self.model, update)
        update.close(f"{counted(len(labels['per_image']), 'validation image')} judged")
        if denoised:
            say(scores_in_words(denoised))
        else:
            say("You gave no clean images, so there are no scores of denoising. Is noise gone, and is structure kept?")
        words, figure = denoised_figure(self.model)
        say(escape(words))
        show_figure(figure)
        self.blind = show_blind(self.model)
        self.show_labels(labels)

    def preview(self):
        """Show a viewer that denoises and segments the piece of an image that is looked at."""
        from IPython.display import display

        self.require("model", "section 4")
        display(preview_both(self.model, fetch(self.images)))

    def report(self):
        """Write the report into the run folder."""
        from ..models.joint_report import write_joint_report

        self.require("model", "section 4")
        path = write_joint_report(self.model, self.scores, self.blind)
        say(f"The report is {linked(path)}. Everything of this run is in {escape(str(path.parent))}.")
