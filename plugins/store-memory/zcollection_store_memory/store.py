"""The store of ``memory://`` URLs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final, Self

import anyio
from attrs import field, frozen

from zcollection.plugin import Created, Fence, KeyStore, Listed, LocationError, Mode, Read, StoreURL, unfenced
from zcollection_store_memory.objects import Objects, forget

__all__ = ["MemoryStore", "forget"]

_INTERVAL: Final = 0.001
"""Seconds between two attempts to acquire the lock."""


def _location(url: StoreURL) -> str:
    return url.location


@frozen(kw_only=True)
class MemoryStore(KeyStore):
    """A store in the memory of this process, shared by all stores with the same URL.

    Attributes
    ----------
    url
        ``memory://`` and any name.
    read_only
        Whether every write is rejected.
    """

    cross_process: ClassVar[bool] = False
    has_lock: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = True

    url: StoreURL = field(eq=_location)
    read_only: bool

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode) -> Self:  # type: ignore[override]  # it has no options
        """Return the store of a URL; nothing is created before the first write.

        Parameters
        ----------
        url
            The URL, whose location is a literal name.
        mode
            "r" or "rw".

        Raises
        ------
        LocationError
            The URL has parameters.
        """
        if url.query:
            message = f"{url} has parameters: {', '.join(url.query)}; accepted: 'memory://name'"
            raise LocationError(message)
        return cls(url=url, read_only=mode == "r")

    @property
    def blocking(self) -> Objects:
        """Blocking access, which never waits."""
        return Objects(url=self.url, check_writable=self.check_writable)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        return self.blocking.get(reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write all objects atomically."""
        self.blocking.put(items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        return self.blocking.create(key, data)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the current entries under a prefix."""
        for entry in self.blocking.list(prefix, after=after, recursive=recursive):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects without a copy of their bytes."""
        self.blocking.copy(pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        self.blocking.delete(keys)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:  # noqa: ARG002 - it has a lock
        """Replace the group under `target` with the staged group, atomically."""
        self.blocking.publish(staged, target)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Delete the group under `target`."""
        self.blocking.unpublish(target, trash)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the URL; other tasks and threads wait for it without blocking their event loops."""
        self.check_writable()
        lock = self.blocking.space().writers
        while not lock.acquire(blocking=False):  # noqa: ASYNC110 - the holder may be on another loop
            await anyio.sleep(_INTERVAL)
        try:
            yield
        finally:
            lock.release()
