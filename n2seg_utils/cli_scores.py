"""What came of the work: lines of text for a shell, and what a script is told."""

from .quality.filters_qc import sentences
from .quality.image_scores import SCORES
from .quality.qc import SCORES as FIRST
from .words import counted


def print_label_scores(found):
    """Of labels."""
    for name, value in found.items():
        if isinstance(value, (int, float)):
            print(f"{name:10} {value:.3f}" if isinstance(value, float) else f"{name:10} {value}")


def print_scores(found):
    """Of restored images."""
    for name in FIRST:
        score, values = SCORES[name], found[name]
        unit = f" {score.unit}" if score.unit else ""
        change = "" if values["raw"] is None else f"  (raw {values['raw']:.4g}, change {values['gain']:+.4g})"
        print(f"{score.label:6} {values['prediction']:.4g}{unit}{change}")
    for words in found["warnings"]:
        print(f"warning: {words}")
    for words in sentences(found["filters"]):
        print(words)


def print_findings(found):
    """Of restored images without truth."""
    for finding in found["findings"]:
        print(f"{finding['severity']}: {finding['sentence']} ({counted(len(finding['images']), 'image')})")


def print_trained(model, scores, report):
    """Of a model that was trained, with where to find it."""
    labels, denoised = _apart(model, scores)
    if labels:
        print(f"Labels of {counted(len(labels['per_image']), 'validation image')}:")
        print_label_scores(labels)
    if denoised:
        print(f"Denoising of {counted(len(denoised['per_image']), 'image')} with truth:")
        print_scores(denoised)
    print(f"The model is in {model.run.path}, the report is {report}")


def trained(model, scores, report):
    """The same for scripts: a dict."""
    labels, denoised = _apart(model, scores)
    facts = model.run.facts()
    course = (
        "workflow",
        "status",
        "steps",
        "epochs_done",
        "best_epoch",
        "training_seconds",
        "device",
        "rule",
        "warnings",
    )
    return {
        "run": str(model.run.path),
        "report": str(report),
        **{name: facts[name] for name in course if name in facts},
        "scores": {"labels": labels, "denoised": denoised},
    }


def _apart(model, scores):
    """Scores of labels, and of denoised images; None without them."""
    if model.run.workflow == "joint":
        return scores
    return (None, scores) if model.run.workflow == "denoise" else (scores, None)
