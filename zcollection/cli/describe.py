"""What commands say of a collection, as JSON values and in words."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zcollection.collection.collection import Collection
from zcollection.collection.split import as_times
from zcollection.engine.layout import declared_values
from zcollection.model.variable import Variable
from zcollection.plugins.stored import StoredForm
from zcollection.transaction.documents import PartitionRecord, Scalar

Limits = list[Scalar] | None
"""Smallest and largest value of the axis, times as ISO 8601; None where there is none."""


def partitioning(collection: Collection) -> StoredForm:
    """Return the stored form of the partitioning, which is known even where its plugin is missing."""
    return collection._handle.configuration.partitioning  # noqa: SLF001 - its own package


def axis_limits(collection: Collection, records: Iterable[PartitionRecord]) -> Limits:
    """Return the smallest and largest value of the axis in partitions."""
    ranges = [record.axis_range for record in records if record.axis_range is not None]
    if not ranges or collection.axis not in collection.schema.variables:
        return None
    # The values of one axis have one type, and so an order.
    smallest = min(limits[0] for limits in ranges)
    largest = max(limits[-1] for limits in ranges)
    return _as_declared(collection, [smallest, largest])


def _as_declared(collection: Collection, stored: Sequence[Scalar]) -> list[Scalar]:
    """Return axis values as they are declared, times in words."""
    schema = collection.schema.variables[collection.axis]
    values = np.array(stored, dtype=schema.stored_dtype)
    declared = as_times(Variable(schema, declared_values(values, schema)))
    texts = _in_words(declared) if declared.dtype.kind == "M" else declared
    limits: list[Scalar] = texts.tolist()
    return limits


def _in_words(times: NDArray[np.datetime64]) -> NDArray[np.str_]:
    """Return times to the coarsest unit, from seconds on, that tells them exactly."""
    units = ("s", "ms", "us", "ns")
    unit = next((unit for unit in units if np.array_equal(times.astype(f"datetime64[{unit}]"), times)), "ns")
    return np.datetime_as_string(times, unit=unit)  # type: ignore[call-overload, no-any-return]  # a unit is any str


def limits_in_words(limits: Limits) -> str:
    """Return the smallest and largest value as text."""
    return "" if limits is None else " … ".join(map(str, limits))
