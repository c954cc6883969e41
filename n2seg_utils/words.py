"""Small words for messages."""

from urllib.parse import urlsplit


def counted(number, word):
    """A number of things.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def rounded(number, digits=3):
    """A number of so many digits, never as a power of ten if it is large.

    >>> rounded(1234.5), rounded(0.0412, 2), rounded(12)
    ('1,230', '0.041', '12')
    """
    return f"{float(f'{number:.{digits}g}'):,.10g}"


def some(names, most=3):
    """The first of some names, and how many more there are.

    >>> some(["a.tif", "b.tif"]), some(["a", "b", "c", "d"])
    ('a.tif, b.tif', 'a, b, c and 1 more')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def sentence(words):
    """Words with a full stop, unless they end with a mark already.

    >>> sentence("Check the path"), sentence("Did you mean cells?")
    ('Check the path.', 'Did you mean cells?')
    """
    words = str(words)
    return words if words.endswith((".", "?", "!")) else f"{words}."


def unwrapped(text):
    """What was pasted, without what other programs put around paths: quotes (Windows) and file:// (Linux).

    >>> unwrapped(' "my images" '), unwrapped("it's 'mine'")
    ('my images', "it's 'mine'")
    """
    text = text.strip()
    for mark in "\"'":
        if len(text) > 1 and text[0] == text[-1] == mark and text.count(mark) == 2:
            return text[1:-1].strip()
    if text.startswith("file:///"):
        from urllib.request import url2pathname  # takes a while to load

        return url2pathname(urlsplit(text).path)
    return text
