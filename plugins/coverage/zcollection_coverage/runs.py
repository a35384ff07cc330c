"""Runs of values with a constant step; gaps are found without creating the values.

All arrays have one element for each run. A run belongs to an owner, such as its partition; runs of different owners are never
compared.
"""

from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

Numbers = NDArray[Any]
"""An array of int64 or float64."""

_NONE: Final = np.empty(0, np.int64)


@frozen(eq=False, kw_only=True)
class Runs:
    """Runs of values, in the order of the rows and grouped by owner.

    Attributes
    ----------
    starts, steps
        The first value and the step of each run.
    rows
        The number of its values: int64, at least 1.
    owners
        The number of the owner of each run, ascending.
    """

    starts: Numbers
    steps: Numbers
    rows: NDArray[np.int64]
    owners: NDArray[np.int64]

    @property
    def ends(self) -> Numbers:
        """The last value of each run."""
        ends: Numbers = self.starts + (self.rows - 1) * self.steps
        return ends

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Whether a run has the same owner as the previous one: shape (runs - 1,)."""
        same: NDArray[np.bool_] = self.owners[1:] == self.owners[:-1]
        return same

    def of_one(self) -> Self:
        """Return the runs with a single owner."""
        return type(self)(starts=self.starts, steps=self.steps, rows=self.rows, owners=np.zeros_like(self.owners))

    def backward(self, owners: int) -> NDArray[np.int64]:
        """Return for each owner the number of rows with a smaller value than the previous row."""
        within = np.where(self.steps < 0, self.rows - 1, 0)
        between = (
            np.concatenate([_NONE, (self.starts[1:] < self.ends[:-1]) & self.follows]) if len(self.rows) else _NONE
        )
        counted = within.astype(np.int64)
        counted[1:] += between
        return sums(counted, self.owners, owners)

    def most_frequent_step(self) -> Any:
        """Return the most frequent positive difference between consecutive rows of the same owner.

        If several are equally frequent, return the smallest; None if there is none.
        """
        within = self.rows > 1
        between = (self.starts[1:] - self.ends[:-1])[self.follows]
        steps = np.concatenate([self.steps[within], between])
        counts = np.concatenate([self.rows[within] - 1, np.ones(len(between), np.int64)])
        steps, counts = steps[steps > 0], counts[steps > 0]
        if not len(steps):
            return None
        found, places = np.unique(steps, return_inverse=True)
        return found[np.argmax(np.bincount(places, weights=counts))].item()

    def sorted(self) -> "Self":
        """Return runs with the same values, sorted within each owner, whose ranges do not overlap."""
        ends, backward = self.ends, self.steps < 0
        starts, ends = np.where(backward, ends, self.starts), np.where(backward, self.starts, ends)
        order = np.lexsort((ends, starts, self.owners))
        runs = type(self)(
            starts=starts[order], steps=np.abs(self.steps)[order], rows=self.rows[order], owners=self.owners[order]
        )
        mixed = _overlapping(runs)
        return runs.apart(mixed) if mixed.any() else runs

    def without_steps_above(self, limit: Any) -> "Self":
        """Return the same values; runs with a larger step are split into runs of one value."""
        wide = (self.steps > limit) & (self.rows > 1)
        return self.apart(wide) if wide.any() else self

    def apart(self, chosen: NDArray[np.bool_]) -> "Self":
        """Return the same values, sorted by owner and value; the selected runs are split into runs of one value."""
        rows = self.rows[chosen]
        number = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
        values = np.repeat(self.starts[chosen], rows) + number * np.repeat(self.steps[chosen], rows)
        starts = np.concatenate([self.starts[~chosen], values])
        owners = np.concatenate([self.owners[~chosen], np.repeat(self.owners[chosen], rows)])
        steps = np.concatenate([self.steps[~chosen], np.zeros(len(values), self.steps.dtype)])
        counts = np.concatenate([self.rows[~chosen], np.ones(len(values), np.int64)])
        ends = starts + (counts - 1) * steps
        order = np.lexsort((ends, starts, owners))
        return type(self)(starts=starts[order], steps=steps[order], rows=counts[order], owners=owners[order])


@frozen(eq=False, kw_only=True)
class Gaps:
    """Gaps: pairs of consecutive values whose difference exceeds the limit.

    Attributes
    ----------
    starts, stops
        The last value before each gap and the first one after it.
    owners
        The owner of each gap.
    """

    starts: Numbers
    stops: Numbers
    owners: NDArray[np.int64]

    @property
    def lengths(self) -> Numbers:
        """The length of each gap."""
        lengths: Numbers = self.stops - self.starts
        return lengths


@frozen(eq=False, kw_only=True)
class Intervals:
    """Intervals of values without a gap.

    Attributes
    ----------
    starts, stops
        The first and the last value of each.
    rows
        The number of values of each interval, including duplicates.
    owners
        The owner of each interval.
    """

    starts: Numbers
    stops: Numbers
    rows: NDArray[np.int64]
    owners: NDArray[np.int64]


@frozen(eq=False, kw_only=True)
class Covered:
    """Sorted values, their gaps and the intervals between these.

    Attributes
    ----------
    runs
        The runs, as `Runs.sorted` returns them.
    gap
        The largest difference between two values that does not count as a gap.
    """

    runs: Runs
    gap: Any
    _breaks: NDArray[np.intp] = field(init=False, repr=False)

    @classmethod
    def of(cls, runs: Runs, gap: Any) -> Self:
        """Return the sorted values of runs in any order."""
        return cls(runs=runs.sorted().without_steps_above(gap), gap=gap)

    def __attrs_post_init__(self) -> None:
        runs = self.runs
        apart = ~runs.follows | (runs.starts[1:] - runs.ends[:-1] > self.gap)
        object.__setattr__(self, "_breaks", np.flatnonzero(apart) + 1)

    def duplicates(self, owners: int) -> NDArray[np.int64]:
        """Return for each owner the number of values that occur before."""
        runs = self.runs
        repeated = np.where(runs.steps == 0, runs.rows - 1, 0)
        repeated[1:] += (runs.starts[1:] == runs.ends[:-1]) & runs.follows
        return sums(repeated, runs.owners, owners)

    @property
    def gaps(self) -> Gaps:
        """The gaps, ascending within each owner."""
        runs = self.runs
        at = self._breaks[runs.follows[self._breaks - 1]] if len(runs.rows) else self._breaks
        return Gaps(starts=runs.ends[at - 1], stops=runs.starts[at], owners=runs.owners[at])

    @property
    def intervals(self) -> Intervals:
        """The intervals, ascending within each owner."""
        runs = self.runs
        if not len(runs.rows):
            return Intervals(starts=runs.starts, stops=runs.starts, rows=runs.rows, owners=runs.owners)
        first = np.concatenate([[0], self._breaks])
        last = np.concatenate([self._breaks, [len(runs.rows)]]) - 1
        rows = np.add.reduceat(runs.rows, first)
        return Intervals(starts=runs.starts[first], stops=runs.ends[last], rows=rows, owners=runs.owners[first])


def _overlapping(runs: Runs) -> NDArray[np.bool_]:
    """Return which runs, sorted by their first value, overlap another run."""
    mixed = np.zeros(len(runs.rows), np.bool_)
    if len(mixed) < 2:
        return mixed
    reach, edges = runs.ends.copy(), [0, *(np.flatnonzero(~runs.follows) + 1).tolist(), len(mixed)]
    for first, last in pairwise(edges):
        np.maximum.accumulate(reach[first:last], out=reach[first:last])
    within = runs.follows & (runs.starts[1:] < reach[:-1])
    # A cluster ends before a run that begins after all previous runs; each cluster is sorted together.
    cluster = np.concatenate([[0], np.cumsum(~within)])
    mixed[1:] = within
    mixed[:-1] |= within
    return np.isin(cluster, np.unique(cluster[mixed]))


def sums(values: NDArray[np.int64], owners: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the sum of the values of each owner."""
    found: NDArray[np.int64] = np.bincount(owners, weights=values, minlength=count).astype(np.int64)
    return found
