"""What the command ``n2seg`` understands: its commands, their options and, for each, examples."""

import argparse

from .about import VERSION
from .errors import UserError

_KINDS = ("auto", "binary", "classes", "instances")
# Of each command, with what a line does; tests run them.
EXAMPLES = {
    "sample": {"n2seg sample nuclei --out my_sample --count 4": "images/, clean/ and masks/, made here"},
    "check": {
        "n2seg check --images my_images": "noisy images for Noise2Void",
        "n2seg check --images my_images --masks my_masks": "for segmentation",
        "n2seg check --config settings.yaml --json": "what a form asked for, for a script",
    },
    "train denoise": {
        "n2seg train denoise --images my_images --run my_run": "the rest is chosen from the images",
        "n2seg train denoise --images my_images --run my_run --set minutes=10 --set algorithm=n2v2": "",
        "n2seg train denoise --config settings.yaml --images my_images --run my_run": "as the form or run said",
        "n2seg train denoise --config settings.yaml --run my_run --resume": "begins, or goes on; for clusters",
    },
    "train segment": {
        "n2seg train segment --images my_images --masks my_masks --run my_model": "",
        "n2seg train segment --images my_images --masks my_masks --run my_model --set target=instances": "",
    },
    "train joint": {"n2seg train joint --images my_images --masks masks_of_some --run my_joint_model": ""},
    "resume": {"n2seg resume my_run": "", "n2seg resume --run my_run --json": "the scores, for a script"},
    "predict": {
        "n2seg predict --run my_run --images my_images --out denoised": "denoised/NAME.tif",
        "n2seg predict --run my_model --images my_images --out labels --outlines imagej": "for Fiji, too",
        "n2seg predict --config settings.yaml --images new_images --out new_results": "with the run it names",
        "n2seg predict --run my_run --images my_images --out in_parts --part 3/50": "one of 50 jobs on a cluster",
        "n2seg predict --out in_parts --join 50": "when all are done; workflow/predict.smk does both",
    },
    "export": {
        "n2seg export --run my_run --out my_model.zip --format bioimageio": "a package for many programs",
        "n2seg export --run my_run --out my_model.zip --format savedmodel --set name=Nuclei": "for Fiji",
    },
    "qc": {
        "n2seg qc --prediction denoised --truth clean --raw my_images --out quality": "",
        "n2seg qc --prediction denoised --raw my_images --out quality": "without clean images",
        "n2seg qc --labels labels --truth true_masks --out quality --json": "the scores, for a script",
    },
    "experiment plan": {"n2seg experiment plan nuclei.yaml": "how many runs, how long, how much disk; what is done"},
    "experiment run": {"n2seg experiment run nuclei.yaml --out comparison": "what is missing, one after the other"},
    "experiment job": {"n2seg experiment job nuclei.yaml joint_annotated4_seed1": "one of the runs that plan names"},
    "experiment prepare": {"n2seg experiment prepare nuclei.yaml": "the images that all runs need; for clusters"},
    "experiment table": {"n2seg experiment table nuclei.yaml": "of the runs that are done so far"},
    "notebook": {
        "n2seg notebook 1 --set images=my_images --out my_notebook.ipynb": "",
        "n2seg notebook 2_UNet_segmentation --config settings.yaml": "with the fields filled in as there",
    },
    "demo": {"n2seg demo --minutes 0.5": ""},
}


