"""What is there on each day: values counted from runs, without one of them being made."""

from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import SettingError
from zcollection_coverage.records import Record
from zcollection_coverage.runs import Runs
from zcollection_coverage.scale import Scale

MOST: Final = 100_000
"""Days that are looked at at most: almost three hundred years."""


@frozen(kw_only=True, repr=False)
class DayCoverage(Record):
    """What one day holds.

    Attributes
    ----------
    day
        The day: datetime64, or in a calendar that datetime64 does not have the timedelta64 since 1970-01-01 of that calendar.
    rows
        The values that are there, each counted once.
    expected
        Rows that there would be at the expected step, as far as the day lies between the first and the last row of all.
    share
        The one as a part of the other: 0 to 1.
    calendar
        As for `PartCoverage`.
    """

    day: Any
    rows: int
    expected: int
    share: float
    calendar: str | None = None


def days(runs: Runs, scale: Scale, step: int | float | None, calendar: str | None = None) -> list[DayCoverage]:
    """Return the days from the first value to the last, those without any among them.

    Parameters
    ----------
    runs
        Sorted values of one owner, as `Runs.sorted` returns them.
    scale
        What their numbers mean.
    step
        The expected difference between a row and the next.
    calendar
        That of the days, where they are no datetime64.

    Raises
    ------
    SettingError
        The axis is no time or is counted in longer units than days, rows are expected further apart than a day, or there are
        more than `MOST` days.
    """
    a_day = _units_of_a_day(scale, step)
    if not len(runs.rows):
        return []
    first, last = int(runs.starts[0]), int(runs.ends[-1])
    begin, end = first // a_day, last // a_day + 1
    if end - begin > MOST:
        message = (
            f"{end - begin:,} days lie between the first and the last row; accepted: up to {MOST:,}, chosen by filters"
        )
        raise SettingError(message)
    numbers = np.arange(begin, end)
    edges = np.append(numbers, numbers[-1] + 1) * a_day
    there = np.diff(_distinct_before(runs, edges))
    length = step or a_day
    within = np.minimum(edges[1:], last + length) - np.maximum(edges[:-1], first)
    expected = -(-within // length)
    return [
        DayCoverage(day=day, rows=rows, expected=count, share=min(rows / count, 1.0), calendar=calendar)
        for day, rows, count in zip(
            _as_days(numbers, scale), there.tolist(), expected.astype(int).tolist(), strict=True
        )
    ]


def _units_of_a_day(scale: Scale, step: int | float | None) -> int:
    """Return how many of the units of the axis a day has."""
    # A year and a month are no number of days.
    is_length = scale.is_time and np.datetime_data(scale.dtype)[0] not in {"Y", "M"}
    units = np.timedelta64(1, "D") / np.ones(1, f"timedelta64[{scale.unit}]")[0] if is_length else 0.5
    count = int(units)
    if count != units:
        message = "days of the axis were asked for; accepted: an axis of times, counted in days or in shorter units"
        raise SettingError(message)
    if step is not None and step > count:
        message = f"days were asked for, and a row is expected every {scale.length(step)}; accepted: one a day at least, as every=…"
        raise SettingError(message)
    return count


def _distinct_before(runs: Runs, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many different values are smaller than each edge."""
    repeats = np.zeros(len(runs.rows), np.int64)
    repeats[1:] = runs.starts[1:] == runs.ends[:-1]
    distinct = np.where(runs.steps == 0, 1, runs.rows)
    before = np.concatenate([[0], np.cumsum(distinct - repeats)])
    # All runs that begin before an edge count in full, but for the last of them, which may reach over it.
    reaching = np.searchsorted(runs.starts, edges, side="left") - 1
    at = np.maximum(reaching, 0)
    values = np.minimum(-(-(edges - runs.starts[at]) // np.maximum(runs.steps[at], 1)), distinct[at])
    return np.where(reaching < 0, 0, before[at] + values - repeats[at])


def _as_days(numbers: NDArray[np.int64], scale: Scale) -> NDArray[Any]:
    return numbers.astype(np.int64).view(f"{scale.dtype.kind}8[D]")
