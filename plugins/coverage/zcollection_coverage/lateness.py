"""The lateness of rows: the time at which the insert of a row began, minus the row's value of the axis; computed from runs.

The lateness of the rows of one run that were inserted together is an arithmetic progression. A year with one row per second is
therefore measured without a value for each row.
"""

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.plugin import Deliveries, PartitionSampling, Printed, Section, VariableSchema, heading, nanoseconds_of
from zcollection_coverage.runs import Runs, sums
from zcollection_coverage.scale import Axis, declared_runs
from zcollection_coverage.words import roughly

Numbers = NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)

_DENSE: Final = 8
"""The average rows per run above which progressions are searched; below it, sorting all rows is faster."""

_LARGEST: Final = 2**62
"""The largest lateness, in its unit, for which differences fit int64: 146 years in nanoseconds."""


@frozen(kw_only=True, repr=False)
class Lateness(Printed):
    """The lateness of rows: the time at which the insert of a row began, minus the row's value of the axis.

    Attributes
    ----------
    rows
        The number of rows whose lateness is known.
    median, ninety, largest
        As `numpy.timedelta64`: the median, the 90th percentile and the maximum. The median and the percentile are values of rows,
        without interpolation. Negative for times in the future. None if no lateness is known.
    """

    rows: int = 0
    median: Any = None
    ninety: Any = None
    largest: Any = None

    def __str__(self) -> str:
        if not self.rows:
            return "unknown"
        words = (roughly(length) for length in (self.median, self.ninety, self.largest))
        return "median {}, 90 % {}, largest {}".format(*words)

    def _section(self) -> Section:
        return Section(f"{heading(self)} {self.rows:,} rows: {self}")


def lateness(samplings: Sequence[PartitionSampling], variable: VariableSchema) -> tuple[Lateness, list[Lateness]]:
    """Return the lateness of all rows and of each partition; unknown for calendars that datetime64 does not support."""
    late = _Late.of(samplings, variable)
    return late.together().measured(1)[0], late.measured(len(samplings))


