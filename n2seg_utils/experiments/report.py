"""What is known of an experiment: before, meanwhile and afterwards."""

from . import cost, images, results
from .plan import runs


def survey(experiment, out):
    """What is to be done, what is done, and what the rest will take; nothing is written.

    Returns
    -------
    dict
        ``runs``: a dict for each, with ``state`` ("done", "failed", "begun" or "missing") and ``why`` it failed;
        ``annotated``, ``learn``, ``judged``: numbers of images; ``seconds``, ``longest_seconds`` (None where nothing
        tells), ``measured`` and ``bytes``: see :class:`~n2seg_utils.experiments.cost.Cost`; ``cpus``, ``gpus``,
        ``memory_gb``, ``retries``: for Snakemake.
    """
    known = images.look(experiment, out)
    wanted = runs(experiment, known)
    results.require_same(experiment, out, known, wanted)
    took, about = cost.estimate(experiment, out, known, wanted), experiment.about
    return {
        "runs": [run.identity() | {"settings": run.values} | results.state(out, run) for run in wanted],
        "annotated": len(known.annotated),
        "learn": len(known.train),
        "judged": len(known.test),
        "seconds": took.seconds,
        "longest_seconds": took.longest,
        "measured": took.measured,
        "bytes": took.nbytes,
        **{name: getattr(about, name) for name in ("cpus", "gpus", "memory_gb", "retries")},
    }


def summarise(experiment, out):
    """Write the table of all runs that are done, their means, the figure and what follows; see :func:`table.write`.

    Returns
    -------
    dict
        ``rows``, ``means``: of the tables; ``sentences``; ``done``, ``wanted``: numbers of runs.
    """
    from . import advice, figure, table  # which take a second, and a plan needs none of them

    wanted = runs(experiment, images.look(experiment, out))
    rows, some = table.rows(experiment, out, wanted), table.groups(experiment, out, wanted)
    means, words = table.means(experiment, some), advice.sentences(some)
    if rows:
        table.write(out, rows, means, words, figure.draw(some))
    return {"rows": rows, "means": means, "sentences": words, "done": len(rows), "wanted": len(wanted)}
