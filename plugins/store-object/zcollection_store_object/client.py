"""The options of an HTTP client, whichever library it is of."""

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
"""What every driver understands of its client; what only one of them does is not accepted."""

HEADER: Final = re.compile(r"[ -~]*")
"""What a header of a request may hold, and so a credential or the name of a region: one with a line end is a common slip."""

PLAIN: Final = "text of printable ASCII characters, without a line end"
"""That in words."""

EXPECTED: Final = f"accepted: a mapping with {', '.join(CLIENT_OPTIONS)}"
"""What is accepted as these options."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def check_client(url: StoreURL, given: Mapping[str, Any]) -> None:
    """Refuse what is no option of a client; a message never shows the value of one, for it may be a credential.

    Raises
    ------
    PluginConfigurationError
        A name or a value is not accepted.
    """
    for name, value in given.items():
        if name not in CLIENT_OPTIONS:
            raise refused(url, f"no client option {name!r}; {accepted(name, CLIENT_OPTIONS)}")
        if name.endswith("timeout") and seconds(value) is None:
            raise refused(url, f"{name!r} of {type(value).__name__}; accepted: seconds, a timedelta, '30s' or '500ms'")
        if name.startswith("allow_") and not isinstance(value, bool):
            raise refused(url, f"{name!r} of {type(value).__name__}; accepted: True, False")
        if name in {"proxy_url", "user_agent"} and not (isinstance(value, str) and HEADER.fullmatch(value)):
            raise refused(url, f"{name!r} of {type(value).__name__}; accepted: {PLAIN}")


def seconds(value: object) -> float | None:
    """Return a duration among these options, or None where it is none.

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


def of_obstore(given: Mapping[str, Any], *, allow_http: bool) -> Any:
    """Return these options as obstore takes them, a dictionary.

    Parameters
    ----------
    given
        Options that were checked.
    allow_http
        Whether the server is one of ``http://``, where they do not say so.
    """
    durations = {name: seconds(given[name]) for name in ("connect_timeout", "timeout") if name in given}
    return {
        "allow_http": allow_http,
        **given,
        **{name: f"{round(value * 1000)}ms" for name, value in durations.items() if value is not None},
    }


def refused(url: StoreURL, problem: str) -> PluginConfigurationError:
    """Return the error that says what is wrong with the options of a store."""
    return PluginConfigurationError(f"storage_options of {url} has {problem}")
