"""The options of the store."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen
from zcollection_store_object import client, options
from zcollection_store_object.options import understood

from zcollection.plugin import StoreURL

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = frozenset({"range", "host", "content-length", "accept-encoding"})
"""Headers on which the meaning of an answer rests."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and client.HEADER.fullmatch(value) is not None


def _are_headers(_instance: object, _attribute: object, headers: Mapping[Any, Any]) -> None:
    for name, value in headers.items():
        is_name = isinstance(name, str) and _HEADER_NAME.fullmatch(name) and name.lower() not in _OURS
        if not (is_name and _is_text(value)):
            raise ValueError


@frozen(kw_only=True)
class Options:
    """What the caller passed in ``storage_options``.

    Attributes
    ----------
    headers
        Sent with every request, such as ``{"Authorization": "Bearer …"}``; no repr shows them.
    username, password
        For servers that ask for them (HTTP basic authentication); no repr shows them.
    client_options
        Of the HTTP client, see `zcollection_store_object.client.CLIENT_OPTIONS`; a proxy's URL may hold a password, so that no repr shows them.
    max_retries
        How often a request is sent again that failed for a moment.
    """

    headers: Mapping[str, str] = field(factory=dict, converter=dict, validator=_are_headers, repr=False, hash=False)
    username: str | None = options.text(show=False)
    password: str | None = options.text(show=False)
    client_options: Mapping[str, Any] = options.client_options()
    max_retries: int = options.max_retries()

    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> "Options":
        """Return the options that a caller passed; a message never shows the value of one, for it may be a credential.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted.
        """
        found = understood(cls, url, given, expected=_EXPECTED)
        if (found.username is None) != (found.password is None):
            raise client.refused(url, "one of 'username' and 'password'; give both, or none")
        if found.username is not None and "authorization" in map(str.lower, found.headers):
            raise client.refused(url, "both a password and a header 'Authorization'; give one of them")
        return found

    @property
    def sent(self) -> dict[str, str]:
        """The headers of every request: caches on the way are to ask the server whether what they hold is still so."""
        headers = {"Cache-Control": "no-cache", **self.headers}
        if self.username is None:
            return headers
        word = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {**headers, "Authorization": f"Basic {word}"}


_EXPECTED: Final = {
    "headers": f"accepted: a mapping of the names of headers to {client.PLAIN}; not {', '.join(sorted(_OURS))}",
}
