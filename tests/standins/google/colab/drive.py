"""Google Drive, as a folder; the user may refuse."""

from pathlib import Path

refused = False
mounted = []


class MessageError(Exception):
    """What Colab raises when permission is refused."""


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    if refused:
        raise MessageError("Error: <credential propagation> was unsuccessful")
    (Path(mountpoint) / "MyDrive").mkdir(parents=True, exist_ok=True)
    mounted.append(mountpoint)
