"""Segmentation training: from images and masks to a run folder."""

import contextlib
from dataclasses import asdict, replace

import numpy as np

from ..data import normalisation as scaling
from ..data.targets import recognise
from ..errors import Terminated, UserError
from ..learning import device
from ..learning.annotated_patches import AnnotatedSampler
from ..learning.networks import unet
from ..learning.segmentation import SegmentationLoss, SegmentationTraining
from ..quality.painting import painted
from ..settings.segment import SegmentSettings
from . import segment_suggestions, supply, training_run, transfer
from .annotated_data import Annotator, annotated_images, in_units_of, variation, weights_of
from .annotated_split import require_classes, split_annotated
from .checkpoints import Checkpoints
from .claim import Claim
from .fingerprint import fingerprint_of_mask
from .objects import Rule
from .run_folder import RunFolder
from .segmenter import Segmenter, design
from .suggestions import patch_shape, pool_z
from .tuning import tune_segmenter

_ATTEMPTS = 3
_VALIDATED = 1_500_000  # pixels, at least, of an epoch's validation, if there are as many


def train_segmenter(settings, watcher=None, on_tuning=None):
    """Train a U-Net on annotated images, tune how its probabilities become labels, and keep everything.

    Parameters
    ----------
    settings : SegmentSettings
        Open values are chosen from the data. Images without a mask are left out.
    watcher : Watcher, optional
        Is told how the training goes.
    on_tuning : callable, optional
        ``on_tuning(share, words)`` while the rule is tuned.

    Returns
    -------
    Segmenter

    Raises
    ------
    UserError
        When images, masks, settings or the run folder need a change, before anything is trained; or when the training
        finds nothing but background, however often it is begun anew.
    """
    from .label_kinds import work_for

    return work_for(settings)(settings).train(watcher, on_tuning)


