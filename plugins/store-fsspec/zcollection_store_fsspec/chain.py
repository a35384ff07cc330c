"""URL chains of fsspec: ``zip://folder::simplecache::s3://bucket/x.zip``."""

from typing import Any, Final

import fsspec
from attrs import frozen
from fsspec.archive import AbstractArchiveFileSystem
from fsspec.implementations.cached import CachingFileSystem, SimpleCacheFileSystem, WholeFileCacheFileSystem
from fsspec.registry import known_implementations

from zcollection.plugin import LocationError, MissingDependencyError, StoreURL, accepted

_LINK: Final = "::"
_ANY: Final = "fsspec+"
"""The prefix of a scheme that names any protocol of fsspec."""


@frozen
class Link:
    """A link of a URL chain.

    Attributes
    ----------
    protocol
        The protocol of the file system in fsspec.
    path
        The path in the file system; excluded from the repr because it may contain credentials.
    kind
        The class of the file system.
    """

    protocol: str
    path: str
    kind: type[Any]

    def __repr__(self) -> str:
        return f"Link({self.protocol!r})"

    @property
    def text(self) -> str:
        """The link as fsspec accepts it."""
        return self.path if self.protocol == "file" else f"{self.protocol}://{self.path}"

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive file."""
        return issubclass(self.kind, AbstractArchiveFileSystem)

    @property
    def is_cache(self) -> bool:
        """Whether it is a cache."""
        return issubclass(self.kind, CachingFileSystem)

    @property
    def caches_parts(self) -> bool:
        """Whether it caches parts of a file, which may belong to different versions of the file."""
        return self.is_cache and not issubclass(self.kind, SimpleCacheFileSystem | WholeFileCacheFileSystem)


def links_of(url: StoreURL) -> tuple[Link, ...]:
    """Return the links of a chain; a local path is made absolute.

    Raises
    ------
    LocationError
        The URL has parameters, or a link that fsspec does not know.
    MissingDependencyError
        A link needs a package that is not installed.
    """
    if url.query:
        message = (
            f"{url} has parameters: {', '.join(url.query)}; pass them in storage_options, under the name of their link, "
            f"such as {{'https': {{'params': {{…}}}}}}"
        )
        raise LocationError(message)
    scheme = url.scheme.removeprefix(_ANY)
    parts = f"{scheme}{'' if url.location.startswith(_LINK) else '://'}{url.location}".split(_LINK)
    middle = [text if "://" in text else f"{text}://" for text in parts[:-1]]
    return tuple(_link(url, text) for text in [*middle, _absolute(parts[-1])])


def _absolute(text: str) -> str:
    """Return the last link of a chain; a local path becomes a ``file://`` URL with an absolute path."""
    if "://" in text and not text.lower().startswith("file:"):
        return text
    return f"file://{StoreURL.parse(text).location}" if text else "file://"


def _link(url: StoreURL, text: str) -> Link:
    protocol, _, path = text.partition("://")
    try:
        return Link(protocol, path, fsspec.get_filesystem_class(protocol))
    except ImportError:
        needs = known_implementations.get(protocol, {}).get("err", "see the documentation of fsspec")
        problem: Exception = MissingDependencyError(
            f"the link {protocol!r} of {url} needs a package that is not installed: {needs}"
        )
    except ValueError:
        known = accepted(protocol, sorted(known_implementations))
        problem = LocationError(f"{url} has the link {protocol!r}, which fsspec does not know; {known}")
    raise problem


def as_url(links: tuple[Link, ...]) -> str:
    """Return the links as a chain for fsspec."""
    return _LINK.join(link.text for link in links)
