"""A request for rows: the filter on partition keys, the condition on rows, and the partitions selected at a version."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter, compile_filter, zones_of
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.rows import PartRows, Rows, as_where, ranges_of
from zcollection.collection.read.window import Window
from zcollection.conditions.condition import Bound, Condition
from zcollection.conditions.zones import NEVER, Verdicts, Zones
from zcollection.contracts.objects import Objects
from zcollection.engine.executor import in_thread
from zcollection.engine.layout import declared_values
from zcollection.engine.read import GroupRead
from zcollection.engine.read_rows import RowReader, Target, VariableSource
from zcollection.engine.select import ConditionFinder, Finder, KnownRows, field_zones
from zcollection.engine.selected_rows import SelectedRows
from zcollection.engine.work import Work
from zcollection.errors import CorruptionError, ExpressionError, OutdatedError, PluginError, SettingError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index import packing
from zcollection.transaction.index.limits import Limits
from zcollection.transaction.index.partitions import ByName, Candidates, Partitions
from zcollection.transaction.reports import Label
from zcollection.transaction.snapshot import Snapshot

Where = str | Condition | Rows | None
"""A row selection: a condition, or the `Rows` that `find` returned; None selects all rows."""


class ViewPartitions(ABC):
    """The partitions of a view that correspond to the partitions of a snapshot of its base.

    Attributes
    ----------
    objects
        The objects of the view's store.
    """

    objects: Objects

    @abstractmethod
    def group(self, path: str, record: PartitionRecord) -> GroupRead:
        """Return the view's group of a partition, to be read; it has no variables if it is not current."""

    @abstractmethod
    def stamp(self, path: str) -> str:
        """Return the stamp of the view's group of a partition."""


