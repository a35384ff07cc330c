"""A change of several partitions: staged as complete groups, then published together."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from attrs import Factory, define, evolve, field, frozen

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.layout import group_document
from zcollection.engine.work import Work
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, parent_documents, writing
from zcollection.errors import ConflictError, CorruptionError, StoreError
from zcollection.model.documents import parse_json
from zcollection.transaction import catalog, snapshot
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, Configuration, PartitionRecord
from zcollection.transaction.partitions import Partitions
from zcollection.transaction.snapshot import Snapshot

_BATCH = 256
"""Objects that a copy between stores holds in memory at once."""


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
        What the change was made from.
    id
        Stamp of every partition that it writes.
    """

    store: KeyStore
    configuration: Configuration
    base: Snapshot
    id: str = Factory(lambda: uuid.uuid4().hex)
    _staged: dict[str, StagedPartition] = field(factory=dict)
    _dropped: set[str] = field(factory=set)
    _read: set[str] = field(factory=set)

    @property
    def _stage(self) -> str:
        return f"{TRANSACTIONS}/stage/{self.id}/"

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

    async def stage_objects(self, path: str, source: KeyStore, record: PartitionRecord) -> None:
        """Stage a partition as it lies in another store, object by object.

        Parameters
        ----------
        path
            Where it lies there, and is to lie here.
        source
            The other store.
        record
            What the partition says of itself there.
        """
        prefix, stamped = f"{self._stage}{path}/", evolve(record, stamp=self.id)
        keys = [entry.key async for entry in source.list(f"{path}/", recursive=True)]
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            contents = zip(batch, await source.get([Read(key) for key in batch]), strict=True)
            await self.store.stage({self._stage + key: data for key, data in contents if data is not None})
        await self.store.put({f"{prefix}{GROUP_DOCUMENT}": await _restamped(self.store, prefix, stamped)})
        self._staged[path] = StagedPartition(path=path, prefix=prefix, record=stamped)

    def drop(self, path: str) -> None:
        """Take a partition away."""
        self.reads(path)
        self._dropped.add(path)

    async def commit(self) -> None:
        """Publish what was staged and take away what was dropped.

        Raises
        ------
        ConflictError
            Another writer changed a partition that this change was made from; nothing was published.
        """
        if not self._staged and not self._dropped:
            return
        await self.store.flush(self._stage)
        async with self.store.lock():
            current = await snapshot.take(self.store, self.configuration)
            self._check(current)
            if self.configuration.catalog:
                await catalog.mark_stale(self.store)
            await self._publish()
            if self.configuration.catalog:
                await catalog.save(self.store, self._after(current))

    async def check(self) -> None:
        """Check that nobody has changed what this change was made from.

        Raises
        ------
        ConflictError
            Another writer has.
        """
        self._check(await snapshot.take(self.store, self.configuration))

    def _check(self, current: Snapshot) -> None:
        for path in sorted(self._read):
            before, now = self.base.record(path), current.record(path)
            if (now and now.stamp) not in {before and before.stamp, self.id}:
                message = (
                    f"partition {path!r} of {self.store.url} was changed by another writer "
                    f"(transaction {now.stamp if now else 'that dropped it'}); nothing was written, run the operation again"
                )
                raise ConflictError(message)

    async def _publish(self) -> None:
        for key, data in parent_documents(path for path in self._staged if path != IMMUTABLE).items():
            await self.store.create(key, data)
        order = sorted(self._staged, key=lambda path: (path != IMMUTABLE, path))
        await self.store.publish_all((self._staged[path].prefix, f"{path}/") for path in order)
        for path in sorted(self._dropped):
            await self.store.unpublish(f"{path}/", f"{self._stage}dropped/{path}/")

    def _after(self, current: Snapshot) -> Partitions:
        written = {path: staged.record for path, staged in self._staged.items() if path != IMMUTABLE}
        return current.partitions.changed(written, self._dropped)

    async def discard(self) -> None:
        """Remove what is left of the stage."""
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
async def begin(store: KeyStore, configuration: Configuration) -> AsyncIterator[Transaction]:
    """Open a transaction on a fresh snapshot; leaving the block removes its stage, whatever happened."""
    store.check_writable()
    transaction = Transaction(store, configuration, await snapshot.take(store, configuration))
    try:
        yield transaction
    except (CorruptionError, StoreError):
        # What another writer has replaced meanwhile is neither damaged nor missing.
        await transaction.check()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await transaction.discard()
