"""Partitions, gaps and intervals as records, which print as tables and convert to pandas."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, cast

import attrs
import numpy as np
from attrs import frozen

from zcollection.plugin import Key, Printed, Section, Table, VariableSchema, heading, times_as_objects
from zcollection_coverage.words import in_words

if TYPE_CHECKING:
    import pandas as pd

_TIMES: Final = ("first", "last", "start", "stop", "day")
"""Attributes that are values of the axis."""

_OF_ALL: Final = ("key", "calendar")
"""Attributes that are not shown."""


class Record(Printed):
    """A record: its attributes are the columns of a table.

    Attributes
    ----------
    calendar
        The calendar of the times if they are not datetime64 but timedelta64 since 1970-01-01 of that calendar.
    """

    __slots__ = ()

    calendar: str | None

    def text_of(self, name: str) -> str:
        """Return an attribute as text; a time is a date, in any calendar."""
        return in_words(getattr(self, name), self.calendar if name in _TIMES else None)

    def is_date(self, name: str) -> bool:
        """Return whether an attribute is a date in some calendar."""
        value = getattr(self, name)
        return isinstance(value, np.datetime64) or (name in _TIMES and isinstance(value, np.timedelta64))

    def _section(self) -> Section:
        shown = {name: text for name in names_of(type(self)) if (text := self.text_of(name))}
        return Section(heading(self), [Table.pairs("", {name.replace("_", " "): text for name, text in shown.items()})])


def names_of(kind: type[Record]) -> tuple[str, ...]:
    """Return the names of the attributes that are shown."""
    fields = attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    return tuple(item.name for item in fields if item.name not in _OF_ALL)


@frozen(kw_only=True, repr=False)
class PartCoverage(Record):
    """The coverage of one partition, or of all partitions together.

    Attributes
    ----------
    path, key
        The partition; empty for all partitions.
    first, last
        The smallest and the largest value of the axis; None without values.
    rows
        The number of rows, including those without a value.
    without_value
        The number of rows without a value of the axis.
    expected
        The number of rows at the expected step. For a partition by date it counts the part of its period between the first and the last
        row of the collection; for others the range from its own first to its last row. None if the step is unknown.
    share
        The number of distinct values divided by `expected`, at most 1.
    gaps, gap_length, largest_gap
        The number of gaps, their total length, and the length of the largest one. A gap that extends into a partition by date
        counts with its part inside the period.
    duplicates
        The number of rows whose value occurs in an earlier row.
    backward
        The number of rows whose value is smaller than that of the previous row, in the stored order.
    lateness_rows, lateness_median, lateness_90, lateness_largest
        The number of rows with a known lateness, and the measures of `Lateness`; None if it is unknown.
    calendar
        The calendar of the times if they are not datetime64 but timedelta64 since 1970-01-01 of that calendar.
    """

    path: str
    key: Key
    first: Any
    last: Any
    rows: int
    without_value: int
    expected: int | None
    share: float | None
    gaps: int
    gap_length: Any
    largest_gap: Any
    duplicates: int
    backward: int
    lateness_rows: int = 0
    lateness_median: Any = None
    lateness_90: Any = None
    lateness_largest: Any = None
    calendar: str | None = None


@frozen(kw_only=True, repr=False)
class Gap(Record):
    """A gap: a range of the axis where rows are missing.

    Attributes
    ----------
    start, stop
        The last value before the gap and the first one after it.
    length
        The difference between `stop` and `start`.
    missing
        The number of missing rows at the expected step; None if the step is unknown.
    calendar
        As for `PartCoverage`.
    """

    start: Any
    stop: Any
    length: Any
    missing: int | None
    calendar: str | None = None


@frozen(kw_only=True, repr=False)
class Interval(Record):
    """An interval: a range of the axis without a gap.

    Attributes
    ----------
    start, stop
        The first and the last value.
    rows
        The number of rows, including duplicates.
    calendar
        As for `PartCoverage`.
    """

    start: Any
    stop: Any
    rows: int
    calendar: str | None = None


class Records(Printed, tuple[Any, ...]):  # noqa: SLOT001 - an empty tuple also has the class of its records
    """Gaps, intervals or partitions in order: a tuple that prints as a table and converts to pandas.

    Attributes
    ----------
    kind
        The class of the records.
    """

    kind: type[Record]

    @classmethod
    def of(cls, kind: type[Record], records: Iterable[Record]) -> Self:
        """Return records of one class."""
        found = cls(records)
        found.kind = kind
        return found

    def to_pandas(self) -> "pd.DataFrame":
        """Return the records as a `pandas.DataFrame`, with a column for each attribute.

        Times in calendars that datetime64 does not support are cftime objects.
        """
        import pandas as pd

        names = [item.name for item in attrs.fields(cast("type[attrs.AttrsInstance]", self.kind))]
        return pd.DataFrame({name: self._column(name) for name in names if name != "calendar"})

    def _column(self, name: str) -> Iterable[Any]:
        values = [getattr(record, name) for record in self]
        if name.startswith("lateness") and name != "lateness_rows":
            return [np.timedelta64("NaT", "ms") if value is None else value for value in values]
        if name in _TIMES and self and self[0].calendar is not None:
            return _dates(values, self[0].calendar)
        return values

    def _section(self) -> Section:
        columns = {name.replace("_", " "): partial(_text_of, name) for name in names_of(self.kind)}
        return Section(f"{len(self):,} records", [Table.of("", self, columns)])


def _text_of(name: str, record: Record) -> str:
    return record.text_of(name)


def _dates(values: Iterable[Any], calendar: str) -> Iterable[Any]:
    """Return times since 1970-01-01 of a calendar as cftime objects; None becomes NaN."""
    times = np.array([np.timedelta64("NaT", "us") if value is None else value for value in values], "timedelta64[us]")
    attrs_of_times = {"units": "microseconds since 1970-01-01", "calendar": calendar}
    variable = VariableSchema("time", dtype=np.dtype("int64"), dimensions=("time",), attrs=attrs_of_times)
    dates: Iterable[Any] = times_as_objects(variable, times.view(np.int64))
    return dates
