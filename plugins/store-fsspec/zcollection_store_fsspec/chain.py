"""Chains of places, as fsspec has them: ``zip://folder::simplecache::s3://bucket/x.zip``."""

from typing import Any, Final

import fsspec
from attrs import frozen
from fsspec.archive import AbstractArchiveFileSystem
from fsspec.implementations.cached import CachingFileSystem, SimpleCacheFileSystem, WholeFileCacheFileSystem
from fsspec.registry import known_implementations

from zcollection.plugin import LocationError, MissingDependencyError, StoreURL, accepted

_LINK: Final = "::"
_ANY: Final = "fsspec+"
"""How the scheme begins that names the protocol of any file system."""


@frozen
class Link:
    """One link of a chain.

    Attributes
    ----------
    protocol
        What fsspec calls the file system.
    path
        In it; may hold credentials, and no repr shows it.
    kind
        Class of the file system.
    """

    protocol: str
    path: str
    kind: type[Any]

    def __repr__(self) -> str:
        return f"Link({self.protocol!r})"

    @property
    def text(self) -> str:
        """The link as fsspec takes it."""
        return self.path if self.protocol == "file" else f"{self.protocol}://{self.path}"

    @property
    def is_archive(self) -> bool:
        """Whether it is one file that holds others."""
        return issubclass(self.kind, AbstractArchiveFileSystem)

    @property
    def is_cache(self) -> bool:
        """Whether it keeps what it has read, and gives it out again."""
        return issubclass(self.kind, CachingFileSystem)

    @property
    def keeps_parts(self) -> bool:
        """Whether it keeps parts of a file, which may be of different versions of it."""
        return self.is_cache and not issubclass(self.kind, SimpleCacheFileSystem | WholeFileCacheFileSystem)


def links_of(url: StoreURL) -> tuple[Link, ...]:
    """Return the links of a chain, that of a local file with an absolute path.

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
    texts = f"{scheme}{'' if url.location.startswith(_LINK) else '://'}{url.location}".split(_LINK)
    middle = [text if "://" in text else f"{text}://" for text in texts[:-1]]
    return tuple(_link(url, text) for text in [*middle, _absolute(texts[-1])])


def _absolute(text: str) -> str:
    """Return the last link of a chain, where it is no URL, or one of a local file, as such with an absolute path."""
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
    """Return links as fsspec takes them, a chain."""
    return _LINK.join(link.text for link in links)
