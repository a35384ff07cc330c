"""Windows: the rows of a partition with neighbouring rows along the axis, which the user's function receives."""

import inspect
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from attrs import Factory, field, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.neighbours import AxisOrder, AxisRanges, Halo, Neighbours
from zcollection.engine.work import Work
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.model.variable import Indexer
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")

_SMALLEST, _LARGEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@frozen(eq=False)
class Window:
    """The rows of one partition and of its neighbours; with a halo, in the order of the axis.

    Attributes
    ----------
    rows
        The rows.
    own
        The positions of the partition's own rows, in the order in which it stores them.
    rows_given
        The number of rows, even if the dataset has no variable.
    """

    rows: Dataset
    own: Indexer
    rows_given: int

    def trimmed(self, dataset: Dataset, dimension: str) -> Dataset:
        """Return the partition's own rows of a dataset that was computed for all rows of the window."""
        return dataset.isel({dimension: self.own}) if dimension in dataset.sizes else dataset

    def call(self, function: Callable[..., R]) -> R:
        """Call a function with the rows and, if it has a parameter `own`, with the positions of the own rows."""
        return function(self.rows, own=self.own) if _takes_own(function) else function(self.rows)


def _takes_own(function: Callable[..., object]) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get("own")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}


PartitionReader = Callable[[str, PartitionRecord, Place, DatasetSchema], Work[Dataset]]
"""A function that reads the rows of one partition, given its path, its record, its place and the variables."""


@frozen(kw_only=True)
class Windows:
    """The windows of a snapshot's partitions.

    Attributes
    ----------
    opened, snapshot
        The collection and its snapshot.
    halo
        The neighbouring rows of a window.
    schema
        The variables that can be read; by default those of the collection.
    """

    opened: OpenCollection
    snapshot: Snapshot
    halo: Halo = ()
    schema: DatasetSchema = field(default=Factory(lambda self: self.opened.schema, takes_self=True))

    def __attrs_post_init__(self) -> None:
        _ = self._depths  # raises at once if a depth does not fit the axis

    @cached_property
    def _depths(self) -> list[tuple[int, bool]]:
        """The halo as numbers, each with whether it counts steps of the axis rather than rows."""
        order = AxisOrder.of(self.opened)
        return [
            (order.steps(depth), True) if isinstance(depth, np.timedelta64) else (depth, False) for depth in self.halo
        ]

    @cached_property
    def neighbours(self) -> Neighbours:
        """The partitions along the axis."""
        return Neighbours(AxisOrder.of(self.opened), self.snapshot)

    def read_by(self, transaction: Transaction, paths: Iterable[str]) -> None:
        """Register the windows of partitions as read by a transaction, so that a change of one of them is a conflict."""
        limits = []
        for path in paths:
            transaction.reads(path)
            for neighbour in self.neighbours.around(path, self.halo):
                transaction.reads(neighbour)
            limits.append(self.neighbours.limits(path, self.halo))
        reached = [limit for limit in limits if limit is not None]
        if reached:
            transaction.watch(AxisRanges(self.neighbours.order, tuple(reached)))

    def reading(
        self, path: str, record: PartitionRecord, schema: DatasetSchema, immutable: Mapping[str, NDArray[Any]]
    ) -> Work[Window]:
        """Return the window of one partition; see `WindowPlan.reading`."""
        return self.plan(path, record).reading(schema, immutable)

    def plan(self, path: str, record: PartitionRecord) -> "WindowPlan":
        """Return the plan for reading the window of one partition."""
        near = self.neighbours.around(path, self.halo)
        around = {name: self.snapshot.partitions[name] for name in near}
        ordered = sorted({path: record, **around}.items(), key=lambda item: tuple(item[1].key.values()))
        return WindowPlan(
            opened=self.opened,
            path=path,
            parts=tuple((name, each, self.snapshot.place(name)) for name, each in ordered),
            depths=tuple(self._depths),
            schema=self.schema,
        )


