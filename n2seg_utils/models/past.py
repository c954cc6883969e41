"""A training that was stopped, as its run folder tells it."""

from functools import cached_property

from ..data.normalisation import Normalisation, Percentiles
from ..data.split import Part
from ..data.tables import read_table
from ..data.targets import Target
from ..errors import UserError
from ..learning.networks import Architecture
from ..settings import DenoiseSettings, JointSettings, SegmentSettings
from .checkpoints import Checkpoints
from .fingerprint import fingerprint, fingerprint_of_mask
from .run_folder import RunFolder

_SETTINGS = {"denoise": DenoiseSettings, "segment": SegmentSettings, "joint": JointSettings}
_SCALES = {"denoise": Normalisation, "segment": Percentiles, "joint": Percentiles}


class Past:
    """What a run wrote down when it began, and how far it came.

    Parameters
    ----------
    run : path

    Attributes
    ----------
    over : bool
        Nothing is left to train.

    Raises
    ------
    UserError
        When it is no run folder.
    """

    def __init__(self, run):
        self.run = run = RunFolder(run)
        self.checkpoints = Checkpoints(run)
        self.facts = run.facts()
        if not (str(self.facts.get("workflow")) in _SETTINGS and (run / "settings.yaml").is_file()):
            raise UserError(f"{run.path} is not the run folder of a training. Check its path")
        self.over = self.facts.get("status") != "training" and not self.checkpoints
        self.settings = _SETTINGS[self.facts["workflow"]].load(run / "settings.yaml").check().replace(run=str(run))

    @classmethod
    def of(cls, run):
        """The unfinished training in a folder; None if there is none."""
        past = cls.known(run)
        return None if past is None or past.over else past

    @classmethod
    def known(cls, run):
        """The training of a folder, over or not; None if there is none."""
        try:
            return cls(run)
        except UserError:
            return None

    @classmethod
    def like(cls, settings):
        """The unfinished training that was begun with such settings, in their run folder or one numbered after it; None
        if there is none."""
        found = None
        for run in RunFolder(settings.run).and_numbered():
            past = cls.of(run)
            if past and past.asked_for(settings):
                found = past
        return found

    def asked_for(self, settings):
        """Whether it was begun with these settings, whatever the run folder and what is chosen for results."""
        knobs = settings.knobs()
        compared = {name for name, about in knobs.items() if about.section != "result"} - {"run"}
        # Of settings that the version that began it did not know, the default was meant.
        asked, now = type(settings)().to_dict() | self.facts.get("asked", {}), settings.to_dict()
        return type(settings) is type(self.settings) and all(asked.get(name) == now.get(name) for name in compared)

    @property
    def workflow(self):
        """What is trained: "denoise", "segment" or "joint"."""
        return self.facts["workflow"]

    @cached_property
    def state(self):
        """Where the training was; None if it did not come as far as to keep that."""
        return self.checkpoints.latest()

    def describe(self):
        """How far it came, in words."""
        done = len(self.state.history) if self.state else 0
        planned = self.settings.epochs if not self.settings.minutes else None
        if planned and done >= planned:
            return f"stopped after the last of {planned} epochs"
        of = f" of {planned}" if planned else ""
        return f"stopped in epoch {done + 1}{of}"

    def require_same(self, images, masks=()):
        """Refuse to go on with images, or masks, that are not those that the training began with.

        Parameters
        ----------
        images : list of ImageFile
        masks : list of Mask
        """
        self._require_same("images", [fingerprint(image) for image in images])
        if "masks" in self.facts:  # which early versions did not write down
            self._require_same("masks", [fingerprint_of_mask(mask) for mask in masks])

    def _require_same(self, kind, now):
        before, now = ({one["name"]: one for one in some} for some in (self._noted(kind), now))
        for name in sorted(before.keys() - now.keys()):
            raise self._changed(kind, name, "is no longer there")
        for name in sorted(now.keys() - before.keys()):
            raise self._changed(kind, name, "was not there")
        for name, one in now.items():
            if any(before[name].get(key) != value for key, value in one.items() if key in before[name]):
                raise self._changed(kind, name, "is not what it was")

    def parts(self, images):
        """Which images train and which validate: a list of Part."""
        numbers = {image.path.name: number for number, image in enumerate(images)}
        try:
            rows = read_table(self.run / "split.csv")
            return [Part(numbers[row["image"]], row["use"], _region(row["region"])) for row in rows]
        except (OSError, ValueError, KeyError) as error:
            raise self.run.damaged("split.csv") from error

    @property
    def architecture(self):
        """The Architecture of its network."""
        return self._made(Architecture, "network")

    @property
    def normalisation(self):
        """How images are scaled: a Normalisation or Percentiles."""
        return self._made(_SCALES[self.workflow], "normalisation")

    @property
    def target(self):
        """The Target of its masks."""
        return self._made(Target, "target")

    def _made(self, kind, name):
        try:
            return kind(**self._noted(name))
        except (TypeError, ValueError) as error:
            raise self.run.damaged("run.json") from error

    def _noted(self, name):
        try:
            return self.facts[name]
        except KeyError as error:
            raise self.run.damaged("run.json") from error

    def _changed(self, kind, name, what):
        folder = getattr(self.settings, kind)
        return UserError(
            f"{'The mask ' if kind == 'masks' else ''}{name} {what} when the training in {self.run.path} began. Put "
            f"the {kind} of {folder} back as they were, or train anew into another run folder"
        )


def _region(text):
    return None if text == "all" else tuple(int(word[1:]) for word in text.split())