@frozen(eq=False, kw_only=True)
class _Late:
    """Lateness as arithmetic progressions.

    Attributes
    ----------
    smallest, steps, rows
        The smallest number, the step and the length of each progression.
    owners
        The owner of each progression.
    unit
        The unit of the numbers.
    """

    smallest: Numbers
    steps: Numbers
    rows: Numbers
    owners: Numbers
    unit: str

    @classmethod
    def of(cls, samplings: Sequence[PartitionSampling], variable: VariableSchema) -> Self:
        """Return the known lateness of the rows of partitions; the owner is the number of the partition."""
        deliveries = [item.deliveries for item in samplings]
        times = np.concatenate([np.empty(0, "datetime64[ms]"), *(item.times for item in deliveries)])
        partitions = np.repeat(np.arange(len(deliveries)), [len(item.rows) for item in deliveries])
        axis = Axis.of_numbers(_by_delivery(declared_runs(samplings), deliveries), variable)
        if axis.scale.dtype.kind != "M" or axis.scale.unit in {"Y", "M"}:
            return cls(smallest=_NONE, steps=_NONE, rows=_NONE, owners=_NONE, unit="s")
        is_known: NDArray[np.bool_] = ~np.isnat(times)
        known = _chosen(axis.runs, is_known[axis.runs.owners])
        unit, _ = np.datetime_data(np.result_type(axis.scale.dtype, times))
        return cls._of_times(known, _factor(axis.scale.unit, unit), times[known.owners], partitions, unit)

    @classmethod
    def _of_times(
        cls, runs: Runs, factor: int, times: NDArray[np.datetime64], partitions: NDArray[np.intp], unit: str
    ) -> Self:
        """Return the lateness of times, given the times of their insertion.

        Parameters
        ----------
        runs
            The times; the rows of each run were inserted together. The owners are indices into `partitions`.
        factor
            The factor that converts their numbers to `unit`.
        times
            The time of insertion of each run.
        partitions, unit
            The owners and the unit of the result.
        """
        inserted, edges = times.astype(f"datetime64[{unit}]").view(np.int64), np.stack([runs.starts, runs.ends])
        about = edges * float(factor)
        starts, ends = (np.abs(inserted - about) < _LARGEST) & (np.abs(about) < 2 * _LARGEST)
        fits = starts & ends
        runs = _chosen(runs, fits)
        return cls(
            smallest=(inserted[fits] - edges[:, fits] * factor).min(axis=0),
            steps=np.abs(runs.steps) * factor,
            rows=runs.rows,
            owners=partitions[runs.owners],
            unit=unit,
        )

    def together(self) -> "_Late":
        """Return the progressions of all owners as those of one owner."""
        return evolve(self, owners=np.zeros_like(self.owners))

    def measured(self, owners: int) -> list[Lateness]:
        """Return the measures of each owner."""
        counts = sums(self.rows, self.owners, owners)
        ranks = np.stack([(counts + 1) // 2, (9 * counts + 9) // 10, counts]) - 1
        is_dense = counts > _DENSE * np.bincount(self.owners, minlength=owners)
        found = np.where(is_dense, self._of(is_dense).searched(ranks), self._of(~is_dense).ordered(ranks))
        lengths = found.view(f"timedelta64[{self.unit}]")
        return [
            Lateness(rows=count, median=median, ninety=ninety, largest=largest) if count else Lateness()
            for count, median, ninety, largest in zip(counts.tolist(), *lengths, strict=True)
        ]

    def _of(self, owners: NDArray[np.bool_]) -> "_Late":
        """Return the progressions of the selected owners."""
        chosen = owners[self.owners]
        return evolve(
            self,
            smallest=self.smallest[chosen],
            steps=self.steps[chosen],
            rows=self.rows[chosen],
            owners=self.owners[chosen],
        )

    def searched(self, ranks: Numbers) -> Numbers:
        """Return the numbers with the given ranks among those of each owner, by bisection."""
        low = np.full(ranks.shape[1], _LARGEST)
        high = -low
        np.minimum.at(low, self.owners, self.smallest)
        np.maximum.at(high, self.owners, self.smallest + (self.rows - 1) * self.steps)
        low, high = (np.tile(np.where(low > high, 0, edge), (len(ranks), 1)) for edge in (low, high))
        while (low < high).any():
            middle = low + (high - low) // 2
            reached = np.stack([self._up_to(limits) for limits in middle]) > ranks
            low, high = np.where(reached | (low == high), low, middle + 1), np.where(reached, middle, high)
        return low

    def _up_to(self, limits: Numbers) -> Numbers:
        """Return how many numbers of each owner are at most its limit."""
        above = limits[self.owners] - self.smallest
        many = np.clip(above // np.maximum(self.steps, 1) + 1, 0, self.rows)
        return sums(np.where(self.steps == 0, np.where(above >= 0, self.rows, 0), many), self.owners, len(limits))

    def ordered(self, ranks: Numbers) -> Numbers:
        """Return the numbers with the given ranks among those of each owner, by sorting all numbers."""
        number = np.arange(self.rows.sum()) - np.repeat(np.cumsum(self.rows) - self.rows, self.rows)
        values = np.repeat(self.smallest, self.rows) + number * np.repeat(self.steps, self.rows)
        owners = np.repeat(self.owners, self.rows)
        counts = np.bincount(owners, minlength=ranks.shape[1])
        values = np.append(values[np.lexsort((values, owners))], 0)  # for owners without any
        return values[np.where(counts > 0, np.cumsum(counts) - counts + ranks, len(values) - 1)]


def _by_delivery(runs: Runs, deliveries: Sequence[Deliveries]) -> Runs:
    """Split runs, in the order of the rows, at the edges of deliveries; the new owner of a run is the number of its delivery."""
    rows = np.concatenate([_NONE, *(item.rows for item in deliveries)])
    of_runs, of_deliveries = np.cumsum(runs.rows), np.cumsum(rows)
    ends = np.union1d(of_runs, of_deliveries)
    begins = np.concatenate([[0], ends])[:-1]
    run = np.searchsorted(of_runs, begins, side="right")
    return Runs(
        starts=runs.starts[run] + (begins - (of_runs - runs.rows)[run]) * runs.steps[run],
        steps=runs.steps[run],
        rows=ends - begins,
        owners=np.searchsorted(of_deliveries, begins, side="right"),
    )


def _chosen(runs: Runs, chosen: NDArray[np.bool_]) -> Runs:
    return Runs(
        starts=runs.starts[chosen], steps=runs.steps[chosen], rows=runs.rows[chosen], owners=runs.owners[chosen]
    )


def _factor(unit: str, finer: str) -> int:
    """Return how many of the finer unit are in one of the other unit."""
    longer, shorter = (nanoseconds_of(np.ones(1, f"timedelta64[{name}]")[0]) for name in (unit, finer))
    return longer // shorter
