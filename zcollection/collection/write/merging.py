"""Merges inserted rows with the existing rows of one partition, and checks the result of the merge strategy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.report import PartitionReport
from zcollection.collection.split import PartitionRows, as_times, split
from zcollection.collection.write.conform import as_dataset
from zcollection.collection.write.prepare import Missing
from zcollection.contracts.merge import MergeStrategy, RowPlan
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.work import Work
from zcollection.errors import PartitionError, PluginError, SchemaError, SettingError
from zcollection.model.dataset import Dataset
from zcollection.model.variable import filled
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.transaction.documents import PartitionRecord

MergeFunction = Callable[..., object]
Merge = str | MergeStrategy | MergeFunction | None


@frozen
class ReplacePartition(MergeStrategy):
    """The default without a merge strategy: the inserted rows replace the partition."""

    reads_existing = False
    compares_axis = False


@frozen
class FunctionMerge(MergeStrategy):
    """The caller's function as a merge strategy; it is called only for partitions that exist."""

    function: MergeFunction
    compares_axis = False

    def merge(self, existing: Dataset, inserted: Dataset, *, axis: str, dimension: str) -> Dataset:
        """Return the result of the function."""
        if existing.sizes.get(dimension, 0) == 0:
            return inserted
        return as_dataset(self.function(existing, inserted, axis=axis, partitioning_dim=dimension), inserted.schema)


def as_strategy(merge: Merge) -> MergeStrategy:
    """Return the merge strategy for a name, a strategy or a function.

    Raises
    ------
    UnknownPluginError
        The name is unknown.
    SettingError
        `merge` has another type.
    """
    if merge is None:
        return ReplacePartition()
    if isinstance(merge, str):
        strategy: MergeStrategy = REGISTRY.get(Family.MERGE, merge)()
        return strategy
    if isinstance(merge, MergeStrategy):
        return merge
    if callable(merge):
        return FunctionMerge(merge)
    message = (
        f"merge is a {type(merge).__name__}; accepted: None, a name ({', '.join(REGISTRY.names(Family.MERGE))}), a merge "
        f"strategy, or a function (existing, inserted, *, axis, partitioning_dim)"
    )
    raise SettingError(message)


@frozen(kw_only=True)
class Merged:
    """The result of a merge.

    Attributes
    ----------
    dataset
        The new rows of the partition; with a `source`, the inserted rows.
    source
        The existing and inserted rows that form the partition, as in `RowPlan`; None if they are the rows of the dataset.
    axis
        The axis values of the partition, of the declared type; None if they are in the dataset.
    report
        The report on the rows.
    are_inserted
        Whether the rows of the dataset are the inserted ones, rather than computed from inserted and existing rows.
    """

    dataset: Dataset
    source: NDArray[np.int64] | None = field(default=None, eq=False)
    axis: NDArray[Any] | None = field(default=None, eq=False)
    report: PartitionReport
    are_inserted: bool = True


def merging(
    opened: OpenCollection,
    strategy: MergeStrategy,
    part: PartitionRows,
    inserted: Dataset,
    record: PartitionRecord | None,
    *,
    missing: Missing,
) -> Work[Merged]:
    """Merge the rows inserted into one partition with its existing rows.

    Only the axis of the existing rows is read, unless the strategy computes values; if the axis is regularly sampled,
    its statistics are enough.

    Parameters
    ----------
    opened, strategy, part, inserted
        The collection, the merge strategy, the partition and the inserted rows.
    record
        The record of the existing partition; None if it is new.
    missing
        What to do if the inserted rows lack a variable that the partition contains.

    Raises
    ------
    SchemaError
        The insert lacks a variable that the partition contains and `missing` is "raise", or the strategy compares axis values
        and the axis is not a variable.
    PartitionError
        The strategy returned rows that belong to another partition.
    """
    rows = 0 if record is None else record.rows
    if isinstance(strategy, ReplacePartition):
        report = PartitionReport.rewritten(part.path, created=rows == 0, existing=rows, rows=part.count)
        return Merged(dataset=inserted, report=report)
    if record is None or not strategy.reads_existing:
        return _merged_with_nothing(opened, strategy, part, inserted, rows)
    inserted = _with_all(opened, part, inserted, record, missing)
    existing = yield from partition_groups.reading_axis(opened, part.path, record)
    plan = strategy.rows(*_axis_columns(opened, strategy, existing, inserted, rows))
    if plan is None:
        return (yield from _computing(opened, strategy, part, inserted, record))
    source = _checked_source(strategy, plan, rows, inserted.sizes.get(opened.dimension, 0))
    report = PartitionReport.of(part.path, created=False, existing=rows, plan=plan)
    axis = _axis_of(opened, existing, inserted, source)
    return Merged(dataset=inserted, source=source, axis=axis, report=report)