@frozen(kw_only=True)
class Request:
    """A request for rows of a collection, independent of a version.

    Attributes
    ----------
    opened
        The collection.
    filters
        The filter on partition keys.
    where
        The row selection; None selects all rows.
    own
        The variables of a view, which a condition may use in addition to those of the collection.
    """

    opened: OpenCollection
    filters: Filter
    where: Condition | Rows | None
    own: DatasetSchema = field(factory=DatasetSchema)

    @classmethod
    def of(cls, opened: OpenCollection, filters: Filter, where: Where, own: DatasetSchema | None = None) -> "Request":
        """Return a request; an invalid condition is rejected at once.

        Raises
        ------
        SettingError
            `where` is neither a condition nor rows.
        ExpressionError
            The condition is invalid, or does not fit the schema.
        """
        request = cls(opened=opened, filters=filters, where=as_where(where), own=own or DatasetSchema())
        if isinstance(request.where, Condition):
            _ = request.bound
        return request

    def check_halo(self, halo: Halo) -> None:
        """Raise `SettingError` if a depth is combined with a row selection."""
        if halo and self.where is not None:
            message = (
                "depth with where: selected rows have no neighbours; accepted: depth=0, or filters in place of where"
            )
            raise SettingError(message)

    @cached_property
    def bound(self) -> Bound:
        """The condition, bound to the schema."""
        condition = self.where.condition if isinstance(self.where, Rows) else self.where
        assert condition is not None  # noqa: S101 - callers check that there is one
        schema, own = self.opened.schema, self.own.all_variables()
        complete = schema.with_variables(own) if own else schema
        return condition.bound(complete, self.opened.dimension, self._fields)

    @property
    def reads_own(self) -> bool:
        """Whether the condition reads variables of the view."""
        return not self.own.all_variables().keys().isdisjoint(self.bound.variables)

    @property
    def _fields(self) -> Sequence[str]:
        """The fields of the keys; empty if the partitioning plugin is missing, as a collection can be read without it."""
        try:
            return [item.name for item in self.opened.partitioning.fields]
        except PluginError:
            return []

    @cached_property
    def candidates(self) -> Candidates:
        """The candidates that a snapshot must contain for `select`."""
        if not isinstance(self.where, Rows):
            return key_selection.candidates_of(
                self.opened, self.filters, None if self.where is None else self._may_contain
            )
        rows = self.where
        if rows.condition is None:
            return rows.partitions
        again = evolve(self, where=rows.condition, filters=rows.filters)
        return key_selection.candidates_of(self.opened, again.filters, again._may_contain, rows.partitions)  # noqa: SLF001 - of its own class

    async def snapshot(self) -> Snapshot:
        """Return the newest snapshot of the candidates."""
        return await self.opened.snapshot(self.candidates)

    async def newest(self) -> "SelectedPartitions":
        """Return the selected partitions of the newest version."""
        return await self.select(await self.snapshot())

    async def select(self, snapshot: Snapshot, view: ViewPartitions | None = None) -> "SelectedPartitions":
        """Return the partitions of a snapshot that may contain requested rows.

        Parameters
        ----------
        snapshot
            The result of `snapshot`, or a snapshot with more partitions.
        view
            The partitions of a view over the collection; None without a view.
        """
        if callable(self.filters):
            return await in_thread(self.select_here, snapshot, view)
        return self.select_here(snapshot, view)

    def select_here(self, snapshot: Snapshot, view: ViewPartitions | None = None) -> "SelectedPartitions":
        """Return the partitions of a snapshot that may contain requested rows, computed on this thread; see `select`.

        Raises
        ------
        OutdatedError
            The partitions of a `Rows` without a condition have changed, so that the rows cannot be found again.
        """
        if isinstance(self.where, Rows):
            return self._select_rows(snapshot, self.where, view)
        prune = None if self.where is None else self._may_pass
        partitions = key_selection.where(self.opened, snapshot, self.filters, prune, self.candidates)
        return SelectedPartitions(request=self, snapshot=snapshot, partitions=partitions, view=view)

    def _select_rows(self, snapshot: Snapshot, rows: Rows, view: ViewPartitions | None) -> "SelectedPartitions":
        records = {path: snapshot.record(path) for path in rows.partitions}
        changed = [path for path in records if not _is_current(path, rows, records[path], view)]
        if not changed:
            existing = {path: record for path, record in records.items() if record is not None}
            return SelectedPartitions(request=self, snapshot=snapshot, partitions=self._passing(existing), view=view)
        if rows.condition is None:
            message = (
                f"{len(changed)} of the partitions whose rows were found at version {rows.version} of {self.opened.store.url} have "
                f"changed since, {changed[0]!r} among them; find the rows again"
            )
            raise OutdatedError(message)
        again = evolve(self, where=rows.condition, filters=rows.filters).select_here(snapshot, view)
        return evolve(again, partitions=self._passing(again.partitions))

    def _passing(self, partitions: Mapping[str, PartitionRecord]) -> Mapping[str, PartitionRecord]:
        """Return the partitions that pass the filter."""
        if self.filters is None:
            return partitions
        select = compile_filter(self.filters, [item.name for item in self.opened.partitioning.fields])
        return Partitions(partitions).where(select)

    def _may_contain(self, limits: Limits) -> Sequence[bool]:
        """Return which ranges of partitions may contain rows that pass."""
        fields = {name: zones_of(limits.smallest[name], limits.largest[name]) for name in limits.smallest}
        if not fields.keys() >= {*self.bound.fields}:
            return [True] * len(limits)  # repartitioned in the meantime: the next check detects it
        try:
            return self._verdicts({name: fields[name] for name in self.bound.fields}, limits.axis)
        except ExpressionError:
            return [True] * len(limits)  # the error names the partition to which it does not apply

    def _may_pass(self, keys: ByName, limits: Sequence[Any]) -> Sequence[bool]:
        """Return which partitions may contain rows that pass, from their keys and the bounds of the axis."""
        return self._verdicts({name: field_zones(keys[name]) for name in self.bound.fields}, limits)

    def _verdicts(self, zones: dict[str, Zones], limits: Sequence[Any]) -> Sequence[bool]:
        """Return which partitions, or ranges of them, may contain rows that pass, from zones of the key fields and axis bounds."""
        axis = self.opened.axis_variable
        if axis is not None and axis in self.bound.variables and axis not in self.own.all_variables():
            zones[axis] = _zones_of_limits(limits, self.opened.schema.variables[axis])
        verdicts: Verdicts = self.bound.verdicts(zones, len(limits))
        passing: list[bool] = (verdicts != NEVER).tolist()
        return passing


def _is_current(path: str, rows: Rows, record: PartitionRecord | None, view: ViewPartitions | None) -> bool:
    """Return whether a partition, and the view's group of it, have not changed since rows were found in it."""
    part = rows.part(path)
    if part is None or record is None or part.stamp != record.stamp:
        return False
    return part.view_stamp is None or (view is not None and view.stamp(path) == part.view_stamp)


def _zones_of_limits(limits: Sequence[Any], variable: VariableSchema) -> Zones:
    """Return the bounds of the axis as zones, one per partition; the bounds do not cover missing values."""
    if not variable.has_order:
        return Zones.unknown()
    first, last, known = packing.split_pairs(limits)
    bounds = np.array([first, last])
    if bounds.dtype.kind not in "biuf":
        return Zones.unknown()
    smallest, largest = declared_values(bounds.astype(variable.stored_dtype), variable)
    missing = np.ones(len(limits), np.bool_)
    return Zones(smallest, largest, missing=missing, empty=~missing, known=np.array(known, np.bool_))


