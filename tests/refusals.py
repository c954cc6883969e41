"""What every refusal keeps to, and the small files that tests are made of."""

import re

import numpy as np
import tifffile

from n2seg_utils.cli import main

REMEDY = (
    r"(?i)\b(use|give|put|save|remove|replace|choose|check|restore|move|make room|did you mean|write|must be|see|rename"
    r"|renumber|copy|export|draw|annotate|leave)\b"
)


def contents(folder):
    """Every file below a folder, hidden ones too, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def require_refusal(arguments, capfd, folder, status=2, out=None):
    """Run the command: it must end with this status and one message that has a remedy, and lose nothing.

    Parameters
    ----------
    arguments : sequence
    capfd
        pytest's fixture.
    folder : Path
        Where no file may change, and none may be added.
    out : Path, optional
        A folder below it to which whole files may be added.

    Returns
    -------
    str
        The message.
    """
    capfd.readouterr()
    before = contents(folder)
    found = main([str(argument) for argument in arguments])
    said, err = capfd.readouterr()
    assert "Traceback" not in err + said
    assert found == status, err + said
    assert err.startswith("n2seg: "), err
    assert err.count("n2seg: ") == 1, err
    assert status != 2 or re.search(REMEDY, err), err
    after = contents(folder)
    added = [path for path in after if path not in before]
    assert all(out and out in path.parents and not path.name.startswith(".") for path in added), added
    assert before.items() <= after.items(), "what was there is as it was"
    return err


def noise(*shape, dtype="uint16", seed=0):
    """An image of nothing but noise."""
    return np.random.default_rng(seed).integers(90, 300, shape).astype(dtype)


def write(path, pixels, **options):
    """Write a TIFF, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, **options)
    return path
