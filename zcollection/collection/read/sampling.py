"""The sampling of the axis in each partition, and the insertion times of its rows: from statistics, or from the axis."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.find import ConsistentSearch
from zcollection.collection.read.request import Request, SelectedPartitions, Where
from zcollection.contracts.partitioning import Key
from zcollection.engine.deliveries import Deliveries
from zcollection.engine.read import GroupRead, reading
from zcollection.engine.sampling import Sampling, are_present
from zcollection.engine.statistics import Statistics, reading_statistics
from zcollection.engine.work import Work, perform
from zcollection.errors import SchemaError
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import PartitionRecord


@frozen(kw_only=True)
class PartitionSampling:
    """The sampling of the axis of a partition.

    Attributes
    ----------
    path, key
        The path and the key of the partition.
    sampling
        Runs of rows with a constant step.
    deliveries
        The insertion times of the rows with an axis value, in the same order.
    stamp
        Id of the transaction that wrote the partition last.
    was_read
        Whether the axis was read: because statistics are missing, have too many runs, or do not contain the insertion times
        of the rows with an axis value, or because rows are selected by a condition.
    """

    path: str
    key: Key
    sampling: Sampling
    deliveries: Deliveries = field(repr=False)
    stamp: str = field(repr=False)
    was_read: bool


async def sampling(
    opened: OpenCollection, *, filters: Filter, where: Where, progress: ProgressOption
) -> list[PartitionSampling]:
    """Return the sampling of the axis; see `Collection.sampling`."""
    axis = opened.axis_variable
    if axis is None or not opened.schema.get_variable(axis).has_order:
        what = "not a variable" if axis is None else f"of the type {opened.schema.get_variable(axis).dtype}"
        message = f"the axis {opened.configuration.axis!r} is {what}; accepted: numbers or times"
        raise SchemaError(message)
    search = _SamplingSearch(request=Request.of(opened, filters, where), axis=axis)
    _, found = await search.of_partitions(progress, "sampling")
    return [item for item in found.values() if item is not None]


@define(eq=False, kw_only=True)
class _SamplingSearch(ConsistentSearch[PartitionSampling | None]):
    """Reads the statistics of partitions, and the axis if they do not contain its sampling."""

    axis: str

    async def search(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> Sequence[PartitionSampling | None]:
        """Return the sampling of the axis in some partitions; None for those without selected rows."""
        works = (_Part(selected=selected, axis=self.axis, path=path).reading_sampling() for path in paths)
        # Statistics are read on one thread: the objects are small, and most of the time is spent in Python.
        threads = config.get().threads if selected.is_of_rows else 1
        return await perform(selected.snapshot.objects, works, threads=threads, progress=advance)


@frozen(kw_only=True)
class _Part:
    """One partition whose sampling is determined."""

    selected: SelectedPartitions
    axis: str
    path: str

    def reading_sampling(self) -> Work[PartitionSampling | None]:
        """Return the sampling of its axis; None if it has no selected rows."""
        group, dimension = self._group, self._opened.dimension
        statistics = yield from reading_statistics(group, dimension=dimension, only=())
        deliveries = Deliveries.from_json(None if statistics is None else statistics.deliveries, rows=group.rows)
        if self.selected.is_of_rows:
            return (yield from self._of_rows(deliveries))
        known = None if statistics is None else _known(statistics, rows=group.rows)
        if known is not None and not known.missing:
            return self._sampled(known, deliveries, was_read=False)
        if known is not None and len(deliveries.rows) == 1:  # all rows were inserted together
            return self._sampled(known, deliveries.chosen(np.arange(known.rows.sum())), was_read=False)
        columns = yield from reading([group], self._schema, dimension=dimension)
        yield from partition_groups.checking_current(self._opened, group, self._record)
        return self._read(columns[self.axis], deliveries)

    def _of_rows(self, deliveries: Deliveries) -> Work[PartitionSampling | None]:
        found, rows = yield from self.selected.rows_plan(self.path).finding(self._schema, {})
        if not found.count:
            return None
        return self._read(rows.get_variable(self.axis).to_numpy(), deliveries.chosen(found.positions))

    def _read(self, values: NDArray[Any], deliveries: Deliveries) -> PartitionSampling:
        """Return the sampling determined from the axis values, with the insertion times of the rows."""
        variable = self._schema.get_variable(self.axis)
        found = Sampling.of(values, variable, most=None)
        if found is None:
            message = (
                f"partition {self.path!r} has values of {self.axis!r} that have no difference, such as infinities; accepted: "
                f"finite numbers and times"
            )
            raise SchemaError(message)
        present = deliveries.chosen(are_present(values, variable)) if found.missing else deliveries
        return self._sampled(found, present, was_read=True)

    def _sampled(self, found: Sampling, deliveries: Deliveries, *, was_read: bool) -> PartitionSampling:
        return PartitionSampling(
            path=self.path,
            key=Key(self._record.key),
            sampling=found,
            deliveries=deliveries,
            stamp=self._record.stamp,
            was_read=was_read,
        )

    @property
    def _opened(self) -> OpenCollection:
        return self.selected.request.opened

    @property
    def _record(self) -> PartitionRecord:
        return self.selected.partitions[self.path]

    @property
    def _group(self) -> GroupRead:
        return partition_groups.group_of(self._opened, self.path, self._record, self.selected.snapshot.place(self.path))

    @property
    def _schema(self) -> DatasetSchema:
        return self._opened.schema.select([self.axis])


def _known(statistics: Statistics, *, rows: int) -> Sampling | None:
    """Return the sampling of the axis from the statistics of a partition with `rows` rows; None if unknown."""
    if statistics.sampling is None or statistics.sampling == "unknown":
        return None
    return Sampling.from_json(statistics.sampling, rows=rows)
