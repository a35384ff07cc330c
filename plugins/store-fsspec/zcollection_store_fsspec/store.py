"""Stores of URL chains of fsspec, in which each object of a collection is a separate file."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from attrs import evolve, field, frozen
from zcollection_store_object.client import options_error
from zcollection_store_object.driver import Driver
from zcollection_store_object.published import PublishedStore

from zcollection.plugin import LocationError, Mode, Read, StoreURL
from zcollection_store_fsspec.chain import Link, links_of
from zcollection_store_fsspec.object_cache import CACHED_PROTOCOLS, ObjectCache
from zcollection_store_fsspec.options import Options
from zcollection_store_fsspec.systems import Once, Place, Reader, on_thread, opened

_CACHES: Final = ("simplecache", "filecache")
_FOLDER: Final = "cache_storage"
_WEB: Final = frozenset({"http", "https"})
_LINK: Final = "::"


@frozen(kw_only=True)
class ChainStore(PublishedStore):
    """The files of a URL chain, for reading; subclasses define the accepted chains.

    Attributes
    ----------
    url
        The chain; a local path in it is absolute.
    read_only
        True.
    options
        The options; a pickle contains nothing else.
    """

    options: Options = field(factory=Options)

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a chain; this sends no request.

        Parameters
        ----------
        url
            The chain.
        mode
            "r".
        **options
            ``max_retries``, and for each link a mapping of fsspec options under the name of its protocol.

        Raises
        ------
        ReadOnlyError
            The mode is not "r".
        LocationError
            The chain is not supported; the message contains the reason.
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
        """Check that the store supports a chain; raise `LocationError` otherwise."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of the chain."""
        return links_of(self.url)


@frozen(kw_only=True)
class FsspecStore(ChainStore):
    """The files under a directory of any file system of fsspec, for reading.

    Attributes
    ----------
    url
        ``fsspec+protocol://path``, ``github://path``, or ``simplecache::protocol://path`` of object storage.
    read_only
        True.
    options
        The options; a pickle contains nothing else.
    """

    has_listing: ClassVar[bool] = False
    access: ClassVar[str] = "through fsspec"

    @classmethod
    def check(cls, url: StoreURL, links: tuple[Link, ...]) -> None:
        """Reject a chain with archives, web servers, or caches that may return outdated bytes."""
        if links[0].protocol in _CACHES:
            _check_object_cache(url, links)
            return
        for link in links:
            _check_link(url, link)

    @property
    def key_prefix(self) -> str:
        """The prefix of every key; empty, because the driver is specific to the directory."""
        return ""

    def connect(self) -> Driver:
        """Return a new driver, whose cache is not shared."""
        first, *rest = self.links
        if first.protocol not in _CACHES:
            return Files(Once(lambda: opened(self.links, self.options)), None)
        folder = self.options.links.get(first.protocol, {}).get(_FOLDER)
        return Files(Once(lambda: opened(tuple(rest), self.options)), ObjectCache(folder))

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, **options: Any) -> Self:
        """Return the store of a chain; see `ChainStore.open`."""
        if url.scheme == "fsspec":
            raise _unsupported(url, "names no protocol", "'fsspec+protocol://path', such as 'fsspec+sftp://host/path'")
        for name in _CACHES:
            _check_cache(url, name, options.get(name))
        return await super().open(url, mode=mode, **options)


def _check_link(url: StoreURL, link: Link) -> None:
    if link.is_cache:
        raise _unsupported(
            url,
            f"caches by {link.protocol!r}: after a partition is replaced, it would return outdated chunks",
            f"the chain without it; 'simplecache::' first, before object storage ({', '.join(sorted(CACHED_PROTOCOLS))}), "
            f"whose servers report changes of objects; or 'zip::simplecache::…', a copy of a whole archive",
        )
    if link.is_archive:
        raise _unsupported(url, f"reads an archive, by {link.protocol!r}", "'zip::…' and 'tar::…', as the first link")
    if link.protocol in _WEB:
        raise _unsupported(
            url, f"reads a web server, by {link.protocol!r}", "the URL alone, which zcollection-store-http reads"
        )


def _check_object_cache(url: StoreURL, links: tuple[Link, ...]) -> None:
    """Reject a cache of objects whose server does not report changes reliably."""
    if links[0].path or len(links) != 2 or links[1].protocol not in CACHED_PROTOCOLS:
        raise _unsupported(
            url,
            f"caches by {links[0].protocol!r}, without a server that reports changes: after a partition is replaced, it would "
            f"return outdated chunks",
            f"'{links[0].protocol}::protocol://bucket/path' of object storage ({', '.join(sorted(CACHED_PROTOCOLS))}); the chain without "
            f"it; or 'zip::{links[0].protocol}::…', a copy of a whole archive",
        )


def _check_cache(url: StoreURL, name: str, options: Any) -> None:
    if isinstance(options, Mapping) and url.scheme == name:
        for option, value in options.items():
            if option != _FOLDER or not isinstance(value, str):
                raise options_error(url, f"{option!r} for {name!r}; accepted: {_FOLDER!r}, the path of a folder")


def _unsupported(url: StoreURL, problem: str, accepted: str) -> LocationError:
    return LocationError(f"{url} {problem}; accepted: {accepted}")


@frozen
class Files(Reader):
    """The driver of a directory.

    Attributes
    ----------
    directory
        The directory.
    cache
        The cache of chunks; None without a cache.
    """

    directory: Once[Place]
    cache: ObjectCache | None

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of a file."""

        def get() -> bytes:
            place = self.directory.get().below(key)
            if self.cache is not None and "/c/" in f"{key}/":
                return Read(key, offset=offset, length=length, most=most).part(self.cache.read(place)) or b""
            return _read(place, offset, most if length is None else length)

        return await on_thread(get)


def _read(place: Place, offset: int, limit: int | None) -> bytes:
    if limit == 0:
        if place.info["type"] != "file":
            raise IsADirectoryError
        return b""
    if not offset and limit is None:
        return place.read()
    return place.part(offset, None if limit is None else offset + limit)
