"""The built-in sample: synthetic fluorescence images with the truth that real ones never have.

Objects are drawn, blurred by the microscope and counted by a camera: photons are Poisson, the reading adds Gaussian
noise, gain and offset turn electrons into grey values, which are whole numbers of 16 bit.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

from ..errors import UserError
from .files import require_absent, whole_file, whole_folder

NAMES = ("nuclei", "spots", "nuclei3d", "spots3d", "two_channels")
LEVELS = ("easy", "medium", "hard")

PIXEL = 0.2  # µm
PLANE = 0.6  # µm from one plane to the next
# Widefield resolution after Zhang, Zerubia, Olivo-Marin (Appl Opt 2007): sigma of the Gaussian nearest to the point
# spread function is 0.225 wavelength / NA laterally and, paraxially, 0.86 wavelength / NA**2 times the index axially.
_NA, _WAVELENGTH, _INDEX = 0.8, 0.52, 1.33
_BLUR = 0.225 * _WAVELENGTH / _NA / PIXEL
_BLUR_DEEP = 0.86 * _INDEX * _WAVELENGTH / _NA**2 / PLANE / 2


@dataclass(frozen=True)
class Camera:
    """A scientific CMOS camera.

    Attributes
    ----------
    offset : float
        Grey value of darkness.
    gain : float
        Grey values per electron.
    read_noise : float
        Standard deviation of a reading, in electrons.
    """

    offset: float = 100.0
    gain: float = 2.0
    read_noise: float = 1.6

    def expose(self, photons, rng):
        """Grey values of a noisy exposure, uint16."""
        electrons = rng.poisson(photons) + rng.normal(0, self.read_noise, photons.shape)
        return np.clip(np.rint(self.offset + self.gain * electrons), 0, 65535).astype("uint16")

    def ideal(self, photons):
        """Grey values of an exposure without noise, float32."""
        return (self.offset + self.gain * photons).astype("float32")


@dataclass(frozen=True)
class Level:
    """How hard a sample is: photons of a typical object at its brightest, of the background, and objects' crowding."""

    photons: float
    background: float
    crowding: float


_LEVELS = {"easy": Level(120, 4, 0.7), "medium": Level(30, 4, 1.0), "hard": Level(9, 4, 1.3)}


def write_sample(name, out, seed=1, count=None, level="medium"):
    """Make a sample data set on disk: ``images/`` (noisy), ``clean/`` (truth) and ``masks/`` (labels).

    Parameters
    ----------
    name : str
        nuclei, spots, nuclei3d, spots3d, or two_channels (nuclei and spots in one image; labels of the nuclei).
    out : path
        Folder; files already there are never overwritten.
    seed : int
        The same seed gives the same images.
    count : int, optional
        Number of images; default 12, or 3 in 3D.
    level : str
        easy, medium or hard.

    Returns
    -------
    Path
        The folder.
    """
    out = Path(out)
    if name not in NAMES:
        raise UserError(f"There is no sample '{name}': choose one of {', '.join(NAMES)}")
    count = count or (3 if name.endswith("3d") else 12)
    files = {
        kind: [out / kind / f"{name}_{i + 1:02d}.tif" for i in range(count)] for kind in ("images", "clean", "masks")
    }
    require_absent([file for kind in files.values() for file in kind])
    for i in range(count):
        noisy, clean, labels = make_image(name, seed=(seed, i), level=level)
        for kind, pixels in (("images", noisy), ("clean", clean), ("masks", labels)):
            _write(files[kind][i], pixels, name)
    return out


def sample_folder(out, name="nuclei"):
    """The built-in sample in a folder, made if it is not there yet; see :func:`write_sample`."""
    out = Path(out)
    if not out.exists():
        with whole_folder(out) as temporary:
            write_sample(name, temporary)
    return out


