"""Archives: a single file that contains a collection, on any file system of fsspec."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, Final, Protocol

from attrs import field, frozen
from zcollection_store_object.driver import Driver, RequestError
from zcollection_store_object.listing import folded

from zcollection.plugin import Listed, LocationError, Read, StoreURL, check_prefixes
from zcollection_store_fsspec.causes import ABSENT, NO_ARCHIVE
from zcollection_store_fsspec.chain import Link
from zcollection_store_fsspec.store import ChainStore
from zcollection_store_fsspec.systems import Once, Place, Reader, on_thread, opened
from zcollection_store_fsspec.tars import Tar
from zcollection_store_fsspec.zips import Zip

_PAGE: Final = 1000


class Members(Protocol):
    """The contents of an archive at the time when it was opened."""

    @property
    def entries(self) -> list[Listed]:
        """The files, in order of their keys."""

    def read(self, key: str, most: int | None) -> bytes:
        """Return the bytes of a file of the archive that was opened; raise `KeyError` if there is none.

        At most `most` bytes are read.
        """


_KINDS: Final[dict[str, Callable[[Place], Members]]] = {"zip": Zip, "tar": Tar}


@frozen(kw_only=True)
class ArchiveStore(ChainStore):
    """The files of an archive, or of a folder in it, for reading.

    Attributes
    ----------
    url
        ``zip::path``, ``zip://folder::path``, ``zip::protocol://…``; the same with ``tar``.
    read_only
        True.
    options
        The options; a pickle contains nothing else.
    """

    access: ClassVar[str] = "from an archive"

    @classmethod
    def check(cls, url: StoreURL, links: tuple[Link, ...]) -> None:
        """Reject a chain without an archive, and a tar archive whose replacement could remain undetected."""
        name, folder = links[0].protocol, links[0].path.strip("/")
        if len(links) == 1 or not links[-1].path.strip("/"):
            forms = f"'{name}::/path/x.{name}', '{name}://folder::/path/x.{name}', '{name}::s3://bucket/x.{name}'"
            message = f"{url} names no archive; accepted: {forms}"
            raise LocationError(message)
        if folder:
            check_prefixes(url, f"{folder}/")
        unsafe = next((link for link in links[1:] if link.caches_parts or link.is_archive), None)
        if name == "tar" and unsafe is not None:
            message = (
                f"{url} reads a tar archive by {unsafe.protocol!r}, which does not detect a replacement; accepted: a zip "
                f"archive, whose parts have checksums; 'tar::protocol://…', or 'tar::simplecache::…'"
            )
            raise LocationError(message)

    @property
    def key_prefix(self) -> str:
        """The prefix of every key: the folder in the archive."""
        folder = self.links[0].path.strip("/")
        return f"{folder}/" if folder else ""

    def connect(self) -> Driver:
        """Return a new driver: the archive may have been replaced since another one was opened."""
        kind, *rest = self.links
        return Archive(Once(lambda: _opened(kind.protocol, opened(tuple(rest), self.options))))


def _opened(kind: str, place: Place) -> Members:
    try:
        return _KINDS[kind](place)
    except ABSENT:
        failure = RequestError(cause=NO_ARCHIVE)
    raise failure


@frozen
class Archive(Reader):
    """The driver of an archive, whose directory is read once.

    Attributes
    ----------
    members
        The contents of the archive.
    """

    members: Once[Members] = field(repr=False)

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of a file. The complete file is read, because its checksum covers all of it."""
        read = Read(key, offset=offset, length=length, most=most)

        def get() -> bytes | None:
            members = self.members.get()
            try:
                return read.part(members.read(key, None if most is None else offset + most))
            except KeyError:
                return None

        return await on_thread(get)

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of the files under a prefix."""
        members = await on_thread(self.members.get)
        entries = [entry for entry in members.entries if entry.key.startswith(prefix)] if members else []
        found = entries if recursive else folded(entries, prefix, after=after)
        selected = [entry for entry in found if entry.key > after]
        for start in range(0, len(selected), _PAGE):
            yield selected[start : start + _PAGE]
