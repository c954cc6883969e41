"""What goes with a package of the BioImage Model Zoo for people: its README, and a cover picture."""

from ..about import ADDRESS, VERSION
from ..data.normalisation import PERCENTILES, Normalisation
from ..models.methods import methods, reference
from ..models.objects import EVERY_HOLE
from . import network
from .about import papers


def readme(model, about, own):
    """The documentation of a model, as Markdown.

    Parameters
    ----------
    model : Denoiser, Segmenter or JointModel
    about : About
    own : bool
        Whether the test image is a piece of a training image.
    """
    sections = {
        about.name: about.description,
        "What goes in": _input(model, about),
        "What comes out": _output(model),
        **({"From probabilities to labels": _labels(model)} if model.run.workflow != "denoise" else {}),
        "How it was trained": _training(model),
        "Validation": _validation(model),
        "Test image": "A piece of a training image." if own else "Synthetic nuclei of the training images' brightness.",
        "Made with": f"n2seg-utils {VERSION}, {ADDRESS}",
    }
    texts = [f"{'##' if number else '#'} {title}\n\n{text}" for number, (title, text) in enumerate(sections.items())]
    return "\n\n".join(texts) + "\n"


def scaling(model):
    """How grey values are scaled, in one sentence."""
    scale = model.normalisation
    each = "of each image by itself" if scale.kind == "image" else "the same for all images"
    if isinstance(scale, Normalisation):
        return f"mean 0 and standard deviation 1 of each channel, {each}"
    low, high = PERCENTILES
    blurred = f", after a blur of {scale.blur:g} pixels" if scale.blur else ""
    return f"between the percentiles {low:g} and {high:g} of each channel{blurred}, {each}"


def cover(model, given, found):
    """A picture of the test image and of what the model makes of it, as PNG."""
    from ..quality import plots

    planes = {"input": _middle(given)[..., 0]}
    found = _middle(found)
    if model.run.workflow != "segment":
        planes["denoised"] = found[..., 0]
    if model.run.workflow != "denoise":
        background = model.architecture.channels if model.run.workflow == "joint" else 0
        planes["foreground"] = 1 - found[..., background]
    return plots.to_png(plots.side_by_side(planes, own_scale=True))


def _middle(pixels):
    return pixels if pixels.ndim == 3 else pixels[len(pixels) // 2]


def _input(model, about):
    a = model.architecture
    sizes = " x ".join(map(str, a.block))
    axes = "ZYX"[-a.dims :]
    own = model.normalisation.kind == "image"
    lines = [
        f"Grey values as the microscope gave them ({'volumes' if a.dims == 3 else 'planes'}, {a.channels} "
        f"channel{'s' if a.channels > 1 else ''}, {axes}), not rescaled; the size a multiple of {sizes} pixels. They "
        f"are scaled: {scaling(model)}.",
        f"The network sees {' x '.join(map(str, a.reach))} pixels ({axes}) far.",
    ]
    if own:
        lines.append(
            "**Give whole images, not tiles:** the network itself measures the contrast of each image it is given, and "
            "tiles would be scaled differently from one another."
        )
        lines.append("Of more than a million pixels, n2seg measures it on evenly spread rows; this network on all.")
        if a.dims == 2:
            lines.append("Of stacks and time series, n2seg measures it over all planes; other programs plane by plane.")
    elif about.tiles:
        lines.append("Tiles overlap so far that no seams show; around images, readers mirror the pixels.")
    else:
        lines.append(
            "**Give whole images where they fit into memory:** they give the same pixels as n2seg. Tiles must overlap "
            f"by {max(a.reach)} pixels or more at each side, or seams will show."
        )
    if getattr(model.settings, "orientations", False):
        lines.append("In n2seg, eight orientations of each image were averaged; this package does one.")
    return "\n\n".join(lines)


def _output(model):
    lines = [f"One image with these channels: {', '.join(network.channel_names(model))}."]
    if model.run.workflow != "segment":
        lines.append("Channels that are denoised have the same grey values as the image, without noise.")
    if model.run.workflow != "denoise":
        likely = [name for name in model.outputs if name != "distance"]
        lines.append(f"The channels {', '.join(likely)} tell how likely each pixel is that; they add up to 1.")
        if model.by_distance:
            lines.append("The last channel is the distance to the edge of the object, 1 at the middle.")
    return "\n\n".join(lines)


def _labels(model):
    rule, small = model.rule, ""
    if rule.min_size:
        small = f" Objects of fewer than {rule.min_size} pixels are left out."
    holes = {0: "", EVERY_HOLE: " All holes are filled."}
    small += holes.get(rule.largest_hole, f" Holes of up to {rule.largest_hole} pixels are filled.")
    if rule.between:
        low, high = rule.between
        small += (
            f" In n2seg each image has a threshold of its own between {low:.2g} and {high:.2g}, at which the network "
            "and a first guess, by a blur and Otsu's threshold, tell most of each other."
        )
    if model.target.kind != "instances":
        return (
            f"A pixel is foreground where 1 - background is above {rule.threshold:g}; it is then of the likeliest "
            f"other class.{small} The numbers were tuned on validation images."
        )
    seeds = "the distance, blurred by 1 pixel," if model.by_distance else "inside"
    landscape = "minus the distance" if model.by_distance else "minus inside"
    return (
        f"Seeds: connected pixels where {seeds} is above {rule.seed:g}. Foreground: where inside + border is above "
        f"{rule.threshold:g}. A watershed from the seeds, on {landscape}, fills the foreground; then, at the outer "
        f"edge of objects, pixels that are likelier border than inside become background.{small} In Fiji, MorphoLibJ > "
        "Marker-controlled Watershed does the same. The numbers were tuned on validation images."
    )


def _training(model):
    if model.run.made_by_n2v:
        who = "DenoiSeg" if model.run.workflow == "joint" else "n2v"
        lines = [f"By {who}; this package was made from its folder.", ""]
        return "\n".join([*lines, *(f"- {reference(name)}" for name in papers(model))])
    paragraph, *references = methods(model)
    return "\n".join([paragraph, "", *(f"- {line}" for line in references)])


def _in_words(metrics):
    """Scores as run.json has them, of labels or of restored images (with those of the raw ones): texts."""
    found = []
    for name, value in metrics.items():
        if isinstance(value, dict) and "prediction" in value:
            raw = f" (raw {value['raw']:.3g})" if value.get("raw") is not None else ""
            found.append(f"{name} {value['prediction']:.3g}{raw}")
        elif isinstance(value, dict):
            found += _in_words(value)
        elif isinstance(value, int | float):
            found.append(f"{name} {value:.3g}")
    return found


def _validation(model):
    words = (
        "Compare what it makes of some images of your own with clean images or with masks drawn by hand (notebook 4 "
        "and `n2seg qc` do, with SSIM, NRMSE, PSNR, IoU and average precision); without them, look closely."
    )
    found = _in_words(model.run.facts().get("metrics") or {})
    if found:
        words = f"When it was trained it was judged: {', '.join(found)}.\n\n{words}"
    return words + "\n\nOn images unlike the training images (another microscope, stain or scale) it may fail."
