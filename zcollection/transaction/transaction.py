"""A change of several partitions: staged as complete groups, then published together."""

import uuid
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import Factory, define, evolve, field, frozen

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.layout import group_document
from zcollection.engine.work import Work
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, writing
from zcollection.errors import (
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    PublicationWarning,
    StoreError,
    ZCollectionError,
)
from zcollection.model.documents import parse_json
from zcollection.transaction import catalog, log, publication, snapshot
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.log import Version, stage_of
from zcollection.transaction.partitions import Partitions
from zcollection.transaction.snapshot import Snapshot

_BATCH = 256
"""Objects that a copy between stores holds in memory at once."""

_FARTHEST: Final = 16
"""Versions that the catalog may be behind: what a reader has to read besides it."""

_DEAREST: Final = 4
"""The catalog is written anew when one of so many partitions has changed since: its cost is that of the change."""


@frozen(kw_only=True)
class StagedPartition:
    """A complete partition that nobody reads yet: a small value, which pickles.

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


@define
class Transaction:
    """One change of a collection, on top of the snapshot that it read.

    Attributes
    ----------
    store, configuration
        The collection.
    base
        What the change is made from.
    operation
        What it does, such as "insert".
    id
        Stamp of every partition that it writes.
    removed
        Transactions whose stages are to be removed with this change.
    replacement
        Configuration of a new collection that takes the place of this one.
    """

    store: KeyStore
    configuration: Configuration
    base: Snapshot
    operation: str
    id: str = Factory(lambda: uuid.uuid4().hex)
    removed: tuple[str, ...] = ()
    replacement: Configuration | None = None
    _staged: dict[str, StagedPartition] = field(factory=dict)
    _dropped: set[str] = field(factory=set)
    _read: set[str] = field(factory=set)
    _keeps_stage: bool = False

    @property
    def _stage(self) -> str:
        return stage_of(self.id)

    def reads(self, path: str) -> None:
        """Say that the change depends on what a partition holds, or on its absence."""
        self._read.add(path)

    def staging(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[None]:
        """Write a partition where nobody reads it yet.

        Parameters
        ----------
        path
            Where it is to lie.
        group
            The arrays to write.
        record
            What the partition says of itself; the transaction's id and the size are added here.
        """
        prefix, attributes = f"{self._stage}{path}/", group.attributes

        def complete(size: int) -> PartitionRecord:
            return evolve(record, stamp=self.id, stored_bytes=size)

        stamped = evolve(group, attributes=lambda size: {**attributes(size), **complete(size).to_attribute()})
        size = yield from writing(prefix, stamped)
        self._staged[path] = StagedPartition(path=path, prefix=prefix, record=complete(size))

    async def stage_objects(self, path: str, source: KeyStore, place: str, record: PartitionRecord) -> None:
        """Stage a partition as it lies in another store, object by object.

        Parameters
        ----------
        path
            Where it is to lie.
        source
            The other store.
        place
            Prefix of where it lies there.
        record
            What the partition says of itself there.
        """
        prefix, stamped = f"{self._stage}{path}/", evolve(record, stamp=self.id)
        keys = [entry.key async for entry in source.list(place, recursive=True)]
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            contents = zip(batch, await source.get([Read(key) for key in batch]), strict=True)
            await self.store.stage(
                {prefix + key.removeprefix(place): data for key, data in contents if data is not None}
            )
        await self.store.put({f"{prefix}{GROUP_DOCUMENT}": await _restamped(self.store, prefix, stamped)})
        self._staged[path] = StagedPartition(path=path, prefix=prefix, record=stamped)

    def drop(self, path: str) -> None:
        """Take a partition away."""
        self.reads(path)
        self._dropped.add(path)

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
        if not (self._staged or self._dropped or self.removed or self.replacement):
            return
        await self.store.flush(self._stage)
        async with self.store.lock():
            version = await self._committed()
            try:
                await publication.publish(self.store, version)
                await self._checkpoint(version)
            except ZCollectionError as error:
                message = (
                    f"version {version.number} of {self.store.url} is committed, and putting it in place failed: {error}; "
                    f"readers see it, and the next writer completes it"
                )
                warnings.warn(message, PublicationWarning, stacklevel=2)

    async def _committed(self) -> Version:
        """Return the version that the change has become."""
        while True:
            newer = await log.after(self.store, self.base.version)
            await publication.settle(self.store, [*self.base.pending, *newer])
            self._check(newer)
            version = self._version(self.base.version + len(newer) + 1)
            if self.replacement is not None:
                await log.announce(self.store)
            # Between the answer and its being known here nothing may interrupt: what is committed keeps its stage.
            with anyio.CancelScope(shield=True):
                self._keeps_stage = True
                try:
                    committed = await log.append(self.store, version)
                except StoreError:
                    self._keeps_stage = False
                    raise
                self._keeps_stage = committed
            if committed:
                return version

    def _version(self, number: int) -> Version:
        replacement = None if self.replacement is None else evolve(self.replacement, version=number).dump().decode()
        records = {path: staged.record for path, staged in self._staged.items()}
        immutable = records.pop(IMMUTABLE, None)
        return Version(
            transaction=self.id,
            base=self.base.version,
            operation=self.operation,
            written=Partitions(records).to_json(),
            dropped=tuple(sorted(self._dropped)),
            immutable=immutable,
            configuration=replacement,
            removed=self.removed,
            number=number,
        )

    async def _checkpoint(self, version: Version) -> None:
        """Write the catalog anew where that costs little against what was changed since it was written."""
        configuration = self.replacement or self.configuration
        if not configuration.catalog or (self.base.indexed and not _is_due(self.base, [version])):
            return
        checkpoint = await catalog.load(self.store)
        if checkpoint is None:
            now = await snapshot.take(self.store, evolve(configuration, version=self._configured(version)))
        else:
            now = Snapshot(checkpoint, await log.after(self.store, checkpoint.version))
            if not _is_due(now, []):
                return
        await catalog.save(self.store, now.to_checkpoint())

    def _configured(self, version: Version) -> int:
        return self.configuration.version if self.replacement is None else version.number

    async def check(self) -> None:
        """Check that nobody has changed what this change was made from.

        Raises
        ------
        ConflictError
            Another writer has.
        """
        self._check(await log.after(self.store, self.base.version))

    def _check(self, newer: Sequence[Version]) -> None:
        for version in newer:
            if version.configuration is not None:
                message = f"another collection was created at {self.store.url}; nothing was written, open it again"
                raise CollectionNotFoundError(message)
            if self.id in version.removed:
                message = (
                    f"what was staged for {self.store.url} was older than the vacuum of version {version.number} allows, and "
                    f"was removed; nothing was written, run the operation again"
                )
                raise ConflictError(message)
            for path in sorted(self._read & version.touched):
                message = (
                    f"partition {path!r} of {self.store.url} was changed by another writer ({version.operation} of version "
                    f"{version.number}, by {version.source}); nothing was written, run the operation again"
                )
                raise ConflictError(message)

    async def discard(self) -> None:
        """Remove what is left of the stage, unless the change was or may have been committed."""
        if not self._keeps_stage:
            await self.store.delete([self._stage])


async def _restamped(store: KeyStore, prefix: str, record: PartitionRecord) -> bytes:
    """Return a group's document with another record."""
    data = (await store.get([Read(f"{prefix}{GROUP_DOCUMENT}")]))[0]
    if data is None:
        message = f"the group document {prefix}{GROUP_DOCUMENT} is missing in {store.url}"
        raise CorruptionError(message)
    attributes = parse_json(data, what=f"the group document {prefix}{GROUP_DOCUMENT}").get("attributes", {})
    return group_document({**attributes, **record.to_attribute()})


