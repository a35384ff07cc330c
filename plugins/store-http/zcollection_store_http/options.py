"""The options of the store."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, fields, frozen, validators
from zcollection_store_object import client

from zcollection.plugin import StoreURL, accepted

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


def _text() -> Any:
    return field(default=None, validator=validators.optional(validators.matches_re(client.HEADER)), repr=False)


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
    username: str | None = _text()
    password: str | None = _text()
    client_options: Mapping[str, Any] = field(factory=dict, converter=dict, repr=False, hash=False)
    max_retries: int = field(default=7, validator=[validators.instance_of(int), validators.ge(0), validators.le(100)])

    @classmethod
    def of(cls, url: StoreURL, given: Mapping[str, Any]) -> "Options":
        """Return the options that a caller passed; a message never shows the value of one, for it may be a credential.

        Raises
        ------
        PluginConfigurationError
            A name or a value is not accepted.
        """
        known = [item.name for item in fields(cls)]
        for name, value in given.items():
            if name not in known:
                raise client.refused(url, f"no option {name!r}; {accepted(name, known)}")
            try:
                cls(**{name: value})
            except (TypeError, ValueError):
                raise client.refused(url, f"{name!r} of {type(value).__name__}; {_EXPECTED[name]}") from None
        options = cls(**given)
        if (options.username is None) != (options.password is None):
            raise client.refused(url, "one of 'username' and 'password'; give both, or none")
        if options.username is not None and "authorization" in map(str.lower, options.headers):
            raise client.refused(url, "both a password and a header 'Authorization'; give one of them")
        client.check_client(url, options.client_options)
        return options

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
    "username": f"accepted: {client.PLAIN}",
    "password": f"accepted: {client.PLAIN}",
    "client_options": client.EXPECTED,
    "max_retries": "accepted: a whole number from 0 to 100",
}
