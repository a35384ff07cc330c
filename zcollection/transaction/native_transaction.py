"""A change on a store that commits by itself: one session, one commit."""

import os
import socket
from typing import Any, Final

from attrs import define, field

from zcollection.contracts.store import Objects, Read
from zcollection.contracts.transactional import StoreSession, TransactionalStore
from zcollection.engine.layout import group_document
from zcollection.engine.work import Work
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, overwriting, parent_documents
from zcollection.errors import CollectionNotFoundError, ConflictError
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.zarr_objects import SessionObjects, SnapshotObjects

ATTRIBUTE: Final = "zcollection"
"""Key of what a commit's metadata say of us."""


@define(kw_only=True)
class NativeTransaction(Transaction):
    """A change that is written where it is to lie, in a session that nobody else sees.

    Attributes
    ----------
    store, session
        The collection's store, and the session on the snapshot that the change is made from.
    """

    store: TransactionalStore
    session: StoreSession
    _written: dict[str, PartitionRecord] = field(factory=dict, init=False)

    @property
    def objects(self) -> Objects:
        """The session."""
        return SessionObjects(self.session)

    def staging(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[None]:
        """Write a partition in its place."""
        size = yield from overwriting(f"{path}/", self.stamped(group, record))
        self._written[path] = self.complete(record, size)

    async def stage_objects(self, path: str, source: Objects, place: str, record: PartitionRecord) -> None:
        """Copy a partition into its place."""
        await self.objects.delete([f"{path}/"])
        self._written[path] = await self.copied(source, place, f"{path}/", record)

    async def commit(self) -> None:
        """Commit the session; where others have committed, on top of what they did, if they did nothing of the same."""
        if not (self._written or self._dropped or self.replacement):
            return
        await self.objects.delete(f"{path}/" for path in sorted(self._dropped))
        if self.replacement is not None:
            await self._replace(self.replacement)
        await self._complete_tree()
        while await self.session.commit(self._message(), {ATTRIBUTE: self._metadata()}) is None:
            if await self._is_committed():
                return
            await self.session.rebase()
            await self._check(SnapshotObjects(self.store, self.session.base))

    async def _complete_tree(self) -> None:
        """Write the documents of the groups on the way to partitions, where they are missing."""
        parents = parent_documents(self._partitions)
        there = await self.objects.get([Read(key) for key in parents])
        await self.objects.put({key: parents[key] for key, data in zip(parents, there, strict=True) if data is None})

    async def _replace(self, configuration: Configuration) -> None:
        """Take away what is left of an older collection, and write the documents of the new one."""
        names = [entry.key async for entry in self.objects.list("") if entry.is_prefix]
        await self.objects.delete(names)
        await self.objects.put({GROUP_DOCUMENT: group_document(configuration.schema.attrs)})
        await self.session.save_document(CONFIGURATION, configuration.dump())

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
            "source": f"{socket.gethostname()}:{os.getpid()}",
        }

    async def _is_committed(self) -> bool:
        """Return whether the answer to an earlier try was lost: the commit is there."""
        newest = await self.store.current()
        for commit in [] if newest is None else await self.store.history(newest):
            if commit.snapshot == self.session.base:
                return False
            if commit.metadata.get(ATTRIBUTE, {}).get("transaction") == self.id:
                return True
        return False

    async def _check(self, newest: SnapshotObjects) -> None:
        """Check that a newer snapshot holds the same of all that this change read or writes.

        The store's own rebase may accept more, such as one partition replaced twice.

        Raises
        ------
        ConflictError
            Another writer has changed one of these partitions.
        """
        before, now = [
            await self.store.load_document(CONFIGURATION, snapshot=snapshot)
            for snapshot in (self.base.commit, newest.snapshot)
        ]
        if before != now:
            message = f"another collection was created at {self.store.url}; nothing was written, open it again"
            raise CollectionNotFoundError(message)
        paths = sorted({*self._read, *self._written, *self._dropped})
        documents = await newest.get([Read(f"{path}/{GROUP_DOCUMENT}") for path in paths])
        for path, document in zip(paths, documents, strict=True):
            what = f"the group document of partition {path!r}"
            there = None if document is None else PartitionRecord.from_group(document, what=what)
            read = self.base.record(path)
            if (there and there.stamp) != (read and read.stamp):
                message = (
                    f"partition {path!r} of {self.store.url} was changed by another writer (snapshot {newest.snapshot}); "
                    f"nothing was written, run the operation again"
                )
                raise ConflictError(message)
