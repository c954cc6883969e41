"""Starting from a model that was trained for something else, as far as its network fits."""

from dataclasses import dataclass, replace

from ..errors import UserError
from ..learning import encoders
from ..learning.networks import Architecture
from . import n2v_format, weights
from .run_folder import RunFolder


@dataclass(frozen=True)
class Start:
    """A model to start from.

    Attributes
    ----------
    folder : RunFolder
    file : Path
        Its weights.
    architecture : Architecture
    workflow : str
        What it was trained for.
    """

    folder: RunFolder
    file: object
    architecture: Architecture
    workflow: str

    def describe(self, settings):
        """The settings, with what they say of the network as this model has it."""
        return n2v_format.describe_network(settings, self.architecture)

    def design(self, wanted):
        """The architecture of the new model: this one's, with the inputs and outputs that are wanted."""
        return replace(
            self.architecture, channels=wanted.channels, outputs=wanted.outputs, together=True, residual=False,
            last_activation="linear", dropout=wanted.dropout, sees=None,
        )  # fmt: skip

    def put_into(self, network, what, workflow):
        """Load what fits and freeze what is asked for; says what was loaded and what not.

        Parameters
        ----------
        network : keras.Model
        what : str
            What to freeze: "nothing", "encoder", or "all_but_last".
        workflow : str
            What the network is to be trained for.

        Returns
        -------
        dict
            ``from``, ``loaded`` and ``new`` (names of layers), ``frozen`` and their ``places`` in the network.
        """
        try:
            loaded, new = weights.load_fitting(network, self.file, () if self.workflow == workflow else ("output",))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.folder.damaged(self.file.name) from error
        if not loaded:
            raise UserError(
                f"No layer of the model in {self.folder.path} fits this network. Give another model, or leave "
                "'pretrained' empty"
            )
        frozen = _frozen(network, what, loaded)
        places = [place for place, layer in enumerate(network.layers) if layer.name in frozen]
        return {"from": str(self.folder.path), "loaded": loaded, "new": new, "frozen": frozen, "places": places}


def open_start(settings):
    """The model that the settings name to start from; None if they name none.

    Raises
    ------
    UserError
        When it is no model, or of other dimensions.
    """
    if not settings.pretrained:
        return None
    folder = RunFolder(settings.pretrained).require_start("an n2v, csbdeep or DenoiSeg model")
    if folder.made_by_n2v:
        architecture, file = n2v_format.load_architecture(folder.path)
    else:
        try:
            architecture = Architecture(**folder.facts()["network"])
        except (KeyError, TypeError, ValueError) as error:
            raise folder.damaged("run.json") from error
        file = folder / weights.BEST
    try:
        weights.require_for(architecture, file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise folder.damaged(file.name) from error
    dims = f"{architecture.dims}d"
    if settings.dimensions not in ("auto", dims):
        raise UserError(f"{folder.path} holds a {dims} model, but dimensions is {settings.dimensions}: use auto")
    if architecture.channels > 1 and not architecture.together:
        raise UserError(
            f"{folder.path} holds a network for each channel apart, from which segmentation cannot start. Give a model "
            "that sees all channels together"
        )
    if architecture.encoder != encoders.NONE and "encoder" not in settings.knobs():
        raise UserError(
            f"The model in {folder.path} has the encoder {architecture.encoder}, which only segmentation can go on "
            "with. Give a model without one"
        )
    if architecture.in_turn:
        raise UserError(
            f"{folder.path} holds two networks in turn, from which no training can start. Give a model of one network: "
            "of notebook 1 or 2, or of schedule constant"
        )
    return Start(folder, file, architecture, folder.workflow)


def learned_before(settings, past=None):
    """Weights that an encoder learned from photographs, if settings ask for them: layer -> arrays; else None.

    A training that goes on, `past`, with weights of its own does without.

    Raises
    ------
    UserError
        See :func:`~n2seg_utils.learning.encoders.fetch`.
    """
    wanted = getattr(settings, "encoder_weights", encoders.NONE) != encoders.NONE  # joint training has none
    return encoders.fetch(settings.encoder) if wanted and not (past and past.state) else None


def put_encoder(network, name, stored, what):
    """Give a network's way down the weights that it learned from photographs, and freeze it if that is asked for.

    Parameters
    ----------
    network : keras.Model
    name : str
        Of the encoder.
    stored : dict
        See :func:`~n2seg_utils.learning.encoders.fetch`.
    what : str
        What to freeze: "nothing" or "encoder".

    Returns
    -------
    dict
        As of :meth:`Start.put_into`.
    """
    loaded = encoders.put(network, stored)
    frozen = loaded if what == "encoder" else []
    places = [place for place, layer in enumerate(network.layers) if layer.name in frozen]
    for place in places:
        network.layers[place].trainable = False
    new = [layer.name for layer in network.layers if layer.weights and layer.name not in loaded]
    origin = f"{name}, as it was trained with ImageNet"
    return {"from": origin, "loaded": loaded, "new": new, "frozen": frozen, "places": places}


def _frozen(network, what, loaded):
    """Leave layers that were loaded out of the training; returns their names."""
    if what == "nothing":
        return []
    names = [layer.name for layer in network.layers]
    up = next(i for i, name in enumerate(names) if name.startswith("up_level"))
    chosen = names[:up] if what == "encoder" else [name for name in names if name != "output"]
    frozen = [name for name in chosen if name in loaded]
    for name in frozen:
        network.get_layer(name).trainable = False
    return frozen


def freeze_again(network, started):
    """Leave the layers out of the training that :meth:`Start.put_into` left out, whose answer this is."""
    for place in started.get("places", []):  # their names are others in each process
        network.layers[place].trainable = False
