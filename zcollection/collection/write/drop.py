"""Drops partitions."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from zcollection.collection import key_selection
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.neighbours import AxisOrder
from zcollection.errors import ExpressionError, SchemaError
from zcollection.model.calendars import CalendarTimes
from zcollection.model.durations import duration_of
from zcollection.model.plain_arrays import to_plain_array
from zcollection.model.times import calendar_of, in_calendar
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index.limits import Limits
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

Age = str | dt.date | dt.timedelta | np.datetime64 | np.timedelta64 | Any | None
"""A time, which may be a cftime object, or a duration before now."""


async def drop_partitions(
    opened: OpenCollection, *, filters: Filter, older_than: Age, dry_run: bool
) -> tuple[str, ...]:
    """Drop partitions; see `Collection.drop_partitions`."""
    if filters is None and older_than is None:
        message = "drop_partitions() needs filters or older_than, so that not all partitions are dropped by mistake; filters='True' drops every partition"
        raise ExpressionError(message)
    limit = None if older_than is None else _as_limit(opened, older_than)
    candidates = key_selection.candidates_of(
        opened, filters, None if limit is None else partial(_may_be_older, opened, limit)
    )
    if dry_run:
        return tuple(await _chosen(opened, await opened.snapshot(candidates), filters, limit, candidates))
    opened.store.check_writable()

    async def attempt() -> tuple[str, ...]:
        async with opened.begin("drop", candidates=candidates) as transaction:
            chosen = await _chosen(opened, transaction.base, filters, limit, candidates)
            for path in chosen:
                transaction.drop(path)
            await transaction.commit()
            return tuple(chosen)

    return await retrying(attempt)


async def _chosen(
    opened: OpenCollection, snapshot: Snapshot, filters: Filter, limit: Any, candidates: Candidates
) -> Mapping[str, PartitionRecord]:
    chosen = await key_selection.select(opened, snapshot, filters, candidates)
    return chosen if limit is None else _older(opened, chosen, limit)


def _may_be_older(opened: OpenCollection, limit: Any, limits: Limits) -> Sequence[bool]:
    """Return which ranges of partitions may contain one whose largest axis value is before a time."""
    known = {at: pair[0] for at, pair in enumerate(limits.axis) if pair is not None}
    order = AxisOrder.of(opened)
    later = {at for at, time in zip(known, order.times(list(known.values())), strict=True) if not time < limit}
    return [at not in later for at in range(len(limits))]


def _as_limit(opened: OpenCollection, age: Age) -> Any:
    """Return an age as a time that can be compared with axis values."""
    variable = None if opened.axis_variable is None else opened.schema.variables[opened.axis_variable]
    calendar = None if variable is None else calendar_of(variable)
    if calendar is None:
        message = f"older_than compares times, and the axis {opened.configuration.axis!r} is not a time; use filters"
        raise SchemaError(message)
    if isinstance(age, dt.timedelta | np.timedelta64):
        now = np.datetime64(dt.datetime.now(dt.UTC).replace(tzinfo=None), "us")
        return _before(now, duration_of(age, name="older_than"), calendar)
    return _as_time(age, calendar)


def _before(now: np.datetime64, age: np.timedelta64, calendar: str) -> Any:
    """Return the time an age before now; if the calendar lacks today's date, the day before is used."""
    try:
        return in_calendar(now, calendar) - age
    except SchemaError:
        return in_calendar(now - np.timedelta64(1, "D"), calendar) - age


def _as_time(age: Any, calendar: str) -> Any:
    try:
        found = to_plain_array(
            np.array([age], dtype=object if hasattr(age, "calendar") else None), name="older_than"
        ).values
        if isinstance(found, CalendarTimes):
            if found.calendar == calendar:
                return found.since[0]
        elif (limit := np.datetime64(found[0])) == limit:  # NaT differs from itself
            return in_calendar(limit, calendar)
    except (TypeError, ValueError):
        pass
    message = (
        f"older_than={age!r}; accepted: a time such as '2024-01-01', a timedelta before now, or a cftime time in the calendar "
        f"{calendar!r}"
    )
    raise ExpressionError(message)


def _older(opened: OpenCollection, partitions: Mapping[str, PartitionRecord], limit: Any) -> dict[str, PartitionRecord]:
    """Return the partitions whose largest axis value is before a time."""
    order = AxisOrder.of(opened)
    known = {path: record for path, record in partitions.items() if record.axis_range is not None}
    last = order.times([record.axis_range[-1] for record in known.values() if record.axis_range is not None])
    return {path: record for (path, record), time in zip(known.items(), last, strict=True) if time < limit}