class SegmentWork:
    """A training on annotated images, from its settings to its model.

    Made in the order in which things depend on each other; nothing is written before :meth:`train`. What another kind
    of training on annotated images does otherwise, it overrides.

    Parameters
    ----------
    settings : SegmentSettings
    past : Past, optional
        An unfinished training, whose settings these are, to go on with.
    """

    workflow, kind_of_model = "segment", Segmenter
    annotator, batch_norm_steadies = Annotator, True
    collapsed, score = "found nothing but background", None  # what the best epoch has most of, if not the usual one
    open = staticmethod(annotated_images)
    suggest = staticmethod(segment_suggestions.suggest)
    settle = staticmethod(segment_suggestions.settle)
    design = staticmethod(design)

    def __init__(self, settings, past=None):
        run = RunFolder(settings.check().run)
        self.images, masks = self.open(settings)
        self.past, self.asked, self.start = past, settings, None
        if past:
            past.require_same(self.images, _drawn(masks))
            target, architecture, normalisation = past.target, past.architecture, past.normalisation
            # With weights of its own, a training can do without those that it started from.
            with contextlib.suppress(UserError) if past.state else contextlib.nullcontext():
                self.start = transfer.open_start(settings)
        else:
            run.require_free()
            target = self.understand(settings, _drawn(masks))
            settings, architecture = self._designed(settings, target)
            normalisation = self.scale(settings)
        self.annotate = self.annotator(self.images, masks, target, settings.method == "distance")
        self.parts = past.parts(self.images) if past else self.split(settings)
        self.model = self.kind_of_model(None, architecture, settings, normalisation, run, target)
        self.memory = supply.memory(past)
        # A training that was begun anew has another seed, but reads the same pixels.
        self.pools, self.refills = self.read(settings.replace(seed=past.facts["seed"]) if past else settings)
        self.class_weights = past.facts["class_weights"] if past else self.weigh(settings)

    def _designed(self, settings, target):
        """The settings with every open value chosen, and the network that they ask for."""
        require_classes(target, settings)
        self.start = start = transfer.open_start(settings)
        if start:
            settings = start.describe(settings)
        settings = self.settle(settings, self.images, target, device.has_gpu(), start and start.architecture.pool_z)
        plain = self.design(settings, self.images[0].size["C"], target, pool_z(self.images))
        return settings, start.design(plain) if start else plain

    def train(self, watcher=None, on_tuning=None):
        """Train, or go on with that, and tune the rule; returns the model."""
        with Claim(self.model.run):
            training_run.require_unfinished(self.past)
            return self._train(watcher, on_tuning)

    def _train(self, watcher, on_tuning):
        model, run, plan = self.model, self.model.run, None
        stored = transfer.learned_before(model.settings, self.past)
        if self.past:
            training_run.tidy(run)
        else:
            self._begin()
        example = training_run.example(self.images, self.shown())
        for attempt in range(1 + len(run.facts().get("restarts", [])), 1 + _ATTEMPTS):
            device.seed_weights(model.settings.seed)
            model.network = unet(model.architecture)
            worth = self._put_in(model.network, stored)
            if plan:
                plan = replace(plan, learning_rate=model.settings.learning_rate)
            model.settings, plan, outcome = training_run.learn(
                run, lambda settings, learner: self.training(learner, settings), model.settings, watcher,
                lambda: self.preview(*example), plan, self.refills, trained=worth, patience=model.settings.patience,
                network=model.network,
            )  # fmt: skip
            if outcome.stopped not in ("collapsed", "diverged") or outcome.best_score > 0.01 or attempt == _ATTEMPTS:
                break
            self.begin_gently(watcher, outcome.stopped)
        if outcome.stopped == "collapsed":
            run.finish("collapsed")
            Checkpoints(run).remove()
            masks = model.settings.masks
            look = f"Look at the masks in {masks} over the images: do they lie on what they mark, and is enough drawn?"
            raise UserError(
                f"The training {self.collapsed}, {_ATTEMPTS} times, each with a new start. "
                + (look if masks else "Draw masks of some images, and train with them")
            )
        training_run.finish(run, model.network, outcome)
        try:
            self.tune(on_tuning)
        except Terminated:
            raise
        except KeyboardInterrupt:  # whoever stops the tuning keeps the model, with the usual numbers
            pass
        training_run.forget_if_over(run, outcome)
        return model

    def understand(self, settings, masks):
        """What masks mean: a Target."""
        return recognise(masks, settings.target)

    def tune(self, on_tuning):
        """Tune how probabilities become labels."""
        tune_segmenter(self.model, self.images, self.parts, self.annotate, on_tuning)

    def _begin(self):
        """Write down what is known before the training."""
        model = self.model
        facts = {"normalisation": model.normalisation, "network": model.architecture, "target": model.target}
        facts = {name: asdict(value) for name, value in (facts | {"rule": Rule()}).items()}
        masks = [fingerprint_of_mask(mask) for mask in _drawn(self.annotate.masks.values())]
        training_run.begin(
            model.run, self.workflow, self.asked, model.settings, self.images, self.parts, self.memory,
            facts | {"class_weights": self.class_weights, "annotated": self._annotated(), "masks": masks},
        )  # fmt: skip

    def _put_in(self, network, stored):
        """Load the weights to start from, if any; whether they make the network worth something already."""
        start, run, settings = self.start, self.model.run, self.model.settings
        if stored:
            run.note(start=transfer.put_encoder(network, settings.encoder, stored, settings.freeze))
            return False
        if start:
            started = start.put_into(network, settings.freeze, self.workflow)
            run.note(start=started)
            return start.workflow == self.workflow and not started["new"]
        transfer.freeze_again(network, run.facts().get("start", {}))
        return False

    def _annotated(self):
        """Use -> names of the annotated images."""
        names = {use: [self.images[part.image].path.name for part in self.shown() if part.use == use]
                 for use in supply.SHARES}  # fmt: skip
        return {use: sorted(set(some)) for use, some in names.items()}

    def scale(self, settings):
        """How images are scaled: a Percentiles."""
        return scaling.fit_percentiles(self.images, settings.normalisation)

    def split(self, settings):
        """Which images train and which validate: a list of Part."""
        return split_annotated(self.images, self.annotate, settings)

    def shown(self):
        """The parts of which a piece may be shown while training."""
        return self.parts

    def read(self, settings):
        """What patches are drawn from, for "train" and "validate", and what brings in more if not all fits."""
        pools, refills = {}, []
        for use in supply.SHARES:
            pools[use], refill = supply.pool(
                self.images, self.parts, use, patch_shape(settings), self.model.normalisation, settings.seed,
                self.memory, self.annotate, self.annotate.values,
            )  # fmt: skip
            refills += refill
        return pools, refills

    def training(self, network, settings):
        """The training as Keras knows it."""
        samplers, count = self.samplers(settings, settings.batch_size), settings.batch_size
        training = SegmentationTraining(network, *samplers, settings.seed, self.loss(settings), self.score)
        training.validation_steps = self.validation_steps(settings, count)
        return training

    def samplers(self, settings, count):
        """What draws `count` annotated patches a batch, for training and for validation."""
        shape, common = patch_shape(settings), (count, settings.seed)
        varied = in_units_of(self.model.normalisation.range, self.varied(settings, self.images))
        patches = AnnotatedSampler(self.pools["train"], shape, *common, **varied)
        # Validation looks at the images as they are.
        validation = AnnotatedSampler(
            self.pools["validate"], shape, *common, favoured=0, flip=False, turn=False, stream=1
        )
        return patches, validation

    @staticmethod
    def varied(settings, images):
        """What patches of some images are drawn around, and how they are varied."""
        return {
            "favoured": settings.favoured,
            "variation": variation(settings),
            "flip": settings.augment,
            "turn": settings.augment,
        }

    def validation_steps(self, settings, count):
        """Batches of `count` patches that an epoch is validated on."""
        there = sum(classes.size for _, _, classes in self.pools["validate"])
        batch = count * np.prod(patch_shape(settings))
        return int(np.clip(np.ceil(min(_VALIDATED, 2 * there) / batch), 1, 32))

    def loss(self, settings):
        """What is minimised on annotated pixels."""
        return SegmentationLoss(
            self.class_weights, self.annotate.target.kind == "instances", self.annotate.distance, settings.loss
        )

    def weigh(self, settings):
        """What a pixel of each class counts: what the settings say, else less for frequent classes (root of the
        share)."""
        return weights_of(settings, self.pools["train"], self.annotate.kinds)

    def begin_gently(self, watcher, why):
        """Prepare another beginning, with smaller steps and, where that helps, batch normalisation; says so."""
        model, run = self.model, self.model.run
        batch_norm = model.settings.batch_norm or self.batch_norm_steadies
        rate = max(1e-6, model.settings.learning_rate / 3)
        model.settings = settings = model.settings.replace(
            seed=_next(model.settings.seed), batch_norm=batch_norm, learning_rate=rate
        )
        model.architecture = replace(model.architecture, batch_norm=batch_norm)
        words = (
            f"The network {self.collapsed if why == 'collapsed' else 'became unstable'}. It starts "
            f"again from another seed ({settings.seed}), {'with batch normalisation and' if batch_norm else 'with'} a "
            f"learning rate of {rate:.2g}."
        )
        if watcher:
            watcher.again(words)
        Checkpoints(run).remove()
        run.note(network=asdict(model.architecture), restarts=[*run.facts().get("restarts", []), words])
        run.write_settings(settings)

    def preview(self, image, plane, rows, columns):
        """A validation image with what was drawn on it, and with what the network finds: title -> picture."""
        model, margin = self.model, None if self.model.architecture.dims == 2 else 4
        pixels, found = model.predict_crop(image, plane, rows, columns, margin)
        grey = pixels[..., 0]
        return {"image": grey, **self.painted(grey, image.frames(2)[plane], (rows, columns), found)}

    def painted(self, grey, frame, where, found):
        """What was drawn and what is found, painted over a piece of a plane."""
        classes = self.model.target.kind != "instances"
        return {
            "drawn by you": painted(grey, self.annotate.labels(frame, where), classes),
            "found": painted(grey, self.model.find_in_plane(found), classes),
        }


def _drawn(masks):
    """The masks that there are."""
    return [mask for mask in masks if mask is not None]


def _next(seed):
    """Another seed."""
    return (seed + 1) % int(SegmentSettings.knobs()["seed"].high)
