"""Small words for messages."""


def counted(number, word):
    """A number of things.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"
