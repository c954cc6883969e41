"""The steps of notebook 5, one method a cell: which method, how many annotations, for these images?"""

from html import escape
from pathlib import Path

from ..data.check import check_images
from ..data.files import list_images, make_folder, write_text
from ..data.images import open_image
from ..data.labels import bring_masks
from ..data.targets import Target
from ..errors import UserError
from ..experiments import written
from ..experiments.advice import way
from ..experiments.choice import choose, models_of
from ..experiments.file import Experiment
from ..models.run_folder import RunFolder
from ..quality import plots
from ..quality.pairs import like_labels
from ..settings import CompareSettings
from ..words import counted
from . import forms, progress
from .boards import Course, means_table, table_of_runs
from .boxes import say, show_figure, show_png, warn
from .layers import found_in
from .links import linked
from .plan_words import plan_in_words
from .segmenting import thumbnails
from .viewer import browse
from .workflow import Workflow, fetch, free_folder, hand_over, sample, show_findings, under_root

_LOG = "log.txt"
_DOES = {"denoise": "notebook 1", "segment": "notebook 2", "joint": "notebook 3"}


class Comparing(Workflow):
    """From images and masks to many trainings and one table; remembers what one cell finds for the next."""

    settings_class = CompareSettings

    def __init__(self):
        super().__init__()
        self.given = self.suggested = self.experiment = self.out = self.found = self.choice = None

    def check_data(self):
        """Read the form, fetch images and masks, say what they are, and show some, one over the other.

        Raises
        ------
        UserError
            When something must change first.
        """
        self.require("form", "section 2")
        self.forget("given", "suggested", "experiment", "out")
        wanted = self.form.settings()
        given = self._given(wanted)
        masks = fetch(given["masks"], bring_masks)
        found = check_images(
            fetch(given["images"]), fetch(given["truth"]), wanted.axes, masks or None, wanted.target, bool(masks)
        )
        show_findings(found)
        self.given = given
        annotated = 0
        if masks:
            annotated = sum(mask is not None for mask in _masks(found, masks))
            show_figure(plots.side_by_side(thumbnails(found, masks), size=2.6))
        self.suggested = self._suggest(annotated, wanted)

    def ask_settings(self):
        """Show the form for what is compared."""
        self.require("given", "section 2")
        self.form = forms.ask(CompareSettings, "training", self.suggested)

    def plan(self):
        """Write the file of the experiment, and say what it will take; nothing is trained yet.

        Raises
        ------
        UserError
            When something that was entered does not go together.
        """
        from ..experiments.report import belongs, survey

        self.require("given", "section 2")
        self.forget("experiment", "out", "found", "choice")
        wanted = self._complete(self.form.settings())
        values = written.values_of(wanted)
        asked = Experiment.of(written.FILE, values)
        here = (run.path for run in RunFolder(under_root(wanted.run)).and_numbered())
        out = next((path for path in here if (path / written.FILE).exists() and belongs(asked, path)), None)
        out = out or free_folder(wanted.run)
        plan = survey(asked, out)
        make_folder(out)
        write_text(out / written.FILE, written.text_of(values))
        self.form.remember()
        self.experiment, self.out = Experiment.load(out / written.FILE), out
        say(table_of_runs(plan["runs"]) + "<br>".join(map(escape, plan_in_words(plan, out))))
        say(f"The file of the experiment is <b>{escape(str(out / written.FILE))}</b>.")
        if all(run["state"] == "done" for run in plan["runs"]):
            say("All of this is done already, and is not done again. To do it anew, enter another folder.")

    def run(self):
        """Do all runs that are missing; the stop button of the notebook ends that, and the same cell goes on."""
        from ..experiments.images import prepare
        from ..experiments.plan import runs
        from ..experiments.running import run_missing

        self.require("experiment", "section 3")
        self.forget("found", "choice")
        course = Course(self.experiment, self.out)
        course.begin(runs(self.experiment, prepare(self.experiment, self.out)))
        stopped, failed = False, {}
        try:
            with open(self.out / _LOG, "a", encoding="utf-8") as log, progress.aside(log, course.listen):
                failed = run_missing(self.experiment, self.out, watch=course.watch)
        except KeyboardInterrupt:
            stopped = True
        course.end()
        for name, why in failed.items():
            warn(f"{escape(name)} brought no result: {escape(why)}")
        if stopped or failed:
            say("To go on, run this cell again; nothing that is done is done again. The next cells show what is there.")

    def look(self):
        """Show what came out: the sentences, the figure, the means, and one image as each method saw it."""
        from ..experiments import table
        from ..experiments.pictures import compare_labels
        from ..experiments.plan import runs
        from ..experiments.report import summarise

        self.require("experiment", "section 3")
        self.found = summarise(self.experiment, self.out)
        for words in self.found["sentences"]:
            say(f"<b>{escape(words)}</b>")
        if not self.found["done"]:
            self.found = None
            return
        if (self.out / "figure.png").exists():
            show_png(self.out / "figure.png")
        wanted = runs(self.experiment, self._known())
        some = table.groups(self.experiment, self.out, wanted)
        say(f"Means ± standard deviations over seeds:{means_table(self.found['means'], some)}")
        compared = compare_labels(self.experiment, self.out, wanted, some)
        if compared:
            say(escape(compared[0]))
            show_figure(compared[1])

    def choose(self):
        """Say which settings came out best, where they are, and how to train with them."""
        from ..experiments import table
        from ..experiments.plan import runs

        self.require("found", "section 4")
        wanted = runs(self.experiment, self._known())
        some = table.groups(self.experiment, self.out, wanted)
        self.choice = choice = choose(self.experiment, self.out, wanted, some)
        most = f" with {counted(choice.group.annotated, 'annotated image')}" if choice.group.annotated else ""
        say(f"Highest score: <b>{escape(way(choice.group))}</b>{most}.")
        for file in choice.files:
            kind = file.stem.removeprefix("best_")
            say(
                f"{escape(file.name)} holds its settings: enter them in {_DOES[kind]} to train longer, or in a shell:"
                f"<br><code>n2seg train {kind} --config {escape(str(file))} --run my_model</code>"
            )
        models = " and then ".join(escape(str(model)) for model in models_of(self.out, choice.run))
        say(f"The best of its models is there already: {models}. The next cell applies it.")

    def predict(self):
        """Apply the best model to all images."""
        from ..workflows import predict

        self.require("choice", "section 6")
        source, folder = fetch(self.given["images"]), self.out / f"results_of_{self.choice.run.name}"
        models = models_of(self.out, self.choice.run)
        two = len(models) > 1
        for number, model in enumerate(models):
            target = folder / ("denoised", "labels")[number] if two else folder
            with open(self.out / _LOG, "a", encoding="utf-8") as log:
                update = progress.bar("Applying the best model" + (f", {number + 1} of 2" if two else ""))
                with progress.aside(log, update):
                    predict(model, source, target)
                update.close(f"results in {target}")
            source = target
        self.results = (fetch(self.given["images"]), folder)

    def viewer(self, source, folder):
        """See :meth:`Workflow.viewer`."""
        several = (folder / "labels").is_dir()
        found = folder / "labels" if several else folder
        if not several and not like_labels(open_image(list_images(folder)[0])):
            return browse({"noisy": source, "denoised": folder})
        versions = {"image": source} | ({"denoised": folder / "denoised"} if several else {})
        return browse(versions, labels={"found": found_in(found, Target("instances"))}, on=list(versions)[-1])

    def report(self):
        """Say where the report is."""
        self.require("found", "section 4")
        say(
            f"The report is {linked(self.out / 'report.html')}, and report.pdf beside it. So are runs.csv, with "
            "each run, means.csv, and, in the folder runs, all models."
        )

    def download(self):
        """In Colab, download everything as a zip; elsewhere say where it is."""
        self.require("out", "section 3")
        hand_over(self.out, "The experiment, all its models and the report are")

    def _given(self, wanted):
        """The folders that were entered, else those of the sample."""
        if not (wanted.images or wanted.masks or wanted.truth):
            images, masks = sample("nuclei", "masks")
            return {"images": images, "masks": masks, "truth": str(Path(masks).with_name("clean"))}
        if not wanted.images:
            raise UserError("Name the folder of the images, too")
        if not (wanted.masks or wanted.truth):
            raise UserError("Name the folder of the masks, or of clean images: without either nothing can be judged")
        return {"images": wanted.images, "masks": wanted.masks, "truth": wanted.truth}

    def _suggest(self, annotated, wanted):
        from ..learning import device

        return written.suggest(annotated, wanted.held_out, not wanted.images, device.has_gpu())

    def _complete(self, wanted):
        """What was entered; of fields that were left open, what was suggested."""
        open_ = {name: value for name, (value, _) in self.suggested.items() if getattr(wanted, name) in (None, "")}
        if wanted.steps:
            open_.pop("minutes", None)
        if not self.given["masks"] and set(wanted.methods) != {"denoise"}:
            raise UserError("Without masks only Noise2Void can be compared: tick it in the advanced settings, alone")
        return wanted.replace(**self.given, **open_)

    def _known(self):
        from ..experiments.images import look

        return look(self.experiment, self.out)


def _masks(found, masks):
    from ..data.labels import open_masks

    return open_masks(masks, found.images)[0]
