"""How good is this segmentation? Scores on the validation images, counts, pictures, and the report."""

import numpy as np

from ..data import drive, supervisely
from ..data.files import list_images, stem
from ..data.images import central, open_image
from ..data.labels import bring_masks
from ..data.tables import read_table, write_table
from ..progress import halves
from ..quality import overlays, plots
from ..quality.label_qc import judge_labels
from ..quality.measurements import measured
from ..quality.report import write_report
from .annotated_data import annotated_images
from .annotated_split import CLEAN
from .guesses import mask_folder, unlabelled
from .label_kinds import TITLES
from .methods import documented
from .student_report import about_student, judge_by_people, regions_of
from .trained import result_name
from .tuning import about_tuning
from .unlabelled_report import about_thresholds, judge_by_correct_masks

_SHOWN = {2: 1024, 3: 320}  # pixels along the side of a figure; in 3D many planes are looked at for the one shown


def judge_segmenter(segmenter, on_progress=None):
    """Segment the validation images whole and score them against their masks, into the run's ``quality`` folder.

    Parameters
    ----------
    segmenter : Segmenter
    on_progress : callable, optional
        ``on_progress(share, name)``.

    Returns
    -------
    dict
        What :func:`~n2seg_utils.quality.label_qc.judge_labels` returns.
    """
    segmenter.run.require_no_links()
    quality = segmenter.run.path / "quality"
    images = validation_images(segmenter)
    sooner, later = halves(on_progress)
    for number, image in enumerate(images):
        target = quality / "labels" / result_name(image.path)
        if not target.exists():
            segmenter.predict_file(image, target)
        if sooner:
            sooner((number + 1) / len(images), image.path.name)
    scores = judge_labels(
        quality / "labels",
        judging_masks(segmenter.settings),
        None if (quality / "metrics.csv").exists() else quality,
        target=segmenter.target,
        image_axes=segmenter.settings.axes,
        on_progress=later,
        images=drive.bring(segmenter.settings.images),
        dims=segmenter.architecture.dims,
        regions=_judged(segmenter),
    )
    if _taught(segmenter):
        judge_by_people(segmenter, _validating(segmenter))
    if unlabelled(segmenter.settings):
        judge_by_correct_masks(segmenter, _validating(segmenter))
    segmenter.run.note(metrics={name: value for name, value in scores.items() if isinstance(value, float)})
    return scores


def validation_images(segmenter):
    """The images (or the one image) of which pixels were kept out of training: those with a correct mask, if only some
    have one."""
    return [image for image, _ in _validating(segmenter)]


def judging_masks(settings):
    """The local folder of the masks that results are scored against: correct ones, if they were named beside noisy ones
    or a first guess."""
    correct = settings.clean_masks if _labels(settings) in ("noisy", "none") else ""
    return bring_masks(correct) if correct else mask_folder(settings)


def example_figure(segmenter, number=0):
    """What a person drew and what the model finds, over the middle of a validation image; of a teacher's student, of
    what was kept out of it.

    Returns
    -------
    words : str
    figure : matplotlib.figure.Figure
    """
    chosen = _validating(segmenter)
    image, mask = chosen[number % len(chosen)]
    shown, middle = _SHOWN[segmenter.architecture.dims], image.planes // 2
    y, x, *sides = (_judged(segmenter) or {}).get(stem(image.path)) or (0, 0, *image.plane_shape[:2])
    places = [(first, central(side, shown)) for first, side in zip((y, x), sides)]
    window = tuple(slice(first + place.start, first + place.stop) for first, place in places)
    pixels, found = segmenter.predict_crop(image, middle, *window)
    words = image.path.name + (f", plane {middle + 1} of {image.planes}" if image.planes > 1 else "")
    truth = segmenter.target.encode(mask.plane(middle))[window]
    figure = overlays.truth_and_prediction(
        pixels[..., 0],
        np.maximum(truth, 0),
        segmenter.find_in_plane(found, segmenter.rule_of(image)(pixels, found)),
        classes=segmenter.target.kind != "instances",
        titles=TITLES["good" if any(row["use"] == CLEAN for row in _split(segmenter)) else _labels(segmenter.settings)],
    )
    return words, figure


