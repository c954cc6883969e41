"""What all trained models do: open images as they know them, and work through folders."""

import os
from functools import partial
from pathlib import Path

import numpy as np

from ..data.arrays import open_array
from ..data.files import FOLDER_ENDING, list_images, require_absent, stem
from ..data.images import open_image
from ..data.ome_zarr import is_zarr
from ..data.parts import EVERYTHING
from ..errors import UserError
from ..learning import device
from ..learning.networks import unet
from ..learning.prediction import TiledPredictor, tile_for_memory
from . import weights
from .strips import strip_count

LEAST_TILE = 32  # pixels


class TrainedModel:
    """A trained network with all that is needed to apply it.

    Attributes
    ----------
    network : keras.Model
    architecture : Architecture
    settings : TrainingSettings
    normalisation : object
        Scales the pixels of an image to what the network knows.
    run : RunFolder
    largest_tile : int or None
        Side of the tiles that the device's memory has room for, once larger ones did not fit.
    in_strips : bool
        Whether one OME-Zarr image can be worked on by several processes, and gone on with.
    """

    largest_tile, in_strips = None, False

    def __init__(self, network, architecture, settings, normalisation, run):
        self.network, self.architecture = network, architecture
        self.settings, self.normalisation, self.run = settings, normalisation, run

    def predict(self, image, axes="auto", tile="auto"):
        """Apply the model to an array.

        Parameters
        ----------
        image : array_like
            Grey values.
        axes : str
            What its dimensions mean, in any order: Y and X, and as far as there are such dimensions Z depth, C
            channel, T time, and S for images that have nothing to do with each other. "auto": as :meth:`open`.
        tile : "auto" or int
            Side of the tiles in pixels.

        Returns
        -------
        ndarray, or named tuple of ndarray
            Denoised grey values, float32, of the same shape; or labels, int32, of the same shape without C; or, of
            models that do both, ``denoised, labels``. The same numbers that :meth:`predict_file` writes.

        Raises
        ------
        UserError
            If the array is not of the kind that the model was trained with, or the tile no size.
        """
        require_tile(tile)
        if axes.lower() != "auto" and "S" in axes.upper():
            return self._predict_samples(np.asarray(image), axes.upper(), tile)
        opened = self._open(partial(open_array, image), axes)
        self.require_fit(opened)
        return self.predict_image(opened, tile)

    def predict_image(self, image, tile="auto"):
        """What :meth:`predict` gives for an ArrayImage that fits the model."""
        raise NotImplementedError

    def _predict_samples(self, images, axes, tile):
        if len(axes) != images.ndim or axes.count("S") != 1 or 0 in images.shape:
            raise UserError(
                f"The axes '{axes}' do not fit the array of shape {images.shape}. Give one letter a dimension"
            )
        place = axes.index("S")
        rest = axes.replace("S", "")
        found = [self.predict(one, rest, tile) for one in np.moveaxis(images, place, 0)]

        def stacked(arrays):  # labels have no channels
            before = axes[:place].replace("C", "") if arrays[0].ndim < len(rest) else axes[:place]
            return np.stack(arrays, axis=len(before))

        if isinstance(found[0], tuple):
            return type(found[0])(*(stacked(arrays) for arrays in zip(*found)))
        return stacked(found)

    def predict_file(self, image, out, tile="auto", on_tile=None, **options):
        """Apply the model to one ImageFile and write the result.

        Parameters
        ----------
        image : ImageFile
        out : path
        tile : "auto" or int
            Side of the tiles in pixels.
        on_tile : callable, optional
            ``on_tile(done, total)`` while the work goes on.
        **options
            What the kind of model knows.
        """
        raise NotImplementedError

    def target_file(self, out, file):
        """Where in a folder of results that of an image goes."""
        return Path(out) / result_name(file)

    def beside(self, target, **options):
        """What :meth:`predict_file` writes beside a result, with these options: a list of Path."""
        return []

    def add_missing(self, image, target, tile="auto", on_tile=None, **options):
        """Write what :meth:`predict_file` would have written beside a result that is there, as far as it is not."""

    def predict_folder(
        self, images, out, tile="auto", on_progress=None, keep_existing=False, axes="auto", part=EVERYTHING, **options
    ):
        """Apply the model to a folder of images (or one file), one file at a time, into another folder.

        Files that exist are never overwritten.

        Parameters
        ----------
        images, out : path
        tile, **options
            See :meth:`predict_file`.
        on_progress : callable, optional
            ``on_progress(share, name)``: the share of the files that is done, and the one at work.
        keep_existing : bool
            Go on where an earlier call stopped, instead of refusing when a result is there already.
        axes : str
            What the dimensions mean; see :meth:`open`.
        part : Part
            Do a part of the work, while other processes do the others.

        Returns
        -------
        list of Path
            The results, in the order of the images.
        """
        require_tile(tile)
        files = list_images(images)
        _require_distinct(files, [self.target_file(out, file) for file in files])
        work = list(part.share(files, lambda file: self._strip_count(file, axes)))
        targets = [self.target_file(out, file) for file, _ in work]
        if not keep_existing:
            require_absent([*targets, *(file for target in targets for file in self.beside(target, **options))])
        for folder in {target.parent for target in targets}:
            if folder.resolve() == files[0].parent.resolve():
                raise UserError(f"{folder} is the folder of the images. Choose another folder for the results")
        for file, _ in work:  # all of them before the first takes its time; none is kept, for there may be many
            self.require_fit(self.open(file, axes))
        for number, ((file, strips), target) in enumerate(zip(work, targets)):

            def report(done, total, number=number, file=file):
                if on_progress:
                    short = self.largest_tile
                    how = f", in tiles of {short} pixels since there is little memory" if short else ""
                    on_progress((number + done / total) / len(work), f"{file.name}{how}")

            there = os.path.exists(target)
            more = {} if there or strips is None else {"strips": strips}
            write = self.add_missing if there else self.predict_file
            write(self.open(file, axes), target, tile=tile, on_tile=report, **options, **more)
        return targets

    def _strip_count(self, file, axes):
        """How many strips of an image can be worked on apart; None of one that is done as a whole."""
        return strip_count(self, self.open(file, axes)) if self.in_strips and is_zarr(file) else None

    def open(self, file, axes="auto"):
        """Open an image with these axes; else as the training images were, if it has as many dimensions; else as it
        says itself. Of a file that says nothing, a model of volumes takes time for depth."""
        return self._open(partial(open_image, file), axes)

    def _open(self, with_axes, axes):
        image = with_axes(axes)
        if axes.lower() != "auto":
            return image
        if self.settings.axes != "auto" and len(image.shape) == len(self.settings.axes):
            return with_axes(self.settings.axes)
        if self.architecture.dims == 3 and image.guessed and "Z" not in image.axes:
            return with_axes(image.axes.replace("T", "Z"))
        return image

    def require_fit(self, image):
        """Raise a UserError if an image is not of the kind that this model was trained with."""
        channels = self.architecture.channels
        if image.size["C"] != channels:
            raise UserError(
                f"{image.path} has {image.size['C']} channels, but the model in {self.run.path} was trained "
                f"with {channels}. Use images like those it was trained with"
            )
        if self.architecture.dims == 3 and image.size["Z"] == 1:
            raise UserError(
                f"{image.path} is {image.describe()}, but the model in {self.run.path} was trained with volumes. "
                "Use images like those it was trained with, or give their axes, for example ZYX"
            )

    def predictor(self, shape, tile="auto"):
        """What predicts frames (Y, X) or (Z, Y, X) of this shape, tile by tile."""
        depth = shape[0] if self.architecture.dims == 3 else None
        side = tile_for_memory(device.free_memory(), self.architecture, depth) if tile == "auto" else int(tile)
        side = min(side, self.largest_tile or side)
        return TiledPredictor(self.network, self.architecture, side, self.settings.orientations, self._remember)

    def _remember(self, tile):
        self.largest_tile = tile

    def answers_of(self, network, pixels, channels, restore=np.asarray):
        """What a network like this model's says of a scaled image (Y, X, C), or (Z, Y, X, C), tile by tile: as many
        channels, float32, after `restore`."""
        shape = pixels.shape[:-1]
        result, predictor = np.empty((*shape, channels), "float32"), self.predictor(shape)
        predictor.network = network
        predictor.predict(shape, lambda *where: pixels[np.ix_(*where)], result.__setitem__, np.asarray, restore)
        return result

    def surroundings(self, image, plane, rows, columns, margin=None):
        """A piece of one plane with all that the network must see so that its answer is that for the whole image.

        Parameters
        ----------
        image : ImageFile
        plane : int
            Counts through Z, then T.
        rows, columns : slice
        margin : int, optional
            How far to look around at most; default: as far as the network does.

        Returns
        -------
        pixels : ndarray (Y, X, C) or (Z, Y, X, C)
        inside : tuple
            What of it is the piece: slices, and the number of the plane in 3D.
        """
        self.require_fit(image)
        frames = image.frames(self.architecture.dims)
        number, z = (plane, None) if self.architecture.dims == 2 else divmod(plane, image.size["Z"])
        window = [rows, columns] if z is None else [slice(z, z + 1), rows, columns]
        around, inside = [], []
        for piece, size, reach, block in zip(
            window, frames[number].shape, self.architecture.reach, self.architecture.block
        ):
            reach = reach if margin is None else min(reach, margin)
            # Poolings must fall on the same pixels as in the whole image.
            start = max(0, piece.start - reach) // block * block
            around.append(slice(start, min(size, piece.stop + reach)))
            inside.append(slice(piece.start - start, min(size, piece.stop) - start))
        if z is not None:
            inside[0] = inside[0].start
        return frames[number].read(*around), tuple(inside)


