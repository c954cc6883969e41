"""The steps of notebook 2, one method a cell."""

from html import escape
from pathlib import Path

import numpy as np

from ..data import drive
from ..data.check import check_images
from ..data.files import stem
from ..data.labels import bring_masks
from ..quality import plots
from ..settings import SegmentSettings
from ..words import counted
from . import forms, progress
from .boxes import say, show_figure
from .label_grid import LabelGrid
from .label_viewer import browse_results, explore
from .links import linked
from .scores import labels_in_words
from .workflow import Workflow, fetch, free_folder, sample, show_findings

_SHOWN = 4  # thumbnails
_SPECKS = 10  # pixels: smaller ones are hardly objects


class Segmenting(Workflow):
    """From images and masks to label images and counts; remembers what one cell finds for the next."""

    settings_class = SegmentSettings
    applied, folder = "Segmenting", "labels"
    kept_as = ()  # what else is asked of the results
    joint = False  # whether images are denoised too

    def __init__(self):
        super().__init__()
        self.masks = self.truth = self.target = self.grid = None

    def work(self):
        """The kind of training, loaded late because it loads TensorFlow."""
        from ..models.label_kinds import work_for

        return work_for(self.form.settings())

    def also(self):
        """What else is known of the data when the training begins: setting -> value."""
        return {}

    def given(self, wanted):
        """The images, the masks, and the clean images if there are any, that were entered; else of the sample."""
        from ..models.annotated_data import require_both
        from ..models.guesses import unlabelled

        if not (wanted.images or wanted.masks):
            images, masks = sample(wanted.sample, "masks")
            return images, "" if unlabelled(wanted) else masks, ""
        require_both(wanted)
        return wanted.images, wanted.masks, ""

    def masks_of(self, wanted, images, masks):
        """Where the masks are on local disk; of images without labels, a first guess."""
        from ..models.guesses import mask_folder

        return mask_folder(wanted.replace(images=images, masks=masks), lambda folder: fetch(folder, bring_masks))

    def check_data(self):
        """Read the form, fetch images and masks, say what they are, and show some, one over the other.

        Raises
        ------
        UserError
            When something must change first.
        """
        self.require("form", "section 2")
        self.forget("images", "masks", "target", "truth")
        wanted = self.form.settings()
        images, masks, truth = self.given(wanted)
        brought = self.masks_of(wanted, images, masks)
        one_class = getattr(wanted, "labels", "good") == "noisy"  # whatever numbers the masks have
        kind = "binary" if one_class else wanted.target
        found = check_images(fetch(images), fetch(truth), wanted.axes, brought, kind, self.joint)
        show_findings(found)
        self.warnings = found.warnings
        self.images, self.masks, self.truth, self.target = images, masks, truth, found.target
        show_figure(plots.side_by_side(thumbnails(found, brought), size=2.6))

    def ask_settings(self):
        """Show the form for the training, with values suggested from the images."""
        from ..learning import device

        self.require("images", "section 2")
        settings, work = self.form.settings().replace(images=self.images, masks=self.masks), self.work()
        images, _ = work.open(settings)
        suggested = work.suggest(settings, images, self.target, device.has_gpu())
        self.form = forms.ask(self.settings_class, "training", suggested)
        self.mention_stopped()

    def show_patches(self):
        """Show some patches as training sees them: deformed and recoloured, with what is drawn on them."""
        from ..data.normalisation import fit_percentiles
        from ..learning import device
        from ..models.annotated_data import varied_patches

        self.require("images", "section 2")
        settings, work = self.form.settings().replace(images=self.images, masks=self.masks), self.work()
        images, _ = work.open(settings)
        settings = work.settle(settings, images, self.target, device.has_gpu())
        scaling = fit_percentiles(images, settings.normalisation)
        patches = varied_patches(settings, self.target, scaling, work.varied(settings, images))
        show_figure(plots.side_by_side(patches, size=2.4))

    def train(self):
        """Train; the stop button of the notebook ends the training early and keeps the best weights."""
        from ..models.segment_report import about_start

        self.require("images", "section 2")
        self.forget("model", "scores", "results", "blind")
        tuning = _Later("Tuning on the validation images")
        self.model = self.trained(self.work(), tuning, images=self.images, masks=self.masks, **self.also())
        tuning.close(self.model.stored.describe())
        start = self.model.run.facts().get("start")
        if start:
            say(escape(about_start(start)))

    def judge(self):
        """Score the validation images, and show what was drawn and what is found."""
        from ..models.segment_report import judge_segmenter

        self.require("model", "section 4")
        update = progress.bar("Quality control")
        self.scores = judge_segmenter(self.model, update)
        update.close(f"{counted(len(self.scores['per_image']), 'validation image')} judged")
        self.show_labels(self.scores)

    def show_labels(self, scores):
        """Show how good labels are, in numbers and pictures."""
        from ..models.segment_report import about_labels, example_figure, judged_on, tuning_curve, validation_images
        from ..models.tuning import about_tuning

        more = [judged_on(self.model), *about_labels(self.model.run.facts())]
        say(labels_in_words(scores, "validation image") + escape(" ".join(more)))
        for number in range(min(2, len(validation_images(self.model)))):
            words, figure = example_figure(self.model, number)
            say(escape(words))
            show_figure(figure)
        curve = tuning_curve(self.model)
        if curve:
            say(escape(about_tuning(self.model)))
            show_figure(plots.threshold_curve(curve, self.model.stored.threshold))

    def explore(self):
        """Show a viewer in which other thresholds can be tried; nothing is changed by it."""
        from IPython.display import display

        self.require("model", "section 4")
        display(explore(self.model, fetch(self.images)))

    def predict(self, images=None):
        """Segment all images, file by file, into the run folder, and measure the objects.

        Parameters
        ----------
        images : path, optional
            Another folder than the one trained on.
        """
        from ..models.segment_report import write_measurements, write_supervisely

        self.require("model", "section 4")
        wanted, tuned = self.form.settings(), self.model.settings
        chosen = {name: getattr(wanted, name) for name in ("threshold", "min_size", "orientations")}
        more = {name: getattr(wanted, name) for name in self.kept_as}
        self.model.settings = tuned.replace(**chosen)
        if self.model.rule != self.model.stored:
            rule = escape(self.model.rule.describe())
            say(f"With your own numbers: {rule}. The tuned ones are kept in the run folder.")
        try:
            made_with = chosen | more | {"outlines": wanted.outlines}
            source, folder = self.apply(images, made_with, outlines=wanted.outlines == "imagej", **more)
        finally:
            self.model.settings = tuned  # what the report and further judging go by
        labels = self.model.target_file(folder, source).parent
        if wanted.outlines == "supervisely" and not (labels / "supervisely").exists():
            write_supervisely(self.model, labels, source)
        counts = write_measurements(self.model, labels, source)
        say(_counts_in_words(counts, labels))

    def choose_labels(self):
        """Show what was found in images without a mask, to tick what is right: those are masks, too."""
        from IPython.display import display

        from ..models.kept_labels import without_mask
        from .label_pictures import label_picture

        self.require("results", "section 6")
        self.grid = None
        if self.model.settings.labels != "good":
            say("This is for masks that were drawn with care (labels: good), so there is nothing to choose.")
            return
        images = {stem(image.path): image for image in without_mask(self.model)}
        images = {name: image for name, image in images.items() if self._result(image).exists()}
        if not images:
            say("Every image that was segmented has a mask already, so there is nothing to choose.")
            return
        self.grid = LabelGrid(
            list(images), lambda name: label_picture(images[name], self._result(images[name]), self.model)
        )
        display(self.grid.box)

    def train_on(self):
        """Train the model further with the labels that were ticked; a new run, and from now on the model in use."""
        from ..models.kept_labels import KeptWork, go_on_settings, keep

        self.require("results", "section 6")
        if not (self.grid and self.grid.kept):
            say("Nothing was ticked, so the model stays as it is.")
            return
        run = free_folder(self.model.settings.run)
        masks = keep(self.model, self.results[1], self.grid.kept, run.parent / f"{run.name}_masks")
        say(f"{counted(len(self.grid.kept), 'image')} more to learn from; all masks are in {escape(str(masks))}.")
        settings, tuning = go_on_settings(self.model, masks, run), _Later("Tuning on the validation images")
        model = KeptWork(settings).train(progress.watcher(), tuning)
        tuning.close(model.stored.describe())
        model.run.note(warnings=self.warnings, kept=self.grid.kept)
        self.forget("results", "scores", "grid")
        self.model, self.masks = model, str(masks)
        self.judge()
        say(f"The better trained model is in {escape(str(run))}. To apply it, run the cells of section 6 again.")

    def _result(self, image):
        return self.model.target_file(self.results[1], image.path)

    def viewer(self, source, folder):
        """See :meth:`Workflow.viewer`."""
        if Path(source) != Path(drive.bring(self.images)):  # what was drawn is of other images
            return browse_results(source, folder, self.model)
        truth = drive.bring(self.truth) if self.truth else None
        return browse_results(source, folder, self.model, bring_masks(self.masks), truth)

    def report(self):
        """Write the report into the run folder."""
        from ..models.segment_report import write_segment_report

        self.require("model", "section 4")
        path = write_segment_report(self.model, self.scores)
        say(f"The report is {linked(path)}. Everything of this run is in {escape(str(path.parent))}.")


