"""Archives: one file that holds a collection, wherever fsspec reads it."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, Final, Protocol

from attrs import field, frozen
from zcollection_store_object.driver import Driver, RequestError
from zcollection_store_object.listing import folded

from zcollection.plugin import Listed, LocationError, Read, StoreURL, check_prefixes
from zcollection_store_fsspec.causes import ABSENT, NO_ARCHIVE
from zcollection_store_fsspec.chain import Link
from zcollection_store_fsspec.store import ChainStore
from zcollection_store_fsspec.systems import Once, Place, Reader, asked, opened
from zcollection_store_fsspec.tars import Tar
from zcollection_store_fsspec.zips import Zip

_PAGE: Final = 1000


class Members(Protocol):
    """What an archive holds, as it was when it was opened."""

    @property
    def entries(self) -> list[Listed]:
        """The files, in order of their keys."""

    def read(self, key: str, most: int | None) -> bytes:
        """Return the bytes of a file, which are those of the archive that was opened; a `KeyError` where there is none.

        Of one with more than `most` bytes, which nobody believes, no more are read.
        """


_KINDS: Final[dict[str, Callable[[Place], Members]]] = {"zip": Zip, "tar": Tar}


@frozen(kw_only=True)
class ArchiveStore(ChainStore):
    """What an archive holds, or a folder in it, for reading.

    Attributes
    ----------
    url
        ``zip::path``, ``zip://folder::path``, ``zip::protocol://…``; the same with ``tar``.
    read_only
        True.
    options
        What the caller passed; a pickle holds nothing else.
    """

    by: ClassVar[str] = "out of an archive"

    @classmethod
    def check(cls, url: StoreURL, links: tuple[Link, ...]) -> None:
        """Refuse a chain that names no archive, and a tar archive that could be replaced in part without a sign of it."""
        name, folder = links[0].protocol, links[0].path.strip("/")
        if len(links) == 1 or not links[-1].path.strip("/"):
            wanted = f"'{name}::/path/x.{name}', '{name}://folder::/path/x.{name}', '{name}::s3://bucket/x.{name}'"
            message = f"{url} names no archive; accepted: {wanted}"
            raise LocationError(message)
        if folder:
            check_prefixes(url, f"{folder}/")
        unsafe = next((link for link in links[1:] if link.keeps_parts or link.is_archive), None)
        if name == "tar" and unsafe is not None:
            message = (
                f"{url} reads a tar archive by {unsafe.protocol!r}, which does not tell when it is replaced; accepted: a zip "
                f"archive, whose parts have checksums; 'tar::protocol://…', or 'tar::simplecache::…'"
            )
            raise LocationError(message)

    @property
    def place(self) -> str:
        """Prefix of every key: the folder in the archive."""
        folder = self.links[0].path.strip("/")
        return f"{folder}/" if folder else ""

    def connect(self) -> Driver:
        """Return a driver of its own: another one may find another archive there."""
        kind, *others = self.links
        return Archive(Once(lambda: _opened(kind.protocol, opened(tuple(others), self.options))))


def _opened(kind: str, place: Place) -> Members:
    try:
        return _KINDS[kind](place)
    except ABSENT:
        failure = RequestError(cause=NO_ARCHIVE)
    raise failure


@frozen
class Archive(Reader):
    """The driver of an archive, whose contents are looked up once.

    Attributes
    ----------
    members
        What it holds.
    """

    members: Once[Members] = field(repr=False)

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of a file, cut out of all of them: by their whole they are known to be those that were archived."""
        read = Read(key, offset=offset, length=length, most=most)

        def get() -> bytes | None:
            members = self.members.get()
            try:
                return read.part(members.read(key, None if most is None else offset + most))
            except KeyError:
                return None

        return await asked(get)

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of what lies under a prefix."""
        members = await asked(self.members.get)
        entries = [entry for entry in members.entries if entry.key.startswith(prefix)] if members else []
        found = entries if recursive else folded(entries, prefix, after=after)
        wanted = [entry for entry in found if entry.key > after]
        for start in range(0, len(wanted), _PAGE):
            yield wanted[start : start + _PAGE]