def require_tile(tile):
    """Raise a UserError unless this is "auto" or a side of tiles that can be used, as a number or as text."""
    if isinstance(tile, str):
        fits = tile == "auto" or (tile.isdecimal() and int(tile) >= LEAST_TILE)
    else:
        fits = isinstance(tile, int | np.integer) and not isinstance(tile, bool) and tile >= LEAST_TILE
    if not fits:
        raise UserError(f"tile is {tile!r}; it must be 'auto' or a whole number of at least {LEAST_TILE}: use 'auto'")


def of_frame(on_tile, frame, frames):
    """Tells how far the tiles of one frame are, as a share of all frames; None if nobody wants to know."""
    return on_tile and (lambda done, tiles: on_tile(frame.number + done / tiles, len(frames)))


def load_network(architecture, file, run):
    """A network with the weights of a file of a run.

    Raises
    ------
    UserError
        If the file is damaged or of another network.
    """
    try:
        weights.require_for(architecture, file)
        network = unet(architecture)
        weights.load(network, file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise run.damaged(Path(file).name) from error
    return network


def result_name(file):
    """What the result of an image is called: of OME-Zarr images it is one, too; of others a TIFF."""
    return stem(file) + (".ome.zarr" if Path(file).suffix.lower() == FOLDER_ENDING else ".tif")


def _require_distinct(files, targets):
    seen = {}
    for file, target in zip(files, targets):
        if target in seen:
            raise UserError(f"{seen[target]} and {file.name} would both become {target.name}. Rename one of them")
        seen[target] = file.name
