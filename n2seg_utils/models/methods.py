"""What was done, as a paragraph for the methods section of a paper, with its references."""

from ..about import ADDRESS, VERSION
from ..data.tables import read_table
from ..words import counted
from .joint_patches import noisy_patches
from .suggestions import patch_shape

_REFERENCES = {
    "n2v": "Krull A, Buchholz T-O, Jug F. Noise2Void - learning denoising from single noisy images. CVPR 2019.",
    "n2v2": "Höck E, Buchholz T-O, Brachmann A, Jug F, Freytag A. N2V2 - fixing Noise2Void checkerboard artifacts with "
    "modified sampling strategies and a tweaked network architecture. ECCV Workshops 2022.",
    "structn2v": "Broaddus C, Krull A, Weigert M, Schmidt U, Myers G. Removing structured noise with self-supervised "
    "blind-spot networks. ISBI 2020.",
    "joint": "Buchholz T-O, Prakash M, Schmidt D, Krull A, Jug F. DenoiSeg: joint denoising and segmentation. ECCV "
    "Workshops 2020.",
    "unet": "Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. MICCAI "
    "2015.",
    "unet3d": "Çiçek Ö, Abdulkadir A, Lienkamp S S, Brox T, Ronneberger O. 3D U-Net: learning dense volumetric "
    "segmentation from sparse annotation. MICCAI 2016.",
    "csbdeep": "Weigert M, Schmidt U, Boothe T, et al. Content-aware image restoration: pushing the limits of "
    "fluorescence microscopy. Nature Methods 15, 2018.",
    "mobilenet_v2": "Sandler M, Howard A, Zhu M, Zhmoginov A, Chen L-C. MobileNetV2: inverted residuals and linear "
    "bottlenecks. CVPR 2018.",
    "adam": "Kingma D P, Ba J. Adam: a method for stochastic optimization. ICLR 2015.",
    "ssim": "Wang Z, Bovik A C, Sheikh H R, Simoncelli E P. Image quality assessment: from error visibility to "
    "structural similarity. IEEE Transactions on Image Processing 13(4), 2004.",
}
_DENOISING = {"n2v": "Noise2Void", "n2v2": "N2V2, a variant of Noise2Void,", "structn2v": "structN2V"}
_DIMS = {2: "two", 3: "three"}


def reference(name):
    """A paper, by its short name, as papers cite it."""
    return _REFERENCES[name]


def documented(model, restored=None):
    """What every report of a run says beside its pictures and scores: methods, images and warnings.

    Parameters
    ----------
    model, restored
        See :func:`methods`.

    Returns
    -------
    dict
        Arguments of :func:`~n2seg_utils.quality.report.write_report`.
    """
    facts = model.run.facts()
    return {"methods": methods(model, restored), "data": facts["images"], "warnings": facts.get("warnings", [])}


def methods(model, restored=None):
    """What was trained, on what and how, and how it was judged: true of this run, whatever its form said.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
        Of a run folder.
    restored : dict, optional
        Scores of restored images, if there are any.

    Returns
    -------
    list of str
        The paragraph, and one line a reference, numbered as the paragraph cites them.
    """
    cited = []

    def cite(*names):
        cited.extend(name for name in names if name not in cited)
        return "[" + ", ".join(str(cited.index(name) + 1) for name in names) + "]"

    sentences = [*_DOES[model.run.workflow](model, cite), *_trained(model, cite)]
    if restored:
        sentences.append(
            "Restored images were compared with clean ones by SSIM (Gaussian window of 1.5 pixels) "
            f"{cite('ssim')}, NRMSE and PSNR, with the largest minus the smallest value of each clean image as range."
        )
    words = [f"{sentence[0].upper()}{sentence[1:]}" for sentence in sentences]
    return [" ".join(words), *(f"[{number}] {_REFERENCES[name]}" for number, name in enumerate(cited, 1))]


def _denoises(model, cite):
    settings = model.settings
    more = () if settings.algorithm == "n2v" else ("n2v",)
    name = _DENOISING[settings.algorithm]
    yield f"images were denoised with {name} {cite(settings.algorithm, *more)}, {_hidden(settings)}."
    yield f"Their grey values were scaled to mean 0 and standard deviation 1 {_scaled(model.normalisation.kind)}."


def _segments(model, cite):
    yield (
        f"images were segmented with a U-Net {_unet(model, cite)}, which was taught {_taught(model)} by {_loss(model)}."
    )
    if getattr(model.settings, "labels", "good") == "teacher":
        yield "The masks that it learned from were those of another program (name it, with its version)."
    yield from _labels(model)


def _does_both(model, cite):
    settings = model.settings
    if settings.schedule == "in_turn":
        yield from _does_both_in_turn(model, cite)
        return
    yield (
        f"images were denoised and segmented by one network, trained for both {cite('joint')}: a U-Net "
        f"{_unet(model, cite)} that learned from all images to denoise by {_DENOISING[settings.algorithm]} "
        f"{cite(settings.algorithm)}, {_hidden(settings)}, and from annotated ones {_taught(model)}."
    )
    yield (
        f"The loss was {settings.denoise_weight:g} times the squared error of hidden pixels and "
        f"{1 - settings.denoise_weight:g} times {_loss(model)}{_SCHEDULES[settings.schedule]}."
    )
    yield from _labels(model)


