"""A document as a single HTML file that opens anywhere, without scripts or other files."""

import base64
from html import escape

from ..data.files import write_text
from .document import Heading, Paragraph, Picture, Table

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h1, p, td { overflow-wrap: anywhere; }
img { max-width: 100%; } figure { margin: 1rem 0; } figcaption { color: #555; font-size: .9rem; }
p.warning { background: #fdf3e4; border-left: .3rem solid #e69f00; padding: .5rem .8rem; }
table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .25rem .8rem .25rem 0; text-align: left;
vertical-align: top; } th { border-bottom: 1px solid #bbb; } td { border-bottom: 1px solid #eee; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } div.wide { overflow-x: auto; }
"""


def write_html(document, path):
    """Write a document; an earlier file of that name is replaced."""
    title = escape(document.title)
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    body = "".join(_WRITERS[type(block)](block) for block in document.blocks)
    write_text(path, f"{head}</head><body><h1>{title}</h1>{body}</body></html>")
    return path


def _heading(block):
    return f"<h2>{escape(block.text)}</h2>"


def _paragraph(block):
    kind = f' class="{block.kind}"' if block.kind else ""
    return f"<p{kind}>{escape(block.text)}</p>"


def _picture(block):
    data = base64.b64encode(block.png(dpi=110)).decode()
    words = escape(block.caption)
    return f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


def _table(block):
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in block.head)
    kind = ' class="number"' if block.numbers else ""
    rows = []
    for first, *rest in block.rows:
        cells = "".join(f"<td{kind}>{escape(str(cell))}</td>" for cell in rest)
        rows.append(f"<tr><td>{escape(str(first))}</td>{cells}</tr>")
    table = f'<div class="wide"><table>{f"<tr>{head}</tr>" if head else ""}{"".join(rows)}</table></div>'
    return f"<details><summary>{escape(block.title)}</summary>{table}</details>" if block.title else table


_WRITERS = {Heading: _heading, Paragraph: _paragraph, Picture: _picture, Table: _table}
