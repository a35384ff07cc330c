"""The options of a store: an attrs class with a field for each, and a parser of what the caller passed."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from attrs import field, fields_dict, validators

from zcollection.plugin import StoreURL, accepted
from zcollection_store_object import client
from zcollection_store_object.client import HEADER_VALUE, options_error

T = TypeVar("T")

_ENDPOINT: Final = re.compile(r"https?://[!-~]+")
_EXPECTED: Final = {
    "endpoint": "accepted: a URL of http:// or https://",
    "client_options": client.CLIENT_OPTIONS_IN_WORDS,
    "max_retries": "accepted: a whole number from 0 to 100",
    **dict.fromkeys(("anon", "single_writer"), "accepted: True, False"),
}


def text(pattern: re.Pattern[str] = HEADER_VALUE, *, show: Any = True) -> Any:
    """Return a field that is a string or None; `show` is the argument ``repr`` of the field, False for a credential."""
    return field(default=None, validator=validators.optional(validators.matches_re(pattern)), repr=show)


def flag(*, default: bool | None) -> Any:
    """Return a field that is True, False or None."""
    return field(default=default, validator=validators.optional(validators.instance_of(bool)))


def endpoint() -> Any:
    """Return the field of the URL of a server, or None; credentials in it are excluded from the repr."""
    return text(_ENDPOINT, show=lambda url: repr(url and f"{StoreURL.parse(url)}"))


def client_options() -> Any:
    """Return the field of the options of an HTTP client; excluded from the repr, because the URL of a proxy may contain a password."""
    return field(factory=dict, converter=dict, repr=False, hash=False)


def max_retries() -> Any:
    """Return the field of the largest number of retries after a temporary failure."""
    return field(default=7, validator=[validators.instance_of(int), validators.ge(0), validators.le(100)])


def parse(
    cls: type[T],
    url: StoreURL,
    given: Mapping[str, Any],
    *,
    aliases: Mapping[str, str] = {},
    expected: Mapping[str, str] = {},
) -> T:
    """Return the options that the caller passed; messages never contain a value, because it may be a credential.

    Parameters
    ----------
    cls
        The class of the options: a frozen attrs class, with a field `client_options`.
    url
        The URL of the store, for messages.
    given
        The options, by name or alias.
    aliases
        The aliases, and the option that each one stands for.
    expected
        The accepted values of options, in words; not needed for the strings accepted by default, and for the options that all
        stores have.

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
            raise options_error(url, f"no option {name!r}; {accepted(name, sorted([*known, *aliases]))}")
        if option in named:
            raise options_error(url, f"{option!r} twice, as {name!r} as well; give it once")
        try:
            cls(**{option: value})
        except (TypeError, ValueError):
            accepted_values = {**_EXPECTED, **expected}.get(option, f"accepted: {client.HEADER_VALUE_IN_WORDS}")
            raise options_error(url, f"{option!r} of {type(value).__name__}; {accepted_values}") from None
        named[option] = value
    client.check_client_options(url, named.get("client_options", {}))
    return cls(**named)
