"""When does it pay to denoise and segment with one network? Published numbers, ours, and what follows from them.

All numbers are AP at IoU 0.5 on nuclei of DSB2018 (BBBC038) with Gaussian noise added, by the number of annotated
images. The published ones are means of five runs, with alpha 0.5 where both are learned together, and count patches of
128 x 128 pixels; see `OURS` for ours.

References
----------
Buchholz, Prakash, Schmidt, Krull, Jug: DenoiSeg: Joint Denoising and Segmentation. ECCV Workshops 2020. The numbers are
from the tables in their repository, github.com/juglab/DenoiSeg, folder scripts/reproducibility.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

_INK, _BLUE, _ORANGE, _GREY = "#222222", "#0072b2", "#d55e00", "#8a8a8a"  # Okabe and Ito, and a grey

ANNOTATED = (10, 19, 38, 76, 152, 304, 608, 1216, 2432, 3800)

# Standard deviation of the noise (grey values of images of 8 bit) -> method -> AP for each number in ANNOTATED.
PUBLISHED = {
    0: {
        "alone": (0.579, 0.620, 0.665, 0.707, 0.738, 0.775, 0.787, 0.785, 0.771, 0.794),
        "sequential": (0.577, 0.623, 0.666, 0.689, 0.745, 0.766, 0.774, 0.791, 0.788, 0.795),
        "joint": (0.625, 0.637, 0.664, 0.679, 0.695, 0.743, 0.770, 0.794, 0.775, 0.786),
    },
    10: {
        "alone": (0.564, 0.640, 0.670, 0.711, 0.745, 0.760, 0.781, 0.785, 0.795, 0.791),
        "sequential": (0.603, 0.648, 0.689, 0.712, 0.740, 0.764, 0.771, 0.787, 0.794, 0.798),
        "joint": (0.663, 0.698, 0.690, 0.712, 0.746, 0.761, 0.775, 0.781, 0.794, 0.779),
    },
    20: {
        "alone": (0.549, 0.584, 0.642, 0.672, 0.723, 0.739, 0.763, 0.782, 0.779, 0.767),
        "sequential": (0.609, 0.637, 0.685, 0.714, 0.740, 0.748, 0.765, 0.779, 0.788, 0.782),
        "joint": (0.678, 0.690, 0.697, 0.714, 0.723, 0.734, 0.741, 0.767, 0.775, 0.771),
    },
}

# Noise -> annotated images -> method -> (mean, standard deviation over draws). Made by benchmarks/few_annotations.py,
# which prints it: alone 1920 steps, joint 3060 to 3570 in turn, 15 minutes of a core each; the images are whole (256 x
# 256 pixels and more), and those that are judged are not the published.
OURS = {20: {10: {"alone": (0.792, 0.019), "joint": (0.803, 0.013)}}}

NAMES = {"alone": "U-Net alone", "sequential": "Noise2Void, then U-Net", "joint": "joint"}
COLOURS = {"alone": _ORANGE, "sequential": _GREY, "joint": _BLUE}
MARKERS = {"alone": "s", "sequential": "^", "joint": "o"}
# For methods that the published figure does not show.
MORE_COLOURS, MORE_MARKERS = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9"), "Dvp*"  # Okabe and Ito
_BESIDE = {"alone": 0.94, "sequential": 1.0, "joint": 1.06}  # so that points do not hide each other
_CLEAR = 0.01  # smaller differences of AP are taken for none


def lead(noise):
    """How much joint training is ahead of a U-Net alone, published: annotated images -> difference of AP."""
    rows = PUBLISHED[noise]
    return {count: round(j - a, 3) for count, j, a in zip(ANNOTATED, rows["joint"], rows["alone"])}


def joint_ahead(noise):
    """The numbers of annotated images with which joint training is clearly ahead."""
    return [count for count, difference in lead(noise).items() if difference >= _CLEAR]


def joint_behind(noise):
    """The numbers of annotated images with which a U-Net alone is clearly ahead."""
    return [count for count, difference in lead(noise).items() if difference <= -_CLEAR]


def in_words():
    """What the published numbers say, in a few sentences."""
    noisy = " and ".join(
        f"up to {max(joint_ahead(noise))} annotated images at noise {noise}" for noise in PUBLISHED if noise
    )
    return (
        "Few annotations and noisy images: train jointly. Objects are then found better than by a U-Net alone with "
        f"{noisy}. Clean images: joint training helps with {max(joint_ahead(0))} annotated images "
        f"or fewer; from about {min(joint_behind(0))} on, a plain U-Net is better or as good. "
        "(Published numbers for nuclei. Noise: its standard deviation, where images have grey values from 0 to 255. An "
        "annotated image is a patch of 128 x 128 pixels.)" + "".join(f" {words}" for words in _ours_in_words())
    )


def _ours_in_words():
    """What our own numbers say, a sentence for each noise and number of annotated images."""
    for noise, counts in OURS.items():
        for count, methods in counts.items():
            if {"alone", "joint"} <= methods.keys():
                (alone, a), (joint, j) = methods["alone"], methods["joint"]
                apart = joint - alone
                clear = abs(apart) > max(_CLEAR, a, j)
                verdict = f"{'ahead' if apart > 0 else 'behind'} by {abs(apart):.2f}" if clear else "as good"
                yield (
                    f"Measured with this suite, whose U-Net alone needs fewer annotations ({count} whole images, noise "
                    f"{noise}): AP {alone:.2f} alone and {joint:.2f} jointly, so joint training is {verdict}"
                    f"{'' if clear else ', and gives denoised images as well'}."
                )


def when_joint_pays(size=(9, 3.3)):
    """AP against the number of annotated images, a panel for each noise: published lines, and our points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=size, layout="constrained")
    for axis, noise in zip(panels(figure, PUBLISHED), PUBLISHED):
        _shade(axis, noise)
        for method, scores in PUBLISHED[noise].items():
            axis.plot(ANNOTATED, scores, color=COLOURS[method], linewidth=1.8, zorder=3 if method == "joint" else 2)
        for method, points in by_method(OURS.get(noise, {})).items():
            points = [(_BESIDE[method] * count, *score) for count, *score in points]
            draw_points(axis, points, color=COLOURS[method], marker=MARKERS[method], linestyle="none", zorder=4)
    handles = [Line2D([], [], color=COLOURS[method], linewidth=1.8, label=name) for method, name in NAMES.items()]
    handles.append(Patch(color=_BLUE, alpha=0.18, linewidth=0, label="joint is ahead of U-Net alone"))
    if OURS:
        handles.append(Line2D([], [], color=_INK, marker="o", linestyle="none", markersize=5, label="ours ± spread"))
    legend(figure, handles)
    return figure


