"""The command ``n2seg``: the notebooks' work from a shell.

Exit status: 0 fine; 2 the input needs a change, said in one message; 1 our fault; 130 and 143 stopped by Ctrl-C or by
the system. With ``--json``, one JSON object is all that goes to standard output, whatever the status.
"""

import contextlib
import json
import signal
import sys
import threading
from pathlib import Path

from .cli_arguments import parser
from .cli_parts import join
from .errors import Terminated, UserError
from .words import counted


def main(arguments=None):
    """Run the command; returns its exit status."""
    if hasattr(sys.stdout, "reconfigure"):  # not all terminals can show all names of files
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    for_machines, answer, status, said = "--json" in words, {}, 1, "it failed; see standard error"
    try:
        options = parser().parse_args(words)
        with _terminable(), contextlib.redirect_stdout(sys.stderr) if for_machines else contextlib.nullcontext():
            _COMMANDS[options.command](options, answer)
        status, said = 0, ""
    except UserError as error:
        status, said = 2, str(error)
    except Terminated:
        status, said = 143, "stopped by the system. What was done is kept: give the same command again, or n2seg resume"
    except KeyboardInterrupt:
        status, said = 130, "stopped"
    except (BrokenPipeError, SystemExit) as ended:  # nobody reads on; or --help was asked for
        for_machines = False
        if isinstance(ended, SystemExit):
            raise
        return 0
    finally:
        if status > 1:
            print(f"n2seg: {said}", file=sys.stderr)
        if for_machines:
            print(_json(answer, status, said))
    return status


@contextlib.contextmanager
def _terminable():
    """Take the system's wish to end the process (SIGTERM) for an interrupt, once: what is kept then is kept whole."""

    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _json(answer, status, said):
    from .quality.pairs import for_json
    from .versions import versions

    whole = {"exit_status": status} | ({"error": said} if said else {}) | answer | {"versions": versions()}
    return json.dumps(for_json(whole), indent=2, ensure_ascii=False, default=_plain)


