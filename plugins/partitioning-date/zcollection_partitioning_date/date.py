"""The partitioning by calendar period."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    CalendarTimes,
    Field,
    Key,
    PartitionError,
    Partitioning,
    PluginConfigurationError,
    accepted,
    as_dimension,
    as_variables,
)
from zcollection_partitioning_date.times import components, first_of_periods, whole_seconds

_FIELDS: Final = {
    "Y": Field("year", width=4),
    "M": Field("month", width=2),
    "D": Field("day", width=2),
    "h": Field("hour", width=2),
    "m": Field("minute", width=2),
    "s": Field("second", width=2),
}
"""The components of a date, by the resolution of which each is the last."""

_BOUNDS: Final = {
    "year": (-292_277_022_656, 292_277_026_595),  # the whole years that datetime64 counts in seconds
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}


def _one_variable(value: Sequence[str]) -> tuple[str, ...]:
    """Return the variables as a tuple of one."""
    variables = as_variables(value)
    if len(variables) != 1:
        message = (
            f"variables is {value!r}; accepted by a partitioning by date: the path of one variable, such as ('time',)"
        )
        raise PluginConfigurationError(message)
    return variables


def _as_resolution(value: object) -> str:
    if not isinstance(value, str) or value not in _FIELDS:
        message = f"the resolution of a partitioning by date is {value!r}; {accepted(value, _FIELDS)}"
        raise PluginConfigurationError(message)
    return str(value)


@frozen
class Date(Partitioning):
    """Rows belong to the calendar period in which their time lies.

    The calendar is that of the times: that of datetime64, the proleptic Gregorian one, in which the year 0 is leap and
    negative years count back from it, or any other that CF has, such as ``noleap`` or ``360_day``. Times may have any unit
    of datetime64. Years have four digits in paths, or more where they need more.

    Parameters
    ----------
    variables
        The path of the variable that holds the times, in a tuple.
    resolution
        The period: ``"Y"``, ``"M"``, ``"D"``, ``"h"``, ``"m"`` or ``"s"``, as in datetime64.
    dimension
        The dimension to partition along; None means that of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        One of them is something else.

    Examples
    --------
    >>> import numpy as np
    >>> by_month = Date(("time",), resolution="M")
    >>> times = np.array(["1969-12-31T23:59", "2024-03-01T00:00"], dtype="datetime64[ns]")
    >>> {name: values.tolist() for name, values in by_month.keys({"time": times}).items()}
    {'year': [1969, 2024], 'month': [12, 3]}
    >>> by_month.encode({"year": 2024, "month": 3})
    'year=2024/month=03'
    """

    calendars: ClassVar[bool] = True
    brief: ClassVar[tuple[str, ...]] = ("resolution", "variables")

    variables: tuple[str, ...] = field(converter=_one_variable)
    resolution: str = field(converter=_as_resolution)
    dimension: str | None = field(default=None, kw_only=True, converter=as_dimension)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The year, and what follows down to the resolution."""
        last = list(_FIELDS).index(self.resolution)
        return tuple(_FIELDS.values())[: last + 1]

    @property
    def time_variables(self) -> tuple[str, ...]:
        """The variable: numbers with CF time units are decoded for it."""
        return self.variables

    def keys(self, columns: Mapping[str, Any]) -> Mapping[str, NDArray[Any]]:
        """Return the year of every row, and what follows down to the resolution.

        Parameters
        ----------
        columns
            The times, shape (rows,): datetime64 of any unit, or `CalendarTimes`.

        Returns
        -------
        mapping
            For each field an int64 array, shape (rows,).

        Raises
        ------
        PartitionError
            The column is not datetime64, a time is missing (NaT), or beyond what datetime64 counts in seconds.
        """
        (name,) = self.variables
        column = columns[name]
        calendar = column.calendar if isinstance(column, CalendarTimes) else "proleptic_gregorian"
        seconds = whole_seconds(column, name=name)
        first = first_of_periods(seconds, self.resolution)
        rows = np.diff(first, append=seconds.size)
        # The fields first: components are computed as they are asked for.
        each = zip(self.fields, components(seconds[first], calendar), strict=False)
        return {item.name: np.repeat(values, rows) for item, values in each}

    def encode(self, key: Mapping[str, int | str]) -> str:
        """Return the path of a period, such as ``year=2024/month=03``.

        Raises
        ------
        PartitionError
            There is no such period.
        """
        path = super().encode(key)
        _check_exists(key, path)
        return path

    def decode(self, path: str) -> Key:
        """Return the key of a path: the inverse of `encode`.

        Raises
        ------
        PartitionError
            The path is not one that `encode` returns.
        """
        key = super().decode(path)
        _check_exists(key, path)
        return key


def _check_exists(key: Mapping[str, Any], path: str) -> None:
    for name, value in key.items():
        smallest, largest = _BOUNDS[name]
        if not smallest <= value <= largest:
            message = f"{path!r} has the {name} {value}; accepted: {smallest} to {largest}"
            raise PartitionError(message)
    # Which calendar it is, a path does not say: in one of them all months have 30 days.
    if "day" in key and key["day"] > (last := max(30, monthrange(key["year"], key["month"])[1])):
        message = f"{path!r} has the day {key['day']}; accepted: 1 to {last}, the days of that month"
        raise PartitionError(message)
