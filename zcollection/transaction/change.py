"""A change of several partitions: what the verbs of a collection ask of it, however the store commits."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache, partial
from typing import Final

from attrs import define, evolve, field, frozen

from zcollection.contracts.store import Objects, Read
from zcollection.engine.layout import group_document
from zcollection.engine.work import Work
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite
from zcollection.errors import CorruptionError
from zcollection.model.documents import parse_json
from zcollection.transaction.documents import Configuration, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

_BATCH: Final = 256
"""Objects that a copy holds in memory at once."""


def _new_id() -> str:
    return uuid.uuid4().hex


@frozen(kw_only=True)
class StagedPartition:
    """A complete partition that nobody sees yet: a small value, which pickles.

    Attributes
    ----------
    path
        Where it is to lie.
    prefix
        Where it lies now.
    record
        What it says of itself.
    """

    path: str
    prefix: str
    record: PartitionRecord


@frozen(kw_only=True)
class Stage(ABC):
    """Where the partitions of one change are written before they are committed.

    A small value that pickles: any process may write a partition, and the one that holds the transaction adds it.

    Attributes
    ----------
    objects
        What to write to, and to read the partitions from that the change is made from.
    transaction
        Id of the transaction, which is the stamp of every partition.
    """

    objects: Objects
    transaction: str

    @abstractmethod
    def prefix(self, path: str) -> str:
        """Return the prefix under which a partition is written."""

    @abstractmethod
    def writing(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition.

        Parameters
        ----------
        path
            Where it is to lie.
        group
            The arrays to write.
        record
            What the partition says of itself; the transaction's id and the size are added here.
        """

    async def copy(self, path: str, source: Objects, place: str, record: PartitionRecord) -> StagedPartition:
        """Write a partition as it lies elsewhere, object by object.

        Parameters
        ----------
        path
            Where it is to lie.
        source, place
            The objects, and the prefix of the partition among them.
        record
            What the partition says of itself there.
        """
        prefix, stamped = self.prefix(path), self._complete(record, record.stored_bytes)
        keys = [entry.key async for entry in source.list(place, recursive=True)]
        keys.sort(key=lambda key: not key.endswith(GROUP_DOCUMENT))  # arrays before their chunks
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            contents = zip(batch, await source.get([Read(key) for key in batch]), strict=True)
            objects = {prefix + key.removeprefix(place): data for key, data in contents if data is not None}
            await self.objects.stage(objects)
        await self.objects.put({f"{prefix}{GROUP_DOCUMENT}": await self._restamped(prefix, stamped)})
        return StagedPartition(path=path, prefix=prefix, record=stamped)

    async def _restamped(self, prefix: str, record: PartitionRecord) -> bytes:
        """Return a group's document with another record."""
        (data,) = await self.objects.get([Read(f"{prefix}{GROUP_DOCUMENT}")])
        if data is None:
            message = f"the group document of partition {prefix.rstrip('/')!r} is missing; verify what is copied"
            raise CorruptionError(message)
        attributes = parse_json(data, what=f"the group document {prefix}{GROUP_DOCUMENT}").get("attributes", {})
        return group_document({**attributes, **record.to_attribute()})

    def _stamped(
        self, group: GroupWrite, record: PartitionRecord
    ) -> tuple[GroupWrite, Callable[[int], PartitionRecord]]:
        """Return a group whose document says what the partition says of itself, and that for the size it turns out to have."""
        attributes, complete = group.attributes, cache(partial(self._complete, record))
        stamped = evolve(group, attributes=lambda size: {**attributes(size), **complete(size).to_attribute()})
        return stamped, complete

    def _complete(self, record: PartitionRecord, size: int) -> PartitionRecord:
        return evolve(record, stamp=self.transaction, stored_bytes=size)


@define(kw_only=True)
class Transaction(ABC):
    """One change of a collection, on top of the snapshot that it read.

    Attributes
    ----------
    configuration
        Of the collection.
    base
        What the change is made from.
    operation
        What it does, such as "insert".
    id
        Stamp of every partition that it writes.
    replacement
        Configuration of a new collection that takes the place of this one.
    growth
        Configuration of this collection with a variable added or dropped.
    """

    configuration: Configuration
    base: Snapshot
    operation: str
    id: str = field(factory=_new_id)
    replacement: Configuration | None = None
    growth: Configuration | None = None
    _written: dict[str, PartitionRecord] = field(factory=dict, init=False)
    _dropped: set[str] = field(factory=set, init=False)
    _read: set[str] = field(factory=set, init=False)
    _watched: list[Callable[[PartitionRecord], bool]] = field(factory=list, init=False)

    @property
    @abstractmethod
    def stage(self) -> Stage:
        """Where its partitions are written."""

    def reads(self, path: str) -> None:
        """Say that the change depends on what a partition holds, or on its absence."""
        self._read.add(path)

    def watch(self, concerns: Callable[[PartitionRecord], bool]) -> None:
        """Say that the change depends on which partitions there are: `concerns` tells those of which one more matters."""
        self._watched.append(concerns)

    def _depends_on(self, path: str, record: PartitionRecord | None) -> bool:
        """Return whether the change depends on a partition that another writer has left as a record says."""
        return path in self._read or (record is not None and any(concerns(record) for concerns in self._watched))

    def add(self, staged: StagedPartition) -> None:
        """Make a partition that has been staged part of the change."""
        self._written[staged.path] = staged.record
        self._dropped.discard(staged.path)

    def drop(self, path: str) -> None:
        """Take a partition away."""
        self.reads(path)
        self._dropped.add(path)

    @abstractmethod
    async def commit(self) -> None:
        """Make the change one version: readers see all of it or, should anything fail, nothing.

        Raises
        ------
        ConflictError
            Another writer changed a partition that this change was made from; nothing was written.
        CommitStateUnknownError
            The store did not say whether the change was committed.

        Warns
        -----
        PublicationWarning
            The change is committed, and could not be put in its place; the next writer completes it.
        """
