"""How a view says where its base lies: ``scheme://location``, in which nothing is percent-encoded, or a path from its own."""

import os
import posixpath
import re
from typing import Final

from attrs import evolve

from zcollection.contracts.local_path import is_windows, with_slashes
from zcollection.contracts.url import FILE, LINK, StoreURL, is_chain
from zcollection.errors import LocationError

_COMPLETE: Final = re.compile(r"/|~|file:|[^/]*:/|[A-Za-z]:\\|\\\\", re.IGNORECASE)
"""How a reference begins that is not relative to the view."""


def stored(reference: str | os.PathLike[str] | StoreURL) -> str:
    """Return a reference as it is written: without credentials.

    Parameters
    ----------
    reference
        The URL of a base, or its path relative to the view's place, taken literally.

    Raises
    ------
    LocationError
        It is complete, and no URL or path of a collection, or cannot be written.

    Examples
    --------
    >>> stored("file:///data/pass%201")
    'file:///data/pass 1'
    >>> stored("../pass 1")
    '../pass 1'
    """
    if isinstance(reference, StoreURL) or _is_complete(os.fspath(reference)):
        text = _complete(StoreURL.parse(reference))
    else:
        text = os.fspath(reference).replace("\\", "/") if is_windows() else os.fspath(reference)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = (
            f"the view refers to its base by {text!r}, which has a character that is no UTF-8; accepted: a reference without "
            f"one, such as reference='../base', or a link of another name to the base"
        )
        raise LocationError(message) from None
    return text


def _is_complete(reference: str) -> bool:
    return _COMPLETE.match(reference) is not None or is_chain(reference)


def _complete(url: StoreURL) -> str:
    if url.scheme == FILE:
        return f"{FILE}://{with_slashes(url.location)}"
    host, slash, path = url.location.partition("/")
    return str(evolve(url, location=f"{host.rpartition('@')[2]}{slash}{path}"))


def resolve(reference: str, url: StoreURL) -> StoreURL:
    """Return the URL of a base from the reference in the view at `url`.

    Raises
    ------
    LocationError
        It is no reference that `stored` writes.

    Examples
    --------
    >>> resolve("../base", StoreURL.parse("file:///data/view"))
    StoreURL('file:///data/base')
    >>> resolve("memory://base", StoreURL.parse("file:///data/view"))
    StoreURL('memory://base')
    >>> resolve("../base", StoreURL.parse("zip://data/view::/x.zip"))
    StoreURL('zip://data/base::/x.zip')
    """
    if is_chain(reference):
        return StoreURL.parse(reference)
    scheme, separator, rest = reference.partition("://")
    if not separator and not reference.startswith("/"):
        return _beside(url, reference)
    if separator and scheme.lower() != FILE:
        return StoreURL.parse(reference)
    return StoreURL.of_path(rest if separator else reference)


def _beside(url: StoreURL, reference: str) -> StoreURL:
    """Return what a relative reference names: in a chain it stays in the first link, as in an archive."""
    place, link, others = url.location.partition(LINK) if url.scheme != FILE else (url.location, "", "")
    paths = os.path if url.scheme == FILE else posixpath
    return evolve(url, location=f"{paths.normpath(paths.join(place, reference))}{link}{others}", query={})
