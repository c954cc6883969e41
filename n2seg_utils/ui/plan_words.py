"""What an experiment will take, in words: for the notebook and the shell."""

from ..words import counted
from .progress import duration


def plan_in_words(found, out):
    """Lines about what :func:`~n2seg_utils.experiments.report.survey` found: runs, images, time and disk."""
    states = [one["state"] for one in found["runs"]]
    told = ", ".join(f"{states.count(s)} {s}" for s in ("done", "begun", "failed", "missing") if s in states)
    annotated = f" ({found['annotated']} annotated)" if found["annotated"] else ""
    lines = [
        f"{counted(len(states), 'run')} in {out}: {told}",
        f"{counted(found['learn'], 'image')}{annotated} to learn from, {found['judged']} to judge by",
    ]
    if states.count("done") < len(states):
        time = "an unknown time" if found["seconds"] is None else f"about {duration(found['seconds'])}"
        why = "as long as those that are done" if found["measured"] else "as asked for, and half a minute more for each"
        why = f" ({why})" if found["seconds"] is not None else " (known when the first run is done)"
        lines.append(
            f"What is missing takes {time}{why}, one after the other, and up to {_size(found['bytes'])} of disk"
        )
    return lines


def _size(count):
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
