"""What the steps of all notebooks share: each cell calls one method, and finds what earlier ones left."""

import shutil
import tempfile
from html import escape
from pathlib import Path

import ipywidgets as widgets

from ..data import drive, results
from ..data.files import at_home, cannot_write, whole_file
from ..data.findings import NOTE
from ..data.public_sets import DESCRIPTIONS, write_public_set
from ..data.samples import sample_folder
from ..errors import UserError
from ..settings import ExportSettings
from ..words import counted
from . import forms, progress, runtime
from .boxes import say, show_errors_plainly, warn

_FOR = {
    "bioimageio": "It opens in deepImageJ, and can be uploaded to the BioImage Model Zoo (bioimage.io).",
    "savedmodel": "In Fiji: Plugins &gt; CSBDeep &gt; Run your network, without 'Normalize image'.",
    "n2v": "Unzip it: the folder in it opens in n2v, in Python and in napari.",
}
_ANEW = "To begin anew, enter another run folder."


class Workflow:
    """From images to a folder of results; remembers what one cell finds for the next."""

    settings_class = None
    applied = "Applying"  # what the model does, as the title of a bar
    folder = "results"  # of the results, in the run folder

    def __init__(self):
        show_errors_plainly()
        self.form = self.images = self.model = self.scores = self.results = self.blind = self.share_form = None
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

    def ask_share(self):
        """Show the form for the model that is handed on."""
        self.require("model", "section 4")
        self.share_form = forms.ask(ExportSettings, "share")

    def share(self):
        """Write the model, as was entered, for other software into the run folder."""
        from ..exchange.export import export, free_file

        self.require("share_form", "section 7")
        wanted = self.share_form.settings()
        if wanted.format == "none":
            say("The model is in the run folder only.")
            return
        self.share_form.remember()
        file = export(self.model, free_file(self.model.run, wanted.format), wanted)
        say(f"The model for other programs is <b>{escape(str(file))}</b>. {_FOR[wanted.format]}")
        if wanted.format == "bioimageio" and not wanted.authors:
            say("No authors are named. Before you share it, enter them above and run this cell once more.")

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
        folder = _result_folder(self.model.run.path, self.folder, source, made_with, images or self.images)
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
    try:
        archive = Path(shutil.make_archive(str(archive), "zip", folder))
    except OSError as error:
        raise cannot_write(f"{archive}.zip", error) from error
    files.download(str(archive))
    if drive.on_drive(folder):
        say(f"{words} on your Drive too, in {escape(str(folder))}.")
    else:
        _offer_drive(archive)


def _offer_drive(archive):
    """A button that copies a file to Google Drive: Colab forgets the file itself when the session ends."""
    from IPython.display import display

    button = widgets.Button(description="Copy the zip to my Google Drive", layout=widgets.Layout(width="auto"))

    def copy(_):
        button.disabled, button.description = True, "Copying ..."
        try:
            button.description = f"Copied to {keep_on_drive(archive)}"
        except UserError as error:
            button.disabled, button.description = False, f"{error}. Try again"

    button.on_click(copy)
    display(button)


def keep_on_drive(archive):
    """Copy a file to Google Drive, which is connected if need be; returns where it is."""
    runtime.mount_drive()
    if not drive.HOME.exists():
        raise UserError("Google Drive is not connected. Run the cell that connects it")
    target, number = runtime.output_root() / archive.name, 1
    while target.exists():
        number += 1
        target = target.with_name(f"{archive.stem}_{number}{archive.suffix}")
    with whole_file(target) as temporary:
        shutil.copyfile(archive, temporary)
    return target


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


def _result_folder(run, name, source, made_with, called):
    """The folder for the results of these very files: the one an earlier call began, else a new one."""
    text = results.made_from(source, made_with, called)
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
        return path and bring(path)
    if not drive.HOME.exists():
        runtime.mount_drive()
    update = progress.bar("Copying from Drive")
    local = bring(path, update)
    update.close("your images are on the local disk")
    return local
