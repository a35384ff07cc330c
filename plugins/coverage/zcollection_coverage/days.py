"""The coverage of each day, counted from runs without creating their values."""

from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import SettingError
from zcollection_coverage.records import Record
from zcollection_coverage.runs import Runs
from zcollection_coverage.scale import Scale

MOST: Final = 100_000
"""The largest number of days: almost three hundred years."""


@frozen(kw_only=True, repr=False)
class DayCoverage(Record):
    """The coverage of one day.

    Attributes
    ----------
    day
        The day: datetime64; in a calendar that datetime64 does not support, timedelta64 since 1970-01-01 of that calendar.
    rows
        The number of distinct values.
    expected
        The number of rows at the expected step, in the part of the day between the first and the last row of the collection.
    share
        `rows` divided by `expected`, at most 1.
    calendar
        As for `PartCoverage`.
    """

    day: Any
    rows: int
    expected: int
    share: float
    calendar: str | None = None


def days(runs: Runs, scale: Scale, step: int | float | None, calendar: str | None = None) -> list[DayCoverage]:
    """Return the coverage of every day from the first value to the last, including empty days.

    Parameters
    ----------
    runs
        Sorted values of one owner, as `Runs.sorted` returns them.
    scale
        The scale of their numbers.
    step
        The expected difference between a row and the next.
    calendar
        The calendar of the days if they are not datetime64.

    Raises
    ------
    SettingError
        The axis is not a time, its unit is longer than a day, the expected step is longer than a day, or there are more than
        `MOST` days.
    """
    a_day = _units_of_a_day(scale, step)
    if not len(runs.rows):
        return []
    first, last = int(runs.starts[0]), int(runs.ends[-1])
    begin, end = first // a_day, last // a_day + 1
    if end - begin > MOST:
        message = f"there are {end - begin:,} days between the first and the last row; accepted: up to {MOST:,}; select fewer with filters"
        raise SettingError(message)
    numbers = np.arange(begin, end)
    edges = np.append(numbers, numbers[-1] + 1) * a_day
    counts = np.diff(_distinct_before(runs, edges))
    length = step or a_day
    within = np.minimum(edges[1:], last + length) - np.maximum(edges[:-1], first)
    expected = -(-within // length)
    return [
        DayCoverage(day=day, rows=rows, expected=count, share=min(rows / count, 1.0), calendar=calendar)
        for day, rows, count in zip(
            _as_days(numbers, scale), counts.tolist(), expected.astype(int).tolist(), strict=True
        )
    ]


def _units_of_a_day(scale: Scale, step: int | float | None) -> int:
    """Return the number of units of the axis in a day."""
    # Years and months have no fixed number of days.
    is_length = scale.is_time and np.datetime_data(scale.dtype)[0] not in {"Y", "M"}
    units = np.timedelta64(1, "D") / np.ones(1, f"timedelta64[{scale.unit}]")[0] if is_length else 0.5
    count = int(units)
    if count != units:
        message = "the axis has no days; accepted: an axis of times, in days or in a shorter unit"
        raise SettingError(message)
    if step is not None and step > count:
        message = f"the expected step {scale.length(step)} is longer than a day; accepted: a step of at most one day, passed as every=…"
        raise SettingError(message)
    return count


def _distinct_before(runs: Runs, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of distinct values below each edge."""
    repeats = np.zeros(len(runs.rows), np.int64)
    repeats[1:] = runs.starts[1:] == runs.ends[:-1]
    distinct = np.where(runs.steps == 0, 1, runs.rows)
    before = np.concatenate([[0], np.cumsum(distinct - repeats)])
    # All runs that begin before an edge count in full, except the last one, which may extend beyond the edge.
    reaching = np.searchsorted(runs.starts, edges, side="left") - 1
    at = np.maximum(reaching, 0)
    values = np.minimum(-(-(edges - runs.starts[at]) // np.maximum(runs.steps[at], 1)), distinct[at])
    return np.where(reaching < 0, 0, before[at] + values - repeats[at])


def _as_days(numbers: NDArray[np.int64], scale: Scale) -> NDArray[Any]:
    return numbers.astype(np.int64).view(f"{scale.dtype.kind}8[D]")
