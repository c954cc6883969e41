"""What a setting is: its words and range, how it is read from text and YAML, and what is said of a wrong value."""

import dataclasses
import difflib
import functools
import math
import re
import typing
from dataclasses import dataclass, field

import yaml

from .about import VERSION
from .errors import UserError
from .words import unwrapped

# Environment variable with settings as JSON, which the forms of a notebook that is run headless start from.
PRESET = "N2SEG_SET"
_WRITTEN_BY = "# Settings of n2seg-utils "
_LARGEST_FILE = 100_000  # letters in a settings file; ours have some 6,000


@dataclass(frozen=True)
class Knob:
    """What is known of a setting beside its name, type and default.

    Attributes
    ----------
    label, help : str
        Words for the form; the help is one sentence that a biologist understands.
    section : str
        "data", "training", "result" or "share": where notebooks ask for it.
    advanced : bool
        Folded away in forms.
    low, high : float or None
        Smallest and largest value.
    multiple : int
        Whole numbers must be multiples of this.
    choices : tuple of str
        The only values allowed, if any.
    unit, example : str
        Shown beside the field.
    """

    label: str
    help: str
    section: str
    advanced: bool = False
    low: float | None = None
    high: float | None = None
    multiple: int = 1
    choices: tuple = ()
    unit: str = ""
    example: str = ""


def knob(default, label, help, section, **more):
    """A dataclass field that carries a :class:`Knob`."""
    return field(default=default, metadata={"knob": Knob(label, help, section, **more)})


# What reading YAML raises for files that are none, or whose tags and values do not go together.
_NO_SETTINGS = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


class _AsTyped(yaml.SafeLoader):
    """Leaves what is typed in a YAML file as text: YAML itself reads the folder 0123 as 83, and yes as true."""

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def construct_mapping(self, node, deep=False):
        names = [name.value for name, _ in node.value if isinstance(name.value, str)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:  # YAML itself would take the last
            raise UserError(f"{twice[0]} is there twice. Remove one")
        return super().construct_mapping(node, deep)

    def compose_node(self, parent, index):
        """No settings need references, by which a few lines can stand for more text than fits into memory."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference to another value")
        return super().compose_node(parent, index)


_AsTyped.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("(~|null|)$"), ["~", "n", ""])


@dataclass
class Settings:
    """Base of all settings: checking, reading and writing."""

    FIRST: typing.ClassVar = ()  # names to show before the others
    PREFIX: typing.ClassVar = ""  # of the names in a preset

    def __post_init__(self):
        for name in self.knobs():
            setattr(self, name, parse(type(self), name, getattr(self, name)))

    @classmethod
    def knobs(cls):
        """Name -> Knob, in the order in which they are shown."""
        found = {f.name: f.metadata["knob"] for f in dataclasses.fields(cls)}
        return {name: found[name] for name in cls.FIRST} | found

    @classmethod
    def from_mapping(cls, values):
        """Settings from names and values, which may be text as typed.

        Raises
        ------
        UserError
            For unknown names (with the nearest known one) and values of the wrong kind.
        """
        known = cls.knobs()
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name).lower(), known, 1)
                hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}"
                raise UserError(f"There is no setting '{_short(name, _NAME)}': {hint}")
        return cls(**values)

    @classmethod
    def load(cls, path):
        """Settings from a YAML file, for example a run's ``settings.yaml``."""
        values, newer = read_values(path), _written_by(path)
        unknown = [name for name in values if name not in cls.knobs()]
        if unknown and newer:
            raise UserError(
                f"{path} was written by n2seg-utils {newer}; this is {VERSION}, which knows no setting "
                f"'{_short(unknown[0])}'. Update n2seg-utils, or remove that line"
            )
        try:
            return cls.from_mapping(values)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def to_dict(self):
        """Name -> value."""
        return dataclasses.asdict(self)

    def to_yaml(self):
        """The settings as commented YAML; :meth:`load` reads it back."""
        lines = [_WRITTEN_BY + VERSION]
        for name, about in self.knobs().items():
            value = yaml.safe_dump({name: getattr(self, name)}, allow_unicode=True, width=1000).strip()
            lines += [f"# {about.help}", value]
        return "\n".join(lines) + "\n"

    def replace(self, **changes):
        """A copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def problems(self):
        """What is wrong with the values: name -> a sentence with the value that would work."""
        found = {name: problem(about, name, getattr(self, name)) for name, about in self.knobs().items()}
        return {name: words for name, words in found.items() if words}

    def check(self):
        """Raise a UserError that lists all problems, if there are any; else return self."""
        found = self.problems()
        if found:
            raise UserError("Some settings need a change:\n" + "\n".join(f"  {words}" for words in found.values()))
        return self


def read_values(path):
    """The names and values in a settings file, as they were typed.

    Raises
    ------
    UserError
        When it cannot be read, or is no settings file.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST_FILE + 1)
        if len(text) > _LARGEST_FILE:
            raise ValueError("larger than settings are")
        values = yaml.load(text, _AsTyped)
        if not isinstance(values, dict | None):
            raise ValueError(values)
        return values or {}
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"Cannot read the settings file {path}: {error.strerror}. Check its path") from error
    except _NO_SETTINGS as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (see line {mark.line + 1})" if mark else ""
        raise UserError(f"{path} is not a settings file{where}: write one 'name: value' a line") from error


