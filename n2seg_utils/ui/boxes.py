"""Messages to the user: plain boxes in a notebook, plain text elsewhere."""

import re
from html import escape, unescape

from ..errors import UserError

_COLOURS = {"note": "#0072b2", "warning": "#e69f00", "error": "#d55e00"}


def say(html):
    """Show a message."""
    _show(html, "note")


def warn(html):
    """Show a message that needs attention."""
    _show(html, "warning")


def show_errors_plainly():
    """From now on, show a UserError as a box instead of a traceback. The cell still counts as failed."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((UserError,), _show_user_error)


def show_figure(figure):
    """Show a figure; without a notebook, do nothing."""
    if in_notebook():
        from IPython.display import Image, display

        from ..quality.plots import to_png

        display(Image(to_png(figure)))


def show_png(path):
    """Show a PNG file; without a notebook, do nothing."""
    if in_notebook():
        from IPython.display import Image, display

        display(Image(filename=str(path), width=900))


def box(html, kind="note"):
    """The HTML of a box."""
    style = f"border-left:4px solid {_COLOURS[kind]};padding:.4em .8em;margin:.3em 0"
    return f'<div class="n2seg-{kind}" style="{style}">{html}</div>'


def _show(html, kind):
    if not in_notebook():
        print(plain(html))
        return
    from IPython.display import HTML, display

    display(HTML(box(html, kind)))


def plain(html):
    """HTML as plain text."""
    apart = re.sub(r"</t[dh]>", "  ", re.sub(r"<br>|<table>|</tr>", "\n", html))
    return unescape(re.sub(r"<[^>]+>", "", apart))


def _show_user_error(shell, kind, error, traceback, tb_offset=None):
    _show(escape(str(error)).replace("\n", "<br>"), "error")
    return []


def in_notebook():
    """Whether a notebook shows what we display."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
