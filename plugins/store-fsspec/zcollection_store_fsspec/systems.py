"""File systems of fsspec: opened without what they would keep of listings, and asked on threads."""

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
"""Bytes that are read at once of the directory of an archive."""

_OWN: Final[dict[str, Any]] = {"skip_instance_cache": True}
"""An instance is nobody else's: what it keeps is what was asked for here."""


class Once(Generic[T]):
    """What is made when it is first asked for, on whichever thread, and kept unless that fails.

    Parameters
    ----------
    make
        Makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def get(self) -> T:
        """Return it."""
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
        In it.
    """

    system: Any = field(repr=False)
    path: str = field(repr=False)

    def below(self, key: str) -> "Place":
        """Return what lies below."""
        return Place(self.system, f"{self.path.rstrip('/')}/{key}" if self.path else key)

    @property
    def info(self) -> dict[str, Any]:
        """What the file system says of it."""
        found: dict[str, Any] = self.system.info(self.path)
        return found

    def read(self) -> bytes:
        """Return its bytes."""
        data: bytes = self.system.cat_file(self.path)
        return data

    def part(self, start: int, end: int | None) -> bytes:
        """Return some of its bytes, as many as there are."""
        try:
            data: bytes = self.system.cat_file(self.path, start=start, end=end)
        except ABSENT:
            raise
        except (OSError, ValueError):  # as some do for a part that begins where the file ends
            if (self.info["size"] or 0) > start:
                raise
            return b""
        if end is not None and len(data) > end - start:
            raise RequestError(cause=NO_PARTS)
        return data


class Parts(io.RawIOBase):
    """A file of a file system as Python's own modules read files, part by part; each part is a request.

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
        """Return the file as one that reads ahead a little, from its beginning."""
        return io.BufferedReader(self, _AHEAD)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it; an `OSError` where it lies before the beginning, as of any file."""
        position = offset + (0, self._position, self.size)[whence]
        if position < 0:
            raise OSError(errno.EINVAL, "before the beginning")
        self._position = position
        return position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were."""
        end = min(self._position + len(buffer), self.size)
        data = self._part(end) if end > self._position else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _part(self, end: int) -> bytes:
        """Return bytes up to a position. Its failure is no `OSError`: modules that look for an archive would pass over it."""
        try:
            return self._place.part(self._position, end)
        except ABSENT:
            failure = RequestError(cause=NO_ARCHIVE)
        except Exception as error:  # noqa: BLE001 - a file system of fsspec may raise anything
            failure = failure_of(error)
        raise failure


def opened(links: tuple[Link, ...], options: Options) -> Place:
    """Return what links name. Nothing is kept of listings: they would be of another time than what they list."""
    given = {link.protocol: {**options.links.get(link.protocol, {}), **_OWN} for link in links}
    system, path = fsspec.core.url_to_fs(as_url(links), **given)
    inner = system
    while inner is not None:
        listings = getattr(inner, "dircache", None)
        if isinstance(listings, DirCache):
            listings.use_listings_cache = False
        inner = getattr(inner, "fs", None)
    return Place(system, path)


async def asked(request: Callable[[], T]) -> T | None:
    """Return the answer to a request that blocks, or None where there is no such file.

    The failure is raised outside of the handler: what libraries raise quotes the request, and is not to be chained.
    """

    def ask() -> T | None:
        try:
            return request()
        except ABSENT:
            return None
        except Exception as error:  # noqa: BLE001 - a file system of fsspec may raise anything
            failure = failure_of(error)
        raise failure

    return await to_thread.run_sync(ask)


class Reader:
    """What a driver has besides reading: it refuses, as the store has done before."""

    async def put(self, key: str, data: bytes) -> None:
        """Refuse."""
        raise _refused(key, data)

    async def create(self, key: str, data: bytes) -> Answer:
        """Refuse."""
        raise _refused(key, data)

    async def copy(self, source: str, target: str) -> bool:
        """Refuse."""
        raise _refused(source, target)

    async def delete(self, keys: Sequence[str]) -> None:
        """Refuse."""
        raise _refused(keys)

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Refuse: what fsspec lists may be of another time than what lies there."""
        raise _refused(prefix, after, recursive)
        yield ()


def _refused(*_asked: object) -> RequestError:
    return RequestError(cause=ONLY_READ)
