"""The transaction that changes several partitions: the interface that the operations of a collection use on every store."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import time_ns
from typing import Final

from attrs import define, evolve, field, frozen

from zcollection.contracts.objects import Listed, Objects, Read
from zcollection.engine.jobs import Site
from zcollection.engine.layout import group_document
from zcollection.engine.statistics import STATISTICS, owner_of, with_owner
from zcollection.engine.work import Share, Work, enumerated, fetch
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, Put, staged
from zcollection.errors import CorruptionError
from zcollection.model.documents import LARGEST_DOCUMENT, parse_json
from zcollection.transaction.documents import Configuration, PartitionRecord
from zcollection.transaction.places import Place
from zcollection.transaction.reports import Label
from zcollection.transaction.snapshot import Snapshot

_MOST_OBJECTS: Final = 256
_MOST_BYTES: Final = 16 * 2**20
"""Limits of what a copy reads into memory at once; one object may be larger."""


def new_id() -> str:
    """Return a new unique id."""
    return uuid.uuid4().hex


@frozen(kw_only=True)
class StagedPartition:
    """A complete partition that is written and not yet committed; a small value that pickles.

    Attributes
    ----------
    path
        Path under which the partition is published.
    prefix
        Prefix under which the partition is staged.
    record
        The record of the partition.
    attempt
        Id of the attempt that wrote it, if a job may run several times; otherwise empty.
    in_place
        Whether all objects except the group document are already stored under `path`.
    keys
        Keys of all its objects, if they are few and each was written rather than copied; otherwise empty.
    """

    path: str
    prefix: str
    record: PartitionRecord
    attempt: str = ""
    in_place: bool = False
    keys: tuple[str, ...] = ()


@frozen(kw_only=True)
class Stage(Site):
    """The staging area of one change, where its partitions are written before they are committed.

    A small value that pickles: any process may write a partition, and the process with the transaction adds it.

    Attributes
    ----------
    objects
        The objects to write to, and from which the change reads existing partitions.
    transaction
        Id of the transaction, which is the stamp of every partition.
    time
        Start of the transaction, in milliseconds since 1970; it is recorded as the time of the rows that it writes.
    """

    objects: Objects
    transaction: str
    time: int

    @abstractmethod
    def prefix(self, path: str) -> str:
        """Return the prefix under which a partition is written."""

    @abstractmethod
    def writing(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition.

        Parameters
        ----------
        path
            Path under which the partition is published.
        group
            The arrays to write.
        record
            The record of the partition; this method adds the transaction's id and the size.
        """

    def copying(self, path: str, source: Objects, place: Place, record: PartitionRecord) -> Work[StagedPartition]:
        """Copy a partition from another place, object by object.

        Parameters
        ----------
        path
            Path under which the copy is published.
        source, place
            The objects to read from, and the place of the partition among them.
        record
            The record of the source partition.
        """
        prefix, stamped = self.prefix(path), self._complete(record, record.stored_bytes)
        yield from self._copying(path, source, place, record, prefix=prefix, put=staged)
        return self._staged(path, stamped)

    def _copying(
        self, path: str, source: Objects, place: Place, record: PartitionRecord, *, prefix: str, put: Put
    ) -> Work[None]:
        """Copy the objects stored at a place to a prefix, documents first, with this transaction's stamp."""
        entries = yield from enumerated(place.prefix, source)
        for entry in entries:
            _check_size(entry, record)
        to_copy = sorted(
            (entry for entry in entries if entry.key != place.document),
            key=lambda entry: (not entry.key.endswith(f"/{GROUP_DOCUMENT}"), entry.key),
        )
        if source == self.objects and put is staged:
            shared = [entry.key for entry in to_copy if not entry.key.endswith(f"/{STATISTICS}")]
            to_copy = [entry for entry in to_copy if entry.key.endswith(f"/{STATISTICS}")]
            yield Share([(key, prefix + key.removeprefix(place.prefix)) for key in shared])
        for batch in _batches(to_copy):
            contents = yield from fetch([Read(key) for key in batch], source)
            keys = [prefix + key.removeprefix(place.prefix) for key in batch]
            copies = {key: self._copied(key, data, path, record) for key, data in zip(keys, contents, strict=True)}
            yield from put({key: data for key, data in copies.items() if data is not None})
        (document,) = yield from fetch([Read(place.document)], source)
        if document is not None:
            stamped = self._complete(record, record.stored_bytes)
            yield from put({f"{prefix}{GROUP_DOCUMENT}": self._restamped(document, prefix, stamped)})

    def _copied(self, key: str, data: bytes | None, path: str, record: PartitionRecord) -> bytes | None:
        """Return the bytes to write for an object; statistics get the copy as their owner; None if they belong to another generation."""
        if data is None or not key.endswith(f"/{STATISTICS}"):
            return data
        return with_owner(data, owner_of(path, record.stamp), owner_of(path, self.transaction))

    @staticmethod
    def _restamped(document: bytes, prefix: str, record: PartitionRecord) -> bytes:
        """Return a group document with its record replaced."""
        attributes = parse_json(document, what=f"the group document {prefix}{GROUP_DOCUMENT}").get("attributes", {})
        return group_document({**attributes, **record.to_attribute()})

    def _staged(self, path: str, record: PartitionRecord) -> StagedPartition:
        return StagedPartition(path=path, prefix=self.prefix(path), record=record)

    def _stamped(
        self, path: str, group: GroupWrite, record: PartitionRecord
    ) -> tuple[GroupWrite, Callable[[int], PartitionRecord]]:
        """Return a group whose document contains the partition's record, and the function that completes the record by its size."""
        made: dict[int, PartitionRecord] = {}

        def complete(size: int) -> PartitionRecord:
            if size not in made:  # called twice: for the document, and by the caller
                made[size] = self._complete(record, size)
            return made[size]

        stamped = evolve(
            group,
            attributes=lambda size: {**group.attributes(size), **complete(size).to_attribute()},
            owner=owner_of(path, self.transaction),
            time=self.time,
        )
        return stamped, complete

    def _complete(self, record: PartitionRecord, size: int) -> PartitionRecord:
        return evolve(record, stamp=self.transaction, stored_bytes=size)


