"""Measurements as a table in Markdown."""

import statistics
from dataclasses import dataclass

COLUMNS = ("what", "aim", "ours", "rival", "ratio", "met")


@dataclass(frozen=True)
class Row:
    """One comparison; `met` is None where something was not measured."""

    what: str
    aim: str
    ours: str = "not measured"
    rival: str = ""
    ratio: str = ""
    met: bool | None = None

    def line(self):
        """As a line of a table."""
        met = {None: "", True: "yes", False: "no"}[self.met]
        return f"| {' | '.join([self.what, self.aim, self.ours, self.rival, self.ratio, met])} |".replace("\n", " ")


def compared(what, aim, ours, theirs, met, unit="s", digits=2):
    """A row of numbers that belong together, repeat by repeat; `met` judges the median of their ratios."""
    if not ours or not theirs:
        return Row(what, aim, spread(ours, unit, digits), spread(theirs, unit, digits))
    ratios = [mine / other for mine, other in zip(ours, theirs)]
    number = statistics.median(ratios)
    return Row(what, aim, spread(ours, unit, digits), spread(theirs, unit, digits), spread(ratios, "", 3), met(number))


def spread(values, unit="", digits=2):
    """The median of some numbers, and the least and the largest of them."""
    if not values:
        return "not measured"
    middle, low, high = (f"{number:.{digits}f}" for number in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})" + (f" {unit}" if unit else "")


def failures(records):
    """Why something was not run: a line each, of what no later try brought."""
    good = {_key(one) for one in records if not one.get("failed")}
    bad = {_key(one)[:3]: one["failed"] for one in records if one.get("failed") and _key(one) not in good}
    return [f"- not run: {question}, {case}, {who}: {why}" for (question, case, who), why in sorted(bad.items())]


def text(title, rows, records):
    """The lines of one question's part."""
    lines = [
        f"## {title}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(row.line() for row in rows),
    ]
    lines += ["", *failures(records), *_about(records)]
    return [*lines, ""]


def _about(records):
    """Versions, device and settings of everything that ran."""
    found = {}
    for one in records:
        if not one.get("failed"):
            name = one["who"].split(",")[0]
            versions = ", ".join(f"{package} {version}" for package, version in one["versions"].items())
            where = " ".join(filter(None, [one.get("device", ""), one.get("backend", "")]))
            found[name] = f"- {name}: {where + '; ' if where else ''}{versions}; settings: {_short(one['settings'])}"
    return [found[name] for name in sorted(found)]


def _short(settings):
    words = [f"{name} {value}" for name, value in settings.items() if value not in ("", None)]
    return ", ".join(words) or "none"


def _key(one):
    return one["question"], one["case"], one["who"], one["repeat"]


def of(records, case, who):
    """Measurements of one case and one subject that worked, in the order of their repeats."""
    found = [one for one in records if (one["case"], one["who"]) == (case, who) and not one.get("failed")]
    return sorted(found, key=lambda one: one["repeat"])


def value(records, case, who, name):
    """One number of each of these."""
    return [one["values"][name] for one in of(records, case, who) if name in one["values"]]
