"""Settings of a model that is handed to other software and to other people."""

import typing
from dataclasses import dataclass

from ..knobs import Settings, knob

FORMATS = ("bioimageio", "savedmodel", "n2v")


@dataclass
class ExportSettings(Settings):
    """In which format a model is written, and what is said of it."""

    PREFIX: typing.ClassVar = "export_"  # of these settings among those of a notebook that is run headless

    format: str = knob(
        "bioimageio",
        "Format",
        "'bioimageio': for the BioImage Model Zoo, deepImageJ and others; 'savedmodel': for CSBDeep in Fiji; 'n2v': "
        "for n2v in Python and napari; 'none': the run folder is enough.",
        "share",
        choices=(*FORMATS, "none"),
    )
    name: str = knob(
        "",
        "Name of the model",
        "What it does on which images, in 5 to 64 letters, digits, spaces and - + _ ( ); default: from the run folder.",
        "share",
        example="Denoising of nuclei - spinning disk 60x",
    )
    authors: str = knob(
        "",
        "Authors",
        "Who made the model, with ; between names; an affiliation goes in brackets.",
        "share",
        example="Rosalind Franklin (King's College London); Max Perutz",
    )
    description: str = knob(
        "",
        "Description",
        "One sentence: which images it is for (microscope, sample, magnification); default: what was trained.",
        "share",
        example="Nuclei of HeLa cells, spinning disk microscope, 60x",
    )
    licence: str = knob(
        "CC-BY-4.0",
        "Licence",
        "What others may do with the model, as an SPDX identifier: CC-BY-4.0 (anything, if they name you), CC0-1.0, "
        "MIT, BSD-3-Clause ...",
        "share",
    )
    cite: str = knob(
        "",
        "To be cited",
        "DOI of your paper or data set, if there is one; the papers of the method are named anyway.",
        "share",
        advanced=True,
        example="10.1234/abcd.5678",
    )
    tiles: bool = knob(
        False,
        "For images cut into tiles",
        "Let other programs overlap tiles, so that no seams show; a border as wide as the network sees is then "
        "mirrored around images, and differs a little from here. Off: whole images give the same pixels as here.",
        "share",
        advanced=True,
    )
