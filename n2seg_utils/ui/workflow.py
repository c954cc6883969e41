"""What the steps of all notebooks share: each cell calls one method, and finds what earlier ones left."""

import shutil
import tempfile
from html import escape
from pathlib import Path

from ..data import drive, results
from ..data.files import at_home
from ..data.findings import NOTE
from ..data.public_sets import DESCRIPTIONS, write_public_set
from ..data.samples import sample_folder
from ..errors import UserError
from ..words import counted
from . import forms, progress, runtime
from .boxes import say, show_errors_plainly, warn

_ANEW = "To begin anew, enter another run folder."


class Workflow:
    """From images to a folder of results; remembers what one cell finds for the next."""

    settings_class = None
    applied = "Applying"  # what the model does, as the title of a bar
    folder = "results"  # of the results, in the run folder

    def __init__(self):
        show_errors_plainly()
        self.form = self.images = self.model = self.scores = self.results = self.blind = None
        self.warnings = []

    def ask_data(self):
        """Show the form for the images."""
        self.form = forms.ask(self.settings_class, "data")

    def ask_result(self):
        """Show the form for the results."""
        self.require("model", "section 4")
        self.form = forms.ask(self.settings_class, "result")

    def browse(self):
        """Show a viewer of images and results."""
        from IPython.display import display

        self.require("results", "section 6")
        display(self.viewer(*self.results))

    def viewer(self, source, folder):
        """The viewer of images and results."""
        raise NotImplementedError

    def download(self):
        """In Colab, download the run folder as a zip; elsewhere say where it is."""
        self.require("model", "section 4")
        hand_over(self.model.run.path, "Your model, results and report are")

    def forget(self, *names):
        """Forget what earlier cells found, so that a failure never leaves the next cells with something old."""
        for name in names:
            setattr(self, name, None)

    def require(self, what, where):
        """Raise a UserError unless an earlier step has left something."""
        if getattr(self, what) is None:
            raise UserError(f"This step needs an earlier one: run the cells of {where} first")

    def trained(self, make, on_tuning=None, **more):
        """Train as was entered, or go on with such a training if it was stopped; returns the model.

        Parameters
        ----------
        make : callable
            ``make(settings)`` is the work, which ``train(watcher, on_tuning)``.
        on_tuning : callable, optional
        **more
            Settings that other cells have found.
        """
        from ..models.past import Past
        from ..models.resume import resume

        settings = self.form.settings()
        settings = settings.replace(run=str(under_root(settings.run)), **more)
        self.form.remember()
        past = Past.like(settings)
        if past:
            say(f"{escape(str(past.run))} {past.describe()}, and goes on from there. {_ANEW}")
            model = resume(past, progress.watcher(), on_tuning)
        else:
            run = free_folder(settings.run)
            model = make(settings.replace(run=str(run))).train(progress.watcher(), on_tuning)
        model.run.note(warnings=self.warnings)
        say(f"The model is in {escape(str(model.run))}.")
        return model

    def mention_stopped(self):
        """Say so if a training was stopped in the run folder, or in one that was numbered after it."""
        from ..models.past import Past
        from ..models.run_folder import RunFolder

        runs = RunFolder(under_root(self.form.settings().run)).and_numbered()
        for past in filter(None, map(Past.of, runs)):
            say(
                f"The training in <b>{escape(str(past.run))}</b> {past.describe()}. With the same settings, the next "
                f"cell goes on with it. {_ANEW}"
            )

    def apply(self, images, made_with, **options):
        """Apply the model to images, file by file, into the run folder; what is there already is kept.

        Parameters
        ----------
        images : path or None
            Another folder than the one trained on.
        made_with : dict
            What was chosen for the results: other choices go into another folder.
        **options
            For the model's ``predict_folder``.

        Returns
        -------
        source, folder : path
        """
        source = fetch(images or self.images)
        facts = self.model.run.facts()
        made_with = {"trained": facts.get("ended"), "rule": facts.get("rule"), **made_with}
        folder = _result_folder(self.model.run.path, self.folder, source, made_with)
        self.results = (source, folder)
        for words in self.model.doubts(source):
            warn(escape(words))
        update = progress.bar(self.applied)
        files = self.model.predict_folder(source, folder, on_progress=update, keep_existing=True, **options)
        update.close(f"{counted(len(files), 'result')} in {folder}")
        return source, folder


def hand_over(folder, words):
    """In Colab, download a folder as a zip; elsewhere say where what it holds is."""
    if runtime.place() != "colab":
        say(f"{words} in {escape(str(folder))}.")
        return
    from google.colab import files

    archive = Path(tempfile.mkdtemp()) / folder.name
    files.download(shutil.make_archive(str(archive), "zip", folder))


def under_root(folder):
    """Where a folder is that was entered: on Drive, in Colab, unless its whole path was given."""
    folder = at_home(folder)
    return folder if folder.is_absolute() else runtime.output_root() / folder


def free_folder(wanted):
    """A folder for new results: the one that was entered or, if there is something in it, another; says so then."""
    from ..models.run_folder import RunFolder

    run = RunFolder(under_root(wanted))
    if run.taken():
        run, taken = run.free_name(), run
        name = escape(run.path.name)
        say(f"{escape(str(taken.path))} holds an earlier run, and is kept: this one goes to <b>{name}</b>.")
    return run.path


def show_findings(found):
    """Show what a check found; raise a UserError when something must change first."""
    found.require_ok()
    for finding in found.findings:
        (say if finding.severity == NOTE else warn)(escape(str(finding)))
    first = found.images[0]
    images = counted(len(found.images), "image")
    say(f"{images}; {escape(first.path.name)} is {escape(first.describe())}, axes {first.axes}.")


def sample(name, partner):
    """The folders of the images of a sample and of their partners ("clean", "masks"; "" where there are none), made or
    downloaded if need be."""
    folder = Path.cwd() / "n2seg_sample" / name
    if name in DESCRIPTIONS:
        if not folder.exists():
            say(f"Downloading {escape(DESCRIPTIONS[name])} ...")
            write_public_set(name, folder)
        say(f"You named no folder, so these are <b>{escape(DESCRIPTIONS[name])}</b>, in {escape(str(folder))}.")
        return str(folder / "images"), str(folder / partner) if (folder / partner).is_dir() else ""
    sample_folder(folder, name)
    say(f"You named no folder, so this is the <b>built-in sample</b>, synthetic {name} in {escape(str(folder))}.")
    return str(folder / "images"), str(folder / partner)


def _result_folder(run, name, source, made_with):
    """The folder for the results of these very files: the one an earlier call began, else a new one."""
    text = results.made_from(source, made_with)
    number, folder = 1, run / name
    while folder.exists():
        if results.begun(folder, text):
            return folder
        number += 1
        folder = run / f"{name}_{number}"
    results.begin(folder, text)
    return folder


def fetch(path, bring=drive.bring):
    """The images of a folder on local disk: copied from Drive, with progress, if they are there."""
    if not path or not drive.on_drive(path):
        return path
    if not drive.HOME.exists():
        runtime.mount_drive()
    update = progress.bar("Copying from Drive")
    local = bring(path, update)
    update.close("your images are on the local disk")
    return local
