"""A snapshot of a view together with a snapshot of its base, from which the rows of both are read."""

from collections.abc import Iterable
from functools import cached_property
from typing import Self

from attrs import field, frozen

from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.read.request import ViewPartitions
from zcollection.contracts.objects import Objects
from zcollection.engine.read import GroupRead
from zcollection.errors import StaleError
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.open_view import OpenView
from zcollection.view.staleness import Staleness, ViewStatus


@frozen
class ViewSnapshot(ViewPartitions):
    """A snapshot of a view, and a snapshot of its base.

    Attributes
    ----------
    opened
        The view.
    own, base
        The snapshots of the view's own store, and of the base.
    """

    opened: OpenView
    own: Snapshot
    base: Snapshot
    _current: dict[str, bool] = field(factory=dict, eq=False, init=False, repr=False)

    @classmethod
    async def newest(cls, opened: OpenView) -> Self:
        """Return the newest snapshots."""
        # In this order, so that partitions refreshed in between do not look stale.
        own = await opened.own.snapshot()
        return cls(opened, own, await opened.base.snapshot())

    async def is_outdated(self) -> bool:
        """Return whether a newer version of the view or of its base may have been committed."""
        return await self.opened.base.is_outdated(self.base) or await self.opened.own.is_outdated(self.own)

    @cached_property
    def staleness(self) -> Staleness:
        """The check of which partitions are current."""
        return Staleness(self.opened, self.base)

    @property
    def objects(self) -> Objects:  # type: ignore[override]  # only read
        """The objects of the view's store."""
        return self.own.objects

    def group(self, path: str, record: PartitionRecord) -> GroupRead:
        """Return the view's group of a partition, to be read; if it is not current, it has no variables, and reads as fill values."""
        place = self.own.place(path)
        if self.is_current(path):
            return partition_groups.group_of(self.opened.own, path, self.own.record(path), place)
        return GroupRead(
            path=path, prefix=place.prefix, document=place.document, rows=record.rows, schema=DatasetSchema()
        )

    def stamp(self, path: str) -> str:
        """Return the stamp of the view's group of a partition; "" if it is not current."""
        record = self.own.record(path)
        return record.stamp if record is not None and self.is_current(path) else ""

    def is_current(self, path: str) -> bool:
        """Return whether the view's group was computed from the current rows of a partition."""
        if path not in self._current:
            self._current[path] = self.staleness.is_current(path, self.own.record(path))
        return self._current[path]

    async def status(self, filters: Filter) -> ViewStatus:
        """Return the state of the partitions of the view that pass a filter."""
        partitions = await key_selection.select(self.opened.base, self.base, filters)
        if not self.opened.splits_as_base:
            return ViewStatus(current=(), stale=(), missing=tuple(partitions), orphaned=tuple(self.own.partitions))
        stored = await key_selection.select(self.opened.own, self.own, filters)
        current = set(filter(self.is_current, partitions))
        return ViewStatus(
            current=tuple(path for path in partitions if path in current),
            stale=tuple(path for path in partitions if path in stored and path not in current),
            missing=tuple(path for path in partitions if path not in stored),
            orphaned=tuple(path for path in stored if self.base.record(path) is None),
        )

    def check_current(self, partitions: Iterable[str]) -> None:
        """Raise `StaleError` if a partition is not current in the view."""
        paths = [path for path in partitions if not self.is_current(path)]
        if not paths:
            return
        advice = "refresh()" if self.opened.definition.computations else "update(function)"
        message = (
            f"{len(paths)} partitions of the view {self.opened.own.store.url} are not current, {paths[0]!r} among them: they were not "
            f"computed from the current rows of its base; call {advice}, or query with stale='fill'"
        )
        raise StaleError(message)


async def status(opened: OpenView, *, filters: Filter) -> ViewStatus:
    """Return the state of the partitions of a view; see `View.status`."""
    return await (await ViewSnapshot.newest(opened)).status(filters)
