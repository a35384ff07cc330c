"""Ages as users give them."""

from typing import Final

import numpy as np

from zcollection.errors import SettingError
from zcollection.model.lengths import Length, length_of, nanoseconds_of

Duration = Length

_NONE: Final = np.timedelta64(0, "s")


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
    try:
        length = length_of(duration, name="older_than")
    except SettingError:
        length = None
    if length is None or length < _NONE:
        message = f"older_than={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        raise SettingError(message)
    return nanoseconds_of(length) / 1e9
