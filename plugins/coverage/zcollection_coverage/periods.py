"""The periods of partitions by date, in the units of the axis: the range that a complete partition covers."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import Key, Partitioning, dates_of, days_of
from zcollection_coverage.scale import Scale

_FIELDS: Final = ("year", "month", "day", "hour", "minute", "second")
"""The fields of keys by date; the last field of a key is the unit of its period."""

_PARTS: Final = {"hour": 24, "minute": 60, "second": 60}
"""How many of each unit are in one of the preceding unit."""

Numbers = NDArray[np.int64]


@frozen(eq=False, kw_only=True)
class Periods:
    """The period of each partition.

    Attributes
    ----------
    begins, ends
        The first instant of each period and the first instant after it, in the numbers of the axis.
    numbers
        The sequence number of each period: consecutive periods have consecutive numbers.
    calendar
        The calendar of their dates.
    fields
        The fields of their keys.
    """

    begins: Numbers
    ends: Numbers
    numbers: Numbers
    calendar: str
    fields: tuple[str, ...]

    @classmethod
    def of(
        cls, partitioning: Partitioning, axis: str, keys: Sequence[Key], scale: Scale, calendar: str | None
    ) -> "Periods | None":
        """Return the periods of partitions; None if the partitioning is not by date."""
        fields = tuple(item.name for item in partitioning.fields)
        is_by_date = partitioning.time_variables == (axis,) and fields == _FIELDS[: len(fields)]
        if not is_by_date or calendar is None or not keys:
            return None
        named = "proleptic_gregorian" if scale.dtype.kind == "M" else calendar  # the calendar of datetime64
        numbers = _counted({name: np.array([key[name] for key in keys], np.int64) for name in fields}, named)
        begins, ends = (_begins(each, fields, named, scale) for each in (numbers, numbers + 1))
        return cls(begins=begins, ends=ends, numbers=numbers, calendar=named, fields=fields)

    def between(self) -> Iterator[Key]:
        """Yield the keys of all periods from the first to the last one."""
        numbers = np.arange(self.numbers.min(), self.numbers.max() + 1)
        columns = [column.tolist() for column in _components(numbers, self.fields, self.calendar)]
        return (Key(dict(zip(self.fields, values, strict=True))) for values in zip(*columns, strict=True))


def _counted(columns: dict[str, Numbers], calendar: str) -> Numbers:
    """Return the number of each period, given the components of its date."""
    year = columns["year"]
    if "month" not in columns:
        return year
    if "day" not in columns:
        return year * 12 + columns["month"] - 1
    numbers: Numbers = days_of(year, columns["month"], columns["day"], calendar)
    for name, parts in _PARTS.items():
        if name in columns:
            numbers = numbers * parts + columns[name]
    return numbers


def _components(numbers: Numbers, fields: tuple[str, ...], calendar: str) -> list[Numbers]:
    """Return the components of the dates of periods: the inverse of `_counted`."""
    if len(fields) == 1:
        return [numbers]
    if len(fields) == 2:
        return [numbers // 12, numbers % 12 + 1]
    of_day: list[Numbers] = []
    for name in reversed(fields[3:]):
        numbers, part = np.divmod(numbers, _PARTS[name])
        of_day.insert(0, part)
    return [*dates_of(numbers, calendar), *of_day]


def _begins(numbers: Numbers, fields: tuple[str, ...], calendar: str, scale: Scale) -> Numbers:
    """Return the first instant of periods, in the numbers of the axis."""
    components: list[Any] = _components(numbers, fields, calendar)
    year, month, day, *of_day = [*components, 1, 1][: max(len(fields), 3)]
    seconds = days_of(year, month, day, calendar)
    for parts, part in zip(_PARTS.values(), [*of_day, 0, 0, 0], strict=False):
        seconds = seconds * parts + part
    instants: Numbers = seconds.view("timedelta64[s]").astype(f"timedelta64[{scale.unit}]").view(np.int64)
    return instants