def _does_both_in_turn(model, cite):
    settings, (count, noisy) = model.settings, noisy_patches(model.settings)
    yield (
        f"images were denoised by one U-Net and segmented by another {_unet(model, cite)}, which sees nothing but what "
        f"the first makes of them. In the first part of the training, the first, without batch normalisation, learned "
        f"from all images, in steps {_patches(count, noisy)}, by {_DENOISING[settings.algorithm]} "
        f"{cite(settings.algorithm)}, {_hidden(settings)}."
    )
    yield (
        f"In the second part, while it did not change any more, the other was taught from annotated images, in steps "
        f"{_patches(settings.batch_size, settings)}, {_taught(model)} by {_loss(model)}."
    )
    yield from _labels(model)


_SCHEDULES = {
    "constant": "",
    "teacher": "; the first half of the steps was for denoising alone, and then a copy of the network was its teacher",
    "denoise_first": "; it was that of denoising alone in the beginning",
    "ramp": "; it was that of segmentation alone in the beginning",
}
_DOES = {"denoise": _denoises, "segment": _segments, "joint": _does_both}


def _trained(model, cite):
    settings, facts = model.settings, model.run.facts()
    if model.run.workflow == "denoise":
        yield f"The network was a U-Net {_unet(model, cite)}."
    count, kept = _counts(model)
    in_turn = model.architecture.in_turn  # steps of both kinds are told of already
    of = "" if in_turn else f" {_patches(settings.batch_size, settings)}"
    done = settings.steps_per_epoch * facts.get("epochs_done", settings.epochs)
    yield (
        f"It was trained on {count} for {done:,} steps{of} with Adam {cite('adam')}, "
        f"the learning rate falling from {settings.learning_rate:g} along a cosine; {kept}. The weights of the best "
        f"epoch ({facts.get('best_epoch')}) were used."
    )
    start = facts.get("start")
    if start:
        yield f"The training started from the weights of {start['from']}."
    versions = facts.get("versions", {})
    yield (
        f"This was done with n2seg-utils {versions.get('n2seg-utils', VERSION)} ({ADDRESS}), TensorFlow "
        f"{versions.get('tensorflow', '?')} and Keras {versions.get('keras', '?')} on a {facts.get('device', 'CPU')}."
    )


def _patches(count, settings):
    """What a step looks at, in words."""
    return (
        f"of {count:,} {'patch' if count == 1 else 'patches'} of {' x '.join(map(str, patch_shape(settings)))} pixels"
    )


def _counts(model):
    """How many images trained, in words, and what was kept out."""
    rows = read_table(model.run / "split.csv")
    used = {use: {row["image"] for row in rows if row["use"] == use} for use in ("train", "validate")}
    few = model.run.facts().get("annotated", {}) if model.run.workflow == "joint" else {}
    said = {use: f" ({len(few[use])} of them annotated)" if use in few else "" for use in used}
    trained = counted(len(used["train"]), "image") + said["train"]
    if used["validate"] & used["train"]:
        kept = "a part of the" if any(row["region"] != "all" for row in rows) else "no"
        return trained, f"{kept} pixels were kept out for validation"
    return trained, f"{counted(len(used['validate']), 'other image')}{said['validate']} served for validation"


def _unet(model, cite):
    architecture = model.architecture
    names = ("unet3d", "csbdeep") if architecture.dims == 3 else ("unet", "csbdeep")
    norm = ", batch normalisation" if architecture.batch_norm else ""
    other = (
        "" if architecture.encoder == "none" else f", {architecture.encoder} {cite(architecture.encoder)} as encoder"
    )
    return (
        f"{cite(*names)} in {_DIMS[architecture.dims]} dimensions (depth {architecture.depth}, {architecture.width} "
        f"filters in the first layer{norm}{other})"
    )


def _hidden(settings):
    return f"{settings.masked_percent:g} % of the pixels being hidden in each step"


def _scaled(kind):
    return "of the whole data set" if kind == "dataset" else "of each image"


def _taught(model):
    kind = model.target.kind
    if kind == "binary":
        return "to tell foreground from background"
    if kind == "classes":
        return f"to tell {len(model.values)} classes of pixels apart"
    more = ", and the distance to the edge" if model.settings.method == "distance" else ""
    return f"to tell background, the inside of objects and their borders apart{more}"


def _loss(model):
    if getattr(model.settings, "recipe", "ours") == "published":
        return "the cross-entropy, averaged over all pixels"
    return {
        "both": "weighted cross-entropy and the Dice loss",
        "cross_entropy": "weighted cross-entropy",
        "dice": "the Dice loss",
    }[model.settings.loss]


def _labels(model):
    scaled = "the whole data set" if model.settings.normalisation == "dataset" else "each whole image"
    yield f"Grey values were scaled between percentiles of {scaled}."
    yield f"Labels were made from the network's probabilities as follows: {model.stored.describe()}."