class _Later:
    """A bar that appears when it is first moved: below the training that comes before."""

    def __init__(self, title):
        self.title, self.bar = title, None

    def __call__(self, share, words=""):
        self.bar = self.bar or progress.bar(self.title)
        self.bar(share, words)

    def close(self, words):
        if self.bar:
            self.bar.close(words)


def thumbnails(found, masks):
    """The middle planes of the first images with masks, what is drawn painted on them."""
    from ..data.labels import open_masks
    from ..quality.painting import painted

    planes, opened = {}, open_masks(masks, found.images)[0]
    for image, mask in zip(found.images, opened):
        if mask is not None and len(planes) < _SHOWN:
            middle = image.planes // 2
            grey = np.asarray(plots.thumbnail(image.plane(middle)[..., 0]), "float32")
            labels = plots.thumbnail(found.target.encode(mask.plane(middle)))
            planes[image.path.name] = painted(grey, labels, found.target.kind != "instances")
    return planes


def _counts_in_words(counts, folder):
    total, most = sum(row["objects"] for row in counts), 10
    rows = [
        f"<tr><td>{escape(row['image'])}</td><td style='text-align:right;padding:0 1em'>{row['objects']}</td>"
        f"<td style='text-align:right'>{row['median_pixels']}</td></tr>"
        for row in counts[:most]
    ]
    more = f"<tr><td>and {len(counts) - most} more</td></tr>" if len(counts) > most else ""
    specks = [row for row in counts if row["objects"] and float(row["median_pixels"]) < _SPECKS]
    dust = (
        f"In {counted(len(specks), 'image')}, half of the objects have fewer than {_SPECKS} pixels: these are specks, "
        "and no objects. Enter a larger <b>Smallest object</b> above, in the advanced settings, or train longer."
    )
    head = "<tr><th></th><th>objects</th><th>median size (pixels)</th></tr>"
    return (
        f"{counted(total, 'object')}. Each is measured in {escape(str(folder / 'objects.csv'))}, each image in "
        f"counts.csv beside it.<table>{head}{''.join(rows)}{more}</table>{dust if specks else ''}"
    )
