"""What is asked for: which partitions by their keys, and which of their rows."""

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
from zcollection.engine.select import ConditionFinder, Finder, Found, KnownRows, RowReader, Side, Target, field_zones
from zcollection.engine.work import Work
from zcollection.errors import CorruptionError, ExpressionError, OutdatedError, PluginError, SettingError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index import packing
from zcollection.transaction.index.partitions import ByName, Candidates, Partitions
from zcollection.transaction.index.segments import Limits
from zcollection.transaction.snapshot import Snapshot

Where = str | Condition | Rows | None
"""Which rows: a condition, or rows that were found; None for all."""


class BesideView(ABC):
    """What a view holds beside the partitions of a version of its base.

    Attributes
    ----------
    objects
        Where.
    """

    objects: Objects

    @abstractmethod
    def group(self, path: str, record: PartitionRecord) -> GroupRead:
        """Return where to read what the view holds of a partition; of one that is not current, nothing."""

    @abstractmethod
    def stamp(self, path: str) -> str:
        """Return the generation of what the view holds of a partition."""


Beside = BesideView | None


@frozen(kw_only=True)
class Asked:
    """Rows that are asked for, at whichever version.

    Attributes
    ----------
    opened
        The collection.
    filters
        Which partitions.
    where
        Which rows; None for all.
    own
        The variables of a view, which a condition may read besides those of the collection.
    """

    opened: OpenCollection
    filters: Filter
    where: Condition | Rows | None
    own: DatasetSchema = field(factory=DatasetSchema)

    @classmethod
    def of(cls, opened: OpenCollection, filters: Filter, where: Where, own: DatasetSchema | None = None) -> "Asked":
        """Return what is asked of a collection; a condition is understood at once, or refused.

        Raises
        ------
        SettingError
            `where` is neither a condition nor rows.
        ExpressionError
            The condition cannot be understood, or does not fit the schema.
        """
        asked = cls(opened=opened, filters=filters, where=as_where(where), own=own or DatasetSchema())
        if isinstance(asked.where, Condition):
            _ = asked.bound
        return asked

    def check_halo(self, halo: Halo) -> None:
        """Raise `SettingError` where neighbouring rows are wanted of some rows of a partition."""
        if halo and self.where is not None:
            message = "depth with where: rows that are asked for have no neighbours; accepted: depth=0, or filters in place of where"
            raise SettingError(message)

    @cached_property
    def bound(self) -> Bound:
        """The condition, bound to the schema."""
        condition = self.where.condition if isinstance(self.where, Rows) else self.where
        assert condition is not None  # noqa: S101 - who asks knows that there is one
        schema, own = self.opened.schema, self.own.all_variables()
        whole = schema.with_variables(own) if own else schema
        return condition.bound(whole, self.opened.dimension, self._fields)

    @property
    def reads_own(self) -> bool:
        """Whether the condition reads variables of the view."""
        return not self.own.all_variables().keys().isdisjoint(self.bound.variables)

    @property
    def _fields(self) -> Sequence[str]:
        """The fields of the keys; none where the plugin that knows them is missing: a collection reads without it."""
        try:
            return [item.name for item in self.opened.partitioning.fields]
        except PluginError:
            return []

    @cached_property
    def candidates(self) -> Candidates:
        """The partitions that a snapshot has to know for `chosen`."""
        if not isinstance(self.where, Rows):
            return key_selection.passing(self.opened, self.filters, None if self.where is None else self._may_hold)
        rows = self.where
        if rows.condition is None:
            return rows.partitions
        again = evolve(self, where=rows.condition, filters=rows.filters)
        return key_selection.passing(self.opened, again.filters, again._may_hold, rows.partitions)  # noqa: SLF001 - of its own class

    async def snapshot(self) -> Snapshot:
        """Return which partitions there are now of those that are asked for."""
        return await self.opened.snapshot(self.candidates)

    async def chosen(self, taken: Snapshot, beside: Beside = None) -> "Chosen":
        """Return the partitions of a version in which such rows may be.

        Parameters
        ----------
        taken
            The version; of `snapshot`, or one that knows more.
        beside
            What a view holds beside; None for a collection alone.
        """
        if callable(self.filters):
            return await in_thread(self.chosen_at_once, taken, beside)
        return self.chosen_at_once(taken, beside)

    def chosen_at_once(self, taken: Snapshot, beside: Beside = None) -> "Chosen":
        """Return the same, on this thread.

        Raises
        ------
        OutdatedError
            Rows that were found belong to partitions that have changed since, and nobody knows how to find them again.
        """
        if isinstance(self.where, Rows):
            return self._chosen_rows(taken, self.where, beside)
        narrow = None if self.where is None else self._may_pass
        partitions = key_selection.where(self.opened, taken, self.filters, narrow, self.candidates)
        return Chosen(asked=self, taken=taken, partitions=partitions, beside=beside)

    def _chosen_rows(self, taken: Snapshot, rows: Rows, beside: Beside) -> "Chosen":
        records = {path: taken.record(path) for path in rows.partitions}
        changed = [path for path in records if not _is_current(path, rows, records[path], beside)]
        if not changed:
            there = {path: record for path, record in records.items() if record is not None}
            return Chosen(asked=self, taken=taken, partitions=self._passing(there), beside=beside)
        if rows.condition is None:
            message = (
                f"{len(changed)} of the partitions whose rows were found at version {rows.version} of {self.opened.store.url} have "
                f"changed since, {changed[0]!r} among them; find the rows again"
            )
            raise OutdatedError(message)
        again = evolve(self, where=rows.condition, filters=rows.filters).chosen_at_once(taken, beside)
        return evolve(again, partitions=self._passing(again.partitions))

    def _passing(self, partitions: Mapping[str, PartitionRecord]) -> Mapping[str, PartitionRecord]:
        """Return those of some partitions that pass the filter."""
        if self.filters is None:
            return partitions
        select = compile_filter(self.filters, [item.name for item in self.opened.partitioning.fields])
        return Partitions(partitions).where(select)

    def _may_hold(self, limits: Limits) -> Sequence[bool]:
        """Return which stretches of partitions may have rows that pass."""
        fields = {name: zones_of(limits.smallest[name], limits.largest[name]) for name in limits.smallest}
        if not fields.keys() >= {*self.bound.fields}:
            return [True] * len(limits)  # partitioned anew meanwhile, which is seen next
        try:
            return self._verdicts({name: fields[name] for name in self.bound.fields}, limits.axis)
        except ExpressionError:
            return [True] * len(limits)  # the error names the partition to which it does not apply

    def _may_pass(self, keys: ByName, limits: Sequence[Any]) -> Sequence[bool]:
        """Return from keys and limits which partitions may have rows that pass."""
        return self._verdicts({name: field_zones(keys[name]) for name in self.bound.fields}, limits)

    def _verdicts(self, zones: dict[str, Zones], limits: Sequence[Any]) -> Sequence[bool]:
        """Return the same from zones of fields and limits of the axis."""
        axis = self.opened.axis_variable
        if axis is not None and axis in self.bound.variables and axis not in self.own.all_variables():
            zones[axis] = _zones_of_limits(limits, self.opened.schema.variables[axis])
        verdicts: Verdicts = self.bound.verdicts(zones, len(limits))
        passing: list[bool] = (verdicts != NEVER).tolist()
        return passing


