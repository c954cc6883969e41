"""Time to quality: which of our trainings is as good as a rival, and how much sooner it is over."""

from .tables import Row, compared, of, spread


def points(one, score):
    """Checkpoints of a measurement as (seconds, seconds from the start of the process, score, step)."""
    return sorted((c["seconds"], c["seconds_from_start"], c[score], c["step"]) for c in one["checkpoints"])


def ours(records, case, repeat, score):
    """All our trainings of a repeat, whatever their length."""
    mine = [one for one in records if one["case"] == case and one["who"].startswith("ours,") and not one.get("failed")]
    return sorted(point for one in mine if one["repeat"] == repeat for point in points(one, score))


def rows(records, case, rival, score, unit, most, target, words):
    """How much sooner ours is as good.

    Parameters
    ----------
    most : float
        The share of the rival's time that is aimed at.
    target : callable
        ``target(points)`` is the point of the rival that ours has to reach.
    words : str
        What that point is.
    """
    found = []
    for column, since in ((0, "from the start of the training"), (1, "from the start of the process")):
        mine, theirs, missed = [], [], []
        for one in of(records, case, rival):
            goal = target(points(one, score))
            reached = [point for point in ours(records, case, one["repeat"], score) if point[2] >= goal[2]]
            if reached:
                mine.append(min(point[column] for point in reached))
                theirs.append(goal[column])
            else:
                missed.append(goal[2])
        what, aim = f"{case}: time to {words}, {since}", f"at most {most:.2f} of the time"
        if missed:
            found.append(Row(what, aim, "never as good", spread(missed, unit), "", False))
        else:
            found.append(compared(what, aim, mine, theirs, lambda ratio: ratio <= most))
    return found


def at_equal_time(records, case, rival, score, unit, least, target, words):
    """How much better ours is when it has had no more time; what is shown as ratio is a difference."""
    mine, theirs = [], []
    for one in of(records, case, rival):
        goal = target(points(one, score))
        in_time = [point[2] for point in ours(records, case, one["repeat"], score) if point[0] <= goal[0]]
        if in_time:
            mine.append(in_time[-1])
            theirs.append(goal[2])
    what, aim = f"{case}: {words}", f"better by at least {least:g} {unit}".replace("by at least 0 ", "or as good, ")
    gains = [a - b for a, b in zip(mine, theirs)]
    met = sorted(gains)[len(gains) // 2] >= least if gains else None
    digits = 2 if unit == "dB" else 3
    return Row(what, aim, spread(mine, unit, digits), spread(theirs, unit, digits), spread(gains, unit, digits), met)


def after(steps):
    """The point after so many steps, or the last one."""

    def find(found):
        return next((point for point in found if point[3] == steps), found[-1])

    return find


def best(found):
    """The first point that is as good as any."""
    return max(found, key=lambda point: point[2])


def last(found):
    """The last point."""
    return found[-1]
