"""Groups rows by partition: consecutive rows with the same key form a run, and the runs are sorted by key."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.contracts.partitioning import Field, Key, Partitioning
from zcollection.errors import PartitionError
from zcollection.model.calendars import CalendarTimes, since_1970
from zcollection.model.dataset import Dataset
from zcollection.model.times import has_time_units, names_days, units_of
from zcollection.model.variable import Indexer, Variable

_BLOCK: Final = 16_384
"""Number of rows whose keys are computed together, so that intermediate arrays stay small."""


@frozen(kw_only=True)
class PartitionRows:
    """The rows of a dataset that belong to one partition.

    Attributes
    ----------
    key, path
        The key and the path of the partition.
    rows
        A slice if the rows are contiguous, which needs no copy; otherwise their positions, in order.
    """

    key: Key
    path: str
    rows: Indexer = field(eq=False)

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.rows.stop - self.rows.start if isinstance(self.rows, slice) else len(self.rows)


def split(dataset: Dataset, partitioning: Partitioning, *, dimension: str) -> list[PartitionRows]:
    """Return the partitions of a dataset's rows, in the order of their keys.

    Raises
    ------
    PartitionError
        The partitioning does not accept a value, or violates its contract.
    """
    count = dataset.sizes.get(dimension, 0)
    if count == 0:
        return []
    runs = _runs(dataset, partitioning, count).ordered()
    names = [item.name for item in partitioning.fields]
    keys = [Key(dict(zip(names, values, strict=True))) for values in runs.distinct_keys()]
    return [
        PartitionRows(key=key, path=partitioning.encode(key), rows=rows)
        for key, rows in zip(keys, runs.rows_of_each(), strict=True)
    ]


@frozen
class _Runs:
    """Runs of consecutive rows with the same key.

    Attributes
    ----------
    columns
        The keys of the runs, one array per field.
    starts, stops
        The first row of each run, and the row after its last.
    """

    columns: Sequence[NDArray[Any]]
    starts: NDArray[np.intp]
    stops: NDArray[np.intp]

    @classmethod
    def of(cls, columns: Sequence[NDArray[Any]], starts: NDArray[np.intp], count: int) -> "_Runs":
        """Return the runs of `count` rows from possible starts of runs; adjacent runs with the same key are joined."""
        first = _changes(columns)
        starts = starts[first]
        return cls([column[first] for column in columns], starts, np.append(starts[1:], count))

    def ordered(self) -> "_Runs":
        """Return the runs sorted by key; those of one key stay in the order of their rows."""
        order = np.lexsort([sortable(column) for column in self.columns[::-1]])
        return _Runs([column[order] for column in self.columns], self.starts[order], self.stops[order])

    def distinct_keys(self) -> list[tuple[Any, ...]]:
        """Return each distinct key of sorted runs."""
        first = _changes(self.columns)
        return list(zip(*(column[first].tolist() for column in self.columns), strict=True))

    def rows_of_each(self) -> list[Indexer]:
        """Return the rows of each distinct key of sorted runs."""
        first = _changes(self.columns)
        if len(first) == len(self.starts):
            return list(map(slice, self.starts.tolist(), self.stops.tolist()))
        lengths = self.stops - self.starts
        before = np.cumsum(lengths) - lengths
        positions = np.arange(lengths.sum()) + np.repeat(self.starts - before, lengths)
        return list(np.split(positions, before[first[1:]]))


def sortable(column: NDArray[Any]) -> NDArray[Any]:
    """Return integers that sort like a column of strings, because `numpy.lexsort` of NumPy 2.1 crashes on StringDType."""
    return np.unique(column, return_inverse=True)[1] if column.dtype.kind == "T" else column


def _runs(dataset: Dataset, partitioning: Partitioning, count: int) -> _Runs:
    variables = {name: dataset.get_variable(f"/{name.removeprefix('/')}") for name in partitioning.variables}
    columns = {name: Variable(variable.schema, variable.to_numpy()) for name, variable in variables.items()}
    try:
        blocks = [
            _changes_in(slice(start, min(start + _BLOCK, count)), columns, partitioning)
            for start in range(0, count, _BLOCK)
        ]
    except PartitionError:
        _changes_in(slice(0, count), columns, partitioning)  # raises an error with the row's number in the dataset
        raise
    starts, keys = zip(*blocks, strict=True)
    return _Runs.of([np.concatenate(column) for column in zip(*keys, strict=True)], np.concatenate(starts), count)


def _changes_in(
    rows: slice, columns: Mapping[str, Variable], partitioning: Partitioning
) -> tuple[NDArray[np.intp], list[NDArray[Any]]]:
    """Return the positions of the rows whose key differs from that of the previous row, and their keys."""
    values = {name: _column(name, variable, partitioning, rows) for name, variable in columns.items()}
    # Times in another calendar are `CalendarTimes`; the partitioning accepts them, as was checked at creation.
    keys = _checked(partitioning, partitioning.keys(cast("dict[str, NDArray[Any]]", values)), rows.stop - rows.start)
    first = _changes(keys)
    return first + rows.start, [column[first] for column in keys]


def _column(name: str, variable: Variable, partitioning: Partitioning, rows: slice) -> NDArray[Any] | CalendarTimes:
    part = Variable(variable.schema, variable.data[rows])
    return _dated(part) if name in partitioning.time_variables else part.to_numpy()


def _dated(variable: Variable) -> NDArray[Any] | CalendarTimes:
    """Return times as datetime64, or as times of their calendar if its dates differ from those of datetime64."""
    times = as_times(variable)
    if times.dtype.kind not in "mM" or not has_time_units(variable.attrs):
        return times
    calendar = units_of(variable.attrs, name=variable.name).calendar
    return times if names_days(times, calendar) else CalendarTimes(since_1970(times), calendar)


def as_times(variable: Variable) -> NDArray[Any]:
    """Return values as datetime64 if they are numbers with time units; other values are returned unchanged.

    Times in a calendar that datetime64 does not support are returned as timedelta64 since 1970-01-01 of that calendar, which
    preserves their order and differences.
    """
    values = variable.to_numpy()
    if values.dtype.kind in "iuf" and has_time_units(variable.attrs):
        return units_of(variable.attrs, name=variable.name).decode(values, fill_value=variable.fill_value)
    return values


def _checked(partitioning: Partitioning, keys: Mapping[str, NDArray[Any]], count: int) -> list[NDArray[Any]]:
    """Return the key columns, after checking the result of the plugin."""
    if list(keys) != [item.name for item in partitioning.fields]:
        message = f"{partitioning!r} returns the keys {list(keys)}; accepted: its fields, in their order"
        raise PartitionError(message)
    return [_checked_column(partitioning, item, np.asarray(keys[item.name]), count) for item in partitioning.fields]


def _checked_column(partitioning: Partitioning, item: Field, column: NDArray[Any], count: int) -> NDArray[Any]:
    if column.shape != (count,) or column.dtype.kind not in item.kinds:
        message = (
            f"{partitioning!r} returns for the field {item.name!r} an array of {column.dtype} and shape {column.shape}; "
            f"accepted: {'strings' if item.text else 'booleans' if item.boolean else 'integers'}, shape ({count},)"
        )
        raise PartitionError(message)
    return column


def _changes(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return the positions at which the values change, including the first position."""
    changes = np.zeros(len(columns[0]), dtype=np.bool_)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)
