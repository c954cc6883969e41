"""The command ``n2seg experiment``: many runs, one table."""

import shlex
from pathlib import Path

from .errors import UserError
from .words import counted


def plan(options, answer):
    """Say what an experiment will do, and what it takes."""
    experiment, out = _opened(options)
    from .experiments.report import survey

    found = survey(experiment, out)
    answer.update(out=str(out), **found)
    if not options.json:
        _print_plan(found, out)
        data = options.data and shlex.quote(options.data)
        print(
            f"Begin, or go on: n2seg experiment run {options.file}{f' --data {data}' if data else ''}\n"
            f"On several processors or a cluster: snakemake --snakefile {snakefile()} --config file={options.file}"
            f"{f' data={data}' if data else ''} --cores all"
        )


def run(options, answer):
    """Do all runs that are missing."""
    experiment, out = _opened(options)
    from .experiments.report import survey

    _print_plan(survey(experiment, out), out)
    _quiet()
    from .experiments.running import run_missing

    failed = run_missing(experiment, out, lambda words: print(words, flush=True))
    _summarise(experiment, out, answer)
    if failed:
        name, why = next(iter(failed.items()))
        answer.update(failed=failed)
        raise UserError(
            f"{counted(len(failed), 'run')} brought no result, for example {name}: {why}\nThe same command tries "
            "again what is missing; see failed.txt in the folders of these runs"
        )


def job(options, answer):
    """Do one run."""
    experiment, out = _opened(options)
    _quiet()
    from .experiments import results, running

    one = running.find(experiment, out, options.name)
    try:
        found = running.do(experiment, out, one)
    except UserError as error:
        results.write_failure(out, one, str(error))
        raise
    scores = ", ".join(f"{name} {value:.3f}" for name, value in found["scores"].items())
    print(f"{one.name}: {scores}")
    answer.update(found)


def prepare(options, answer):
    """Write the images that all runs need."""
    experiment, out = _opened(options)
    from .experiments.images import prepare as write
    from .experiments.plan import runs

    known = write(experiment, out)
    wanted = runs(experiment, known)
    print(f"{counted(len(known.train), 'image')} to learn from, {len(known.test)} to judge by, in {out / 'data'}")
    answer.update(out=str(out), runs=len(wanted))


def table(options, answer):
    """Write the tables, the figure and what follows from them."""
    experiment, out = _opened(options)
    _summarise(experiment, out, answer)


def snakefile():
    """The path of the Snakefile: inside the installed package, or in a checkout."""
    installed = Path(__file__).parent / "shipped" / "workflow" / "Snakefile"
    return installed if installed.is_file() else Path(__file__).parent.parent / "workflow" / "Snakefile"


def _opened(options):
    """The experiment, and the folder for its runs: by default beside the file, and named after it."""
    from .data.files import at_home
    from .experiments.file import Experiment

    experiment = Experiment.load(at_home(options.file), options.data)
    out = at_home(options.out) if options.out else experiment.path.with_name(f"{experiment.path.stem}_runs")
    return experiment, out


def _summarise(experiment, out, answer):
    from .experiments.report import summarise
    from .experiments.table import markdown

    found = summarise(experiment, out)
    answer.update(out=str(out), **found)
    print(f"\n{found['done']} of {counted(found['wanted'], 'run')} done. Means over seeds:\n")
    print(markdown(found["means"]))
    for words in found["sentences"]:
        print(words)
    if found["done"]:
        print(f"Written to {out}: runs.csv, means.csv, summary.md, report.html, and figure.png if labels were judged")


def _print_plan(found, out):
    from .ui.plan_words import plan_in_words

    first, second, *rest = plan_in_words(found, out)
    runs = [f"  {one['state']:8} {one['run']}" + (f": {one['why']}" if "why" in one else "") for one in found["runs"]]
    print("\n".join([first, second, *runs, *rest]))


def _quiet():
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
