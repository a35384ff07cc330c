"""A transaction in a transactional store: one session, one commit."""

import os
import socket
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Final, cast

from attrs import define, evolve, field, frozen

from zcollection.contracts.objects import Objects, Read
from zcollection.contracts.transactional import StoreFork, StoreSession, TransactionalStore
from zcollection.engine.layout import group_document
from zcollection.engine.work import Remove, Work
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, abandoned_documents, overwriting, parent_documents
from zcollection.errors import (
    CollectionNotFoundError,
    CommitStateUnknownError,
    ConflictError,
    SchemaChangedError,
    StoreError,
)
from zcollection.model.names import ancestors
from zcollection.portal import uninterrupted
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.native.listing import Listing
from zcollection.transaction.native.zarr_objects import SessionObjects, SnapshotObjects
from zcollection.transaction.places import Place

ATTRIBUTE: Final = "zcollection"
"""Key of zcollection's entry in the metadata of a commit."""


@frozen(kw_only=True)
class NativeStage(Stage):
    """The staging area in a session, or a fork of one: partitions are written in their place, and no reader sees them."""

    objects: SessionObjects
    is_clean: bool = True

    @property
    def supports_workers(self) -> bool:
        """Whether other processes can write here: a session that was already written to cannot be forked."""
        return self.is_clean

    def prefix(self, path: str) -> str:
        """Return the prefix of a partition."""
        return f"{path}/"

    def writing(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition in its place."""
        prefix = self.prefix(path)
        stamped, complete = self._stamped(path, group, record)
        size = yield from overwriting(prefix, stamped)
        return self._staged(path, complete(size))

    def copying(self, path: str, source: Objects, place: Place, record: PartitionRecord) -> Work[StagedPartition]:
        """Copy a partition to its place, after deleting the objects stored there."""
        yield Remove([self.prefix(path)])
        return (yield from super().copying(path, source, place, record))

    def for_workers(self) -> "NativeStage":
        """Return a fork of the session for other processes, each of which writes to its own copy."""
        session = cast("StoreSession", self.objects.session)  # in the process that commits
        return evolve(self, objects=SessionObjects(session.fork()))

    def outcome(self) -> StoreFork:
        """Return the fork, with everything written to it."""
        return cast("StoreFork", self.objects.session)  # in another process

    async def absorb(self, outcomes: Iterable[StoreFork]) -> None:
        """Merge forks into the session."""
        forks = list(outcomes)
        if forks:
            await cast("StoreSession", self.objects.session).merge(forks)


@define(kw_only=True)
class NativeTransaction(Transaction):
    """A transaction that writes in place in a session, which no reader sees before it is committed.

    Attributes
    ----------
    store, session
        The collection's store, and the session on the snapshot on which the change is based.
    documents
        Documents of the collection that are written with the change.
    extra_objects
        Further objects that are written with the change, by key: statistics of unchanged partitions.
    """

    store: TransactionalStore
    session: StoreSession
    documents: dict[str, bytes] = field(factory=dict)
    extra_objects: dict[str, bytes] = field(factory=dict)
    _committed_snapshot: str | None = field(default=None, init=False)
    _is_rebased: bool = field(default=False, init=False)

    def outcome(self, before: Listing) -> Listing | None:
        """Return the listing of the committed snapshot, derived from the listing of the base snapshot.

        None if the change was not committed, was rebased on changes of other writers, or changed the configuration.
        """
        if (
            self._committed_snapshot is None
            or self._is_rebased
            or self.replacement is not None
            or self.reconfiguration is not None
        ):
            return None
        return before.changed(SnapshotObjects(self.store, self._committed_snapshot), self._written, self._dropped)

    @property
    def stage(self) -> NativeStage:
        """The session, as a staging area."""
        return NativeStage(
            objects=self._objects, transaction=self.id, time=self.time, is_clean=self.replacement is None
        )

    @property
    def _objects(self) -> SessionObjects:
        return SessionObjects(self.session)

    async def commit(self) -> None:
        """Commit the session; rebase it if another writer has committed a change that does not conflict."""
        changes = (
            self._written,
            self._dropped,
            self.replacement,
            self.reconfiguration,
            self.documents,
            self.extra_objects,
        )
        if not any(changes) and self.restored is None:
            return
        await self._objects.put(self.extra_objects)
        await self._remove_dropped()
        if self.reconfiguration is not None:
            reconfigured = evolve(self.reconfiguration, changed=self.configuration.changed + 1)
            await self.session.save_document(CONFIGURATION, reconfigured.dump())
        await self._complete_tree()
        for name, data in self.documents.items():
            await self.session.save_document(name, data)
        while not await uninterrupted(self._try_commit):
            if self.replacement is not None:
                message = (
                    f"{self.store.url} was changed by another writer; nothing was written, run the operation again"
                )
                raise ConflictError(message)
            self._is_rebased = True
            await self.session.rebase()
            await self._check(SnapshotObjects(self.store, self.session.base))

    async def _try_commit(self) -> bool:
        """Commit, and return whether the commit succeeded; False if another writer has committed since.

        Raises
        ------
        StoreError
            The commit failed.
        CommitStateUnknownError
            The outcome of the commit is not known.
        """
        try:
            self._committed_snapshot = await self.session.commit(self._message(), {ATTRIBUTE: self._metadata()})
        except StoreError as failure:
            # Only the answer may be lost, with the commit stored.
            if await self._is_committed(failure):
                return True
            raise
        return self._committed_snapshot is not None or await self._is_committed()

    async def _remove_dropped(self) -> None:
        """Delete dropped partitions, but none that a new partitioning has written below a dropped one."""
        above = {group for path in self._written for group in ancestors(path)[:-1]}
        obsolete = [f"{path}/" for path in sorted(self._dropped - above)]
        for path in sorted(self._dropped & above):
            below = [entry.key async for entry in self._objects.list(f"{path}/") if entry.is_prefix]
            obsolete += [key for key in below if key.rstrip("/") not in {*above, *self._written}]
            await self._objects.put({f"{path}/{GROUP_DOCUMENT}": group_document({})})
        if self.reconfiguration is not None:
            obsolete += abandoned_documents(self._dropped, self._partitions)
        await self._objects.delete(obsolete)

    async def _complete_tree(self) -> None:
        """Write the documents of the parent groups of partitions, if they are missing."""
        parents = parent_documents(self._partitions)
        existing = await self._objects.get([Read(key) for key in parents])
        await self._objects.put(
            {key: parents[key] for key, data in zip(parents, existing, strict=True) if data is None}
        )

    async def replace(self) -> None:
        """Delete the groups of an older collection, and write the documents of the collection that replaces it."""
        names = [entry.key async for entry in self._objects.list("") if entry.is_prefix]
        await self._objects.delete(names)
        await self._objects.put({GROUP_DOCUMENT: group_document(self.configuration.schema.attrs)})
        await self.session.save_document(CONFIGURATION, self.configuration.dump())

    def _message(self) -> str:
        parts = [
            "a new collection" if self.replacement is not None else "",
            f"{len(self._partitions)} partitions, {self._rows} rows" if self._written else "",
            f"{len(self._dropped)} dropped" if self._dropped else "",
        ]
        return f"{self.operation}: {', '.join(filter(None, parts))}"

    @property
    def _partitions(self) -> set[str]:
        return self._written.keys() - {IMMUTABLE}

    @property
    def _rows(self) -> int:
        return sum(record.rows for record in self._written.values())

    def _metadata(self) -> dict[str, Any]:
        return {
            "transaction": self.id,
            "operation": self.operation,
            "partitions": len(self._partitions) + len(self._dropped),
            "rows": self._rows,
            "writer": f"{socket.gethostname()}:{os.getpid()}",
            **({} if self.source is None else {"source": self.source}),
            **({} if self.restored is None else {"restored": self.restored}),
        }

    async def _is_committed(self, failure: StoreError | None = None) -> bool:
        """Return whether the history contains the commit, regardless of the store's answer.

        Raises
        ------
        ConflictError
            Another writer has inserted the same source.
        """
        try:
            newest = await self.store.current()
            history = [] if newest is None else await self.store.history(newest)
        except StoreError as error:
            message = (
                f"{self.store.url} did not report whether transaction {self.id} was committed, and its history cannot be read: "
                f"{failure or error}; check history() before running the operation again"
            )
            raise CommitStateUnknownError(message) from (failure or error)
        since = [*takewhile(lambda commit: commit.snapshot != self.session.base, history)]
        entries = [commit.metadata.get(ATTRIBUTE, {}) for commit in since]
        if any(entry.get("transaction") == self.id for entry in entries):
            return True
        if self.source is not None and any(entry.get("source") == self.source for entry in entries):
            message = (
                f"source {self.source!r} was inserted into {self.store.url} by another writer; nothing was written, run the "
                f"operation again"
            )
            raise ConflictError(message)
        return False

    async def _check(self, newest: SnapshotObjects) -> None:
        """Check that the partitions that this change reads or writes are the same in a newer snapshot.

        The store's own rebase may accept more, such as one partition replaced by two writers.

        Raises
        ------
        ConflictError
            Another writer has changed one of these partitions.
        """
        before, now = [
            await self.store.load_document(CONFIGURATION, snapshot=at) for at in (self.base.commit, newest.snapshot)
        ]
        if before != now and before is not None and now is not None:
            old, new = (
                Configuration.load(document, what=f"{CONFIGURATION} of {self.store.url}") for document in (before, now)
            )
            if new.is_changed_from(old):
                message = (
                    f"the variables or the partitioning of {self.store.url} were changed meanwhile; nothing was written"
                )
                raise SchemaChangedError(message)
        if before != now:
            message = f"another collection was created at {self.store.url}; nothing was written, open it again"
            raise CollectionNotFoundError(message)
        paths = sorted({*self._read, *self._written, *self._dropped})
        documents = await newest.get([Read(f"{path}/{GROUP_DOCUMENT}") for path in paths])
        for path, document in zip(paths, documents, strict=True):
            what = f"the group document of partition {path!r}"
            record = None if document is None else PartitionRecord.from_group(document, what=what)
            self._check_same(path, record, newest)
        if self._watched:
            found = await Listing(newest, self.configuration).snapshot()
            for path, current in found.partitions.items():
                if self._depends_on(path, current):
                    self._check_same(path, current, newest)

    def _check_same(self, path: str, record: PartitionRecord | None, newest: SnapshotObjects) -> None:
        read = self.base.record(path)
        if (record and record.stamp) != (read and read.stamp):
            message = (
                f"partition {path!r} of {self.store.url} was changed by another writer (snapshot {newest.snapshot}); "
                f"nothing was written, run the operation again"
            )
            raise ConflictError(message)
