"""The contract of transactional stores, such as Icechunk repositories: the snapshots and commits are those of the store."""

import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from zcollection.contracts.store import Store
from zcollection.errors import CorruptionError, StoreError

if TYPE_CHECKING:
    import zarr.abc.store

_ROOT: Final = "zarr.json"

Moment = int | str | dt.datetime
"""A moment in the history of a store: a version (its number, or the id of its snapshot), a tag, or a time, in UTC unless
it has a time zone."""

At = Moment | None
"""A moment, or None for the newest version."""


@frozen(kw_only=True)
class Commit:
    """One commit of a store.

    Attributes
    ----------
    snapshot
        Id of the snapshot that the commit created.
    time
        Time of the commit.
    message
        Commit message.
    metadata
        Metadata that the writer has stored with the commit, as JSON values.
    """

    snapshot: str
    time: dt.datetime
    message: str
    metadata: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Reclaimed:
    """The amount of data that a vacuum of a store removed.

    Attributes
    ----------
    snapshots
        Number of snapshots that can no longer be opened.
    bytes
        Total size of the deleted objects.
    """

    snapshots: int
    bytes: int


class StoreFork(ABC):
    """The part of a change that another process writes: pickled with everything written to it, and merged into the session."""

    @property
    @abstractmethod
    def zarr(self) -> "zarr.abc.store.Store":
        """Zarr store of the fork, for writes, and for reads of what was written."""


class StoreSession(ABC):
    """An uncommitted change on top of one snapshot; other readers and writers see it only once it is committed."""

    @property
    @abstractmethod
    def base(self) -> str:
        """Id of the snapshot on which the change is based; `rebase` changes it."""

    @property
    @abstractmethod
    def zarr(self) -> "zarr.abc.store.Store":
        """Zarr store of the session, for writes, and for reads of what was written."""

    @abstractmethod
    async def commit(self, message: str, metadata: Mapping[str, Any]) -> str | None:
        """Commit the change, and return the id of its snapshot; None if a rebase is needed first, as another writer has committed."""

    @abstractmethod
    async def rebase(self) -> None:
        """Rebase the change onto the newest snapshot.

        Raises
        ------
        ConflictError
            Another writer has changed the same data.
        """

    @abstractmethod
    def fork(self) -> StoreFork:
        """Return a fork of the session, to which another process can write.

        Raises
        ------
        StoreError
            The session already contains writes of its own.
        """

    @abstractmethod
    async def merge(self, forks: Iterable[StoreFork]) -> None:
        """Add the writes of forks to the session; no two forks may have written the same data.

        Raises
        ------
        ConflictError
            Two forks have written the same data, and the store has detected it.
        """

    async def save_document(self, name: str, data: bytes) -> None:
        """Write a document of the collection, such as its configuration, as an attribute of the root group."""
        group = json.loads(await _root(self.zarr) or b'{"zarr_format": 3, "node_type": "group", "attributes": {}}')
        group["attributes"][name] = data.decode()
        await _set(self.zarr, _ROOT, json.dumps(group, ensure_ascii=False).encode())


class TransactionalStore(Store):
    """A store with its own snapshots and commits, which contains a Zarr hierarchy and nothing else.

    The kernel has no staging area and no commit log here: each change is a session, and each commit is a version.
    """

    @abstractmethod
    async def current(self) -> str | None:
        """Return the id of the newest snapshot; None if the store has not been created yet."""

    @abstractmethod
    async def resolve(self, at: Moment) -> str:
        """Return the id of the snapshot at a moment.

        Raises
        ------
        StoreError
            There is no such snapshot.
        """

    async def tags(self) -> dict[str, str]:
        """Return the id of the snapshot of each tag, by name; empty if the store does not support tags."""
        return {}

    async def add_tag(self, name: str, snapshot: str) -> None:
        """Tag a snapshot, so that a vacuum keeps it.

        Raises
        ------
        StoreError
            A tag with this name exists, or the store does not support tags.
        """
        del name, snapshot
        message = f"{self.url} does not support tags; use the ids of snapshots, which history() returns"
        raise StoreError(message)

    async def remove_tag(self, name: str) -> None:
        """Remove a tag; its snapshot remains until a vacuum removes it.

        Raises
        ------
        StoreError
            There is no such tag.
        """
        message = f"{self.url} has no tag {name!r}"
        raise StoreError(message)

    @abstractmethod
    async def snapshot(self, snapshot: str) -> "zarr.abc.store.Store":
        """Return a read-only Zarr store of a snapshot."""

    @abstractmethod
    async def begin(self, *, create: bool = False) -> StoreSession:
        """Open a session on the newest snapshot; with `create`, create the store first if it does not exist.

        Raises
        ------
        ReadOnlyError
            The store was opened for reading.
        """

    @abstractmethod
    async def history(self, snapshot: str) -> list[Commit]:
        """Return the commits that led to a snapshot, newest first."""

    @abstractmethod
    async def vacuum(self, older_than: dt.datetime) -> Reclaimed:
        """Remove the snapshots that are older than a time and not needed by a branch or tag, and the data that only they refer to."""

    async def keeps(self, snapshot: str) -> bool:
        """Return whether a snapshot still exists, that is, no vacuum has removed it.

        A store with a cache has to read the current state, and not its cache.
        """
        now = await self.current()
        return now is not None and snapshot in {now, *(commit.snapshot for commit in await self.history(now))}

    async def load_document(self, name: str, *, snapshot: str | None = None) -> bytes | None:
        """Return a document of the collection from a snapshot, by default the newest; None if it does not exist."""
        at = snapshot or await self.current()
        root = None if at is None else await _root(await self.snapshot(at))
        return None if root is None else self._attribute(root, name)

    def _attribute(self, root: bytes, name: str) -> bytes | None:
        try:
            text = json.loads(root)["attributes"].get(name)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            message = f"the root group of {self.url} is invalid: {error!r}; restore an earlier snapshot"
            raise CorruptionError(message) from error
        return text.encode() if isinstance(text, str) else None


async def _root(store: "zarr.abc.store.Store") -> bytes | None:
    from zarr.core.buffer import default_buffer_prototype

    buffer = await store.get(_ROOT, default_buffer_prototype())
    return None if buffer is None else buffer.to_bytes()


async def _set(store: "zarr.abc.store.Store", key: str, data: bytes) -> None:
    from zarr.core.buffer import default_buffer_prototype

    await store.set(key, default_buffer_prototype().buffer.from_bytes(data))
