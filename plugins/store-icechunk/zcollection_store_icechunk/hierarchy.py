"""A session of Icechunk as a Zarr store with the usual results for missing keys: None, or nothing."""

from collections.abc import AsyncIterator

from icechunk import IcechunkStore
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from zcollection.plugin import StoreURL
from zcollection_store_icechunk.failures import damage, is_missing, translated


class Hierarchy(WrapperStore[IcechunkStore]):
    """The Zarr hierarchy of one session.

    Parameters
    ----------
    store
        The Zarr store of the session.
    url
        The URL of the repository, for messages.
    """

    def __init__(self, store: IcechunkStore, url: StoreURL) -> None:
        super().__init__(store)
        self._url = url

    def _with_store(self, store: IcechunkStore) -> "Hierarchy":
        return type(self)(store, self._url)

    def __str__(self) -> str:
        # Not the text of the session: it takes a lock, which can block forever while arrays are created.
        return str(self._url)

    def __repr__(self) -> str:
        return f"Hierarchy({self})"

    def __eq__(self, value: object) -> bool:
        return isinstance(value, Hierarchy) and self._store == value._store

    __hash__ = None  # type: ignore[assignment]  # sessions change

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return an object, or the requested range of its bytes; None if it does not exist."""
        try:
            return await self._store.get(key, prototype, byte_range)
        except Exception as error:
            if is_missing(error):
                return None
            with translated(self._url, f"read {key!r} in"):
                raise
            raise

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object."""
        with translated(self._url, f"write {key!r} in"):
            await self._store.set(key, value)

    async def delete(self, key: str) -> None:
        """Delete an object, which may be missing."""
        try:
            await self._store.delete(key)
        except Exception as error:
            if not is_missing(error):
                with translated(self._url, f"delete {key!r} in"):
                    raise
                raise

    async def delete_dir(self, prefix: str) -> None:
        """Delete all objects under a prefix."""
        with translated(self._url, f"delete {prefix!r} in"):
            await self._store.delete_dir(prefix)

    async def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        with translated(self._url, f"look for {key!r} in"):
            return await self._store.exists(key)

    async def getsize(self, key: str) -> int:
        """Return the size of an existing object."""
        with translated(self._url, f"measure {key!r} in"):
            try:
                return await self._store.getsize(key)
            except FileNotFoundError:
                raise damage(f"{key!r} is listed in {self._url}, but does not exist") from None

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly under a prefix."""
        with translated(self._url, f"list {prefix!r} in"):
            async for name in self._store.list_dir(prefix):
                yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys under a prefix."""
        try:
            async for key in self._store.list_prefix(prefix):
                yield key
        except Exception as error:
            if not is_missing(error):
                with translated(self._url, f"list {prefix!r} in"):
                    raise
                raise
