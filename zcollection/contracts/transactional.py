"""A store that commits by itself, such as an Icechunk repository: snapshots to read from, sessions to write to."""

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
"""A moment in the history of a store: a version, as its number or the id of its snapshot, a tag, or a time, in UTC where it
says nothing else."""

At = Moment | None
"""A moment, or None for the newest."""


@frozen(kw_only=True)
class Commit:
    """One commit of a store.

    Attributes
    ----------
    snapshot
        Id of the snapshot that it made.
    time
        When.
    message
        What the committer said.
    metadata
        What else it said, as JSON values.
    """

    snapshot: str
    time: dt.datetime
    message: str
    metadata: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class Reclaimed:
    """What a vacuum of a store removed.

    Attributes
    ----------
    snapshots
        How many snapshots nobody can open any more.
    bytes
        Size of the objects deleted.
    """

    snapshots: int
    bytes: int


class StoreFork(ABC):
    """Part of a change, made by another process: it pickles with all that was written to it, and is then merged."""

    @property
    @abstractmethod
    def zarr(self) -> "zarr.abc.store.Store":
        """What to write to; what was written is read back."""


class StoreSession(ABC):
    """A change in the making, on top of one snapshot; nobody else sees it before it is committed."""

    @property
    @abstractmethod
    def base(self) -> str:
        """Id of the snapshot that it is made from; `rebase` changes it."""

    @property
    @abstractmethod
    def zarr(self) -> "zarr.abc.store.Store":
        """What to write to; what was written is read back."""

    @abstractmethod
    async def commit(self, message: str, metadata: Mapping[str, Any]) -> str | None:
        """Make the change a snapshot, and return its id; None where others have committed since: `rebase` first."""

    @abstractmethod
    async def rebase(self) -> None:
        """Put the change on top of the newest snapshot.

        Raises
        ------
        ConflictError
            Others have changed the same.
        """

    @abstractmethod
    def fork(self) -> StoreFork:
        """Return what another process can write to.

        Raises
        ------
        StoreError
            The session itself was written to already.
        """

    @abstractmethod
    async def merge(self, forks: Iterable[StoreFork]) -> None:
        """Take over what was written to forks; no two of them may have written the same.

        Raises
        ------
        ConflictError
            They have, and the store can tell.
        """

    async def save_document(self, name: str, data: bytes) -> None:
        """Write a document of the collection, such as its configuration: as an attribute of the root group."""
        group = json.loads(await _root(self.zarr) or b'{"zarr_format": 3, "node_type": "group", "attributes": {}}')
        group["attributes"][name] = data.decode()
        await _set(self.zarr, _ROOT, json.dumps(group, ensure_ascii=False).encode())


class TransactionalStore(Store):
    """A store with snapshots and commits of its own; it holds a Zarr hierarchy, and nothing else.

    The kernel stages nothing and logs nothing here: a change is a session, and its commit a version.
    """

    @abstractmethod
    async def current(self) -> str | None:
        """Return the id of the newest snapshot; None where the store has not been made yet."""

    @abstractmethod
    async def resolve(self, at: Moment) -> str:
        """Return the id of the snapshot at a moment.

        Raises
        ------
        StoreError
            There is none.
        """

    async def tags(self) -> dict[str, str]:
        """Return the snapshots that have a name, by name; none where the store has no names."""
        return {}

    async def add_tag(self, name: str, snapshot: str) -> None:
        """Give a snapshot a name, by which it stays.

        Raises
        ------
        StoreError
            The name is taken, or the store has none.
        """
        del name, snapshot
        message = f"{self.url} gives its snapshots no names; use their ids, which history() says"
        raise StoreError(message)

    async def remove_tag(self, name: str) -> None:
        """Take a name away.

        Raises
        ------
        StoreError
            There is no such name.
        """
        message = f"{self.url} has no tag {name!r}"
        raise StoreError(message)

    @abstractmethod
    async def snapshot(self, snapshot: str) -> "zarr.abc.store.Store":
        """Return what to read a snapshot from."""

    @abstractmethod
    async def begin(self, *, create: bool = False) -> StoreSession:
        """Open a session on the newest snapshot; where the store has not been made yet, `create` makes it.

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
        """Remove the snapshots older than a time that no branch or tag needs, and what only they hold."""

    async def keeps(self, snapshot: str) -> bool:
        """Return whether a snapshot is one that can be read unless it is damaged: no vacuum has removed it.

        A store that remembers what it has read looks anew.
        """
        now = await self.current()
        return now is not None and snapshot in {now, *(commit.snapshot for commit in await self.history(now))}

    async def load_document(self, name: str, *, snapshot: str | None = None) -> bytes | None:
        """Return a document of the collection as a snapshot holds it, by default the newest."""
        at = snapshot or await self.current()
        root = None if at is None else await _root(await self.snapshot(at))
        return None if root is None else self._attribute(root, name)

    def _attribute(self, root: bytes, name: str) -> bytes | None:
        try:
            text = json.loads(root)["attributes"].get(name)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            message = f"the root group of {self.url} cannot be understood: {error!r}; restore an earlier snapshot"
            raise CorruptionError(message) from error
        return text.encode() if isinstance(text, str) else None


async def _root(store: "zarr.abc.store.Store") -> bytes | None:
    from zarr.core.buffer import default_buffer_prototype

    buffer = await store.get(_ROOT, default_buffer_prototype())
    return None if buffer is None else buffer.to_bytes()


async def _set(store: "zarr.abc.store.Store", key: str, data: bytes) -> None:
    from zarr.core.buffer import default_buffer_prototype

    await store.set(key, default_buffer_prototype().buffer.from_bytes(data))
