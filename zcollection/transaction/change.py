"""A change of several partitions: what the verbs of a collection ask of it, however the store commits."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import time_ns
from typing import Final

from attrs import define, evolve, field, frozen

from zcollection.contracts.objects import Listed, Objects, Read
from zcollection.engine.jobs import Site
from zcollection.engine.layout import group_document
from zcollection.engine.statistics import STATISTICS, given_to, owner_of
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
"""What a copy holds in memory at once, unless one object is larger."""


def new_id() -> str:
    """Return an id that nobody else has."""
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
    attempt
        Id of the attempt that wrote it, where there may have been several.
    in_place
        Whether all but its document lies where it is to lie.
    keys
        Keys of all its objects, where they are few and each was written: none is a copy of another one.
    """

    path: str
    prefix: str
    record: PartitionRecord
    attempt: str = ""
    in_place: bool = False
    keys: tuple[str, ...] = ()


@frozen(kw_only=True)
class Stage(Site):
    """Where the partitions of one change are written before they are committed.

    A small value that pickles: any process may write a partition, and the one that holds the transaction adds it.

    Attributes
    ----------
    objects
        What to write to, and to read the partitions from that the change is made from.
    transaction
        Id of the transaction, which is the stamp of every partition.
    time
        When it began, in milliseconds since 1970: what is kept of rows that it brings.
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
            Where it is to lie.
        group
            The arrays to write.
        record
            What the partition says of itself; the transaction's id and the size are added here.
        """

    def copying(self, path: str, source: Objects, place: Place, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition as it lies elsewhere, object by object.

        Parameters
        ----------
        path
            Where it is to lie.
        source, place
            The objects, and where the partition lies among them.
        record
            What the partition says of itself there.
        """
        prefix, stamped = self.prefix(path), self._complete(record, record.stored_bytes)
        yield from self._copying(path, source, place, record, prefix=prefix, put=staged)
        return self._staged(path, stamped)

    def _copying(
        self, path: str, source: Objects, place: Place, record: PartitionRecord, *, prefix: str, put: Put
    ) -> Work[None]:
        """Write the objects that lie at a place, documents first, under a prefix, with this transaction's stamp."""
        entries = yield from enumerated(place.prefix, source)
        for entry in entries:
            _check_size(entry, record)
        others = sorted(
            (entry for entry in entries if entry.key != place.document),
            key=lambda entry: (not entry.key.endswith(f"/{GROUP_DOCUMENT}"), entry.key),
        )
        if source == self.objects and put is staged:
            shared = [entry.key for entry in others if not entry.key.endswith(f"/{STATISTICS}")]
            others = [entry for entry in others if entry.key.endswith(f"/{STATISTICS}")]
            yield Share([(key, prefix + key.removeprefix(place.prefix)) for key in shared])
        for batch in _batches(others):
            contents = yield from fetch([Read(key) for key in batch], source)
            keys = [prefix + key.removeprefix(place.prefix) for key in batch]
            copies = {key: self._copied(key, data, path, record) for key, data in zip(keys, contents, strict=True)}
            yield from put({key: data for key, data in copies.items() if data is not None})
        (document,) = yield from fetch([Read(place.document)], source)
        if document is not None:
            stamped = self._complete(record, record.stored_bytes)
            yield from put({f"{prefix}{GROUP_DOCUMENT}": self._restamped(document, prefix, stamped)})

    def _copied(self, key: str, data: bytes | None, path: str, record: PartitionRecord) -> bytes | None:
        """Return an object as it is copied: statistics as those of the copy, unless they are of another generation."""
        if data is None or not key.endswith(f"/{STATISTICS}"):
            return data
        return given_to(data, owner_of(path, record.stamp), owner_of(path, self.transaction))

    @staticmethod
    def _restamped(document: bytes, prefix: str, record: PartitionRecord) -> bytes:
        """Return a group's document with another record."""
        attributes = parse_json(document, what=f"the group document {prefix}{GROUP_DOCUMENT}").get("attributes", {})
        return group_document({**attributes, **record.to_attribute()})

    def _staged(self, path: str, record: PartitionRecord) -> StagedPartition:
        return StagedPartition(path=path, prefix=self.prefix(path), record=record)

    def _stamped(
        self, path: str, group: GroupWrite, record: PartitionRecord
    ) -> tuple[GroupWrite, Callable[[int], PartitionRecord]]:
        """Return a group whose document says what the partition says of itself, and that for the size it turns out to have."""
        made: dict[int, PartitionRecord] = {}

        def complete(size: int) -> PartitionRecord:
            if size not in made:  # asked twice: for the document, and for who commits it
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
    """Raise `CorruptionError` where an object alone is larger than the partition is said to be: none of it is read."""
    if entry.size > max(record.stored_bytes, LARGEST_DOCUMENT):
        message = (
            f"the object {entry.key!r} has {entry.size} bytes, and its partition is said to have {record.stored_bytes}; call "
            f"verify() on the collection that is copied"
        )
        raise CorruptionError(message)


def _batches(entries: Sequence[Listed]) -> Iterator[list[str]]:
    """Yield the keys of objects, a few at a time."""
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
    time
        When it began, by this process's clock, in milliseconds since 1970.
    replacement
        Configuration of a new collection that takes the place of this one.
    growth
        Configuration of this collection with another schema or another partitioning.
    source
        Name of what is inserted, for it to be inserted once.
    restored
        The version that the change puts back.
    """

    configuration: Configuration
    base: Snapshot
    operation: str
    id: str = field(factory=new_id)
    time: int = field(factory=lambda: time_ns() // 10**6)
    replacement: Configuration | None = None
    growth: Configuration | None = None
    source: str | None = None
    restored: Label | None = None
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

    async def expect(self, paths: Iterable[str]) -> None:
        """Say which partitions are about to be written: where publishing copies, new ones are written in their place."""
        del paths  # most stores publish without copying

    async def resumed(self, digests: Mapping[str, str]) -> Mapping[str, Place]:
        """Say what each partition is about to be made from, and return where another attempt has staged the same, by path.

        Nobody says that what lies there is whole, or that it will be there in a moment.
        """
        del digests
        return {}  # where a store commits by itself nobody sees what was not committed

    def keep(self) -> None:
        """Leave what was staged, if this is not committed, for another attempt to find."""
        return  # as above

    def add(self, partition: StagedPartition) -> None:
        """Make a partition that has been staged part of the change."""
        self._written[partition.path] = partition.record
        self._dropped.discard(partition.path)

    def add_all(self, partitions: Iterable[StagedPartition]) -> None:
        """Make partitions that have been staged part of the change."""
        for partition in partitions:
            self.add(partition)

    def drop(self, path: str) -> None:
        """Take a partition away."""
        self._dropped.add(path)
        self.reads(path)

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
