"""Selected rows of one partition: runs of consecutive rows, or scattered rows."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

Slab = tuple[int, int, int, Any]
"""A run of chunks: its number, the start and the stop of its rows among the selected rows, and their positions within it."""


@frozen
class Runs:
    """One or several runs of consecutive rows, in order.

    Attributes
    ----------
    pairs
        The first row of each run, and the row after its last.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(stop - start for start, stop in self.pairs)

    @property
    def positions(self) -> NDArray[np.intp]:
        """The row numbers within the partition."""
        return np.concatenate([np.empty(0, np.intp), *(np.arange(start, stop) for start, stop in self.pairs)])

    def at(self, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows with the given positions in the concatenated runs."""
        starts, stops = np.array(self.pairs).T
        before = np.cumsum(stops - starts)
        positions: NDArray[np.intp] = numbers + (stops - before)[np.searchsorted(before, numbers, side="right")]
        return positions

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that contain some of these rows."""
        found: list[Slab] = []
        before = 0
        for start, stop in self.pairs:
            for number in range(start // length, -(-stop // length)):
                first, last = max(number * length, start), min((number + 1) * length, stop)
                within: Any = slice(first - number * length, last - number * length)
                here = before + first - start
                if found and found[-1][0] == number:  # two runs of rows in one run of chunks, which is read once
                    within, here = np.r_[found[-1][3], within], found.pop()[1]
                found.append((number, here, before + last - start, within))
            before += stop - start
        return found


@frozen
class Scattered:
    """Rows that are not consecutive, in order.

    Attributes
    ----------
    positions
        The row numbers within the partition.
    """

    positions: NDArray[np.intp] = field(eq=False, repr=False)

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.positions.size

    def slabs(self, length: int) -> list[Slab]:
        """Return the runs of `length` rows that contain some of these rows."""
        numbers = self.positions // length
        edges = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), numbers.size]
        return [
            (number, first, last, self.positions[first:last] - number * length)
            for first, last in pairwise(edges)
            for number in (int(numbers[first]),)
        ]


@frozen(eq=False)
class SelectedRows:
    """Selected rows of one partition.

    Attributes
    ----------
    rows
        The rows.
    columns
        Their values for the variables that have already been read, by path.
    """

    rows: Runs | Scattered
    columns: Mapping[str, NDArray[Any]] = field(factory=dict, repr=False)

    @classmethod
    def at(cls, rows: NDArray[np.intp], columns: Mapping[str, NDArray[Any]] | None = None) -> "SelectedRows":
        """Return a selection of rows, given their numbers in order."""
        if not rows.size:
            return NO_ROWS
        if rows[-1] - rows[0] == rows.size - 1:
            return cls(Runs(((int(rows[0]), int(rows[-1]) + 1),)), columns or {})
        return cls(Scattered(rows), columns or {})

    @classmethod
    def all(cls, rows: int) -> "SelectedRows":
        """Return a selection of all rows of a partition."""
        return cls(Runs(((0, rows),)))

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.rows.count

    @property
    def positions(self) -> NDArray[np.intp]:
        """The row numbers within the partition."""
        return self.rows.positions


NO_ROWS: Final = SelectedRows(Runs(()))
