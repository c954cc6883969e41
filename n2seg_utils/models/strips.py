"""OME-Zarr images denoised strip by strip: by one process or by several, and gone on with after a stop."""

from ..data import ome_zarr
from ..data.images import quick_to_read
from ..data.zarr_writing import Strips


def strip_count(model, image):
    """Into how many strips an image is cut."""
    return len(_strips(model, image, image.path, "float32").all())


def denoise_strips(denoiser, image, out, dtype, display=None, tile="auto", on_tile=None, mine=None):
    """Denoise strips of an OME-Zarr image that are not done yet; with the last of all of them the result is there.

    Parameters
    ----------
    denoiser : Denoiser
    image : ImageFile
    out : Path
    dtype : dtype
    display : (float, float), optional
        Darkest and brightest value that viewers show at first.
    tile, on_tile
        See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_file`.
    mine : list of int, optional
        The strips to do; default: all.
    """
    strips = _strips(denoiser, image, out, dtype)
    pieces = strips.all()
    mine = range(len(pieces)) if mine is None else mine
    missing = [number for number in mine if not strips.is_done(number)]
    write, scale = strips.begin(display), denoiser.normalisation.for_image(image)
    for place, number in enumerate(missing, len(mine) - len(missing)):

        def told(done, tiles, place=place):
            if on_tile:
                on_tile(place + done / tiles, len(mine))

        _denoise(denoiser, *pieces[number], scale, write, tile, told)
        strips.done(number)
    strips.finish()


def _strips(model, image, out, dtype):
    about = ome_zarr.metadata_file(image.path).stat()
    made_from = [
        str(image.path.resolve()), image.axes, image.shape, about.st_size, about.st_mtime_ns,
        str(model.run.path), model.run.facts().get("ended"), model.settings.orientations,
    ]  # fmt: skip
    network = model.architecture
    return Strips(out, image, dtype, network.dims, network.reach[-2], made_from)


def _denoise(denoiser, frame, rows, scale, write, tile, told):
    """Denoise some rows of a frame, seeing those around them that the network looks at."""
    network = denoiser.architecture
    reach, block, height = network.reach[-2], network.block[-2], frame.shape[-2]
    # Poolings must fall on the same pixels as in the whole image.
    top, bottom = max(0, rows.start - reach) // block * block, min(height, rows.stop + reach)
    shape = (*frame.shape[:-2], bottom - top, frame.shape[-1])

    def read_piece(*where):
        return read(*where[:-2], where[-2] + top, where[-1])

    def write_piece(where, values):
        here = where[-2]
        first, last = max(here.start + top, rows.start), min(here.stop + top, rows.stop)
        if first < last:
            inside = slice(first - top - here.start, last - top - here.start)
            write(frame.number, (*where[:-2], slice(first, last), where[-1]), values[..., inside, :, :])

    with quick_to_read(frame) as read:
        denoiser.predictor(shape, tile).predict(shape, read_piece, write_piece, scale.apply, scale.undo, told)
