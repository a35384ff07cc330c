"""The options of an HTTP client, the same for every library."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from zcollection.plugin import PluginConfigurationError, StoreURL, accepted

CLIENT_OPTIONS: Final = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "proxy_url",
    "timeout",
    "user_agent",
)
"""The options that the HTTP clients of all drivers have; others are not accepted."""

HEADER_VALUE: Final = re.compile(r"[ -~]*")
"""The pattern of header values, and so of credentials and names of regions; a trailing line feed is a common mistake."""

HEADER_VALUE_IN_WORDS: Final = "text of printable ASCII characters, without a line end"

CLIENT_OPTIONS_IN_WORDS: Final = f"accepted: a mapping with {', '.join(CLIENT_OPTIONS)}"

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def check_client_options(url: StoreURL, given: Mapping[str, Any]) -> None:
    """Check the options of an HTTP client; messages never contain a value, because it may be a credential.

    Raises
    ------
    PluginConfigurationError
        A name or a value is not accepted.
    """
    for name, value in given.items():
        if name not in CLIENT_OPTIONS:
            raise options_error(url, f"no client option {name!r}; {accepted(name, CLIENT_OPTIONS)}")
        if name.endswith("timeout") and seconds(value) is None:
            raise options_error(
                url, f"{name!r} of {type(value).__name__}; accepted: seconds, a timedelta, '30s' or '500ms'"
            )
        if name.startswith("allow_") and not isinstance(value, bool):
            raise options_error(url, f"{name!r} of {type(value).__name__}; accepted: True, False")
        if name in {"proxy_url", "user_agent"} and not (isinstance(value, str) and HEADER_VALUE.fullmatch(value)):
            raise options_error(url, f"{name!r} of {type(value).__name__}; accepted: {HEADER_VALUE_IN_WORDS}")


def seconds(value: object) -> float | None:
    """Return the value of a duration in seconds; None if it is invalid.

    Examples
    --------
    >>> seconds("500ms"), seconds(30), seconds("soon")
    (0.5, 30.0, None)
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else float(found[1]) * _SECONDS[found[2]]


def as_obstore(given: Mapping[str, Any], *, allow_http: bool) -> Any:
    """Return the options as a dictionary for obstore.

    Parameters
    ----------
    given
        The options, which have been checked.
    allow_http
        The default of the option ``allow_http``: whether the URL of the server begins with ``http://``.
    """
    durations = {name: seconds(given[name]) for name in ("connect_timeout", "timeout") if name in given}
    return {
        "allow_http": allow_http,
        **given,
        **{name: f"{round(value * 1000)}ms" for name, value in durations.items() if value is not None},
    }


def options_error(url: StoreURL, problem: str) -> PluginConfigurationError:
    """Return the error for invalid options of a store."""
    return PluginConfigurationError(f"storage_options of {url} has {problem}")
