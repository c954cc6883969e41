"""Segmentation training: from images and masks to a run folder."""

import contextlib
from dataclasses import asdict, replace

import numpy as np

from ..data import normalisation as scaling
from ..data import pixels
from ..data.targets import recognise
from ..errors import UserError
from ..learning import device
from ..learning.annotated_patches import AnnotatedSampler
from ..learning.annotations import UNKNOWN
from ..learning.networks import unet
from ..learning.segmentation import SegmentationTraining
from ..quality.painting import painted
from ..settings.segment import parse_weights
from . import training_run, transfer, tuning
from .annotated_data import Annotator, annotated_images, variation
from .annotated_split import require_classes, split_annotated
from .objects import Rule
from .run_folder import RunFolder
from .segment_suggestions import settle
from .segmenter import Segmenter, design
from .suggestions import patch_shape, pool_z

_ATTEMPTS = 3
_VALIDATED = 1_500_000  # pixels, at least, of an epoch's validation, if there are as many
_TUNED_ON = 6_000_000  # pixels, at most


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
    run = RunFolder(settings.check().run)
    run.require_free()
    images, masks = annotated_images(settings)
    target = recognise(masks, settings.target)
    require_classes(target, settings)
    start = transfer.open_start(settings)
    if start:
        settings = start.describe(settings)
    settings = settle(settings, images, target, device.has_gpu(), start and start.architecture.pool_z)
    plain = design(settings, images[0].size["C"], target, pool_z(images))
    architecture = start.design(plain) if start else plain
    normalisation = scaling.fit_percentiles(images, settings.normalisation)
    annotate = Annotator(images, masks, target, settings.method == "distance")
    parts = split_annotated(images, annotate, settings)
    pools, callbacks = _pools(settings, images, parts, normalisation, annotate)
    class_weights = _class_weights(settings, pools["train"], architecture.outputs - annotate.distance)
    about = {
        "normalisation": asdict(normalisation),
        "network": asdict(architecture),
        "target": asdict(target),
        "class_weights": class_weights,
        "rule": asdict(Rule()),
    }
    training_run.begin(run, "segment", settings, images, parts, about)
    segmenter = Segmenter(None, architecture, settings, normalisation, run, target)
    example = training_run.example(images, parts)
    plan = None
    for attempt in range(1, 1 + _ATTEMPTS):
        device.seed_weights(settings.seed)
        segmenter.network = network = unet(architecture)
        started = start.put_into(network, settings.freeze) if start else {}
        run.note(**({"start": started} if start else {}))
        training = _training(network, settings, pools, class_weights, annotate)
        if plan is None:
            settings, plan = training_run.plan(training, settings, run)
        plan = replace(plan, learning_rate=settings.learning_rate)
        segmenter.settings, segmenter.architecture = settings, architecture
        outcome = training_run.learn(
            run, training, plan, watcher, lambda: _preview(segmenter, annotate, *example), callbacks,
            trained=bool(start and start.segments and not started["new"]), patience=settings.patience,
        )  # fmt: skip
        if outcome.stopped not in ("collapsed", "diverged") or outcome.best_score > 0.01 or attempt == _ATTEMPTS:
            break
        settings, architecture = _gentler(settings, architecture, run, watcher, outcome.stopped)
    if outcome.stopped == "collapsed":
        run.finish("collapsed")
        raise UserError(
            f"The training found nothing but background, {_ATTEMPTS} times from another beginning. Do the masks in "
            f"{settings.masks} lie on what they mark? Are enough pixels drawn? Look at them over the images"
        )
    training_run.finish(run, network, outcome)
    with contextlib.suppress(KeyboardInterrupt):  # whoever stops the tuning keeps the model, with the usual numbers
        tune_segmenter(segmenter, images, parts, annotate, on_tuning)
    return segmenter


def tune_segmenter(segmenter, images, parts, annotate, on_progress=None):
    """Tune how probabilities become labels on the validation images, and keep that in the run folder."""
    dims, target = segmenter.architecture.dims, segmenter.target
    examples, pixels_left = [], _TUNED_ON
    for source in pixels.sources(images, parts, "validate", dims):
        scale = segmenter.normalisation.for_image(source.frames[0].image)
        where = _within(source)
        for frame in source.frames:
            truth = annotate.labels(frame, where)
            if pixels_left > 0 and (truth != UNKNOWN).any():
                found = segmenter.predict_probabilities(frame.read(*where), scale)
                examples.append((found, truth))
                pixels_left -= truth.size
    if not examples:  # nothing is known of what validates: the usual numbers stay
        return None
    instances = target.kind == "instances"
    sizes = [size for _, truth in examples for size in _sizes(truth, instances)]
    score = tuning.object_score if instances else tuning.pixel_score
    plan = tuning.plan(target.kind, segmenter.settings.method, sizes)
    tuned = tuning.tune(examples, segmenter.find, score, *plan, on_progress)
    segmenter.stored = tuned.rule
    segmenter.run.write_table("tuning.csv", tuned.curve)
    segmenter.run.note(rule=asdict(tuned.rule), tuning_score=tuned.score, tuned_on=len(examples))
    return tuned


