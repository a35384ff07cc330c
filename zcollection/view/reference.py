"""How a view says where its base lies: ``scheme://location``, in which nothing is percent-encoded, or a path from its own."""

import os
import posixpath
import re
from typing import Final

from attrs import evolve

from zcollection.contracts.url import FILE, StoreURL
from zcollection.errors import LocationError

_COMPLETE: Final = re.compile(r"/|~|file:|[^/]*:/", re.IGNORECASE)
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
    if isinstance(reference, StoreURL) or _COMPLETE.match(os.fspath(reference)):
        text = _complete(StoreURL.parse(reference))
    else:
        text = os.fspath(reference)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = (
            f"the view refers to its base by {text!r}, which has a character that is no UTF-8; accepted: a reference without "
            f"one, such as reference='../base', or a link of another name to the base"
        )
        raise LocationError(message) from None
    return text


def _complete(url: StoreURL) -> str:
    if url.scheme == FILE:
        return f"{FILE}://{url.location}"
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
    """
    scheme, separator, rest = reference.partition("://")
    if not separator and not reference.startswith("/"):
        return evolve(url, location=posixpath.normpath(posixpath.join(url.location, reference)), query={})
    if separator and scheme.lower() != FILE:
        return StoreURL.parse(reference)
    return StoreURL.of_path(rest if separator else reference)
