"""Forms made from settings, of core ipywidgets that versions 7.7 and 8 share."""

import json
import os
from html import escape
from pathlib import Path

import ipywidgets as widgets

from ..data.files import write_text
from ..errors import UserError
from ..knobs import PRESET, parse
from ..settings import ExportSettings
from . import runtime
from .folders import FolderChooser

_forms = {}
_DRIVE = "/content/drive/MyDrive"  # how the examples of folders begin
_LABEL = "230px"  # width of the labels


def ask(cls, section, suggestions=None):
    """Show the fields of one section of some settings, and return the form.

    The values are read when the next cell calls :meth:`Form.settings`, so that "Run all" works. Running the cell again
    keeps what was entered.

    Parameters
    ----------
    cls : type
        A subclass of Settings.
    section : str
        "data", "training", "result" or "share".
    suggestions : dict, optional
        name -> (value, reason), shown beside fields that were left open.

    Returns
    -------
    Form
    """
    if cls not in _forms:
        _forms[cls] = Form(cls)
    form = _forms[cls]
    form.suggest(suggestions or {})
    form.show(section)
    return form


class Form:
    """The fields of one settings class; what is entered lives as long as the notebook."""

    def __init__(self, cls):
        self.cls = cls
        start = cls.from_mapping(_preset(cls)).check()
        self.fields = {name: Field(cls, name, getattr(start, name)) for name in cls.knobs()}
        for field in self.fields.values():
            field.widget.observe(lambda _: self._judge(), "value")
        self.buttons = {}  # section -> "Use the values of my last run"
        # All sections at once: the form of a later cell would be a new widget around older ones, which a reloaded tab
        # may not know yet, and then it shows a "javascript error".
        self.boxes = {
            section: self._box(section) for section in dict.fromkeys(f.about.section for f in self.fields.values())
        }

    def show(self, section):
        """Display the basic fields of a section, with the advanced ones folded away below."""
        from IPython.display import display

        if section in self.buttons:
            self.buttons[section].layout.display = None if self._last() else "none"
        display(self.boxes[section])

    def _box(self, section):
        fields = [f for f in self.fields.values() if f.about.section == section]
        rows = [field.row for field in fields if not field.about.advanced]
        advanced = [field.row for field in fields if field.about.advanced]
        if advanced:
            folded = widgets.Accordion(children=[widgets.VBox(advanced)], selected_index=None)
            folded.set_title(0, "Advanced settings: the defaults are fine to begin with")
            rows.append(folded)
        if len(fields) > 1:
            button = widgets.Button(
                description="Use the values of my last run",
                layout={"width": "auto", "align_self": "flex-start"},
            )
            button.on_click(lambda _: self._fill(section))
            self.buttons[section] = button
            rows.append(button)
        return widgets.VBox(rows)

    def suggest(self, suggestions):
        """Show values chosen from the data, with the reasons."""
        for name, (value, reason) in suggestions.items():
            self.fields[name].suggest(value, reason)

    def settings(self):
        """What was entered, checked.

        Raises
        ------
        UserError
            Listing every wrong value and one that works.
        """
        values, wrong = self._read()
        if wrong:
            raise UserError("Some fields need a change:\n" + "\n".join(f"  {words}" for words in wrong.values()))
        return values

    def remember(self):
        """Keep the values, to be offered again next time."""
        try:
            write_text(self._memory(), self.settings().to_yaml())
        except UserError:
            return  # a read-only home is no reason to stop anyone

    def _read(self):
        """The settings as entered, and what is wrong with them: name -> words."""
        values, wrong = {}, {}
        for name, field in self.fields.items():
            try:
                values[name] = field.value
            except UserError as error:
                wrong[name] = str(error)
        settings = self.cls(**values)
        return settings, settings.problems() | wrong

    def _judge(self):
        _, wrong = self._read()
        for name, field in self.fields.items():
            field.complain(wrong.get(name, ""))

    def _memory(self):
        return runtime.memory_folder() / f"last_{self.cls.__name__}.yaml"

    def _last(self):
        try:
            return self.cls.load(self._memory()).check()
        except UserError:
            return None

    def _fill(self, section):
        last = self._last()
        if last is None:  # taken away meanwhile
            return
        for name, field in self.fields.items():
            if field.about.section == section:
                field.enter(getattr(last, name))