def _check_size(entry: Listed, record: PartitionRecord) -> None:
    """Raise `CorruptionError` if one object is larger than the recorded size of its partition, before it is read."""
    if entry.size > max(record.stored_bytes, LARGEST_DOCUMENT):
        message = (
            f"the object {entry.key!r} has {entry.size} bytes, but its partition is recorded with {record.stored_bytes}; call "
            f"verify() on the collection that is copied"
        )
        raise CorruptionError(message)


def _batches(entries: Sequence[Listed]) -> Iterator[list[str]]:
    """Yield the keys of objects in batches of limited size."""
    batch: list[str] = []
    size = 0
    for entry in entries:
        if batch and (size + entry.size > _MOST_BYTES or len(batch) == _MOST_OBJECTS):
            yield batch
            batch, size = [], 0
        batch.append(entry.key)
        size += entry.size
    if batch:
        yield batch


@define(kw_only=True)
class Transaction(ABC):
    """One change of a collection, based on the snapshot that it read.

    Attributes
    ----------
    configuration
        The configuration of the collection.
    base
        The snapshot on which the change is based.
    operation
        What the change does, such as "insert".
    id
        Id of the transaction: the stamp of every partition that it writes.
    time
        Start of the transaction by this process's clock, in milliseconds since 1970.
    replacement
        Configuration of a new collection that replaces this one.
    reconfiguration
        New configuration of this collection, with another schema, partitioning or retention.
    source
        Name of the inserted source; a source is inserted only once.
    restored
        The version that the change restores (rollback).
    """

    configuration: Configuration
    base: Snapshot
    operation: str
    id: str = field(factory=new_id)
    time: int = field(factory=lambda: time_ns() // 10**6)
    replacement: Configuration | None = None
    reconfiguration: Configuration | None = None
    source: str | None = None
    restored: Label | None = None
    _written: dict[str, PartitionRecord] = field(factory=dict, init=False)
    _dropped: set[str] = field(factory=set, init=False)
    _read: set[str] = field(factory=set, init=False)
    _watched: list[Callable[[PartitionRecord], bool]] = field(factory=list, init=False)

    @property
    @abstractmethod
    def stage(self) -> Stage:
        """The staging area to which the partitions of the change are written."""

    def reads(self, path: str) -> None:
        """Declare that the change depends on the content of a partition, or on its absence."""
        self._read.add(path)

    def watch(self, affects: Callable[[PartitionRecord], bool]) -> None:
        """Declare that the change conflicts with every partition that another writer writes and `affects` accepts."""
        self._watched.append(affects)

    def _depends_on(self, path: str, record: PartitionRecord | None) -> bool:
        """Return whether the change depends on a partition that another writer has changed; `record` is the new record."""
        return path in self._read or (record is not None and any(affects(record) for affects in self._watched))

    async def expect(self, paths: Iterable[str]) -> None:
        """Declare which partitions are about to be written; stores that publish by copying write new ones in place."""
        del paths  # most stores publish without copying

    async def resumed(self, digests: Mapping[str, str]) -> Mapping[str, Place]:
        """Declare a digest of the inputs of each partition, and return where an earlier attempt staged these partitions, by path.

        The staged partitions may be incomplete, or may be removed at any time.
        """
        del digests
        return {}  # a transactional store shows no uncommitted data

    def keep(self) -> None:
        """Keep the staged partitions for another attempt if this transaction is not committed."""
        return  # as above

    def add(self, partition: StagedPartition) -> None:
        """Add a staged partition to the change."""
        self._written[partition.path] = partition.record
        self._dropped.discard(partition.path)

    def add_all(self, partitions: Iterable[StagedPartition]) -> None:
        """Add staged partitions to the change."""
        for partition in partitions:
            self.add(partition)

    def drop(self, path: str) -> None:
        """Drop a partition with this change."""
        self._dropped.add(path)
        self.reads(path)

    @abstractmethod
    async def commit(self) -> None:
        """Commit the change as one version: readers see all of it or, if anything fails, nothing.

        Raises
        ------
        ConflictError
            Another writer changed a partition on which this change depends; nothing was written.
        CommitStateUnknownError
            The store did not report whether the change was committed.

        Warns
        -----
        PublicationWarning
            The change is committed but could not be published; the next writer completes it.
        """
