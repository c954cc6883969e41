"""The one exception that users are meant to see."""


class UserError(Exception):
    """Something the user can put right: says what is wrong, in which file, and what to do.

    The command prints it without a traceback and ends with exit status 2; a notebook shows it in a plain box.
    """