class Field:
    """One setting: its label, the widget it is entered in, its help, and what is wrong with it."""

    def __init__(self, cls, name, value):
        self.cls, self.name, self.about = cls, name, cls.knobs()[name]
        self.widget = self._widget()
        self.enter(value)
        self.message = widgets.HTML()
        self.help = widgets.HTML(layout={"margin": "0 0 0 12px", "flex": "1 1 240px", "max_width": "480px"})
        self._explain(self.about.help)
        parts = [widgets.HBox([self.widget, self.help], layout={"flex_flow": "row wrap"}), self.message]
        if self.about.example.startswith(_DRIVE):
            self.chooser = FolderChooser(name, lambda: self.widget.value, self.enter, _LABEL)
            parts.insert(1, self.chooser.box)
        self.row = widgets.VBox(parts)

    @property
    def value(self):
        """What was entered, in the type of the setting."""
        return parse(self.cls, self.name, self.widget.value)

    def enter(self, value):
        """Put a value into the field."""
        if isinstance(self.widget, widgets.Text):
            value = "" if value is None else str(value)
        self.widget.value = value

    def suggest(self, value, reason):
        """Show the value that an open field will get."""
        words = value if isinstance(value, str) else f"{value:g}"
        if isinstance(self.widget, widgets.Text):
            self.widget.placeholder = words
        self._explain(f"{self.about.help} Suggested from your data: {words}, because {reason}.", "")

    def _explain(self, words, example=None):
        example = _example(self.about) if example is None else example
        example = f" Example: {example}" if example else ""
        self.help.value = f'<div style="opacity:.75;line-height:1.35">{escape(words + example)}</div>'

    def _widget(self):
        unit = f" ({self.about.unit})" if self.about.unit else ""
        # The widget's own description is what screen readers read and what a click on it leads to.
        given = {
            "description": self.about.label + unit,
            "style": {"description_width": _LABEL},
            "layout": _fixed("530px"),
        }
        if self.about.choices:
            return widgets.Dropdown(options=list(self.about.choices), **given)
        if isinstance(getattr(self.cls, self.name), bool):
            return widgets.Checkbox(**given)
        # Numbers are entered as text: number fields of ipywidgets correct a wrong value without a word.
        default = getattr(self.cls, self.name)
        unchanged = "chosen for you" if default is None else str(default)
        return widgets.Text(placeholder=unchanged, continuous_update=False, **given)

    def complain(self, words):
        """Say below the field what is wrong with it; nothing if `words` is empty."""
        colour = "#d55e00"
        self.message.value = (
            f'<span style="color:{colour};margin-left:{_LABEL}">{escape(words)}</span>' if words else ""
        )


def _preset(cls):
    """The values that a headless run starts from, of the settings that `cls` holds."""
    text = os.environ.get(PRESET, "{}")
    try:
        given = dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise UserError(f'{PRESET} is not JSON: {text}. Write it like {{"epochs": 50}}') from error
    if cls.PREFIX:
        return {name.removeprefix(cls.PREFIX): value for name, value in given.items() if name.startswith(cls.PREFIX)}
    return {name: value for name, value in given.items() if not name.startswith(ExportSettings.PREFIX)}


def _example(about):
    """What could be entered; folders as they are called where the notebook runs."""
    if runtime.place() == "colab" or not about.example.startswith(_DRIVE):
        return about.example
    return str(Path.home() / about.example.removeprefix(f"{_DRIVE}/"))


def _fixed(width):
    """A layout that long help texts do not squeeze, so that the fields of a form stand in line."""
    return {"width": width, "flex": f"0 0 {width}"}
