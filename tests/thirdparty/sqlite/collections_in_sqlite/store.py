"""The store of ``sqlite://`` URLs."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Self

import anyio
from anyio import to_thread
from attrs import field, frozen

from collections_in_sqlite.database import Database
from zcollection.plugin import Created, Fence, KeyStore, Listed, Mode, Read, StoreError, StoreURL, unfenced


@frozen(kw_only=True)
class SQLiteStore(KeyStore):
    """A collection in one SQLite database.

    Attributes
    ----------
    url
        ``sqlite:///path/of/the/file.db``.
    path
        Absolute path of the file.
    read_only
        Whether every write raises an error.
    """

    has_lock: ClassVar[bool] = True

    url: StoreURL = field(eq=str)
    path: str = field(repr=False)
    read_only: bool

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode) -> Self:  # type: ignore[override]  # it has no options
        """Return the store of a file, which may be missing."""
        if url.query or "\0" in url.location:
            message = f"{url} has parameters or a NUL character; accepted: 'sqlite:///path/of/the/file.db'"
            raise StoreError(message)
        return cls(url=url, path=os.path.abspath(url.location), read_only=mode == "r")

    @property
    def blocking(self) -> Database:
        """Blocking access, for worker threads."""
        return Database(self.url, self.path, self.check_writable)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read."""
        return await to_thread.run_sync(self.blocking.get, reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects."""
        await to_thread.run_sync(self.blocking.put, items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        return await to_thread.run_sync(self.blocking.create, key, data)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the entries under a prefix."""
        for entry in await to_thread.run_sync(lambda: self.blocking.list(prefix, after=after, recursive=recursive)):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects."""
        await to_thread.run_sync(self.blocking.copy, pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        await to_thread.run_sync(self.blocking.delete, keys)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Replace the group under `target` with the staged group."""
        await to_thread.run_sync(self.blocking.publish, staged, target)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Delete the group under `target`."""
        await to_thread.run_sync(self.blocking.unpublish, target, trash)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the writers."""
        self.check_writable()
        while (lock := self.blocking.try_lock()) is None:
            await anyio.sleep(0.005)
        try:
            yield
        finally:
            lock.close()
