"""Which pixels Noise2Void hides, and behind what."""

from dataclasses import dataclass

from ..knobs import Settings, knob

# n2v's names; what they do: learning/blindspot.py.
MANIPULATORS = (
    "uniform_withoutCP",
    "uniform_withCP",
    "normal_withoutCP",
    "normal_additive",
    "normal_fitted",
    "mean",
    "median",
)


@dataclass
class HidingSettings(Settings):
    """What a training that denoises asks for beside the rest."""

    masked_percent: float | None = knob(
        None,
        "Hidden pixels",
        "Share of the pixels that are hidden from the network and have to be guessed.",
        "training",
        advanced=True,
        low=0.1,
        high=50,
        unit="percent",
        example="8",
    )
    neighbourhood_radius: int = knob(
        5,
        "Neighbourhood radius",
        "Hidden pixels are replaced by a pixel at most this far away (2 for mean and median, 1 in 3D).",
        "training",
        advanced=True,
        low=1,
        high=32,
        unit="pixels",
    )
    manipulator: str = knob(
        "auto",
        "Replacement",
        "What hides a pixel, in n2v's words; 'auto' takes the median for n2v2, else a random neighbour.",
        "training",
        advanced=True,
        choices=("auto", *MANIPULATORS),
    )
    struct_axis: str = knob(
        "auto",
        "Shared noise runs",
        "For structn2v: how pixels share noise; 'both' is a cross, 'square' all around, 'auto' is measured.",
        "training",
        advanced=True,
        choices=("auto", "horizontal", "vertical", "both", "square"),
    )
    struct_length: int | None = knob(
        None,
        "Shared noise reaches over",
        "For structn2v: how many pixels in a row share noise, an odd number.",
        "training",
        advanced=True,
        low=3,
        high=63,
        unit="pixels",
        example="9",
    )
    struct_mask: str = knob(
        "",
        "Shared noise pattern",
        "For structn2v, in place of the two above: any pattern of odd size, rows apart by ';' and planes by '|'.",
        "training",
        advanced=True,
        example="010; 111; 010",
    )

    def problems(self):
        """See :meth:`Settings.problems`."""
        found = super().problems()
        length = self.struct_length
        if length is not None and length % 2 == 0 and "struct_length" not in found:
            found["struct_length"] = f"struct_length is {length}; it must be odd: use {length + 1}"
        words = _mask_problem(self.struct_mask)
        return found | ({"struct_mask": words} if words else {})


def parse_mask(text):
    """A struct mask as written in the settings, for example ``010; 111; 010``.

    Returns
    -------
    list
        Rows of 0 and 1, nested once more if `text` has planes.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    rows = [plane.strip(" ;").split(";") for plane in text.split("|")]
    planes = [[[int(digit) for digit in row if digit in "01"] for row in plane] for plane in rows]
    if set(text) - set("01;| ,"):
        raise ValueError("may hold 0, 1, ';' and '|' only")
    if len({len(row) for plane in planes for row in plane}) > 1 or len({len(plane) for plane in planes}) > 1:
        raise ValueError("must have rows of the same length")
    if any(size % 2 == 0 for size in (len(planes), len(planes[0]), len(planes[0][0]))):
        raise ValueError("must have an odd number of rows and columns")
    return planes if len(planes) > 1 else planes[0]


def _mask_problem(text):
    try:
        if text:
            parse_mask(text)
    except ValueError as error:
        return f"struct_mask is '{text}'; it {error}: use 010; 111; 010"
    return ""
