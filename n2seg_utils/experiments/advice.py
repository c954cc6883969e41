"""What the results mean for who asked, in sentences that claim no more than the spread allows."""

import math

from .comparison import best, difference
from .table import SCORE_NAMES, main_score

_FEWEST_SEEDS = 3
_NOTHING = 0.05  # a score of labels below which nothing is compared
_WAYS = {
    "denoise": "Noise2Void",
    "segment": "a U-Net alone",
    "sequential": "Noise2Void and then a U-Net",
    "joint": "joint training",
    "published": "joint training by the paper's recipe",
}


def sentences(some):
    """What to do, for each level of noise.

    Parameters
    ----------
    some : list of Group

    Returns
    -------
    list of str
    """
    score = main_score(some)
    if score is None:
        return ["No run is done yet, so there is nothing to say."]
    found = []
    for noise in sorted({group.noise for group in some}):
        here = [group for group in some if group.noise == noise and group.mean(score) is not None]
        if not here:
            continue
        most = max(group.annotated for group in here)
        where = f"With {_images(most)}" if most else "Without annotations"
        where += f" and noise {noise:g} added" if noise else ""
        if score != "psnr" and max(group.mean(score) for group in here) < _NOTHING:
            found.append(f"{where}, no method found anything yet: give each training more time, then compare.")
            continue
        leader, words = _best_way([group for group in here if group.annotated == most], score, where)
        found.append(words)
        found += [_too_short([g for g in here if g.annotated == most and g.method != leader.method], score)]
        found += [_settings(here, leader, score)] if leader.values else []
        found += [_more_annotations(here, leader, score)] if most else []
    return [words for words in found if words]


def _best_way(here, score, where):
    """The best group of those with the same annotations, and a sentence about it."""
    leader = best(here, score)
    value = f"{SCORE_NAMES[score]} {_number(leader.mean(score), score)}"
    # Other settings of the same method are told apart from other methods.
    others = [group for group in here if group.method != leader.method]
    rival = best(others, score)
    if rival is None:
        return leader, f"{where}, {way(leader)} reaches {value}; no other method was tried."
    apart = difference(leader, rival, score, len(others))
    clear = apart is not None and apart.clear and apart.gain > 0
    if not clear and (apart is None or apart.seeds < _FEWEST_SEEDS):
        seeds = {0: "no seed in common", 1: "one seed", 2: "two seeds"}[apart.seeds if apart else 0]
        return leader, (
            f"{where}, {way(leader)} came out highest ({value}; {way(rival)} {_number(rival.mean(score), score)}), but "
            f"{seeds} cannot tell whether that is chance: run at least {_FEWEST_SEEDS} seeds."
        )
    told = f"{_number(apart.gain, score)} {_unit(score)} ({_span(apart, score)}, {apart.seeds} seeds)"
    if clear:
        return leader, f"{where}, {way(leader)} is best ({value}) and gains {told} over {way(rival)}."
    advice = (
        "Take the simpler one" if apart.high < _matters(score) else "Run more seeds; until then take the simpler one"
    )
    return leader, (
        f"{where}, {way(leader)} ({value}) and {way(rival)} ({_number(rival.mean(score), score)}) cannot be told "
        f"apart: the difference is {told}. {advice}."
    )


def _too_short(others, score):
    """That ways which found nothing were not trained long enough to be judged."""
    nothing = sorted({_WAYS[group.method] for group in others if score != "psnr" and group.mean(score) < _NOTHING})
    if not nothing:
        return ""
    return (
        f"Training was too short for {' and for '.join(nothing)}, which found next to nothing: that does not mean that "
        "it is worse. Give each training more time."
    )


def _settings(here, leader, score):
    """Whether other settings of the best method are clearly worse."""
    same = [
        g for g in here if g.method == leader.method and g.annotated == leader.annotated and g.values != leader.values
    ]
    others = [(group, difference(leader, group, score, len(same))) for group in same]
    if not others:
        return ""
    chosen = _chosen(leader)
    alike = [_chosen(group) for group, apart in others if not (apart and apart.clear and apart.gain > 0)]
    if not alike:
        return f"Of the settings tried for it, {chosen} is clearly best."
    return f"Of the settings tried for it, {chosen} scored highest, but {'; '.join(alike)} may be as good."


def _more_annotations(here, leader, score):
    """What the last step to more annotated images brought, and what as many more might."""
    same = [g for g in here if g.method == leader.method and g.values == leader.values]
    counts = sorted(group.annotated for group in same)
    if len(counts) < 2:
        return "What more annotations would bring cannot be told: compare at least two numbers of annotated images."
    fewer, more = (next(g for g in same if g.annotated == count) for count in counts[-2:])
    apart = difference(more, fewer, score)
    step = f"from {counts[-2]} to {counts[-1]} annotated images"
    if apart is None or apart.low is None:
        changed = f"Going {step} changed the score by {_signed(apart, score)}"
        return f"{changed}; whether by chance, {_FEWEST_SEEDS} seeds or more would tell."
    told = f"({_span(apart, score)})"
    clear = apart.clear and apart.gain > 0
    if not clear and (apart.seeds < _FEWEST_SEEDS or apart.high > _matters(score)):
        return (
            f"Going {step} changed the score by {_signed(apart, score)} {told}, which cannot be told from chance: run "
            "more seeds to know whether more annotations pay."
        )
    if not clear:
        return (
            f"Going {step} brought no gain that can be told from chance: {_number(apart.gain, score)} {told}. More "
            "annotations may not pay."
        )
    # Learning curves are about straight over the logarithm of the number, and flatten: as many more, at most so much.
    share = math.log(2) / math.log(counts[-1] / counts[-2])
    guess, low = apart.gain * share, max(0.0, apart.low * share)
    return (
        f"Going {step} gained {_number(apart.gain, score)} {told}. {counts[-1]} more would gain about "
        f"{_number(low, score)} to {_number(guess, score)} if that went on, and less if it levels off: nobody has "
        "measured that."
    )


def way(group):
    """A method with its settings, in words."""
    chosen = _chosen(group)
    return _WAYS[group.method] + (f" with {chosen}" if chosen else "")


def _chosen(group):
    return ", ".join(f"{name} {value}" for name, value in group.values)


def _images(count):
    return f"your {count} annotated image{'' if count == 1 else 's'}"


def _number(value, score):
    return f"{value:.1f}" if score == "psnr" else f"{value:.2f}"


def _signed(apart, score):
    return "something unknown" if apart is None else f"{'+' if apart.gain >= 0 else ''}{_number(apart.gain, score)}"


def _matters(score):
    """A difference that one would care about."""
    return 0.5 if score == "psnr" else 0.05


def _unit(score):
    return "dB" if score == "psnr" else SCORE_NAMES[score].split()[0]


def _span(apart, score):
    return f"95 %: {_number(apart.low, score)} to {_number(apart.high, score)}"