class _Parser(argparse.ArgumentParser):
    """Says in one message what is wrong with the command, as we do for what is wrong with the data."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more, allow_abbrev=False)  # --js would not be understood everywhere

    def error(self, message):
        raise UserError(f"{message}. See {self.prog} --help")


def parser():
    """The parser of the command; what it finds has the ``command``, for example "train denoise"."""
    about = "Denoise and segment microscopy images, and judge the result."
    more = "Exit status: 0 fine; 2 your input needs a change, and the message says which; 1 our fault."
    found = _Parser(prog="n2seg", description=about, epilog=f"{more} Examples: n2seg COMMAND --help")
    found.add_argument("--version", action="version", version=f"n2seg {VERSION}")
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    _sample(_add(commands, "sample", "make a synthetic data set, or download a named real one"))
    _check(_add(commands, "check", "look at images before training"))
    train = commands.add_parser("train", help="train a model", description="train a model")
    workflows = train.add_subparsers(required=True, metavar="WORKFLOW")
    _train(_add(workflows, "train denoise", "train Noise2Void on noisy images"), "folder of noisy images, or one file")
    masks = "folder of masks, ROI sets, or a Supervisely project"
    _train(
        _add(workflows, "train segment", "train a U-Net on images and masks"), "folder of images, or one file", masks
    )
    _train(
        _add(workflows, "train joint", "train to denoise and to segment; masks of some images are enough"),
        "folder of noisy images, annotated or not", masks.replace("masks", "masks of some of them"),
    )  # fmt: skip
    _resume(_add(commands, "resume", "go on with a training that was stopped"))
    _predict(_add(commands, "predict", "apply a trained model"))
    _export(_add(commands, "export", "write a model for other software"))
    _qc(_add(commands, "qc", "judge restored images, with or without the truth, or labels"))
    _experiments(commands)
    _notebook(_add(commands, "notebook", "run a notebook headless"))
    _demo(_add(commands, "demo", "denoise and segment the built-in sample, to a report"))
    return found


def _add(commands, name, help):
    shown = "\n".join(f"  {line}" + (f"  # {what}" if what else "") for line, what in EXAMPLES[name].items())
    command = commands.add_parser(
        name.split()[-1], help=help, description=help, epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.set_defaults(command=name)
    return command


def _sample(command):
    command.add_argument(
        "name", help="nuclei, spots, nuclei3d, spots3d, two_channels; or dsb2018, human_mitosis, cells3d"
    )
    command.add_argument("--out", required=True, help="folder to create images/, clean/ and masks/ in")
    command.add_argument("--seed", type=_at_least(0), default=1)
    command.add_argument("--count", type=_at_least(1), help="number of images")
    command.add_argument("--level", default="medium", help="easy, medium or hard")


def _check(command):
    command.add_argument("--images", help="folder of images, or one file")
    command.add_argument("--truth", help="clean images of the same names")
    command.add_argument("--masks", help="masks of the same names")
    command.add_argument("--joint", action="store_true", help="for joint training: images without a mask are used too")
    command.add_argument("--target", choices=_KINDS, help="what masks show; default: auto")
    command.add_argument("--axes", help="what the dimensions mean, for example TYX; default: as files say")
    _config(command)
    _json(command, "print the findings as JSON")


def _train(command, images, masks=None):
    command.add_argument("--images", help=images)
    if masks:
        command.add_argument("--masks", help=masks)
    command.add_argument("--run", help="run folder to create")
    _config(command)
    _set(command, "change one setting")
    command.add_argument(
        "--resume", action="store_true", help="if the run folder holds a training that was stopped, go on with that"
    )
    _json(command)


def _resume(command):
    command.add_argument("folder", metavar="RUN", nargs="?", help="its run folder")
    command.add_argument("--run", help="the same")
    _json(command)


def _predict(command):
    command.add_argument("--run", help="run folder of the model, or a model of other software")
    command.add_argument("--images", help="folder of images, or one file")
    command.add_argument("--out", required=True, help="folder for the results")
    command.add_argument("--axes", help="what the dimensions mean, for example ZYX; default: as in the run")
    command.add_argument("--tile", default="auto", help="side of the tiles in pixels, or auto")
    command.add_argument(
        "--dtype", choices=("float32", "input"), help="type of denoised images; default: as in the run"
    )
    command.add_argument("--threshold", type=float, help="of segmentation, in place of the tuned one")
    command.add_argument(
        "--min-size", type=_at_least(0), help="pixels of the smallest object, in place of the tuned one"
    )
    command.add_argument("--outlines", choices=("none", "imagej", "supervisely"), help="write outlines of objects too")
    command.add_argument("--part", metavar="K/N", help="do part K of N only, while other jobs do the others")
    command.add_argument("--join", metavar="N", type=_at_least(1), help="when all N parts are done, join their tables")
    _config(command)
    _json(command)


def _export(command):
    command.add_argument("--run", required=True, help="run folder of the model")
    command.add_argument("--out", required=True, metavar="FILE", help="zip to write; for n2v a folder or a zip")
    command.add_argument("--format", required=True, choices=("bioimageio", "savedmodel", "n2v"))
    _set(command, "say its name, authors, description, licence, cite or tiles")
    _json(command)


def _qc(command):
    judged = command.add_mutually_exclusive_group()
    judged.add_argument("--prediction", help="restored images")
    judged.add_argument("--labels", help="label images")
    command.add_argument("--truth", help="clean images; for labels: label images, masks, ROI sets ...")
    command.add_argument("--raw", help="the images as they were, to see the gain, or to draw labels on")
    command.add_argument("--model", help="run folder of the model that found the labels: images it knows are named")
    command.add_argument("--axes", help="what the dimensions mean, for example ZYX; default: as files say")
    command.add_argument("--no-filters", action="store_true", help="do not compare with filters of the raw images")
    command.add_argument("--no-maps", action="store_true", help="do not write maps of the errors and of SSIM")
    command.add_argument("--kind", choices=_KINDS, help="what labels show; default: auto")
    command.add_argument("--dimensions", choices=("2d", "3d"), help="2d scores stacks of labels plane by plane")
    command.add_argument("--out", help="folder for scores, pictures and the report")
    _config(command)
    _json(command)


def _experiments(commands):
    about = "compare methods, numbers of annotations and settings on your images"
    experiment = commands.add_parser("experiment", help=about, description=about)
    tasks = experiment.add_subparsers(required=True, metavar="TASK")
    for name, help in {
        "plan": "say what an experiment will do, and what it takes",
        "run": "do all runs that are missing, one after the other",
        "job": "do one run, or go on with it",
        "prepare": "write the images that all runs need",
        "table": "write the table, the figure and what follows from them",
    }.items():
        command = _add(tasks, f"experiment {name}", help)
        command.add_argument("file", metavar="FILE", help="YAML file of the experiment; see the README")
        if name == "job":
            command.add_argument("name", metavar="NAME", help="name of the run")
        command.add_argument("--out", metavar="DIR", help="folder for all runs; default: beside FILE, named after it")
        command.add_argument("--data", metavar="DIR", help="folder in which are the folders that FILE names")
        _json(command)


def _notebook(command):
    command.add_argument("name", help="number or name, for example 1 or 1_Noise2Void_denoising")
    _config(command)
    _set(command, "fill in a field")
    command.add_argument("--out", metavar="FILE.ipynb", help="where to write the executed notebook")


def _demo(command):
    command.add_argument("--out", default="n2seg_demo", help="folder for the demo")
    command.add_argument("--minutes", type=float, default=1.0, help="time to train")


def _config(command):
    command.add_argument("--config", metavar="FILE", help="YAML file of settings, as forms and runs leave it")


def _set(command, help):
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help=help)


def _json(command, help="print one JSON object with paths, scores and versions; progress goes to standard error"):
    command.add_argument("--json", action="store_true", help=help)


def _at_least(smallest):
    def whole_number(text):
        if int(text) < smallest:
            raise argparse.ArgumentTypeError(f"it is {text}, but must be at least {smallest}")
        return int(text)

    whole_number.__name__ = "whole number"
    return whole_number
