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
"""Seconds between two tries to take the lock."""


def _location(url: StoreURL) -> str:
    return url.location


@frozen(kw_only=True)
class MemoryStore(KeyStore):
    """Objects in the memory of this process, shared by all stores that are opened with the same URL.

    Attributes
    ----------
    url
        ``memory://`` and any name.
    read_only
        Whether every write is refused.
    """

    cross_process: ClassVar[bool] = False
    has_lock: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = True

    url: StoreURL = field(eq=_location)
    read_only: bool

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode) -> Self:  # type: ignore[override]  # it has no options
        """Return the store of a name; the first write makes it.

        Parameters
        ----------
        url
            Its location is a name, taken literally.
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
        """Blocking access: nothing here ever waits."""
        return Objects(url=self.url, check_writable=self.check_writable)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        return self.blocking.get(reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, all of them at once."""
        self.blocking.put(items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        return self.blocking.create(key, data)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List what lies under a prefix at this moment."""
        for entry in self.blocking.list(prefix, after=after, recursive=recursive):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, which share their bytes."""
        self.blocking.copy(pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects and, for keys that end with "/", all below."""
        self.blocking.delete(keys)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:  # noqa: ARG002 - it has a lock
        """Move what is staged to the place of what lies at the target, at once."""
        self.blocking.publish(staged, target)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Delete what lies at the target."""
        self.blocking.unpublish(target, trash)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the name; every other task and thread that wants it waits, without blocking its loop."""
        self.check_writable()
        lock = self.blocking.space().writers
        while not lock.acquire(blocking=False):  # noqa: ASYNC110 - the holder may be on another loop
            await anyio.sleep(_INTERVAL)
        try:
            yield
        finally:
            lock.release()
