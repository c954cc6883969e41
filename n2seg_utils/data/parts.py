"""Parts of a large work: which of it each of several processes does. Nothing is asked or told between them."""

from dataclasses import dataclass

from ..errors import UserError

_MOST = 900  # tables of all are open at once when they are put together


@dataclass(frozen=True)
class Part:
    """Part `number`, from 1, of `count`: every `count`-th piece of work, so that each has some of everything."""

    number: int
    count: int

    def __str__(self):
        return f"{self.number} of {self.count}"

    @property
    def name(self):
        """What files about this part are called: ``3of10``."""
        return f"{self.number}of{self.count}"

    def share(self, items, pieces):
        """What this part does of some items.

        Parameters
        ----------
        items : list
            The same in each process, in the same order.
        pieces : callable
            Into how many pieces an item can be cut; None if it is done as a whole.

        Yields
        ------
        item
        pieces : list of int or None
            The numbers of those that are this part's; None of an item that is done as a whole.

        Examples
        --------
        >>> list(Part(2, 3).share("abcd", lambda item: 4 if item == "c" else None))
        [('b', None), ('c', [2]), ('d', None)]
        """
        position = 0
        for item in items:
            cut = pieces(item)
            mine = [n for n in range(cut or 1) if (position + n) % self.count == self.number - 1]
            position += cut or 1
            if mine:
                yield item, (None if cut is None else mine)


EVERYTHING = Part(1, 1)


def parse_part(text):
    """A Part from ``3/10``.

    Raises
    ------
    UserError
        If it is not written so.
    """
    number, sign, count = (piece.strip() for piece in text.partition("/"))
    whole = number.isdecimal() and count.isdecimal() and len(count) < 9
    if not (sign and whole and 1 <= int(number) <= int(count) <= _MOST):
        raise UserError(f"--part is '{text}'; write which of how many, up to 900, from 1/10 to 10/10 for ten")
    return Part(int(number), int(count))
