"""Tables and JSON: small files that are whole or absent, and safe to open."""

import csv
import io
import json

from .files import write_text

_LARGEST_JSON = 64_000_000  # bytes; parsed, they are some ten times as many
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def read_json(path):
    """What a JSON file says.

    Raises
    ------
    ValueError
        If it is none, larger than any that we or other software write, or nested so deeply that nobody wrote it.
    """
    with open(path, "rb") as file:
        text = file.read(_LARGEST_JSON + 1)
    if len(text) > _LARGEST_JSON:
        raise ValueError("the file is too large")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the file is nested too deeply") from error


def write_table(path, rows):
    """Write a list of dicts as a CSV file, whole or not at all.

    Excel and others run a cell that begins like a formula, and files get their names from strangers: such a text has an
    apostrophe put before it, by which these programs know text; :func:`read_table` takes it away. Numbers, negative
    ones too, stay as they are.
    """
    text = io.StringIO()
    if rows:
        # Before Python 3.13 a carriage return alone was no reason to quote.
        returns = any(
            "\r" in cell for row in [rows[0].keys(), *(row.values() for row in rows)] for cell in map(str, row)
        )
        quoting = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        writer = csv.DictWriter(text, rows[0], lineterminator="\n", quoting=quoting)
        heads = {name: name for name in rows[0]}
        writer.writerows({name: _no_formula(cell) for name, cell in row.items()} for row in [heads, *rows])
    write_text(path, text.getvalue())


def read_table(path):
    """The rows of a table that :func:`write_table` wrote: a list of dict of str."""
    with open(path, encoding="utf-8", newline="") as file:
        return [{_as_it_was(name): _as_it_was(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _no_formula(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _as_it_was(cell):
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") else cell
