"""Rows grouped by partition, whatever their order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.contracts.partitioning import Field, Key, Partitioning
from zcollection.errors import PartitionError
from zcollection.model.dataset import Dataset
from zcollection.model.times import has_time_units, units_of
from zcollection.model.variable import Indexer, Variable


@frozen(kw_only=True)
class PartitionRows:
    """The rows of a dataset that belong to one partition.

    Attributes
    ----------
    key, path
        The partition.
    rows
        A slice where the rows are contiguous, which costs no copy; else their positions, in order.
    """

    key: Key
    path: str
    rows: Indexer = field(eq=False)


def split(dataset: Dataset, partitioning: Partitioning, *, dimension: str) -> list[PartitionRows]:
    """Return the partitions of a dataset's rows, in the order of their keys.

    Raises
    ------
    PartitionError
        The partitioning refuses a value, or breaks its contract.
    """
    count = dataset.sizes.get(dimension, 0)
    if count == 0:
        return []
    columns = {name: _column(dataset, name, partitioning) for name in partitioning.variables}
    keys = _checked(partitioning, partitioning.keys(columns), count)
    parts = [
        PartitionRows(key=key, path=partitioning.encode(key), rows=rows)
        for key, rows in zip(*_group(keys, [item.name for item in partitioning.fields]), strict=True)
    ]
    return sorted(parts, key=lambda part: part.key)


def _column(dataset: Dataset, name: str, partitioning: Partitioning) -> NDArray[Any]:
    variable = dataset.get_variable(f"/{name.removeprefix('/')}")
    return as_times(variable) if name in partitioning.time_variables else variable.to_numpy()


def as_times(variable: Variable) -> NDArray[Any]:
    """Return values as datetime64, decoded where they are numbers with time units; others as they are."""
    values = variable.to_numpy()
    if values.dtype.kind in "iuf" and has_time_units(variable.attrs):
        return units_of(variable.attrs, name=variable.name).decode(values, fill_value=variable.fill_value)
    return values


def _checked(partitioning: Partitioning, keys: Mapping[str, NDArray[Any]], count: int) -> list[NDArray[Any]]:
    """Return the key columns after checking what a plugin returned."""
    if list(keys) != [item.name for item in partitioning.fields]:
        message = f"{partitioning!r} returns the keys {list(keys)}; accepted: its fields, in their order"
        raise PartitionError(message)
    return [_checked_column(partitioning, item, np.asarray(keys[item.name]), count) for item in partitioning.fields]


def _checked_column(partitioning: Partitioning, item: Field, column: NDArray[Any], count: int) -> NDArray[Any]:
    if column.shape != (count,) or column.dtype.kind not in ("UT" if item.text else "iu"):
        message = (
            f"{partitioning!r} returns for the field {item.name!r} an array of {column.dtype} and shape {column.shape}; "
            f"accepted: {'strings' if item.text else 'integers'}, shape ({count},)"
        )
        raise PartitionError(message)
    return column


def _group(columns: Sequence[NDArray[Any]], names: Sequence[str]) -> tuple[list[Key], list[Indexer]]:
    """Return each distinct key and the positions of its rows."""
    starts = _run_starts(columns)
    if _are_distinct([column[starts] for column in columns]):
        stops = [*starts[1:].tolist(), len(columns[0])]
        rows: list[Indexer] = [slice(start, stop) for start, stop in zip(starts.tolist(), stops, strict=True)]
        return _keys(columns, starts, names), rows
    order = np.lexsort(columns[::-1])  # stable: rows of one partition keep their order
    ordered = [column[order] for column in columns]
    starts = _run_starts(ordered)
    return _keys(ordered, starts, names), list(np.split(order, starts[1:]))


def _run_starts(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return the positions at which a run of equal keys begins."""
    changes = np.zeros(len(columns[0]), dtype=np.bool_)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def _are_distinct(columns: Sequence[NDArray[Any]]) -> bool:
    order = np.lexsort(columns[::-1])
    return len(_run_starts([column[order] for column in columns])) == len(order)


def _keys(columns: Sequence[NDArray[Any]], positions: NDArray[np.intp], names: Sequence[str]) -> list[Key]:
    values = zip(*(column[positions].tolist() for column in columns), strict=True)
    return [Key(dict(zip(names, value, strict=True))) for value in values]
