"""The keys of `storage_options`, with the aliases that other libraries use."""

import os
from collections.abc import Mapping
from typing import Any, Final

from zcollection.plugin import PluginConfigurationError, StoreURL, accepted

_ALIASES: Final = {
    "region_name": "region",
    "aws_region": "region",
    "endpoint": "endpoint_url",
    "aws_endpoint": "endpoint_url",
    "aws_endpoint_url": "endpoint_url",
    "anon": "anonymous",
    "skip_signature": "anonymous",
    "aws_skip_signature": "anonymous",
    "key": "access_key_id",
    "aws_access_key_id": "access_key_id",
    "secret": "secret_access_key",
    "aws_secret_access_key": "secret_access_key",
    "token": "session_token",
    "aws_session_token": "session_token",
}
"""The aliases, and the names of Icechunk."""

OWN: Final = ("branch", "spec_version")
"""The options of every repository, in any storage."""


def known_options(
    url: StoreURL, given: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]]
) -> dict[str, Any]:
    """Return the given options under the names of Icechunk.

    Parameters
    ----------
    url
        The URL of the store, for messages.
    given
        The options by name or alias; None means not given.
    known
        The options of this kind of storage, and their types.

    Raises
    ------
    PluginConfigurationError
        An option belongs to another kind of storage, was given twice, or has the wrong type.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        option = _ALIASES.get(name, name)
        if option not in known:
            message = f"storage_options of {url} has no option {name!r}; {accepted(name, [*OWN, *_names(known)])}"
            raise PluginConfigurationError(message)
        if option in found:
            message = f"storage_options of {url} has {option!r} twice, under several names; accepted: one of them"
            raise PluginConfigurationError(message)
        if not isinstance(value, known[option]):
            # Never the value: it may be a secret.
            message = f"option {name!r} of {url} is a {type(value).__name__}; accepted: {_type_names(known[option])}"
            raise PluginConfigurationError(message)
        found[option] = os.fspath(value) if isinstance(value, os.PathLike) else value
    return found


def _names(known: Mapping[str, Any]) -> list[str]:
    return sorted([*known, *(alias for alias, name in _ALIASES.items() if name in known)])


def _type_names(types: type | tuple[type, ...]) -> str:
    return " or ".join(item.__name__ for item in (types if isinstance(types, tuple) else (types,)))
