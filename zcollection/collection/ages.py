"""Lengths of time as users give them."""

import datetime as dt
import re
from typing import Final

import numpy as np

from zcollection.errors import SettingError

Duration = str | dt.timedelta | np.timedelta64

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def seconds_of(duration: Duration) -> float:
    """Return the seconds of a duration.

    Parameters
    ----------
    duration
        Such as "24h", "30min" or "7d", or a timedelta.

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
        message = f"older_than={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        raise SettingError(message)
    return seconds