@frozen(kw_only=True)
class WindowPlan:
    """The plan for reading the window of one partition: a small value, which can be pickled if its source can.

    Attributes
    ----------
    opened
        The collection.
    path
        The path of the partition.
    parts
        Paths, records and places of the partition and of its neighbours, in the order of the keys.
    depths
        The halo as numbers, each with whether it counts steps of the axis rather than rows.
    schema
        As for `Windows`.
    source
        The function that reads the rows of one partition, if variables of a view are read too.
    """

    opened: OpenCollection
    path: str
    parts: tuple[tuple[str, PartitionRecord, Place], ...]
    depths: tuple[tuple[int, bool], ...]
    schema: DatasetSchema
    source: PartitionReader | None = None

    @property
    def record(self) -> PartitionRecord:
        """The record of the partition."""
        return next(record for path, record, _ in self.parts if path == self.path)

    def reading(self, schema: DatasetSchema, immutable: Mapping[str, NDArray[Any]]) -> Work[Window]:
        """Return the window, with the variables of `schema` and the given immutable variables.

        Raises
        ------
        ConflictError
            Another writer replaced the partition, or a neighbour, in the meantime.
        """
        # Each call of the user's function gets its own arrays, which it may change in place.
        copies = {name: values.copy() for name, values in immutable.items()}
        if not self.depths:
            ((path, record, place),) = self.parts
            rows = yield from self._partition(path, record, place, schema)
            return Window(
                partition_groups.dataset_of(schema, _arrays(rows) | copies), slice(0, record.rows), record.rows
            )
        parts, before, own = [], 0, slice(0, 0)
        with_axis = self._with_axis(self.opened.part(schema, partitioned=True))
        for path, record, place in self.parts:
            parts.append((yield from self._partition(path, record, place, with_axis)))
            own = slice(before, before + record.rows) if path == self.path else own
            before += record.rows
        return self._cut(Dataset.concat(parts, self.opened.dimension), own, schema, copies)

    def _partition(self, path: str, record: PartitionRecord, place: Place, schema: DatasetSchema) -> Work[Dataset]:
        if self.source is not None:
            return self.source(path, record, place, schema)
        return partition_groups.reading_partition(self.opened, path, record, schema, place=place)

    def _with_axis(self, schema: DatasetSchema) -> DatasetSchema:
        axis = AxisOrder.of(self.opened).variable
        names = schema.all_variables().keys()
        return schema if axis is None or axis.name in names else self.schema.select({*names, axis.name})

    def _cut(self, rows: Dataset, own: slice, schema: DatasetSchema, immutable: Mapping[str, NDArray[Any]]) -> Window:
        order, dimension = AxisOrder.of(self.opened), self.opened.dimension
        if order.variable is None:
            values, missing = np.arange(rows.sizes[dimension]), np.zeros(rows.sizes[dimension], np.bool_)
        else:
            values, missing = order.comparable(rows.get_variable(order.variable.name).to_numpy())
        selected, own_of_chosen = _within(values, missing, own, self.depths)
        part = rows.isel({dimension: _as_slice(selected)})
        dataset = partition_groups.dataset_of(schema, _arrays(part) | dict(immutable))
        return Window(dataset, _as_slice(own_of_chosen), selected.size)


def _within(
    values: NDArray[Any], missing: NDArray[np.bool_], own: slice, halo: Sequence[tuple[int, bool]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the rows of a window, in the order of the axis, and those of the own rows among them.

    Parameters
    ----------
    values, missing
        Comparable axis values, shape (rows,), and a mask of the missing ones.
    own
        The own rows.
    halo
        Depths, each with whether it counts steps of the axis rather than rows.
    """
    present = np.flatnonzero(~missing)
    order = present[np.argsort(values[present], kind="stable")]
    place = np.full(values.shape, -1, dtype=np.intp)
    place[order] = np.arange(order.size)
    mine = np.arange(own.start, own.stop)
    placed = place[mine][place[mine] >= 0]
    # Own rows without an axis value have no neighbours, and come last.
    unplaced = mine[place[mine] < 0]
    if not placed.size:
        return unplaced, np.arange(unplaced.size)
    first, last = int(placed.min()), int(placed.max())
    ordered = values[order]
    for depth, counts_steps in halo:
        if counts_steps:
            low, high = max(int(ordered[first]) - depth, _SMALLEST), min(int(ordered[last]) + depth, _LARGEST)
            first, last = bisect_left(ordered, low), bisect_right(ordered, high) - 1
        else:
            first, last = max(first - depth, 0), min(last + depth, order.size - 1)
    selected = np.concatenate([order[first : last + 1], unplaced])
    where = np.empty(values.shape, dtype=np.intp)
    where[selected] = np.arange(selected.size)
    return selected, where[mine]


def _as_slice(positions: NDArray[np.intp]) -> Indexer:
    """Return positions as a slice if they are consecutive, because a slice needs no copy."""
    if positions.size and np.array_equal(positions, np.arange(positions[0], positions[0] + positions.size)):
        return slice(int(positions[0]), int(positions[0]) + positions.size)
    return positions


def _arrays(dataset: Dataset) -> dict[str, NDArray[Any]]:
    return {path: variable.to_numpy() for path, variable in dataset.all_variables().items()}
