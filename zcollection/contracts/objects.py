"""Objects: keys and bytes, as the engine reads and writes them in every store."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

from attrs import Factory, field, frozen

from zcollection.model.documents import LARGEST_DOCUMENT


@frozen
class Read:
    """A read of one object, or of a range of its bytes.

    Attributes
    ----------
    key
        The object.
    offset
        First byte.
    length
        Number of bytes; None reads to the end.
    most
        Number of bytes after which a store stops, for nobody believes that the object may have so many: one that is
        damaged may be of any size. By default that of a document, and None for the chunk of an array.
    """

    key: str
    offset: int = field(default=0, kw_only=True)
    length: int | None = field(default=None, kw_only=True)
    most: int | None = field(default=Factory(lambda self: _most(self.key), takes_self=True), kw_only=True)

    @property
    def limit(self) -> int | None:
        """Number of bytes that are read at most, however large the object is."""
        length, most = self.length, self.most
        if length is None or most is None:
            return most if length is None else length
        return min(length, most)

    def part(self, data: bytes | None) -> bytes | None:
        """Return what is read of an object with these bytes; None where there is no object.

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
        The object's key; a common prefix, in a listing that is not recursive, ends with "/".
    size
        Bytes; 0 for a prefix.
    modified
        Time of the last change in seconds since 1970-01-01 UTC, by the store's own clock; None for a prefix.
    etag
        What changes whenever the object does, where the store has it.
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
    """The bytes of one object in pieces that nobody has copied together: a chunk, and its checksum.

    Attributes
    ----------
    parts
        They themselves, in order.
    """

    parts: tuple[bytes, ...] = field(repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


class Blocking(Protocol):
    """Plain, blocking access: a local file is read where it is decoded.

    Each method is that of `KeyStore`, for any thread: a worker's, or that of a blocking caller, which no event loop knows of.
    One that has an attribute ``takes_pieces`` that is true is given `Pieces` to stage where an object is large.
    """

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    def stage(self, items: Mapping[str, bytes]) -> None:
        """Write objects that nobody reads before they are published."""

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, each from its first key to its second."""

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield what lies under a prefix, sorted by key."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and all below keys that end with "/"."""


class Objects(ABC):
    """Keys, with "/" between their parts, and bytes: what is read, decoded, encoded and written, wherever it lies.

    Attributes
    ----------
    has_listing
        Whether `list` lists what is there. A store that only reads may lack it, such as one of a web server: then versions are
        asked for one after the other, and partitions are those that the catalog and the log name.
    """

    has_listing: ClassVar[bool] = True

    @property
    def blocking(self) -> Blocking | None:
        """Blocking access, or None where access is naturally asynchronous."""
        return None

    @abstractmethod
    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""

    @abstractmethod
    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write objects, in place of any that exist; nobody ever sees part of one."""

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new objects that nobody reads before they are published: they need not appear whole."""
        await self.put(items)

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List what lies under `prefix` ("" or ending with "/"), sorted by key.

        Parameters
        ----------
        prefix
            Where to look; a prefix under which nothing lies lists as empty.
        after
            List only keys greater than this one.
        recursive
            List every object below; else objects directly below, and common prefixes.
        """

    @abstractmethod
    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects, each from its first key to its second, sharing the bytes where the store can.

        Raises
        ------
        StoreError
            A source does not exist.
        """

    @abstractmethod
    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that do not exist are passed over. A key ending with "/" deletes all below it."""
