"""The objects in a Zarr store that another library provides, for a transactional store."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from zcollection import config
from zcollection.contracts.objects import Listed, Objects, Read
from zcollection.contracts.transactional import StoreFork, StoreSession, TransactionalStore
from zcollection.engine.executor import gather
from zcollection.engine.statistics import STATISTICS
from zcollection.errors import CorruptionError, OutdatedError, StoreError
from zcollection.transaction.caches import Cache

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest, Store

_DOCUMENT: Final = "zarr.json"
_BESIDE: Final = "c" + "/0" * 17
"""Key of the statistics in a store that accepts only chunk keys: a chunk with more dimensions than any array has."""


class ZarrObjects(Objects):
    """The objects of a Zarr store."""

    @abstractmethod
    async def zarr(self) -> "Store":
        """Return the store."""

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        from zarr.core.buffer import default_buffer_prototype

        store, prototype = await self.zarr(), default_buffer_prototype()

        async def one(read: Read) -> bytes | None:
            buffer = await store.get(_inner(read.key), prototype, _byte_range(read))
            return None if buffer is None else buffer.to_bytes()

        return await gather(one, reads, limit=config.get().concurrency)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects: the documents of groups and arrays from the root on, and then the chunks."""
        documents = sorted((key for key in items if _is_document(key)), key=lambda key: key.count("/"))
        for key in documents:
            await self._set(key, items[key])
        chunks = [key for key in items if not _is_document(key)]
        await gather(lambda key: self._set_chunk(key, items[key]), chunks, limit=config.get().concurrency)

    async def _set_chunk(self, key: str, data: bytes) -> None:
        """Write a chunk or statistics; a store that rejects the key of the statistics stores none."""
        with suppress(StoreError) if _inner(key) != key else nullcontext():
            await self._set(key, data)

    async def _set(self, key: str, data: bytes) -> None:
        from zarr.core.buffer import default_buffer_prototype

        await (await self.zarr()).set(_inner(key), default_buffer_prototype().buffer.from_bytes(data))

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the objects under a prefix; sizes are included if `recursive` is true."""
        store = await self.zarr()
        if recursive:
            keys = sorted([outer async for key in store.list_prefix(prefix) if (outer := _outer(key)) > after])
            sizes = await gather(store.getsize, map(_inner, keys), limit=config.get().concurrency)
            for key, size in zip(keys, sizes, strict=True):
                yield Listed(key=key, size=size)
            return
        names = [name.rstrip("/") async for name in store.list_dir(prefix.rstrip("/"))]
        for key in sorted(f"{prefix}{name}" if name == _DOCUMENT else f"{prefix}{name}/" for name in names):
            if key > after:
                yield Listed(key=key)

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects by reading and writing their bytes."""
        given = list(pairs)
        for (source, target), data in zip(given, await self.get([Read(source) for source, _ in given]), strict=True):
            if data is None:
                message = f"cannot copy {source!r}: there is no such object; run the operation again"
                raise StoreError(message)
            await self._set(target, data)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects and, for keys that end with "/", all objects under that prefix."""
        store = await self.zarr()
        for key in keys:
            await (store.delete_dir(key.rstrip("/")) if key.endswith("/") else store.delete(_inner(key)))


@define(eq=False)
class _Opened(Cache):
    """The snapshot as a Zarr store, once it was opened."""

    store: "Store | None" = None


@frozen
class SnapshotObjects(ZarrObjects):
    """The objects of one snapshot of a store; it pickles with its store, and reads the same snapshot in another process.

    Attributes
    ----------
    store
        The store of the collection.
    snapshot
        Id of the snapshot.
    """

    store: TransactionalStore
    snapshot: str
    _opened: _Opened = field(factory=_Opened, eq=False, repr=False)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        async with unless_removed(self.store, self.snapshot):
            return await super().get(reads)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the objects under a prefix; sizes are included if `recursive` is true."""
        async with unless_removed(self.store, self.snapshot):
            async for entry in super().list(prefix, after=after, recursive=recursive):
                yield entry

    async def zarr(self) -> "Store":
        """Return the snapshot as a Zarr store."""
        if self._opened.store is None:
            self._opened.store = await self.store.snapshot(self.snapshot)
        return self._opened.store


@frozen
class SessionObjects(ZarrObjects):
    """The objects of a session, or of a fork of one, with its uncommitted writes."""

    session: StoreSession | StoreFork

    async def zarr(self) -> "Store":
        """Return the session as a Zarr store."""
        return self.session.zarr


@asynccontextmanager
async def unless_removed(store: TransactionalStore, snapshot: str) -> AsyncIterator[None]:
    """Read a snapshot in a block; a failure caused by a vacuum that removed the snapshot raises `OutdatedError`.

    Raises
    ------
    OutdatedError
        The snapshot was removed.
    """
    try:
        yield
    except (CorruptionError, StoreError) as error:
        if await _keeps(store, snapshot):
            raise
        message = (
            f"snapshot {snapshot} of {store.url} was removed by a vacuum after it was looked up; query again; where the "
            f"collection is pinned to it, call refresh() first"
        )
        raise OutdatedError(message) from error


async def _keeps(store: TransactionalStore, snapshot: str) -> bool:
    try:
        return await store.keeps(snapshot)
    except (CorruptionError, StoreError):
        return True  # unknown: the first error is raised


def _inner(key: str) -> str:
    """Return the key in the store for a key of the engine."""
    return key.removesuffix(STATISTICS) + _BESIDE if key.endswith(f"/{STATISTICS}") else key


def _outer(key: str) -> str:
    """Return the key of the engine for a key in the store."""
    return key.removesuffix(_BESIDE) + STATISTICS if key.endswith(f"/{_BESIDE}") else key


def _is_document(key: str) -> bool:
    return key == _DOCUMENT or key.endswith(f"/{_DOCUMENT}")


def _byte_range(read: Read) -> "ByteRequest | None":
    from zarr.abc.store import OffsetByteRequest, RangeByteRequest

    if read.length is not None:
        return RangeByteRequest(read.offset, read.offset + read.length)
    return OffsetByteRequest(read.offset) if read.offset else None