def _plain(value):
    """Numbers of numpy and paths, for JSON."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _sample(options, answer):
    from .data import public_sets, samples

    if options.name in public_sets.DESCRIPTIONS:
        public_sets.write_public_set(options.name, options.out)
    elif options.name in samples.NAMES:
        samples.write_sample(options.name, options.out, options.seed, options.count, options.level)
    else:
        names = ", ".join((*samples.NAMES, *public_sets.DESCRIPTIONS))
        raise UserError(f"There is no sample '{options.name}': choose one of {names}")
    print(f"Written to {options.out}")


def _check(options, answer):
    from .data import positions
    from .data.check import ERROR, check_images
    from .data.labels import gather_masks

    names = ("images", "truth", "masks", "target", "axes")
    wanted = _chosen(options, names, _training_file(options))
    _require(wanted, "images")
    kind, axes = ("auto" if wanted[name] is None else wanted[name] for name in ("target", "axes"))
    images, masks = positions.images_of(wanted["images"]), gather_masks(wanted["masks"])
    found = check_images(images, wanted["truth"], axes, masks, kind, options.joint)
    answer.update(found.to_dict())
    if not options.json:  # which tells all of it
        for finding in found.findings:
            if finding.severity != ERROR:
                print(f"{finding.severity}: {finding}")
        for image in found.images:
            print(f"{image.path.name}: {image.describe()}, axes {image.axes}")
        if found.ok:
            print(f"{counted(len(found.images), 'image')} read; nothing must change")
            print(found.describe())
    found.require_ok()


def _train(options, answer):
    from .settings.files import TRAININGS, load_for

    workflow = options.command.split()[1]
    kind, needed = TRAININGS[workflow], ("images", "masks", "run")[:: 2 if workflow == "denoise" else 1]
    values = load_for(options.command, options.config).to_dict() if options.config else {}
    values |= {name: getattr(options, name) for name in needed if getattr(options, name)} | parse_pairs(options.set)
    settings = kind.from_mapping(values).check()
    _require(values, *(name for name in needed if name != "masks" or getattr(settings, "labels", "") != "none"))
    _quiet()
    from . import workflows
    from .resuming import begin_or_resume

    train = getattr(workflows, workflow)
    _tell_trained(*(begin_or_resume(train, settings) if options.resume else train(settings)), answer)


def _resume(options, answer):
    if not (options.run or options.folder) or (options.run and options.folder):
        raise UserError("Give the run folder of the training, once: n2seg resume RUN")
    _quiet()
    from .workflows import resume

    _tell_trained(*resume(options.run or options.folder), answer)


def _tell_trained(model, scores, report, answer):
    """What came of a training, for people and for machines."""
    from .cli_scores import print_trained, trained

    print_trained(model, scores, report)
    answer.update(trained(model, scores, report))


def _predict(options, answer):
    if options.tile != "auto" and not (options.tile.isdecimal() and int(options.tile) >= 32):
        raise UserError(f"--tile is '{options.tile}'; it must be auto or a whole number of at least 32: use auto")
    if options.join:
        join(options, answer)
        return
    settings = _training_file(options)
    wanted = _chosen(options, ("run", "images", "axes"), settings)
    _require(wanted, "run", "images")
    from .data.parts import parse_part
    from .exchange.kinds import kind_of
    from .knobs import read_values

    part = options.part and parse_part(options.part)
    more = ("dtype", "outlines", "threshold", "min_size")
    written = read_values(options.config).keys() if options.config else ()
    usual = {name: getattr(settings, name) for name in more if name in written}
    kind_of(wanted["run"])
    _quiet()
    from .workflows import predict

    run, images, axes = wanted.values()
    given = {name: getattr(options, name) for name in more}
    files = predict(run, images, options.out, options.tile, "auto" if axes is None else axes, usual, part, **given)
    answer.update(run=str(run), out=options.out, files=[str(file) for file in files])


def _export(options, answer):
    from .models.run_folder import RunFolder
    from .settings import ExportSettings

    settings = ExportSettings.from_mapping(parse_pairs(options.set) | {"format": options.format}).check()
    RunFolder(options.run).require()
    _quiet()
    from .workflows import export

    answer.update(run=options.run, out=str(export(options.run, options.out, settings)))


def _qc(options, answer):
    from . import cli_scores, workflows
    from .settings.files import load_for

    wanted = _chosen_of_quality(options, load_for("qc", options.config) if options.config else None)
    if wanted["labels"]:
        if not wanted["truth"]:
            raise UserError("Give --truth: labels are judged by label images or masks")
        dims = None if wanted["dimensions"] == "auto" else int(wanted["dimensions"][0])
        found, report = workflows.judge_label_images(
            wanted["labels"], wanted["truth"], wanted["out"], wanted["raw"], wanted["model"], kind=wanted["kind"],
            axes=wanted["axes"], image_axes=wanted["axes"], dims=dims, figures=wanted["figures"],
        )  # fmt: skip
        cli_scores.print_label_scores(found)
    else:
        if options.model:
            raise UserError("--model is for labels; a denoiser may have seen what it is judged by. Leave --model out")
        found, report = workflows.judge_restored(
            wanted["prediction"], wanted["truth"], wanted["raw"], wanted["out"], wanted["axes"],
            maps=wanted["maps"], filters=wanted["filters"], figures=wanted["figures"],
        )  # fmt: skip
        (cli_scores.print_scores if wanted["truth"] else cli_scores.print_findings)(found)
    for words in found.get("warnings", ()):
        print(f"warning: {words}")
    for name in found["unmatched"]:
        print(f"Not judged, for it has no partner: {name}")
    print(f"Written to {wanted['out']}; the report is {report}")
    answer.update(out=str(wanted["out"]), report=str(report), scores=found)


def _notebook(options, answer):
    from .knobs import read_values
    from .notebooks import run_notebook

    values = read_values(options.config) if options.config else {}
    out = run_notebook(options.name, values | parse_pairs(options.set), options.out)
    print(f"Executed notebook: {out}")


def _demo(options, answer):
    from .settings import JointSettings

    settings = JointSettings(minutes=options.minutes).check()
    _quiet()
    from .demo import run_demo

    run_demo(Path(options.out), settings)


def _experiment(options, answer):
    from . import cli_experiments

    getattr(cli_experiments, options.command.split()[1])(options, answer)


_COMMANDS = {
    "sample": _sample, "check": _check, "train denoise": _train, "train segment": _train, "train joint": _train,
    "resume": _resume, "predict": _predict, "export": _export, "qc": _qc, "notebook": _notebook, "demo": _demo,
    **{f"experiment {name}": _experiment for name in ("plan", "run", "job", "prepare", "table")},
}  # fmt: skip


def _training_file(options):
    """The settings of a training that were named with --config, if any."""
    from .settings.files import load_training

    return load_training(options.config) if options.config else None


def _chosen(options, names, settings):
    """Name -> what was given with the command, else what the settings say, else None."""
    given = {name: getattr(options, name) for name in names}
    return {name: getattr(settings, name, None) if value is None else value for name, value in given.items()}


def _chosen_of_quality(options, settings):
    """What quality control needs to know, from the command, else from the settings, else by default."""
    from .settings import QualitySettings

    names = ("truth", "raw", "model", "axes", "kind", "dimensions")
    wanted = _chosen(options, names, settings or QualitySettings())
    judged = {"prediction": options.prediction, "labels": options.labels}
    if settings and not any(judged.values()):
        judged["labels" if settings.what == "labels" else "prediction"] = settings.prediction
    if not any(judged.values()):
        raise UserError("Give --prediction or --labels: the folder of what is to be judged")
    wanted |= judged | {"out": options.out or (settings and settings.run)}
    _require(wanted, "out")
    settings = settings or QualitySettings()
    maps, filters = settings.maps and not options.no_maps, settings.filters and not options.no_filters
    return wanted | {"maps": maps, "filters": filters, "figures": settings.figures}


def _require(values, *names):
    """Refuse to go on without the values of these names."""
    for name in names:
        if not values.get(name):
            raise UserError(f"Give --{name}, or '{name}' in the settings file")


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
