"""What a report is made of, whatever file it becomes: headings, paragraphs, pictures and tables."""

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from . import plots


@dataclass(frozen=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `kind` is "" or "warning"."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure, or the PNG file of one, with the words below it."""

    caption: str
    figure: Figure | Path

    def png(self, dpi):
        """The bytes of a PNG file; `dpi` is for figures."""
        return self.figure.read_bytes() if isinstance(self.figure, Path) else plots.to_png(self.figure, dpi=dpi)

    @property
    def inches(self):
        """Width and height."""
        if isinstance(self.figure, Figure):
            return tuple(self.figure.get_size_inches())
        with Image.open(self.figure) as image:
            return tuple(side / plots.DPI for side in image.size)


@dataclass(frozen=True)
class Table:
    """Rows of text; all but the first column are numbers if `numbers`.

    Attributes
    ----------
    rows : list of sequence of str
    head : sequence of str
        Names of the columns; () for none.
    title : str
        Of a table that is long: on screen it is folded away below its title.
    """

    rows: list
    head: tuple = ()
    numbers: bool = True
    title: str = ""


@dataclass
class Document:
    """A title and what follows: a list of the above."""

    title: str
    blocks: list = field(default_factory=list)

    def add(self, *blocks):
        self.blocks += blocks
