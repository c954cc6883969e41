"""The command ``n2seg``: the notebooks' work from a shell.

Exit status: 0 fine; 2 the input needs a change, said in one message; 1 our fault.
"""

import argparse
import json
import sys
from pathlib import Path

from .about import VERSION
from .errors import UserError
from .words import counted

_KINDS = ("auto", "binary", "classes", "instances")


def main(arguments=None):
    """Run the command; returns its exit status."""
    if hasattr(sys.stdout, "reconfigure"):  # not all terminals can show all names of files
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return options.run_command(options) or 0
    except UserError as error:
        print(f"n2seg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("n2seg: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


class _Parser(argparse.ArgumentParser):
    """Says in one message what is wrong with the command, as we do for what is wrong with the data."""

    def error(self, message):
        raise UserError(f"{message}. See {self.prog} --help")


def _parser():
    parser = _Parser(prog="n2seg", description="Denoise and segment microscopy images, and judge the result.")
    parser.add_argument("--version", action="version", version=f"n2seg {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sample = _add(commands, "sample", _sample, "make a synthetic data set, or download a named real one")
    sample.add_argument(
        "name", help="nuclei, spots, nuclei3d, spots3d, two_channels; or dsb2018, human_mitosis, cells3d"
    )
    sample.add_argument("--out", required=True, help="folder to create images/, clean/ and masks/ in")
    sample.add_argument("--seed", type=_at_least(0), default=1)
    sample.add_argument("--count", type=_at_least(1), help="number of images")
    sample.add_argument("--level", default="medium", help="easy, medium or hard")

    check = _add(commands, "check", _check, "look at images before training")
    check.add_argument("--images", required=True)
    check.add_argument("--truth", help="clean images of the same names")
    check.add_argument("--masks", help="masks of the same names")
    check.add_argument("--joint", action="store_true", help="for joint training: images without a mask are used too")
    check.add_argument("--target", choices=_KINDS, default="auto", help="what masks show; default: auto")
    check.add_argument("--axes", default="auto", help="what the dimensions mean, for example TYX")
    check.add_argument("--json", action="store_true", help="print the findings as JSON")

    train = commands.add_parser("train", help="train a model").add_subparsers(required=True, metavar="WORKFLOW")
    denoise = _add(train, "denoise", _train_denoise, "train Noise2Void on noisy images")
    denoise.add_argument("--images", help="folder of noisy images, or one file")
    _training_arguments(denoise)
    segment = _add(train, "segment", _train_segment, "train a U-Net on images and masks")
    segment.add_argument("--images", help="folder of images, or one file")
    segment.add_argument("--masks", help="folder of masks, ROI sets, or a Supervisely project")
    _training_arguments(segment)
    joint = _add(train, "joint", _train_joint, "train one network to denoise and to segment; some images have masks")
    joint.add_argument("--images", help="folder of noisy images, annotated or not")
    joint.add_argument("--masks", help="folder of masks of some of them, ROI sets, or a Supervisely project")
    _training_arguments(joint)

    resume = _add(commands, "resume", _resume, "go on with a training that was stopped")
    resume.add_argument("run", help="its run folder")

    predict = _add(commands, "predict", _predict, "apply a trained model")
    predict.add_argument("--run", required=True, help="run folder of the model")
    predict.add_argument("--images", required=True)
    predict.add_argument("--out", required=True)
    predict.add_argument("--axes", default="auto", help="what the dimensions mean, for example ZYX")
    predict.add_argument("--tile", default="auto", help="side of the tiles in pixels, or auto")
    predict.add_argument(
        "--dtype", choices=("float32", "input"), help="type of denoised images; default: as in the run"
    )
    predict.add_argument("--threshold", type=float, help="of segmentation, in place of the tuned one")
    predict.add_argument(
        "--min-size", type=_at_least(0), help="pixels of the smallest object, in place of the tuned one"
    )
    predict.add_argument("--outlines", choices=("none", "imagej", "supervisely"), help="write outlines of objects too")

    qc = _add(commands, "qc", _qc, "score restored images or labels against the truth")
    judged = qc.add_mutually_exclusive_group(required=True)
    judged.add_argument("--prediction", help="restored images")
    judged.add_argument("--labels", help="label images")
    qc.add_argument("--truth", help="clean images; for labels: label images, masks, ROI sets ...")
    qc.add_argument("--raw", help="the images as they were, to see the gain, or to draw labels on")
    qc.add_argument("--run", help="run folder of the model that found the labels: what it was trained with is named")
    qc.add_argument("--axes", default="auto", help="what the dimensions mean, for example ZYX; default: as files say")
    qc.add_argument("--no-filters", action="store_true", help="do not compare with simple filters of the raw images")
    qc.add_argument("--no-maps", action="store_true", help="do not write maps of the errors and of SSIM")
    qc.add_argument("--kind", choices=_KINDS, default="auto", help="what labels show; default: auto")
    qc.add_argument("--dimensions", choices=("2d", "3d"), help="2d scores stacks of labels plane by plane")
    qc.add_argument("--out", required=True)

    notebook = _add(commands, "notebook", _notebook, "run a notebook headless")
    notebook.add_argument("name", help="number or name, for example 1 or 1_Noise2Void_denoising")
    notebook.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="fill in a field")
    notebook.add_argument("--out", metavar="FILE.ipynb", help="where to write the executed notebook")

    demo = _add(commands, "demo", _demo, "denoise and segment the built-in sample, to a report")
    demo.add_argument("--out", default="n2seg_demo", help="folder for the demo")
    demo.add_argument("--minutes", type=float, default=1.0, help="time to train")
    return parser


def _training_arguments(command):
    command.add_argument("--run", help="run folder to create")
    command.add_argument("--config", metavar="FILE", help="YAML file of settings")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change one setting")


def _add(commands, name, function, help):
    command = commands.add_parser(name, help=help, description=help)
    command.set_defaults(run_command=function)
    return command


def _at_least(smallest):
    def whole_number(text):
        if int(text) < smallest:
            raise argparse.ArgumentTypeError(f"it is {text}, but must be at least {smallest}")
        return int(text)

    whole_number.__name__ = "whole number"
    return whole_number


def _sample(options):
    from .data import public_sets, samples

    if options.name in public_sets.DESCRIPTIONS:
        public_sets.write_public_set(options.name, options.out)
    elif options.name in samples.NAMES:
        samples.write_sample(options.name, options.out, options.seed, options.count, options.level)
    else:
        names = ", ".join((*samples.NAMES, *public_sets.DESCRIPTIONS))
        raise UserError(f"There is no sample '{options.name}': choose one of {names}")
    print(f"Written to {options.out}")


def _check(options):
    from .data.check import ERROR, check_images

    found = check_images(options.images, options.truth, options.axes, options.masks, options.target, options.joint)
    if options.json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        for finding in found.findings:
            if finding.severity != ERROR:
                print(f"{finding.severity}: {finding}")
        for image in found.images:
            print(f"{image.path.name}: {image.describe()}, axes {image.axes}")
        if found.ok:
            print(f"{counted(len(found.images), 'image')} read; nothing must change")
            print(found.describe())
    found.require_ok()


def _train_denoise(options):
    from .settings import DenoiseSettings

    settings = _settings(DenoiseSettings, options, ("images", "run"))
    _quiet()
    from .cli_scores import print_trained
    from .workflows import denoise

    print_trained(*denoise(settings))


def _train_segment(options):
    from .settings import SegmentSettings

    settings = _settings(SegmentSettings, options, ("images", "masks", "run"))
    _quiet()
    from .cli_scores import print_trained
    from .workflows import segment

    print_trained(*segment(settings))


def _train_joint(options):
    from .settings import JointSettings

    settings = _settings(JointSettings, options, ("images", "masks", "run"))
    _quiet()
    from .cli_scores import print_trained
    from .workflows import joint

    print_trained(*joint(settings))


def _resume(options):
    _quiet()
    from .cli_scores import print_trained
    from .workflows import resume

    print_trained(*resume(options.run))


def _settings(kind, options, needed):
    """The settings of a training, from the file, the options and the pairs, in this order."""
    values = kind.load(options.config).to_dict() if options.config else {}
    values |= {name: getattr(options, name) for name in needed if getattr(options, name)} | parse_pairs(options.set)
    settings = kind.from_mapping(values).check()
    for name in needed:
        if not values.get(name):
            raise UserError(f"Give --{name}, or '{name}' in the settings file")
    return settings


def _predict(options):
    if options.tile != "auto" and not (options.tile.isdecimal() and int(options.tile) >= 32):
        raise UserError(f"--tile is '{options.tile}'; it must be auto or a whole number of at least 32: use auto")
    from .models.run_folder import RunFolder

    RunFolder(options.run).require()
    _quiet()
    from .workflows import predict

    chosen = {name: getattr(options, name) for name in ("dtype", "outlines", "threshold", "min_size")}
    predict(options.run, options.images, options.out, options.tile, options.axes, **chosen)


def _qc(options):
    from . import cli_scores, workflows

    if options.labels:
        if not options.truth:
            raise UserError("Give --truth: labels are judged by label images or masks")
        found, report = workflows.judge_label_images(
            options.labels, options.truth, options.out, options.raw, options.run, kind=options.kind, axes=options.axes,
            image_axes=options.axes, dims=int(options.dimensions[0]) if options.dimensions else None,
        )  # fmt: skip
        cli_scores.print_label_scores(found)
    else:
        if options.run:
            raise UserError("--run is for labels: denoised images may be known to their model. Leave that option out")
        found, report = workflows.judge_restored(
            options.prediction, options.truth, options.raw, options.out, options.axes,
            maps=not options.no_maps, filters=not options.no_filters,
        )  # fmt: skip
        (cli_scores.print_scores if options.truth else cli_scores.print_findings)(found)
    for words in found.get("warnings", ()):
        print(f"warning: {words}")
    for name in found["unmatched"]:
        print(f"Not judged, for it has no partner: {name}")
    print(f"Written to {options.out}; the report is {report}")


def _notebook(options):
    from .notebooks import run_notebook

    out = run_notebook(options.name, parse_pairs(options.set), options.out)
    print(f"Executed notebook: {out}")


def _demo(options):
    from .settings import JointSettings

    settings = JointSettings(minutes=options.minutes).check()
    _quiet()
    from .demo import run_demo

    run_demo(Path(options.out), settings)


def parse_pairs(texts):
    """``key=value`` texts as a dict."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"--set {text}: write it as key=value")
        found[name.strip()] = value
    return found


def _quiet():
    """Spare the user TensorFlow's start-up messages."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


if __name__ == "__main__":
    sys.exit(main())
