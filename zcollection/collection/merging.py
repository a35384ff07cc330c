"""The rows of one partition merged: what a strategy decides, checked, and what it means for the partition."""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.collection.conform import as_dataset
from zcollection.collection.handle import Handle
from zcollection.collection.report import PartitionReport
from zcollection.collection.split import PartitionRows, as_times, split
from zcollection.contracts.merge import MergeStrategy, RowPlan, apply_plan
from zcollection.errors import PartitionError, PluginError, SchemaError
from zcollection.model.dataset import Dataset
from zcollection.plugins.hookspecs import Family
from zcollection.plugins.registry import REGISTRY

MergeFunction = Callable[..., object]
Merge = str | MergeStrategy | MergeFunction | None


@frozen
class ReplacePartition(MergeStrategy):
    """What happens without a merge strategy: the inserted rows are the partition."""

    reads_existing = False
    compares_axis = False

    def rows(self, existing: NDArray[Any], inserted: NDArray[Any]) -> RowPlan:
        """Return the inserted rows, in their order."""
        return RowPlan(~np.arange(len(inserted)), replaced=len(existing))


@frozen
class FunctionMerge(MergeStrategy):
    """A plain function of the caller's as a strategy; it is called only for partitions that exist."""

    function: MergeFunction
    compares_axis = False

    def merge(self, existing: Dataset, inserted: Dataset, *, axis: str, dimension: str) -> Dataset:
        """Return what the function returns."""
        if existing.sizes.get(dimension, 0) == 0:
            return inserted
        return as_dataset(self.function(existing, inserted, axis=axis, partitioning_dim=dimension), inserted.schema)


def as_strategy(merge: Merge) -> MergeStrategy:
    """Return a strategy given by name, as such, or as a function.

    Raises
    ------
    PluginError
        The name is unknown, or it is something else.
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
    raise PluginError(message)


@frozen(kw_only=True)
class Merged:
    """The outcome of a merge: the rows that the partition is to have, and what became of those it had."""

    dataset: Dataset
    report: PartitionReport


@frozen(kw_only=True)
class Sides:
    """What meets in a merge.

    Attributes
    ----------
    existing
        Rows of the partition; None where it is new, or where the strategy does not read them.
    inserted
        The rows that arrive.
    rows
        How many rows the partition has; 0 where it is new.
    """

    existing: Dataset | None
    inserted: Dataset
    rows: int


def merge_partition(handle: Handle, strategy: MergeStrategy, part: PartitionRows, sides: Sides) -> Merged:
    """Merge the rows inserted into one partition.

    Raises
    ------
    SchemaError
        The insert lacks a variable that the partition has, or the strategy needs an axis variable and there is none.
    PartitionError
        The strategy returned rows that belong to another partition.
    """
    dimension, inserted, rows = handle.dimension, sides.inserted, sides.rows
    existing = inserted.isel({dimension: slice(0, 0)}) if sides.existing is None else sides.existing
    _check_variables(part, existing, inserted)
    plan = strategy.rows(*_axis_columns(handle, strategy, existing, inserted))
    if plan is None:
        result = _computed(handle, strategy, part, existing, inserted)
        count = result.sizes.get(dimension, 0)
        report = PartitionReport.rewritten(part.path, created=rows == 0, existing=rows, rows=count)
        return Merged(dataset=result, report=report)
    result = apply_plan(
        existing, inserted, _checked_plan(strategy, plan, existing, inserted, dimension), dimension=dimension
    )
    if not strategy.reads_existing:
        plan = RowPlan(plan.source, replaced=rows)
    report = PartitionReport.of(part.path, created=rows == 0, existing=rows, plan=plan)
    return Merged(dataset=result, report=report)


def _computed(
    handle: Handle, strategy: MergeStrategy, part: PartitionRows, existing: Dataset, inserted: Dataset
) -> Dataset:
    """Return what a strategy that computes values returns, checked."""
    merged = strategy.merge(existing, inserted, axis=handle.configuration.axis, dimension=handle.dimension)
    result = as_dataset(merged, handle.schema)
    _check_result(handle, part, inserted, result)
    return result


def _check_variables(part: PartitionRows, existing: Dataset, inserted: Dataset) -> None:
    missing = sorted(existing.all_variables().keys() - inserted.all_variables().keys())
    if missing:
        message = (
            f"variable {missing[0]!r} is missing from the dataset, and partition {part.path!r} has values of it that a "
            f"merge would lose; add it to the dataset, or insert without merging to replace the partition"
        )
        raise SchemaError(message)


def _axis_columns(
    handle: Handle, strategy: MergeStrategy, existing: Dataset, inserted: Dataset
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the axis of both sides, times as datetime64; positions where there is no axis variable."""
    name = handle.axis_variable
    if name is not None:
        return as_times(existing.get_variable(name)), as_times(inserted.get_variable(name))
    if strategy.compares_axis:
        message = (
            f"{type(strategy).__name__} compares axis values, and the axis {handle.configuration.axis!r} of this "
            f"collection is a dimension without a variable; use a strategy that does not, such as 'concat'"
        )
        raise SchemaError(message)
    sizes = (dataset.sizes.get(handle.dimension, 0) for dataset in (existing, inserted))
    before, after = (np.arange(size) for size in sizes)
    return before, after


def _checked_plan(
    strategy: MergeStrategy, plan: RowPlan, existing: Dataset, inserted: Dataset, dimension: str
) -> RowPlan:
    source = np.asarray(plan.source)
    before, after = existing.sizes.get(dimension, 0), inserted.sizes.get(dimension, 0)
    if source.ndim != 1 or source.dtype.kind != "i" or np.any(source >= before) or np.any(~source >= after):
        message = (
            f"{type(strategy).__name__}.rows() returns a plan that names rows which do not exist; accepted: integers from "
            f"{-after} to {before - 1}, in one dimension"
        )
        raise PluginError(message)
    return plan


def _check_result(handle: Handle, part: PartitionRows, inserted: Dataset, result: Dataset) -> None:
    missing = sorted(inserted.all_variables().keys() - result.all_variables().keys())
    if missing:
        message = f"the merge of partition {part.path!r} returned no variable {missing[0]!r}; return every variable that it is given"
        raise SchemaError(message)
    found = [other.path for other in split(result, handle.partitioning, dimension=handle.dimension)]
    if found not in ([part.path], []):
        message = f"the merge of partition {part.path!r} returned rows of {', '.join(found)}; accepted: rows of that partition"
        raise PartitionError(message)
