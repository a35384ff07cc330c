"""What lies where fsspec reads: chains of which each object of a collection is a file of its own."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from attrs import evolve, field, frozen
from zcollection_store_object.client import refused
from zcollection_store_object.driver import Driver
from zcollection_store_object.published import PublishedStore

from zcollection.plugin import LocationError, Mode, Read, StoreURL
from zcollection_store_fsspec.chain import Link, links_of
from zcollection_store_fsspec.kept import KEPT, Kept
from zcollection_store_fsspec.options import Options
from zcollection_store_fsspec.systems import Once, Place, Reader, asked, opened

_CACHES: Final = ("simplecache", "filecache")
_FOLDER: Final = "cache_storage"
_WEB: Final = frozenset({"http", "https"})
_LINK: Final = "::"


@frozen(kw_only=True)
class ChainStore(PublishedStore):
    """What a chain names, for reading; a subclass says which chains.

    Attributes
    ----------
    url
        The chain; a local path in it is absolute.
    read_only
        True.
    options
        What the caller passed; a pickle holds nothing else.
    """

    options: Options = field(factory=Options)

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a chain; nothing of it is looked at.

        Parameters
        ----------
        url
            The chain.
        mode
            "r".
        **options
            ``max_retries``, and a mapping for each link, under the name of its protocol, as fsspec takes them.

        Raises
        ------
        ReadOnlyError
            It is to be written to.
        LocationError
            The chain is none that is read, for the reason that is said.
        MissingDependencyError
            A link needs a package that is not installed.
        PluginConfigurationError
            An option is unknown, or its value is not accepted.
        """
        links = links_of(url)
        cls.check(url, links)
        absolute = evolve(url, location=_LINK.join([links[0].path, *(link.text for link in links[1:])]))
        return cls(url=absolute, read_only=True, options=Options.of(url, links, options)).in_mode(mode)

    @classmethod
    def check(cls, url: StoreURL, links: tuple[Link, ...]) -> None:
        """Refuse, with `LocationError`, a chain that is not read so."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of the chain."""
        return links_of(self.url)


@frozen(kw_only=True)
class FsspecStore(ChainStore):
    """The files below a directory of any file system of fsspec, for reading.

    Attributes
    ----------
    url
        ``fsspec+protocol://path``, ``github://path``, or ``simplecache::protocol://path`` of object storage.
    read_only
        True.
    options
        What the caller passed; a pickle holds nothing else.
    """

    has_listing: ClassVar[bool] = False
    by: ClassVar[str] = "through fsspec"

    @classmethod
    def check(cls, url: StoreURL, links: tuple[Link, ...]) -> None:
        """Refuse a chain that reads archives or web servers, or keeps what may be of another version."""
        if links[0].protocol in _CACHES:
            _check_kept(url, links)
            return
        for link in links:
            _check_link(url, link)

    @property
    def place(self) -> str:
        """Prefix of every key: the driver is one of the directory."""
        return ""

    def connect(self) -> Driver:
        """Return a driver of its own: what it keeps is nobody else's."""
        first, *others = self.links
        if first.protocol not in _CACHES:
            return Files(Once(lambda: opened(self.links, self.options)), None)
        folder = self.options.links.get(first.protocol, {}).get(_FOLDER)
        return Files(Once(lambda: opened(tuple(others), self.options)), Kept(folder))

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a chain; see `ChainStore.open`."""
        if url.scheme == "fsspec":
            raise _refused(url, "names no protocol", "'fsspec+protocol://path', such as 'fsspec+sftp://host/path'")
        for name in _CACHES:
            _check_cache(url, name, options.get(name))
        return await super().open(url, mode=mode, **options)


def _check_link(url: StoreURL, link: Link) -> None:
    if link.is_cache:
        raise _refused(
            url,
            f"keeps, by {link.protocol!r}, what it has read: where a partition is replaced, old chunks would be read for new",
            f"the chain without it; 'simplecache::' first, before object storage ({', '.join(sorted(KEPT))}), "
            f"whose servers are asked whether an object is the same; or 'zip::simplecache::…', a copy of a whole archive",
        )
    if link.is_archive:
        raise _refused(url, f"reads an archive, by {link.protocol!r}", "'zip::…' and 'tar::…', as the first link")
    if link.protocol in _WEB:
        raise _refused(
            url, f"reads a web server, by {link.protocol!r}", "the URL alone, which zcollection-store-http reads"
        )


def _check_kept(url: StoreURL, links: tuple[Link, ...]) -> None:
    """Refuse to keep objects of a server that does not say for certain whether they are the same."""
    if links[0].path or len(links) != 2 or links[1].protocol not in KEPT:
        raise _refused(
            url,
            f"keeps, by {links[0].protocol!r}, what no server says to be the same: where a partition is replaced, old "
            f"chunks would be read for new",
            f"'{links[0].protocol}::protocol://bucket/path' of object storage ({', '.join(sorted(KEPT))}); the chain without "
            f"it; or 'zip::{links[0].protocol}::…', a copy of a whole archive",
        )


def _check_cache(url: StoreURL, name: str, options: Any) -> None:
    if isinstance(options, Mapping) and url.scheme == name:
        for option, value in options.items():
            if option != _FOLDER or not isinstance(value, str):
                raise refused(url, f"{option!r} for {name!r}; accepted: {_FOLDER!r}, the path of a folder")


def _refused(url: StoreURL, problem: str, wanted: str) -> LocationError:
    return LocationError(f"{url} {problem}; accepted: {wanted}")


@frozen
class Files(Reader):
    """The driver of a directory.

    Attributes
    ----------
    directory
        The directory.
    kept
        Where chunks are kept; None where they are not.
    """

    directory: Once[Place]
    kept: Kept | None

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of a file."""

        def get() -> bytes:
            place = self.directory.get().below(key)
            if self.kept is not None and "/c/" in f"{key}/":
                return Read(key, offset=offset, length=length, most=most).part(self.kept.read(place)) or b""
            return _read(place, offset, most if length is None else length)

        return await asked(get)


def _read(place: Place, offset: int, limit: int | None) -> bytes:
    if limit == 0:
        if place.info["type"] != "file":
            raise IsADirectoryError
        return b""
    if not offset and limit is None:
        return place.read()
    return place.part(offset, None if limit is None else offset + limit)
