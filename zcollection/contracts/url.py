"""The URL of a collection: a local path by RFC 8089, any other place as its store understands it."""

import os
import re
from typing import Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from attrs import evolve, field, frozen

from zcollection.contracts.local_path import absolute, is_windows, with_slashes
from zcollection.errors import LocationError, printable

FILE: Final = "file"
"""Scheme of local paths."""

LINK: Final = "::"
"""What stands between the links of a chain."""

_HOSTS: Final = frozenset({"", "localhost"})
_SHORT: Final = re.compile(r"^file:(?=/(?!/))", re.IGNORECASE)
"""How RFC 8089 also begins the URL of a local path: without a host."""

_CHAIN: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(::.*)", re.DOTALL)
"""How a chain begins, as fsspec has them: a link without a path of its own, such as ``zip::``, and the next ones."""

_CREDENTIALS: Final = re.compile(r"://[^/]*@")
"""What stands before a host, in whichever link."""

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""What names a server of shared directories, in a URL of Windows."""


@frozen
class StoreURL:
    """The URL of a collection.

    Attributes
    ----------
    scheme
        What decides the store.
    location
        What follows ``scheme://``, without query; may hold credentials, which no text of it shows. Of ``file://`` it is
        the absolute path of this system, decoded. Of a chain such as ``zip::s3://bucket/x.zip`` or ``zip://folder::x.zip`` it has the other
        links, each after ``::``.
    query
        Parameters behind ``?``, which hold no credential: `str` shows them, messages do not.

    Examples
    --------
    >>> str(StoreURL.parse("/data/pass 1"))
    'file:///data/pass%201'
    >>> StoreURL.parse("file://localhost/data/pass%201").location
    '/data/pass 1'
    >>> str(StoreURL.parse("s3://key:secret@host/bucket"))
    's3://***@host/bucket'
    >>> StoreURL.parse("zip::s3://bucket/x.zip").location
    '::s3://bucket/x.zip'
    """

    scheme: str
    location: str = field(repr=False)
    query: dict[str, str] = field(factory=dict, repr=False, hash=False)

    @classmethod
    def parse(cls, url: "str | os.PathLike[str] | StoreURL") -> "StoreURL":
        """Parse a URL; a text without a scheme, and a `pathlib.Path`, are local paths.

        Parameters
        ----------
        url
            ``scheme://location``. In ``file:///path`` and ``file://localhost/path``, ``%20`` is a space; in a path it is
            itself. A text that begins with ``name::`` is a chain; a directory that is called so is written ``./name::``.

        Raises
        ------
        LocationError
            The URL has no scheme that can be read, or no location, or names a file of another host.
        """
        if isinstance(url, StoreURL):
            return url
        if not isinstance(url, str):
            return cls.of_path(os.fspath(url))
        chain = _CHAIN.fullmatch(url)
        if chain is not None:
            return cls._of_chain(chain[1], chain[2])
        scheme, separator, rest = _SHORT.sub(f"{FILE}://", url).partition("://")
        if url and (not separator or "/" in scheme or _is_drive(scheme)):
            return cls.of_path(url)
        location, _, query = rest.partition("?")
        if not location or not scheme or not all(character.isalnum() or character in "+-." for character in scheme):
            message = f"{_without_credentials(url)!r} is not the URL of a collection; accepted: 'scheme://location', or a local path"
            raise LocationError(message)
        found = cls._of_file(location) if scheme.lower() == FILE else cls(scheme.lower(), location)
        return evolve(found, query=dict(parse_qsl(query, keep_blank_values=True)))

    @classmethod
    def of_path(cls, path: str) -> Self:
        """Return the URL of a local path: ``~`` is the home directory, and all else is taken literally.

        Parameters
        ----------
        path
            Absolute, or relative to the working directory as it is now.

        Raises
        ------
        LocationError
            No directory can have such a path, or it looks like a URL or, on other systems, a path of Windows.
        """
        return cls(FILE, absolute(path))

    @classmethod
    def _of_chain(cls, scheme: str, links: str) -> Self:
        """Return the URL of a chain; a path of the last link, which is no URL, has no parameters."""
        location, _, query = links.partition("?") if "://" in links else (links, "", "")
        return cls(scheme.lower(), location, dict(parse_qsl(query, keep_blank_values=True)))

    @classmethod
    def _of_file(cls, location: str) -> Self:
        host, slash, path = location.partition("/")
        if is_windows() and slash and host.lower() not in _HOSTS and _HOST.fullmatch(host):
            return cls.of_path(f"//{host}/{unquote(path, errors='surrogateescape')}")
        if host.lower() not in _HOSTS or not slash:
            message = (
                f"{_without_credentials(f'{FILE}://{location}')!r} names the host {host.rpartition('@')[2]!r}; accepted: "
                f"'file:///path' or 'file://localhost/path', with an absolute path; any other path without 'file://'"
            )
            raise LocationError(message)
        return cls.of_path(unquote(slash + path, errors="surrogateescape"))

    def __str__(self) -> str:
        """Return a URL that opens the same collection, but for credentials."""
        return self._text + (f"?{urlencode(self.query, errors='surrogatepass')}" if self.query else "")

    @property
    def _text(self) -> str:
        if self.scheme == FILE:
            path = with_slashes(self.location)
            return f"{FILE}:{'' if is_windows() and path.startswith('//') else '//'}{_quoted(path)}"
        separator = "" if self.location.startswith(LINK) else "://"
        return _without_credentials(f"{self.scheme}{separator}{self.location}")

    def __format__(self, spec: str) -> str:
        """Return it as messages show it."""
        return format(printable(self._text), spec)

    def __repr__(self) -> str:
        return f"StoreURL({self._text!r})"


def _quoted(path: str) -> str:
    """Return a path in percent-encoding; the colon behind a drive of Windows stands for itself."""
    return quote(os.fsencode(path), safe="/:" if is_windows() else "/")


def _is_drive(scheme: str) -> bool:
    return is_windows() and len(scheme) == 1


def is_chain(text: str) -> bool:
    """Return whether a text begins as a chain of places does, such as ``zip::x.zip``.

    Examples
    --------
    >>> is_chain("zip::/data/x.zip"), is_chain("s3://bucket/a::b"), is_chain("./zip::x")
    (True, False, False)
    """
    return _CHAIN.fullmatch(text) is not None


def _without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("://***@", text)
