"""When each row of a partition was brought: runs of rows that came with one change, in the order of the rows."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

MOST: Final = 2048
"""Runs that are kept of a partition at most, one for each minute of a day among them: beyond, the oldest times are forgotten."""

_UNKNOWN: Final = np.iinfo(np.int64).min
"""NaT, as a number."""

_TYPE: Final = "datetime64[ms]"


@frozen(kw_only=True, eq=False)
class Deliveries:
    """When the rows of a partition were brought, in their order.

    Attributes
    ----------
    times
        When the change began that brought each run of rows, by the clock of who wrote it, in UTC: datetime64[ms], shape (runs,).
        NaT where nobody knows.
    rows
        The number of rows of each run: int64, at least 1.
    """

    times: NDArray[np.datetime64] = field(repr=lambda times: f"<{len(times):,} runs>")
    rows: NDArray[np.int64] = field(repr=False)

    @classmethod
    def at(cls, time: int | None, rows: int) -> Self:
        """Return so many rows that came together, in milliseconds since 1970; None where nobody knows when."""
        numbers = np.full(min(rows, 1), _UNKNOWN if time is None else time, np.int64)
        return cls(times=numbers.view(_TYPE), rows=np.full(len(numbers), rows, np.int64))

    @classmethod
    def of(cls, times: NDArray[np.datetime64]) -> Self:
        """Return rows given the time of each: datetime64[ms], shape (rows,)."""
        numbers = times.view(np.int64)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(numbers)) + 1, [len(numbers)]])
        starts, rows = edges[:-1], np.diff(edges)
        return cls(times=times[starts[rows > 0]], rows=rows[rows > 0])

    @property
    def each(self) -> NDArray[np.datetime64]:
        """The time of each row."""
        times: NDArray[np.datetime64] = np.repeat(self.times, self.rows)
        return times

    def chosen(self, rows: NDArray[Any]) -> "Deliveries":
        """Return some of the rows, given by their numbers or as a mask."""
        if len(self.rows) == 1:  # as nearly always, all of them came together
            count = np.count_nonzero(rows) if rows.dtype == np.bool_ else len(rows)
            return Deliveries(times=self.times[: min(count, 1)], rows=np.full(min(count, 1), count, np.int64))
        return Deliveries.of(self.each[rows])

    def merged(self, source: NDArray[np.int64], time: int | None) -> "Deliveries":
        """Return the rows that a merge makes.

        Parameters
        ----------
        source
            As in `RowPlan`: row s of these where s >= 0, else one that comes now.
        time
            When that is; None where nobody knows.
        """
        came = source < 0
        times = np.full(len(source), _UNKNOWN if time is None else time, np.int64).view(_TYPE)
        times[~came] = self.each[source[~came]]
        return Deliveries.of(times)

    def bounded(self, most: int = MOST) -> "Deliveries":
        """Return the same with so many runs at most: as many of the oldest times are unknown as that takes."""
        if len(self.rows) <= most:
            return self
        known = np.unique(self.times[~np.isnat(self.times)])
        count = bisect_left(range(len(known)), x=True, key=lambda count: len(self._without(known[:count]).rows) <= most)
        return self._without(known[:count])

    def _without(self, forgotten: NDArray[np.datetime64]) -> "Deliveries":
        times = self.times.copy()
        times[np.isin(times, forgotten)] = np.datetime64("NaT", "ms")
        first = np.concatenate([[True], np.diff(times.view(np.int64)) != 0])
        return Deliveries(times=times[first], rows=np.add.reduceat(self.rows, np.flatnonzero(first)))

    def to_json(self) -> dict[str, Any] | None:
        """Return what `from_json` reads, times in milliseconds since 1970; None where no time is known."""
        kept = self.bounded()
        if np.isnat(kept.times).all():
            return None
        times = [None if time == _UNKNOWN else time for time in kept.times.view(np.int64).tolist()]
        return {"times": times, "rows": kept.rows.tolist()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None, *, rows: int) -> Self:
        """Return what `to_json` wrote of so many rows; with no time known where it is something else."""
        if found is None:
            return cls.at(None, rows)
        try:
            times = np.array([_UNKNOWN if time is None else time for time in found["times"]], np.int64)
            counts = np.array(found["rows"], np.int64)
        except (KeyError, TypeError, ValueError, OverflowError):
            return cls.at(None, rows)
        if times.ndim != 1 or times.shape != counts.shape or (counts < 1).any() or counts.sum() != rows:
            return cls.at(None, rows)
        return cls(times=times.view(_TYPE), rows=counts)
