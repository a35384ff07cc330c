"""The options of a store, as a class with a field for each, from what a caller passed under whichever name."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from attrs import field, fields_dict, validators

from zcollection.plugin import StoreURL, accepted
from zcollection_store_object import client
from zcollection_store_object.client import HEADER, refused

T = TypeVar("T")

_ENDPOINT: Final = re.compile(r"https?://[!-~]+")
_EXPECTED: Final = {
    "endpoint": "accepted: a URL of http:// or https://",
    "client_options": client.EXPECTED,
    "max_retries": "accepted: a whole number from 0 to 100",
    **dict.fromkeys(("anon", "single_writer"), "accepted: True, False"),
}


def text(pattern: re.Pattern[str] = HEADER, *, show: Any = True) -> Any:
    """Return a field that is a text, or None; `show` says how its repr is made, False for a credential."""
    return field(default=None, validator=validators.optional(validators.matches_re(pattern)), repr=show)


def flag(*, default: bool | None) -> Any:
    """Return a field that is True, False or None."""
    return field(default=default, validator=validators.optional(validators.instance_of(bool)))


def endpoint() -> Any:
    """Return the field of the URL of a server, or None; its repr shows no credential."""
    return text(_ENDPOINT, show=lambda url: repr(url and f"{StoreURL.parse(url)}"))


def client_options() -> Any:
    """Return the field of the options of an HTTP client; a proxy's URL may hold a password, so that no repr shows them."""
    return field(factory=dict, converter=dict, repr=False, hash=False)


def max_retries() -> Any:
    """Return the field that says how often a request is sent again that failed for a moment."""
    return field(default=7, validator=[validators.instance_of(int), validators.ge(0), validators.le(100)])


def understood(
    cls: type[T],
    url: StoreURL,
    given: Mapping[str, Any],
    *,
    aliases: Mapping[str, str] = {},
    expected: Mapping[str, str] = {},
) -> T:
    """Return the options among what a caller passed; a message never shows a value, for it may be a credential.

    Parameters
    ----------
    cls
        A frozen class of attrs, with the fields `client_options` and those that the store has besides.
    url
        Of the store, for messages.
    given
        Options by any of their names.
    aliases
        Other names, and the option that each of them is.
    expected
        What is accepted as each option, where it is not a text, nor what all stores have.

    Raises
    ------
    PluginConfigurationError
        A name or a value is not accepted, or one option is given twice.
    """
    known = fields_dict(cls)  # type: ignore[arg-type]  # of attrs
    named: dict[str, Any] = {}
    for name, value in given.items():
        option = aliases.get(name, name)
        if option not in known:
            raise refused(url, f"no option {name!r}; {accepted(name, sorted([*known, *aliases]))}")
        if option in named:
            raise refused(url, f"{option!r} twice, as {name!r} as well; give it once")
        try:
            cls(**{option: value})
        except (TypeError, ValueError):
            wanted = {**_EXPECTED, **expected}.get(option, f"accepted: {client.PLAIN}")
            raise refused(url, f"{option!r} of {type(value).__name__}; {wanted}") from None
        named[option] = value
    client.check_client(url, named.get("client_options", {}))
    return cls(**named)