def panels(figure, noises):
    """A panel for each noise, with axes as all such figures have them."""
    axes = figure.subplots(1, len(noises), sharey=True, squeeze=False)[0]
    for axis, noise in zip(axes, noises):
        axis.set(xscale="log", xlim=(8, 4800))
        axis.xaxis.set_major_locator(FixedLocator((10, 38, 152, 608, 2432)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set_title(f"noise {noise:g}" if noise else "no noise", color=_INK, fontsize=11)
        axis.set_xlabel("annotated images", color=_INK)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color("#aaaaaa")
        axis.tick_params(color="#aaaaaa", labelcolor=_INK, labelsize=9)
        axis.grid(axis="y", color="#ececec", linewidth=0.8)
        axis.set_axisbelow(True)
    axes[0].set_ylabel("objects found right (AP at IoU 0.5)", color=_INK, fontsize=9)
    return axes


def by_method(table):
    """A table {annotated images: {method: (mean, spread)}} as {method: [(annotated images, mean, spread), ...]}."""
    found = {}
    for count in sorted(table):
        for method, (mean, spread) in table[count].items():
            found.setdefault(method, []).append((count, mean, spread))
    return found


def draw_points(axis, points, **style):
    """Means with their spread."""
    counts, means, spreads = zip(*points)
    look = {"markersize": 6, "markeredgecolor": "white", "markeredgewidth": 0.8, "elinewidth": 1.2}
    axis.errorbar(counts, means, yerr=spreads, **look | style)


def legend(figure, handles):
    """What lines and points mean, below all panels."""
    columns = min(len(handles), int(figure.get_figwidth() / 1.75))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=8.5,
        columnspacing=1.4, handlelength=1.6, labelcolor=_INK,
    )  # fmt: skip


def _shade(axis, noise):
    """Fill what lies between the lines where joint training is ahead."""
    fine, known = np.linspace(np.log(ANNOTATED[0]), np.log(ANNOTATED[-1]), 400), np.log(ANNOTATED)
    alone, joint = (np.interp(fine, known, PUBLISHED[noise][method]) for method in ("alone", "joint"))
    axis.fill_between(np.exp(fine), alone, joint, where=joint > alone, color=_BLUE, alpha=0.18, linewidth=0)
