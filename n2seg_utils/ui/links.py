"""Paths in messages, as links where a click opens them."""

import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from . import runtime


def linked(path):
    """The HTML of a path: a link in Jupyter if the file lies beside the notebook or below it, else its name alone.

    Jupyter takes links as relative to the notebook, and serves nothing outside of its own folder. Colab serves no
    files, and other programs that show notebooks do as they like, so there a link would lead nowhere.
    """
    words = escape(str(path))
    folder = _folder_of_notebook()
    try:
        place = Path(path).resolve().relative_to(folder.resolve()) if folder else None
    except ValueError:
        place = None
    if place is None:
        return words
    return f'<a href="{quote(place.as_posix())}" target="_blank" style="text-decoration:underline">{words}</a>'


def _folder_of_notebook():
    """Where the notebook lies that Jupyter shows; None elsewhere. Jupyter's server tells its kernels."""
    named = os.environ.get("JPY_SESSION_NAME", "")
    if runtime.place() != "jupyter" or not named.endswith(".ipynb") or not Path(named).is_file():
        return None
    return Path(named).parent
