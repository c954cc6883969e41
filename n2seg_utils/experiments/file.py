"""The file of an experiment: whose images, the settings of all trainings, and the grid of what is compared."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..data.files import at_home
from ..errors import UserError
from ..knobs import Settings, knob, parse, read_values
from ..settings import DenoiseSettings, JointSettings, SegmentSettings

# Method -> settings of what is trained for it, in this order.
METHODS = {
    "denoise": {"denoise": DenoiseSettings},
    "segment": {"segment": SegmentSettings},
    "sequential": {"denoise": DenoiseSettings, "segment": SegmentSettings},
    "joint": {"joint": JointSettings},
    "published": {"joint": JointSettings},
}
MINUTES = 10.0  # of training, unless the file says how long
_AXES = ("method", "noise", "annotated", "seed")
# What of the trainings is the experiment's to choose -> where to say it.
_OURS = {
    "images": "images, outside 'settings' and 'grid'", "masks": "masks, outside 'settings' and 'grid'",
    "truth": "truth, outside 'settings' and 'grid'", "run": "--out, for all runs", "sample": "images",
    "recipe": "method: published, in the grid", "seed": "seed, in the grid",
    "steps": "steps, outside 'settings' and 'grid'",
}  # fmt: skip
_MOST = 100_000  # of what a number in the grid may be
_LONGEST = 1000  # values of one name of the grid
_LENGTHS = ("minutes", "epochs", "steps_per_epoch")  # settings of trainings that say how long they take
_FOLDERS = ("images", "masks", "truth", "test_images", "test_masks", "test_truth")


@dataclass
class ExperimentSettings(Settings):
    """What an experiment says of its images and of the computers it runs on."""

    FIRST: ClassVar = ()

    images: str = knob(
        "", "Images", "Folder with all your images, annotated or not.", "data", example="/content/drive/MyDrive/images"
    )
    masks: str = knob(
        "", "Masks", "Folder with all masks; each training gets as many of them as the grid says.", "data"
    )
    truth: str = knob(
        "", "Clean images (optional)", "Folder with clean images of the same names: to judge the denoising.", "data"
    )
    held_out: float = knob(
        0.25,
        "Images to judge by",
        "Share of the annotated images that no training sees; results are judged by these.",
        "data",
        low=0.01,
        high=0.9,
    )
    test_images: str = knob(
        "", "Other images to judge by", "Folder of images that are judged in place of a share of the others.", "data"
    )
    test_masks: str = knob("", "Their masks", "Folder with the masks of these.", "data")
    test_truth: str = knob("", "Their clean images", "Folder with the clean images of these.", "data")
    steps: int | None = knob(
        None,
        "Steps",
        "Steps of training in each run, the same for all methods, in place of minutes.",
        "training",
        low=2,
        high=10_000_000,
    )
    cpus: int = knob(
        1, "Processors", "Processors of each run, where Snakemake shares them out.", "result", low=1, high=512
    )
    gpus: int = knob(0, "GPUs", "GPUs of each run, where Snakemake shares them out.", "result", low=0, high=16)
    memory_gb: float = knob(
        8.0, "Memory", "Memory of each run, where Snakemake shares it out.", "result", low=1, high=4000, unit="GB"
    )
    retries: int = knob(
        2,
        "Attempts more",
        "How often Snakemake tries a run again that failed or was stopped.",
        "result",
        low=0,
        high=100,
    )

    def problems(self):
        """See :meth:`Settings.problems`; adds what is missing."""
        found = super().problems()
        if not self.images:
            found["images"] = "images is missing: give the folder of your images"
        if not self.masks and not self.truth and not self.test_truth:
            found["masks"] = "masks is missing: give the folder of your masks, or of clean images as truth"
        if self.test_images and self.masks and not self.test_masks:
            found["test_masks"] = "test_masks is missing: give the folder of the masks of test_images"
        if not self.test_images and (self.test_masks or self.test_truth):
            found["test_images"] = "test_images is missing: give the folder of the images to judge by"
        return found


@dataclass(frozen=True)
class Experiment:
    """What the file of an experiment says, each value checked.

    Attributes
    ----------
    path : Path
    about : ExperimentSettings
    base : dict
        Settings of all trainings that know them.
    grid : dict
        "method", "noise", "annotated" and "seed", then settings -> the values that are compared.
    """

    path: Path
    about: ExperimentSettings
    base: dict
    grid: dict

    @classmethod
    def load(cls, path, data=None):
        """Read and check a file.

        Parameters
        ----------
        path : path
        data : path, optional
            Where folders are that the file names by a part of their path; else where the program was started.

        Raises
        ------
        UserError
            Naming the file, what is wrong in it, and what would work.
        """
        values = read_values(path)
        for name in _FOLDERS if data else ():
            if values.get(name):
                values[name] = str(at_home(data) / at_home(str(values[name])))
        return cls.of(path, values)

    @classmethod
    def of(cls, path, values):
        """Check what a file says, or will say; see :meth:`load`."""
        try:
            return _checked(Path(path), dict(values))
        except UserError as error:
            raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from error

    @property
    def axes(self):
        """Names of the settings in the grid."""
        return [name for name in self.grid if name not in _AXES]

    def value(self, kind, name):
        """What a setting is where the grid does not change it: as the file says, else by default."""
        return parse(kind, name, self.base[name]) if name in self.base else getattr(kind, name)


def kinds_of(method, name):
    """The settings, of those that a method trains with, that know a name."""
    return [kind for kind in METHODS[method].values() if name in kind.knobs()]


def _checked(path, values):
    parts = {name: _mapping(name, values.pop(name, None)) for name in ("settings", "grid")}
    for name in values:
        if name not in ExperimentSettings.knobs() and (name in _AXES or name in JointSettings.knobs()):
            where = "'grid'" if name in _AXES else "'settings', or in 'grid' to compare values"
            raise UserError(f"{name} does not stand alone: write it in {where}")
    about = ExperimentSettings.from_mapping(values).check()
    grid = _grid(parts["grid"], about)
    base = parts["settings"]
    for name in (*base, *(name for name in grid if name not in _AXES)):
        _require_known(name, grid["method"])
    length = next((name for name in _LENGTHS if about.steps and (name in base or name in grid)), None)
    if length:
        raise UserError(f"steps and {length} both say how long to train: remove one of them")
    twice = [name for name in base if name in grid and name not in _AXES]
    base = {name: value for name, value in base.items() if value is not None}
    experiment = Experiment(path, about, base, grid)
    for name in grid:
        if name not in _AXES:
            kinds = [kind for method in grid["method"] for kind in kinds_of(method, name)]
            grid[name] = _without_twins(name, [parse(kinds[0], name, value) for value in grid[name]])
    for name in twice:
        experiment.value(next(kind for method in grid["method"] for kind in kinds_of(method, name)), name)
    return experiment


def _mapping(name, value):
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"'{name}' must be a list of 'name: value', one a line and indented: write it so")
    return {str(key): given for key, given in value.items()}


def _grid(given, about):
    listed = {}
    for name, values in given.items():
        values = values if isinstance(values, list) else [values]
        if not values or any(isinstance(value, list | dict) or value is None for value in values):
            raise UserError(f"{name} in the grid must be a value or a list of values, such as [1, 2]: write it so")
        if len(values) > _LONGEST:
            raise UserError(f"{name} in the grid has {len(values):,} values: give at most {_LONGEST:,}")
        listed[name] = values
    if "method" not in listed:
        raise UserError(f"The grid has no method: give one or several of {', '.join(METHODS)}")
    found = {
        "method": _without_twins("method", [_method(value, about) for value in listed.pop("method")]),
        "noise": _without_twins("noise", [_number("noise", value) for value in listed.pop("noise", ["0"])]),
        "annotated": _without_twins("annotated", [_count(value) for value in listed.pop("annotated", ["all"])]),
        "seed": _without_twins("seed", [_whole("seed", value, 0) for value in listed.pop("seed", ["1"])]),
    }
    return found | listed


def _method(value, about):
    word = str(value).strip().lower()
    if word not in METHODS:
        near = difflib.get_close_matches(word, METHODS, 1, cutoff=0)[0]
        raise UserError(f"There is no method '{str(value)[:100]}', only {', '.join(METHODS)}: did you mean '{near}'?")
    if word != "denoise" and not about.masks:
        raise UserError(f"Method {word} learns from masks: give the folder of your masks, or compare denoise only")
    return word


def _number(name, value):
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= _MOST:
        raise UserError(f"{name} is '{str(value)[:100]}'; it must be a number from 0 to {_MOST:,}: use 0")
    return int(found) if found.is_integer() else found


def _whole(name, value, low):
    try:
        found = int(str(value))
    except ValueError:
        found = -1
    if not low <= found <= _MOST:
        raise UserError(f"{name} is '{str(value)[:100]}'; it must be a whole number from {low} to {_MOST:,}: use 1")
    return found


def _count(value):
    word = str(value).strip().lower()
    return word if word == "all" else _whole("annotated", value, 1)


def _without_twins(name, values):
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UserError(f"{name} has {value} twice in the grid. Remove one")
    return values


def _require_known(name, methods):
    """Raise a UserError unless a setting is one that the trainings of some method know, and theirs to choose."""
    if name in _OURS:
        raise UserError(f"{name} is not a setting of the trainings here: give {_OURS[name]}")
    if any(kinds_of(method, name) for method in methods):
        return
    others = [method for method in METHODS if kinds_of(method, name)]
    if others:
        raise UserError(
            f"None of {', '.join(methods)} knows the setting {name}, only {', '.join(others)}. Remove it, or compare "
            "one of these as well"
        )
    known = sorted({name for method in methods for kind in METHODS[method].values() for name in kind.knobs()})
    near = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"did you mean '{near[0]}'?" if near else "see the settings in the README"
    raise UserError(f"There is no setting '{name[:100]}': {hint}")
