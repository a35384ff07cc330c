"""A read-only Zarr store over a key-value store, with which any library that reads Zarr can read a collection in place."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import ClassVar, Protocol

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

from zcollection.contracts.objects import Listed, Read
from zcollection.contracts.url import StoreURL


class Readable(Protocol):
    """The part of a key-value store that the view uses."""

    url: StoreURL
    has_listing: ClassVar[bool]

    def check_writable(self) -> None:
        """Raise `ReadOnlyError` unless the store was opened for writing."""

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        ...

    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the objects under a prefix."""
        ...


class ZarrView(Store):
    """A read-only `zarr.abc.store.Store` over a key-value store."""

    supports_writes = False
    supports_deletes = False

    def __init__(self, store: Readable) -> None:
        super().__init__(read_only=True)
        self._store = store

    def __eq__(self, value: object) -> bool:
        return isinstance(value, ZarrView) and self._store == value._store

    def __hash__(self) -> int:
        return hash((ZarrView, str(self._store.url)))

    def __str__(self) -> str:
        return f"{self._store.url}"

    def __repr__(self) -> str:
        return f"ZarrView({str(self)!r})"

    @property
    def supports_listing(self) -> bool:
        """Whether the members of a group can be listed."""
        return self._store.has_listing

    def with_read_only(self, read_only: bool = False) -> "ZarrView":
        """Return a read-only view; a writable view is not supported."""
        if not read_only:
            self._store.check_writable()
            message = f"{self._store.url} is written through its collection; this view of it only reads"
            raise ValueError(message)
        return ZarrView(self._store)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return an object, or the requested byte range of it; None if it does not exist."""
        prototype = prototype or default_buffer_prototype()
        data = (await self._store.get([_read(key, byte_range)]))[0]
        if data is not None and isinstance(byte_range, SuffixByteRequest):
            data = data[-byte_range.suffix :]
        return None if data is None else prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several objects or byte ranges."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        return (await self._store.get([Read(key, length=0)]))[0] is not None

    async def set(self, key: str, value: Buffer) -> None:  # noqa: ARG002 - zarr's signature
        """Raise an error: a collection is written only through its own transactions."""
        self._check_writable()

    async def delete(self, key: str) -> None:  # noqa: ARG002 - zarr's signature
        """Raise an error: a collection is written only through its own transactions."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """Yield every key."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield every key that starts with `prefix`."""
        folder = prefix[: prefix.rfind("/") + 1]
        async for entry in self._store.list(folder, recursive=True):
            if entry.key.startswith(prefix):
                yield entry.key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly below `prefix`."""
        folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        async for entry in self._store.list(folder):
            yield entry.key.removeprefix(folder).rstrip("/")


def _read(key: str, byte_range: ByteRequest | None) -> Read:
    if isinstance(byte_range, RangeByteRequest):
        return Read(key, offset=byte_range.start, length=byte_range.end - byte_range.start)
    if isinstance(byte_range, OffsetByteRequest):
        return Read(key, offset=byte_range.offset)
    return Read(key)
