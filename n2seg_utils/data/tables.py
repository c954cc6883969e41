"""Tables and JSON: small files that are whole or absent, and safe to open."""

import csv
import itertools
import json
import tempfile

from .files import whole_file

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
    """Write dicts as a CSV file, whole or not at all.

    Excel and others run a cell that begins like a formula, and files get their names from strangers: such a text has an
    apostrophe put before it, by which these programs know text; :func:`read_table` takes it away. Numbers, negative
    ones too, stay as they are.

    Parameters
    ----------
    path : path
    rows : iterable of dict
        Of the same keys or, if this is no list, of any: then all of them become columns, and cells without a value are
        empty. Such rows wait on disk until all keys are known, so that there may be any number of them.
    """
    if isinstance(rows, list):
        with whole_file(path) as temporary, _to_write(temporary) as file:
            # Before Python 3.13 a carriage return alone was no reason to quote.
            _write(file, list(rows[0]) if rows else [], rows, any(map(_holds_return, rows)))
        return
    columns, returns = {}, False
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for row in rows:
            columns |= dict.fromkeys(row)
            returns = returns or _holds_return(row)
            spool.write(f"{json.dumps(row)}\n")
        spool.seek(0)
        with whole_file(path) as temporary, _to_write(temporary) as file:
            _write(file, list(columns), map(json.loads, spool), returns)


def _to_write(path):
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


def _holds_return(row):
    return any("\r" in cell for cell in map(str, (*row, *row.values())))


def _write(file, columns, rows, returns):
    if columns:
        quoting = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n", quoting=quoting)
        heads = {name: name for name in columns}
        for row in itertools.chain([heads], rows):
            writer.writerow({name: _no_formula(cell) for name, cell in row.items()})


def read_table(path):
    """The rows of a table that :func:`write_table` wrote: a list of dict of str."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(_rows(file))


def stream_table(path):
    """The same, one row after another."""
    with open(path, encoding="utf-8", newline="") as file:
        yield from _rows(file)


def _rows(file):
    return ({_as_it_was(name): _as_it_was(cell) for name, cell in row.items()} for row in csv.DictReader(file))


def _no_formula(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _as_it_was(cell):
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") else cell
