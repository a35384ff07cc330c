"""Ages as users give them."""

from typing import Final

import numpy as np

from zcollection.errors import SettingError
from zcollection.model.lengths import Length, length_of, nanoseconds_of

Duration = Length

_NONE: Final = np.timedelta64(0, "s")


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
    try:
        length = length_of(duration, name=name)
    except SettingError:
        length = None
    if length is None or length < _NONE:
        message = (
            f"{name}={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        )
        raise SettingError(message)
    return nanoseconds_of(length) / 1e9