def _written_by(path):
    """The version of this package that wrote a settings file, if it is newer than this one; else None."""
    with open(path, encoding="utf-8") as file:
        match = re.fullmatch(re.escape(_WRITTEN_BY) + r"(\d{1,6}(\.\d{1,6}){0,5})\s*", file.readline(200))
    newer = match and _numbers(match[1]) > _numbers(VERSION)
    return match[1] if newer else None


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def parse(cls, name, value):
    """Turn what was typed into the type of a setting.

    Nothing typed means the default; so does 'auto' where the default is 'choose for me'.

    Raises
    ------
    UserError
        Saying what kind of value is expected.
    """
    kind, default = _types_of(cls)[name], getattr(cls, name)
    optional = type(None) in typing.get_args(kind)
    if optional:
        kind = next(t for t in typing.get_args(kind) if t is not type(None))
    nothing = ("", "auto", "none") if optional else ("",)
    if value is None or (isinstance(value, str) and value.strip().lower() in nothing):
        return default
    try:
        return _CONVERT[kind](value)
    except (TypeError, ValueError, OverflowError):
        works = "leave it empty to have it chosen for you" if optional else f"use {default}"
        raise UserError(f"{name} is '{_short(value)}'; it must be {_KINDS[kind]}: {works}") from None


def problem(about, name, value):
    """A sentence that says what is wrong with a value and which would work, or '' if it is fine."""
    if value is None:
        return ""
    if about.choices:
        if value in about.choices:
            return ""
        near = difflib.get_close_matches(str(value).lower(), about.choices, 1, cutoff=0)
        return f"{name} is '{_short(value)}'; it must be one of {', '.join(about.choices)}: use {near[0]}"
    if isinstance(value, str | bool):
        return ""
    if not math.isfinite(value):
        return f"{name} is {value}; it must be a number: use {about.low}"
    low = -math.inf if about.low is None else about.low
    high = math.inf if about.high is None else about.high
    works = min(max(value, low), high)
    if about.multiple > 1:
        works = max(math.ceil(low / about.multiple), round(works / about.multiple)) * about.multiple
    if works == value:
        return ""
    return f"{name} is {value}; it must be {_range_in_words(about)}: use {works}"


def _range_in_words(about):
    kind = f"a multiple of {about.multiple}" if about.multiple > 1 else ""
    if about.low is not None and about.high is not None:
        span = f"between {about.low} and {about.high}"
    else:
        span = f"at least {about.low}" if about.high is None else f"at most {about.high}"
    return f"{kind} {span}".strip() + (f" {about.unit}" if about.unit else "")


def _whole(value):
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _number(value):
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _switch(value):
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError


def _text(value):
    if isinstance(value, list | dict) or "\0" in str(value):  # which no file's name can have
        raise ValueError
    return unwrapped(str(value))


def _short(value, most=100):
    """A value as a message shows it: not more than a line of it."""
    text = str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


_NAME = 60  # letters of an unknown setting's name that are told: a list of all others follows
_types_of = functools.cache(typing.get_type_hints)  # found anew for each value, settings took 200 times as long
_CONVERT = {int: _whole, float: _number, bool: _switch, str: _text}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
