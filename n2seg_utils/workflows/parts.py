"""A prediction that is split over jobs: what tells that a part is done, and tables of parts put together."""

import hashlib
import heapq
import json
from pathlib import Path

from ..data.files import natural_order, require_absent, write_text
from ..data.parts import Part
from ..data.tables import read_json, stream_table, write_table
from ..errors import UserError
from ..words import counted

TABLES = "parts"  # folder of the tables of parts, in that of the label images


def folder(out, part):
    """Where the notes of a part at work are."""
    return Path(out) / TABLES / part.name


def done_file(out, part):
    """The file that is there when a part is done."""
    return Path(out) / TABLES / f"{part.name}.json"


def is_done(out, part):
    """Whether a part is done."""
    return done_file(out, part).is_file()


def note_done(out, part, text, count):
    """Note that a part is done with so many images, and what from: the text that describes that."""
    about = {"part": part.number, "of": part.count, "images": count, "made_from": _digest(text)}
    write_text(done_file(out, part), json.dumps(about))


def require_same(out, text):
    """Refuse to add to parts that were made from other images, or with another model or other settings."""
    for file in sorted((Path(out) / TABLES).glob("*of*.json")):
        if _read(file)["made_from"] != _digest(text):
            raise UserError(
                f"{out} holds a part of other images, or made with another model or other settings ({file.name}). "
                "Choose another folder, or move it away"
            )


def _digest(text):
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _read(file):
    try:
        about = read_json(file)
        return {"made_from": str(about["made_from"]), "images": int(about["images"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged. Remove it, and do that part again") from error


def join_parts(out, count):
    """Put the tables of all parts together, in the order of the images.

    Parameters
    ----------
    out : path
        The folder of the results.
    count : int
        Of the parts.

    Returns
    -------
    images : int
        How many the parts have worked on.
    tables : list of Path

    Raises
    ------
    UserError
        Naming the parts that are missing.
    """
    parts = [Part(number, count) for number in range(1, count + 1)]
    missing = [str(part.number) for part in parts if not is_done(out, part)]
    if missing:
        names = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise UserError(
            f"{counted(len(missing), 'part')} of {count} in {out} {'is' if len(missing) == 1 else 'are'} not done yet: "
            f"{names}. Do them with --part {missing[0]}/{count}, and join them then"
        )
    written = []
    for labels in (Path(out), Path(out) / "labels"):
        for name in ("objects", "counts"):
            tables = [labels / TABLES / f"{part.name}_{name}.csv" for part in parts]
            tables = [table for table in tables if table.is_file()]
            if not tables:
                continue
            target = labels / f"{name}.csv"
            require_absent([target])
            rows = heapq.merge(*map(stream_table, tables), key=lambda row: natural_order(row["image"]))
            write_table(target, rows)
            written.append(target)
    return sum(_read(done_file(out, part))["images"] for part in parts), written