def _merged_with_nothing(
    opened: OpenCollection, strategy: MergeStrategy, part: PartitionRows, inserted: Dataset, rows: int
) -> Merged:
    """Merge with no existing rows: the partition is new, or the strategy ignores existing rows."""
    _, arriving = _axis_columns(opened, strategy, inserted, inserted, 0)
    plan = strategy.rows(arriving[:0], arriving)
    if plan is None:
        no_rows = inserted.isel({opened.dimension: slice(0, 0)})
        return _computed(opened, strategy, part, no_rows, inserted, rows=rows)
    source = ~_checked_source(strategy, plan, 0, inserted.sizes.get(opened.dimension, 0))
    in_place = np.array_equal(source, np.arange(inserted.sizes.get(opened.dimension, 0)))
    dataset = inserted if in_place else inserted.isel({opened.dimension: source})
    report = PartitionReport.of(part.path, created=rows == 0, existing=rows, plan=RowPlan(~source, replaced=rows))
    return Merged(dataset=dataset, report=report)


def _computing(
    opened: OpenCollection, strategy: MergeStrategy, part: PartitionRows, inserted: Dataset, record: PartitionRecord
) -> Work[Merged]:
    """Merge with a strategy that computes values, which needs all variables of the existing rows."""
    schema = opened.configuration.rows_schema
    present = schema.select(partition_groups.variables_in(opened, record, schema))
    existing = Dataset(
        schema, (yield from partition_groups.reading_partition(opened, part.path, record, present)).all_variables()
    )
    return _computed(opened, strategy, part, existing, inserted, rows=record.rows)


def _axis_of(
    opened: OpenCollection, existing: Dataset, inserted: Dataset, source: NDArray[np.int64]
) -> NDArray[Any] | None:
    name = opened.axis_variable
    if name is None:
        return None
    before, arriving = existing.get_variable(name).to_numpy(), inserted.get_variable(name).to_numpy()
    came = np.flatnonzero(source < 0)
    if not len(before):
        return arriving[~source]
    values = before.take(source, mode="clip")  # the values of inserted rows are placeholders, replaced in the next line
    values[came] = arriving[~source[came]]
    return values


def _computed(
    opened: OpenCollection,
    strategy: MergeStrategy,
    part: PartitionRows,
    existing: Dataset,
    inserted: Dataset,
    *,
    rows: int,
) -> Merged:
    """Return the checked result of a strategy that computes values, for a partition with `rows` existing rows."""
    merged = strategy.merge(existing, inserted, axis=opened.configuration.axis, dimension=opened.dimension)
    result = as_dataset(merged, opened.schema)
    _check_result(opened, part, inserted, result)
    count = result.sizes.get(opened.dimension, 0)
    report = PartitionReport.rewritten(part.path, created=rows == 0, existing=rows, rows=count)
    return Merged(dataset=result, report=report, are_inserted=existing.sizes.get(opened.dimension, 0) == 0)


def _with_all(
    opened: OpenCollection, part: PartitionRows, inserted: Dataset, record: PartitionRecord, missing: Missing
) -> Dataset:
    """Return the inserted rows with all variables that a partition contains; missing ones are filled."""
    schema = opened.configuration.rows_schema
    lacking = sorted(partition_groups.variables_in(opened, record, schema) - inserted.all_variables().keys())
    if lacking and missing == "raise":
        message = (
            f"variable {lacking[0]!r} is missing from the dataset, and partition {part.path!r} has values of it that a "
            f"merge would lose; add it to the dataset, or pass missing='fill' to fill it in the rows inserted"
        )
        raise SchemaError(message)
    if not lacking:
        return inserted
    rows = inserted.sizes.get(opened.dimension, 0)
    layouts = ArrayLayout.several(schema, lacking, dimension=opened.dimension, rows=rows)
    more = {item.path: filled(item.variable, item.shape, name=item.path) for item in layouts}
    return Dataset(schema, {**inserted.all_variables(), **more})


def _axis_columns(
    opened: OpenCollection, strategy: MergeStrategy, existing: Dataset, inserted: Dataset, rows: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the existing and inserted axis values, times as datetime64; positions if the strategy does not compare values."""
    name = opened.axis_variable
    if not strategy.compares_axis:
        return np.arange(rows), np.arange(inserted.sizes.get(opened.dimension, 0))
    if name is None:
        message = (
            f"{type(strategy).__name__} compares axis values, and the axis {opened.configuration.axis!r} of this "
            f"collection is a dimension without a variable; use a strategy that does not, such as 'concat'"
        )
        raise SchemaError(message)
    return as_times(existing.get_variable(name)), as_times(inserted.get_variable(name))


def _checked_source(strategy: MergeStrategy, plan: RowPlan, before: int, after: int) -> NDArray[np.int64]:
    source = np.asarray(plan.source)
    if source.ndim != 1 or source.dtype.kind != "i" or np.any(source >= before) or np.any(~source >= after):
        message = (
            f"{type(strategy).__name__}.rows() returns a plan that names rows which do not exist; accepted: integers from "
            f"{-after} to {before - 1}, in one dimension"
        )
        raise PluginError(message)
    return source.astype(np.int64, copy=False)


def _check_result(opened: OpenCollection, part: PartitionRows, inserted: Dataset, result: Dataset) -> None:
    missing = sorted(inserted.all_variables().keys() - result.all_variables().keys())
    if missing:
        message = f"the merge of partition {part.path!r} returned no variable {missing[0]!r}; return every variable that it receives"
        raise SchemaError(message)
    found = [other.path for other in split(result, opened.partitioning, dimension=opened.dimension)]
    if found not in ([part.path], []):
        message = f"the merge of partition {part.path!r} returned rows of {', '.join(found)}; accepted: rows of that partition"
        raise PartitionError(message)
