"""A document as a PDF file, A4, with text that can be searched and copied."""

import io
from pathlib import Path

import matplotlib

from ..data.files import whole_file
from .document import Heading, Paragraph, Picture, Table

_FONT = "DejaVu"  # comes with matplotlib, and has letters of many languages
_INK, _SOFT, _LINE, _WARNING = (34, 34, 34), (90, 90, 90), (200, 200, 200), (230, 159, 0)
_BODY, _SMALL = 9.5, 8.0  # points
_FITTED = 0.75  # a picture is made as much smaller, if that saves a page
_MOST_ROWS = 60  # of a table; the CSV files have all


def write_pdf(document, path):
    """Write a document; an earlier file of that name is replaced."""
    pdf = _pages(document.title)
    for block in document.blocks:
        _WRITERS[type(block)](pdf, block)
    with whole_file(path) as temporary:
        Path(temporary).write_bytes(bytes(pdf.output()))
    return path


def _pages(title):
    from fpdf import FPDF  # loaded late: few need it, and it takes a moment

    class Pages(FPDF):
        def footer(self):
            self.set_y(-12)
            _style(self, _SMALL, colour=_SOFT)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="C")

    pdf = Pages(format="A4")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdf.add_font(_FONT, "", fonts / "DejaVuSans.ttf")
    pdf.add_font(_FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.set_title(title)
    pdf.set_margins(18, 16)
    pdf.set_auto_page_break(True, 18)
    pdf.add_page()
    _style(pdf, 15, bold=True)
    _write(pdf, 7, title)
    pdf.ln(2)
    return pdf


def _heading(pdf, block):
    if pdf.will_page_break(24):
        pdf.add_page()
    pdf.ln(4)
    _style(pdf, 12, bold=True)
    _write(pdf, 6, block.text)
    pdf.ln(1)


def _paragraph(pdf, block):
    _style(pdf, _BODY)
    top, page = pdf.get_y(), pdf.page
    indent = 4 if block.kind == "warning" else 0
    pdf.set_x(pdf.l_margin + indent)
    _write(pdf, 4.8, block.text, pdf.epw - indent)
    if indent and pdf.page == page:
        with pdf.local_context(fill_color=_WARNING):
            pdf.rect(pdf.l_margin, top, 1.2, pdf.get_y() - top, "F")
    pdf.ln(1.5)


def _picture(pdf, block):
    width, height = block.inches
    words = 9  # mm
    scale = min(pdf.epw / width, (pdf.eph - words) / height, 25.4 * 1.05)
    left = (pdf.h - pdf.b_margin - pdf.get_y() - words) / height
    if _FITTED * scale < left < scale:
        scale = left
    elif left < scale:
        pdf.add_page()
    place = pdf.l_margin + (pdf.epw - width * scale) / 2
    pdf.image(io.BytesIO(block.png(dpi=150)), x=place, w=width * scale, h=height * scale)
    _style(pdf, _SMALL, colour=_SOFT)
    _write(pdf, 4, block.caption)
    pdf.ln(2)


def _table(pdf, block):
    from fpdf import FontFace
    from fpdf.enums import TableBordersLayout

    if block.title:
        _style(pdf, _BODY, bold=True)
        _write(pdf, 5, block.title)
    _style(pdf, _SMALL)
    pdf.set_draw_color(*_LINE)
    rows, columns = block.rows[:_MOST_ROWS], len(block.rows[0])
    align = ("LEFT", *("RIGHT" if block.numbers else "LEFT",) * (columns - 1))
    widths = (1, 2) if columns == 2 and not block.numbers else (2.2, *(1,) * (columns - 1))
    with pdf.table(
        text_align=align, col_widths=widths, line_height=4.2, padding=0.6, wrapmode="CHAR",
        borders_layout=TableBordersLayout.HORIZONTAL_LINES, headings_style=FontFace(emphasis="BOLD", color=_INK),
        first_row_as_headings=bool(block.head), num_heading_rows=1 if block.head else 0,
    ) as table:  # fmt: skip
        for row in ([block.head] if block.head else []) + rows:
            cells = table.row()
            for cell in row:
                cells.cell(_printable(pdf, str(cell)))
    if len(block.rows) > len(rows):
        _style(pdf, _SMALL, colour=_SOFT)
        pdf.cell(0, 5, f"... and {len(block.rows) - len(rows)} more", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(2)


def _style(pdf, size, bold=False, colour=_INK):
    pdf.set_font(_FONT, "B" if bold else "", size)
    pdf.set_text_color(*colour)


def _write(pdf, height, text, width=0):
    """A text in lines; a word longer than a line, such as a path, is broken at any letter."""
    wrap = "CHAR" if max(map(len, text.split()), default=0) > 70 else "WORD"
    text = _printable(pdf, text)
    pdf.multi_cell(width, height, text, new_x="LMARGIN", new_y="NEXT", align="L", wrapmode=wrap)


def _printable(pdf, text):
    """The text with a question mark for each letter that the font does not have."""
    known = pdf.fonts[_FONT.lower()].cmap
    return "".join(letter if ord(letter) in known or letter.isspace() else "?" for letter in text)


_WRITERS = {Heading: _heading, Paragraph: _paragraph, Picture: _picture, Table: _table}
