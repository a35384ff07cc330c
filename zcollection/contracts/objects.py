"""Objects (keys with bytes) as the engine reads and writes them in every store."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

from attrs import Factory, field, frozen

from zcollection.model.documents import LARGEST_DOCUMENT


@frozen
class Read:
    """A read of one object, or of a byte range of it.

    Attributes
    ----------
    key
        Key of the object.
    offset
        First byte to read.
    length
        Number of bytes to read; None reads to the end.
    most
        Largest number of bytes that a store reads, so that a damaged, very large object does not exhaust the memory.
        The default is the largest size of a document, or None (no limit) for the chunk of an array.
    """

    key: str
    offset: int = field(default=0, kw_only=True)
    length: int | None = field(default=None, kw_only=True)
    most: int | None = field(default=Factory(lambda self: _most(self.key), takes_self=True), kw_only=True)

    @property
    def limit(self) -> int | None:
        """Largest number of bytes that the read returns, or None without a limit."""
        length, most = self.length, self.most
        if length is None or most is None:
            return most if length is None else length
        return min(length, most)

    def part(self, data: bytes | None) -> bytes | None:
        """Return the part of an object's bytes that this read selects; None if the object does not exist.

        Examples
        --------
        >>> Read("time/c/0", offset=1, length=2).part(b"abcd")
        b'bc'
        """
        if data is None:
            return None
        limit = self.limit
        return data[self.offset : None if limit is None else self.offset + limit]


def _most(key: str) -> int | None:
    return None if "/c/" in key or key.endswith("/c") else LARGEST_DOCUMENT + 1


@frozen(kw_only=True)
class Listed:
    """An entry of a listing.

    Attributes
    ----------
    key
        Key of the object, or a common prefix, which ends with "/", in a listing that is not recursive.
    size
        Size in bytes; 0 for a prefix.
    modified
        Time of the last change in seconds since 1970-01-01 UTC, by the clock of the store; None for a prefix.
    etag
        Identifier that changes with the content of the object; None if the store has none.
    """

    key: str
    size: int = 0
    modified: float | None = None
    etag: str | None = None

    @property
    def is_prefix(self) -> bool:
        """Whether this is a common prefix rather than an object."""
        return self.key.endswith("/")


@frozen(eq=False)
class Pieces:
    """The bytes of one object as several buffers that are not concatenated: a chunk and its checksum.

    Attributes
    ----------
    parts
        The buffers, in order.
    """

    parts: tuple[bytes, ...] = field(repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


class Blocking(Protocol):
    """Blocking access to a store: the thread that decodes a chunk also reads it, for example from a local file.

    Each method is the blocking form of the method of `KeyStore` with the same name. Any thread may call it: a worker, or
    the thread of a caller that runs no event loop. If the attribute ``takes_pieces`` exists and is true, `stage` receives
    large objects as `Pieces`.
    """

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write objects that are not read before they are published."""

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects; each pair is the key of the source and the key of the target."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the entries under a prefix, sorted by key."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""


class Objects(ABC):
    """A set of objects, each with a key (names joined by "/") and bytes, which the engine reads and writes.

    Attributes
    ----------
    has_listing
        Whether `list` lists the existing objects. A read-only store, such as a web server, may not support this. The
        kernel then probes versions one after the other, and finds partitions only through the catalog and the commit
        log.
    """

    has_listing: ClassVar[bool] = True

    @property
    def blocking(self) -> Blocking | None:
        """Blocking access, or None for a store whose access is asynchronous."""
        return None

    @abstractmethod
    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    @abstractmethod
    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, and replace existing ones, each atomically: no reader ever sees part of an object."""

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects that are not read before they are published; the writes need not be atomic."""
        await self.put(items)

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the entries under `prefix`, sorted by key.

        Parameters
        ----------
        prefix
            "", or a prefix that ends with "/". A prefix without objects gives an empty listing.
        after
            List only keys greater than this one.
        recursive
            True to list every object under the prefix; False to list the objects directly under it, and common prefixes.
        """

    @abstractmethod
    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects; a store that can share bytes, such as by hard links, does not copy them.

        Parameters
        ----------
        pairs
            The key of the source and the key of the target of each copy.

        Raises
        ------
        StoreError
            A source does not exist.
        """

    @abstractmethod
    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and ignore missing ones. A key that ends with "/" deletes every object under it."""