def write_measurements(segmenter, labels, images, axes="auto", files=None, name="{}.csv"):
    """Measure the objects of a folder of results; writes ``objects.csv`` and ``counts.csv`` into it.

    Parameters
    ----------
    segmenter : Segmenter
    labels : Path
    images : path
        What was segmented.
    axes : str
    files : list of Path, optional
        The label images to measure; default: all of the folder.
    name : str
        What the tables are called.

    Returns
    -------
    list of dict
        The counts, a row an image.
    """
    counts = []

    def objects():
        found = measured(
            list_images(labels) if files is None else files,
            images,
            segmenter.target.kind != "instances",
            dims=segmenter.architecture.dims,
            open_grey=lambda file: segmenter.open(file, axes),
        )
        for rows, count in found:
            counts.append(count)
            yield from rows

    write_table(labels / name.format("objects"), objects())  # there may be millions
    write_table(labels / name.format("counts"), iter(counts))
    return counts


def write_supervisely(segmenter, labels, images, axes="auto"):
    """Write images and the objects found in them as a Supervisely project, ``supervisely`` in the folder of results."""
    project = labels / "supervisely"

    def pictures():
        for file in list_images(images):
            image, found = segmenter.open(file, axes), open_image(labels / result_name(file))
            for plane in range(image.planes):
                name = supervisely.plane_name(stem(file), plane, image.planes, image.size["Z"])
                yield name, np.asarray(image.plane(plane)), np.asarray(found.plane(plane)[..., 0])

    names = segmenter.target.names
    supervisely.write_project(project, pictures(), dict(zip(segmenter.values[1:], names[1:])) if names else "object")


def about_start(start):
    """What was loaded of the model that a training started from, in words."""
    kept = f", {len(start['frozen'])} were kept as they were" if start["frozen"] else ""
    new = f"{len(start['new'])} are new ({', '.join(start['new'])})" if start["new"] else "none is new"
    return f"Started from {start['from']}: {len(start['loaded'])} layers were loaded, {new}{kept}."


def tuning_curve(segmenter):
    """The rows of tuning.csv, threshold and score; none if the tuning was stopped."""
    if not (segmenter.run / "tuning.csv").is_file():
        return []
    rows = read_table(segmenter.run / "tuning.csv")
    return [{name: float(value) for name, value in row.items()} for row in rows]


def write_segment_report(segmenter, scores=None):
    """Write ``report.html`` into the run folder.

    Returns
    -------
    Path
    """
    figures, happened, notes = report_parts(segmenter)
    title = f"Segmentation: {segmenter.run.path.name}"
    path, used = segmenter.run / "report.html", segmenter.settings.to_dict()
    return write_report(path, title, figures, scores, used, happened, notes, **documented(segmenter))


def report_parts(segmenter):
    """What a report shows of a segmentation: figures with their captions, what happened, and notes."""
    run, target = segmenter.run, segmenter.target
    facts, rule = run.facts(), segmenter.stored
    drawn = {"teacher": "the teacher found", "none": "was guessed"}.get(_labels(segmenter.settings), "was drawn")
    figures = []
    for number in range(min(2, len(validation_images(segmenter)))):
        words, figure = example_figure(segmenter, number)
        figures.append((f"{words}: what {drawn}, what the model finds, and where both differ.", figure))
    doubtful = _labels(segmenter.settings) in ("noisy", "none")
    ranking = "how well it ranks pixels as the labels do (1 is perfect, 0 is chance)"
    score = ranking if doubtful else "the mean Dice of the classes"
    if _taught(segmenter):
        figures.append(
            (f"Loss and Dice while training, on patches; Dice is {score}.", plots.learning_curves(run.history()))
        )
    else:
        figures.append((f"The score while training, on patches: {score}.", plots.loss_curve(run.history())))
    curve = tuning_curve(segmenter)
    if curve:
        figures.append((about_tuning(segmenter), plots.threshold_curve(curve, rule.threshold)))
    happened = {
        **run.course(),
        "images": len(facts["images"]),
        "masks": f"{target.describe()}: {target.why}",
        "from probabilities to labels": rule.describe(),
        **({"thresholds": thresholds_in_words(facts["thresholds"])} if facts.get("thresholds") else {}),
        **({"started anew": " ".join(facts["restarts"])} if facts.get("restarts") else {}),
        **({"started from": about_start(facts["start"])} if facts.get("start") else {}),
        **facts["versions"],
    }
    notes = [judged_on(segmenter) + " For a number to publish, score images that were never used (n2seg qc --labels)."]
    return figures, happened, notes + about_labels(facts)


