"""Google Drive as a folder: slow and flaky with many small files, so inputs are copied to local disk once."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from ..errors import UserError
from .files import at_home, is_image_name, list_images, make_folder, readable, require_space, whole_file
from .lists import is_list
from .positions import gather, images_of, positions

MOUNT = Path(os.environ.get("N2SEG_DRIVE", "/content/drive"))
HOME = MOUNT / "MyDrive"


def on_drive(path):
    """Whether a path lies on Google Drive."""
    return MOUNT in at_home(path).absolute().parents


@contextlib.contextmanager
def local_file(path):
    """A file to write to by mapping it into memory, which Drive cannot do: a local one that is copied there at the end.

    Yields
    ------
    Path
        `path` itself if it is not on Drive.
    """
    if not on_drive(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / path.name
        yield local
        shutil.copyfile(local, path)


def local_copies(name):
    """The folder of copies from Drive of some kind."""
    return Path(tempfile.gettempdir()) / name


def bring(path, on_progress=None, cache=None, files=None):
    """Copy the images of a Drive folder to local disk, unless they are there already; other paths stay as they are,
    but of folders of positions, whose images are gathered (see :func:`~n2seg_utils.data.positions.gather`).

    Parameters
    ----------
    path : path
        Folder or single file.
    on_progress : callable, optional
        ``on_progress(share, name)``.
    cache : path, optional
        Where copies are kept; a folder for temporary files otherwise.
    files : list of Path, optional
        What to copy of the folder; default: its images.

    Returns
    -------
    Path
        The local folder (or file).
    """
    path = at_home(path)
    if not on_drive(path) or is_list(path):  # what a list names may lie anywhere
        return path if files else images_of(path)
    path = path.absolute()
    if not files and positions(path):
        return gather(path, is_image_name, flat=(cache or local_copies("n2seg_inputs")) / path.relative_to(MOUNT))
    files = files or list_images(path)
    if any(file.is_dir() for file in files):  # OME-Zarr: too large to copy, and read chunk by chunk
        return path
    folder = path if path.is_dir() else path.parent
    local = Path(cache or local_copies("n2seg_inputs")) / folder.relative_to(MOUNT)
    make_folder(local)
    with readable(folder):
        sizes = [file.stat().st_size for file in files]
        missing = [(f, s) for f, s in zip(files, sizes) if not _same(local / f.relative_to(folder), f)]
    require_space(local, sum(size for _, size in missing))
    wanted = {local / file.relative_to(folder) for file in files}
    folders = {local, *(file.parent for file in wanted)} if path.is_dir() else ()
    for stale in [entry for one in folders if one.is_dir() for entry in one.iterdir()]:
        # The copy mirrors the folder: what was removed from Drive must not be trained on.
        if stale.is_file() and stale not in wanted:
            stale.unlink()
    for number, (file, size) in enumerate(missing):
        copy = local / file.relative_to(folder)
        try:
            with whole_file(copy) as temporary:
                shutil.copy2(file, temporary)
        except UserError as error:
            raise UserError(f"Copying {file} from Drive failed. Run the cell again: what was copied is kept") from error
        if copy.stat().st_size != size:
            raise UserError(f"{file} arrived incomplete from Drive. Run the cell again: what was copied is kept")
        if on_progress:
            on_progress((number + 1) / len(missing), file.name)
    return local if path.is_dir() else local / path.name


def _same(copy, original):
    if not copy.exists():
        return False
    one, other = copy.stat(), original.stat()
    return one.st_size == other.st_size and abs(one.st_mtime - other.st_mtime) < 2
