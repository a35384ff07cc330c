"""The options of the store."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen
from zcollection_store_object import client, options
from zcollection_store_object.options import parse

from zcollection.plugin import StoreURL

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED: Final = frozenset({"range", "host", "content-length", "accept-encoding"})
"""Headers that the store sets itself."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and client.HEADER_VALUE.fullmatch(value) is not None


def _are_headers(_instance: object, _attribute: object, headers: Mapping[Any, Any]) -> None:
    for name, value in headers.items():
        is_name = isinstance(name, str) and _HEADER_NAME.fullmatch(name) and name.lower() not in _RESERVED
        if not (is_name and _is_text(value)):
            raise ValueError


@frozen(kw_only=True)
class Options:
    """The options in ``storage_options``.

    Attributes
    ----------
    headers
        Headers of every request, such as ``{"Authorization": "Bearer …"}``; excluded from the repr.
    username, password
        Credentials of HTTP basic authentication; excluded from the repr.
    client_options
        Options of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`; excluded from the repr because the URL of a
        proxy may contain a password.
    max_retries
        The largest number of retries after a temporary failure.
    """

    headers: Mapping[str, str] = field(factory=dict, converter=dict, validator=_are_headers, repr=False, hash=False)
    username: str | None = options.text(show=False)
    password: str | None = options.text(show=False)
    client_options: Mapping[str, Any] = options.client_options()
    max_retries: int = options.max_retries()

    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> "Options":
        """Return the options that the caller passed; messages never contain a value, because it may be a credential.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted.
        """
        found = parse(cls, url, given, expected=_EXPECTED)
        if (found.username is None) != (found.password is None):
            raise client.options_error(url, "one of 'username' and 'password'; give both, or none")
        if found.username is not None and "authorization" in map(str.lower, found.headers):
            raise client.options_error(url, "both a password and a header 'Authorization'; give one of them")
        return found

    @property
    def sent(self) -> dict[str, str]:
        """The headers of every request; caches on the way must revalidate their content."""
        headers = {"Cache-Control": "no-cache", **self.headers}
        if self.username is None:
            return headers
        word = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {**headers, "Authorization": f"Basic {word}"}


_EXPECTED: Final = {
    "headers": f"accepted: a mapping of the names of headers to {client.HEADER_VALUE_IN_WORDS}; not {', '.join(sorted(_RESERVED))}",
}
