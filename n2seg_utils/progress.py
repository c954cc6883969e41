"""How far something is that has parts."""


def halves(on_progress):
    """Two functions in place of one: for what comes first, and for what follows.

    Parameters
    ----------
    on_progress : callable or None
        ``on_progress(share, name)``.
    """
    if on_progress is None:
        return None, None
    return (
        lambda share, name: on_progress(share / 2, name),
        lambda share, name: on_progress(0.5 + share / 2, name),
    )
