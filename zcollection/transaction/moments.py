"""Parsing of times in the history of a collection, as given by users or stored in records."""

import datetime as dt


def time_of(value: object) -> dt.datetime | None:
    """Return a time, in UTC if it has no time zone; None if the value is not a time.

    Examples
    --------
    >>> time_of("2026-11-20T06:00"), time_of("release-1")
    (datetime.datetime(2026, 11, 20, 6, 0, tzinfo=datetime.timezone.utc), None)
    """
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
