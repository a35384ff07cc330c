"""The URL of a collection: local paths follow RFC 8089, and every other URL follows the rules of its store."""

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
"""Separator of the links of a chained URL."""

_HOSTS: Final = frozenset({"", "localhost"})
_SHORT: Final = re.compile(r"^file:(?=/(?!/))", re.IGNORECASE)
"""Start of the short form that RFC 8089 allows for the URL of a local path: without a host."""

_CHAIN: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(::.*)", re.DOTALL)
"""A chained URL of fsspec: a link without a path, such as ``zip::``, and the links that follow."""

_CREDENTIALS: Final = re.compile(r"://[^/]*@")
"""Credentials before the host, in any link."""

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""Name of a server of shared directories in a URL on Windows."""


@frozen
class StoreURL:
    """The URL of a collection.

    Attributes
    ----------
    scheme
        The URL scheme, which selects the store.
    location
        The part after ``scheme://``, without the query. It may contain credentials, which are hidden whenever the URL is
        printed. For ``file://``, it is the decoded absolute path. For a chained URL, such as ``zip::s3://bucket/x.zip`` or
        ``zip://folder::x.zip``, it also contains the other links, each after ``::``.
    query
        Parameters after ``?``. They must not contain credentials: `str` shows them, although error messages do not.

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
        """Parse a URL; a string without a scheme, or a `pathlib.Path`, is a local path.

        Parameters
        ----------
        url
            ``scheme://location``. In ``file:///path`` and ``file://localhost/path``, ``%20`` is a space; in a path it is
            literal. A string that begins with ``name::`` is a chained URL; write ``./name::`` for a directory of that name.

        Raises
        ------
        LocationError
            The URL has no valid scheme or no location, or refers to a file on another host.
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
        """Return the URL of a local path. ``~`` is the home directory; every other character is literal.

        Parameters
        ----------
        path
            Absolute, or relative to the current working directory.

        Raises
        ------
        LocationError
            The path is not valid for a directory, or looks like a URL or, on POSIX systems, like a Windows path.
        """
        return cls(FILE, absolute(path))

    @classmethod
    def _of_chain(cls, scheme: str, links: str) -> Self:
        """Return a chained URL; if its links are local paths, a "?" is part of the path, and not the start of a query."""
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
        """Return a URL that opens the same collection, with credentials replaced by ``***``."""
        return self._text + (f"?{urlencode(self.query, errors='surrogatepass')}" if self.query else "")

    @property
    def _text(self) -> str:
        if self.scheme == FILE:
            path = with_slashes(self.location)
            return f"{FILE}:{'' if is_windows() and path.startswith('//') else '//'}{_quoted(path)}"
        separator = "" if self.location.startswith(LINK) else "://"
        return _without_credentials(f"{self.scheme}{separator}{self.location}")

    def __format__(self, spec: str) -> str:
        """Return the URL for error messages: without parameters and credentials, and with control characters escaped."""
        return format(printable(self._text), spec)

    def __repr__(self) -> str:
        return f"StoreURL({self._text!r})"


def _quoted(path: str) -> str:
    """Return a percent-encoded path; on Windows, the colon after a drive is not encoded."""
    return quote(os.fsencode(path), safe="/:" if is_windows() else "/")


def _is_drive(scheme: str) -> bool:
    return is_windows() and len(scheme) == 1


def is_chain(text: str) -> bool:
    """Return whether a string is a chained URL, such as ``zip::x.zip``.

    Examples
    --------
    >>> is_chain("zip::/data/x.zip"), is_chain("s3://bucket/a::b"), is_chain("./zip::x")
    (True, False, False)
    """
    return _CHAIN.fullmatch(text) is not None


def _without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("://***@", text)