def _within(source):
    """The area of a source or, where that is very large, its middle."""
    shape = list(source.shape)
    while np.prod(shape) > _TUNED_ON:
        longest = int(np.argmax(shape))
        shape[longest] = max(1, shape[longest] // 2)
    return source.where([(has - size) // 2 for has, size in zip(source.shape, shape)], shape)


def _sizes(truth, instances):
    if instances:
        return np.bincount(np.maximum(truth, 0).ravel())[1:].tolist()
    from skimage.measure import label

    return np.bincount(label(np.maximum(truth, 0), connectivity=1).ravel())[1:].tolist()


def _pools(settings, images, parts, normalisation, annotate):
    """What patches of training and validation are drawn from, and what brings in more if it does not fit in memory."""
    shape, pools, callbacks = patch_shape(settings), {}, []
    for use in training_run.SHARES:
        pools[use], refill = training_run.pool(
            images, parts, use, shape, normalisation, settings.seed, annotate, annotate.values
        )
        callbacks += refill
    return pools, callbacks


def _training(network, settings, pools, class_weights, annotate):
    shape, common = patch_shape(settings), (settings.batch_size, settings.seed)
    patches = AnnotatedSampler(
        pools["train"], shape, *common, favoured=settings.favoured, variation=variation(settings),
        flip=settings.augment, turn=settings.augment,
    )  # fmt: skip
    # Validation looks at the images as they are.
    validation = AnnotatedSampler(pools["validate"], shape, *common, favoured=0, flip=False, turn=False, stream=1)
    training = SegmentationTraining(
        network, patches, validation, settings.seed, class_weights, annotate.target.kind == "instances",
        annotate.distance, settings.loss,
    )  # fmt: skip
    there = sum(classes.size for _, _, classes in pools["validate"])
    batch = settings.batch_size * np.prod(shape)
    training.validation_steps = int(np.clip(np.ceil(min(_VALIDATED, 2 * there) / batch), 1, 32))
    return training


def _class_weights(settings, frames, kinds):
    """What a pixel of each class counts: what the settings say, else less for frequent classes (root of the share)."""
    chosen = parse_weights(settings.class_weights)
    if chosen:
        if len(chosen) != kinds:
            raise UserError(f"class_weights has {len(chosen)} numbers, but there are {kinds} classes: use {kinds}")
        return list(chosen)
    counts = sum(np.bincount(classes[classes >= 0].ravel(), minlength=kinds) for _, _, classes in frames)
    share = np.maximum(counts / max(1, counts.sum()), 1e-4)
    return (1 / np.sqrt(share) / np.sqrt(share).sum()).round(4).tolist()


def _gentler(settings, architecture, run, watcher, why):
    """Another beginning, with batch normalisation and smaller steps; says so."""
    settings = settings.replace(
        seed=settings.seed + 1, batch_norm=True, learning_rate=max(1e-6, settings.learning_rate / 3)
    )
    architecture = replace(architecture, batch_norm=True)
    words = (
        f"The network {'found nothing but background' if why == 'collapsed' else 'became unstable'}. It starts again "
        f"from another seed ({settings.seed}), with batch normalisation and a learning rate of "
        f"{settings.learning_rate:.2g}."
    )
    if watcher:
        watcher.again(words)
    run.note(network=asdict(architecture), restarts=[*run.facts().get("restarts", []), words])
    run.write_settings(settings)
    return settings, architecture


def _preview(segmenter, annotate, image, plane, rows, columns):
    """A validation image with what was drawn on it, and with what the network finds."""
    margin = None if segmenter.architecture.dims == 2 else 4
    shown, found = segmenter.predict_crop(image, plane, rows, columns, margin)
    frame = image.frames(2)[plane]
    classes, grey = segmenter.target.kind != "instances", shown[..., 0]
    truth = annotate.labels(frame, (rows, columns))
    return {
        "image": grey,
        "drawn by you": painted(grey, truth, classes),
        "found": painted(grey, segmenter.find_in_plane(found), classes),
    }
