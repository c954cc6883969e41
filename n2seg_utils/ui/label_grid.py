"""A grid of pictures, each to be kept or not."""

import ipywidgets as widgets

_PAGE = 12  # pictures at a time
_WIDTHS = {"small": 220, "middle": 330, "large": 440}  # pixels of one
_ADVICE = "Tick the pictures in which all that you would draw is marked, and nothing else."


class LabelGrid:
    """Pictures with a box to tick each, some at a time.

    Parameters
    ----------
    names : list of str
    picture : callable
        ``picture(name)`` gives (PNG bytes, words); asked when the picture is to be seen.

    Attributes
    ----------
    box : ipywidgets.VBox
    """

    def __init__(self, names, picture):
        self.names, self.picture, self.ticked, self.page = list(names), picture, dict.fromkeys(names, False), 0
        self.known, self.cells = {}, []
        self.grid = widgets.Box(layout={"flex_flow": "row wrap"})
        self.place = widgets.HTML()
        self.before, self.after = _button("Previous", lambda: self.turn(-1)), _button("Next", lambda: self.turn(1))
        every = _button("Keep all on this page", lambda: self.tick(True))
        none = _button("Keep none on this page", lambda: self.tick(False))
        self.size = widgets.SelectionSlider(
            description="Pictures", options=[(name, f"{width}px") for name, width in _WIDTHS.items()]
        )
        self.size.observe(lambda _: self._resize(), "value")
        head = widgets.Box(
            [self.before, self.place, self.after, every, none, self.size], layout={"flex_flow": "row wrap"}
        )
        self.box = widgets.VBox([widgets.HTML(_ADVICE), head, self.grid])
        self.turn(0)

    @property
    def kept(self):
        """The names that are ticked, in order."""
        return [name for name in self.names if self.ticked[name]]

    def turn(self, pages):
        """Show the page that is so many pages on."""
        last = (len(self.names) - 1) // _PAGE
        self.page = min(max(self.page + pages, 0), last)
        self.before.disabled, self.after.disabled = self.page == 0, self.page == last
        self.cells = [self._cell(name) for name in self.names[self.page * _PAGE : (self.page + 1) * _PAGE]]
        self.grid.children = [cell for cell, _ in self.cells]
        self._count()

    def tick(self, value):
        """Tick, or untick, all that can be seen."""
        for _, tick in self.cells:
            tick.value = value

    def _cell(self, name):
        if name not in self.known:
            self.known[name] = self.picture(name)
        png, words = self.known[name]
        layout = {"width": self.size.value}
        # What was found comes first: long names of files are cut off.
        tick = widgets.Checkbox(value=self.ticked[name], description=f"{words}: {name}", indent=False, layout=layout)

        def ticked(change):
            self.ticked[name] = change["new"]
            self._count()

        tick.observe(ticked, "value")
        return widgets.VBox(
            [widgets.Image(value=png, format="png", layout=layout), tick], layout={"margin": "4px"}
        ), tick

    def _resize(self):
        for cell, _ in self.cells:
            for part in cell.children:
                part.layout.width = self.size.value

    def _count(self):
        first, last = self.page * _PAGE + 1, min((self.page + 1) * _PAGE, len(self.names))
        self.place.value = f"{first} to {last} of {len(self.names)}; {len(self.kept)} kept"


def _button(words, do):
    button = widgets.Button(description=words, layout=widgets.Layout(width="auto"))
    button.on_click(lambda _: do())
    return button
