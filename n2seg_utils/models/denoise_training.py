"""Noise2Void training: from a folder of noisy images to a run folder."""

import math
from dataclasses import asdict

from ..data import drive
from ..data import normalisation as scaling
from ..data.files import list_images, pair_by_name
from ..data.images import open_images
from ..data.split import split
from ..errors import UserError
from ..learning import device
from ..learning.networks import unet
from ..learning.noise2void import Noise2VoidTraining
from ..learning.patches import PatchSampler
from . import n2v_format, supply, training_run
from .claim import Claim
from .denoise_suggestions import settle
from .denoiser import Denoiser, design
from .hiding import blind_spots
from .run_folder import RunFolder
from .suggestions import patch_shape, pool_z

_VALIDATED = 64  # patches, at least


def train_denoiser(settings, watcher=None):
    """Train Noise2Void and keep everything in the run folder.

    Parameters
    ----------
    settings : DenoiseSettings
        Open values are chosen from the data.
    watcher : Watcher, optional
        Is told how the training goes.

    Returns
    -------
    Denoiser

    Raises
    ------
    UserError
        When images, settings or the run folder need a change; before anything is trained.
    """
    return DenoiseWork(settings).train(watcher)


class DenoiseWork:
    """A Noise2Void training, from its settings to its model; nothing is written before :meth:`train`.

    Parameters
    ----------
    settings : DenoiseSettings
    past : Past, optional
        An unfinished training, whose settings these are, to go on with.
    """

    workflow = "denoise"

    def __init__(self, settings, past=None):
        run = RunFolder(settings.check().run)
        self.past, self.asked = past, settings
        if not past:
            run.require_free()
        self.images = images = open_images(drive.bring(settings.images), settings.axes)
        if past:
            past.require_same(images)
            self.start = None if past.state else _start(settings, images)
            architecture, normalisation, self.parts = past.architecture, past.normalisation, past.parts(images)
        else:
            _require_truth(images, settings.truth)
            self.start = start = _start(settings, images)
            if start:
                settings = n2v_format.describe(settings, start.architecture)
            settings = settle(settings, images, device.has_gpu(), start and start.architecture.pool_z)
            architecture = start.architecture if start else design(settings, images[0].size["C"], pool_z(images))
            normalisation = _normalisation(settings, images, start)
            settings = settings.replace(normalisation=normalisation.kind)
            self.parts = split(images, settings.validation_fraction, settings.seed, settings.patch_size)
        device.seed_weights(settings.seed)
        network = self.start.network if self.start else unet(architecture)
        self.model = Denoiser(network, architecture, settings, normalisation, run)
        self.hide = blind_spots(settings, images)
        self.memory = supply.memory(past)
        self.pools, self.refills = self._read(settings)

    def train(self, watcher=None, on_tuning=None):
        """Train, or go on with that; returns the Denoiser. Nothing is tuned."""
        with Claim(self.model.run):
            training_run.require_unfinished(self.past)
            return self._train(watcher)

    def _train(self, watcher):
        model, run = self.model, self.model.run
        if self.past:
            training_run.tidy(run)
        else:
            facts = {"normalisation": asdict(model.normalisation), "network": asdict(model.architecture)}
            training_run.begin(
                run, self.workflow, self.asked, model.settings, self.images, self.parts, self.memory, facts
            )
        example = training_run.example(self.images, self.parts)
        model.settings, _, outcome = training_run.learn(
            run, self.training, model.settings, watcher, lambda: _preview(model, *example), refills=self.refills,
            trained=bool(self.start), network=model.network,
        )  # fmt: skip
        n2v_format.save_config(run / n2v_format.CONFIG, model.settings, model.normalisation, model.architecture)
        training_run.finish(run, model.network, outcome)
        training_run.forget_if_over(run, outcome)
        return model

    def training(self, settings, network):
        """The training as Keras knows it."""
        samplers = [self._sampler(number, use, settings) for number, use in enumerate(supply.SHARES)]
        training = Noise2VoidTraining(network, *samplers, self.hide, settings.seed, settings.loss)
        training.validation_steps = max(training.validation_steps, math.ceil(_VALIDATED / settings.batch_size))
        return training

    def _read(self, settings):
        """What patches are drawn from, for "train" and "validate", and what brings in more if not all fits."""
        pools, refills = {}, []
        for use in supply.SHARES:
            pools[use], refill = supply.pool(
                self.images,
                self.parts,
                use,
                patch_shape(settings),
                self.model.normalisation,
                settings.seed,
                self.memory,
            )
            refills += refill
        return pools, refills

    def _sampler(self, stream, use, settings):
        augment = settings.augment and use == "train"
        flip, turn = augment and self.hide.may_flip, augment and self.hide.may_turn
        shape = patch_shape(settings)
        return PatchSampler(self.pools[use], shape, settings.batch_size, settings.seed, flip, turn, stream=stream)


def _require_truth(images, truth):
    """Refuse a truth that cannot judge, now rather than after the training."""
    if truth and not pair_by_name([image.path for image in images], list_images(truth))[0]:
        example = images[0].path.name
        raise UserError(f"No clean image in {truth} has the name of a noisy one, for example {example}. Rename them")


def _start(settings, images):
    """The model to train further, if there is one."""
    if not settings.pretrained:
        return None
    RunFolder(settings.pretrained).require_start("an n2v model")
    start = Denoiser.load(settings.pretrained)
    start.require_fit(images[0])
    dims = f"{start.architecture.dims}d"
    if settings.dimensions not in ("auto", dims):
        raise UserError(
            f"{settings.pretrained} holds a {dims} model, but dimensions is {settings.dimensions}: use auto"
        )
    if settings.algorithm == "n2v2" and not start.architecture.blur_pool:
        raise UserError(f"{settings.pretrained} does not hold a model of n2v2: use the algorithm n2v")
    if start.architecture.sees is not None:
        raise UserError(
            f"The model in {settings.pretrained} was made by n2v with a network per channel, all of which see the last "
            "channel only: it is not worth training further. Leave 'pretrained' empty"
        )
    return start


def _normalisation(settings, images, start):
    """The scaling that the model to start from knows, unless the new images are of quite another brightness."""
    fitted = scaling.fit(images, settings.normalisation if not start else start.normalisation.kind)
    return start.normalisation if start and scaling.alike(start.normalisation, fitted) else fitted


_BRIEF = 4


def _preview(denoiser, image, plane, rows, columns):
    # Volumes are looked at a little less far than the network does, which the eye cannot tell: this is done often.
    margin = None if denoiser.architecture.dims == 2 else _BRIEF
    noisy, denoised = denoiser.predict_crop(image, plane, rows, columns, margin)
    return {"noisy": noisy[..., 0], "denoised": denoised[..., 0]}