def annotate_few(folder):
    """Pretend that only a third of a sample's images, and at least two, were annotated: their masks in a folder beside
    the others, made if it is not there yet.

    Returns
    -------
    Path
        The folder of these masks.
    """
    masks, few = Path(folder) / "masks", Path(folder) / "few_masks"
    if not few.exists():
        files = sorted(masks.iterdir())
        with whole_folder(few) as temporary:
            for file in files[: max(2, len(files) // 3)]:
                shutil.copyfile(file, temporary / file.name)
    return few


def make_image(name, seed=1, level="medium", shape=None):
    """One synthetic image.

    Parameters
    ----------
    name, level : str
        See :func:`write_sample`.
    seed : int or tuple of int
    shape : tuple of int, optional
        (Y, X) or (Z, Y, X); default (256, 256), or (24, 96, 96).

    Returns
    -------
    noisy : ndarray, uint16
        (Y, X), (Z, Y, X) or, with two channels, (C, Y, X).
    clean : ndarray, float32
        What the camera would record without noise.
    labels : ndarray, uint16
        0 is background, each object has a number.
    """
    if level not in _LEVELS:
        raise UserError(f"There is no level '{level}': choose one of {', '.join(LEVELS)}")
    if name == "two_channels":
        nuclei, spots = (make_image(kind, seed, level, shape) for kind in ("nuclei", "spots"))
        return np.stack([nuclei[0], spots[0]]), np.stack([nuclei[1], spots[1]]), nuclei[2]
    rng = np.random.default_rng([NAMES.index(name), *np.atleast_1d(seed)])
    deep = name.endswith("3d")
    shape = shape or ((24, 96, 96) if deep else (256, 256))
    light, labels = (_nuclei if name.startswith("nuclei") else _spots)(shape, _LEVELS[level], rng)
    blur = (_BLUR_DEEP, _BLUR, _BLUR) if deep else (_BLUR, _BLUR)
    # Light from above and below the focus lies as a haze over a 2D image; in 3D it is in the stack already.
    haze = 0 if deep else 0.15 * gaussian_filter(light, 12)
    photons = gaussian_filter(light, blur) + haze + _LEVELS[level].background
    camera = Camera()
    return camera.expose(photons, rng), camera.ideal(photons), labels


def _nuclei(shape, level, rng):
    """Bright, textured, slightly irregular ellipses; some touch."""
    light, labels = np.zeros(shape), np.zeros(shape, "uint16")
    squeeze = np.ones(len(shape))
    if len(shape) == 3:
        squeeze[0] = PIXEL / PLANE
    wanted = max(1, int(level.crowding * np.prod(shape / squeeze[: len(shape)]) / (1800 if len(shape) == 2 else 30000)))
    texture = gaussian_filter(rng.normal(size=shape), 2.5 * squeeze)
    texture = 1 + 0.25 * texture / texture.std()
    fine = gaussian_filter(rng.normal(size=shape), 1.0 * squeeze)
    texture += 0.12 * fine / fine.std()
    number = 0
    for _ in range(20 * wanted):
        if number == wanted:
            break
        inside, where = _blob(shape, squeeze, rng)
        # A nucleus may touch its neighbours but takes at most a little of their room.
        free = labels[where] == 0
        if (inside & ~free).sum() > 0.08 * inside.sum():
            continue
        number += 1
        inside &= free
        labels[where][inside] = number
        light[where][inside] = level.photons * rng.lognormal(-0.1, 0.45) * np.clip(texture[where][inside], 0.2, None)
    return light, labels


def _blob(shape, squeeze, rng):
    """An irregular ellipse at a random place: a boolean block and where it lies."""
    radii = rng.uniform(9, 14, len(shape)) * squeeze
    centre = rng.uniform(0, shape)
    reach = np.ceil(radii.max() / squeeze.min() * squeeze * 1.3).astype(int)
    low = np.maximum(0, centre.astype(int) - reach)
    high = np.minimum(shape, centre.astype(int) + reach + 1)
    where = tuple(slice(a, b) for a, b in zip(low, high))
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing="ij"), -1) - centre
    turn = rng.uniform(0, np.pi)
    y, x = grid[..., -2].copy(), grid[..., -1].copy()
    grid[..., -2], grid[..., -1] = np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x
    angle = np.arctan2(grid[..., -2], grid[..., -1])
    waves = sum(rng.normal(0, 0.05) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4))
    return (np.square(grid / radii).sum(-1)) < np.square(1 + waves), where


def _spots(shape, level, rng):
    """Point-like signals of very different brightness over faint, uneven cells."""
    per_area = 900 if len(shape) == 2 else 9000
    count = max(3, int(level.crowding * np.prod(shape) / per_area))
    light, labels = np.zeros(shape), np.zeros(shape, "uint16")
    squeeze = np.array([PIXEL / PLANE, 1, 1][-len(shape) :])
    cells = gaussian_filter(rng.normal(size=shape), 20 * squeeze)
    light += level.background * np.clip(cells / cells.std(), 0, None)
    spread = 2 * np.pi * _BLUR**2 * (1 if len(shape) == 2 else np.sqrt(2 * np.pi) * _BLUR_DEEP)
    for number in range(1, count + 1):
        centre = rng.uniform(np.minimum(2, np.array(shape) / 4), np.array(shape) - 2)
        corner = np.floor(centre).astype(int)
        # A point between pixels is shared by its neighbours, so that its place is kept below a pixel.
        brightness = level.photons * spread * rng.lognormal(0, 0.6)
        for offset in np.ndindex(*(2,) * len(shape)):
            place = np.minimum(corner + offset, np.array(shape) - 1)
            light[tuple(place)] += brightness * np.prod(1 - np.abs(centre - (corner + offset)))
        radii = np.maximum(2.5 * squeeze, 1.5)
        low = np.maximum(0, np.floor(centre - radii)).astype(int)
        ball = [slice(a, b) for a, b in zip(low, np.minimum(shape, np.ceil(centre + radii).astype(int) + 1))]
        grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in ball), indexing="ij"), -1)
        inside = np.square((grid - centre) / radii).sum(-1) <= 1
        block = labels[tuple(ball)]
        block[inside & (block == 0)] = number
    return light, labels


def _write(path, pixels, name):
    axes = "YX" if pixels.ndim == 2 else "CYX" if name == "two_channels" else "ZYX"
    metadata = {"axes": axes, "unit": "um"}
    metadata |= {"Z": {"spacing": PLANE}, "C": {"mode": "composite", "Labels": ["nuclei", "spots"]}}.get(axes[0], {})
    with whole_file(path) as temporary:
        tifffile.imwrite(temporary, pixels, imagej=True, resolution=(1 / PIXEL, 1 / PIXEL), metadata=metadata)