@frozen(kw_only=True, eq=False)
class SelectedPartitions:
    """The partitions of a snapshot that may contain the requested rows.

    Attributes
    ----------
    request
        The request.
    snapshot
        The snapshot.
    partitions
        The records of the partitions by path, in the order of their keys.
    view
        As for `Request.select`.
    """

    request: Request
    snapshot: Snapshot
    partitions: Mapping[str, PartitionRecord]
    view: ViewPartitions | None = None

    @property
    def label(self) -> Label:
        """The label of the version."""
        return self.snapshot.label

    @property
    def is_of_rows(self) -> bool:
        """Whether the request selects rows, rather than whole partitions."""
        return self.request.where is not None

    @cached_property
    def finder(self) -> Finder:
        """The finder of the requested rows in a partition."""
        opened, where = self.request.opened, self.request.where
        if isinstance(where, Rows):
            return KnownRows(
                {path: part.selected for path in self.partitions if (part := where.part(path)) is not None}
            )
        if where is None:
            return KnownRows({path: SelectedRows.all(record.rows) for path, record in self.partitions.items()})
        own = self.request.own.all_variables()
        rows = opened.configuration.rows_schema
        sources = [VariableSource(schema=rows.select(rows.all_variables().keys() - own.keys()) if own else rows)]
        if self.view is not None:
            sources.append(VariableSource(schema=self.request.own, objects=self.view.objects))
        return ConditionFinder(bound=self.request.bound, dimension=opened.dimension, sources=tuple(sources))

    def rows_plan(self, path: str) -> "RowsPlan":
        """Return the plan for reading the requested rows of one partition."""
        target, finder = self.target(path), self.finder
        return RowsPlan(
            opened=self.request.opened,
            path=path,
            record=self.partitions[path],
            target=target,
            finder=finder.only(target),
        )

    def target(self, path: str) -> Target:
        """Return a partition as the target of a finder."""
        record, opened = self.partitions[path], self.request.opened
        group = partition_groups.group_of(opened, path, record, self.snapshot.place(path))
        groups = (group,) if self.view is None else (group, self.view.group(path, record))
        return Target(rows=record.rows, key=record.key, groups=groups)

    def rows(self, found: Mapping[str, SelectedRows]) -> Rows:
        """Return the found rows of all partitions as a `Rows`."""
        where = self.request.where
        parts = {
            path: PartRows(
                key=record.key,
                stamp=record.stamp,
                total=record.rows,
                ranges=ranges_of(found[path]),
                view_stamp=self._view_stamp(path),
            )
            for path, record in self.partitions.items()
            if found[path].count
        }
        if where is None or isinstance(where, Rows):
            return Rows(version=self.snapshot.label, parts=parts)
        return Rows(version=self.snapshot.label, condition=where, filters=self.request.filters, parts=parts)

    def _view_stamp(self, path: str) -> str | None:
        where = self.request.where
        if isinstance(where, Rows):
            part = where.part(path)
            return None if part is None else part.view_stamp
        return self.view.stamp(path) if self.view is not None and where is not None and self.request.reads_own else None


@frozen(kw_only=True, eq=False)
class RowsPlan:
    """The plan for reading the requested rows of one partition: a small value that can be pickled.

    Attributes
    ----------
    opened
        The collection.
    path, record, target
        The partition.
    finder
        The finder of the rows.
    """

    opened: OpenCollection
    path: str
    record: PartitionRecord
    target: Target
    finder: Finder

    def reading(self, schema: DatasetSchema, immutable: Mapping[str, NDArray[Any]]) -> Work[Window]:
        """Return a window of the rows, with the variables of `schema` and the given immutable variables, without neighbouring rows."""
        found, rows = yield from self.finding(schema, immutable)
        return Window(rows, slice(0, found.count), found.count)

    def finding(
        self, schema: DatasetSchema, immutable: Mapping[str, NDArray[Any]]
    ) -> Work[tuple[SelectedRows, Dataset]]:
        """Return the positions of the rows, and the rows themselves.

        Raises
        ------
        ConflictError
            Another writer replaced the partition in the meantime, so that the values read may be inconsistent.
        """
        opened, (group,) = self.opened, self.target.groups
        try:
            found = yield from self.finder.finding(self.target)
            arrays = yield from self.of_rows(found, schema)
        except CorruptionError:
            yield from partition_groups.checking_current(opened, group, self.record)
            raise
        yield from partition_groups.checking_current(opened, group, self.record)
        # Each call of the user's function gets its own arrays, which it may change in place.
        copies = {name: values.copy() for name, values in immutable.items()}
        return found, partition_groups.dataset_of(schema, {**arrays, **copies})

    def of_rows(self, found: SelectedRows, schema: DatasetSchema) -> Work[Mapping[str, NDArray[Any]]]:
        """Return the partitioned variables of a schema, for the rows found."""
        source = VariableSource(schema=self.opened.part(schema, partitioned=True))
        (arrays,) = yield from RowReader(dimension=self.opened.dimension, sources=(source,)).reading(self.target, found)
        return arrays