def _is_current(path: str, rows: Rows, record: PartitionRecord | None, beside: Beside) -> bool:
    """Return whether a partition, and what a view holds of it, is as it was when rows of it were found."""
    part = rows.part(path)
    if part is None or record is None or part.stamp != record.stamp:
        return False
    return part.beside is None or (beside is not None and beside.stamp(path) == part.beside)


def _zones_of_limits(limits: Sequence[Any], variable: VariableSchema) -> Zones:
    """Return what the limits of the axis say of partitions; they leave out what is missing."""
    if not variable.has_order:
        return Zones.unknown()
    first, last, there = packing.split_pairs(limits)
    bounds = np.array([first, last])
    if bounds.dtype.kind not in "biuf":
        return Zones.unknown()
    smallest, largest = declared_values(bounds.astype(variable.stored_dtype), variable)
    missing = np.ones(len(limits), np.bool_)
    return Zones(smallest, largest, missing=missing, empty=~missing, known=np.array(there, np.bool_))


@frozen(kw_only=True, eq=False)
class Chosen:
    """Partitions of a version in which the rows are that are asked for.

    Attributes
    ----------
    asked
        What.
    taken
        The version.
    partitions
        By path, in the order of their keys.
    beside
        As for `Asked.chosen`.
    """

    asked: Asked
    taken: Snapshot
    partitions: Mapping[str, PartitionRecord]
    beside: Beside = None

    @property
    def is_of_rows(self) -> bool:
        """Whether some of their rows are asked for, and not all."""
        return self.asked.where is not None

    @cached_property
    def finder(self) -> Finder:
        """What finds the rows."""
        opened, where = self.asked.opened, self.asked.where
        if isinstance(where, Rows):
            return KnownRows({path: part.found for path in self.partitions if (part := where.part(path)) is not None})
        if where is None:
            return KnownRows({path: Found.all(record.rows) for path, record in self.partitions.items()})
        own = self.asked.own.all_variables()
        rows = opened.configuration.rows_schema
        sides = [Side(schema=rows.select(rows.all_variables().keys() - own.keys()) if own else rows)]
        if self.beside is not None:
            sides.append(Side(schema=self.asked.own, objects=self.beside.objects))
        return ConditionFinder(bound=self.asked.bound, dimension=opened.dimension, sides=tuple(sides))

    def alone(self, path: str) -> "RowsPlan":
        """Return what is to be known of one partition to read the rows that are asked for."""
        target, finder = self.target(path), self.finder
        return RowsPlan(
            opened=self.asked.opened,
            path=path,
            record=self.partitions[path],
            target=target,
            finder=finder.only(target),
        )

    def target(self, path: str) -> Target:
        """Return a partition as what rows are looked for in."""
        record, opened = self.partitions[path], self.asked.opened
        group = partition_groups.group_of(opened, path, record, self.taken.place(path))
        groups = (group,) if self.beside is None else (group, self.beside.group(path, record))
        return Target(rows=record.rows, key=record.key, groups=groups)

    def rows(self, found: Mapping[str, Found]) -> Rows:
        """Return the rows that were found in partitions."""
        where = self.asked.where
        parts = {
            path: PartRows(
                key=record.key,
                stamp=record.stamp,
                total=record.rows,
                ranges=ranges_of(found[path]),
                beside=self._beside(path),
            )
            for path, record in self.partitions.items()
            if found[path].count
        }
        if where is None or isinstance(where, Rows):
            return Rows(version=self.taken.label, parts=parts)
        return Rows(version=self.taken.label, condition=where, filters=self.asked.filters, parts=parts)

    def _beside(self, path: str) -> str | None:
        where = self.asked.where
        if isinstance(where, Rows):
            part = where.part(path)
            return None if part is None else part.beside
        return (
            self.beside.stamp(path) if self.beside is not None and where is not None and self.asked.reads_own else None
        )


