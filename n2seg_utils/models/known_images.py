"""Which of some images a model was trained with: what it finds in these says little about others."""

from ..data.files import list_images, stem
from ..words import counted, some
from .fingerprint import content
from .run_folder import RunFolder


def known_images(run, images):
    """Names of the images of a folder that a model was trained with; those that chose among its epochs count too.

    Files are compared by their size and content, whatever they are called now; or, if these are not to be had, by name.

    Parameters
    ----------
    run : path
        Run folder.
    images : path or list of str
        The images; or names, with or without an ending, of what was made from them.

    Returns
    -------
    list of str
    """
    noted = RunFolder(run).require().facts().get("images", [])
    if isinstance(images, list):
        names = {stem(one["name"]) for one in noted}
        return [name for name in images if stem(name) in names]
    contents = {(one["bytes"], one["crc32"]) for one in noted}
    return [file.name for file in list_images(images) if tuple(content(file).values()) in contents]


def warning(run, images):
    """A sentence about such images, for those who judge what a model found in them; "" if there are none."""
    if not RunFolder(run).require().facts().get("images"):
        return f"The model in {run} does not say which images it was trained with."
    names = known_images(run, images)
    if not names:
        return ""
    return (
        f"The model in {run} was trained with {counted(len(names), 'image')} of these ({some(names)}): it has seen "
        "what was drawn on them, so scores of other images will be lower. Judge it by images that it does not know."
    )
