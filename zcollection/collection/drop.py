"""Partitions taken away."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.errors import ExpressionError, SchemaError
from zcollection.model.schema import VariableSchema
from zcollection.model.times import has_time_units, units_of
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.retrying import retrying

Age = str | dt.date | dt.timedelta | np.datetime64 | np.timedelta64 | None


async def drop_partitions(handle: Handle, *, filters: Filter, older_than: Age) -> tuple[str, ...]:
    """Drop partitions; see `Collection.drop_partitions`."""
    handle.store.check_writable()
    if filters is None and older_than is None:
        message = "drop_partitions() needs filters or older_than, lest everything go by mistake; filters='True' drops every partition"
        raise ExpressionError(message)
    limit = None if older_than is None else _as_time(older_than)

    async def attempt() -> tuple[str, ...]:
        async with handle.begin("drop", concern=handle.passing(filters)) as transaction:
            chosen = await handle.select(transaction.base, filters)
            if limit is not None:
                chosen = _older(handle, chosen, limit)
            for path in chosen:
                transaction.drop(path)
            await transaction.commit()
            return tuple(chosen)

    return await retrying(attempt)


def _as_time(age: Age) -> np.datetime64:
    """Return the time that an age means: itself, or so long before now."""
    now = np.datetime64(dt.datetime.now(dt.UTC).replace(tzinfo=None), "us")
    if isinstance(age, dt.timedelta | np.timedelta64):
        return now - np.timedelta64(age)
    if isinstance(age, dt.datetime) and age.tzinfo is not None:
        age = age.astimezone(dt.UTC).replace(tzinfo=None)
    try:
        limit = np.datetime64(age)
    except (TypeError, ValueError):
        limit = np.datetime64("NaT", "s")
    if np.isnat(limit):
        message = f"older_than={age!r}; accepted: a time such as '2024-01-01', or a timedelta before now"
        raise ExpressionError(message)
    return limit


def _older(
    handle: Handle, partitions: Mapping[str, PartitionRecord], limit: np.datetime64
) -> dict[str, PartitionRecord]:
    """Return the partitions whose largest axis value lies before a time."""
    name = handle.axis_variable
    variable = None if name is None else handle.schema.variables[name]
    if variable is None or not (variable.dtype.kind == "M" or has_time_units(variable.attrs)):
        message = f"older_than compares times, and the axis {handle.configuration.axis!r} is none; use filters"
        raise SchemaError(message)
    return {
        path: record
        for path, record in partitions.items()
        if record.axis_range is not None and _time(record.axis_range[-1], variable) < limit
    }


def _time(stored: float | str, variable: VariableSchema) -> np.datetime64:
    value: NDArray[np.int64] = np.array([stored])
    if variable.dtype.kind == "M" and not has_time_units(variable.attrs):
        times: NDArray[np.datetime64] = value.astype(np.int64).view(variable.dtype)
    else:
        times = units_of(variable.attrs, name=variable.name).decode(value)
    return np.datetime64(times[0])