@frozen(kw_only=True, eq=False)
class RowsPlan:
    """Rows of one partition that are asked for, to be read: a small value that pickles.

    Attributes
    ----------
    opened
        The collection.
    path, record, target
        The partition.
    finder
        What finds the rows.
    """

    opened: OpenCollection
    path: str
    record: PartitionRecord
    target: Target
    finder: Finder

    def reading(self, schema: DatasetSchema, fixed: Mapping[str, NDArray[Any]]) -> Work[Window]:
        """Return the rows, with the variables of `schema` and those that were read before; they have no neighbours."""
        found, rows = yield from self.finding(schema, fixed)
        return Window(rows, slice(0, found.count), found.count)

    def finding(self, schema: DatasetSchema, fixed: Mapping[str, NDArray[Any]]) -> Work[tuple[Found, Dataset]]:
        """Return where the rows are, and the same.

        Raises
        ------
        ConflictError
            Another writer replaced the partition meanwhile: what was read may be a mixture, and nobody sees it.
        """
        opened, (group,) = self.opened, self.target.groups
        try:
            found = yield from self.finder.finding(self.target)
            arrays = yield from self.of_rows(found, schema)
        except CorruptionError:
            yield from partition_groups.checking_current(opened, group, self.record)
            raise
        yield from partition_groups.checking_current(opened, group, self.record)
        # Every call of a function gets arrays of its own, to change as it likes.
        copies = {name: values.copy() for name, values in fixed.items()}
        return found, partition_groups.dataset_of(schema, {**arrays, **copies})

    def of_rows(self, found: Found, schema: DatasetSchema) -> Work[Mapping[str, NDArray[Any]]]:
        """Return the variables of a schema that span the partitioned dimension, of rows that were found."""
        side = Side(schema=self.opened.part(schema, partitioned=True))
        (arrays,) = yield from RowReader(dimension=self.opened.dimension, sides=(side,)).reading(self.target, found)
        return arrays
