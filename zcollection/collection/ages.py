"""Lengths of time as users give them."""

import datetime as dt
import re
from typing import Final

import numpy as np

from zcollection.errors import SettingError

Duration = str | dt.timedelta | np.timedelta64

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


Keep = int | Duration | None
"""For how long older versions are kept: for so many newer ones, for a length of time, or not at all."""


def kept_by(keep: Keep) -> tuple[int | None, float | None]:
    """Return how many versions, or for how many seconds they, are kept.

    Raises
    ------
    SettingError
        It is none of both.
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
    """Return the seconds of a duration.

    Parameters
    ----------
    duration
        Such as "24h", "30min" or "7d", or a timedelta.
    name
        That of the argument, for messages.

    Raises
    ------
    SettingError
        It is none, or negative.
    """
    if isinstance(duration, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", duration)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    elif not isinstance(duration, dt.timedelta | np.timedelta64):
        seconds = -1.0
    else:
        seconds = float(np.timedelta64(duration) / np.timedelta64(1, "us")) / 1e6
    if not 0 <= seconds < float("inf"):
        message = (
            f"{name}={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        )
        raise SettingError(message)
    return seconds
