"""Doing the runs of an experiment: one of them, or all that are missing one after the other."""

import shutil
import sys
import time
import traceback

from ..data.results import stopped
from ..errors import UserError
from ..interrupts import Interrupts
from . import images, results
from .plan import runs, trainings

# Scores of labels and of denoised images, as far as there are any.
LABEL_SCORES = ("ap50", "ap", "seg", "f1", "f1_70", "f1_90", "iou", "dice")
IMAGE_SCORES = ("psnr", "ssim")


def find(experiment, out, name):
    """The run of a name.

    Raises
    ------
    UserError
        When there is none.
    """
    known = images.look(experiment, out)
    for run in runs(experiment, known):
        if run.name == name:
            return run
    raise UserError(f"{experiment.path} has no run {name}: n2seg experiment plan {experiment.path} names them; use one")


def run_missing(experiment, out, tell=print, watch=None):
    """Do all runs that are missing, one after the other; one that fails is told, and the others are done.

    Parameters
    ----------
    experiment : Experiment
    out : Path
    tell : callable
        Takes lines of text.
    watch : callable, optional
        ``watch(run, state)``, when a run begins ("training"), and when it ends ("done" or "failed").

    Returns
    -------
    dict
        Name of a run that failed -> why.
    """
    known = images.prepare(experiment, out)
    wanted = runs(experiment, known)
    results.require_same(experiment, out, known, wanted)
    missing, failed = [run for run in wanted if not results.read_result(out, run)], {}
    watch = watch or (lambda run, state: None)
    for number, run in enumerate(missing):
        tell(f"\nRun {number + 1 + len(wanted) - len(missing)} of {len(wanted)}: {run.name}")
        watch(run, "training")
        try:
            do(experiment, out, run)
        except UserError as error:
            failed[run.name] = str(error)
        except Exception as error:  # whatever it is, it must not cost the others
            failed[run.name] = f"{type(error).__name__}: {error}"
            traceback.print_exc(file=sys.stderr)
        if run.name in failed:
            results.write_failure(out, run, failed[run.name])
            tell(f"No result: {failed[run.name]}")
        watch(run, "failed" if run.name in failed else "done")
        _forget()
    return failed


def do(experiment, out, run):
    """Do one run, or go on with it where it was stopped; nothing, if it is done.

    Returns
    -------
    dict
        Its result.

    Raises
    ------
    UserError
        When it cannot be done, or was begun with other settings.
    KeyboardInterrupt
        When a person stops it; the same call goes on.
    """
    out = out.resolve()
    known = images.prepare(experiment, out)
    results.require_same(experiment, out, known, [run])
    found = results.read_result(out, run)
    if found:
        return found
    results.begin(experiment, out, known, run)
    began = time.monotonic()
    folders, home = images.folders(experiment, out, known, run), results.folder_of(out, run)
    if run.annotated:
        _say_target(experiment, known)
    settings = {
        workflow: found.replace(**({"target": known.target} if known.target and hasattr(found, "target") else {}))
        for workflow, found in trainings(experiment, run).items()
    }
    facts = _train_and_apply(run.method, settings, folders, home)
    scores, per_image = _judge(home / "results", folders, known)
    found = {"asked": results.asked_for(experiment, known, run), "scores": scores, "per_image": per_image}
    steps, trained = (sum(fact[name] for fact in facts) for name in ("steps", "training_seconds"))
    seconds = round(max(time.monotonic() - began, trained), 1)
    found |= {"steps": steps, "seconds": seconds, "device": facts[-1]["device"]}
    results.write_result(out, run, found)
    return found


def _train_and_apply(method, settings, folders, home):
    """Train what a method needs, apply it to what is judged; returns the facts of each training."""
    denoised, labels = home / "results" / "denoised", home / "results" / "labels"
    facts = []
    if method in ("denoise", "sequential"):
        chosen = settings["denoise"].replace(images=str(folders.train), run=str(home / "denoiser"))
        facts.append(_train("denoise", chosen))
        _predict(home / "denoiser", folders.test, denoised)
    if method == "sequential":
        _predict(home / "denoiser", folders.drawn, home / "drawn_denoised")
    if method in ("segment", "sequential"):
        learn, apply = (home / "drawn_denoised", denoised) if method == "sequential" else (folders.drawn, folders.test)
        chosen = settings["segment"].replace(images=str(learn), masks=str(folders.masks), run=str(home / "model"))
        facts.append(_train("segment", chosen))
        _predict(home / "model", apply, labels)
    if method in ("joint", "published"):
        chosen = settings["joint"].replace(images=str(folders.train), masks=str(folders.masks), run=str(home / "model"))
        facts.append(_train("joint", chosen))
        _predict(home / "model", folders.test, home / "results")
    return facts


def _train(workflow, settings):
    """Train, or go on with that; returns the facts of the run."""
    from .. import workflows
    from ..models.past import Past
    from ..models.run_folder import RunFolder

    past, run = Past.known(settings.run), RunFolder(settings.run)
    if past is None and not (run / "run.json").exists():  # killed before it had written down what it is
        shutil.rmtree(run.path, ignore_errors=True)
    if not (past and past.over and (run / "report.html").exists()):
        _begin_or_resume(getattr(workflows, workflow), settings)
    elif not past.asked_for(settings):
        raise UserError(f"{run} holds a training that was begun with other settings. Choose another folder with --out")
    if not Past(settings.run).over:
        raise KeyboardInterrupt
    return run.facts()


def _begin_or_resume(workflow, settings):
    """A training takes an interrupt (Ctrl-C) for its end, but it is the end of the experiment, whatever came of it."""
    from ..resuming import begin_or_resume

    with Interrupts() as interrupts:
        try:
            begin_or_resume(workflow, settings)
        except UserError:
            interrupts.check()
            raise
    interrupts.check()


def _predict(run, source, out):
    """Apply a model, or go on with that; nothing, if it is done."""
    from .. import workflows

    if not out.is_dir() or stopped(out):
        workflows.predict(run, source, out)


def _judge(found, folders, known):
    """Scores of what a run found, and of each image the one that counts most: name -> mean, and name -> value."""
    from ..quality.label_qc import judge_labels
    from ..quality.qc import judge

    scores, per_image = {}, {}
    if (found / "denoised").is_dir() and folders.truth:
        judged = judge(found / "denoised", folders.truth)
        scores |= {name: judged[name]["prediction"] for name in IMAGE_SCORES}
        per_image["psnr"] = {row["image"]: row["psnr"] for row in judged["per_image"]}
    if (found / "labels").is_dir():
        judged = judge_labels(found / "labels", folders.test_masks, kind=known.target)
        scores |= {name: judged[name] for name in LABEL_SCORES if judged.get(name) is not None}
        best = "ap50" if "ap50" in judged else "iou"
        per_image[best] = {row["image"]: row[best] for row in judged["per_image"]}
    return {name: round(value, 6) for name, value in scores.items() if value is not None}, per_image


def _say_target(experiment, known):
    if str(experiment.base.get("target") or "auto").strip() != known.target:
        print(f"Taken for what all masks show: {known.target}", flush=True)


def _forget():
    """Free what the last training held."""
    keras = sys.modules.get("keras")
    if keras:
        keras.utils.clear_session()
