"""A trained U-Net for segmentation: from a run folder to label images."""

from dataclasses import replace

import numpy as np

from ..data import imagej_rois
from ..data.arrays import FilledArray
from ..data.files import list_images, stem
from ..data.images import open_image, quick_to_read
from ..data.normalisation import Percentiles, percentiles
from ..data.targets import MOST_OBJECTS, Target
from ..data.writing import image_writer
from ..errors import UserError
from ..learning.networks import Architecture
from ..settings import SegmentSettings
from . import weights
from .objects import Rule, find_classes, find_objects
from .own_threshold import rule_of_image
from .run_folder import RunFolder
from .trained import TrainedModel, load_network, of_frame


class Segmenter(TrainedModel):
    """A network that segments; see :class:`~n2seg_utils.models.trained.TrainedModel`.

    Its `settings` are SegmentSettings, its `normalisation` is a Percentiles.

    Attributes
    ----------
    target : Target
        What it was taught.
    stored : Rule
        How probabilities become labels, as tuned on the validation images.
    """

    workflow, settings_class, scaling = "segment", SegmentSettings, Percentiles

    def __init__(self, network, architecture, settings, normalisation, run, target, stored=None):
        super().__init__(network, architecture, settings, normalisation, run)
        self.target, self.stored = target, stored or Rule()

    @classmethod
    def load(cls, run):
        """Open a run folder.

        Raises
        ------
        UserError
            If it is none, or damaged.
        """
        run = RunFolder(run).require()
        run.require_workflow(cls.workflow)
        settings, facts = cls.settings_class.load(run / "settings.yaml").check(), run.facts()
        try:
            architecture = Architecture(**facts["network"])
            normalisation = cls.scaling(**facts["normalisation"])
            target = Target(**facts["target"])
            target = replace(target, values=tuple(target.values))
            stored = Rule(**facts["rule"])
        except (KeyError, TypeError, ValueError) as error:
            raise run.damaged("run.json") from error
        network = load_network(architecture, run / weights.BEST, run)
        return cls(network, architecture, settings, normalisation, run, target, stored)

    @property
    def rule(self):
        """The rule in use: the stored one, with what the settings say instead."""
        chosen = {"threshold": self.settings.threshold, "min_size": self.settings.min_size}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        return replace(self.stored, **chosen | ({"between": ()} if "threshold" in chosen else {}))

    def rule_of(self, image, rule=None):
        """How pieces of an ImageFile get their rule: ``(pixels, probabilities) -> Rule``; mostly :attr:`rule`, or the
        one that is given."""
        rule = rule or self.rule
        return rule_of_image(image, self.normalisation.blur, rule) if rule.between else lambda *_: rule

    @property
    def outputs(self):
        """What the network says of each pixel, in words: classes, then the distance if it learned that."""
        classes = ("background", "inside", "border") if self.target.kind == "instances" else self.target.names
        return (*classes, "distance") if self.by_distance else classes

    @property
    def by_distance(self):
        """Whether objects are parted by distances."""
        return self.target.kind == "instances" and self.settings.method == "distance"

    def predict_probabilities(self, values, scale=None, tile="auto", on_tile=None):
        """What the network says of an array (Y, X, C), or (Z, Y, X, C) if it is 3D, of grey values.

        Returns
        -------
        ndarray, float32
            As many channels as there are :attr:`outputs`.
        """
        shape = values.shape[:-1]
        return self._probabilities(lambda *where: values[np.ix_(*where)], shape, scale, tile, on_tile)

    def probabilities_of(self, network, pixels):
        """What another network of this architecture says of a scaled image (Y, X, C), or (Z, Y, X, C); as
        :meth:`predict_probabilities`."""
        return self.answers_of(network, pixels, len(self.outputs), self._activated)

    def find(self, probabilities, rule=None):
        """Labels from probabilities: object numbers or class numbers; int32.

        Parameters
        ----------
        probabilities : ndarray (Y, X, K) or (Z, Y, X, K)
        rule : Rule, optional
            Default: :attr:`rule`.
        """
        if self.target.kind == "instances":
            return find_objects(probabilities, rule or self.rule, self.by_distance)
        return find_classes(probabilities, rule or self.rule)

    def find_in_plane(self, probabilities, rule=None):
        """Labels of one plane (Y, X, K). Sizes of a model of volumes count voxels, and leave planes alone."""
        rule = rule or self.rule
        return self.find(
            probabilities, rule if self.architecture.dims == 2 else replace(rule, min_size=0, largest_hole=0)
        )

    def predict_crop(self, image, plane, rows, columns, margin=None):
        """Probabilities of a piece of one plane, seeing the surroundings that it has in the image.

        Parameters
        ----------
        image, plane, rows, columns, margin
            See :meth:`~n2seg_utils.models.trained.TrainedModel.surroundings`.

        Returns
        -------
        pixels : ndarray (Y, X, C)
            Grey values, float32.
        probabilities : ndarray (Y, X, K)
        """
        pixels, inside = self.surroundings(image, plane, rows, columns, margin)
        found = self.predict_probabilities(pixels, self.normalisation.for_image(image))
        return np.asarray(pixels[inside], "float32"), found[inside]

    def frame_labels(self, frame, scale, tile="auto", on_tile=None):
        """Labels of one :class:`~n2seg_utils.data.images.Frame`."""
        return self._frame_labels(frame, scale, tile, on_tile, self.rule_of(frame.image))

    def _frame_labels(self, frame, scale, tile, on_tile, rule_of):
        with quick_to_read(frame) as read:
            found = self._probabilities(read, frame.shape, scale, tile, on_tile)
            pixels = read(*[slice(None)] * frame.dims) if self.rule.between else None
        return self.find(found, rule_of(pixels, found))

    def predict_file(self, image, out, tile="auto", on_tile=None, outlines=False):
        """Segment one image file into a label image of 8 or 16 bits.

        Objects are numbered from 1 in each time point, and never twice in one. Classes have the values of the masks,
        and the background 0; classes that were colours are 1, 2, ... in the order of :attr:`outputs`.

        Parameters
        ----------
        image, out, tile, on_tile
            See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_file`.
        outlines : bool
            Write the objects as an ImageJ ROI set too, beside the label image.
        """
        self.require_fit(image)
        self._write_labels(image, out, self._labelled(image, tile, on_tile), outlines)

    def predict_image(self, image, tile="auto"):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.predict_image`."""
        return self._labels_of(image, self._labelled(image, tile, None))

    def _labels_of(self, image, labelled):
        """The labels of an image as one array, without channels."""
        found = FilledArray(image, "int32", channels=0)
        for frame, labels in self._numbered(image, labelled):
            found.write(frame.number, (slice(None),) * frame.dims, labels[..., None])
        return found.pixels

    def _labelled(self, image, tile, on_tile):
        """The frames of an image, one after the other, with their labels."""
        scale, frames = self.normalisation.for_image(image), image.frames(self.architecture.dims)
        rule_of = self.rule_of(image)
        for frame in frames:
            yield frame, self._frame_labels(frame, scale, tile, of_frame(on_tile, frame, frames), rule_of)

    def _write_labels(self, image, out, labelled, outlines):
        kept = []
        shown, dims = (0, min(max(self.values), 255)), self.architecture.dims
        with image_writer(out, image, self.dtype, shown, channels=1, dims=dims, labels=True) as write:
            for frame, labels in self._numbered(image, labelled):
                write(frame.number, (slice(None),) * frame.dims, labels[..., None])
                if outlines:
                    kept.append(labels.reshape(-1, *labels.shape[-2:]))
            if outlines:  # before the label image, which says that all is done
                imagej_rois.write_rois(_outlines_file(out), np.concatenate(kept), depth=image.size["Z"])

    def _numbered(self, image, labelled):
        """Frames with their labels as they are written: values of classes, or objects numbered over a volume."""
        last, values = 0, np.array(self.values)
        for frame, labels in labelled:
            if self.target.kind != "instances":
                yield frame, values[labels]
                continue
            # A 2D model goes on counting from plane to plane of a stack.
            last = 0 if frame.dims == 3 or frame.number % image.size["Z"] == 0 else last
            labels[labels > 0] += last
            last = max(last, labels.max())
            if last > MOST_OBJECTS:
                raise UserError(
                    f"{image.path} would have more than {MOST_OBJECTS:,} objects, and a label image holds no more. "
                    "Choose a larger smallest object (min_size), or cut the image into pieces"
                )
            yield frame, labels

    def beside(self, target, outlines=False):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.beside`."""
        return [_outlines_file(target)] if outlines else []

    def add_missing(self, image, target, tile="auto", on_tile=None, outlines=False):
        """See :meth:`~n2seg_utils.models.trained.TrainedModel.add_missing`."""
        file = _outlines_file(target)
        if outlines and not file.exists():
            found = open_image(target)
            planes = [np.asarray(found.plane(number)[..., 0]) for number in range(found.planes)]
            imagej_rois.write_rois(file, np.stack(planes), depth=image.size["Z"])

    @property
    def dtype(self):
        """Type of the label images."""
        return "uint16" if max(self.values) > 255 else "uint8"

    def doubts(self, images, axes="auto"):
        """Sentences about images (a folder or a file) that have much less contrast than those of the training."""
        least = np.array(self.normalisation.least)
        found = []
        for file in list_images(images):
            image = self.open(file, axes)
            self.require_fit(image)
            low, high = percentiles(image, blur=self.normalisation.blur)
            if ((high - low) < least / 2).all():
                found.append(file.name)
        if not found:
            return []
        names = ", ".join(found[:3]) + (" ..." if len(found) > 3 else "")
        return [f"{names}: much less contrast than the images this model was trained with. Are these images empty?"]

    @property
    def values(self):
        """What stands for each class in a label image, 0 for the background; for objects, the range."""
        if self.target.kind == "instances":
            return (0, MOST_OBJECTS)
        others = self.target.values[1:]
        fit = not self.target.colours and 0 not in others and max(others) <= MOST_OBJECTS
        return (0, *others) if fit else tuple(range(1 + len(others)))

    def _probabilities(self, read, shape, scale, tile, on_tile):
        result = np.empty((*shape, len(self.outputs)), "float32")
        scale = scale or self.normalisation

        def write(where, piece):
            result[where] = piece

        self.predictor(shape, tile).predict(shape, read, write, scale.apply, self._activated, on_tile)
        return result

    def _activated(self, answer):
        """Logits -> probabilities; distances stay as they are."""
        kinds = answer.shape[-1] - self.by_distance
        logits = answer[..., :kinds]
        found = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found /= found.sum(axis=-1, keepdims=True)
        return np.concatenate([found, answer[..., kinds:]], axis=-1) if self.by_distance else found


def _outlines_file(labels):
    """The ROI set beside a label image."""
    return labels.with_name(f"{stem(labels)}.zip")


def design(settings, channels, target, pool_z):
    """The architecture that some settings ask for, in csbdeep's manner."""
    dims = int(settings.dimensions[0])
    kinds = 3 + (settings.method == "distance") if target.kind == "instances" else len(target.values)
    return Architecture(
        dims=dims,
        channels=channels,
        outputs=kinds,
        depth=settings.network_depth,
        width=settings.network_width,
        kernel_size=settings.kernel_size,
        batch_norm=settings.batch_norm,
        dropout=settings.dropout,
        pool_z=pool_z if dims == 3 else 2,
        encoder=getattr(settings, "encoder", "none"),  # joint training has no choice
    )
