"""File systems of fsspec, opened without listing caches and called on threads."""

import errno
import io
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import fsspec
from anyio import to_thread
from attrs import field, frozen
from fsspec.dircache import DirCache
from zcollection_store_object.driver import Answer, RequestError

from zcollection.plugin import Listed
from zcollection_store_fsspec.causes import ABSENT, NO_ARCHIVE, NO_PARTS, ONLY_READ, failure_of
from zcollection_store_fsspec.chain import Link, as_url
from zcollection_store_fsspec.options import Options

T = TypeVar("T")

_AHEAD: Final = 2**18
"""The buffer size, in bytes, for reading the directory of an archive."""

_OWN: Final[dict[str, Any]] = {"skip_instance_cache": True}
"""Instances are not shared: fsspec would share their caches."""


class Once(Generic[T]):
    """A value that is created at the first access, thread-safe; a failure is not cached.

    Parameters
    ----------
    make
        The function that creates the value.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return the value."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


@frozen
class Place:
    """A file or a directory of a file system.

    Attributes
    ----------
    system
        The file system.
    path
        The path in the file system.
    """

    system: Any = field(repr=False)
    path: str = field(repr=False)

    def below(self, key: str) -> "Place":
        """Return a file or directory under it."""
        return Place(self.system, f"{self.path.rstrip('/')}/{key}" if self.path else key)

    @property
    def info(self) -> dict[str, Any]:
        """The information of the file system about it."""
        found: dict[str, Any] = self.system.info(self.path)
        return found

    def read(self) -> bytes:
        """Return its bytes."""
        data: bytes = self.system.cat_file(self.path)
        return data

    def part(self, start: int, end: int | None) -> bytes:
        """Return a range of its bytes, cut at the end of the file."""
        try:
            data: bytes = self.system.cat_file(self.path, start=start, end=end)
        except ABSENT:
            raise
        except (OSError, ValueError):  # some raise for a range that begins at the end of the file
            if (self.info["size"] or 0) > start:
                raise
            return b""
        if end is not None and len(data) > end - start:
            raise RequestError(cause=NO_PARTS)
        return data


class Parts(io.RawIOBase):
    """A raw file object for modules of the standard library; each read is a request for a range.

    Parameters
    ----------
    place
        The file.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        size = place.info["size"]
        if size is None:
            raise RequestError(cause=NO_PARTS)
        self.size: int = size
        self._position = 0

    def buffered(self) -> io.BufferedReader:
        """Return the file with a read buffer."""
        return io.BufferedReader(self, _AHEAD)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it; raise `OSError` if it is before the beginning."""
        position = offset + (0, self._position, self.size)[whence]
        if position < 0:
            raise OSError(errno.EINVAL, "before the beginning")
        self._position = position
        return position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes read."""
        end = min(self._position + len(buffer), self.size)
        data = self._part(end) if end > self._position else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _part(self, end: int) -> bytes:
        """Return bytes up to a position. Failures are not `OSError`, which the archive modules would ignore."""
        try:
            return self._place.part(self._position, end)
        except ABSENT:
            failure = RequestError(cause=NO_ARCHIVE)
        except Exception as error:  # noqa: BLE001 - a file system of fsspec may raise anything
            failure = failure_of(error)
        raise failure


def opened(links: tuple[Link, ...], options: Options) -> Place:
    """Open a chain. Listing caches are disabled, because they would be outdated."""
    given = {link.protocol: {**options.links.get(link.protocol, {}), **_OWN} for link in links}
    system, path = fsspec.core.url_to_fs(as_url(links), **given)
    inner = system
    while inner is not None:
        listings = getattr(inner, "dircache", None)
        if isinstance(listings, DirCache):
            listings.use_listings_cache = False
        inner = getattr(inner, "fs", None)
    return Place(system, path)


async def on_thread(request: Callable[[], T]) -> T | None:
    """Call a blocking function on a thread; return None if the file does not exist.

    The failure is raised outside the handler, without a chained exception: those of libraries quote the request.
    """

    def call() -> T | None:
        try:
            return request()
        except ABSENT:
            return None
        except Exception as error:  # noqa: BLE001 - a file system of fsspec may raise anything
            failure = failure_of(error)
        raise failure

    return await to_thread.run_sync(call)


class Reader:
    """The write methods of a read-only driver, all of which raise."""

    async def put(self, key: str, data: bytes) -> None:
        """Raise: the store is read-only."""
        raise _rejected(key, data)

    async def create(self, key: str, data: bytes) -> Answer:
        """Raise: the store is read-only."""
        raise _rejected(key, data)

    async def copy(self, source: str, target: str) -> bool:
        """Raise: the store is read-only."""
        raise _rejected(source, target)

    async def delete(self, keys: Sequence[str]) -> None:
        """Raise: the store is read-only."""
        raise _rejected(keys)

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Raise: listings of fsspec may be outdated."""
        raise _rejected(prefix, after, recursive)
        yield ()


def _rejected(*_asked: object) -> RequestError:
    return RequestError(cause=ONLY_READ)