@asynccontextmanager
async def begin(store: KeyStore, configuration: Configuration, operation: str) -> AsyncIterator[Transaction]:
    """Open a transaction on the newest version; leaving the block removes its stage unless it was committed."""
    store.check_writable()
    transaction = Transaction(store, configuration, await _settled(store, configuration), operation)
    try:
        yield transaction
    except (CorruptionError, StoreError):
        # What another writer has replaced meanwhile is neither damaged nor missing.
        await transaction.check()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await transaction.discard()


async def write_checkpoint(store: KeyStore, configuration: Configuration) -> int:
    """Let the catalog hold the newest version, all of it published, and return its number; the caller holds the lock."""
    taken = await snapshot.take(store, configuration)
    await publication.settle(store, taken.pending)
    if configuration.catalog:
        await catalog.save(store, taken.to_checkpoint())
    return taken.version


def _is_due(taken: Snapshot, later: Sequence[Version]) -> bool:
    """Return whether a checkpoint is to be written after the changes of a snapshot and later ones."""
    changes = [*taken.changes, *later]
    changed = sum(len(change.touched) for change in changes)
    behind = changes[-1].number - taken.checkpoint.version if changes else 0
    return behind >= _FARTHEST or _DEAREST * changed >= len(taken.checkpoint.partitions)


async def rebuild_catalog(store: KeyStore, configuration: Configuration) -> int:
    """Write the catalog from what is found by walking, and return the number of partitions."""
    store.check_writable()
    async with store.lock():
        await publication.settle(store, (await log.listed(store))[1])
        found = await snapshot.take(store, configuration, walk=True)
        if configuration.catalog:
            await catalog.save(store, found.to_checkpoint())
    return len(found.partitions)


async def _settled(store: KeyStore, configuration: Configuration) -> Snapshot:
    """Return the newest version after publishing what a dead writer left."""
    taken = await snapshot.take(store, configuration)
    if not taken.pending:
        return taken
    async with store.lock():
        await publication.settle(store, taken.pending)
    return await snapshot.take(store, configuration)
