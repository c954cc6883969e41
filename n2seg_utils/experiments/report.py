"""What is known of an experiment: before, meanwhile and afterwards."""

from ..errors import UserError
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


def belongs(experiment, out):
    """Whether what a folder holds is of this experiment, or of one to which it can be added."""
    try:
        known = images.look(experiment, out)
        results.require_same(experiment, out, known, runs(experiment, known))
    except UserError:
        return False
    return True


def summarise(experiment, out):
    """Write the table of all runs that are done, their means, the figure, what follows, and a report of all of it.

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
        _document(experiment, out, wanted, some, means, words)
    return {"rows": rows, "means": means, "sentences": words, "done": len(rows), "wanted": len(wanted)}


def _document(experiment, out, wanted, some, means, words):
    """The report, as HTML and PDF."""
    from ..quality.document import Document, Heading, Paragraph, Picture, Table
    from ..quality.html import write_html
    from ..quality.pdf import write_pdf
    from ..versions import versions
    from . import table
    from .pictures import compare_labels

    known = images.look(experiment, out)
    found = Document("Which way of training?", [Paragraph(sentence) for sentence in words])
    if (out / "figure.png").exists():
        caption = "Score against the number of annotated images, means and standard deviations"
        found.add(Picture(caption, out / "figure.png"))
    compared = compare_labels(experiment, out, wanted, some)
    if compared:
        found.add(Picture(*compared))
    head, *rows = table.cells(means)
    found.add(Heading("Means and standard deviations over seeds"), Table(rows, tuple(head)))
    about = {
        "images to learn from": len(known.train),
        "of which annotated": len(known.annotated),
        "images to judge by": len(known.test),
        "runs done": f"{sum(len(group.scores[table.main_score([group])]) for group in some)} of {len(wanted)}",
        **versions(),
    }
    found.add(Heading("What happened"), Table([(name, str(value)) for name, value in about.items()], numbers=False))
    said = {"images": experiment.about.images, **experiment.base}
    said |= {name: ", ".join(map(str, values)) for name, values in experiment.grid.items()}
    found.add(Heading("The experiment"), Table([(name, str(value)) for name, value in said.items()], numbers=False))
    write_pdf(found, out / "report.pdf")
    write_html(found, out / "report.html")
