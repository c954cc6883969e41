"""Which piece of a plane is looked at, and how many of its pixels a screen has room for."""

import ipywidgets as widgets

WIDE = {"width": "420px"}
SLOW = {"layout": WIDE, "continuous_update": False}  # for sliders: draw once they stand still
_ZOOMS = (1, 2, 4, 8, 16, 32)
_LEAST = 16  # pixels along a side


class Region:
    """Sliders for the piece of a plane that is looked at.

    Attributes
    ----------
    fields : list of widgets
        The zoom, and where the piece lies; the latter are hidden while all of the plane is seen.
    """

    def __init__(self):
        names = [("all of it", 1), *((f"{zoom} x", zoom) for zoom in _ZOOMS[1:])]
        self.zoom = widgets.SelectionSlider(description="Zoom", options=names, **SLOW)
        self.down, self.across = place("Down %"), place("Across %")
        self.fields = [self.zoom, self.down, self.across]
        self.zoom.observe(lambda _: self._show(), "value")
        self._show()

    def where(self, shape, most):
        """Rows and columns to read of a plane.

        Parameters
        ----------
        shape : (int, int)
            (Y, X) of the plane.
        most : int
            Pixels that there is room for along a side. Of more, every second one is taken, or every third, and so on.

        Returns
        -------
        (slice, slice)
        """
        zoom = self.zoom.value
        sides = [max(min(_LEAST, length), -(-length // zoom)) for length in shape]
        step = max(1, -(-max(sides) // most))
        return tuple(
            slice(start, start + side, step)
            for side, start in zip(sides, map(begin, shape, sides, (self.down.value, self.across.value)))
        )

    def _show(self):
        for field in (self.down, self.across):
            field.layout.display = "none" if self.zoom.value == 1 else None


def place(name):
    """A slider for where a piece lies, from one end of an image to the other."""
    return widgets.IntSlider(description=name, value=50, min=0, max=100, **SLOW)


def begin(length, size, percent):
    """The first pixel of a piece: 0 at 0 %, and at 100 % the one from which on it ends with the image.

    >>> begin(100, 20, 0), begin(100, 20, 50), begin(100, 20, 100)
    (0, 40, 80)
    """
    return round((length - size) * percent / 100)


def thinned(where):
    """What is to be said of rows and columns of which not all are shown; "" if they are.

    >>> thinned((slice(0, 4096, 8), slice(0, 4096, 8)))
    'Every 8th pixel is shown: zoom in to see more.'
    """
    step = where[0].step or 1
    if step == 1:
        return ""
    ending = {2: "nd", 3: "rd"}.get(step % 10 if step % 100 not in (12, 13) else 0, "th")
    ending = "st" if step % 10 == 1 and step % 100 != 11 else ending
    return f"Every {step}{ending} pixel is shown: zoom in to see more."
