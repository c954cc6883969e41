"""Files of a package, a folder or a zip, by name: nothing is unpacked to disk, and no name leads out of it."""

import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..errors import UserError

_LARGEST, _MOST_PACKED = 2**31, 200  # bytes of a file, and how many times as small it may be packed
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError, NotImplementedError,
)  # fmt: skip


class Folder:
    """The files of a folder."""

    def __init__(self, path):
        self.path = Path(path)

    @property
    def names(self):
        """Its files; those of subfolders are left out."""
        return [file.name for file in self.path.iterdir() if file.is_file()]

    def below(self, folder):
        """Names of the files in a subfolder; none if there is no such folder."""
        inner = self.path / require_inside(folder, self.path)
        return [file.name for file in inner.iterdir() if file.is_file()] if inner.is_dir() else []

    def read(self, name):
        """The bytes of a file.

        Raises
        ------
        UserError
            If there is none, or its name leads out of the folder.
        """
        file = self.path / require_inside(name, self.path)
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise _leads_out(name, self.path)
        try:
            if file.stat().st_size > _LARGEST:
                raise UserError(f"{file} is larger than models are. Check what it is")
            return file.read_bytes()
        except OSError as error:
            raise UserError(f"Cannot read {file}: {error.strerror}. Restore it from a copy") from error


class Zip:
    """The files of a zip, or of one that lies in another and is given by its bytes."""

    def __init__(self, path, data=None):
        self.path = Path(path)
        try:
            self.archive = zipfile.ZipFile(path if data is None else io.BytesIO(data))
        except _BROKEN as error:
            raise self.damaged() from error

    def damaged(self):
        """The UserError for a file that is no zip, or one in pieces."""
        return UserError(f"{self.path} is damaged, or not a packed model. Restore it from a copy, or download it again")

    @property
    def names(self):
        """All its files."""
        return self.archive.namelist()

    def below(self, folder):
        """As :meth:`Folder.below`."""
        inner = str(require_inside(folder, self.path)) + "/"
        return [name.removeprefix(inner) for name in self.names if name.startswith(inner) and name != inner]

    def read(self, name):
        """As :meth:`Folder.read`."""
        name = str(require_inside(name, self.path))
        try:
            about = self.archive.getinfo(name)
        except KeyError:
            raise UserError(f"{self.path} has no {name} in it, which it needs. Download it again") from None
        try:
            if about.file_size > min(_LARGEST, _MOST_PACKED * about.compress_size + 10_000):
                raise self.damaged()
            with self.archive.open(about) as file:
                data = file.read(about.file_size + 1)
        except _BROKEN as error:
            raise self.damaged() from error
        if len(data) != about.file_size:
            raise self.damaged()
        return data


def archive(path):
    """A folder or zip."""
    return Folder(path) if Path(path).is_dir() else Zip(path)


def require_inside(name, where):
    """A name as a path within a package; raises a UserError if it leads anywhere else."""
    path = PurePosixPath(str(name))
    if not isinstance(name, str) or path.is_absolute() or ".." in path.parts or set(name) & set("\\:\0") or not name:
        raise _leads_out(name, where)
    return path


def _leads_out(name, where):
    words = repr(name) if len(repr(name)) < 100 else f"{repr(name)[:100]}..."
    return UserError(
        f"{where} refers to {words}, which is not in it; nothing else is opened or downloaded. Give the "
        "complete package"
    )