def about_labels(facts):
    """Sentences about where labels came from that nobody drew, from the facts of run.json: a list of str."""
    kept = facts.get("kept", [])
    images = f"{len(kept)} image" + "s" * (len(kept) != 1)
    words = f"{images} had no mask: labels that an earlier model found were looked at, kept, and learned from."
    return (about_thresholds(facts) or about_student(facts)) + ([words] if kept else [])


def judged_on(segmenter):
    """What the scores of :func:`judge_segmenter` are worth, in words."""
    settings = segmenter.settings
    if _labels(settings) in ("noisy", "none") and not settings.clean_masks:
        masks = "a first guess, which is wrong in places" if unlabelled(settings) else "masks that may be wrong"
        return f"The scores are against {masks}: even a perfect result would not score 1."
    judged = {image.path.name for image in validation_images(segmenter)}
    rows = [row for row in _split(segmenter) if row["image"] in judged]
    if all(row["use"] == CLEAN for row in rows):
        if unlabelled(settings):
            return "The scores are of images that nothing else was done with, against their correct masks."
        return (
            "The scores are of images that were not trained on, against their correct masks. These chose the "
            "threshold, though, so new images may score a little less."
        )
    if _taught(segmenter) and any(row["region"] != "all" for row in rows):
        return (
            "The scores are of a strip of each image that was not trained on, by the teacher's masks. The strips chose "
            "the best epoch and the thresholds, though, and new images may look otherwise, so they may score less."
        )
    if all(row["use"] == "validate" for row in rows):
        return (
            "The scores are of images that were not trained on. They chose the best epoch and the thresholds, though, "
            "so new images may score a little less."
        )
    kept = any(row["region"] != "all" for row in rows)
    rest = "a strip of it was kept out, the rest was trained on" if kept else "all of it was trained on"
    return f"The scores are of the one image with a mask: {rest}, so new images will score less."


def _labels(settings):
    """The kind of labels; joint training knows good ones only."""
    return getattr(settings, "labels", "good")


def _taught(segmenter):
    """Whether its masks were a teacher's."""
    return _labels(segmenter.settings) == "teacher"


def _judged(segmenter):
    """Which region of each image is judged, where it is not all of it."""
    return regions_of(segmenter) if _taught(segmenter) else None


def _split(segmenter):
    return read_table(segmenter.run / "split.csv")


def thresholds_in_words(found):
    """The thresholds that wrong labels, and correct masks if there were any, ask for."""
    dmi, clean = found["dmi"], found["clean_masks"]
    words = f"{dmi['threshold']:g} by the labels, wrong as they may be (mutual information {dmi['dmi']:.3g})"
    return words + (f"; {clean['threshold']:g} by correct masks (IoU {clean['iou']:.3f}): in use" if clean else "")


def _validating(segmenter):
    """Pairs of an image that is judged and its mask."""
    settings, rows = segmenter.settings, _split(segmenter)
    use = CLEAN if any(row["use"] == CLEAN for row in rows) else "validate"
    names = {row["image"] for row in rows if row["use"] == use}
    return [(image, mask) for image, mask in zip(*annotated_images(settings)) if image.path.name in names]
