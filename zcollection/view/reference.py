"""References from a view to its base: ``scheme://location`` without percent-encoding, or a path relative to the view."""

import os
import posixpath
import re
from typing import Final

from attrs import evolve

from zcollection.contracts.local_path import is_windows, with_slashes
from zcollection.contracts.url import FILE, LINK, StoreURL, is_chain
from zcollection.errors import LocationError

_COMPLETE: Final = re.compile(r"/|~|file:|[^/]*:/|[A-Za-z]:\\|\\\\", re.IGNORECASE)
"""The beginning of a reference that is not relative to the view."""


def stored(reference: str | os.PathLike[str] | StoreURL) -> str:
    """Return a reference in the form in which it is stored: without credentials.

    Parameters
    ----------
    reference
        The URL of a base, or its literal path relative to the location of the view.

    Raises
    ------
    LocationError
        An absolute reference is not a URL or path of a collection, or the reference cannot be encoded.

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
            f"the view refers to its base by {text!r}, which cannot be encoded as UTF-8; accepted: a reference that can, such as "
            f"reference='../base', or a link to the base under another name"
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
        `reference` is not the result of `stored`.

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
    """Return the URL of a relative reference; in a chained URL it is relative to the first link, such as within an archive."""
    place, link, rest = url.location.partition(LINK) if url.scheme != FILE else (url.location, "", "")
    paths = os.path if url.scheme == FILE else posixpath
    return evolve(url, location=f"{paths.normpath(paths.join(place, reference))}{link}{rest}", query={})
