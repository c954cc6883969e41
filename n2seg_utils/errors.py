"""What ends the work early: something the user can put right, or the system that ends the process."""


class UserError(Exception):
    """Something the user can put right: says what is wrong, in which file, and what to do.

    The command prints it without a traceback and ends with exit status 2; a notebook shows it in a plain box.
    """


class Terminated(KeyboardInterrupt):
    """The system ends the process (SIGTERM), as clusters do when the time is up: keep what there is, and leave.

    An interrupt by a person ends a training, and what follows is still done; this one leaves it to be gone on with.
    """
