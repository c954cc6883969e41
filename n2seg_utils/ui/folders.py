"""Choose a folder by looking through what is there, or bring files along, in place of typing a path."""

import contextlib
from html import escape
from pathlib import Path

import ipywidgets as widgets

from ..data import drive
from ..data.files import at_home, is_image, natural_order, whole_file
from ..errors import UserError
from ..words import counted, unwrapped
from . import runtime

_WIDE = {"width": "600px"}
_MOST = 1000  # folders that are listed
_LARGE = 10  # megabytes that browsers and servers pass on without fuss


class FolderChooser:
    """A button that opens a list of folders to go through, and an upload.

    Parameters
    ----------
    name : str
        What is to be chosen, such as "images": what is uploaded goes into a folder of that name.
    entered : callable
        ``entered()`` gives the path that is in the field, or "".
    enter : callable
        ``enter(path)`` puts one in.
    margin : str
        Room to the left.

    Attributes
    ----------
    box : widgets.VBox
        The button, and what it opens.
    """

    def __init__(self, name, entered, enter, margin="0"):
        self.name, self.entered, self.enter = name, entered, enter
        self.button = widgets.ToggleButton(
            description="Choose a folder",
            icon="folder-open",
            layout={"width": "auto", "align_self": "flex-start", "margin": f"2px 0 4px {margin}"},
        )
        self.panel = widgets.VBox(layout={"display": "none", "margin": f"4px 0 8px {margin}"})
        self.box = widgets.VBox([self.button, self.panel])
        self.button.observe(lambda _: self._toggle(), "value")

    def _toggle(self):
        if self.button.value and not self.panel.children:
            self._furnish()
        if self.button.value:
            self.go(_begin(self.entered()))
        self.panel.layout.display = None if self.button.value else "none"

    def _furnish(self):
        """Make the fields, which nobody needs before the button is pressed."""
        self.where, self.note = widgets.HTML(), widgets.HTML()
        self.folders = widgets.Select(rows=8, description="Folders", layout=_WIDE, style={"description_width": "70px"})
        inside, use = (widgets.Button(description=words) for words in ("Open", "Use this folder"))
        self.open, self.use = inside, use
        self.upload = widgets.FileUpload(description="Upload files", multiple=True, layout={"width": "auto"})
        inside.on_click(lambda _: self.go(Path(self.folders.value)))
        use.on_click(lambda _: self._use(self.folders.value))
        self.upload.observe(lambda _: self._keep(), "value")
        self.panel.children = [self.where, self.folders, widgets.HBox([inside, use, self.upload]), self.note]

    def go(self, folder):
        """Show what is in a folder."""
        try:
            inside, images = _look(folder)
        except OSError as error:
            self._say(f"{folder} cannot be opened: {error.strerror}. Choose another.")
            return
        above = [("..  (one up)", str(folder.parent))] if folder.parent != folder else []
        options = [(".  (this folder)", str(folder)), *above, *((one.name, str(one)) for one in inside[:_MOST])]
        self.folders.options, self.folders.value = options, str(folder)
        more = f", and {len(inside) - _MOST:,} more folders" if len(inside) > _MOST else ""
        self.where.value = f"<b>{escape(str(folder))}</b> ({counted(images, 'image') if images else 'no images'}{more})"
        self._say("")

    def _use(self, folder):
        self.enter(folder)
        self.button.value = False

    def _keep(self):
        """Write what was uploaded into a folder of its own, beside what is there, and use that."""
        files = _uploaded(self.upload.value)
        if not files:
            return
        folder = runtime.output_root() / "uploads" / self.name
        try:
            for name, content in files:
                _write(folder, name, content)
        except UserError as error:
            self._say(str(error))
            return
        self.enter(str(folder))
        self.go(folder)
        self._say(
            f"{counted(len(files), 'file')} came. More than {_LARGE} MB at a time may get lost on the way: put large "
            "images where the notebook runs, and choose their folder."
        )

    def _say(self, words):
        self.note.value = escape(words)


def _begin(entered):
    """The folder to begin with: what was entered, else Drive or the notebook's own."""
    with contextlib.suppress(UserError, OSError):
        entered = at_home(unwrapped(entered)) if entered else None
        if entered and entered.is_dir():
            return entered.resolve()
    return drive.HOME if drive.HOME.is_dir() else Path.cwd()


def _look(folder):
    """The folders in a folder, in order, and how many images it holds."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    images = [entry for entry in entries if is_image(entry)]
    return sorted((e for e in entries if e.is_dir() and e not in images), key=natural_order), len(images)


def _uploaded(value):
    """What ipywidgets 7 (a dict) or 8 (a tuple) say was uploaded: [(name, bytes)]."""
    if isinstance(value, dict):
        return [(name, bytes(one["content"])) for name, one in value.items()]
    return [(one["name"], bytes(one["content"])) for one in value]


def _write(folder, name, content):
    """Keep a file under its name, or, where there is another one of that name, under the next free one."""
    name = Path(name.replace("\\", "/")).name
    path, number = folder / name, 1
    while path.exists() and path.read_bytes() != content:
        number += 1
        path = folder / f"{Path(name).stem}_{number}{Path(name).suffix}"
    if not path.exists():
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
