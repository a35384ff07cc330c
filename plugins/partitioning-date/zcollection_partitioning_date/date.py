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
"""The fields of a key, by resolution: a key has all fields up to the one of its resolution."""

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
    """Partition rows by the calendar period that contains their time.

    The calendar is the calendar of the times: for datetime64, the proleptic Gregorian calendar, in which the year 0 is a
    leap year and earlier years are negative; else any calendar of CF, such as ``noleap`` or ``360_day``. Times may have any
    unit of datetime64. Years have at least four digits in paths.

    Parameters
    ----------
    variables
        The path of the variable that contains the times, in a tuple.
    resolution
        The period: ``"Y"``, ``"M"``, ``"D"``, ``"h"``, ``"m"`` or ``"s"``, as in datetime64.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        A parameter is invalid.

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
        """The fields from the year down to the resolution."""
        last = list(_FIELDS).index(self.resolution)
        return tuple(_FIELDS.values())[: last + 1]

    @property
    def time_variables(self) -> tuple[str, ...]:
        """The variable, so that `keys` receives numbers with CF time units as times."""
        return self.variables

    def keys(self, columns: Mapping[str, Any]) -> Mapping[str, NDArray[Any]]:
        """Return the period of every row: the components from the year down to the resolution.

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
            The column is not datetime64, a time is missing (NaT), or a time is out of the range of datetime64 in seconds.
        """
        (name,) = self.variables
        column = columns[name]
        calendar = column.calendar if isinstance(column, CalendarTimes) else "proleptic_gregorian"
        seconds = whole_seconds(column, name=name)
        first = first_of_periods(seconds, self.resolution)
        rows = np.diff(first, append=seconds.size)
        # zip() takes the fields first, so that components below the resolution are not computed.
        each = zip(self.fields, components(seconds[first], calendar), strict=False)
        return {item.name: np.repeat(values, rows) for item, values in each}

    def encode(self, key: Mapping[str, int | str]) -> str:
        """Return the path of a period, such as ``year=2024/month=03``.

        Raises
        ------
        PartitionError
            The period does not exist.
        """
        path = super().encode(key)
        _check_exists(key, path)
        return path

    def decode(self, path: str) -> Key:
        """Return the key of a path; the inverse of `encode`.

        Raises
        ------
        PartitionError
            `encode` does not return this path for any key.
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
    # A path does not record the calendar; in the calendar 360_day, every month has 30 days.
    if "day" in key and key["day"] > (last := max(30, monthrange(key["year"], key["month"])[1])):
        message = f"{path!r} has the day {key['day']}; accepted: 1 to {last}, the days of that month"
        raise PartitionError(message)
