"""Partitions, gaps and intervals as records, which print as tables and become tables of pandas."""

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
"""Attributes that are not shown of each record."""


class Record(Printed):
    """One of several, whose attributes are the columns of a table.

    Attributes
    ----------
    calendar
        The calendar of its times, where these are no datetime64 but timedelta64 since 1970-01-01 of it.
    """

    __slots__ = ()

    calendar: str | None

    def said(self, name: str) -> str:
        """Return an attribute as people read it: of times in any calendar the date."""
        return in_words(getattr(self, name), self.calendar if name in _TIMES else None)

    def is_date(self, name: str) -> bool:
        """Return whether an attribute is a date in some calendar."""
        value = getattr(self, name)
        return isinstance(value, np.datetime64) or (name in _TIMES and isinstance(value, np.timedelta64))

    def _section(self) -> Section:
        said = {name: text for name in names_of(type(self)) if (text := self.said(name))}
        return Section(heading(self), [Table.pairs("", {name.replace("_", " "): text for name, text in said.items()})])


def names_of(kind: type[Record]) -> tuple[str, ...]:
    """Return the names of what is shown of records."""
    fields = attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    return tuple(item.name for item in fields if item.name not in _OF_ALL)


@frozen(kw_only=True, repr=False)
class PartCoverage(Record):
    """What one partition holds, or all of them together.

    Attributes
    ----------
    path, key
        The partition; empty for all of them.
    first, last
        The smallest and the largest value of the axis; None where there is none.
    rows
        Rows, those without a value counted.
    without_value
        Rows of which the axis has no value.
    expected
        Rows that there would be at the expected step: of a partition by date in its period, as far as that lies between the
        first and the last row of all; of others between its own first and last row. None where no step is known.
    share
        The values that are there, each counted once, as a part of those expected: 0 to 1.
    gaps, gap_length, largest_gap
        How many gaps there are, their lengths together, and the length of the largest one. A gap that reaches into a partition by
        date counts with the part that lies in its period.
    duplicates
        Rows whose value another row has that comes before.
    backward
        Rows whose value is smaller than that of the row before, in the order in which the partition holds them.
    lateness_rows, lateness_median, lateness_90, lateness_largest
        How late rows were, as `Lateness` has it, and of how many of them that is known; None where of none.
    calendar
        The calendar of its times, where these are no datetime64 but timedelta64 since 1970-01-01 of it.
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
    """Where rows are missing.

    Attributes
    ----------
    start, stop
        The last value before it, and the first one after it.
    length
        How far the one is from the other.
    missing
        Rows that would lie between them at the expected step; None where none is known.
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
    """Where rows follow each other without a gap.

    Attributes
    ----------
    start, stop
        The first and the last value.
    rows
        How many rows there are, duplicates counted.
    calendar
        As for `PartCoverage`.
    """

    start: Any
    stop: Any
    rows: int
    calendar: str | None = None


class Records(Printed, tuple[Any, ...]):  # noqa: SLOT001 - they know their class, also where there are none
    """Gaps, intervals or partitions, in order: a tuple that prints as a table, and becomes one of pandas.

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

        Times in calendars that datetime64 does not have are objects of cftime.
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
        columns = {name.replace("_", " "): partial(_said, name) for name in names_of(self.kind)}
        return Section(f"{len(self):,} of them", [Table.of("", self, columns)])


def _said(name: str, record: Record) -> str:
    return record.said(name)


def _dates(values: Iterable[Any], calendar: str) -> Iterable[Any]:
    """Return times since 1970-01-01 of a calendar as objects of cftime, None as NaN."""
    times = np.array([np.timedelta64("NaT", "us") if value is None else value for value in values], "timedelta64[us]")
    attrs_of_times = {"units": "microseconds since 1970-01-01", "calendar": calendar}
    variable = VariableSchema("time", dtype=np.dtype("int64"), dimensions=("time",), attrs=attrs_of_times)
    dates: Iterable[Any] = times_as_objects(variable, times.view(np.int64))
    return dates
