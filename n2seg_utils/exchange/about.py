"""What is said of a model that is handed on: name, authors, licence, papers."""

import difflib
import json
import re
import unicodedata
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources

from ..about import VERSION
from ..errors import UserError
from ..learning.networks import Architecture

_NAME, _SHORTEST, _LONGEST = re.compile(r"[A-Za-z0-9_+\- ()]*"), 5, 64
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_DOES = {"denoise": "Denoising", "segment": "Segmentation", "joint": "Denoising and segmentation"}
_PAPERS = {
    "n2v": "10.48550/arXiv.1811.10980",
    "n2v2": "10.48550/arXiv.2211.08512",
    "structn2v": "10.1109/ISBI45749.2020.9098336",
    "joint": "10.48550/arXiv.2005.02987",
    "unet": "10.1007/978-3-319-24574-4_28",
    "unet3d": "10.1007/978-3-319-46723-8_49",
    "csbdeep": "10.1038/s41592-018-0216-7",
}


@dataclass(frozen=True)
class About:
    """What is said of a model.

    Attributes
    ----------
    name, description : str
    authors : tuple of str
        "Name" or "Name (affiliation)".
    licence : str
        SPDX identifier.
    cite : str
        DOI of the authors' own paper or data set; may be empty.
    tiles : bool
        Tell other software how far tiles must overlap.

    Raises
    ------
    UserError
        If something is not as the BioImage Model Zoo wants it.
    """

    name: str
    description: str
    authors: tuple = field(default=("Not named",))
    licence: str = "CC-BY-4.0"
    cite: str = ""
    tiles: bool = False

    def __post_init__(self):
        _require_name(self.name)
        if not self.authors:
            raise UserError("authors is empty; a model that is shared needs one: enter a name")
        for author in self.authors:
            if not author.strip() or "/" in author or "\\" in author:
                raise UserError(f"authors has '{author}'; a name holds no / or \\: leave it out")
        if self.licence not in licences():
            raise UserError(
                f"licence is '{self.licence}'; it must be an SPDX identifier (spdx.org/licenses): use "
                f"{_near(self.licence)}"
            )
        if self.cite and not _DOI.fullmatch(self.cite):
            raise UserError(f"cite is '{self.cite}'; it must be a DOI such as 10.1234/abcd.5678: leave it empty")


def about(model, settings):
    """What is said of a model: as was entered, and made from the run where nothing was.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    settings : ExportSettings

    Raises
    ------
    UserError
        If something needs a change.
    """
    does, dims = _DOES[model.run.workflow], f"{model.architecture.dims}D"
    authors = tuple(name.strip() for name in settings.authors.split(";") if name.strip())
    cite = re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:\s*", "", settings.cite.strip(), flags=re.IGNORECASE)
    text = settings.description or f"{does} of {dims} microscopy images, by {_by(model)}."
    given = {"authors": authors} if authors else {}
    return About(
        name=settings.name or _allowed(f"{does} {dims} - {model.run.path.resolve().name}"),
        description=" ".join(text.split())[:1024],
        licence=_spelled(settings.licence),
        cite=cite,
        tiles=settings.tiles,
        **given,
    )


def in_lines(about):
    """What is said of a model, as text: a line each, and an empty one."""
    said = {
        "Name": about.name,
        "Description": about.description,
        "Authors": "; ".join(about.authors),
        "Licence": about.licence,
        "To be cited": about.cite and f"https://doi.org/{about.cite}",
    }
    return "".join(f"{title}: {text}\n" for title, text in said.items() if text) + "\n"


def papers(model):
    """Names, as the methods paragraph has them, and DOIs of the papers whose method a model uses."""
    workflow = model.run.workflow
    names = {
        "denoise": ["n2v"],
        "segment": [],
        "joint": ["joint", "n2v"],
    }[workflow]
    algorithm = getattr(model.settings, "algorithm", "n2v")
    if workflow != "segment" and algorithm != "n2v":
        names.insert(0, algorithm)
    names += ["unet" if model.architecture.dims == 2 else "unet3d", "csbdeep"]
    return {name: _PAPERS[name] for name in names}


@cache
def licences():
    """SPDX identifiers that are in use."""
    found = json.loads((resources.files("bioimageio.spec") / "static" / "spdx_licenses.json").read_text("utf-8"))
    return frozenset(one["licenseId"] for one in found["licenses"] if not one["isDeprecatedLicenseId"])


def _require_name(name):
    if not _NAME.fullmatch(name):
        raise UserError(
            f"name is '{name}'; it may hold letters without accents, digits, spaces and - + _ ( ): use "
            f"'{_allowed(name)}'"
        )
    if not _SHORTEST <= len(name) <= _LONGEST:
        raise UserError(
            f"name is '{name}'; it must have {_SHORTEST} to {_LONGEST} letters: say what it does on which images"
        )


def _allowed(name):
    """A name without the letters that are not allowed, and not too long."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^A-Za-z0-9_+\- ()]", " ", plain).split())[:_LONGEST].strip() or "My model"


def _spelled(licence):
    """A licence as SPDX spells it, if only the case differs."""
    return {known.lower(): known for known in licences()}.get(licence.strip().lower(), licence)


def _near(licence):
    same = sorted(known for known in licences() if licence and known.lower().startswith(licence.lower()))
    return (same[-1:] or difflib.get_close_matches(licence, sorted(licences()), 1) or ["CC-BY-4.0"])[0]


def _by(model):
    if model.run.workflow == "segment":
        return "a U-Net"
    name = {"n2v": "Noise2Void", "n2v2": "N2V2", "structn2v": "structN2V"}[model.settings.algorithm]
    return name if model.run.workflow == "denoise" else f"one U-Net that learned both ({name} and annotations)"


def ours(model):
    """What we must know to make a model again from an export: its network, scaling, and how labels are made."""
    plain = {
        name: value
        for name, value in asdict(model.architecture).items()
        if value != getattr(Architecture(), name) or name in ("dims", "channels", "depth", "width")
    }
    known = {
        "version": VERSION,
        "workflow": model.run.workflow,
        "network": plain,
        "normalisation": _lists({"what": type(model.normalisation).__name__, **asdict(model.normalisation)}),
        "reach": list(model.architecture.reach),
        "orientations": model.settings.orientations,
    }
    if model.run.workflow != "denoise":
        known |= {
            "target": _lists(asdict(model.target)),
            "rule": _lists(asdict(model.rule)),
            "outputs": list(model.outputs),
        }
    return known


def _lists(values):
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
