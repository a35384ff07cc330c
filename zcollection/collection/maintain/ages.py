"""Durations and retention settings as users write them."""

from typing import Final

import numpy as np

from zcollection.errors import SettingError
from zcollection.model.durations import Duration, duration_of, nanoseconds_of

_NONE: Final = np.timedelta64(0, "s")

Keep = int | Duration | None
"""The retention of older versions: how many of them to keep, for how long, or None to keep none."""


def kept_by(keep: Keep) -> tuple[int | None, float | None]:
    """Return the retention as a number of versions, or as a number of seconds; both are None if none is kept.

    Raises
    ------
    SettingError
        `keep` is neither a number of versions nor a duration.
    """
    if keep is None:
        return None, None
    if isinstance(keep, int) and not isinstance(keep, bool) and keep > 0:
        return keep, None
    seconds = 0.0 if isinstance(keep, int) else seconds_of(keep, name="keep")
    if not seconds:
        message = f"keep={keep!r}; accepted: a number of versions from 1 on, a duration such as '30d', or None"
        raise SettingError(message)
    return None, seconds


def seconds_of(duration: Duration, *, name: str = "older_than") -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    duration
        Such as "24h", "30min" or "7d", or a timedelta.
    name
        The name of the argument, for error messages.

    Raises
    ------
    SettingError
        The duration is invalid or negative.
    """
    try:
        length = duration_of(duration, name=name)
    except SettingError:
        length = None
    if length is None or length < _NONE:
        message = (
            f"{name}={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        )
        raise SettingError(message)
    return nanoseconds_of(length) / 1e9
