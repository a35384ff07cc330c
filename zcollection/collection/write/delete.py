"""Deletes rows, as one change; partitions that become empty are dropped."""

from functools import partial

import numpy as np
from attrs import evolve

from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.find import ConsistentFind
from zcollection.collection.read.request import Request, RowsPlan, Where
from zcollection.collection.report import ChangeReport
from zcollection.collection.staging import staged
from zcollection.collection.write.insert import axis_range, partition_write
from zcollection.contracts.partitioning import Key
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Arrays, Job
from zcollection.engine.read import Outputs
from zcollection.engine.work import Work
from zcollection.errors import ExpressionError
from zcollection.model.dataset import Dataset
from zcollection.progress import ProgressOption
from zcollection.transaction.change import Stage, StagedPartition
from zcollection.transaction.retrying import retrying


async def delete(
    opened: OpenCollection, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> ChangeReport:
    """Delete rows; see `Collection.delete`."""
    opened.store.check_writable()
    request, executor = _request(opened, where, filters), executor_for(client, opened.store)

    async def attempt() -> ChangeReport:
        async with opened.begin("delete", candidates=request.candidates) as transaction:
            selected = await request.select(transaction.base)
            for path in selected.partitions:
                transaction.reads(path)
            jobs = (Job(partial(_without_rows, selected.rows_plan(path))) for path in selected.partitions)
            found = await staged(executor, transaction, jobs, total=len(selected.partitions), progress=progress)
            counts = {path: count for path, (count, _) in zip(selected.partitions, found, strict=True) if count}
            remaining = {item.path: item for _, item in found if item is not None}
            dropped = tuple(path for path in counts if path not in remaining)
            transaction.add_all(remaining.values())
            for path in dropped:
                transaction.drop(path)
            await transaction.commit()
            return ChangeReport(rows=counts, dropped=dropped)

    return await retrying(attempt)


async def planned(opened: OpenCollection, *, filters: Filter, where: Where, client: ClientOption) -> ChangeReport:
    """Return the rows that `delete` would delete."""
    request = _request(opened, where, filters)
    _, rows = await ConsistentFind(request, executor_for(client, opened.store)).rows(None)
    return evolve(rows.report, dropped=rows.whole_partitions)


def _request(opened: OpenCollection, where: Where, filters: Filter) -> Request:
    if where is None:
        message = "delete() needs where, so that not all rows are deleted by mistake; drop_partitions() drops whole partitions"
        raise ExpressionError(message)
    return Request.of(opened, filters, where)


def _without_rows(plan: RowsPlan, stage: Stage, arrays: Arrays) -> Work[tuple[int, StagedPartition | None]]:
    """Stage a partition without the selected rows, and return their number; no partition is staged if no row is selected, or all rows are."""
    del arrays  # everything is read from the store
    opened, path, record = plan.opened, plan.path, plan.record
    found, _ = yield from plan.finding(opened.schema.select([]), {})
    if found.count in {0, record.rows}:
        return found.count, None
    remaining = np.delete(np.arange(record.rows), found.positions)
    schema = opened.configuration.rows_schema
    stored = schema.select(partition_groups.variables_in(opened, record, schema))
    no_rows = Dataset(schema, Outputs.allocated(stored, opened.dimension, 0).arrays)
    group, written = partition_write(opened, Key(record.key), no_rows, rows=remaining.size)
    group = evolve(group, base=partition_groups.group_of(opened, path, record), source=remaining)
    before = yield from partition_groups.reading_axis_values(opened, path, record)
    axis = None if before is None else before[remaining]
    written = evolve(written, axis_range=axis_range(opened, axis))
    return found.count, (yield from stage.writing(path, evolve(group, axis_values=axis), written))
