"""Properties of a collection as commands show them, in JSON and as text."""

from collections.abc import Iterable, Sequence

import numpy as np

from zcollection.collection.collection import Collection
from zcollection.collection.split import as_times
from zcollection.engine.layout import declared_values
from zcollection.model.times import has_time_units, in_words, units_of
from zcollection.model.variable import Variable
from zcollection.registry.stored import StoredForm
from zcollection.transaction.documents import PartitionRecord, Scalar

Limits = list[Scalar] | None
"""Smallest and largest value of the axis, times as ISO 8601; None if there are none."""


def partitioning(collection: Collection) -> StoredForm:
    """Return the stored form of the partitioning, which is available even if its plugin is not installed."""
    return collection._opened.configuration.partitioning  # noqa: SLF001 - its own package


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
    """Return axis values in their declared type, times as ISO 8601 text."""
    schema = collection.schema.variables[collection.axis]
    values = np.array(stored, dtype=schema.stored_dtype)
    declared = as_times(Variable(schema, declared_values(values, schema)))
    if has_time_units(schema.attrs):
        return list(in_words(declared, units_of(schema.attrs, name=schema.name).calendar))
    if declared.dtype.kind == "M":
        return list(in_words(declared))
    limits: list[Scalar] = declared.tolist()
    return limits


def limits_in_words(limits: Limits) -> str:
    """Return the smallest and largest value as text."""
    return "" if limits is None else " … ".join(map(str, limits))
